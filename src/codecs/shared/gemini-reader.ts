import type { AnswerContext, AnswerReader, Frame, TailReason } from "../../core/codec.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerSummary } from "../../core/view.ts";
import { openReader, unreadFrame } from "./answer-reader.ts";
import { GeminiAnswer } from "./gemini-answer.ts";
import { geminiError } from "./gemini-error.ts";
import { type ArrayPiece, JsonArraySplitter } from "./json-array.ts";
import { SniffingReader } from "./sniffing-reader.ts";

/** Opens the reader of a GenerateContentResponse in whichever framing: one body, an array over time, or events. */
export function openGeminiAnswer(context: AnswerContext): AnswerReader {
  const isArray = context.view.framing === "json-array" && !context.contentType.toLowerCase().includes("text/event-stream");
  if (isArray) return new ArrayReader(context);
  return new SniffingReader(context, (sniffed) => openReader(sniffed, new GeminiAnswer(sniffed), geminiErrorBody));
}

/** An error in place of a body that was held back; a body cannot be cut to a length. */
export function geminiErrorBody(reason: TailReason): string {
  return reason.kind !== "error" ? "" : JSON.stringify(geminiError(reason.denial, reason.requestId));
}

const encoder = new TextEncoder();
const NO_BYTES = new Uint8Array(0);

/** Reads the array form of a stream; also the single error object that some errors come as. */
class ArrayReader implements AnswerReader {
  readonly #answer: GeminiAnswer;
  readonly #splitter = new JsonArraySplitter();
  /** Bytes that nobody reads were seen: not JSON at all, or behind the end. */
  #foreign = 0;

  constructor(context: AnswerContext) {
    this.#answer = new GeminiAnswer(context);
  }

  push(chunk: Uint8Array): readonly Frame[] {
    return this.#splitter.push(chunk).map((piece) => this.#frame(piece));
  }
  end(): readonly Frame[] {
    return [...this.#splitter.end().map((piece) => this.#frame(piece)), ...this.#answer.texts.last()];
  }
  usage(): Usage | undefined {
    return this.#answer.usage();
  }
  summary(): AnswerSummary {
    const summary = this.#answer.tally.summary();
    return { ...summary, invalidEvents: summary.invalidEvents + this.#splitter.oversized + this.#foreign };
  }
  tail(reason: TailReason): Uint8Array {
    const prefix = this.#splitter.prefix;
    if (prefix === undefined) return NO_BYTES;
    if (reason.kind !== "error" && this.#answer.finished && prefix !== "") return encoder.encode("\n]");
    return encoder.encode(`${prefix}${this.#answer.lastChunk(reason)}\n]`);
  }

  #frame({ kind, bytes, text, textAt }: ArrayPiece): Frame {
    const { tally, texts } = this.#answer;
    if (text === undefined) {
      if (kind === "end") tally.complete = true;
      else if (kind === "other" && !isBlank(bytes)) this.#foreign = 1;
      if (kind === "end") texts.endAll();
      return kind === "end" || kind === "separator" || isBlank(bytes) ? texts.frame(bytes, undefined) : unreadFrame(texts, bytes);
    }
    const invalid = tally.invalidEvents;
    this.#answer.event(undefined, text);
    // Only the closing bracket ends an array; a body that is one value is whole as it stands.
    tally.complete = kind === "single" && tally.invalidEvents === invalid;
    const write = (changed: string): Uint8Array => Buffer.concat([bytes.subarray(0, textAt), Buffer.from(changed)]);
    const frame = texts.frame(bytes, texts.guarded ? write : undefined);
    tally.count(frame.deltas);
    return frame;
  }
}

const isBlank = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09);
