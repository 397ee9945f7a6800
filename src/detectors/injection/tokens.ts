import type { Census } from "./census.ts";
import { codesOf, textOf } from "./codes.ts";
import { CUES } from "./cues.ts";
import { asLatin, asPlain } from "./fold.ts";
import type { Needles } from "./needles.ts";
import type { NormalText } from "./normalise.ts";
import { CUE_BASE, MARK_OBFUSCATED } from "./rules.ts";
import type { Trie } from "./trie.ts";

/** The words of a text, in order, as columns: of the room that they were given, so good until it is used again. */
export interface Tokens {
  readonly count: number;
  /** Places in the original text. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly hashes: Int32Array;
  /** Of the first five characters: a crude stem. */
  readonly stems: Int32Array;
  /** Of how it is written and what stands before it: capitals, digits, signs. */
  readonly shapes: Int32Array;
  readonly marks: readonly (readonly number[] | undefined)[];
  /** 1: a word that begins a sentence or a line. */
  readonly breaks: Uint8Array;
  /** 1: right before a question mark. */
  readonly asks: Uint8Array;
  /** 1: right behind a bar in its line. */
  readonly bars: Uint8Array;
}

/** What is looked for in every text, built once. */
export interface Words {
  readonly lexicon: Trie;
  /** Of the cues, see `createCueNeedles`. */
  readonly needles: Needles;
  readonly room: Room;
}

/** Where the columns of one text after another are written: new ones for each cost more than what they hold. */
export interface Room {
  readonly numbers: Int32Array;
  readonly flags: Uint8Array;
}
const [NUMBERS, FLAGS] = [5, 3] as const;
/** For texts of up to `units` UTF-16 units. */
export const createRoom = (units: number): Room => ({ numbers: new Int32Array(NUMBERS * units), flags: new Uint8Array(FLAGS * units) });

/** A part of a text as it was written. */
export interface Written {
  readonly text: string;
  readonly codes: Uint16Array;
  readonly census: Census;
}

/** Single letters in a row that are read as one word spelled out. */
const SPELLED_MIN = 5;
const LEET_SIGNS = new Set(Array.from("@$!|+", (sign) => sign.charCodeAt(0)));

/**
 * Words, numbers and single ideographs of `normal`, with what the lexicon and the cues say of each. `part` is what `normal` was made of,
 * from offset `from` of the text on.
 */
export function tokenise(part: Written, from: number, normal: NormalText, words: Words): Tokens {
  const { lexicon } = words;
  const { codes, at } = normal;
  const { length } = codes;
  const room = length * NUMBERS <= words.room.numbers.length ? words.room : createRoom(length);
  const column = (index: number): Int32Array => room.numbers.subarray(index * length, (index + 1) * length);
  const flags = (index: number): Uint8Array => room.flags.subarray(index * length, (index + 1) * length);
  const [starts, ends, hashes, stems, shapes] = [column(0), column(1), column(2), column(3), column(4)];
  const [breaks, asks, bars] = [flags(0), flags(1), flags(2)];
  let count = 0;
  const marks: (readonly number[] | undefined)[] = [];
  const singles: Singles = { first: -1, letters: "" };
  let coveredTo = 0;
  let isBarred = 0;
  let separator = 0;
  let isBreak = 1;
  let isStop = false;
  for (let index = 0; index < length; ) {
    const code = codes[index] ?? 0;
    if (!isWord(code)) {
      if (code > 32) separator = (separator * 31 + code) & 0xffff;
      else {
        separator = (separator * 31) & 0xffff;
        if (isStop || code === 10) isBreak = 1;
      }
      if (code === 124) isBarred = 1;
      else if (code === 10) isBarred = 0;
      if (code === 63 || code === 0xff1f || code === 0x61f) asks[count - 1] = 1;
      isStop = isFullStop(code);
      if (code > 0x3000 && isStop) isBreak = 1;
      index += 1;
      continue;
    }
    let found: readonly number[] | undefined;
    const read = readWord(codes, index, count, hashes, stems);
    const end = Math.abs(read);
    if (isIdeograph(code)) {
      const match = index >= coveredTo ? lexicon.at(codes, index, Math.min(length, index + 12)) : undefined;
      if (match !== undefined) coveredTo = match.end;
      found = match?.ideas;
    } else {
      found = lexicon.word(codes, index, end);
      if (read < 0 && end - index >= 3 && end - index <= 24) found = disguised(codes.subarray(index, end), lexicon) ?? found;
    }
    marks.push(found);
    const start = at === undefined ? from + index : (at[index] ?? 0);
    const stop = at === undefined ? from + end : (at[end] ?? 0);
    starts[count] = start;
    ends[count] = stop;
    breaks[count] = isBreak;
    asks[count] = 0;
    bars[count] = isBarred;
    shapes[count] = shapeOf(part.codes, start - from, stop - from) * 65_599 + separator;
    count += 1;
    if (end - index === 1 || singles.letters !== "") followSingles(singles, marks, codes, index, end, lexicon);
    isBarred = 0;
    separator = 0;
    isBreak = 0;
    isStop = false;
    index = end;
  }
  endSingles(singles, marks, lexicon);
  if (count > 0) {
    // Invisible characters before all others hide no beginning.
    const lead = at === undefined ? 0 : (at[0] ?? from) - from;
    addCues(part, lead, from, words.needles.find(codes), starts.subarray(0, count), marks);
  }
  const numbers = (all: Int32Array): Int32Array => all.subarray(0, count);
  const ones = (all: Uint8Array): Uint8Array => all.subarray(0, count);
  return {
    ...{ count, marks, breaks: ones(breaks), asks: ones(asks), bars: ones(bars) },
    ...{ starts: numbers(starts), ends: numbers(ends), hashes: numbers(hashes), stems: numbers(stems), shapes: numbers(shapes) },
  };
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
export function hashOf(word: string): number {
  const hash = new Int32Array(1);
  readWord(codesOf(word), 0, 0, hash, new Int32Array(1));
  return hash[0] ?? 0;
}

/**
 * Reads the word that begins at `start`: its FNV-1a hash over the UTF-16 units and that of its first five into the columns. Gives where it
 * ends, negative where it mixes signs or alphabets, as a disguise would. Signs stand within words where letters follow.
 */
function readWord(codes: Uint16Array, start: number, at: number, hashes: Int32Array, stems: Int32Array): number {
  const { length } = codes;
  let hash = 0x811c9dc5;
  let stem = 0;
  let latin = false;
  let other = false;
  let odd = false;
  let end = start;
  for (; end < length; end += 1) {
    const code = codes[end] ?? 0;
    if (code >= 97 && code <= 122) latin = true;
    else if (end === start || (isWord(code) && !isIdeograph(code))) {
      if (code >= 0x370) other = true;
      else if (code < 58) odd = true;
    } else {
      // At the text's end they belong to the word too: so the weights were fitted.
      const isInside = end + 1 === length || isWord(codes[end + 1] ?? 0);
      if (!isInside) break;
      if (code === 0x2019) other = true;
      else if (LEET_SIGNS.has(code)) odd = true;
      else if (code !== 39) break;
    }
    hash = Math.imul(hash ^ code, 0x01000193);
    if (end === start + 4) stem = hash;
    if (end === start && isIdeograph(code)) {
      end += 1;
      break;
    }
  }
  hashes[at] = hash;
  stems[at] = stem === 0 ? hash : stem;
  return odd || (latin && other) ? -end : end;
}

/** Ideas of a word in disguise, with the mark that it was one. */
function disguised(codes: Uint16Array, lexicon: Trie): readonly number[] | undefined {
  const word = textOf(codes);
  for (const reading of [asLatin(word), asPlain(word)]) {
    if (reading === undefined) continue;
    const ideas = lexicon.word(codesOf(reading), 0, reading.length);
    if (ideas !== undefined) return [...ideas, MARK_OBFUSCATED];
  }
  return undefined;
}

/** 0 small, 1 Capital, 2 CAPITALS, 3 capitals inside, 4 digits, 5 letters and digits, 6 not Latin. */
function shapeOf(original: Uint16Array, start: number, end: number): number {
  let upper = 0;
  let digits = 0;
  const stop = Math.min(end, start + 24);
  for (let index = start; index < stop; index += 1) {
    const code = original[index] ?? 0;
    if (code >= 65 && code <= 90) upper += 1;
    else if (code >= 48 && code <= 57) digits += 1;
    else if (code > 0x24f) return 6;
  }
  const length = stop - start;
  if (digits > 0) return digits === length ? 4 : 5;
  if (upper === 0) return 0;
  if (upper === length) return length === 1 ? 1 : 2;
  const first = original[start] ?? 0;
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
  codes: Uint16Array,
  start: number,
  end: number,
  lexicon: Trie,
): void {
  const code = codes[start] ?? 0;
  const single = end - start === 1 && !isIdeograph(code) && !(code >= 48 && code <= 57) && run.letters.length < 400;
  if (single) {
    if (run.letters === "") run.first = marks.length - 1;
    run.letters += String.fromCharCode(code);
  } else if (run.letters !== "") endSingles(run, marks, lexicon);
}

function endSingles(run: Singles, marks: (readonly number[] | undefined)[], lexicon: Trie): void {
  const { letters, first } = run;
  run.letters = "";
  if (letters.length < SPELLED_MIN) return;
  const codes = codesOf(letters);
  for (let index = 0; index < letters.length; ) {
    const match = lexicon.at(codes, index, letters.length);
    if (match === undefined || match.end - index < 3) index += 1;
    else {
      marks[first + index] = [...match.ideas, MARK_OBFUSCATED];
      index = match.end;
    }
  }
}

/** Cues become marks of the word at or after their beginning. `needed`: bits of those whose needs the part has. */
function addCues(
  { text, census }: Written,
  lead: number,
  from: number,
  needed: number,
  starts: Int32Array,
  marks: (readonly number[] | undefined)[],
): void {
  const part = lead === 0 ? text : text.slice(lead);
  for (const [index, { pattern, may }] of CUES.entries()) {
    if ((needed & (1 << index)) === 0 || !may(census, part)) continue;
    let token = 0;
    for (const match of part.matchAll(pattern)) {
      const offset = from + lead + match.index;
      while (token < starts.length - 1 && (starts[token] ?? 0) < offset) token += 1;
      const before = marks[token];
      if (before !== undefined && before.length > 8) continue;
      marks[token] = before === undefined ? [CUE_BASE + index] : [...before, CUE_BASE + index];
    }
  }
}
