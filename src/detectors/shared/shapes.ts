import assert from "node:assert/strict";
import type { Atom, Detector, DetectorClass, Finding, Found, ScanText } from "../../core/detector.ts";
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

const MORE = -1;
/** And less by the number of units that fitted. */
const FAIL = -2;
const INVISIBLE = 0x200b;
const NONE: readonly number[] = [];
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
  const compiled = spec.shapes.map((shape) => Uint8Array.from(shape, (unit) => unit.charCodeAt(0)));
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
  readonly #shapes: readonly Uint8Array[];
  /** Most letters with a separator behind them that a shape begins with. */
  readonly #lead: number;
  /** Most letters that a shape may begin with. */
  readonly #letters: number;
  readonly #separators: Separators;
  /** Least digits of a number that may be written digit by digit. */
  readonly #spreadMin: number;
  /** Bit n: a shape that begins with a digit, or a letter, may have a first run of n units (31: or more). */
  readonly #firstLengths: { readonly digit: number; readonly letter: number };
  /** The same for those that may be one run, without a separator. */
  readonly #whole: { readonly digit: number; readonly letter: number };
  /** How many units two shapes begin with alike. */
  readonly #common: readonly (readonly number[])[];

  constructor(spec: ShapeSpec, made: { readonly shapes: readonly Uint8Array[]; readonly lead: number; readonly letters: number }) {
    this.#spec = spec;
    this.#shapes = made.shapes;
    this.#lead = made.lead;
    this.#letters = made.letters;
    this.#separators = separatorBits(spec.separators ?? " -.");
    this.#whole = { digit: wholeLengths(spec.shapes, /^[9X]/), letter: wholeLengths(spec.shapes, /^[AX]/) };
    this.#common = made.shapes.map((shape) => made.shapes.map((other) => commonLength(shape, other)));
    this.#spreadMin = Math.min(...spec.shapes.map((shape) => shape.replaceAll(" ", "").length));
    this.#firstLengths = { digit: firstLengths(spec.shapes, /^[9X]/), letter: firstLengths(spec.shapes, /^[AX]/) };
  }

  find(text: ScanText, from: number): Found {
    const { atoms, folded } = text;
    const { digitFirst, letterFirst, joined, flags } = text.atomMarks;
    const { digit, letter } = this.#whole;
    const [digitGroup, letterGroup, separators] = [this.#firstLengths.digit, this.#firstLengths.letter, this.#separators];
    const flagged = this.#lead > 0 ? 3 : 1;
    const findings: Finding[] = [];
    let least = from;
    for (let index = firstAtom(atoms, from); index < atoms.length; index += 1) {
      const digits = digitFirst[index] ?? 0;
      const letters = letterFirst[index] ?? 0;
      const isWhole = ((digits & digit) | (letters & letter)) !== 0;
      const isGroup = ((digits & digitGroup) | (letters & letterGroup)) !== 0 && ((joined[index] ?? 0) & separators) !== 0;
      if (!isWhole && !isGroup && ((flags[index] ?? 0) & flagged) === 0) continue;
      const atom = atoms[index];
      if (atom === undefined || atom.start < least) continue;
      const fits = this.#fits(text, atom);
      const lead = this.#lead === 0 ? atom.start : this.#leadStart(folded, atom.start);
      const starts = lead < atom.start && lead >= least ? [lead, atom.start] : fits ? [atom.start] : NONE;
      for (const start of starts) {
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

  /** Can a shape begin with a run of this length? Most cannot, and this is where most are left. */
  #fits({ folded, ended }: ScanText, { start, end, letterFirst, spread }: Atom): boolean {
    const length = end - start;
    if (length > ATOM_CHARS_MAX) return false;
    const lengths = letterFirst ? this.#firstLengths.letter : this.#firstLengths.digit;
    if ((lengths >>> Math.min(length, 31)) & 1) return true;
    return spread >= this.#spreadMin || (end === folded.length && !ended) || folded.charCodeAt(end) === INVISIBLE;
  }

  /** Where capitals begin that stand, with one separator, before an atom; the atom itself where none do. */
  #leadStart(folded: string, start: number): number {
    if (this.#lead === 0 || start === 0 || !isIn(this.#separators, folded.charCodeAt(start - 1))) return start;
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
    const second = folded.charCodeAt(start + 1);
    if (!ended && start + 3 >= folded.length && (start + 1 >= folded.length || isIn(this.#separators, second))) return "more";
    const spread = this.#isSpread(folded, start);
    let isFreeBefore: boolean | undefined;
    let failed = -1;
    let failedAt = -1;
    for (let index = 0; index < this.#shapes.length; index += 1) {
      const shape = this.#shapes[index];
      if (shape === undefined) break;
      // What a shape before it failed at, it fails at too.
      if (failed >= 0 && (this.#common[failed]?.[index] ?? 0) > failedAt) continue;
      const end = matchShape(folded, start, shape, this.#separators, spread);
      if (end === MORE && !ended) return "more";
      if (end < 0) {
        if (end !== MORE) {
          failed = index;
          failedAt = FAIL - end;
        }
        continue;
      }
      const free = isFreeAfter(folded, end, ended);
      if (free === undefined) return "more";
      isFreeBefore ??= isFreeAt(folded, start);
      if (!free || !isFreeBefore) continue;
      const judged = this.#judgeValue(text, start, end);
      if (judged !== undefined) return judged;
    }
    return undefined;
  }

  #judgeValue(text: ScanText, start: number, end: number): Judged {
    const { folded } = text;
    const { check, alone, near, context } = this.#spec;
    const written = folded.slice(start, end);
    const checked = check(compactOf(written), written);
    if (checked === false) return undefined;
    const score = checked === true ? alone : checked;
    if (context === undefined || score >= near) return score > 0 ? { end, score } : undefined;
    const isContext = isNear(context, text, { start, end });
    if (isContext === undefined) return "more";
    return isContext ? { end, score: near } : score > 0 ? { end, score } : undefined;
  }

  /** Each digit by itself (`1 2 3 4`), from the first of them. */
  #isSpread(folded: string, start: number): boolean {
    const separator = folded.charCodeAt(start + 1);
    if (!isIn(this.#separators, separator) || !isAlnum(folded.charCodeAt(start + 2)) || isAlnum(folded.charCodeAt(start + 3))) return false;
    return !(folded.charCodeAt(start - 1) === separator && isDigit(folded.charCodeAt(start - 2)) && !isAlnum(folded.charCodeAt(start - 3)));
  }
}

/** Signs from U+0020 to U+003F, a bit each. */
type Separators = number;
const separatorBits = (signs: string): Separators => [...signs].reduce((bits, sign) => bits | (1 << (sign.charCodeAt(0) - 32)), 0);
const isIn = (separators: Separators, code: number): boolean => code >= 32 && code < 64 && ((separators >>> (code - 32)) & 1) === 1;

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

/** End of the shape at `start`; FAIL and less; or MORE where the text ends inside of it. Written digit by digit, one and the same sign is between all. */
function matchShape(folded: string, start: number, shape: Uint8Array, separators: Separators, spread: boolean): number {
  const between = spread ? folded.charCodeAt(start + 1) : 0;
  let at = start;
  for (let index = 0; index < shape.length; index += 1) {
    const unit = shape[index];
    let code = folded.charCodeAt(at);
    if (code === INVISIBLE && at > start) {
      at += 1;
      code = folded.charCodeAt(at);
    }
    if (at >= folded.length) return MORE;
    if (unit === 32) {
      if (!spread && isIn(separators, code)) at += 1;
      continue;
    }
    if (spread && at > start) {
      if (code !== between) return FAIL - index;
      at += 1;
      if (at >= folded.length) return MORE;
      code = folded.charCodeAt(at);
    }
    const fits = unit === 57 ? isDigit(code) : unit === 65 ? isLetter(code) : unit === 88 ? isAlnum(code) : unit === code;
    if (!fits) return FAIL - index;
    at += 1;
  }
  return at;
}

/** Letters and digits alone, in upper case. */
function compactOf(written: string): string {
  let compact = "";
  let from = 0;
  for (let at = 0; at < written.length; at += 1) {
    if (isAlnum(written.charCodeAt(at))) continue;
    compact += written.slice(from, at);
    from = at + 1;
  }
  return (compact + written.slice(from)).toUpperCase();
}

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

/** The same behind it; `undefined` where that takes more text. */
export function isFreeAfter(folded: string, end: number, ended: boolean): boolean | undefined {
  if (end >= folded.length) return ended ? true : undefined;
  const sign = folded.charCodeAt(end);
  if (isAlnum(sign)) return false;
  if (sign !== MINUS && sign !== STOP && sign !== INVISIBLE) return sign !== 37;
  if (end + 1 >= folded.length) return ended ? true : undefined;
  return !isDigit(folded.charCodeAt(end + 1));
}
