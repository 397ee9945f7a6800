import type { AnswerReader, Frame, FrameSteps, TailReason } from "../../core/codec.ts";
import { decodeSteps } from "../../core/json.ts";
import { SSE_EVENT_BYTES_MAX, YIELD_CHARS } from "../../core/limits.ts";
import { isStepDone, type Steps } from "../../core/slice.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerSummary } from "../../core/view.ts";
import { type AnswerMapper, unreadFrame } from "./answer-reader.ts";
import { readAhead } from "./read-steps.ts";

const LF = 0x0a;
const NO_BYTES = new Uint8Array(0);

/**
 * Reads a stream of one JSON object a line (`application/stream+json`, `application/x-ndjson`). Each line is a frame with its exact bytes;
 * a line past `SSE_EVENT_BYTES_MAX` passes unread, as it comes. The mapper's tail is whole lines.
 */
export class LineReader implements AnswerReader {
  readonly #mapper: AnswerMapper;
  /** Pieces of the line that is not whole yet. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #skipping = false;
  #oversized = 0;

  constructor(mapper: AnswerMapper) {
    this.#mapper = mapper;
  }

  push(chunk: Uint8Array): readonly Frame[] {
    return framesOf(this.#steps(chunk));
  }
  pushSteps(chunk: Uint8Array | undefined): FrameSteps | undefined {
    if (this.#heldBytes + (chunk?.length ?? 0) <= YIELD_CHARS) return undefined;
    return chunk === undefined ? this.#endSteps() : this.#steps(chunk);
  }
  end(): readonly Frame[] {
    return framesOf(this.#endSteps());
  }

  usage(): Usage | undefined {
    return this.#mapper.usage();
  }
  summary(): AnswerSummary {
    const summary = this.#mapper.tally.summary();
    return { ...summary, invalidEvents: summary.invalidEvents + this.#oversized };
  }
  tail(reason: TailReason): Uint8Array {
    const text = this.#mapper.tail(reason);
    this.#held = [];
    this.#heldBytes = 0;
    if (text === "") return NO_BYTES;
    return new TextEncoder().encode(this.#skipping ? `\n${text}` : text);
  }

  *#steps(chunk: Uint8Array): FrameSteps {
    for (let at = 0, line = 1; at < chunk.length; line++) {
      if (isStepDone(line)) yield;
      const end = chunk.indexOf(LF, at);
      const next = end === -1 ? chunk.length : end + 1;
      yield* this.#take(chunk.subarray(at, next), end !== -1);
      at = next;
    }
  }

  *#endSteps(): FrameSteps {
    if (this.#heldBytes > 0) yield yield* this.#read();
    yield* this.#mapper.texts.last();
  }

  *#take(piece: Uint8Array, whole: boolean): FrameSteps {
    if (this.#skipping) {
      this.#skipping = !whole;
      yield unreadFrame(this.#mapper.texts, piece);
      return;
    }
    this.#held.push(piece);
    this.#heldBytes += piece.length;
    if (this.#heldBytes > SSE_EVENT_BYTES_MAX) {
      this.#oversized++;
      this.#skipping = !whole;
      for (const bytes of this.#release()) yield unreadFrame(this.#mapper.texts, bytes);
    } else if (whole) yield yield* this.#read();
  }

  #release(): readonly Uint8Array[] {
    const pieces = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    return pieces;
  }

  *#read(): Steps<Frame> {
    const bytes = Buffer.concat(this.#release());
    const isLarge = bytes.length > YIELD_CHARS;
    const line = isLarge ? yield* decodeSteps(bytes) : bytes.toString("utf8");
    const text = line.trim();
    if (text === "") return { bytes, deltas: [] };
    const { texts, tally } = this.#mapper;
    if (isLarge) yield* readAhead(texts, text);
    this.#mapper.event(undefined, text);
    if (isLarge) yield* texts.prepareFrame();
    const frame = texts.frame(bytes, texts.guarded ? (changed) => Buffer.from(line.replace(text, () => changed)) : undefined);
    tally.count(frame.deltas);
    return frame;
  }
}

function framesOf(steps: FrameSteps): readonly Frame[] {
  const frames: Frame[] = [];
  for (const frame of steps) if (frame !== undefined) frames.push(frame);
  return frames;
}
