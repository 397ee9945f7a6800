import type { TailReason } from "../../core/codec.ts";
import { field, isJsonObject, type Json } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import type { Delta } from "../../core/view.ts";
import { AnswerTally, isRewritable, listField, textField } from "./answer-tally.ts";
import { jsonEvent } from "./aws-eventstream.ts";
import { bedrockException, type EventMapper } from "./bedrock-stream.ts";
import { converseUsage } from "./converse-usage.ts";

/** Most blocks followed; real answers have tens. Later ones pass on unread and count as unknown. */
const BLOCKS_MAX = 10_000;
const NO_DELTAS: readonly Delta[] = [];
const NO_BYTES = new Uint8Array(0);

/** Reads an answer of Converse, whole or as events. The last event is `metadata`, behind `messageStop`. */
export class ConverseAnswer implements EventMapper {
  readonly tally = new AnswerTally();
  readonly #status: number;
  readonly #open = new Set<number>();
  #begun = false;
  #stopped = false;
  #usage: Json | undefined;

  constructor(status: number) {
    this.#status = status;
  }

  usage(): Usage | undefined {
    return converseUsage(this.#usage);
  }

  body(json: Json): readonly Delta[] {
    this.tally.complete = true;
    if (this.#status >= 400) {
      this.tally.failed("error");
      return NO_DELTAS;
    }
    this.tally.finished(field(json, "stopReason"));
    this.#usage = field(json, "usage") ?? undefined;
    const out: Delta[] = [];
    for (const [block, content] of listField(field(field(json, "output"), "message"), "content").entries())
      this.#block(content, block, out);
    return out;
  }

  event(type: string, event: Json): readonly Delta[] {
    if (!isJsonObject(event)) {
      this.tally.invalidEvents++;
      return NO_DELTAS;
    }
    const at = field(event, "contentBlockIndex");
    const block = typeof at === "number" && Number.isSafeInteger(at) && at >= 0 ? at : 0;
    const out: Delta[] = [];
    switch (type) {
      case "messageStart":
        this.#begun = true;
        break;
      case "contentBlockStart":
        this.#opened(block);
        this.#started(field(event, "start"), block, out);
        break;
      case "contentBlockDelta":
        // Blocks of text have no start of their own.
        this.#opened(block);
        this.#delta(field(event, "delta"), block, out);
        break;
      case "contentBlockStop":
        this.#open.delete(block);
        break;
      case "messageStop":
        this.#stopped = true;
        this.tally.finished(field(event, "stopReason"));
        break;
      case "metadata":
        this.#usage = field(event, "usage") ?? this.#usage;
        this.tally.complete = true;
        break;
      default:
        this.tally.unknownEvents++;
    }
    return out;
  }

  exception(type: string): void {
    this.tally.failed(type);
  }

  /** At a length: open blocks are stopped, then the message, then its figures as far as they are known. */
  tail(reason: TailReason): Uint8Array {
    if (this.tally.complete) return NO_BYTES;
    if (reason.kind === "error") return bedrockException(reason.denial, reason.requestId);
    const frames: Uint8Array[] = [];
    const add = (type: string, payload: Json): void => {
      frames.push(jsonEvent(type, JSON.stringify(payload)));
    };
    if (!this.#begun) add("messageStart", { role: "assistant" });
    if (!this.#stopped) {
      for (const contentBlockIndex of [...this.#open].sort((a, b) => a - b)) add("contentBlockStop", { contentBlockIndex });
      add("messageStop", { stopReason: "max_tokens" });
    }
    const known =
      this.#usage !== undefined && isRewritable(this.#usage) ? this.#usage : { inputTokens: 0, outputTokens: 0, totalTokens: 0 };
    add("metadata", { usage: known, metrics: { latencyMs: 0 } });
    return Buffer.concat(frames);
  }

  #opened(block: number): void {
    if (this.#open.has(block)) return;
    if (this.#open.size >= BLOCKS_MAX) this.tally.unknownEvents++;
    else this.#open.add(block);
  }

  #started(start: Json | undefined, block: number, out: Delta[]): void {
    const tool = field(start, "toolUse");
    if (tool === undefined) return;
    this.tally.calledTool(field(tool, "name"));
    this.#input(field(tool, "input"), block, out);
  }

  #delta(delta: Json | undefined, block: number, out: Delta[]): void {
    add(out, block, "content", textField(delta, "text"));
    add(out, block, "reasoning", textField(field(delta, "reasoningContent"), "text"));
    add(out, block, "tool_arguments", textField(field(delta, "toolUse"), "input"));
    for (const result of listField(delta, "toolResult")) add(out, block, "content", textField(result, "text"));
  }

  /** A block of a whole answer. */
  #block(content: Json, block: number, out: Delta[]): void {
    add(out, block, "content", textField(content, "text"));
    add(out, block, "reasoning", textField(field(field(content, "reasoningContent"), "reasoningText"), "text"));
    const tool = field(content, "toolUse");
    if (tool !== undefined) {
      this.tally.calledTool(field(tool, "name"));
      this.#input(field(tool, "input"), block, out);
    }
    for (const part of listField(field(content, "citationsContent"), "content")) add(out, block, "content", textField(part, "text"));
    for (const part of listField(field(content, "toolResult"), "content")) add(out, block, "content", textField(part, "text"));
  }

  #input(input: Json | undefined, block: number, out: Delta[]): void {
    if (input === undefined) return;
    if (typeof input === "string") add(out, block, "tool_arguments", input);
    else if (isRewritable(input)) add(out, block, "tool_arguments", JSON.stringify(input));
    else this.tally.invalidEvents++;
  }
}

function add(out: Delta[], block: number, channel: Delta["channel"], text: string): void {
  if (text !== "") out.push({ choice: 0, block, channel, text });
}
