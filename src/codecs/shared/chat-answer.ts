import type { AnswerContext, TailReason } from "../../core/codec.ts";
import { field, isJsonObject, type Json, parseJsonValue } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import type { Delta } from "../../core/view.ts";
import type { AnswerMapper } from "./answer-reader.ts";
import { AnswerTally, isRewritable, listField, textField } from "./answer-tally.ts";
import { withoutNullUsage } from "./chat-undo.ts";
import { chatUsage } from "./chat-usage.ts";
import { OPENAI_DONE, openAiErrorEvents } from "./openai-error.ts";
import type { SseEvent } from "./sse.ts";

const NO_DELTAS: readonly Delta[] = [];
const NO_BYTES = new Uint8Array(0);
/** Most choices and tool calls of one answer that are told apart; OpenAI allows 128 of each. */
const INDEX_MAX = 4096;

/**
 * Reads a chat completion, whole or as chunks, from OpenAI and everyone who speaks its format.
 *
 * `Delta.block` is 0 for texts and the index of the tool call for arguments. The stream is complete at `[DONE]`, or, for servers
 * that leave it out, once every choice has its finish reason and the usage was seen. Usage may come on its own chunk, on the last,
 * on every one (then the last counts) or in Groq's `x_groq`.
 */
export class ChatAnswer implements AnswerMapper {
  readonly tally = new AnswerTally();
  readonly #context: AnswerContext;
  readonly #kind: "chat" | "text";
  #usage: { readonly [key: string]: Json } | undefined;
  /** `[DONE]` was seen: nothing can follow. */
  #done = false;
  /** Choices seen, and whether they have their finish reason. */
  readonly #choices = new Map<number, boolean>();
  readonly #named = new Set<number>();
  #unfinished: number;
  /** What an added chunk must share with those before it. */
  #id: string | undefined;
  #model: string | undefined;
  #created = 0;
  /** What `rewrite` does to the event just read. */
  #undo: "drop" | "cut" | undefined;

  /** `text`: completions before chat, whose choices hold a text. */
  constructor(context: AnswerContext, kind: "chat" | "text" = "chat") {
    this.#context = context;
    this.#kind = kind;
    this.#unfinished = context.view.choices;
  }

  usage(): Usage | undefined {
    return this.#usage === undefined ? undefined : chatUsage(this.#usage);
  }

  body(json: Json): readonly Delta[] {
    this.tally.complete = true;
    // Gemini's OpenAI surface wraps an error in an array.
    const body = Array.isArray(json) ? json[0] : json;
    if (!this.#readError(body, undefined) && this.#context.status >= 400) this.tally.failed(field(body, "type"));
    return this.#read(body);
  }

  event(name: string | undefined, data: string): readonly Delta[] {
    this.#undo = undefined;
    if (data === "[DONE]" || data.trim() === "[DONE]") {
      this.#done = true;
      this.tally.complete = true;
      return NO_DELTAS;
    }
    const chunk = parseJsonValue(data);
    if (typeof chunk !== "object" || chunk === null || Array.isArray(chunk)) {
      this.tally.invalidEvents++;
      if (name === "error") this.tally.failed("error");
      return NO_DELTAS;
    }
    const failed = this.#readError(chunk, name);
    const choices = field(chunk, "choices");
    const usage = field(chunk, "usage");
    if (!failed && !Array.isArray(choices) && usage === undefined) this.tally.unknownEvents++;
    if (this.#context.usageForced) {
      if (usage === null) this.#undo = "cut";
      else if (isJsonObject(usage) && Array.isArray(choices) && choices.length === 0) this.#undo = "drop";
    }
    return this.#read(chunk);
  }

  rewrite(event: SseEvent): Uint8Array {
    if (this.#undo === undefined || event.data === undefined) return event.bytes;
    return this.#undo === "drop" ? NO_BYTES : withoutNullUsage(event.bytes, event.data);
  }

  tail(reason: TailReason): string {
    if (this.#done) return "";
    if (reason.kind === "error") return openAiErrorEvents(reason.denial, reason.requestId);
    if (this.#choices.size === 0) for (let index = 0; index < this.#context.view.choices; index++) this.#choices.set(index, false);
    let out = "";
    for (const [index, finished] of this.#choices) {
      const piece = this.#kind === "chat" ? { delta: {} } : { text: "" };
      if (!finished) out += this.#chunk({ choices: [{ index, ...piece, logprobs: null, finish_reason: "length" }] });
    }
    // Without a forced report, usage that is known is usage that the caller would have got.
    if (!this.#context.usageForced && this.#usage !== undefined && isRewritable(this.#usage)) {
      out += this.#chunk({ choices: [], usage: this.#usage });
    }
    return out + OPENAI_DONE;
  }

  #chunk(members: { readonly [key: string]: Json }): string {
    const model = this.#model ?? this.#context.view.model ?? "";
    const names =
      this.#kind === "chat" ? { id: "chatcmpl-cut", object: "chat.completion.chunk" } : { id: "cmpl-cut", object: "text_completion" };
    const head = { ...names, id: this.#id ?? names.id, created: this.#created, model };
    return `data: ${JSON.stringify({ ...head, ...members })}\n\n`;
  }

  /** An error object, in a body or a chunk, with any status. vLLM and Mistral send it bare: `{"object":"error","type":…}`. */
  #readError(body: Json | undefined, name: string | undefined): boolean {
    const error = field(body, "error");
    if (isJsonObject(error)) {
      const type = field(error, "type");
      const code = field(error, "code");
      this.tally.failed(typeof type === "string" && type !== "" ? type : typeof code === "number" ? String(code) : code);
      return true;
    }
    if (this.tally.readError(body)) return true;
    if (name !== "error" && textField(body, "object") !== "error") return false;
    this.tally.failed(textField(body, "type") || "error");
    return true;
  }

  /** What chunks and whole completions share. */
  #read(body: Json | undefined): readonly Delta[] {
    this.#readHead(body);
    const usage = field(body, "usage") ?? field(field(body, "x_groq"), "usage");
    if (isJsonObject(usage)) this.#usage = usage;
    const choices = field(body, "choices");
    if (!Array.isArray(choices)) return NO_DELTAS;
    const out: Delta[] = [];
    for (const choice of choices) this.#readChoice(choice, out);
    if (this.#unfinished <= 0 && this.#usage !== undefined) this.tally.complete = true;
    return out;
  }

  #readHead(body: Json | undefined): void {
    const id = textField(body, "id");
    const model = textField(body, "model");
    if (id !== "" && id !== this.#id) this.#id = id;
    else if (model === "" || model === this.#model) return;
    if (model !== "") this.#model = model;
    const created = field(body, "created");
    if (typeof created === "number") this.#created = created;
    this.tally.answeredBy(model, id);
  }

  #readChoice(json: Json, out: Delta[]): void {
    const choice = indexOf(json, 0);
    const finished = this.#choices.get(choice);
    if (finished === undefined && this.#choices.size < INDEX_MAX) this.#choices.set(choice, false);
    const message = field(json, "delta") ?? field(json, "message");
    if (this.#kind === "text") push(out, choice, 0, "content", textField(json, "text"));
    else if (message !== undefined && message !== null) {
      // A spoken answer is kept under its id, for the next turn.
      this.tally.made("item", field(field(message, "audio"), "id"));
      readContent(message, choice, out);
      this.#readCalls(message, choice, out);
    }
    const reason = field(json, "finish_reason");
    if (typeof reason !== "string" || reason === "" || finished === true) return;
    this.tally.finished(reason);
    if (this.#choices.has(choice)) this.#choices.set(choice, true);
    this.#unfinished--;
  }

  #readCalls(message: Json, choice: number, out: Delta[]): void {
    for (const [position, call] of listField(message, "tool_calls").entries()) {
      const what = field(call, "function") ?? field(call, "custom");
      this.#readCall(what, { choice, block: indexOf(call, position) }, out);
    }
    this.#readCall(field(message, "function_call"), { choice, block: 0 }, out);
  }

  /** Names come once, with the first piece of a call; some servers repeat them with every piece. */
  #readCall(call: Json | undefined, at: { readonly choice: number; readonly block: number }, out: Delta[]): void {
    if (call === undefined || call === null) return;
    const slot = at.choice * INDEX_MAX + at.block;
    const name = textField(call, "name");
    if (name !== "" && !this.#named.has(slot) && this.#named.size < INDEX_MAX) {
      this.#named.add(slot);
      this.tally.calledTool(name);
    }
    const text = field(call, "arguments") ?? field(call, "input");
    if (typeof text === "string") push(out, at.choice, at.block, "tool_arguments", text);
    else if (isJsonObject(text) && isRewritable(text)) push(out, at.choice, at.block, "tool_arguments", JSON.stringify(text));
  }
}

function push(out: Delta[], choice: number, block: number, channel: Delta["channel"], text: string): void {
  if (text !== "") out.push({ choice, block, channel, text });
}

/** The texts of a message or of a piece of one. */
function readContent(message: Json, choice: number, out: Delta[]): void {
  // `reasoning_content` is DeepSeek's and xAI's name, `reasoning` that of Groq, Ollama and OpenRouter; vLLM sends both, alike.
  const reasoning = textField(message, "reasoning_content") || textField(message, "reasoning");
  if (reasoning !== "") push(out, choice, 0, "reasoning", reasoning);
  else for (const detail of listField(message, "reasoning_details")) pushParts(detail, choice, "reasoning", out);
  const content = field(message, "content");
  if (typeof content === "string") push(out, choice, 0, "content", content);
  else if (Array.isArray(content)) for (const part of content) pushParts(part, choice, "content", out);
  push(out, choice, 0, "refusal", textField(message, "refusal"));
  push(out, choice, 0, "content", textField(field(message, "audio"), "transcript"));
}

/** A content part: Mistral's `{type: "thinking", thinking: [{type: "text", text}]}`, `{type: "text", text}`, and a refusal. */
function pushParts(part: Json, choice: number, channel: Delta["channel"], out: Delta[]): void {
  push(out, choice, 0, channel, textField(part, "text") || textField(part, "summary"));
  push(out, choice, 0, "refusal", textField(part, "refusal"));
  const thinking = field(part, "thinking");
  if (typeof thinking === "string") push(out, choice, 0, "reasoning", thinking);
  else if (Array.isArray(thinking)) for (const inner of thinking) push(out, choice, 0, "reasoning", textField(inner, "text"));
}

function indexOf(value: Json, otherwise: number): number {
  const index = field(value, "index");
  return typeof index === "number" && Number.isSafeInteger(index) && index >= 0 && index < INDEX_MAX ? index : otherwise;
}
