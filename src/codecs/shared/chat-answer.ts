import type { AnswerContext, TailReason } from "../../core/codec.ts";
import { SEARCHING_MODEL } from "../../core/forecast.ts";
import { field, isJsonObject, type Json } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerMapper } from "./answer-reader.ts";
import { AnswerTally, isRewritable, listField, textField } from "./answer-tally.ts";
import { AnswerTexts, beginEvent } from "./answer-texts.ts";
import { CHOICE_KEYS, COMPLETION_KEYS, readMessage } from "./chat-texts.ts";
import { withoutNullUsage } from "./chat-undo.ts";
import { chatUsage, chatUsageOf } from "./chat-usage.ts";
import { OPENAI_DONE, openAiErrorEvents } from "./openai-error.ts";
import type { SseEvent } from "./sse.ts";

type JsonMembers = Readonly<Record<string, Json>>;
const NO_BYTES = new Uint8Array(0);
/** OpenAI's and Mistral's. */
const PADDING: readonly string[] = ["obfuscation", "p"];
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
  readonly texts: AnswerTexts;
  readonly #context: AnswerContext;
  readonly #kind: "chat" | "text";
  #usage: { readonly [key: string]: Json } | undefined;
  /** `[DONE]` was seen: nothing can follow. */
  #done = false;
  /** Choices seen, and whether they have their finish reason. */
  readonly #choices = new Map<number, boolean>();
  readonly #named = new Map<number, string>();
  #unfinished: number;
  /** What an added chunk must share with those before it. */
  #id: string | undefined;
  #model: string | undefined;
  #created = 0;
  readonly padding = PADDING;
  /** The event just read held no error, no end and no new call. */
  #repeatable = false;
  /** What a forced usage report put into the event just read. */
  #forced: "chunk" | "member" | undefined;

  /** `text`: completions before chat, whose choices hold a text. */
  constructor(context: AnswerContext, kind: "chat" | "text" = "chat", texts: AnswerTexts = new AnswerTexts(context)) {
    this.#context = context;
    this.texts = texts;
    this.#kind = kind;
    this.#unfinished = context.view.choices;
  }

  usage(): Usage | undefined {
    if (this.#usage === undefined) return undefined;
    const usage = chatUsage(this.#usage);
    // These search the web once in each call, and no figure says so.
    return usage.queries === undefined && SEARCHING_MODEL.test(this.#model ?? "") ? { ...usage, queries: 1 } : usage;
  }

  body(json: Json): void {
    this.tally.complete = true;
    // Gemini's OpenAI surface wraps an error in an array.
    const body = Array.isArray(json) ? json[0] : json;
    if (!this.#readError(body, undefined) && this.#context.status >= 400) this.tally.failed(field(body, "type"));
    if (Array.isArray(json)) for (const item of json.slice(1)) this.texts.walk(0, 0, item);
    this.#read(body);
  }

  event(name: string | undefined, data: string): void {
    this.#forced = undefined;
    this.#repeatable = false;
    if (data === "[DONE]" || data.trim() === "[DONE]") {
      this.#done = true;
      this.tally.complete = true;
      this.texts.endAll();
      return;
    }
    const chunk = beginEvent(this, data);
    if (chunk !== undefined) this.eventJson(name, chunk);
    else if (name === "error") this.tally.failed("error");
  }

  /** An event that was parsed, and begun in `texts`, already. */
  eventJson(name: string | undefined, chunk: Json): void {
    const failed = this.#readError(chunk, name);
    if (failed) this.texts.endAll();
    const choices = field(chunk, "choices");
    const usage = field(chunk, "usage");
    this.#repeatable = !failed && Array.isArray(choices);
    if (!failed && !Array.isArray(choices) && usage === undefined) this.tally.unknownEvents++;
    if (this.#context.usageForced) {
      if (usage === null) this.#forced = "member";
      else if (isJsonObject(usage) && Array.isArray(choices) && choices.length === 0) this.#forced = "chunk";
    }
    this.#read(chunk);
  }

  repeatable(): boolean {
    return this.#repeatable;
  }

  undo(): ((event: SseEvent) => Uint8Array) | undefined {
    return this.#forced === undefined ? undefined : this.#forced === "chunk" ? dropped : undone;
  }

  /**
   * Every choice without a finish reason gets one, after `text` where there is some; its calls stay as they are, which is how OpenAI
   * leaves a call that met the length. Ids and names are those of the chunks before.
   */
  tail(reason: TailReason): string {
    if (this.#done) return "";
    if (reason.kind === "error") return openAiErrorEvents(reason.denial, reason.requestId);
    const text = reason.kind === "filtered" ? (reason.text ?? "") : "";
    const finish = reason.kind === "filtered" ? "content_filter" : "length";
    const choices = new Map(this.#choices);
    for (let index = 0; index < this.#context.view.choices && choices.size < INDEX_MAX; index++)
      if (!choices.has(index)) choices.set(index, false);
    let out = "";
    for (const [index, finished] of choices) {
      if (finished) continue;
      // The SDK's own accumulation needs a role.
      const role = this.#choices.has(index) ? {} : { role: "assistant" };
      const piece = (delta: JsonMembers, said: string): JsonMembers => (this.#kind === "text" ? { text: said } : { delta });
      if (text !== "") out += this.#choice(index, piece({ ...role, content: text }, text), null);
      out += this.#choice(index, piece(text === "" ? role : {}, ""), finish);
    }
    // Without a forced report, usage that is known is usage that the caller would have got.
    const usage = this.#usage !== undefined && isRewritable(this.#usage) ? this.#usage : chatUsageOf(reason.usage);
    if (!this.#context.usageForced && usage !== undefined) out += this.#chunk({ choices: [], usage });
    return out + OPENAI_DONE;
  }

  #choice(index: number, piece: JsonMembers, finish: string | null): string {
    return this.#chunk({ choices: [{ index, ...piece, logprobs: null, finish_reason: finish }] });
  }

  #chunk(members: JsonMembers): string {
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
  #read(body: Json | undefined): void {
    this.#readHead(body);
    const usage = field(body, "usage") ?? field(field(body, "x_groq"), "usage");
    if (isJsonObject(usage)) this.#usage = usage;
    this.texts.walk(0, 0, body, COMPLETION_KEYS);
    const choices = field(body, "choices");
    if (!Array.isArray(choices)) return;
    for (const choice of choices) this.#readChoice(choice);
    if (this.#unfinished <= 0 && this.#usage !== undefined) this.tally.complete = true;
  }

  #readHead(body: Json | undefined): void {
    const tier = field(body, "service_tier");
    if (tier !== undefined) this.tally.servedIn(tier);
    const id = textField(body, "id");
    const model = textField(body, "model");
    if (id !== "" && id !== this.#id) this.#id = id;
    else if (model === "" || model === this.#model) return;
    if (model !== "") this.#model = model;
    const created = field(body, "created");
    if (typeof created === "number") this.#created = created;
    this.tally.answeredBy(model, id);
  }

  #readChoice(json: Json): void {
    const choice = indexOf(json, 0);
    const finished = this.#choices.get(choice);
    if (finished === undefined && this.#choices.size < INDEX_MAX) this.#choices.set(choice, false);
    const message = field(json, "delta") ?? field(json, "message");
    if (this.#kind === "text") this.texts.add(choice, 0, "content", json, "text");
    else if (message !== undefined && message !== null) {
      // A spoken answer is kept under its id, for the next turn.
      this.tally.made("item", field(field(message, "audio"), "id"));
      readMessage(this.texts, message, choice);
      this.#readCalls(message, choice);
    }
    this.texts.walk(choice, 0, json, CHOICE_KEYS);
    // What the other kind of answer has in its place.
    if (field(json, "delta") !== undefined) this.texts.other(choice, 0, json, "message");
    if (this.#kind === "chat") this.texts.beside(choice, 0, "content", json, "text");
    this.texts.erase(choice, json, "logprobs", "null");
    const reason = field(json, "finish_reason");
    if (typeof reason !== "string" || reason === "") return;
    this.#repeatable = false;
    this.texts.end(choice);
    if (finished === true) return;
    this.tally.finished(reason);
    if (this.#choices.has(choice)) this.#choices.set(choice, true);
    this.#unfinished--;
  }

  #readCalls(message: Json, choice: number): void {
    for (const [position, call] of listField(message, "tool_calls").entries()) {
      const block = indexOf(call, position);
      const id = textField(call, "id");
      this.texts.readAsCall(call);
      // Of a call that is both, readers take either: each is one.
      this.#readCall(field(call, "function"), id, { choice, block, isCustom: false });
      this.#readCall(field(call, "custom"), id, { choice, block, isCustom: true });
      this.texts.walk(choice, block, call, CALL_KEYS);
    }
    this.texts.readAsCall(field(message, "function_call"));
    this.#readCall(field(message, "function_call"), "", { choice, block: 0, isCustom: false });
  }

  /** Names come once, with the first piece of a call; some servers repeat them with every piece. */
  #readCall(
    call: Json | undefined,
    id: string,
    { choice, block, isCustom }: { readonly choice: number; readonly block: number; readonly isCustom: boolean },
  ): void {
    if (call === undefined || call === null) return;
    const slot = choice * INDEX_MAX + block;
    const name = textField(call, "name");
    const known = this.#named.get(slot);
    if (name !== "" && name !== known) {
      this.#repeatable = false;
      if (known === undefined && this.#named.size < INDEX_MAX) this.tally.calledTool(name);
      if (this.#named.size < INDEX_MAX) this.#named.set(slot, name);
      this.texts.endCallsBefore(choice, block);
      this.texts.call(choice, block, name, id, isCustom ? PLAIN_INPUT : undefined);
    }
    const key = field(call, "arguments") === undefined ? "input" : "arguments";
    const text = field(call, key);
    if (key === "arguments") this.texts.beside(choice, block, "content", call, "input");
    if (isJsonObject(text) || Array.isArray(text)) this.texts.addValue(choice, block, "tool_arguments", call, key);
    else this.texts.add(choice, block, "tool_arguments", call, key);
    this.texts.walk(choice, block, call, CALLED_KEYS);
  }
}

const PLAIN_INPUT = { plain: { key: "input" } };
const CALL_KEYS: ReadonlySet<string> = new Set(["index", "id", "type", "function", "custom"]);
const CALLED_KEYS: ReadonlySet<string> = new Set(["name", "arguments", "input", "description"]);

const dropped = (): Uint8Array => NO_BYTES;
const undone = ({ bytes, data }: SseEvent): Uint8Array => (data === undefined ? bytes : withoutNullUsage(bytes, data));

function indexOf(value: Json, otherwise: number): number {
  const index = field(value, "index");
  return typeof index === "number" && Number.isSafeInteger(index) && index >= 0 && index < INDEX_MAX ? index : otherwise;
}
