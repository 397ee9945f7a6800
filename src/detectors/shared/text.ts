import type { Atom, AtomMarks, ScanText, Worded } from "../../core/detector.ts";
import { after, before, wordsOf } from "./context.ts";

/** Longest run of letters and digits that is looked at as a number or a code, in UTF-16 units. Longer ones are hashes and encodings. */
export const ATOM_CHARS_MAX = 64;

/** Most capitals that may stand, with a separator, before the first digit of a code (`AB 12 34 56 C`, `RSSMRA 85T10 A562S`). */
export const LEAD_CHARS_MAX = 6;

/**
 * Characters that have a plainer form of one unit: the digits of other scripts in the basic plane, full-width forms (U+FF01 to U+FF5E),
 * kinds of space, dashes, and invisible characters.
 * Source: Unicode 17, DerivedGeneralCategory (Nd, Zs, Pd) and the Halfwidth and Fullwidth Forms block.
 */
const UNUSUAL =
  /[\u00a0\u00ad\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\u09e6-\u09ef\u0e50-\u0e59\u2000-\u200d\u2010-\u2015\u202f\u205f\u2060\u2212\u3000\ufe58\ufe63\ufeff\uff01-\uff5e]/g;
const BEYOND_ASCII = /[\u00a0-\uffff]/;

/** The text in plain forms, unit by unit; see `ScanText.folded`. */
export function fold(text: string): string {
  return BEYOND_ASCII.test(text) ? text.replace(UNUSUAL, plain) : text;
}

const DIGIT_ZEROS: readonly number[] = [0x660, 0x6f0, 0x966, 0x9e6, 0xe50];

function plain(unusual: string): string {
  const code = unusual.charCodeAt(0);
  if (code >= 0xff01 && code <= 0xff5e) return String.fromCharCode(code - 0xfee0);
  for (const zero of DIGIT_ZEROS) if (code >= zero && code <= zero + 9) return String(code - zero);
  if ((code >= 0x2010 && code <= 0x2015) || code === 0x2212 || code === 0xfe58 || code === 0xfe63) return "-";
  if (code === 0xad || (code >= 0x200b && code <= 0x200d) || code === 0x2060 || code === 0xfeff) return "\u200b";
  return " ";
}

/** Text to scan. `ended`: no more will come behind it. */
export class Scanned implements ScanText {
  readonly text: string;
  readonly ended: boolean;
  readonly #from: number;
  #folded: string | undefined;
  #atoms: readonly Atom[] | undefined;
  #marks: AtomMarks | undefined;
  readonly #ahead = new Map<number, Worded>();
  readonly #behind = new Map<number, Worded | undefined>();

  /** Atoms that end at or before `from` are left out: nobody asks for them any more. */
  constructor(text: string, ended: boolean, from = 0) {
    this.text = text;
    this.ended = ended;
    this.#from = from;
  }

  get folded(): string {
    this.#folded ??= fold(this.text);
    return this.#folded;
  }

  get atoms(): readonly Atom[] {
    this.#atoms ??= atomsOf(this.folded, this.#from, this.ended);
    return this.#atoms;
  }

  get atomMarks(): AtomMarks {
    this.#marks ??= marksOf(this.folded, this.atoms, this.ended);
    return this.#marks;
  }

  wordsBefore(start: number): Worded {
    const known = this.#ahead.get(start);
    if (known !== undefined) return known;
    const made = wordsOf(before(this.folded, start));
    this.#ahead.set(start, made);
    return made;
  }

  wordsAfter(end: number): Worded | undefined {
    if (this.#behind.has(end)) return this.#behind.get(end);
    const text = after(this.folded, end, this.ended);
    const made = text === undefined ? undefined : wordsOf(text);
    this.#behind.set(end, made);
    return made;
  }
}

/** Runs with a digit that reach beyond `from`. */
function atomsOf(folded: string, from: number, ended: boolean): Atom[] {
  const atoms: Atom[] = [];
  let at = from;
  while (at > 0 && from - at <= ATOM_CHARS_MAX && isAlnum(folded.charCodeAt(at - 1))) at -= 1;
  while (at < folded.length) {
    const first = folded.charCodeAt(at);
    if (!isAlnum(first)) {
      at += 1;
      continue;
    }
    const start = at;
    let hasDigit = false;
    for (let code = first; isAlnum(code); code = folded.charCodeAt(at)) {
      if (code <= 57) hasDigit = true;
      at += 1;
    }
    if (hasDigit)
      atoms.push({ start, end: at, letterFirst: !isDigit(first), spread: at - start === 1 ? spreadAt(folded, start, ended) : 0 });
  }
  return atoms;
}

function marksOf(folded: string, atoms: readonly Atom[], ended: boolean): AtomMarks {
  const make = (): Int32Array => new Int32Array(atoms.length);
  const [digitFirst, letterFirst, joined, flags] = [make(), make(), make(), new Uint8Array(atoms.length)];
  for (let index = 0; index < atoms.length; index += 1) {
    const atom = atoms[index];
    if (atom === undefined) continue;
    const { start, end } = atom;
    (atom.letterFirst ? letterFirst : digitFirst)[index] = 1 << Math.min(end - start, 31);
    const sign = folded.charCodeAt(end);
    if (sign >= 32 && sign < 64 && isJoin(folded.charCodeAt(end + 1))) joined[index] = 1 << (sign - 32);
    const isOpen = end + 2 >= folded.length && !ended;
    const isLed = start > 1 && isUpper(folded.charCodeAt(start - 2));
    flags[index] = (atom.spread > 1 || isOpen || sign === 0x200b ? 1 : 0) + (isLed ? 2 : 0);
  }
  return { digitFirst, letterFirst, joined, flags };
}
const isJoin = (code: number): boolean => isAlnum(code) || code === 0x200b || code === 40;

/** Longest number that may be written digit by digit. */
const SPREAD_MAX = 40;

function spreadAt(folded: string, start: number, ended: boolean): number {
  const separator = folded.charCodeAt(start + 1);
  if (folded.charCodeAt(start - 1) === separator && isDigit(folded.charCodeAt(start - 2)) && !isAlnum(folded.charCodeAt(start - 3)))
    return 0;
  let at = start;
  let count = 1;
  while (
    count < SPREAD_MAX &&
    folded.charCodeAt(at + 1) === separator &&
    isDigit(folded.charCodeAt(at + 2)) &&
    !isAlnum(folded.charCodeAt(at + 3))
  ) {
    at += 2;
    count += 1;
  }
  return at + 3 >= folded.length && !ended ? SPREAD_MAX : count;
}

/** ASCII only, as are all of these. */
export const isDigit = (code: number): boolean => code >= 48 && code <= 57;
export const isLetter = (code: number): boolean => (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
export const isUpper = (code: number): boolean => code >= 65 && code <= 90;
export const isAlnum = (code: number): boolean => isDigit(code) || isLetter(code);

/** Index of the first atom that starts at or after `from`. */
export function firstAtom(atoms: readonly Atom[], from: number): number {
  let [low, high] = [0, atoms.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((atoms[middle]?.start ?? 0) < from) low = middle + 1;
    else high = middle;
  }
  return low;
}
