import type { Detector, DetectorClass, ScanText } from "../../core/detector.ts";
import { AFTER_CHARS, isNear, type Words } from "./context.ts";
import { isIn, type Separators, type Shape, separatorsOf } from "./shape-table.ts";
import { isAlnum, isLetter, isUpper } from "./text.ts";

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
  /** Checksum on the values of its letters and digits (`A` = 10), `count` of them, before a text is made of what mostly is none. */
  readonly sum?: (values: Uint8Array, count: number) => boolean;
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

/** What has a shape: so many letters and digits. */
export interface Candidate {
  readonly start: number;
  readonly end: number;
  readonly units: number;
}

/** Its letters and digits. */
export interface Units {
  /** Their values up to `end`, the first of what it gives. */
  valuesTo(end: number): Uint8Array;
  /** The first so many, in upper case. */
  compact(units: number): string;
}

/** Longest shape whose words are known of before it is looked at, in its units. */
const NEAR_UNITS_MAX = 24;
/** How far from its start the words behind such a one may stand, in UTF-16 units: a sign and an invisible character behind each unit. */
export const NEAR_CHARS_MAX = 3 * NEAR_UNITS_MAX + AFTER_CHARS;

/** What makes a stretch of text that has one of its shapes a finding of one spec. */
export class ShapeFinder {
  readonly entity: string;
  /** Its shapes, the first that fits and is right counts. */
  readonly shapes: readonly Shape[];
  /** Letters and digits of each. */
  readonly units: readonly number[];
  /** Whether there is none without one of `words` near. */
  readonly isNeedy: boolean;
  /** Words that make it surer; `undefined` where there are none or it is too long to know of them before. */
  readonly words: Words | undefined;
  readonly #spec: ShapeSpec;
  readonly #separators: Separators;
  /** Most letters with a separator behind them that a shape begins with. */
  readonly lead: number;
  /** Most letters that a shape may begin with. */
  readonly #letters: number;

  constructor(spec: ShapeSpec) {
    const longest = (form: RegExp): number => Math.max(...spec.shapes.map((shape) => form.exec(shape)?.[0].length ?? 0));
    const separators = separatorsOf(spec.separators ?? " -.");
    this.entity = spec.entity;
    this.lead = longest(/^A+(?= )/);
    this.shapes = spec.shapes.map((form) => ({ form, separators, lead: this.lead }));
    this.units = spec.shapes.map((form) => form.replaceAll(/[ ()]/g, "").length);
    this.words = longest(/^.*$/) <= NEAR_UNITS_MAX ? spec.context : undefined;
    this.isNeedy = spec.alone === undefined && this.words !== undefined;
    this.#spec = spec;
    this.#separators = separators;
    this.#letters = longest(/^[AX ]+/);
  }

  /** Where letters begin that may become the start of a code; the end of the text where none do. */
  trailing(folded: string): number {
    const lead = this.#leadStart(folded);
    if (lead < folded.length) return lead;
    let start = folded.length;
    while (start > 0 && folded.length - start <= this.#letters && isLetter(folded.charCodeAt(start - 1))) start -= 1;
    return folded.length - start <= this.#letters && !isAlnum(folded.charCodeAt(start - 1)) ? start : folded.length;
  }

  /** Where capitals begin that stand, with one separator, before the end of a text; its end where none do. */
  #leadStart(folded: string): number {
    const end = folded.length;
    if (this.lead === 0 || end === 0 || !isIn(this.#separators, folded.charCodeAt(end - 1))) return end;
    let start = end - 1;
    while (start > 0 && end - 1 - start <= this.lead && isUpper(folded.charCodeAt(start - 1))) start -= 1;
    const letters = end - 1 - start;
    return letters > 0 && letters <= this.lead && !isAlnum(folded.charCodeAt(start - 1)) ? start : end;
  }

  /** How sure what has one of its shapes is without a word near, 0 where it takes one; `undefined` where it is none. */
  scoreOf({ folded }: ScanText, { start, end, units }: Candidate, read: Units): number | undefined {
    const { sum, check, alone = 0 } = this.#spec;
    if (sum !== undefined && !sum(read.valuesTo(end), units)) return undefined;
    const checked = check(read.compact(units), folded.slice(start, end));
    if (checked === false) return undefined;
    return this.#spec.alone === undefined || checked === true ? alone : checked;
  }

  /** What it is with the words near it. `mayBeNear`: whether one that makes it surer may be. */
  judge(text: ScanText, { start, end }: Candidate, { score, mayBeNear }: { readonly score: number; readonly mayBeNear: boolean }): Judged {
    const { near, context } = this.#spec;
    if (context !== undefined && score < near && mayBeNear) {
      const isContext = isNear(context, text, { start, end });
      if (isContext === undefined) return start;
      if (isContext) return { start, end, score: near };
    }
    return score > 0 ? { start, end, score } : undefined;
  }
}
