import assert from "node:assert/strict";
import { LEAD_CHARS_MAX } from "./text.ts";

/** Signs from U+0020 to U+003F, a bit each. */
export type Separators = number;
export const separatorsOf = (signs: string): Separators => [...signs].reduce((bits, sign) => bits | (1 << (sign.charCodeAt(0) - 32)), 0);
export const isIn = (separators: Separators, code: number): boolean => code >= 32 && code < 64 && ((separators >>> (code - 32)) & 1) === 1;

/** Kinds of units that stand in a text; a bracket is one too. */
export const DIGIT = 0;
export const LETTER = 1;
export const OPENING = 2;
export const CLOSING = 3;
const KINDS = 4;
/** Signs that may be separators: U+0020 to U+003F. */
const SIGNS = 32;
/** Longest shape, in its units. An IBAN has 34 at most (ISO 13616). */
export const UNITS_MAX = 36;
const PLACES = UNITS_MAX + 1;
/** Row of a run of so many units of a kind from a place on. */
export const runRow = (kind: number, place: number, length: number): number => (kind * PLACES + place) * PLACES + length;
/** Row of a sign before the unit at a place. */
export const jointRow = (sign: number, place: number): number => (sign - 32) * PLACES + place;

/** A shape of a finder. */
export interface Shape {
  /** As `ShapeSpec` has it. */
  readonly form: string;
  readonly separators: Separators;
  /** Most capitals before the first digit that its finder looks at. */
  readonly lead: number;
}

/**
 * Many shapes as tables of bits, one bit a shape in words of 32: what of all shapes is still possible behind each unit of a text is known
 * by a few ANDs, however many shapes there are.
 */
export class ShapeTable {
  /** Words of a row. */
  readonly words: number;
  /** See `runRow`: shapes that may have a run of units of one kind there. */
  readonly runs: Int32Array;
  /** Row by place: shapes with a border before the unit there. */
  readonly borders: Int32Array;
  /** Row `sign * PLACES + place`, the sign less 32: shapes with a border there that such a sign may be at. */
  readonly joints: Int32Array;
  /** Row by count of units: shapes that have so many. */
  readonly ends: Int32Array;
  /** Row by sign, less 32: shapes whose groups it may separate. */
  readonly signs: Int32Array;
  /** Row by capitals before the first digit: shapes that may begin with so many. */
  readonly leads: Int32Array;

  readonly #counts: Uint8Array;

  constructor(shapes: readonly Shape[]) {
    this.words = Math.ceil(shapes.length / 32);
    const parts = shapes.map(({ form }) => partsOf(form));
    this.#counts = Uint8Array.from(parts, ({ units }) => units.length);
    const table = (rows: number, has: (shape: number, row: number) => boolean): Int32Array => {
      const bits = new Int32Array(rows * this.words);
      for (let row = 0; row < rows; row += 1)
        for (let shape = 0; shape < shapes.length; shape += 1) {
          const place = row * this.words + (shape >> 5);
          if (has(shape, row)) bits[place] = (bits[place] ?? 0) | (1 << (shape & 31));
        }
      return bits;
    };
    const fit = (shape: number, place: number, kind: number): boolean => fits(parts[shape]?.units.charAt(place) ?? "", kind);
    this.runs = table(KINDS * PLACES * PLACES, (shape, row) => {
      const [length, place, kind] = [row % PLACES, Math.floor(row / PLACES) % PLACES, Math.floor(row / PLACES / PLACES)];
      for (let unit = 0; unit < length; unit += 1) if (!fit(shape, place + unit, kind)) return false;
      return true;
    });
    const isBorder = (shape: number, place: number): boolean => parts[shape]?.borders.has(place) ?? false;
    const isSign = (shape: number, sign: number): boolean => isIn(shapes[shape]?.separators ?? 0, sign);
    this.borders = table(PLACES, isBorder);
    this.joints = table(SIGNS * PLACES, (shape, row) => isSign(shape, 32 + Math.floor(row / PLACES)) && isBorder(shape, row % PLACES));
    this.ends = table(PLACES, (shape, count) => parts[shape]?.units.length === count);
    this.signs = table(SIGNS, (shape, sign) => isSign(shape, sign + 32));
    this.leads = table(LEAD_CHARS_MAX + 1, (shape, letters) => (shapes[shape]?.lead ?? 0) >= letters);
  }

  /** How many units a shape has, brackets included. */
  countOf(shape: number): number {
    return this.#counts[shape] ?? 0;
  }
}

/** A form's units, and before which of them there is a border. */
function partsOf(form: string): { readonly units: string; readonly borders: ReadonlySet<number> } {
  const borders = new Set<number>();
  let units = "";
  for (const unit of form) {
    if (unit === " ") borders.add(units.length);
    else units += unit;
  }
  assert(units.length <= UNITS_MAX, "a shape has no more units than tables have places");
  return { units, borders };
}

const FITS: Readonly<Record<string, readonly number[]>> = {
  "9": [DIGIT],
  A: [LETTER],
  X: [DIGIT, LETTER],
  "(": [OPENING],
  ")": [CLOSING],
};
const fits = (unit: string, kind: number): boolean => FITS[unit]?.includes(kind) ?? false;
