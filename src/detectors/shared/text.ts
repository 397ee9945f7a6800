import type { Atom, ScanText } from "../../core/detector.ts";

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
    this.#atoms ??= atomsOf(this.folded, this.#from);
    return this.#atoms;
  }
}

/** Runs with a digit. Each is found by its first digit and then widened to the left, at most back to the run before: linear. */
function atomsOf(folded: string, from: number): Atom[] {
  const atoms: Atom[] = [];
  const fromFirstDigit = /[0-9][0-9A-Za-z]*/g;
  fromFirstDigit.lastIndex = from;
  let before = Math.max(0, from - ATOM_CHARS_MAX);
  for (let match = fromFirstDigit.exec(folded); match !== null; match = fromFirstDigit.exec(folded)) {
    const end = fromFirstDigit.lastIndex;
    let start = match.index;
    while (start > before && isAlnum(folded.charCodeAt(start - 1))) start -= 1;
    atoms.push({ start, end });
    before = end;
  }
  return atoms;
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
