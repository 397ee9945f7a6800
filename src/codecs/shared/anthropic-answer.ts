import type { AnswerContext, TailReason } from "../../core/codec.ts";
import { field, isJsonObject, type Json } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import type { Delta } from "../../core/view.ts";
import type { AnswerMapper } from "./answer-reader.ts";
import { AnswerTally, listField, sseEvent, textField } from "./answer-tally.ts";
import { AnswerTexts, beginEvent, silentAnd } from "./answer-texts.ts";
import { anthropicErrorBody } from "./anthropic-error.ts";
import { anthropicUsage, mergeUsage } from "./anthropic-usage.ts";
import { textBlock, textDelta } from "./said-anthropic.ts";

/** Most blocks followed; real answers have tens. Later ones pass on unread and count as unknown. */
const BLOCKS_MAX = 10_000;

/** Text members of deltas. Signatures hold no text of the model, and citations are walked. */
const DELTA_TEXTS: ReadonlyMap<string, readonly [Delta["channel"], string] | undefined> = new Map<
  string,
  readonly [Delta["channel"], string] | undefined
>([
  ["text_delta", ["content", "text"]],
  ["thinking_delta", ["reasoning", "thinking"]],
  ["input_json_delta", ["tool_arguments", "partial_json"]],
  ["compaction_delta", ["content", "content"]],
  ["signature_delta", undefined],
  ["citations_delta", undefined],
]);
/** Members of events, messages and blocks that are read, or hold no text; what else there is, guards see as texts beside the answer. */
/** Members of an event with more in them, and which of them each event is read for. */
const STRUCTURES = ["message", "content_block", "delta"] as const;
const READS: ReadonlyMap<string, string> = new Map([
  ["message_start", "message"],
  ["content_block_start", "content_block"],
  ["content_block_delta", "delta"],
  ["message_delta", "delta"],
]);
const ENDING_KEYS: ReadonlySet<string> = new Set(["stop_reason", "container", "context_management", "type", "usage"]);
const EVENT_KEYS: ReadonlySet<string> = new Set(["type", "index", "message", "content_block", "delta", "usage"]);
const MESSAGE_KEYS: ReadonlySet<string> = new Set([
  ...["id", "type", "role", "model", "content", "stop_reason", "usage", "container"],
  ...["context_management", "request_id"],
]);
/** By the member of a delta that was read. */
const DELTA_KEYS: Readonly<Record<string, ReadonlySet<string>>> = {
  text: silentAnd("text"),
  thinking: silentAnd("thinking"),
  partial_json: silentAnd("partial_json"),
  content: silentAnd("content"),
};
const BLOCK_KEYS: Readonly<Record<"tool" | "text" | "thinking" | "compaction" | "other", ReadonlySet<string>>> = {
  tool: silentAnd("name", "input", "server_name", "caller"),
  text: silentAnd("text"),
  thinking: silentAnd("thinking"),
  compaction: silentAnd("content"),
  other: silentAnd("server_name", "caller"),
};

/**
 * Reads a message of the Messages API, whole or as events. `Delta.block` is the index of the content block. Results of the provider's own
 * tools, citations and their quotes stand beside the block that holds them. Thinking is signed; in a stream the signature comes last, so
 * there all of it counts as signed.
 */
export class AnthropicAnswer implements AnswerMapper {
  readonly tally = new AnswerTally();
  readonly texts: AnswerTexts;
  readonly #context: AnswerContext;
  /** Blocks that are open, and whether they are text. */
  readonly #open = new Map<number, boolean>();
  #nextBlock = 0;
  #begun = false;
  /** A stop reason was given: what is left is `message_stop`. */
  #stopped = false;
  #usage: Json | undefined;
  /** The event just read was a piece of a block. */
  #repeatable = false;

  constructor(context: AnswerContext, texts: AnswerTexts = new AnswerTexts(context)) {
    this.#context = context;
    this.texts = texts;
  }

  usage(): Usage | undefined {
    return anthropicUsage(this.#usage);
  }

  body(json: Json): void {
    this.tally.complete = true;
    this.texts.walk(0, 0, json, MESSAGE_KEYS);
    if (this.tally.readError(json)) return;
    this.tally.answeredBy(field(json, "model"), field(json, "id"));
    this.tally.finished(field(json, "stop_reason"));
    this.#usage = field(json, "usage") ?? undefined;
    for (const [index, block] of listField(json, "content").entries()) this.#block(block, index, "whole");
  }

  event(name: string | undefined, data: string): void {
    this.#repeatable = false;
    // Some compatible servers end with OpenAI's mark.
    if (data === "[DONE]") return;
    const event = beginEvent(this, data);
    if (event !== undefined) this.eventJson(name, event);
  }

  repeatable(): boolean {
    return this.#repeatable;
  }

  /** An event that was parsed, and begun in `texts`, already. */
  eventJson(name: string | undefined, event: Json): void {
    const index = field(event, "index");
    const at = typeof index === "number" && Number.isSafeInteger(index) && index >= 0 ? index : 0;
    this.texts.walk(0, at, event, EVENT_KEYS);
    const type = textField(event, "type") || name || "";
    for (const key of STRUCTURES) if (READS.get(type) !== key) this.texts.other(0, at, event, key);
    switch (type) {
      case "message_start":
        this.#start(field(event, "message"));
        return;
      case "content_block_start":
        this.#startBlock(event, at);
        return;
      case "content_block_delta":
        this.#delta(field(event, "delta"), at);
        return;
      case "content_block_stop":
        this.#open.delete(at);
        this.texts.end(0, at);
        return;
      case "message_delta":
        this.#messageDelta(event);
        return;
      case "message_stop":
        this.tally.complete = true;
        this.texts.endAll();
        return;
      case "ping":
        return;
      case "error":
        if (!this.tally.readError(event)) this.tally.failed("error");
        this.texts.endAll();
        return;
      default:
        this.tally.unknownEvents++;
    }
  }

  /**
   * Every open block is stopped, then stop reason `max_tokens` or `refusal` with the usage so far (as last reported: Anthropic's own
   * figure at the start of a message is an estimate of a few tokens), then the end. A tool call whose input is half there is stopped as
   * well, as Anthropic does at `max_tokens`; its SDK then gives the members of the input that are whole. What is said instead of the rest
   * goes into the open text, or a block of its own.
   */
  tail(reason: TailReason): string {
    if (this.tally.complete) return "";
    if (reason.kind === "error") return sseEvent("error", anthropicErrorBody(reason.denial, reason.requestId));
    let text = this.#begun ? "" : sseEvent("message_start", { type: "message_start", message: this.#emptyMessage() });
    let said = reason.kind === "filtered" && !this.#stopped ? (reason.text ?? "") : "";
    for (const [index, isText] of [...this.#open].sort(([a], [b]) => a - b)) {
      if (isText && said !== "") text += textDelta(index, said);
      if (isText) said = "";
      text += sseEvent("content_block_stop", { type: "content_block_stop", index });
    }
    if (said !== "") text += textBlock(this.#nextBlock, said);
    if (!this.#stopped) {
      const delta = { stop_reason: reason.kind === "length" ? "max_tokens" : "refusal", stop_sequence: null };
      text += sseEvent("message_delta", { type: "message_delta", delta, usage: this.#usageSoFar(reason.usage) });
    }
    return text + sseEvent("message_stop", { type: "message_stop" });
  }

  #start(message: Json | undefined): void {
    this.#begun = true;
    this.tally.answeredBy(field(message, "model"), field(message, "id"));
    this.#takeUsage(field(message, "usage"));
    // A message begins empty; what a server puts there nevertheless is seen.
    this.texts.walk(0, 0, message, MESSAGE_KEYS);
    this.texts.walk(0, 0, field(message, "content"));
  }

  #takeUsage(reported: Json | undefined): void {
    this.#usage = mergeUsage(this.#usage, reported);
    this.tally.servedIn(field(this.#usage, "speed") === "fast" ? "fast" : field(this.#usage, "service_tier"));
  }

  #messageDelta(event: Json): void {
    const reason = field(field(event, "delta"), "stop_reason");
    this.texts.walk(0, 0, field(event, "delta"), ENDING_KEYS);
    if (typeof reason === "string") {
      this.#stopped = true;
      this.tally.finished(reason);
    }
    this.#takeUsage(field(event, "usage"));
  }

  #startBlock(event: Json, index: number): void {
    const block = field(event, "content_block");
    if (this.#open.size < BLOCKS_MAX) {
      this.#open.set(index, textField(block, "type") === "text");
      this.#nextBlock = Math.max(this.#nextBlock, index + 1);
    } else {
      this.tally.unknownEvents++;
      if (!this.texts.guarded) return;
    }
    this.#block(block, index, "start");
  }

  #delta(delta: Json | undefined, block: number): void {
    const type = textField(delta, "type");
    const rule = DELTA_TEXTS.get(type);
    if (rule === undefined) {
      if (!DELTA_TEXTS.has(type)) this.tally.unknownEvents++;
      this.texts.walk(0, block, delta);
      return;
    }
    this.#repeatable = true;
    const [channel, key] = rule;
    this.texts.add(0, block, channel, delta, key, channel === "reasoning" ? "signed" : undefined);
    this.texts.walk(0, block, delta, DELTA_KEYS[key]);
  }

  /** A whole block, or the start of one; a start has its text too where a server does not stream it. */
  #block(block: Json | undefined, index: number, part: "whole" | "start"): void {
    const { texts } = this;
    const type = textField(block, "type");
    if (type.endsWith("tool_use")) {
      this.tally.calledTool(field(block, "name"));
      texts.readAsCall(block);
      texts.call(0, index, textField(block, "name"), textField(block, "id"), offeredAs(block));
      const input = field(block, "input");
      // A stream starts with an empty object.
      const isEmpty = isJsonObject(input) && Object.keys(input).length === 0;
      if (typeof input === "string") texts.add(0, index, "tool_arguments", block, "input");
      else if ((!isEmpty || (part === "whole" && texts.guarded)) && !texts.addValue(0, index, "tool_arguments", block, "input"))
        this.tally.invalidEvents++;
      texts.walk(0, index, block, BLOCK_KEYS.tool);
    } else if (type === "text") {
      texts.add(0, index, "content", block, "text");
      texts.walk(0, index, block, BLOCK_KEYS.text);
      texts.erase(0, block, "citations", "null", index);
    } else if (type === "thinking") {
      texts.add(0, index, "reasoning", block, "thinking", part === "start" || textField(block, "signature") !== "" ? "signed" : undefined);
      texts.walk(0, index, block, BLOCK_KEYS.thinking);
    } else if (type === "compaction") {
      texts.add(0, index, "content", block, "content");
      texts.walk(0, index, block, BLOCK_KEYS.compaction);
    } else texts.walk(0, index, block, BLOCK_KEYS.other);
  }

  /** The provider's figures; of the output it has said nothing true before its end. */
  #usageSoFar(ours: Usage | undefined): Json {
    const known = typeof this.#usage === "object" && this.#usage !== null && !Array.isArray(this.#usage) ? this.#usage : {};
    const figures: Record<string, Json> = { output_tokens: 0 };
    for (const key of CUMULATIVE_FIGURES) {
      const value = field(known, key);
      if (typeof value === "number") figures[key] = value;
    }
    if (ours?.outputTokens !== undefined) figures["output_tokens"] = Math.max(ours.outputTokens, Number(figures["output_tokens"]));
    return figures;
  }

  #emptyMessage(): Json {
    return {
      id: "msg_not_begun",
      type: "message",
      role: "assistant",
      model: this.#context.view.model ?? "",
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { input_tokens: 0, output_tokens: 0 },
    };
  }
}

/** Tools that Anthropic runs are offered by the label of their server, or by one name for several (code execution, 2025-08-25). */
function offeredAs(block: Json | undefined): { readonly offeredAs?: string } {
  const server = textField(block, "server_name");
  if (server !== "") return { offeredAs: server };
  const isOurs = textField(block, "type") === "server_tool_use" && textField(block, "name").endsWith("_code_execution");
  return isOurs ? { offeredAs: "code_execution" } : {};
}

const CUMULATIVE_FIGURES = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"] as const;
