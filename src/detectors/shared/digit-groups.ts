import { INVISIBLE, isDigit } from "./text.ts";

/** A blank, `-`, `.`, `/`, a bracket, or invisible. */
export const isSeparator = (code: number): boolean =>
  code === 32 || (code >= 45 && code <= 47) || code === 40 || code === 41 || code === INVISIBLE;
/** ` - `, `) `, ` (`: so many that can be seen, each with one before and one behind it that cannot. */
const SEPARATORS_MAX = 3;
const SEPARATOR_CHARS_MAX = 3 * SEPARATORS_MAX;

/** Where what separates two groups ends that begins at `at`. */
export function separatorEnd(folded: string, at: number): number {
  let end = at;
  for (let seen = 0; end - at < SEPARATOR_CHARS_MAX; end += 1) {
    const code = folded.charCodeAt(end);
    if (!isSeparator(code) || (code !== INVISIBLE && ++seen > SEPARATORS_MAX)) break;
  }
  return end;
}

/**
 * Groups of digits with short separators between them, as numbers are written for people. One for all numbers of a text, from left to
 * right: a number may begin at each group of a row of them, so that each group is read once for all.
 */
export class Written {
  readonly #folded: string;
  readonly #digitsMax: number;
  /** Groups of the row that was read last, and where what may separate each from the next ends. */
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #nexts: number[] = [];
  /** Digits of the groups up to each. */
  readonly #sums: number[] = [];
  /** How many groups of the row are read, and whether no other follows. */
  #length = 0;
  #isWhole = true;
  /** Of the number: its first group, the digits before it, and how many groups there are. */
  #first = 0;
  #before = 0;
  #count = 0;

  constructor(folded: string, digitsMax: number) {
    this.#folded = folded;
    this.#digitsMax = digitsMax;
  }

  /** Reads groups from a digit on, until there are more than `digitsMax` digits or something else than a digit or separator stands there. */
  read(from: number): void {
    while (this.#first < this.#length && (this.#starts[this.#first] ?? 0) < from) this.#first += 1;
    if (this.#first >= this.#length || this.#starts[this.#first] !== from) {
      this.#first = 0;
      this.#length = 0;
      this.#isWhole = false;
      this.#nexts[0] = from;
    }
    this.#before = this.#first === 0 ? 0 : (this.#sums[this.#first - 1] ?? 0);
    this.#count = 0;
    while (this.digits <= this.#digitsMax && (this.#first + this.#count < this.#length || this.#readGroup())) this.#count += 1;
  }

  /** The next group of the row; false where there is none. */
  #readGroup(): boolean {
    if (this.#isWhole) return false;
    const [folded, index] = [this.#folded, this.#length];
    const start = (index === 0 ? this.#nexts[0] : this.#nexts[index - 1]) ?? 0;
    let at = start;
    while (at - start <= this.#digitsMax && isDigit(folded.charCodeAt(at))) at += 1;
    this.#isWhole = at === start;
    if (at === start) return false;
    this.#starts[index] = start;
    this.#ends[index] = at;
    this.#sums[index] = at - start + (index === 0 ? 0 : (this.#sums[index - 1] ?? 0));
    const next = separatorEnd(folded, at);
    this.#nexts[index] = next;
    this.#isWhole = next === at || next >= folded.length;
    this.#length += 1;
    return true;
  }

  /** Where reading ended: behind the last group and what may separate it from another. */
  get end(): number {
    return this.#nexts[this.#first + this.#count - 1] ?? 0;
  }

  get count(): number {
    return this.#count;
  }

  /** How many digits there are. */
  get digits(): number {
    return this.digitsOf(this.#count);
  }

  /** How many digits the first `count` groups have. */
  digitsOf(count: number): number {
    return count === 0 ? 0 : (this.#sums[this.#first + count - 1] ?? 0) - this.#before;
  }

  /** Where the first `count` groups end. */
  endOf(count: number): number {
    return this.#ends[this.#first + count - 1] ?? 0;
  }

  /** How many digits group `index` has. */
  sizeAt(index: number): number {
    return (this.#ends[this.#first + index] ?? 0) - (this.#starts[this.#first + index] ?? 0);
  }

  sizesOf(count: number): readonly number[] {
    const sizes: number[] = [];
    for (let index = 0; index < count; index += 1) sizes.push(this.sizeAt(index));
    return sizes;
  }

  /** The digits of the first `count` groups, without separators. */
  textOf(count: number): string {
    let text = "";
    for (let index = this.#first; index < this.#first + count; index += 1)
      text += this.#folded.slice(this.#starts[index], this.#ends[index]);
    return text;
  }

  /** The digit behind `index` others. */
  digitAt(index: number): number {
    let group = this.#first;
    while ((this.#sums[group] ?? Number.POSITIVE_INFINITY) - this.#before <= index) group += 1;
    return this.#folded.charCodeAt((this.#ends[group] ?? 0) - ((this.#sums[group] ?? 0) - this.#before - index)) - 48;
  }

  /** Whether every group has one digit. */
  get isSingle(): boolean {
    return this.digits === this.count;
  }

  /** What stands before group `index`, its first sign; a bracket counts as the sign behind it. */
  separatorAt(index: number): string {
    const [from, to] = [this.#ends[this.#first + index - 1] ?? 0, this.#starts[this.#first + index] ?? 0];
    let at = from;
    while (at < to && isBracket(this.#folded.charCodeAt(at))) at += 1;
    return from < to ? this.#folded.charAt(at < to ? at : from) : "";
  }
}

const isBracket = (code: number): boolean => code === 40 || code === 41;
