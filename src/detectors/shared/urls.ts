import { INVISIBLE, isAlnum, isLetter } from "./text.ts";

/** Longest URL that is looked at, in UTF-16 units; what is behind it is text. */
export const URL_CHARS_MAX = 2048;
const SCHEME_CHARS_MAX = 20;

/** Where a scheme begins whose `://` is at `colon`; `colon` where there is none. */
export function schemeStart(folded: string, colon: number, least: number): number {
  const bound = Math.max(least, colon - SCHEME_CHARS_MAX);
  let start = colon;
  while (start > bound && isSchemeUnit(folded.charCodeAt(start - 1))) start -= 1;
  while (start < colon && !isLetter(folded.charCodeAt(start))) start += 1;
  return start;
}
/** RFC 3986 section 3.1. */
const isSchemeUnit = (code: number): boolean => isAlnum(code) || code === 43 || code === 45 || code === 46;

/** End of what may be a URL, at most `URL_CHARS_MAX` from its start. */
export function urlRunEnd(folded: string, start: number, from: number): number {
  const bound = Math.min(folded.length, start + URL_CHARS_MAX);
  let end = from;
  while (end < bound && isUrlUnit(folded.charCodeAt(end))) end += 1;
  return end;
}
/** Neither a blank, a quote, a bracket of markup, nor a character of a script that puts no blanks around a URL. */
const isUrlUnit = (code: number): boolean =>
  code > 32 &&
  code < 0x2e80 &&
  code !== 34 &&
  code !== 60 &&
  code !== 62 &&
  code !== 96 &&
  code !== INVISIBLE &&
  !(code >= 0x2018 && code <= 0x201f);

/** Without the signs behind it that belong to the sentence: a bracket that was not opened in it, marks, apostrophes. */
export function trimUrl(url: string): string {
  let end = url.length;
  for (; end > 0; end -= 1) {
    const last = url.charAt(end - 1);
    if (".,;:!?'*|\\".includes(last)) continue;
    const opening = last === ")" ? "(" : last === "]" ? "[" : last === "}" ? "{" : undefined;
    if (opening === undefined || count(url, opening, end) >= count(url, last, end)) break;
  }
  return url.slice(0, end);
}

function count(url: string, sign: string, end: number): number {
  let found = 0;
  for (let at = url.indexOf(sign); at !== -1 && at < end; at = url.indexOf(sign, at + 1)) found += 1;
  return found;
}

/** Where the word begins that may become a scheme or `www`. */
export const wordBefore = (folded: string, least: number): number => {
  let start = folded.length;
  const bound = Math.max(least, folded.length - SCHEME_CHARS_MAX - 3);
  while (
    start > bound &&
    (isSchemeUnit(folded.charCodeAt(start - 1)) || folded.charAt(start - 1) === ":" || folded.charAt(start - 1) === "/")
  )
    start -= 1;
  return start;
};
