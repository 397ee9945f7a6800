/** Classes of characters as bits, so that any alphabet of tokens is a mask and one look into a table decides. */
const DIGIT = 1;
const LOWER_HEX = 2;
const LOWER_REST = 4;
const UPPER_HEX = 8;
const UPPER_REST = 16;
const UNDERSCORE = 32;
const DASH = 64;
const DOT = 128;
const PLUS_SLASH = 256;
const EQUALS = 512;
const TILDE = 1024;
const PERCENT = 2048;

export const DIGITS = DIGIT;
export const UNDERLINE = UNDERSCORE;
export const DOTS = DOT;
export const HEX = DIGIT | LOWER_HEX;
export const HEX_ANY = HEX | UPPER_HEX;
export const LOWER = LOWER_HEX | LOWER_REST;
export const UPPER = UPPER_HEX | UPPER_REST;
export const LETTERS = LOWER | UPPER;
export const LOWER_ALNUM = LOWER | DIGIT;
export const UPPER_ALNUM = UPPER | DIGIT;
export const ALNUM = LETTERS | DIGIT;
export const WORD = ALNUM | UNDERSCORE;
/** base64url (RFC 4648 section 5). */
export const SLUG = WORD | DASH;
export const SLUG_DOT = SLUG | DOT;
/** base64 without its padding (RFC 4648 section 4). */
export const BASE64 = ALNUM | PLUS_SLASH;
export const BASE64_ANY = SLUG | PLUS_SLASH;
export const PADDING = EQUALS;
export const PERCENT_SIGN = PERCENT;
export const SLUG_PADDED = SLUG | EQUALS;
export const SLUG_DOT_PADDED = SLUG_DOT | EQUALS;
export const SLUG_DOT_TILDE = SLUG_DOT | TILDE;
/** What base64 in an address may hold beside base64url. */
export const URL_SIGNS = PERCENT | PLUS_SLASH | EQUALS;

const CLASSES: Uint16Array = (() => {
  const classes = new Uint16Array(128);
  const mark = (characters: string, bit: number): void => {
    for (const character of characters) classes[character.charCodeAt(0)] = bit;
  };
  mark("0123456789", DIGIT);
  mark("abcdef", LOWER_HEX);
  mark("ghijklmnopqrstuvwxyz", LOWER_REST);
  mark("ABCDEF", UPPER_HEX);
  mark("GHIJKLMNOPQRSTUVWXYZ", UPPER_REST);
  mark("_", UNDERSCORE);
  mark("-", DASH);
  mark(".", DOT);
  mark("+/", PLUS_SLASH);
  mark("=", EQUALS);
  mark("~", TILDE);
  mark("%", PERCENT);
  return classes;
})();

/** The bits of a UTF-16 unit; 0 for what is in no alphabet, and for `NaN`, the unit beyond an end. */
export const classOf = (code: number): number => CLASSES[code] ?? 0;

export const isIn = (text: string, at: number, alphabet: number): boolean => (classOf(text.charCodeAt(at)) & alphabet) !== 0;

/** Where the run of an alphabet that begins at `at` ends; looks no further than `bound`. */
export function runEnd(text: string, at: number, alphabet: number, bound: number): number {
  const last = Math.min(text.length, bound);
  let end = at;
  while (end < last && (classOf(text.charCodeAt(end)) & alphabet) !== 0) end += 1;
  return end;
}

/** Where the run of an alphabet that ends at `end` begins; looks back to `bound` at most. */
export function runStart(text: string, end: number, alphabet: number, bound: number): number {
  const first = Math.max(0, bound);
  let start = end;
  while (start > first && (classOf(text.charCodeAt(start - 1)) & alphabet) !== 0) start -= 1;
  return start;
}

/** Whether a token may begin at `at`: no word goes on there. `\n`, `\r`, `\t` and `%3D` as written in sources and URLs are no word. */
export function startsWord(text: string, at: number): boolean {
  if (at === 0 || !isIn(text, at - 1, WORD)) return true;
  const before = text.charAt(at - 2);
  if (before === "\\") return "nrt".includes(text.charAt(at - 1));
  return text.charAt(at - 3) === "%" && isIn(text, at - 2, HEX_ANY) && isIn(text, at - 1, HEX_ANY);
}
