import { isDigit } from "./text.ts";

/** Groups of digits with short separators between them, as numbers are written for people. */
export interface Written {
  readonly groups: readonly { readonly start: number; readonly end: number }[];
  /** All digits, without separators. */
  readonly text: string;
  /** Where reading ended: behind the last group and what may separate it from another. */
  readonly end: number;
  /** How many digits the first `count` groups have. */
  digitsOf(count: number): number;
  /** What stands before group `index`, its first sign; a bracket counts as the sign behind it. */
  separatorAt(index: number): string;
}

/** A blank, `-`, `.`, `/`, a bracket, or invisible. */
export const isSeparator = (code: number): boolean =>
  code === 32 || (code >= 45 && code <= 47) || code === 40 || code === 41 || code === 0x200b;
/** ` - `, `) `, ` (`. */
export const SEPARATOR_CHARS_MAX = 3;

/** Reads groups from a digit on, until there are more than `digitsMax` digits or something else than a digit or separator stands there. */
export function readNumber(folded: string, from: number, digitsMax: number): Written {
  const groups: { start: number; end: number }[] = [];
  let text = "";
  let at = from;
  while (text.length <= digitsMax) {
    const start = at;
    while (at < folded.length && at - start <= digitsMax && isDigit(folded.charCodeAt(at))) at += 1;
    if (at === start) break;
    groups.push({ start, end: at });
    text += folded.slice(start, at);
    let signs = 0;
    while (signs < SEPARATOR_CHARS_MAX && at + signs < folded.length && isSeparator(folded.charCodeAt(at + signs))) signs += 1;
    if (at + signs === folded.length) return written(folded, groups, text, folded.length);
    if (signs === 0) break;
    at += signs;
  }
  return written(folded, groups, text, at);
}

function written(folded: string, groups: readonly { readonly start: number; readonly end: number }[], text: string, end: number): Written {
  return {
    groups,
    text,
    end,
    digitsOf: (count) => {
      let sum = 0;
      for (let index = 0; index < count; index += 1) sum += (groups[index]?.end ?? 0) - (groups[index]?.start ?? 0);
      return sum;
    },
    separatorAt: (index) => {
      const [from, to] = [groups[index - 1]?.end ?? 0, groups[index]?.start ?? 0];
      let at = from;
      while (at < to && isBracket(folded.charCodeAt(at))) at += 1;
      return from < to ? folded.charAt(at < to ? at : from) : "";
    },
  };
}

const isBracket = (code: number): boolean => code === 40 || code === 41;
