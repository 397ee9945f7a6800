import { ALNUM, DOTS, isIn, runEnd, startsWord } from "./alphabets.ts";
import type { SecretEntity } from "./entities.ts";
import { entropyOf, isFilledShape } from "./randomness.ts";
import { RANK_SHAPE, type Sink } from "./sink.ts";

/** A stretch of one alphabet. */
export interface Run {
  readonly of: number;
  readonly min: number;
  readonly max: number;
}
export const run = (of: number, min: number, max = min): Run => ({ of, min, max });
/** `=` at the end of base64, as many as there are; some writers put one too many. */
export const padding = (of: number): Run => ({ of, min: 0, max: 3 });

/** One kind of token, by its published shape: a row of the tables in `tables/`. */
export interface Shape {
  /** Whose token it is; for readers and tests. */
  readonly name: string;
  readonly entity: SecretEntity;
  /** What it begins with; two characters or more, so that they can be looked up. */
  readonly prefix: string;
  /** What follows, in order: literals and runs, each as long as can be. */
  readonly parts: readonly (string | Run)[];
  /** Says more than alphabets can: a checksum, something inside. Gives the score, 0 for no. */
  readonly check?: (token: string) => number;
  /** Least entropy of what follows the prefix, bits a character. Default 2.5. */
  readonly entropyMin?: number;
  /** How sure its shape makes it, 1 by default; less where the prefix is short. */
  readonly score?: number;
  /** The shape is so rare in texts that one filled with `xxxx` counts too, less surely. */
  readonly filledToo?: true;
  /** Begins inside an address, behind a `.` or `/`; else a token that may hold `.` or `-` does not begin behind one. */
  readonly inAddress?: true;
  /** Does not count as a part of a path, an address or a longer name. */
  readonly standsAlone?: true;
}

const ENTROPY_MIN = 2.5;
const FILLED_SCORE = 0.6;

interface Row extends Shape {
  /** Alphabet of the whole behind the prefix: none of it may stand before a token, so that a long run holds one place to begin. */
  readonly alphabet: number;
  readonly lastAlphabet: number;
  /** Third and fourth unit of the prefix, by which most rows of one beginning are left; 0 where it has none. */
  readonly third: number;
  readonly fourth: number;
}

/** Rows by their first two characters: `lists[heads[key]]`; 0 for no row. */
export interface ShapeTable {
  readonly heads: Uint16Array;
  readonly lists: readonly (readonly Row[])[];
}

export function compileShapes(shapes: readonly Shape[]): ShapeTable {
  const heads = new Uint16Array(128 * 128);
  const lists: Row[][] = [[]];
  for (const shape of shapes) {
    const runs = shape.parts.filter((part): part is Run => typeof part !== "string");
    const alphabet = runs.reduce((all, { of }) => all | of, 0);
    const row: Row = {
      ...shape,
      alphabet,
      lastAlphabet: runs.at(-1)?.of ?? ALNUM,
      third: unitAt(shape.prefix, 2),
      fourth: unitAt(shape.prefix, 3),
    };
    const key = keyAt(shape.prefix, 0);
    const index = heads[key] ?? 0;
    if (index === 0) {
      heads[key] = lists.length;
      lists.push([row]);
    } else lists[index]?.push(row);
  }
  return { heads, lists };
}

const unitAt = (prefix: string, at: number): number => prefix.codePointAt(at) ?? 0;
const keyAt = (text: string, at: number): number => (text.charCodeAt(at) << 7) | text.charCodeAt(at + 1);

/** Looks for a token that begins at `at`. */
export function matchShapes(sink: Sink, table: ShapeTable, at: number): void {
  const { text } = sink;
  if (at + 1 >= text.length) {
    sink.pending(at);
    return;
  }
  const index = text.charCodeAt(at + 1) < 128 ? (table.heads[keyAt(text, at)] ?? 0) : 0;
  if (index === 0 || !startsWord(text, at)) return;
  for (const row of table.lists[index] ?? []) matchRow(sink, row, at);
}

/** Signs that may stand before a token although its alphabet has them: `=` of an assignment, `/` of a path, `+`. */
const GLUE = /[-.]/;

function matchRow(sink: Sink, row: Row, at: number): void {
  const { text } = sink;
  if (row.third !== 0 && at + 2 < text.length && text.charCodeAt(at + 2) !== row.third) return;
  if (row.fourth !== 0 && at + 3 < text.length && text.charCodeAt(at + 3) !== row.fourth) return;
  if (at + row.prefix.length < text.length && !text.startsWith(row.prefix, at)) return;
  const before = text.charAt(at - 1);
  if (row.inAddress !== true && GLUE.test(before) && isIn(text, at - 1, row.alphabet)) return;
  if (row.standsAlone === true && /[./\\@#+~$&*-]/.test(before)) return;
  const end = endOf(sink, row, at);
  if (end === -1) return;
  const behind = sink.isBeyond(end, at) ? Number.NaN : text.charCodeAt(end);
  if (!Number.isNaN(behind) && (isIn(text, end, ALNUM | (row.lastAlphabet & ~DOTS)) || isAtOrUnderscore(behind))) return;
  const token = text.slice(at, end);
  const score = scoreOf(row, token);
  if (score > 0) sink.take({ entity: row.entity, start: at, end, score, rank: RANK_SHAPE });
}

const isAtOrUnderscore = (code: number): boolean => code === 95;

/** Where the token ends, -1 where it is none. Says `pending` where the text ended first. */
function endOf(sink: Sink, { prefix, parts }: Row, at: number): number {
  const { text } = sink;
  let end = at;
  if (!text.startsWith(prefix, at)) {
    const rest = text.length - at;
    if (rest < prefix.length && prefix.startsWith(text.slice(at))) sink.pending(at);
    return -1;
  }
  end += prefix.length;
  for (const part of parts) {
    if (typeof part === "string") {
      if (!text.startsWith(part, end)) {
        const rest = text.length - end;
        if (rest < part.length && part.startsWith(text.slice(end))) sink.pending(at);
        return -1;
      }
      end += part.length;
    } else {
      const next = runEnd(text, end, part.of, end + part.max);
      if (next === text.length) sink.pending(at);
      if (next - end < part.min) return -1;
      end = next;
    }
  }
  return end;
}

function scoreOf(row: Row, token: string): number {
  const body = token.slice(row.prefix.length);
  const isFilled = isFilledShape(body) || entropyOf(body) < (row.entropyMin ?? ENTROPY_MIN);
  if (isFilled) return row.filledToo === true && !/example/i.test(body) ? FILLED_SCORE : 0;
  return row.check === undefined ? (row.score ?? 1) : row.check(token);
}
