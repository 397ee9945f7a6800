import type { AnswerContext, TailReason } from "../../core/codec.ts";
import { field, type Json } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerMapper } from "./answer-reader.ts";
import { AnswerTally, isRewritable, listField, sseEvent, textField } from "./answer-tally.ts";
import { AnswerTexts, beginEvent, silentAnd } from "./answer-texts.ts";
import { cohereUsage, cohereUsageOf } from "./cohere-usage.ts";
import { cohereErrorEvent, contentBlock, contentDelta, messageEnd, messageStart } from "./said-cohere.ts";

/** Most blocks followed; real answers have a few. Later ones pass on unread and count as unknown. */
const BLOCKS_MAX = 10_000;

/** Block of the plan for tools, which stands beside the content and its numbers. */
const PLAN_BLOCK = BLOCKS_MAX;
/** Members that are read, or hold no text, by where they stand. */
const KEYS = {
  body: silentAnd(
    "message",
    "usage",
    "meta",
    "finish_reason",
    "logprobs",
    "model",
    "generation_id",
    "embeddings",
    "response_type",
    "texts",
  ),
  event: silentAnd("delta", "logprobs"),
  delta: silentAnd("message", "usage", "finish_reason", "code"),
  message: silentAnd("content", "tool_plan", "tool_calls"),
  part: silentAnd("text", "thinking"),
  call: silentAnd("function"),
  called: silentAnd("name", "arguments"),
};

/** Members of a message with more in them, and which of them each event is read for. */
const STRUCTURES = ["content", "tool_plan", "tool_calls"] as const;
const READS: ReadonlyMap<string, string> = new Map([
  ["content-start", "content"],
  ["content-delta", "content"],
  ["tool-plan-delta", "tool_plan"],
  ["tool-call-start", "tool_calls"],
  ["tool-call-delta", "tool_calls"],
]);

/**
 * Reads answers of version 2 (chat whole or as events), and of embed and rerank of both versions, whose vectors are no text. Citations and
 * their sources stand beside the block.
 */
export class CohereAnswer implements AnswerMapper {
  readonly tally = new AnswerTally();
  readonly texts: AnswerTexts;
  readonly #status: number;
  #usageJson: Json | undefined;
  #begun = false;
  #nextBlock = 0;
  /** Events that close what is open, by what opened it. */
  readonly #open = new Map<string, Json>();
  /** The open block of text. */
  #textBlock: number | undefined;

  constructor(context: AnswerContext) {
    this.#status = context.status;
    this.texts = new AnswerTexts(context);
  }

  usage(): Usage | undefined {
    return cohereUsage(this.#usageJson);
  }

  body(json: Json): void {
    this.tally.complete = true;
    if (this.#status >= 400) {
      // An error's message is a text; an answer's is what holds them.
      this.texts.walk(0, 0, json);
      this.tally.failed("error");
      return;
    }
    this.texts.walk(0, 0, json, KEYS.body);
    this.texts.echo(json, "texts");
    this.tally.answeredBy(field(json, "model"), field(json, "id") ?? field(json, "generation_id"));
    this.tally.finished(field(json, "finish_reason"));
    this.#usageJson = field(json, "usage") ?? field(json, "meta");
    const message = field(json, "message");
    for (const [block, part] of listField(message, "content").entries()) this.#content(part, block);
    this.texts.add(0, PLAN_BLOCK, "reasoning", message, "tool_plan");
    for (const [block, call] of listField(message, "tool_calls").entries()) this.#call(call, block);
    this.texts.walk(0, 0, message, KEYS.message);
    // An error that came with status 200.
    this.texts.beside(0, 0, "content", json, "message");
    this.texts.erase(0, message, "citations", "[]");
    this.texts.erase(0, json, "logprobs", "nothing");
  }

  event(name: string | undefined, data: string): void {
    if (data === "[DONE]") {
      this.texts.endAll();
      return;
    }
    const event = beginEvent(this, data);
    if (event === undefined) return;
    const at = field(event, "index");
    const index = typeof at === "number" && Number.isSafeInteger(at) && at >= 0 ? at : 0;
    const delta = field(event, "delta");
    const message = field(delta, "message");
    const type = textField(event, "type") || name || "";
    this.#step(type, index, event, message);
    for (const key of STRUCTURES) if (READS.get(type) !== key) this.texts.other(0, index, message, key);
    this.texts.beside(0, index, "content", event, "delta");
    this.texts.beside(0, index, "content", delta, "message");
    this.texts.walk(0, index, event, KEYS.event);
    this.texts.walk(0, index, delta, KEYS.delta);
    this.texts.walk(0, index, message, KEYS.message);
    this.texts.erase(0, event, "logprobs", "nothing", index);
  }

  #step(type: string | undefined, index: number, event: Json, message: Json | undefined): void {
    switch (type) {
      case "message-start":
        this.#begun = true;
        this.tally.answeredBy(undefined, field(event, "id"));
        return;
      case "content-start":
        this.#opened(`content-${index}`, { type: "content-end", index });
        this.#nextBlock = Math.max(this.#nextBlock, index + 1);
        if (field(field(message, "content"), "type") !== "thinking") this.#textBlock = index;
        this.#content(field(message, "content"), index);
        return;
      case "content-delta":
        this.#content(field(message, "content"), index);
        return;
      case "content-end":
        this.#open.delete(`content-${index}`);
        if (this.#textBlock === index) this.#textBlock = undefined;
        for (const channel of ["content", "reasoning"] as const) this.texts.end(0, index, channel);
        return;
      case "tool-plan-delta":
        this.texts.add(0, PLAN_BLOCK, "reasoning", message, "tool_plan");
        return;
      case "tool-call-start":
        this.#opened(`tool-${index}`, { type: "tool-call-end", index });
        this.texts.end(0, PLAN_BLOCK);
        this.#call(field(message, "tool_calls"), index);
        return;
      case "tool-call-delta":
        this.#call(field(message, "tool_calls"), index);
        return;
      case "tool-call-end":
        this.#open.delete(`tool-${index}`);
        this.texts.end(0, index, "tool_arguments");
        return;
      case "message-end":
        this.#ended(field(event, "delta"));
        this.texts.endAll();
        return;
      case "citation-start":
      case "citation-end":
      case "debug":
        return;
      default:
        this.tally.unknownEvents++;
    }
  }

  /**
   * What is open is closed, then the message, with the usage so far. What is said instead of the rest goes into the open text, or a block of
   * its own. Cohere has no reason of its own for filtered answers; `ERROR` is the one that says that the text is not all there is.
   */
  tail(reason: TailReason): string {
    if (this.tally.complete) return "";
    if (reason.kind === "error") return cohereErrorEvent(reason.denial, reason.requestId);
    let text = this.#begun ? "" : messageStart("not-begun");
    let said = reason.kind === "filtered" ? (reason.text ?? "") : "";
    if (said !== "" && this.#textBlock !== undefined) {
      text += contentDelta(this.#textBlock, said);
      said = "";
    }
    for (const closing of this.#open.values()) text += sseEvent(textField(closing, "type"), closing);
    if (said !== "") text += contentBlock(this.#nextBlock, said);
    const known = this.#usageJson !== undefined && isRewritable(this.#usageJson) ? this.#usageJson : cohereUsageOf(reason.usage);
    const usage = known === undefined ? {} : { usage: known };
    return text + messageEnd(reason.kind === "length" ? "MAX_TOKENS" : "ERROR", usage);
  }

  /** A content part, whole or in pieces; thinking has a member of its own. */
  #content(part: Json | undefined, block: number): void {
    this.texts.add(0, block, "reasoning", part, "thinking");
    this.texts.add(0, block, "content", part, "text");
    this.texts.walk(0, block, part, KEYS.part);
  }

  #opened(key: string, closing: Json): void {
    if (this.#open.size >= BLOCKS_MAX) this.tally.unknownEvents++;
    else this.#open.set(key, closing);
  }

  #call(call: Json | undefined, block: number): void {
    const called = field(call, "function");
    this.texts.readAsCall(call);
    if (field(called, "name") !== undefined) {
      this.tally.calledTool(field(called, "name"));
      this.texts.call(0, block, textField(called, "name"), textField(call, "id"));
    }
    this.texts.add(0, block, "tool_arguments", called, "arguments");
    this.texts.walk(0, block, called, KEYS.called);
    this.texts.walk(0, block, call, KEYS.call);
  }

  #ended(delta: Json | undefined): void {
    const reason = field(delta, "finish_reason");
    this.tally.complete = true;
    this.tally.finished(reason);
    if (field(delta, "error") !== undefined || reason === "ERROR") this.tally.failed(reason ?? "error");
    this.#usageJson = field(delta, "usage") ?? this.#usageJson;
  }
}
