import { foldCodePoint, isBidiControl, isInvisible } from "./fold.ts";

/** A text as scoring reads it, with the way back: character `i` of `text` came from offset `at[i]` of the original. */
export interface NormalText {
  readonly text: string;
  /** One entry a character and one past the end; offsets are UTF-16 units of the original, never falling. */
  readonly at: Int32Array;
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
 * The folded view of `text.slice(from, to)`: NFKC-like, lower case, without accents, invisible characters and direction controls.
 * Linear; at most four characters come of one. Offsets are of the whole `text`.
 */
export function normalise(text: string, from = 0, to = text.length): NormalText {
  const part = from === 0 && to === text.length ? text : text.slice(from, to);
  if (!NOT_PLAIN.test(part)) return { text: part.toLowerCase(), at: countFrom(from, part.length), hidden: 0, smuggled: [] };
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
      if (code < 0x80) {
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
  return { text: stringOf(units.subarray(0, count)), at: at.subarray(0, count + 1), hidden, smuggled };
}

/** Most units that one character folds to. */
const FOLDED_UNITS_MAX = 4;
const NOT_PLAIN = /[^\t\n\r -~]/;
const isLetter = (unit: number): boolean => unit >= 97 && unit <= 122;

function countFrom(first: number, count: number): Int32Array {
  const at = new Int32Array(count + 1);
  for (let index = 0; index <= count; index += 1) at[index] = first + index;
  return at;
}

function stringOf(units: Uint16Array): string {
  return Buffer.from(units.buffer, units.byteOffset, units.byteLength).toString("utf16le");
}

/** The ASCII character that an invisible one carries: tag characters and, byte by byte, variation selectors. */
function invisibleAscii(code: number): string {
  if (code >= 0xe0020 && code <= 0xe007e) return String.fromCharCode(code - 0xe0000);
  if (code >= 0xe0100 && code <= 0xe016e) return String.fromCharCode(code - 0xe0100 + 16);
  return "";
}
