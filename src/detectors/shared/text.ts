import type { Atom, ScanText, Worded } from "../../core/detector.ts";
import { after, before, withoutCutWord, wordsOf } from "./context.ts";

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

/** Stands for every sign that is not seen in folded text. */
export const INVISIBLE = 0x200b;
export const INVISIBLE_SIGN = "\u200b";

/** The text in plain forms, unit by unit; see `ScanText.folded`. */
export function fold(text: string): string {
  if (BEYOND_ASCII.test(text)) return text.replace(UNUSUAL, plain);
  // One piece of memory: V8 reads each unit of a slice or a sum of texts by a detour, half as fast.
  return text.length < FLAT_FROM ? text : Buffer.from(text, "latin1").toString("latin1");
}
/** Shorter texts are not worth a copy, in UTF-16 units. */
const FLAT_FROM = 1024;

const DIGIT_ZEROS: readonly number[] = [0x660, 0x6f0, 0x966, 0x9e6, 0xe50];

function plain(unusual: string): string {
  const code = unusual.charCodeAt(0);
  if (code >= 0xff01 && code <= 0xff5e) return String.fromCharCode(code - 0xfee0);
  for (const zero of DIGIT_ZEROS) if (code >= zero && code <= zero + 9) return String(code - zero);
  if ((code >= 0x2010 && code <= 0x2015) || code === 0x2212 || code === 0xfe58 || code === 0xfe63) return "-";
  if (code === 0xad || (code >= 0x200b && code <= 0x200d) || code === 0x2060 || code === 0xfeff) return INVISIBLE_SIGN;
  return " ";
}

/** Of blanks and signs; `%2B` is left for phone numbers. */
const ESCAPE = /%(?:0[9ad]|2[0-9ac-f]|3[a-f]|40|5[b-f]|60|7[b-e])/gi;
/** That does not break, as pages have it between groups of digits. */
export const BLANK_IN_HTML: RegExp = /&(?:nbsp|#160|#xa0);/gi;
/** What may become one of these. */
const OPEN_ESCAPE = /(?:%[0-9a-f]?|&(?:n|nb|nbs|nbsp|#|#1|#16|#160|#x|#xa|#xa0)?)$/i;
const OPEN_CHARS_MAX = 5;
function signOf(coded: string): string {
  const code = Number.parseInt(coded.slice(1), 16);
  return code < 32 ? " " : String.fromCharCode(code);
}

const DIGIT = /[0-9]/;
const NO_ATOMS: readonly Atom[] = [];

/** Text to scan. `ended`: no more will come behind it. */
export class Scanned implements ScanText {
  readonly text: string;
  readonly ended: boolean;
  readonly #from: number;
  #folded: string | undefined;
  #hasDigit: boolean | undefined;
  #atoms: readonly Atom[] | undefined;
  /** Made when words are first asked for: most pieces of a stream have none that count. */
  #ahead: Map<number, Worded> | undefined;
  #behind: Map<number, Worded | undefined> | undefined;
  #unescaped: ScanText | undefined;

  /** Atoms that end at or before `from` are left out: nobody asks for them any more. `folded`: where that is known. */
  constructor(text: string, ended: boolean, from = 0, folded?: string) {
    this.text = text;
    this.ended = ended;
    this.#from = from;
    this.#folded = folded;
  }

  get unescaped(): ScanText {
    this.#unescaped ??= this.#withoutEscapes();
    return this.#unescaped;
  }

  #withoutEscapes(): ScanText {
    const { folded } = this;
    if (!folded.includes("%") && !folded.includes("&")) return this;
    const plain = folded
      .replace(ESCAPE, (coded) => `${INVISIBLE_SIGN}${signOf(coded)}${INVISIBLE_SIGN}`)
      .replace(BLANK_IN_HTML, (coded) => " ".padEnd(coded.length, INVISIBLE_SIGN));
    const open = this.ended ? undefined : OPEN_ESCAPE.exec(plain.slice(-OPEN_CHARS_MAX));
    const whole = open === undefined || open === null ? plain : plain.slice(0, plain.length - open[0].length);
    return whole === folded ? this : new Scanned(this.text, this.ended, this.#from, whole);
  }

  get folded(): string {
    this.#folded ??= fold(this.text);
    return this.#folded;
  }

  /** Whether a digit stands at or after `from`. */
  get hasDigit(): boolean {
    this.#hasDigit ??= DIGIT.test(this.#from === 0 ? this.folded : this.folded.slice(this.#from));
    return this.#hasDigit;
  }

  get atoms(): readonly Atom[] {
    this.#atoms ??= this.hasDigit ? atomsOf(this.folded, this.#from) : NO_ATOMS;
    return this.#atoms;
  }

  wordsBefore(start: number): Worded {
    this.#ahead ??= new Map();
    const known = this.#ahead.get(start);
    if (known !== undefined) return known;
    const made = wordsOf(before(this.folded, start));
    this.#ahead.set(start, made);
    return made;
  }

  wordsAfter(end: number): Worded | undefined {
    this.#behind ??= new Map();
    if (this.#behind.has(end)) return this.#behind.get(end);
    const text = after(this.folded, end, this.ended);
    const made = text === undefined ? undefined : wordsOf(withoutCutWord(text));
    this.#behind.set(end, made);
    return made;
  }
}

/** Runs with a digit that reach beyond `from`. Looked for by their first digit, as most of a text has none. */
function atomsOf(folded: string, from: number): Atom[] {
  const atoms: Atom[] = [];
  let least = from;
  while (least > 0 && from - least <= ATOM_CHARS_MAX && isAlnum(folded.charCodeAt(least - 1))) least -= 1;
  const digits = /[0-9]/g;
  for (let at = least; at < folded.length; at += 1) {
    // The next digit is mostly near, or far: then the expression is faster than the loop.
    const near = Math.min(folded.length, at + NEAR_CHARS);
    while (at < near && !isDigit(folded.charCodeAt(at))) at += 1;
    if (at === near) {
      digits.lastIndex = near;
      if (!digits.test(folded)) break;
      at = digits.lastIndex - 1;
    }
    let start = at;
    while (start > least && isAlnum(folded.charCodeAt(start - 1))) start -= 1;
    while (isAlnum(folded.charCodeAt(at))) at += 1;
    atoms.push({ start, end: at, letterFirst: !isDigit(folded.charCodeAt(start)) });
    least = at;
  }
  return atoms;
}

const NEAR_CHARS = 24;

/** ASCII only, as are all of these. */
export const isDigit = (code: number): boolean => code >= 48 && code <= 57;
export const isLetter = (code: number): boolean => (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
export const isUpper = (code: number): boolean => code >= 65 && code <= 90;
export const isAlnum = (code: number): boolean => {
  // In small letters: one comparison the less, of nearly every unit of a text.
  const small = code | 32;
  return (small >= 97 && small <= 122) || (code >= 48 && code <= 57);
};

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
