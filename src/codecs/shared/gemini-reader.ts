import type { AnswerContext, AnswerReader, Frame, FrameSteps, TailReason } from "../../core/codec.ts";
import { decodeSteps } from "../../core/json.ts";
import { YIELD_CHARS } from "../../core/limits.ts";
import type { Steps } from "../../core/slice.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerSummary } from "../../core/view.ts";
import { openReader, unreadFrame } from "./answer-reader.ts";
import { GeminiAnswer } from "./gemini-answer.ts";
import { geminiError } from "./gemini-error.ts";
import { type ArrayPiece, JsonArraySplitter } from "./json-array.ts";
import { cutsOf, readAhead } from "./read-steps.ts";
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
  /** What must stand before one more element, after what was given out. */
  #prefix: string | undefined = "[";
  /** Bytes that nobody reads were seen: not JSON at all, or behind the end. */
  #foreign = 0;

  constructor(context: AnswerContext) {
    this.#answer = new GeminiAnswer(context);
  }

  push(chunk: Uint8Array): readonly Frame[] {
    return this.#splitter.push(chunk).map((piece) => this.#frame(piece));
  }
  pushSteps(chunk: Uint8Array | undefined): FrameSteps | undefined {
    return chunk !== undefined && this.#splitter.isMuch(chunk.length) ? this.#steps(chunk) : undefined;
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
    const prefix = this.#prefix;
    if (prefix === undefined) return NO_BYTES;
    if (reason.kind !== "error" && this.#answer.finished && prefix !== "") return encoder.encode("\n]");
    return encoder.encode(`${prefix}${this.#answer.lastChunk(reason)}\n]`);
  }

  *#steps(chunk: Uint8Array): FrameSteps {
    for (const cut of cutsOf(chunk)) {
      for (const piece of this.#splitter.push(cut))
        yield piece.bytes.length > YIELD_CHARS && isRead(piece) ? yield* this.#largeFrame(piece) : this.#frame(piece);
      yield;
    }
  }

  *#largeFrame(piece: ArrayPiece): Steps<Frame> {
    const text = yield* decodeSteps(piece.bytes.subarray(piece.textAt));
    yield* readAhead(this.#answer.texts, text);
    this.#read(piece, text);
    yield* this.#answer.texts.prepareFrame();
    return this.#framed(piece);
  }

  #frame(piece: ArrayPiece): Frame {
    const { kind, bytes, textAt } = piece;
    if (isRead(piece)) {
      this.#read(piece, Buffer.from(bytes.buffer, bytes.byteOffset + textAt, bytes.length - textAt).toString("utf8"));
      return this.#framed(piece);
    }
    const { tally, texts } = this.#answer;
    this.#prefix = piece.prefix;
    if (kind === "end") tally.complete = true;
    else if (kind === "other" && !isBlank(bytes)) this.#foreign = 1;
    if (kind === "end") texts.endAll();
    return kind === "end" || kind === "separator" || isBlank(bytes) ? texts.frame(bytes, undefined) : unreadFrame(texts, bytes);
  }

  #read({ kind, prefix }: ArrayPiece, text: string): void {
    const { tally } = this.#answer;
    this.#prefix = prefix;
    const invalid = tally.invalidEvents;
    this.#answer.event(undefined, text);
    // Only the closing bracket ends an array; a body that is one value is whole as it stands.
    tally.complete = kind === "single" && tally.invalidEvents === invalid;
  }

  #framed({ bytes, textAt }: ArrayPiece): Frame {
    const { tally, texts } = this.#answer;
    const write = (changed: string): Uint8Array => Buffer.concat([bytes.subarray(0, textAt), Buffer.from(changed)]);
    const frame = texts.frame(bytes, texts.guarded ? write : undefined);
    tally.count(frame.deltas);
    return frame;
  }
}

const isRead = ({ kind }: ArrayPiece): boolean => kind === "element" || kind === "single";
const isBlank = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09);
