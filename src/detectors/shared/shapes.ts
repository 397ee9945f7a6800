import assert from "node:assert/strict";
import type { Detector, DetectorClass, Finding, Found, ScanText } from "../../core/detector.ts";
import { BEFORE_CHARS, isNear, type Words } from "./context.ts";
import { ATOM_CHARS_MAX, firstAtom, isAlnum, isDigit, isLetter, isUpper, LEAD_CHARS_MAX } from "./text.ts";

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
  /** Score without a word of context; 0: then it is none. */
  readonly alone: number;
  /** Score with one. */
  readonly near: number;
  readonly context?: Words;
}

const FAIL = -1;
const MORE = -2;
const INVISIBLE = 0x200b;
/** Longest that a shape may get in text: a separator or an invisible character behind each unit. */
const lengthOf = (shape: string): number => shape.length * 2;
/** How far an atom, and a sign and an atom before it, reach back; or words of context. */
const LOOK_BEHIND = Math.max(BEFORE_CHARS, 2 * ATOM_CHARS_MAX + 2);

/**
 * A detector for numbers and codes of fixed shapes. A candidate begins where a run of letters and digits begins, or at letters
 * before one (capitals: `AB 12 34 56 C`), stands alone (not part of a longer number, decimal, version or code) and is open only while the text
 * ends inside of its shape, or inside of the words behind it that it needs.
 */
export function shapeDetector(spec: ShapeSpec): Detector {
  const compiled = spec.shapes.map((shape) => [...shape].map((unit) => unit.charCodeAt(0)));
  const longest = (form: RegExp): number => Math.max(...spec.shapes.map((shape) => form.exec(shape)?.[0].length ?? 0));
  const lead = longest(/^A+(?= )/);
  assert(lead <= LEAD_CHARS_MAX, "the scan holds no longer lead");
  const finder = new ShapeFinder(spec, { shapes: compiled, lead, letters: longest(/^[AX ]+/) });
  return {
    entities: [spec.entity],
    class: spec.class,
    profile: spec.profile,
    needs: "digit",
    lookBehind: LOOK_BEHIND,
    lengthMax: Math.max(...spec.shapes.map(lengthOf)),
    find: (text, from) => finder.find(text, from),
  };
}

/** A candidate: its end and score, or that it is none, or that it takes more text to say. */
type Judged = { readonly end: number; readonly score: number } | undefined | "more";

class ShapeFinder {
  readonly #spec: ShapeSpec;
  readonly #shapes: readonly (readonly number[])[];
  /** Most letters with a separator behind them that a shape begins with. */
  readonly #lead: number;
  /** Most letters that a shape may begin with. */
  readonly #letters: number;
  readonly #separators: string;

  constructor(spec: ShapeSpec, made: { readonly shapes: readonly (readonly number[])[]; readonly lead: number; readonly letters: number }) {
    this.#spec = spec;
    this.#shapes = made.shapes;
    this.#lead = made.lead;
    this.#letters = made.letters;
    this.#separators = spec.separators ?? " -.";
  }

  find(text: ScanText, from: number): Found {
    const { atoms, folded } = text;
    const findings: Finding[] = [];
    let least = from;
    for (let index = firstAtom(atoms, from); index < atoms.length; index += 1) {
      const atom = atoms[index];
      if (atom === undefined || atom.start < least || atom.end - atom.start > ATOM_CHARS_MAX) continue;
      const lead = this.#leadStart(folded, atom.start);
      for (const start of lead < atom.start && lead >= least ? [lead, atom.start] : [atom.start]) {
        const judged = this.#judge(text, start);
        if (judged === "more") return { findings, open: start };
        if (judged === undefined) continue;
        findings.push({ entity: this.#spec.entity, start, end: judged.end, score: judged.score });
        least = judged.end;
        break;
      }
    }
    return { findings, open: text.ended ? folded.length : Math.max(least, this.#trailing(folded)) };
  }

  /** Where capitals begin that stand, with one separator, before an atom; the atom itself where none do. */
  #leadStart(folded: string, start: number): number {
    if (this.#lead === 0 || !this.#separators.includes(folded.charAt(start - 1)) || start === 0) return start;
    let lead = start - 1;
    while (lead > 0 && start - 1 - lead <= this.#lead && isUpper(folded.charCodeAt(lead - 1))) lead -= 1;
    const letters = start - 1 - lead;
    return letters > 0 && letters <= this.#lead && !isAlnum(folded.charCodeAt(lead - 1)) ? lead : start;
  }

  /** Where letters begin that may become the start of a code. */
  #trailing(folded: string): number {
    const lead = this.#leadStart(folded, folded.length);
    if (lead < folded.length) return lead;
    let start = folded.length;
    while (start > 0 && folded.length - start <= this.#letters && isLetter(folded.charCodeAt(start - 1))) start -= 1;
    return folded.length - start <= this.#letters && !isAlnum(folded.charCodeAt(start - 1)) ? start : folded.length;
  }

  #judge(text: ScanText, start: number): Judged {
    const { folded, ended } = text;
    const second = folded.charAt(start + 1);
    if (!ended && start + 3 >= folded.length && (second === "" || this.#separators.includes(second))) return "more";
    const spread = this.#isSpread(folded, start);
    let isFreeBefore: boolean | undefined;
    for (const shape of this.#shapes) {
      const end = matchShape(folded, start, shape, this.#separators, spread);
      if (end === MORE && !ended) return "more";
      if (end < 0) continue;
      const free = isFreeAfter(folded, end, ended);
      if (free === undefined) return "more";
      isFreeBefore ??= isFreeAt(folded, start);
      if (!free || !isFreeBefore) continue;
      const judged = this.#judgeValue(text, start, end);
      if (judged !== undefined) return judged;
    }
    return undefined;
  }

  #judgeValue({ folded, ended }: ScanText, start: number, end: number): Judged {
    const { check, alone, near, context } = this.#spec;
    const written = folded.slice(start, end);
    const checked = check(written.replaceAll(/[^0-9A-Za-z]/g, "").toUpperCase(), written);
    if (checked === false) return undefined;
    const score = checked === true ? alone : checked;
    if (context === undefined || score >= near) return score > 0 ? { end, score } : undefined;
    const isContext = isNear(context, folded, { start, end }, ended);
    if (isContext === undefined) return "more";
    return isContext ? { end, score: near } : score > 0 ? { end, score } : undefined;
  }

  /** Each digit by itself (`1 2 3 4`), from the first of them. */
  #isSpread(folded: string, start: number): boolean {
    const separator = folded.charAt(start + 1);
    if (separator === "" || !this.#separators.includes(separator) || !isAlnum(folded.charCodeAt(start + 2))) return false;
    if (isAlnum(folded.charCodeAt(start + 3))) return false;
    return !(folded.charAt(start - 1) === separator && isDigit(folded.charCodeAt(start - 2)) && !isAlnum(folded.charCodeAt(start - 3)));
  }
}

/** End of the shape at `start`; FAIL; or MORE where the text ends inside of it. */
function matchShape(folded: string, start: number, shape: readonly number[], separators: string, spread: boolean): number {
  let at = start;
  for (let index = 0; index < shape.length; index += 1) {
    const unit = shape[index];
    if (folded.charCodeAt(at) === INVISIBLE && at > start) at += 1;
    if (at >= folded.length) return MORE;
    if (unit === 32) {
      if (!spread && separators.includes(folded.charAt(at))) at += 1;
      continue;
    }
    if (spread && at > start) {
      if (!separators.includes(folded.charAt(at))) return FAIL;
      at += 1;
      if (at >= folded.length) return MORE;
    }
    const code = folded.charCodeAt(at);
    const fits = unit === 57 ? isDigit(code) : unit === 65 ? isLetter(code) : unit === 88 ? isAlnum(code) : unit === code;
    if (!fits) return FAIL;
    at += 1;
  }
  return at;
}

/** Does nothing before it belong to it: no letter or digit, no number joined by a sign, no sign of money? */
export function isFreeAt(folded: string, start: number): boolean {
  const sign = folded.charAt(start - 1);
  if (isAlnum(folded.charCodeAt(start - 1)) || (sign !== "" && "$€£¥₹₽+".includes(sign))) return false;
  if (sign !== "-" && sign !== "." && sign !== "\u200b") return true;
  for (let at = start - 2; at >= 0 && at > start - 2 - ATOM_CHARS_MAX; at -= 1) {
    const code = folded.charCodeAt(at);
    if (isDigit(code)) return false;
    if (!isLetter(code)) return true;
  }
  return true;
}

/** The same behind it; `undefined` where that takes more text. */
export function isFreeAfter(folded: string, end: number, ended: boolean): boolean | undefined {
  if (end >= folded.length) return ended ? true : undefined;
  if (isAlnum(folded.charCodeAt(end))) return false;
  const sign = folded.charAt(end);
  if (sign !== "-" && sign !== "." && sign !== "\u200b") return sign !== "%";
  if (end + 1 >= folded.length) return ended ? true : undefined;
  return !isDigit(folded.charCodeAt(end + 1));
}
