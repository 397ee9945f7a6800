import { mayPromiseAt, NAME_CHARS_MAX } from "./names.ts";

const ENDS_SENTENCE: Uint8Array = (() => {
  const ends = new Uint8Array(0x10000);
  for (const sign of ".,;:!?\n") ends[sign.charCodeAt(0)] = 1;
  return ends;
})();

/** The sentence before a place, for places from left to right: each unit is read once, however many verbs stand behind it. */
export class Sentence {
  #read = 0;
  #begin = 0;
  #promise = -1;
  #start = 0;

  /** Where the sentence begins in which `at` stands, at most `NAME_CHARS_MAX` before it. */
  startOf(text: string, at: number): number {
    const least = Math.max(0, at - NAME_CHARS_MAX);
    for (this.#read = Math.max(this.#read, least); this.#read < at; this.#read += 1) {
      if (ENDS_SENTENCE[text.charCodeAt(this.#read)] === 1) this.#begin = this.#read + 1;
      else if (mayPromiseAt(text, this.#read)) this.#promise = this.#read;
    }
    this.#start = Math.max(least, this.#begin);
    return this.#start;
  }

  /** Whether the sentence asked for last may hold a word that promises a secret. */
  get mayPromise(): boolean {
    return this.#promise >= this.#start;
  }
}
