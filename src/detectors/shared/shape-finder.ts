import type { Atom, Detector, DetectorClass, ScanText } from "../../core/detector.ts";
import { AFTER_CHARS, isNear, type Words } from "./context.ts";
import { isFreeAt, type RunShape, type Runs, runShapeOf, unitsOf } from "./runs.ts";
import { ATOM_CHARS_MAX, isAlnum, isDigit, isLetter, isUpper } from "./text.ts";

/** A number or code of a fixed shape, and what makes it sure. */
export interface ShapeSpec {
  readonly entity: string;
  readonly class: DetectorClass;
  readonly profile: Detector["profile"];
  /**
   * As it is written: `9` a digit, `A` a letter, `X` either, a blank: one separator or none, a bracket: itself. `999 99 9999` is also `999-99-9999` and
   * `999999999`. The first that fits and passes `check` counts, so longer ones come first.
   */
  readonly shapes: readonly string[];
  /** Signs that may separate; a blank, `-`, `.` by default. */
  readonly separators?: string;
  /** Checksum and rules on letters and digits alone, in upper case; `written` is how they stand in the text (folded). A number is the score without context. */
  readonly check: (compact: string, written: string) => boolean | number;
  /** Score without a word of context; 0: then it is none, if `check` says no more. Absent: without a word it is none, and is not looked at. */
  readonly alone?: number;
  /** Score with one. */
  readonly near: number;
  readonly context?: Words;
}

/** What stands at a place: a code; nothing; or, as a number, that from there on it takes more text to say. */
export type Judged = { readonly start: number; readonly end: number; readonly score: number } | undefined | number;

/** Room to work in, for all that is looked for in one text: where units of a shape began, and the runs at a place. */
export interface Room {
  readonly walked: number[];
  readonly runs: Runs;
  readonly near: NearWords;
  /** Place of the finder that looks. */
  place: number;
}

/** Which finders may have words near the atom that is looked at, and capitals before it: a bit each by its place among them, in words of 32. */
export interface NearWords {
  bitsOf(word: number): number;
}

/** Longest shape whose words are known of before it is looked at, in its units. */
const NEAR_UNITS_MAX = 24;
/** How far from its start the words behind such a one may stand, in UTF-16 units: a sign and an invisible character behind each unit. */
export const NEAR_CHARS_MAX = 3 * NEAR_UNITS_MAX + AFTER_CHARS;

const MORE = -1;
const FAIL = -2;
const INVISIBLE = 0x200b;

/** Looks for the shapes of one spec at a place. */
export class ShapeFinder {
  readonly entity: string;
  /** Most letters with a separator behind them that a shape begins with. */
  readonly lead: number;
  readonly separators: Separators;
  /** Bit n: a shape that begins with a digit, or a letter, may have a first run of n units (31: or more). */
  readonly firstLengths: Lengths;
  /** The same for those that may be one run, without a separator. */
  readonly whole: Lengths;
  /** Bit n: a shape whose second run, which begins with a digit or a letter, may end with n units since the start (31: or more). */
  readonly secondEnds: Lengths;
  /** Bit n: a shape whose unit n may be a digit, or a letter. */
  readonly units: Lengths;
  /** Whether there is none without one of `words` near. */
  readonly isNeedy: boolean;
  /** Words that make it surer; `undefined` where there are none or it is too long to know of them before. */
  readonly words: Words | undefined;
  readonly #spec: ShapeSpec;
  readonly #shapes: readonly Uint8Array[];
  /** Most letters that a shape may begin with. */
  readonly #letters: number;
  /** Least digits of a number that may be written digit by digit. */
  readonly spreadMin: number;
  /** By shape: how many letters and digits it has. */
  readonly #units: readonly number[];
  /** By shape: how it looks by runs. */
  readonly #runShapes: readonly (RunShape | undefined)[];
  /** Whether runs tell all shapes; and the ends of any. */
  readonly #isByRuns: boolean;
  readonly #groups: number;
  readonly #wholes: number;
  /** How many units two shapes begin with alike. */
  readonly #common: readonly (readonly number[])[];

  constructor(spec: ShapeSpec) {
    const { shapes } = spec;
    const longest = (form: RegExp): number => Math.max(...shapes.map((shape) => form.exec(shape)?.[0].length ?? 0));
    this.entity = spec.entity;
    this.lead = longest(/^A+(?= )/);
    this.separators = separatorBits(spec.separators ?? " -.");
    this.firstLengths = { digit: firstLengths(shapes, /^[9X]/), letter: firstLengths(shapes, /^[AX]/) };
    this.whole = { digit: wholeLengths(shapes, /^[9X]/), letter: wholeLengths(shapes, /^[AX]/) };
    this.secondEnds = secondEnds(shapes);
    this.units = { digit: unitBits(shapes, "9X"), letter: unitBits(shapes, "AX") };
    this.words = longest(/^.*$/) <= NEAR_UNITS_MAX ? spec.context : undefined;
    this.isNeedy = spec.alone === undefined && this.words !== undefined;
    this.#spec = spec;
    this.#shapes = shapes.map((shape) => Uint8Array.from(shape, (unit) => unit.charCodeAt(0)));
    this.#letters = longest(/^[AX ]+/);
    this.spreadMin = Math.min(...shapes.map((shape) => shape.replaceAll(" ", "").length));
    this.#units = shapes.map(unitsOf);
    this.#runShapes = shapes.map(runShapeOf);
    this.#isByRuns = this.#runShapes.every((shape) => shape !== undefined);
    this.#groups = this.#runShapes.reduce((bits, shape) => bits | (shape?.groups ?? 0), 0);
    this.#wholes = this.#runShapes.reduce((bits, shape) => bits | (shape?.whole ?? 0), 0);
    this.#common = this.#shapes.map((shape) => this.#shapes.map((other) => commonLength(shape, other)));
  }

  /** What begins at an atom, or at the capitals before it, at or after `least`. */
  at(text: ScanText, atom: Atom, least: number, room: Room): Judged {
    const fits = this.#fits(text, atom);
    if (this.lead > 0) {
      const lead = this.#leadStart(text.folded, atom.start);
      if (lead < atom.start && lead >= least) return this.#judge(text, lead, room) ?? this.#judge(text, atom.start, room);
    }
    return fits ? this.#judge(text, atom.start, room) : undefined;
  }

  /** Where letters begin that may become the start of a code; the end of the text where none do. */
  trailing(folded: string): number {
    const lead = this.#leadStart(folded, folded.length);
    if (lead < folded.length) return lead;
    let start = folded.length;
    while (start > 0 && folded.length - start <= this.#letters && isLetter(folded.charCodeAt(start - 1))) start -= 1;
    return folded.length - start <= this.#letters && !isAlnum(folded.charCodeAt(start - 1)) ? start : folded.length;
  }

  /** Can a shape begin with a run of this length? */
  #fits({ folded, ended }: ScanText, { start, end, form, letterFirst, spread }: Atom): boolean {
    if (end - start > ATOM_CHARS_MAX) return false;
    const lengths = letterFirst ? this.firstLengths.letter : this.firstLengths.digit;
    if ((lengths >>> (form & 31)) & 1) return true;
    return spread >= this.spreadMin || (end === folded.length && !ended) || folded.charCodeAt(end) === INVISIBLE;
  }

  /** Where capitals begin that stand, with one separator, before an atom; the atom itself where none do. */
  #leadStart(folded: string, start: number): number {
    if (this.lead === 0 || start === 0 || !isIn(this.separators, folded.charCodeAt(start - 1))) return start;
    let lead = start - 1;
    while (lead > 0 && start - 1 - lead <= this.lead && isUpper(folded.charCodeAt(lead - 1))) lead -= 1;
    const letters = start - 1 - lead;
    return letters > 0 && letters <= this.lead && !isAlnum(folded.charCodeAt(lead - 1)) ? lead : start;
  }

  #judge(text: ScanText, start: number, room: Room): Judged {
    const ends = this.#isByRuns ? room.runs.endsFrom(start, this.separators, this.#groups) : 0;
    return ends === 0 ? this.#judgeByUnits(text, start, room) : this.#judgeByRuns(text, start, { room, ends });
  }

  /** What the lengths of runs and their letters tell at once. */
  #judgeByRuns(text: ScanText, start: number, { room, ends }: { readonly room: Room; readonly ends: number }): Judged {
    const { runs } = room;
    if ((ends & this.#wholes) === 0 || !runs.isFree) return undefined;
    for (const shape of this.#runShapes) {
      const end = shape === undefined ? -1 : runs.endOf(shape, ends);
      if (end < 0 || isFreeAfter(text.folded, end, text.ended) !== true) continue;
      const judged = this.#judgeValue(text, { start, end, units: shape?.units ?? 0 }, room);
      if (judged !== undefined) return judged;
    }
    return undefined;
  }

  #judgeByUnits(text: ScanText, start: number, room: Room): Judged {
    const { walked } = room;
    const { folded, ended } = text;
    const second = folded.charCodeAt(start + 1);
    if (!ended && start + 3 >= folded.length && (start + 1 >= folded.length || isIn(this.separators, second))) return start;
    const spread = isSpread(folded, start, this.separators);
    const walk = { start, ended, separators: this.separators, between: spread ? second : 0, walked };
    walked[0] = start;
    // The shape that was walked last, and how many of its units fitted: those that begin alike go on from there.
    let [last, fitted] = [-1, 0];
    let isFreeBefore: boolean | undefined;
    for (let index = 0; index < this.#shapes.length; index += 1) {
      const shape = this.#shapes[index];
      if (shape === undefined) break;
      const known = last < 0 ? 0 : (this.#common[last]?.[index] ?? 0);
      // What that one failed at, this one fails at too.
      if (known > fitted) continue;
      const end = walkShape(folded, shape, known, walk);
      if (end === MORE) return start;
      last = index;
      fitted = end < 0 ? FAIL - end : shape.length;
      if (end < 0) continue;
      const free = isFreeAfter(folded, end, ended);
      if (free === undefined) return start;
      isFreeBefore ??= isFreeAt(folded, start);
      if (!free || !isFreeBefore) continue;
      const judged = this.#judgeValue(text, { start, end, units: this.#units[index] ?? 0 }, room);
      if (judged !== undefined) return judged;
    }
    return undefined;
  }

  #judgeValue(
    text: ScanText,
    { start, end, units }: { readonly start: number; readonly end: number; readonly units: number },
    room: Room,
  ): Judged {
    const { check, alone, near, context } = this.#spec;
    const { compact, written } = text.codeAt(start, end, units);
    const checked = check(compact, written);
    if (checked === false) return undefined;
    const score = alone === undefined ? 0 : checked === true ? alone : checked;
    if (context === undefined || score >= near) return score > 0 ? { start, end, score } : undefined;
    if (this.#isFar(room)) return score > 0 ? { start, end, score } : undefined;
    const isContext = isNear(context, text, { start, end });
    if (isContext === undefined) return start;
    return isContext ? { start, end, score: near } : score > 0 ? { start, end, score } : undefined;
  }

  /** Whether it is known that no word of its context is near. */
  #isFar({ near, place }: Room): boolean {
    return this.words !== undefined && (near.bitsOf(place >> 5) & (1 << (place & 31))) === 0;
  }
}

/** Each digit by itself (`1 2 3 4`), from the first of them. */
function isSpread(folded: string, start: number, separators: Separators): boolean {
  const separator = folded.charCodeAt(start + 1);
  if (!isIn(separators, separator) || !isAlnum(folded.charCodeAt(start + 2)) || isAlnum(folded.charCodeAt(start + 3))) return false;
  return !(folded.charCodeAt(start - 1) === separator && isDigit(folded.charCodeAt(start - 2)) && !isAlnum(folded.charCodeAt(start - 3)));
}

/** Signs from U+0020 to U+003F, a bit each. */
export type Separators = number;
const separatorBits = (signs: string): Separators => [...signs].reduce((bits, sign) => bits | (1 << (sign.charCodeAt(0) - 32)), 0);
const isIn = (separators: Separators, code: number): boolean => code >= 32 && code < 64 && ((separators >>> (code - 32)) & 1) === 1;

/** Bits of lengths, by what a run begins with. */
export interface Lengths {
  readonly digit: number;
  readonly letter: number;
}

/** A run ends where a group may, or before a bracket. */
function firstLengths(shapes: readonly string[], first: RegExp): number {
  let bits = 0;
  for (const shape of shapes.filter((shape) => first.test(shape))) {
    let length = 0;
    for (const unit of `${shape} `) {
      if (unit === " " || unit === "(") bits |= 1 << Math.min(length, 31);
      if (unit !== " ") length += 1;
    }
  }
  return bits;
}

/** Where a unit of a kind may stand, of the first 32. */
function unitBits(shapes: readonly string[], kind: string): number {
  let bits = 0;
  for (const shape of shapes)
    for (const [place, unit] of [...shape.replaceAll(/[ ()]/g, "")].slice(0, 32).entries()) if (kind.includes(unit)) bits |= 1 << place;
  return bits;
}

/** By the unit behind a blank that may be a separator: wherever a later run may end. */
function secondEnds(shapes: readonly string[]): Lengths {
  let [digit, letter] = [0, 0];
  for (const shape of shapes) {
    let [length, afterDigit, afterLetter] = [0, false, false];
    for (const [index, unit] of [...`${shape} `].entries()) {
      if (unit === " " || unit === "(") {
        if (afterDigit) digit |= 1 << Math.min(length, 31);
        if (afterLetter) letter |= 1 << Math.min(length, 31);
        const next = shape.charAt(index + 1);
        afterDigit ||= next === "9" || next === "X";
        afterLetter ||= next === "A" || next === "X";
      } else if (unit !== ")") length += 1;
    }
  }
  return { digit, letter };
}

/** Up to a bracket, where there is one. */
const wholeLengths = (shapes: readonly string[], first: RegExp): number =>
  shapes
    .filter((shape) => first.test(shape))
    .map((shape) => shape.replaceAll(" ", "").split("(")[0]?.length ?? 0)
    .reduce((bits, length) => bits | (1 << Math.min(length, 31)), 0);

function commonLength(a: Uint8Array, b: Uint8Array): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1;
  return length;
}

interface Walk {
  readonly start: number;
  readonly ended: boolean;
  readonly separators: Separators;
  /** Written digit by digit, this one sign is between all; 0 where it is not. */
  readonly between: number;
  /** Where each unit of the shape began, as far as it was walked. */
  readonly walked: number[];
}

/** End of the shape, whose first `known` units are walked; FAIL less the units that fitted; or MORE where the text, which has not ended, ends inside of it. */
function walkShape(folded: string, shape: Uint8Array, known: number, { start, ended, separators, between, walked }: Walk): number {
  let at = walked[known] ?? start;
  for (let index = known; index < shape.length; index += 1) {
    walked[index] = at;
    const unit = shape[index];
    let code = folded.charCodeAt(at);
    if (code === INVISIBLE && at > start) {
      at += 1;
      code = folded.charCodeAt(at);
    }
    if (at >= folded.length) return ended ? FAIL - index : MORE;
    if (unit === 32) {
      if (between === 0 && isIn(separators, code)) at += 1;
      continue;
    }
    if (between !== 0 && at > start) {
      if (code !== between) return FAIL - index;
      at += 1;
      if (at >= folded.length) return ended ? FAIL - index : MORE;
      code = folded.charCodeAt(at);
    }
    const fits = unit === 57 ? isDigit(code) : unit === 65 ? isLetter(code) : unit === 88 ? isAlnum(code) : unit === code;
    if (!fits) return FAIL - index;
    at += 1;
  }
  walked[shape.length] = at;
  return at;
}

const MINUS = 45;
const STOP = 46;

/** Does nothing behind it belong to it? `undefined` where that takes more text. */
function isFreeAfter(folded: string, end: number, ended: boolean): boolean | undefined {
  if (end >= folded.length) return ended ? true : undefined;
  const sign = folded.charCodeAt(end);
  if (isAlnum(sign)) return false;
  if (sign !== MINUS && sign !== STOP && sign !== INVISIBLE) return sign !== 37;
  if (end + 1 >= folded.length) return ended ? true : undefined;
  return !isDigit(folded.charCodeAt(end + 1));
}
