import type { Census } from "./census.ts";
import { codesOf } from "./codes.ts";
import { foldCodePoint, isBidiControl, isInvisible, isWhole } from "./fold.ts";

/** A text as scoring reads it, with the way back: unit `i` of `codes` came from offset `at[i]` of the original. */
export interface NormalText {
  readonly codes: Uint16Array;
  /** One entry a unit and one past the end; offsets are UTF-16 units of the original, never falling. undefined: each from its own place. */
  readonly at: Int32Array | undefined;
  /** Characters that show nothing and stand inside words: a way to hide words from filters. */
  readonly hidden: number;
  /** Text written in invisible characters (Unicode tags, variation selectors), read out; each with its place. */
  readonly smuggled: readonly Smuggled[];
}
export interface Smuggled {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Fewest invisible characters in a row that are read as text: flags of emoji (England, Wales) have five. */
const SMUGGLED_MIN = 8;

/**
 * The folded view of `part`, which begins at offset `from` of the text: NFKC-like, lower case, without accents, invisible characters and direction controls.
 * Linear; at most four characters come of one. Offsets are of the whole text.
 */
export function normalise(part: string, from: number, { plain }: Pick<Census, "plain">): NormalText {
  const to = from + part.length;
  if (plain) return { codes: codesOf(part.toLowerCase()), at: undefined, hidden: 0, smuggled: [] };
  const units = new Uint16Array(part.length * FOLDED_UNITS_MAX);
  const at = new Int32Array(units.length + 1);
  const smuggled: Smuggled[] = [];
  const folds = new Map<number, string>();
  let count = 0;
  let hidden = 0;
  let run = "";
  let runStart = 0;
  for (let index = 0; index < part.length; ) {
    const code = part.codePointAt(index) ?? 0;
    const invisible = code < 0x80 ? code < 32 && isInvisible(code) : isInvisible(code);
    if (invisible) {
      const said = invisibleAscii(code);
      if (said !== "" && run === "") runStart = from + index;
      run += said;
      if ((code >= 0xad && isLetter(units[count - 1] ?? 0)) || isBidiControl(code)) hidden += 1;
    } else {
      if (run.length >= SMUGGLED_MIN) smuggled.push({ text: run, start: runStart, end: from + index });
      run = "";
      if (code < 0x80 || isWhole(code)) {
        units[count] = code >= 65 && code <= 90 ? code + 32 : code;
        at[count] = from + index;
        count += 1;
      } else {
        const folded = folds.get(code) ?? foldCodePoint(code).slice(0, FOLDED_UNITS_MAX);
        folds.set(code, folded);
        for (let unit = 0; unit < folded.length; unit += 1) {
          units[count] = folded.charCodeAt(unit);
          at[count] = from + index;
          count += 1;
        }
      }
    }
    index += code > 0xffff ? 2 : 1;
  }
  if (run.length >= SMUGGLED_MIN) smuggled.push({ text: run, start: runStart, end: to });
  at[count] = to;
  return { codes: units.subarray(0, count), at: at.subarray(0, count + 1), hidden, smuggled };
}

/** Most units that one character folds to. */
const FOLDED_UNITS_MAX = 4;
const isLetter = (unit: number): boolean => unit >= 97 && unit <= 122;

/** The ASCII character that an invisible one carries: tag characters and, byte by byte, variation selectors. */
function invisibleAscii(code: number): string {
  if (code >= 0xe0020 && code <= 0xe007e) return String.fromCharCode(code - 0xe0000);
  if (code >= 0xe0100 && code <= 0xe016e) return String.fromCharCode(code - 0xe0100 + 16);
  return "";
}
