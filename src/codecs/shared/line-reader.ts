import type { AnswerReader, Frame, TailReason } from "../../core/codec.ts";
import { SSE_EVENT_BYTES_MAX } from "../../core/limits.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerSummary } from "../../core/view.ts";
import { type AnswerMapper, unreadFrame } from "./answer-reader.ts";

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
    const frames: Frame[] = [];
    let at = 0;
    while (at < chunk.length) {
      const end = chunk.indexOf(LF, at);
      const next = end === -1 ? chunk.length : end + 1;
      this.#take(chunk.subarray(at, next), end !== -1, frames);
      at = next;
    }
    return frames;
  }

  end(): readonly Frame[] {
    const frames: Frame[] = [];
    if (this.#heldBytes > 0) this.#give(frames);
    return [...frames, ...this.#mapper.texts.last()];
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

  #take(piece: Uint8Array, whole: boolean, frames: Frame[]): void {
    if (this.#skipping) {
      this.#skipping = !whole;
      frames.push(unreadFrame(this.#mapper.texts, piece));
      return;
    }
    this.#held.push(piece);
    this.#heldBytes += piece.length;
    if (this.#heldBytes > SSE_EVENT_BYTES_MAX) {
      this.#oversized++;
      this.#skipping = !whole;
      frames.push(...this.#release().map((bytes) => unreadFrame(this.#mapper.texts, bytes)));
    } else if (whole) this.#give(frames);
  }

  #release(): readonly Uint8Array[] {
    const pieces = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    return pieces;
  }

  #give(frames: Frame[]): void {
    const bytes = Buffer.concat(this.#release());
    const line = bytes.toString("utf8");
    const text = line.trim();
    if (text === "") {
      frames.push({ bytes, deltas: [] });
      return;
    }
    const { texts, tally } = this.#mapper;
    this.#mapper.event(undefined, text);
    const frame = texts.frame(bytes, texts.guarded ? (changed) => Buffer.from(line.replace(text, () => changed)) : undefined);
    tally.count(frame.deltas);
    frames.push(frame);
  }
}
