import type { Hit, Search } from "./rule.ts";

/** Pairs of words kept of the system texts. */
const PAIRS_MAX = 50_000;
/** Scripts that put no blanks between words have one word a sign. Accents that stand apart and signs that nobody sees part no word. */
const WORD = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}]|(?:(?![\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}])[\p{L}\p{N}\p{M}\p{Cf}])+/gu;
/** A sign that a word may go on with, or half of one. */
const WORD_SIGN = /^[\p{L}\p{N}\p{M}\p{Cf}\ud800-\udbff]$/u;
/** A piece that ends no word. */
const WITHIN_WORD = /^(?:(?![\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}])[\p{L}\p{N}\p{M}\p{Cf}\ud800-\udfff])+$/u;
const UNSEEN = /[\p{M}\p{Cf}]/gu;

/** A word as it is compared: small, of plain width, without accents and what nobody sees; "" where nothing else is in it. */
const plainWord = (word: string): string =>
  isAscii(word) ? word.toLowerCase() : word.normalize("NFKD").replaceAll(UNSEEN, "").toLowerCase();
function isAscii(word: string): boolean {
  for (let index = 0; index < word.length; index += 1) if (word.charCodeAt(index) > 127) return false;
  return true;
}

/** Where the signs begin that a text ends in and a word may go on with. From the end: a pattern would try them from each of them. */
function wordTailOf(text: string): number {
  let at = text.length;
  while (at > 0) {
    const code = text.codePointAt(at - 2) ?? 0;
    const from = code > 0xffff ? at - 2 : at - 1;
    if (!WORD_SIGN.test(text.slice(from, at))) break;
    at = from;
  }
  return at;
}

/** Pairs of words that follow each other in the texts, as they are compared. */
export function pairsOf(texts: readonly string[]): ReadonlySet<string> {
  const pairs = new Set<string>();
  for (const text of texts) {
    let last: string | undefined;
    for (const [written] of text.matchAll(WORD)) {
      const word = plainWord(written);
      if (word === "") continue;
      if (last !== undefined && pairs.size < PAIRS_MAX) pairs.add(`${last} ${word}`);
      last = word;
    }
  }
  return pairs;
}

/**
 * Finds runs of so many words of which each two neighbours follow each other in the system texts too. A run that is not long enough yet is
 * held back, so that none of a leak has left when it is known to be one.
 */
export class LeakSearch implements Search {
  readonly #pairs: ReadonlySet<string>;
  readonly #words: number;
  /** Text from the first word that is not read. */
  #text = "";
  #base = 0;
  #last: string | undefined;
  /** Where the run begins, and how many words it has. */
  #runFrom = 0;
  #run = 0;
  #decided = 0;

  constructor(pairs: ReadonlySet<string>, words: number) {
    this.#pairs = pairs;
    this.#words = words;
  }

  get decided(): number {
    return this.#decided;
  }

  push(piece: string): readonly Hit[] {
    this.#text += piece;
    // A word without end is not read again for each of its pieces.
    if (this.#text.length > 256 && WITHIN_WORD.test(piece)) return [];
    return this.#step(false);
  }
  end(): readonly Hit[] {
    return this.#step(true);
  }

  #step(ended: boolean): readonly Hit[] {
    const hits: Hit[] = [];
    let at = 0;
    for (const match of this.#text.matchAll(WORD)) {
      const end = match.index + match[0].length;
      if (end === this.#text.length && !ended) break;
      const word = plainWord(match[0]);
      if (word !== "") this.#take(word, this.#base + match.index);
      if (this.#run >= this.#words) {
        hits.push({ start: this.#runFrom, end: this.#base + end });
        this.#run = 0;
        this.#last = undefined;
      }
      at = end;
    }
    // What stands behind the last word, but for one that may go on.
    const rest = this.#text.slice(at);
    const word = ended ? "" : rest.slice(wordTailOf(rest));
    at = this.#text.length - word.length;
    this.#base += at;
    this.#text = word;
    this.#decided = this.#run > 0 ? this.#runFrom : this.#base;
    return hits;
  }

  #take(word: string, start: number): void {
    if (this.#last !== undefined && this.#run > 0 && this.#pairs.has(`${this.#last} ${word}`)) this.#run += 1;
    else {
      this.#run = 1;
      this.#runFrom = start;
    }
    this.#last = word;
  }
}
