import { createHash, hash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { SLICE_MS } from "./limits.ts";

/**
 * One run on the event loop: work on much text asks `isOver` between its steps, and gives way with `next` when it is.
 * `const slice = new Slice(); for (...) { step(); if (slice.isOver()) await slice.next(); }`
 */
export class Slice {
  #start = performance.now();

  /** Is too little left of `SLICE_MS` for another step of about a millisecond? */
  isOver(): boolean {
    return performance.now() - this.#start >= SLICE_MS - 1;
  }

  /** Lets everything else that waits for the event loop have its turn. */
  async next(): Promise<void> {
    await nextTurn();
    this.#start = performance.now();
  }
}

/** Bytes that are hashed at once: about a millisecond. */
const HASH_BYTES = 1 << 20;

/** SHA-256, lower-case hex; a body past `HASH_BYTES` is hashed in slices. */
export function digest(bytes: Uint8Array): string | Promise<string> {
  return bytes.length <= HASH_BYTES ? hash("sha256", bytes, "hex") : digestSliced(bytes);
}

async function digestSliced(bytes: Uint8Array): Promise<string> {
  const sum = createHash("sha256");
  const slice = new Slice();
  for (let from = 0; from < bytes.length; from += HASH_BYTES) {
    sum.update(bytes.subarray(from, from + HASH_BYTES));
    if (slice.isOver()) await slice.next();
  }
  return sum.digest("hex");
}

/** Work that can stop between two steps of less than a millisecond, at each `yield`. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Small steps, counted from 1, between two looks at the clock; a power of two. */
const STEPS_AT_ONCE = 1024;
/** Is it time to yield after so many small steps? */
export const isStepDone = (count: number): boolean => (count & (STEPS_AT_ONCE - 1)) === 0;

/** Does it all at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Does it in slices. */
export async function finishSliced<T>(steps: Steps<T>): Promise<T> {
  const slice = new Slice();
  await slice.next();
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    if (slice.isOver()) await slice.next();
  }
}
