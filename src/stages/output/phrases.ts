import type { Hit, Search } from "./rule.ts";

/** Looks for phrases in any case. Holds an end of the text that one of them begins with. */
export class PhraseSearch implements Search {
  readonly #phrases: readonly string[];
  readonly #longest: number;
  #text = "";
  #base = 0;
  #from = 0;

  /** `phrases` in lower case. */
  constructor(phrases: readonly string[]) {
    this.#phrases = phrases;
    this.#longest = Math.max(...phrases.map(({ length }) => length));
  }

  get decided(): number {
    return this.#from;
  }

  push(piece: string): readonly Hit[] {
    this.#text += lower(piece);
    return this.#step(false);
  }
  end(): readonly Hit[] {
    return this.#step(true);
  }

  /** At each place the longest phrase counts, so one that could still grow is waited for. */
  #step(ended: boolean): readonly Hit[] {
    const hits: Hit[] = [];
    let at = this.#from - this.#base;
    for (;;) {
      const found = this.#next(at);
      const open = ended ? this.#text.length : this.#openFrom(at);
      if (found === undefined || found.start >= open) {
        at = Math.max(at, open);
        break;
      }
      hits.push({ start: found.start + this.#base, end: found.end + this.#base });
      at = found.end;
    }
    this.#from = this.#base + at;
    this.#text = this.#text.slice(at);
    this.#base = this.#from;
    return hits;
  }

  #next(from: number): Hit | undefined {
    let best: Hit | undefined;
    for (const phrase of this.#phrases) {
      const start = this.#text.indexOf(phrase, from);
      if (start < 0) continue;
      const end = start + phrase.length;
      if (best === undefined || start < best.start || (start === best.start && end > best.end)) best = { start, end };
    }
    return best;
  }

  #openFrom(from: number): number {
    const text = this.#text;
    for (let at = Math.max(from, text.length - this.#longest + 1); at < text.length; at++) {
      const rest = text.slice(at);
      if (this.#phrases.some((phrase) => phrase.length > rest.length && phrase.startsWith(rest))) return at;
    }
    return text.length;
  }
}

/** Lower case that keeps every offset: a few letters have a lower case of other length. */
export function lower(text: string): string {
  const small = text.toLowerCase();
  return small.length === text.length
    ? small
    : [...text].map((sign) => (sign.toLowerCase().length === sign.length ? sign.toLowerCase() : sign)).join("");
}
