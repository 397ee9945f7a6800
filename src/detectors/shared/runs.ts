import { ATOM_CHARS_MAX, isAlnum, isDigit, isLetter } from "./text.ts";

/** Longest stretch that is told by runs, in letters and digits: a bit each. */
const UNITS_MAX = 31;
const INVISIBLE = 0x200b;
const NINE = 57;

/**
 * Runs of letters and digits from a place on, each joined to the next by one sign: that a shape does not fit is mostly seen from their
 * lengths alone. For one place at a time, which many finders ask about; read no further than they ask.
 */
export class Runs {
  readonly #folded: string;
  /** Text may come behind it. */
  readonly #isCut: boolean;
  #start = -1;
  #at = 0;
  #count = 0;
  #isPlain = true;
  /** Bit n: the unit behind n others is a letter. */
  #letters = 0;
  #isFree: boolean | undefined;
  /** Letters and digits up to the end of each run. */
  readonly #ends: number[] = [];
  /** Sign behind each run, where a run is behind that: U+0020 to U+003F; 0 for another or none. */
  readonly #signs: number[] = [];

  constructor(folded: string, ended: boolean) {
    this.#folded = folded;
    this.#isCut = !ended;
  }

  /**
   * Bit n: a run ends with n letters and digits since the start, all runs before it joined by such signs. It stops behind the first
   * run whose end is not in `groups`. 0 where lengths do not tell: the text is cut there, something invisible stands
   * there, or it is a number written digit by digit.
   */
  endsFrom(start: number, separators: number, groups: number): number {
    if (start !== this.#start) {
      this.#start = start;
      this.#at = start;
      this.#count = 0;
      this.#isPlain = true;
      this.#letters = 0;
      this.#isFree = undefined;
    }
    let bits = 0;
    for (let index = 0; ; index += 1) {
      if (index === this.#count) this.#readRun();
      if (!this.#isPlain) return 0;
      const end = this.#ends[index] ?? 0;
      if (end > UNITS_MAX) return bits;
      bits |= 1 << end;
      const sign = this.#signs[index] ?? 0;
      if ((groups & (1 << end)) === 0 || sign === 0 || ((separators >>> (sign - 32)) & 1) === 0) return bits;
    }
  }

  /** Whether what begins at the start asked for last stands alone. */
  get isFree(): boolean {
    this.#isFree ??= isFreeAt(this.#folded, this.#start);
    return this.#isFree;
  }

  /** Where a shape ends that begins at the start asked for last, with the ends that it gave; -1 where it does not fit. */
  endOf({ whole, groups, digits, letters, units }: RunShape, ends: number): number {
    if ((ends & whole) === 0 || (ends & (whole - 1) & ~groups) !== 0) return -1;
    if ((this.#letters & digits) !== 0 || (~this.#letters & letters) !== 0) return -1;
    let index = 0;
    while (index < this.#count && this.#ends[index] !== units) index += 1;
    return this.#start + units + index;
  }

  #readRun(): void {
    const folded = this.#folded;
    let units = this.#count === 0 ? 0 : (this.#ends[this.#count - 1] ?? 0);
    let at = this.#at;
    let code = folded.charCodeAt(at);
    while (isAlnum(code) && units <= UNITS_MAX) {
      if (code > NINE) this.#letters |= 1 << units;
      at += 1;
      units += 1;
      code = folded.charCodeAt(at);
    }
    const next = folded.charCodeAt(at + 1);
    this.#ends[this.#count] = units;
    const isJoined = code >= 32 && code < 64 && isAlnum(next);
    this.#signs[this.#count] = isJoined ? code : 0;
    this.#count += 1;
    this.#at = at + 1;
    const isSpread = this.#count === 1 && units === 1 && isJoined && !isAlnum(folded.charCodeAt(at + 2));
    if (isSpread || code === INVISIBLE || next === INVISIBLE || (this.#isCut && at + 2 >= folded.length)) this.#isPlain = false;
  }
}

/** A shape as `Runs` tells it: bits for the ends that its runs may have and for its own; for the units that must be digits and letters. */
export interface RunShape {
  readonly groups: number;
  readonly whole: number;
  readonly digits: number;
  readonly letters: number;
  /** How many units it has. */
  readonly units: number;
}

/** `undefined` where runs do not tell (brackets, very long ones). */
export function runShapeOf(shape: string): RunShape | undefined {
  const units = unitsOf(shape);
  if (units > UNITS_MAX || shape.includes("(")) return undefined;
  let [groups, digits, letters, at] = [0, 0, 0, 0];
  for (const unit of `${shape} `) {
    if (unit === " ") groups |= 1 << at;
    else {
      if (unit === "9") digits |= 1 << at;
      if (unit === "A") letters |= 1 << at;
      at += 1;
    }
  }
  return { groups, whole: 1 << units, digits, letters, units };
}

/** Letters and digits of a shape. */
export const unitsOf = (shape: string): number => shape.replaceAll(/[ ()]/g, "").length;

const MINUS = 45;
const STOP = 46;
/** `$ + £ ¥ € ₹ ₽`. */
const isMoney = (code: number): boolean =>
  code === 36 || code === 43 || code === 0xa3 || code === 0xa5 || code === 0x20ac || code === 0x20b9 || code === 0x20bd;

/** Does nothing before it belong to it: no letter or digit, no number joined by a sign, no sign of money? */
export function isFreeAt(folded: string, start: number): boolean {
  const sign = folded.charCodeAt(start - 1);
  if (isAlnum(sign) || isMoney(sign)) return false;
  if (sign !== MINUS && sign !== STOP && sign !== INVISIBLE) return true;
  for (let at = start - 2; at >= 0 && at > start - 2 - ATOM_CHARS_MAX; at -= 1) {
    const code = folded.charCodeAt(at);
    if (isDigit(code)) return false;
    if (!isLetter(code)) return true;
  }
  return true;
}
