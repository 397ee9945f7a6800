import { isDigit } from "./text.ts";

/** A blank, `-`, `.`, `/`, a bracket, or invisible. */
export const isSeparator = (code: number): boolean =>
  code === 32 || (code >= 45 && code <= 47) || code === 40 || code === 41 || code === 0x200b;
/** ` - `, `) `, ` (`. */
export const SEPARATOR_CHARS_MAX = 3;

/** Groups of digits with short separators between them, as numbers are written for people. One for all numbers of a text, each read in its turn. */
export class Written {
  readonly #folded: string;
  readonly #digitsMax: number;
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  /** Digits of the groups up to each. */
  readonly #sums: number[] = [];
  #count = 0;
  #end = 0;

  constructor(folded: string, digitsMax: number) {
    this.#folded = folded;
    this.#digitsMax = digitsMax;
  }

  /** Reads groups from a digit on, until there are more than `digitsMax` digits or something else than a digit or separator stands there. */
  read(from: number): void {
    const [folded, digitsMax] = [this.#folded, this.#digitsMax];
    let [at, digits] = [from, 0];
    this.#count = 0;
    while (digits <= digitsMax) {
      const start = at;
      while (at - start <= digitsMax && isDigit(folded.charCodeAt(at))) at += 1;
      if (at === start) break;
      digits += at - start;
      this.#starts[this.#count] = start;
      this.#ends[this.#count] = at;
      this.#sums[this.#count] = digits;
      this.#count += 1;
      let signs = 0;
      while (signs < SEPARATOR_CHARS_MAX && isSeparator(folded.charCodeAt(at + signs))) signs += 1;
      if (signs === 0) break;
      at += signs;
      if (at >= folded.length) break;
    }
    this.#end = at;
  }

  /** Where reading ended: behind the last group and what may separate it from another. */
  get end(): number {
    return this.#end;
  }

  get count(): number {
    return this.#count;
  }

  /** How many digits there are. */
  get digits(): number {
    return this.#count === 0 ? 0 : (this.#sums[this.#count - 1] ?? 0);
  }

  /** How many digits the first `count` groups have. */
  digitsOf(count: number): number {
    return this.#sums[count - 1] ?? 0;
  }

  /** Where the first `count` groups end. */
  endOf(count: number): number {
    return this.#ends[count - 1] ?? 0;
  }

  /** How many digits group `index` has. */
  sizeAt(index: number): number {
    return (this.#ends[index] ?? 0) - (this.#starts[index] ?? 0);
  }

  sizesOf(count: number): readonly number[] {
    const sizes: number[] = [];
    for (let index = 0; index < count; index += 1) sizes.push(this.sizeAt(index));
    return sizes;
  }

  /** The digits of the first `count` groups, without separators. */
  textOf(count: number): string {
    let text = "";
    for (let index = 0; index < count; index += 1) text += this.#folded.slice(this.#starts[index], this.#ends[index]);
    return text;
  }

  get startsWithZero(): boolean {
    return this.#folded.charCodeAt(this.#starts[0] ?? 0) === 48;
  }

  /** Whether every group has one digit. */
  get isSingle(): boolean {
    return this.digits === this.count;
  }

  /** What stands before group `index`, its first sign; a bracket counts as the sign behind it. */
  separatorAt(index: number): string {
    const [from, to] = [this.#ends[index - 1] ?? 0, this.#starts[index] ?? 0];
    let at = from;
    while (at < to && isBracket(this.#folded.charCodeAt(at))) at += 1;
    return from < to ? this.#folded.charAt(at < to ? at : from) : "";
  }
}

const isBracket = (code: number): boolean => code === 40 || code === 41;
