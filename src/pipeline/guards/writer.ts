import type { CallRemover, Frame } from "../../core/codec.ts";
import { YIELD_CHARS } from "../../core/limits.ts";
import { finish, Slice, type Steps } from "../../core/slice.ts";
import type { Calls, Held } from "./calls.ts";
import { isStuck } from "./part.ts";

type Texts = readonly (string | undefined)[];
/** later: it is written in turns of the event loop. undefined: a text of it would have to change that cannot, or a call to go. */
type Written = Uint8Array | "later" | undefined;

/** Writes frames as they leave: with the texts that changed, and without the calls that go. */
export class FrameWriter {
  readonly #calls: Calls;
  readonly #remover: CallRemover | undefined;
  /** The frame that is being written. */
  #writing: Steps<Uint8Array | undefined> | undefined;

  constructor(calls: Calls, remover: CallRemover | undefined) {
    this.#calls = calls;
    this.#remover = remover;
  }

  get isWriting(): boolean {
    return this.#writing !== undefined;
  }

  /** `texts` undefined: none changes. */
  write({ frame, parts }: Held, texts: Texts | undefined): Written {
    const changed = texts?.some((text) => text !== undefined) === true ? texts : undefined;
    if (changed !== undefined && parts.some((part, index) => changed[index] !== undefined && isStuck(part))) return undefined;
    if (this.#calls.removal !== undefined && frame.bytes.length > 0) {
      const steps = this.#withoutCalls(frame, changed);
      if (frame.bytes.length <= YIELD_CHARS) return finish(steps);
      this.#writing = steps;
      return "later";
    }
    if (changed === undefined) return frame.bytes;
    if (frame.rewriteSteps === undefined) return frame.rewrite?.(changed);
    this.#writing = frame.rewriteSteps(changed);
    return "later";
  }

  /** Goes on for a slice of the event loop. */
  goOn(): Written {
    const slice = new Slice();
    while (this.#writing !== undefined && !slice.isOver()) {
      const { done, value } = this.#writing.next();
      if (done !== true) continue;
      this.#writing = undefined;
      return value;
    }
    return "later";
  }

  close(): void {
    this.#writing = undefined;
  }

  *#withoutCalls(frame: Frame, texts: Texts | undefined): Steps<Uint8Array | undefined> {
    let bytes: Uint8Array | undefined = frame.bytes;
    if (texts !== undefined) bytes = frame.rewriteSteps === undefined ? frame.rewrite?.(texts) : yield* frame.rewriteSteps(texts);
    return bytes === undefined || this.#remover === undefined ? undefined : yield* this.#remover.remove(bytes, this.#calls.out(frame));
  }
}
