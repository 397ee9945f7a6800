import type { AnswerContext, TailReason } from "../../core/codec.ts";
import { field, type Json, parseJsonValue } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import type { Delta } from "../../core/view.ts";
import type { AnswerMapper } from "./answer-reader.ts";
import { AnswerTally, isRewritable, listField, sseEvent, textField } from "./answer-tally.ts";
import { anthropicErrorBody } from "./anthropic-error.ts";
import { anthropicUsage, mergeUsage } from "./anthropic-usage.ts";

/** Most blocks followed; real answers have tens. Later ones pass on unread and count as unknown. */
const BLOCKS_MAX = 10_000;
const NO_DELTAS: readonly Delta[] = [];

/** Text members of deltas. Signatures and citations carry no text of the model. */
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

/** Reads a message of the Messages API, whole or as events. `Delta.block` is the index of the content block. */
export class AnthropicAnswer implements AnswerMapper {
  readonly tally = new AnswerTally();
  readonly #context: AnswerContext;
  readonly #open = new Set<number>();
  #begun = false;
  /** A stop reason was given: what is left is `message_stop`. */
  #stopped = false;
  #usage: Json | undefined;

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  usage(): Usage | undefined {
    return anthropicUsage(this.#usage);
  }

  body(json: Json): readonly Delta[] {
    this.tally.complete = true;
    if (this.tally.readError(json)) return NO_DELTAS;
    this.tally.answeredBy(field(json, "model"), field(json, "id"));
    this.tally.finished(field(json, "stop_reason"));
    this.#usage = field(json, "usage") ?? undefined;
    const out: Delta[] = [];
    for (const [index, block] of listField(json, "content").entries()) this.#block(block, index, out);
    return out;
  }

  event(name: string | undefined, data: string): readonly Delta[] {
    const event = parseJsonValue(data);
    if (typeof event !== "object" || event === null || Array.isArray(event)) {
      // Some compatible servers end with OpenAI's mark.
      if (data !== "[DONE]") this.tally.invalidEvents++;
      return NO_DELTAS;
    }
    const index = field(event, "index");
    const at = typeof index === "number" && Number.isSafeInteger(index) && index >= 0 ? index : 0;
    switch (textField(event, "type") || name) {
      case "message_start":
        this.#start(field(event, "message"));
        return NO_DELTAS;
      case "content_block_start":
        return this.#startBlock(event, at);
      case "content_block_delta":
        return this.#delta(field(event, "delta"), at);
      case "content_block_stop":
        this.#open.delete(at);
        return NO_DELTAS;
      case "message_delta":
        this.#messageDelta(event);
        return NO_DELTAS;
      case "message_stop":
        this.tally.complete = true;
        return NO_DELTAS;
      case "ping":
        return NO_DELTAS;
      case "error":
        if (!this.tally.readError(event)) this.tally.failed("error");
        return NO_DELTAS;
      default:
        this.tally.unknownEvents++;
        return NO_DELTAS;
    }
  }

  /**
   * At a length: every open block is stopped, then stop reason `max_tokens` with the usage so far (as last reported: Anthropic's
   * own figure at the start of a message is an estimate of a few tokens), then the end. A tool call whose input is half there is
   * stopped as well, as Anthropic does at `max_tokens`; its SDK then gives the members of the input that are whole.
   */
  tail(reason: TailReason): string {
    if (this.tally.complete) return "";
    if (reason.kind === "error") return sseEvent("error", anthropicErrorBody(reason.denial, reason.requestId));
    let text = this.#begun ? "" : sseEvent("message_start", { type: "message_start", message: this.#emptyMessage() });
    for (const index of [...this.#open].sort((a, b) => a - b))
      text += sseEvent("content_block_stop", { type: "content_block_stop", index });
    if (!this.#stopped) {
      const delta = { stop_reason: "max_tokens", stop_sequence: null };
      text += sseEvent("message_delta", { type: "message_delta", delta, usage: this.#usageSoFar() });
    }
    return text + sseEvent("message_stop", { type: "message_stop" });
  }

  #start(message: Json | undefined): void {
    this.#begun = true;
    this.tally.answeredBy(field(message, "model"), field(message, "id"));
    this.#usage = mergeUsage(this.#usage, field(message, "usage"));
  }

  #messageDelta(event: Json): void {
    const reason = field(field(event, "delta"), "stop_reason");
    if (typeof reason === "string") {
      this.#stopped = true;
      this.tally.finished(reason);
    }
    this.#usage = mergeUsage(this.#usage, field(event, "usage"));
  }

  #startBlock(event: Json, index: number): readonly Delta[] {
    if (this.#open.size >= BLOCKS_MAX) {
      this.tally.unknownEvents++;
      return NO_DELTAS;
    }
    this.#open.add(index);
    const out: Delta[] = [];
    this.#block(field(event, "content_block"), index, out);
    return out;
  }

  #delta(delta: Json | undefined, block: number): readonly Delta[] {
    const type = textField(delta, "type");
    const rule = DELTA_TEXTS.get(type);
    if (rule === undefined) {
      if (!DELTA_TEXTS.has(type)) this.tally.unknownEvents++;
      return NO_DELTAS;
    }
    const [channel, key] = rule;
    const text = textField(delta, key);
    return text === "" ? NO_DELTAS : [{ choice: 0, block, channel, text }];
  }

  /** A whole block, or the start of one; a start has its text too where a server does not stream it. */
  #block(block: Json | undefined, index: number, out: Delta[]): void {
    const type = textField(block, "type");
    const add = (channel: Delta["channel"], text: string): void => {
      if (text !== "") out.push({ choice: 0, block: index, channel, text });
    };
    if (type.endsWith("tool_use")) {
      this.tally.calledTool(field(block, "name"));
      const input = field(block, "input");
      // A stream starts with an empty object.
      if (typeof input === "object" && input !== null && Object.keys(input).length > 0) {
        if (isRewritable(input)) add("tool_arguments", JSON.stringify(input));
        else this.tally.invalidEvents++;
      }
    } else if (type === "text") add("content", textField(block, "text"));
    else if (type === "thinking") add("reasoning", textField(block, "thinking"));
    else if (type === "compaction") add("content", textField(block, "content"));
  }

  #usageSoFar(): Json {
    const known = typeof this.#usage === "object" && this.#usage !== null && !Array.isArray(this.#usage) ? this.#usage : {};
    const figures: Record<string, Json> = { output_tokens: 0 };
    for (const key of CUMULATIVE_FIGURES) {
      const value = field(known, key);
      if (typeof value === "number") figures[key] = value;
    }
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

const CUMULATIVE_FIGURES = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"] as const;
