import { CUES } from "./cues.ts";
import { asLatin, asPlain } from "./fold.ts";
import type { NormalText } from "./normalise.ts";
import { CUE_BASE, MARK_OBFUSCATED } from "./rules.ts";
import type { Trie } from "./trie.ts";

/** The words of a text, in order, as columns. */
export interface Tokens {
  readonly count: number;
  /** Places in the original text. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly hashes: readonly number[];
  /** Of the first five characters: a crude stem. */
  readonly stems: readonly number[];
  /** Of how it is written and what stands before it: capitals, digits, signs. */
  readonly shapes: readonly number[];
  readonly marks: readonly (readonly number[] | undefined)[];
  /** Words that begin a sentence or a line. */
  readonly breaks: readonly boolean[];
  /** Words right before a question mark. */
  readonly asks: readonly boolean[];
  /** Words right behind a bar in their line. */
  readonly bars: readonly boolean[];
}

/** Single letters in a row that are read as one word spelled out. */
const SPELLED_MIN = 5;
const LEET_SIGNS = new Set(Array.from("@$!|+", (sign) => sign.charCodeAt(0)));

/** Words, numbers and single ideographs of `normal`, with what the lexicon and the cues say of each. `original` is the whole text. */
export function tokenise(original: string, normal: NormalText, lexicon: Trie): Tokens {
  const { text, at } = normal;
  const [starts, ends, hashes, stems, shapes]: [number[], number[], number[], number[], number[]] = [[], [], [], [], []];
  const marks: (readonly number[] | undefined)[] = [];
  const singles: Singles = { first: -1, letters: "" };
  let coveredTo = 0;
  const [breaks, asks, bars]: [boolean[], boolean[], boolean[]] = [[], [], []];
  let isBarred = false;
  let separator = 0;
  let isBreak = true;
  let isStop = false;
  for (let index = 0; index < text.length; ) {
    const code = text.charCodeAt(index);
    if (!isWord(code)) {
      if (code > 32) separator = (separator * 31 + code) & 0xffff;
      else {
        separator = (separator * 31) & 0xffff;
        if (isStop || code === 10) isBreak = true;
      }
      if (code === 124) isBarred = true;
      else if (code === 10) isBarred = false;
      if (code === 63 || code === 0xff1f || code === 0x61f) asks[asks.length - 1] = true;
      isStop = isFullStop(code);
      if (code > 0x3000 && isStop) isBreak = true;
      index += 1;
      continue;
    }
    let end = index + 1;
    let odd = code < 58;
    if (!isIdeograph(code)) {
      for (; end < text.length; end += 1) {
        const next = text.charCodeAt(end);
        if (isWord(next) && !isIdeograph(next)) odd ||= next < 58;
        else if ((next === 39 || next === 0x2019) && isWord(text.charCodeAt(end + 1))) continue;
        else if (LEET_SIGNS.has(next) && isWord(text.charCodeAt(end + 1))) odd = true;
        else break;
      }
    }
    const { hash, stem, mixed } = hashWord(text, index, end);
    let found: readonly number[] | undefined;
    if (isIdeograph(code)) {
      const match = index >= coveredTo ? lexicon.at(text, index, Math.min(text.length, index + 12)) : undefined;
      if (match !== undefined) coveredTo = match.end;
      found = match?.ideas;
    } else {
      found = lexicon.word(text, index, end);
      if ((odd || mixed) && end - index >= 3 && end - index <= 24) found = disguised(text.slice(index, end), lexicon) ?? found;
    }
    marks.push(found);
    starts.push(at[index] ?? 0);
    ends.push(at[end] ?? 0);
    hashes.push(hash);
    stems.push(stem);
    shapes.push((shapeOf(original, at[index] ?? 0, at[end] ?? 0) * 65_599 + separator) | 0);
    followSingles(singles, marks, text, index, end, lexicon);
    breaks.push(isBreak);
    asks.push(false);
    bars.push(isBarred);
    isBarred = false;
    separator = 0;
    isBreak = false;
    isStop = false;
    index = end;
  }
  endSingles(singles, marks, lexicon);
  addCues(original, normal, starts, marks);
  return { count: starts.length, starts, ends, hashes, stems, shapes, marks, breaks, asks, bars };
}

/** . ! ? ; : > ] } " after which a space ends a sentence, and the full stops of Chinese and Hindi. */
const isFullStop = (code: number): boolean =>
  code === 46 ||
  code === 33 ||
  code === 63 ||
  code === 59 ||
  code === 0x3002 ||
  code === 0xff01 ||
  code === 0xff1f ||
  code === 0x964 ||
  code === 62;
const isIdeograph = (code: number): boolean => code >= 0x3040 && code <= 0x9fff;
function isWord(code: number): boolean {
  if (code < 0x80) return (code >= 97 && code <= 122) || (code >= 48 && code <= 57);
  if (code < 0xaa) return false;
  return !(
    (code >= 0x2000 && code <= 0x2bff) ||
    (code >= 0x3000 && code <= 0x303f) ||
    code === 0xbf ||
    code === 0xbb ||
    code === 0xab ||
    code === 0xd7 ||
    code === 0xb7 ||
    code === 0x964
  );
}

/** The hash that a folded word has in `Tokens.hashes`. */
export const hashOf = (word: string): number => hashWord(word, 0, word.length).hash;

/** FNV-1a over the UTF-16 units. `mixed`: letters of more than one alphabet. */
function hashWord(text: string, start: number, end: number): { hash: number; stem: number; mixed: boolean } {
  let hash = 0x811c9dc5;
  let stem = 0;
  let latin = false;
  let other = false;
  for (let index = start; index < end; index += 1) {
    const code = text.charCodeAt(index);
    hash = Math.imul(hash ^ code, 0x01000193);
    if (index === start + 4) stem = hash;
    if (code >= 97 && code <= 122) latin = true;
    else if (code >= 0x370) other = true;
  }
  return { hash, stem: stem === 0 ? hash : stem, mixed: latin && other };
}

/** Ideas of a word in disguise, with the mark that it was one. */
function disguised(word: string, lexicon: Trie): readonly number[] | undefined {
  for (const reading of [asLatin(word), asPlain(word)]) {
    if (reading === undefined) continue;
    const ideas = lexicon.word(reading, 0, reading.length);
    if (ideas !== undefined) return [...ideas, MARK_OBFUSCATED];
  }
  return undefined;
}

/** 0 small, 1 Capital, 2 CAPITALS, 3 capitals inside, 4 digits, 5 letters and digits, 6 not Latin. */
function shapeOf(original: string, start: number, end: number): number {
  let upper = 0;
  let digits = 0;
  const stop = Math.min(end, start + 24);
  for (let index = start; index < stop; index += 1) {
    const code = original.charCodeAt(index);
    if (code >= 65 && code <= 90) upper += 1;
    else if (code >= 48 && code <= 57) digits += 1;
    else if (code > 0x24f) return 6;
  }
  const length = stop - start;
  if (digits > 0) return digits === length ? 4 : 5;
  if (upper === 0) return 0;
  if (upper === length) return length === 1 ? 1 : 2;
  const first = original.charCodeAt(start);
  return upper === 1 && first >= 65 && first <= 90 ? 1 : 3;
}

interface Singles {
  first: number;
  letters: string;
}

/** Notes runs of single letters (`i g n o r e`) and, at their end, what they spell. */
function followSingles(
  run: Singles,
  marks: (readonly number[] | undefined)[],
  text: string,
  start: number,
  end: number,
  lexicon: Trie,
): void {
  const code = text.charCodeAt(start);
  const single = end - start === 1 && !isIdeograph(code) && !(code >= 48 && code <= 57) && run.letters.length < 400;
  if (single) {
    if (run.letters === "") run.first = marks.length - 1;
    run.letters += text[start] ?? "";
  } else if (run.letters !== "") endSingles(run, marks, lexicon);
}

function endSingles(run: Singles, marks: (readonly number[] | undefined)[], lexicon: Trie): void {
  const { letters, first } = run;
  run.letters = "";
  if (letters.length < SPELLED_MIN) return;
  for (let index = 0; index < letters.length; ) {
    const match = lexicon.at(letters, index, letters.length);
    if (match === undefined || match.end - index < 3) index += 1;
    else {
      marks[first + index] = [...match.ideas, MARK_OBFUSCATED];
      index = match.end;
    }
  }
}

/** Cues become marks of the word at or after their beginning. */
function addCues(
  original: string,
  { text: folded, at }: NormalText,
  starts: readonly number[],
  marks: (readonly number[] | undefined)[],
): void {
  if (starts.length === 0) return;
  const from = at[0] ?? 0;
  const to = at[folded.length] ?? 0;
  const text = from === 0 && to === original.length ? original : original.slice(from, to);
  for (const [index, { pattern, needs }] of CUES.entries()) {
    if (!needs.some((part) => folded.includes(part))) continue;
    let token = 0;
    for (const match of text.matchAll(pattern)) {
      const offset = from + match.index;
      while (token < starts.length - 1 && (starts[token] ?? 0) < offset) token += 1;
      const before = marks[token];
      if (before !== undefined && before.length > 8) continue;
      marks[token] = before === undefined ? [CUE_BASE + index] : [...before, CUE_BASE + index];
    }
  }
}
