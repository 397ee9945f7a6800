import { EXACT_TOKENS_CHARS_MAX } from "../limits.ts";
import type { Delta } from "../view.ts";
import type { ExactTokens } from "./exact.ts";
import type { ModelFamily } from "./families.ts";
import { OutputCounter } from "./output.ts";

/** Pieces that are joined into one, so that a stream of many small ones holds little more than its text. */
const JOIN_AT = 256;

/**
 * The beginning of an answer's text, kept while it passes, so that it can be counted at its end should the provider not say what it used.
 * Costs next to nothing on the way: a reference a piece, at most `EXACT_TOKENS_CHARS_MAX` characters in all.
 */
export class OutputText {
  #runs: Delta[] = [];
  #pieces: string[] = [];
  #chars = 0;
  #last: Delta | undefined;

  add(delta: Delta): void {
    if (this.#chars >= EXACT_TOKENS_CHARS_MAX) return;
    const last = this.#last;
    if (last !== undefined && (last.choice !== delta.choice || last.block !== delta.block || last.channel !== delta.channel)) this.#join();
    this.#last = delta;
    // A piece may be many megabytes: what is past the cap is neither held nor counted.
    const text = delta.text.slice(0, EXACT_TOKENS_CHARS_MAX - this.#chars);
    this.#pieces.push(text);
    this.#chars += text.length;
    if (this.#pieces.length >= JOIN_AT) this.#join();
  }

  /**
   * Tokens of the whole answer, `chars` long in all: exact for what was kept where the model's tokenizer is public, else estimated, and
   * at the same ratio for the rest.
   */
  tokens(family: ModelFamily, exact: ExactTokens | undefined, chars: number): number {
    this.#join();
    if (this.#chars === 0) return Math.ceil(chars / CHARS_PER_TOKEN);
    const counter = new OutputCounter(family, exact);
    for (const run of this.#runs) counter.add(run);
    return Math.ceil(counter.total() * Math.max(1, chars / this.#chars));
  }

  #join(): void {
    const last = this.#last;
    if (last !== undefined && this.#pieces.length > 0) this.#runs.push({ ...last, text: this.#pieces.join("") });
    this.#pieces = [];
  }
}

/** Of an answer of which no text was kept. */
const CHARS_PER_TOKEN = 3;
