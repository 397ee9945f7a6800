import type { Hit, Search } from "./rule.ts";

/** What is not as a phrase has it: blanks of other kinds, two in a row, signs that are not seen. */
const UNEVEN = /[\t-\r\u00a0\u00ad\u1680\u2000-\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]| {2}/;
const BLANK = /[\s\u1680]/;
const UNSEEN = /[\u00ad\u200b-\u200d\u2060\ufeff]/;

/**
 * Looks for phrases in any case, with blanks or line ends of any number where they have one. Holds an end of the text that one of them
 * begins with. It reads an even text, with one blank for several; offsets in it become those of the text that came (`#rawOf`).
 */
export class PhraseSearch implements Search {
  readonly #phrases: readonly string[];
  readonly #longest: number;
  #text = "";
  #base = 0;
  #from = 0;
  /** Does the even text end in a blank? */
  #blank = false;
  /** Where units of the text that came were left out of the even text, and how many up to there, in order; before the first it is `#shift`. */
  #left: { readonly at: number; readonly count: number }[] = [];
  #shift = 0;

  /** `phrases` in lower case. */
  constructor(phrases: readonly string[]) {
    this.#phrases = phrases.map((phrase) => (UNEVEN.test(phrase) ? evened(phrase) : phrase));
    this.#longest = Math.max(...this.#phrases.map(({ length }) => length));
  }

  get decided(): number {
    return this.#rawOf(this.#from);
  }

  push(piece: string): readonly Hit[] {
    if (piece === "") return [];
    if (UNEVEN.test(piece) || (this.#blank && piece.startsWith(" "))) this.#addUneven(piece);
    else {
      this.#text += lower(piece);
      this.#blank = piece.endsWith(" ");
    }
    return this.#step(false);
  }

  #addUneven(piece: string): void {
    let even = "";
    for (const sign of lower(piece)) {
      const isBlank = !UNSEEN.test(sign) && BLANK.test(sign);
      if (UNSEEN.test(sign) || (isBlank && this.#blank)) {
        this.#leaveOut(this.#base + this.#text.length + even.length);
        continue;
      }
      even += isBlank ? " " : sign;
      this.#blank = isBlank;
    }
    this.#text += even;
  }

  #leaveOut(at: number): void {
    const last = this.#left.at(-1);
    if (last?.at === at) this.#left.pop();
    this.#left.push({ at, count: (last?.count ?? this.#shift) + 1 });
  }

  /** Where the sign stands in the text that came that stands here in the even one. */
  #rawOf(offset: number): number {
    return offset + (this.#left[this.#leftBefore(offset + 1) - 1]?.count ?? this.#shift);
  }

  /** How many of the places stand before an offset. */
  #leftBefore(offset: number): number {
    let [from, to] = [0, this.#left.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#left[middle]?.at ?? offset) < offset) from = middle + 1;
      else to = middle;
    }
    return from;
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
      hits.push({ start: this.#rawOf(found.start + this.#base), end: this.#rawOf(found.end + this.#base - 1) + 1 });
      at = found.end;
    }
    this.#from = this.#base + at;
    this.#text = this.#text.slice(at);
    this.#base = this.#from;
    const gone = this.#left.splice(0, this.#leftBefore(this.#from));
    this.#shift = gone.at(-1)?.count ?? this.#shift;
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

const evened = (phrase: string): string => phrase.replaceAll(new RegExp(UNSEEN, "g"), "").replaceAll(/\s+/g, " ");

/** Lower case that keeps every offset: a few letters have a lower case of other length. */
export function lower(text: string): string {
  const small = text.toLowerCase();
  return small.length === text.length
    ? small
    : [...text].map((sign) => (sign.toLowerCase().length === sign.length ? sign.toLowerCase() : sign)).join("");
}
