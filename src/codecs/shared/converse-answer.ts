import type { AnswerContext, TailReason } from "../../core/codec.ts";
import { field, isJsonObject, type Json } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import { AnswerTally, isRewritable, listField, textField } from "./answer-tally.ts";
import { AnswerTexts, silentAnd } from "./answer-texts.ts";
import { jsonEvent } from "./aws-eventstream.ts";
import { bedrockException, type EventMapper } from "./bedrock-stream.ts";
import { converseFigures, converseUsage } from "./converse-usage.ts";

/** Most blocks followed; real answers have tens. Later ones pass on unread and count as unknown. */
const BLOCKS_MAX = 10_000;
const NO_BYTES = new Uint8Array(0);
/** Members that are read, or hold no text, by where they stand; `p` is padding. */
const KEYS = {
  output: silentAnd("message"),
  message: silentAnd("content"),
  start: silentAnd("toolUse", "toolResult"),
  body: silentAnd("output", "stopReason", "usage", "metrics", "performanceConfig", "serviceTier"),
  event: silentAnd("contentBlockIndex", "start", "delta", "stopReason", "usage", "metrics", "performanceConfig", "serviceTier", "p"),
  toolUse: silentAnd("toolUseId", "name", "input"),
  reasoning: silentAnd("text", "redactedContent"),
  block: silentAnd("text", "reasoningContent", "toolUse", "toolResult", "citationsContent"),
  text: silentAnd("text"),
  content: silentAnd("content", "toolUseId"),
};

/**
 * Reads an answer of Converse, whole or as events. The last event is `metadata`, behind `messageStop`. What a guardrail reports of the
 * answer (`trace`), citations and whatever is new stands beside the block, or beside block 0.
 */
export class ConverseAnswer implements EventMapper {
  readonly tally = new AnswerTally();
  readonly texts: AnswerTexts;
  readonly #status: number;
  /** Blocks that are open, and whether they are text. */
  readonly #open = new Map<number, boolean>();
  #nextBlock = 0;
  #begun = false;
  #stopped = false;
  #usage: Json | undefined;

  constructor(context: AnswerContext, texts: AnswerTexts = new AnswerTexts(context)) {
    this.#status = context.status;
    this.texts = texts;
  }

  usage(): Usage | undefined {
    return converseUsage(this.#usage);
  }

  body(json: Json): void {
    this.tally.complete = true;
    this.texts.walk(0, 0, json, KEYS.body);
    if (this.#status >= 400) {
      this.tally.failed("error");
      return;
    }
    this.tally.finished(field(json, "stopReason"));
    this.#usage = field(json, "usage") ?? undefined;
    this.#servedIn(json);
    const output = field(json, "output");
    const message = field(output, "message");
    this.texts.walk(0, 0, output, KEYS.output);
    this.texts.walk(0, 0, message, KEYS.message);
    for (const [block, content] of listField(message, "content").entries()) this.#block(content, block);
  }

  /** A low latency is billed like a tier. */
  #servedIn(json: Json): void {
    this.tally.servedIn(field(field(json, "serviceTier"), "type"));
    if (textField(field(json, "performanceConfig"), "latency") === "optimized") this.tally.servedIn("optimized");
  }

  event(type: string, event: Json): void {
    if (!isJsonObject(event)) {
      this.tally.invalidEvents++;
      this.texts.unread(JSON.stringify(event));
      return;
    }
    const at = field(event, "contentBlockIndex");
    const block = typeof at === "number" && Number.isSafeInteger(at) && at >= 0 ? at : 0;
    this.texts.walk(0, block, event, KEYS.event);
    if (type !== "contentBlockStart") this.texts.other(0, block, event, "start");
    if (type !== "contentBlockDelta") this.texts.other(0, block, event, "delta");
    switch (type) {
      case "messageStart":
        this.#begun = true;
        break;
      case "contentBlockStart":
        this.#opened(block, false);
        this.#started(field(event, "start"), block);
        break;
      case "contentBlockDelta":
        // Blocks of text have no start of their own.
        this.#opened(block, textField(field(event, "delta"), "text") !== "");
        this.#delta(field(event, "delta"), block);
        break;
      case "contentBlockStop":
        this.#open.delete(block);
        this.texts.end(0, block);
        break;
      case "messageStop":
        this.#stopped = true;
        this.tally.finished(field(event, "stopReason"));
        break;
      case "metadata":
        this.#usage = field(event, "usage") ?? this.#usage;
        this.#servedIn(event);
        this.tally.complete = true;
        this.texts.endAll();
        break;
      default:
        this.tally.unknownEvents++;
    }
  }

  exception(type: string): void {
    this.tally.failed(type);
  }

  /**
   * Open blocks are stopped, then the message, then its figures as far as they are known. What is said instead of the rest goes into
   * the open text, or a block of its own; a filtered end is that of Bedrock's own guardrails.
   */
  tail(reason: TailReason): Uint8Array {
    if (this.tally.complete) return NO_BYTES;
    if (reason.kind === "error") return bedrockException(reason.denial, reason.requestId);
    const events = this.endEvents(reason);
    return Buffer.concat(events.map(([type, payload]) => jsonEvent(type, JSON.stringify(payload))));
  }

  /** The events of a tail, by their types. */
  endEvents(reason: Exclude<TailReason, { kind: "error" }>): readonly (readonly [string, Json])[] {
    const events: [string, Json][] = [];
    if (!this.#begun) events.push(["messageStart", { role: "assistant" }]);
    if (!this.#stopped) {
      let said = reason.kind === "filtered" ? (reason.text ?? "") : "";
      const say = (contentBlockIndex: number): void => {
        if (said !== "") events.push(["contentBlockDelta", { contentBlockIndex, delta: { text: said } }]);
        said = "";
      };
      for (const [contentBlockIndex, isText] of [...this.#open].sort(([a], [b]) => a - b)) {
        if (isText) say(contentBlockIndex);
        events.push(["contentBlockStop", { contentBlockIndex }]);
      }
      if (said !== "") {
        say(this.#nextBlock);
        events.push(["contentBlockStop", { contentBlockIndex: this.#nextBlock }]);
      }
      events.push(["messageStop", { stopReason: reason.kind === "length" ? "max_tokens" : "guardrail_intervened" }]);
    }
    const known = this.#usage !== undefined && isRewritable(this.#usage) ? this.#usage : converseFigures(reason.usage);
    events.push(["metadata", { usage: known, metrics: { latencyMs: 0 } }]);
    return events;
  }

  #opened(block: number, isText: boolean): void {
    this.#nextBlock = Math.max(this.#nextBlock, block + 1);
    if (this.#open.has(block)) return;
    if (this.#open.size >= BLOCKS_MAX) this.tally.unknownEvents++;
    else this.#open.set(block, isText);
  }

  #started(start: Json | undefined, block: number): void {
    this.#toolUse(field(start, "toolUse"), block);
    this.texts.walk(0, block, start, KEYS.start);
    this.texts.walk(0, block, field(start, "toolResult"), KEYS.content);
  }

  #toolUse(tool: Json | undefined, block: number): void {
    if (tool === undefined || tool === null) return;
    const { texts } = this;
    texts.readAsCall(tool);
    if (field(tool, "name") !== undefined) {
      this.tally.calledTool(field(tool, "name"));
      texts.call(0, block, textField(tool, "name"), textField(tool, "toolUseId"));
    }
    if (typeof field(tool, "input") === "string") texts.add(0, block, "tool_arguments", tool, "input");
    else if (!texts.addValue(0, block, "tool_arguments", tool, "input")) this.tally.invalidEvents++;
    texts.walk(0, block, tool, KEYS.toolUse);
  }

  #delta(delta: Json | undefined, block: number): void {
    const { texts } = this;
    texts.add(0, block, "content", delta, "text");
    const reasoning = field(delta, "reasoningContent");
    // Its signature comes last.
    texts.add(0, block, "reasoning", reasoning, "text", "signed");
    texts.walk(0, block, reasoning, KEYS.reasoning);
    this.#toolUse(field(delta, "toolUse"), block);
    texts.opaque(field(delta, "toolResult"));
    this.#result(field(delta, "toolResult"), block);
    texts.walk(0, block, field(delta, "citationsContent"));
    this.#rest(delta, block);
  }

  /** A block of a whole answer. */
  #block(content: Json, block: number): void {
    const { texts } = this;
    texts.add(0, block, "content", content, "text");
    const reasoning = field(content, "reasoningContent");
    const thought = field(reasoning, "reasoningText");
    texts.add(0, block, "reasoning", thought, "text", textField(thought, "signature") === "" ? undefined : "signed");
    texts.walk(0, block, thought, KEYS.text);
    texts.walk(0, block, reasoning, KEYS_OF_THOUGHT);
    this.#toolUse(field(content, "toolUse"), block);
    const cited = field(content, "citationsContent");
    this.#result(field(cited, "content"), block);
    texts.walk(0, block, cited, KEYS.content);
    texts.erase(0, cited, "citations", "[]", block);
    const result = field(content, "toolResult");
    texts.opaque(result);
    this.#result(field(result, "content"), block);
    texts.walk(0, block, result, KEYS.content);
    this.#rest(content, block);
  }

  /** Parts of a tool's result, or of a cited text. */
  #result(parts: Json | undefined, block: number): void {
    if (!Array.isArray(parts)) {
      this.texts.walk(0, block, parts);
      return;
    }
    for (const part of parts) {
      this.texts.add(0, block, "content", part, "text");
      this.texts.walk(0, block, part, KEYS.text);
    }
  }

  #rest(block: Json | undefined, index: number): void {
    this.texts.walk(0, index, block, KEYS.block);
  }
}
const KEYS_OF_THOUGHT = silentAnd("reasoningText", "redactedContent");
