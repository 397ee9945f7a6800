import type { Atom, ScanText, Worded } from "../../core/detector.ts";
import { after, before, withoutCutWord, wordsOf } from "./context.ts";

/** Longest run of letters and digits that is looked at as a number or a code, in UTF-16 units. Longer ones are hashes and encodings. */
export const ATOM_CHARS_MAX = 64;

/** Most capitals that may stand, with a separator, before the first digit of a code (`AB 12 34 56 C`, `RSSMRA 85T10 A562S`). */
export const LEAD_CHARS_MAX = 6;

/** The zeros of other scripts in the basic plane, each with nine digits behind it. Source: Unicode 17, DerivedGeneralCategory (Nd). */
const DIGIT_ZEROS: readonly number[] = [
  0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040,
  0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50,
  0xabf0,
];
/** By code, the digits of other scripts. */
const DIGITS: ReadonlyMap<number, string> = new Map(
  DIGIT_ZEROS.flatMap((zero) => Array.from("0123456789", (digit, value): [number, string] => [zero + value, digit])),
);
const hex = (code: number): string => `\\u${code.toString(16).padStart(4, "0")}`;
const OTHER_DIGITS = DIGIT_ZEROS.map((zero) => `${hex(zero)}-${hex(zero + 9)}`).join("");
/**
 * Soft hyphens, joiners, marks of direction, variation selectors, fillers. Beyond the basic plane: tags and more variation selectors.
 * Source: Unicode 17, Default_Ignorable_Code_Point.
 */
const UNSEEN =
  "\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0";
/** Mathematical letters and digits, digits of old terminals, tags: pairs of units. */
const PAIRS = "\\ud835[\\udc00-\\udea3\\udfce-\\udfff]|\\ud83e[\\udff0-\\udff9]|\\udb40[\\udc00-\\uddef]";
const SPACES_AND_DASHES = "\\u00a0\\u1680\\u2000-\\u200a\\u2010-\\u2015\\u202f\\u205f\\u2212\\u3000\\ufe58\\ufe63\\uff0d";
/**
 * Characters that have a plainer form of as many units: the digits of other scripts, full-width forms (U+FF01 to U+FF5E), mathematical
 * letters and digits, kinds of space, dashes, and invisible characters.
 * Source: Unicode 17, DerivedGeneralCategory (Nd, Zs, Pd); the blocks of full-width forms and mathematical alphanumeric symbols.
 */
const UNUSUAL = new RegExp(`[${SPACES_AND_DASHES}${UNSEEN}${OTHER_DIGITS}\\uff01-\\uff5e]|${PAIRS}`, "g");
const ALL_UNSEEN = new RegExp(`[${UNSEEN}]`);
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

function plain(unusual: string): string {
  if (unusual.length === 2) return plainPair(unusual);
  const code = unusual.charCodeAt(0);
  if (code >= 0xff01 && code <= 0xff5e) return String.fromCharCode(code - 0xfee0);
  const digit = DIGITS.get(code);
  if (digit !== undefined) return digit;
  if ((code >= 0x2010 && code <= 0x2015) || code === 0x2212 || code === 0xfe58 || code === 0xfe63) return "-";
  return ALL_UNSEEN.test(unusual) ? INVISIBLE_SIGN : " ";
}

/** What they are is seen in the second unit. Thirteen alphabets of 26 capitals and 26 small letters, then five rows of digits. */
function plainPair(pair: string): string {
  const low = pair.charCodeAt(1);
  if (pair.charCodeAt(0) === 0xdb40) return INVISIBLE_SIGN + INVISIBLE_SIGN;
  if (pair.charCodeAt(0) === 0xd83e) return INVISIBLE_SIGN + String(low - 0xdff0);
  if (low >= 0xdfce) return INVISIBLE_SIGN + String((low - 0xdfce) % 10);
  const letter = (low - 0xdc00) % 52;
  return INVISIBLE_SIGN + String.fromCharCode(letter < 26 ? 65 + letter : 71 + letter);
}

const EVERY_UNSEEN = new RegExp(`[${UNSEEN}]|\\udb40[\\udc00-\\uddef]`, "g");
/** A text without what is not seen. */
export const withoutUnseen = (text: string): string => text.replaceAll(EVERY_UNSEEN, "");

/** A text with the digits of all scripts as ASCII. */
export const withPlainDigits = (text: string): string =>
  text.replaceAll(/\p{Nd}/gu, (digit) => (digit < "\u0080" ? digit : fold(digit).replace(INVISIBLE_SIGN, "")));

/** Of blanks and signs; `%2B` is left for phone numbers. */
const ESCAPE = /%(?:0[9ad]|2[0-9ac-f]|3[a-f]|40|5[b-f]|60|7[b-e])/gi;
/** That does not break, as pages have it between groups of digits. */
export const BLANK_IN_HTML: RegExp = /&(?:nbsp|#160|#xa0);/gi;
/** Quotes, as they stand in attributes of HTML. */
const QUOTE_IN_HTML = /&(?:quot|apos|#0?3[49]|#x2[27]);/gi;
/** A tab or the end of a line between two digits. */
const BREAK_IN_DIGITS = /(?:\t|\r?\n)(?=[0-9])/g;
/** What may become one of these. */
const OPEN_ESCAPE = /(?:%[0-9a-f]?|&(?:[a-z]{1,4}|#x?[0-9a-f]{0,3})?|[0-9](?:\t|\r?\n|\r))$/i;
const OPEN_CHARS_MAX = 6;
/** Stands for such a break, which parts a number for those alone that say so: a sign that nobody writes between digits. */
export const BREAK_SIGN = "?";
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
    let plain = folded;
    if (plain.includes("%")) plain = plain.replace(ESCAPE, (coded) => `${INVISIBLE_SIGN}${signOf(coded)}${INVISIBLE_SIGN}`);
    if (plain.includes("&"))
      plain = plain
        .replace(BLANK_IN_HTML, (coded) => " ".padEnd(coded.length, INVISIBLE_SIGN))
        .replace(QUOTE_IN_HTML, (coded) => (/34|22|q/i.test(coded) ? '"' : "'").padEnd(coded.length, INVISIBLE_SIGN));
    if (this.hasDigit && (plain.includes("\n") || plain.includes("\t")))
      plain = plain.replace(BREAK_IN_DIGITS, (broken, at: number) =>
        isDigit(plain.charCodeAt(at - 1)) ? BREAK_SIGN.padEnd(broken.length, INVISIBLE_SIGN) : broken,
      );
    const mayBeOpen =
      !this.ended && (plain !== folded || plain.includes("%") || plain.includes("&") || plain.charCodeAt(plain.length - 1) < 32);
    const open = mayBeOpen ? OPEN_ESCAPE.exec(plain.slice(-OPEN_CHARS_MAX)) : null;
    const cut = open === null ? 0 : open[0].length - (isDigit(open[0].charCodeAt(0)) ? 1 : 0);
    const whole = cut === 0 ? plain : plain.slice(0, plain.length - cut);
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
