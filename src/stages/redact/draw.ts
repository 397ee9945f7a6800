import { createHmac } from "node:crypto";

/** Choices that follow from a key and a few words: the same for ever, and without the key no more to be guessed than chance. */
export class Draw {
  readonly #key: Uint8Array;
  readonly #words: string;
  #block = Buffer.alloc(0);
  #used = 0;
  #blocks = 0;

  constructor(key: Uint8Array, words: readonly string[]) {
    this.#key = key;
    this.#words = JSON.stringify(words);
  }

  /** A whole number of `from` up to and with `to`; at most 2^24 apart, so that no value is likelier by more than 2^-8. */
  int(from: number, to: number): number {
    if (this.#used + 4 > this.#block.length) {
      this.#block = createHmac("sha256", this.#key)
        .update(`${this.#blocks++} ${this.#words}`)
        .digest();
      this.#used = 0;
    }
    const drawn = this.#block.readUInt32BE(this.#used);
    this.#used += 4;
    return from + (drawn % (to - from + 1));
  }

  pick(of: string): string {
    return of.charAt(this.int(0, of.length - 1));
  }

  text(of: string, length: number): string {
    return Array.from({ length }, () => this.pick(of)).join("");
  }
}

export const DIGITS = "0123456789";
/** Letters and digits that nobody takes for another. */
export const CLEAR = "abcdefghjkmnpqrstuvwxyz23456789";
