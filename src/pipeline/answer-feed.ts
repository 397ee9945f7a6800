/**
 * Reads a streamed answer for one exchange: piece by piece, at once, as nearly all answers come. What is large (a line of megabytes,
 * a piece of a hundred thousand events) is read in slices of the event loop; what comes meanwhile waits behind it, so the order stays.
 *
 * Steps: bytes -> frames (the codec's reader) -> what guards let through (the gate) -> noted as released -> to the caller.
 * What is given out was noted before, whole frames at a time, so that an end of ours at any moment fits to what the caller has.
 */
import type { AnswerReader, Frame, FrameSteps } from "../core/codec.ts";
import { Slice } from "../core/slice.ts";
import type { Gate, Passed } from "./guards/gate.ts";

/** What the feed works on. */
export interface FeedParts {
  readonly reader: AnswerReader;
  readonly gate: Gate | undefined;
  /** Reads what was let through. */
  readonly released: AnswerReader | undefined;
  /** Hears of frames as they were read, before guards see them. */
  read(frames: readonly Frame[]): void;
}

interface Reading {
  readonly steps: FrameSteps;
  readonly bytes: number;
  /** It is the answer's end. */
  readonly last: boolean;
}

export class AnswerFeed {
  readonly #parts: FeedParts;
  /** Pieces that wait; undefined: the answer's end. */
  readonly #pieces: (Uint8Array | undefined)[] = [];
  /** The piece that is being read. */
  #reading: Reading | undefined;
  /** Let through, and not noted yet. */
  readonly #unnoted: { readonly bytes: Uint8Array; readonly steps: FrameSteps | undefined }[] = [];
  #gateHasMore = false;
  #stop: Passed["stop"];
  #waitingBytes = 0;

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  /** Bytes that wait, here and at the gate. */
  get heldBytes(): number {
    return this.#waitingBytes + (this.#parts.gate?.heldBytes ?? 0);
  }

  /** The next piece; undefined: the answer's end. */
  push(piece: Uint8Array | undefined): Passed {
    const bytes: Uint8Array[] = [];
    this.#pieces.push(piece);
    this.#waitingBytes += piece?.length ?? 0;
    // One small piece, as ever.
    if (this.#pieces.length === 1 && this.#isCalm) this.#next(bytes);
    return this.#isCalm && this.#pieces.length === 0 ? this.#passed(bytes, false) : this.#resume(bytes);
  }

  /** Goes on where the last turn left off. */
  resume(): Passed {
    return this.#resume([]);
  }

  /** Ends the work: what waits is dropped. */
  close(): void {
    this.#pieces.length = 0;
    this.#unnoted.length = 0;
    this.#reading = undefined;
    this.#gateHasMore = false;
    this.#waitingBytes = 0;
    this.#parts.gate?.close();
  }

  /** Nothing is under way. */
  get #isCalm(): boolean {
    return this.#reading === undefined && this.#unnoted.length === 0 && !this.#gateHasMore;
  }

  #resume(bytes: Uint8Array[]): Passed {
    const slice = new Slice();
    while (this.#step(bytes)) if (slice.isOver()) return this.#passed(bytes, true);
    return this.#passed(bytes, false);
  }

  /** `stop` is told when all before it was given out. */
  #passed(bytes: Uint8Array[], more: boolean): Passed {
    const stop = more ? undefined : this.#stop;
    return { bytes, more, ...(stop === undefined ? {} : { stop }) };
  }

  /** One step of less than a millisecond, or one look of the guards; what is nearest to the caller first. False: there is nothing to do. */
  #step(bytes: Uint8Array[]): boolean {
    const [noting] = this.#unnoted;
    if (noting !== undefined) {
      if (noting.steps !== undefined && noting.steps.next().done !== true) return true;
      this.#unnoted.shift();
      bytes.push(noting.bytes);
      return true;
    }
    if (this.#stop !== undefined) return false;
    if (this.#gateHasMore) {
      this.#take(this.#parts.gate?.resume(), bytes);
      return true;
    }
    if (this.#reading !== undefined) {
      this.#readOn(this.#reading, bytes);
      return true;
    }
    if (this.#pieces.length === 0) return false;
    this.#next(bytes);
    return true;
  }

  #readOn({ steps, bytes: size, last }: Reading, bytes: Uint8Array[]): void {
    const { done, value } = steps.next();
    if (done !== true) {
      if (value !== undefined) this.#give([value], false, bytes);
      return;
    }
    this.#reading = undefined;
    this.#waitingBytes -= size;
    if (last) this.#give([], true, bytes);
  }

  #next(bytes: Uint8Array[]): void {
    const piece = this.#pieces.shift();
    const { reader } = this.#parts;
    const steps = reader.pushSteps?.(piece);
    const size = piece?.length ?? 0;
    if (steps !== undefined) {
      this.#reading = { steps, bytes: size, last: piece === undefined };
      return;
    }
    this.#waitingBytes -= size;
    this.#give(piece === undefined ? reader.end() : reader.push(piece), piece === undefined, bytes);
  }

  #give(frames: readonly Frame[], last: boolean, bytes: Uint8Array[]): void {
    const { gate, reader } = this.#parts;
    this.#parts.read(frames);
    if (gate === undefined) for (const frame of frames) bytes.push(frame.bytes);
    else this.#take(last ? gate.end(frames, reader.summary().complete) : gate.push(frames), bytes);
  }

  #take(passed: Passed | undefined, bytes: Uint8Array[]): void {
    if (passed === undefined) return;
    // Of frames that are alike it learns nothing.
    const released = passed.alike === true ? undefined : this.#parts.released;
    for (const some of passed.bytes) {
      const steps = released?.pushSteps?.(some);
      if (steps === undefined && this.#unnoted.length === 0) {
        released?.push(some);
        bytes.push(some);
      } else this.#unnoted.push({ bytes: some, steps: steps ?? stepsOf(released, some) });
    }
    this.#stop ??= passed.stop;
    this.#gateHasMore = passed.more;
  }
}

function* stepsOf(released: AnswerReader | undefined, bytes: Uint8Array): FrameSteps {
  if (released !== undefined) yield* released.push(bytes);
}
