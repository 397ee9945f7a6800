/**
 * Checksums of numbers that are found and of stand-ins that are made. Digits are ASCII. Every `...CheckDigit` takes the number
 * without it; what belongs to one country's number alone stands in its detector.
 */

/** Value of a digit, or of a letter as `A` = 10 ... `Z` = 35 (ISO 7064). */
export const valueAt = (text: string, index: number): number => {
  const code = text.charCodeAt(index);
  return code <= 57 ? code - 48 : (code & 31) + 9;
};

/** Sum of the digits, each times its weight. */
export function weighted(text: string, weights: readonly number[]): number {
  let sum = 0;
  for (let index = 0; index < weights.length; index += 1) sum += valueAt(text, index) * (weights[index] ?? 0);
  return sum;
}

/** The same of values. */
export function weightedOf(values: Uint8Array, weights: readonly number[]): number {
  let sum = 0;
  for (let index = 0; index < weights.length; index += 1) sum += (values[index] ?? 0) * (weights[index] ?? 0);
  return sum;
}

/** All of one digit: passes many checksums and is nobody's number. */
export function isOneDigit(digits: string): boolean {
  const first = digits.charCodeAt(0);
  for (let index = 1; index < digits.length; index += 1) if (digits.charCodeAt(index) !== first) return false;
  return first >= 48 && first <= 57;
}

/** How many digits a code has. */
export function digitsIn(code: string): number {
  let count = 0;
  for (let index = 0; index < code.length; index += 1) if (code.charCodeAt(index) >= 48 && code.charCodeAt(index) <= 57) count += 1;
  return count;
}

/** Values of the digits and letters of a text. */
function valuesOf(text: string): readonly number[] {
  const values: number[] = [];
  for (let index = 0; index < text.length; index += 1) values.push(valueAt(text, index));
  return values;
}

/** ISO/IEC 7812-1 annex B: every second digit from the right counts double, less 9 past 9. `isDoubled`: the last one too. */
function luhnSum(values: ArrayLike<number>, count: number, isDoubled: boolean): number {
  let sum = 0;
  for (let index = count - 1, double = isDoubled; index >= 0; index -= 1, double = !double) {
    const value = values[index] ?? 0;
    sum += double ? (value > 4 ? value * 2 - 9 : value * 2) : value;
  }
  return sum;
}
export const luhnCheckDigit = (digits: string): number => (10 - (luhnSum(valuesOf(digits), digits.length, true) % 10)) % 10;
export const isLuhn = (digits: string): boolean => isLuhnOf(valuesOf(digits), digits.length);
/** The same of the first `count` values. */
export const isLuhnOf = (values: ArrayLike<number>, count: number): boolean => luhnSum(values, count, false) % 10 === 0;

/** ISO 7064 MOD 97-10 of digits and letters. */
export function mod97(text: string): number {
  let rest = 0;
  for (let index = 0; index < text.length; index += 1) {
    const value = valueAt(text, index);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest;
}

/** ISO 7064 MOD 11,10 (German tax id, Croatian OIB). */
export function mod11_10CheckDigit(digits: string): number {
  let product = 10;
  for (let index = 0; index < digits.length; index += 1) {
    const sum = (product + valueAt(digits, index)) % 10;
    product = ((sum === 0 ? 10 : sum) * 2) % 11;
  }
  return (11 - product) % 10;
}

/** ISO 7064 MOD 11-2 (Chinese resident id): `0` to `9` or `X`. */
export function mod11_2CheckDigit(digits: string): string {
  let rest = 0;
  for (let index = 0; index < digits.length; index += 1) rest = ((rest + valueAt(digits, index)) * 2) % 11;
  const check = (12 - rest) % 11;
  return check === 10 ? "X" : String(check);
}

/** J. Verhoeff, Error Detecting Decimal Codes, 1969 (Aadhaar): the dihedral group of order 10. */
export function verhoeffCheckDigit(digits: string): number {
  let rest = 0;
  for (let index = 0; index < digits.length; index += 1)
    rest = dihedral(rest, permuted(valueAt(digits, digits.length - 1 - index), index + 1));
  return rest < 5 && rest > 0 ? 5 - rest : rest;
}
export const isVerhoeff = (digits: string): boolean => verhoeffCheckDigit(digits.slice(0, -1)) === valueAt(digits, digits.length - 1);

/** Rotations are 0 to 4, reflections 5 to 9. */
function dihedral(a: number, b: number): number {
  if (a < 5) return b < 5 ? (a + b) % 5 : 5 + ((a + b - 5) % 5);
  return b < 5 ? 5 + ((a - 5 - b + 5) % 5) : (a - b + 5) % 5;
}
const PERMUTATION = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4] as const;
/** By how often it was done, modulo 8, and by digit. */
const PERMUTED: readonly (readonly number[])[] = Array.from({ length: 8 }, (_, times) =>
  PERMUTATION.map((_, digit) => Array.from({ length: times }).reduce((value: number) => PERMUTATION[value] ?? 0, digit)),
);
const permuted = (value: number, times: number): number => PERMUTED[times % 8]?.[value] ?? 0;

/** A day that there was or will be; `year` in full. */
export function isDate(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day <= (month === 2 ? (leap ? 29 : 28) : month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31);
}
/** Month and day of a date whose century is not known. */
export const isDayOf = (month: number, day: number): boolean => isDate(2000, month, day);
