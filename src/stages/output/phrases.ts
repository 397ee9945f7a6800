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
    const { length } = this.#text;
    // Where each phrase stands next: looked for again only behind that, or one that is nowhere would be looked for at every hit.
    const starts = this.#phrases.map(() => -1);
    let at = this.#from - this.#base;
    let open = ended ? length : this.#openFrom(at);
    for (;;) {
      const found = this.#next(at, starts);
      if (open < at) open = this.#openFrom(at);
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

  #next(from: number, starts: number[]): Hit | undefined {
    let best: Hit | undefined;
    for (const [index, phrase] of this.#phrases.entries()) {
      let start = starts[index] ?? -1;
      if (start < from) {
        const found = this.#text.indexOf(phrase, from);
        start = found < 0 ? Number.POSITIVE_INFINITY : found;
        starts[index] = start;
      }
      if (start === Number.POSITIVE_INFINITY) continue;
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
