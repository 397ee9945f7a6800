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

  /** A whole number of `from` up to and with `to`, at most 2^24 apart; none is likelier than another by more than one in 256. */
  int(from: number, to: number): number {
    const span = to - from + 1;
    const bytes = span <= 256 ? 2 : 4;
    if (this.#used + bytes > this.#block.length) {
      this.#block = createHmac("sha512", this.#key)
        .update(`${this.#blocks++} ${this.#words}`)
        .digest();
      this.#used = 0;
    }
    const drawn = this.#block.readUIntBE(this.#used, bytes);
    this.#used += bytes;
    return from + (drawn % span);
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
