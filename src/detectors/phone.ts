import type { Detector, Finding, Found, ScanText } from "../core/detector.ts";
import { isOneDigit } from "./shared/checksums.ts";
import { AFTER_CHARS, after, BEFORE_CHARS, before, wordsOf } from "./shared/context.ts";
import { isSeparator, separatorEnd, Written } from "./shared/digit-groups.ts";
import { Beginnings, Nearby, type Window } from "./shared/nearby.ts";
import { CALLED, OTHER } from "./shared/phone-words.ts";
import { firstAtom, isAlnum, isDigit } from "./shared/text.ts";

const DIGITS_MIN = 6;
/** ITU-T E.164: at most 15 digits. */
const DIGITS_MAX = 15;

/**
 * Phone numbers, with extension. International ones (`+` or `00`, a country code that there is) and national ones whose form says what
 * they are (area in brackets, trunk 0, 3-3-4 as in North America, Chinese mobiles) stand alone; any other needs a word near it that
 * is not about another kind of number. Dates, times, amounts and parts of longer numbers are none.
 */
export const phone: Detector = {
  entities: ["phone"],
  class: "personal",
  profile: "standard",
  needs: "digit",
  lookBehind: BEFORE_CHARS + 4,
  lengthMax: 64,
  find,
};

/** A text, and which words may be near a place in it. */
interface Look {
  readonly text: ScanText;
  readonly written: Written;
  readonly nearby: Nearby;
}

type Judged = { readonly start: number; readonly end: number; readonly score: number } | undefined | "more";

function find({ unescaped: text }: ScanText, from: number): Found {
  const { atoms, folded, ended } = text;
  const findings: Finding[] = [];
  const look: Look = { text, written: new Written(folded, DIGITS_MAX), nearby: new Nearby(text, BEGINNINGS, NEAR) };
  let least = from;
  for (let index = firstAtom(atoms, from); index < atoms.length; index += 1) {
    const atom = atoms[index];
    if (atom === undefined || atom.start < least || !isDigit(folded.charCodeAt(atom.start))) continue;
    if (isShort(text, atom.end - atom.start, atom.end)) continue;
    const inUrl = isPlusInUrl(folded, atom.start, least);
    const start = inUrl ? atom.start - 1 : signsBefore(folded, atom.start, least);
    const judged = judge(look, start, inUrl ? atom.start + 2 : atom.start);
    if (judged === "more") return { findings, open: percentBefore(folded, start, least) };
    if (judged === undefined) continue;
    findings.push({ entity: "phone", start: judged.start, end: judged.end, score: judged.score });
    least = judged.end;
  }
  return { findings, open: ended ? folded.length : percentBefore(folded, signsBefore(folded, folded.length, least), least) };
}

/** Is it `2B` of a `%2B`, which is a plus in a query? */
const isPlusInUrl = (folded: string, at: number, least: number): boolean =>
  folded.charCodeAt(at) === TWO && (folded.charCodeAt(at + 1) | 32) === SMALL_B && at > least && folded.charCodeAt(at - 1) === PERCENT;
/** A percent sign before it may begin one. */
const percentBefore = (folded: string, at: number, least: number): number =>
  at > least && folded.charCodeAt(at - 1) === PERCENT ? at - 1 : at;
const TWO = 50;
const SMALL_B = 98;
const PERCENT = 37;

/** A few digits with no more behind them. */
function isShort({ folded, ended }: ScanText, length: number, end: number): boolean {
  if (length >= DIGITS_MIN) return false;
  const next = separatorEnd(folded, end);
  if (next >= folded.length && !ended) return false;
  return next === end || !isDigit(folded.charCodeAt(next));
}

/** `+`, `(`, `(+` or `+(` before the first digit belong to the number. */
function signsBefore(folded: string, digit: number, least: number): number {
  let start = digit;
  while (start > least && digit - start < 2 && isOpening(folded.charCodeAt(start - 1))) start -= 1;
  return start;
}

const isOpening = (code: number): boolean => code === PLUS || code === BRACKET;
const PLUS = 43;
const BRACKET = 40;

function judge(look: Look, start: number, firstDigit: number): Judged {
  const { folded, ended } = look.text;
  if (!isFree(folded, start)) return undefined;
  if (firstDigit >= folded.length) return ended ? undefined : "more";
  if (start === firstDigit && isInSpread(folded, start)) return undefined;
  const { written } = look;
  written.read(firstDigit);
  if (written.end >= folded.length && !ended) return "more";
  if (written.digits < DIGITS_MIN) return undefined;
  const signs = firstDigit - start === 3 ? "+" : folded.slice(start, firstDigit);
  const isInner = start === firstDigit && isSeparator(folded.charCodeAt(start - 1)) && isDigit(folded.charCodeAt(start - 2));
  if (isInner && (written.count < 2 || written.separatorAt(1) === folded.charAt(start - 1))) return undefined;
  const least = leastGroups(written);
  for (let count = mostGroups(written); count > least; count -= 1) {
    const last = written.endOf(count);
    // What takes a word is all of the number.
    if (written.digitsOf(count) > DIGITS_MAX || (count !== written.count && !mayStandAlone(written, count, signs))) continue;
    if (!isFreeBehind(folded, last)) continue;
    if (!ended && last + 2 > folded.length) return "more";
    const alone = formScore(written, count, signs);
    if (alone === undefined || (isInner && alone < 0.6) || (alone === 0 && count !== written.count)) continue;
    const end = withExtension(folded, last, ended);
    if (end === undefined) return "more";
    if (end === last && isAlnum(folded.charCodeAt(end))) continue;
    if (alone > 0 && alone <= WEAK && isOther(look, start)) continue;
    if (alone > 0 && start < firstDigit) return { start, end, score: alone };
    const near = isCalled(look, start, end);
    if (near === undefined) return "more";
    if (near) return { start: signs.includes("+") || signs === "(" ? start : firstDigit, end, score: Math.max(alone, 0.9) };
    if (alone > 0) return { start, end, score: alone };
  }
  return undefined;
}

const GROUPS_MAX = 7;
/** Digit by digit is all or nothing; otherwise there are few groups. */
const isSpread = (written: Written): boolean => written.count > GROUPS_MAX && written.isSingle;
const mostGroups = (written: Written): number => (isSpread(written) ? written.count : Math.min(GROUPS_MAX, written.count));
const leastGroups = (written: Written): number => (isSpread(written) ? written.count - 1 : 0);

/** A single digit behind another, by the sign that is behind it too. */
function isInSpread(folded: string, start: number): boolean {
  const sign = folded.charCodeAt(start - 1);
  return (
    sign === folded.charCodeAt(start + 1) &&
    !isAlnum(sign) &&
    isDigit(folded.charCodeAt(start - 2)) &&
    isDigit(folded.charCodeAt(start + 2))
  );
}

/** No letter, digit, sign of money or joined number before it. */
function isFree(folded: string, start: number): boolean {
  const sign = folded.charCodeAt(start - 1);
  // Most numbers stand behind a blank.
  if (sign === BLANK || start === 0) return true;
  if (isAlnum(sign) || isOf(BEFORE_OTHERS, sign)) return false;
  return !(isOf(JOINS_BEFORE, sign) && isDigit(folded.charCodeAt(start - 2)));
}

/** No letter or digit behind it but an extension's, no decimal, date or further group by a sign. */
function isFreeBehind(folded: string, end: number): boolean {
  const code = folded.charCodeAt(end);
  if (code === BLANK) return true;
  if (isAlnum(code)) return code === SMALL_X || code === SMALL_E;
  return !(isOf(JOINS_BEHIND, code) && isDigit(folded.charCodeAt(end + 1)));
}

const codesOf = (signs: string): readonly number[] => Array.from(signs, (sign) => sign.charCodeAt(0));
const isOf = (codes: readonly number[], code: number): boolean => codes.includes(code);
/** Signs of money, and of numbers in lists and addresses. */
const BEFORE_OTHERS = codesOf("$€£¥₹₽#&");
const JOINS_BEFORE = codesOf("-./:,+)");
const JOINS_BEHIND = codesOf("-./:,%");

const BLANK = 32;
const SMALL_E = 101;
const SMALL_X = 120;

/** End with an extension behind the number; `undefined` where more text may make it one. */
function withExtension(folded: string, end: number, ended: boolean): number | undefined {
  let word = end;
  while (word < end + 2 && " ,;".includes(folded.charAt(word) || "x")) word += 1;
  const first = folded.charCodeAt(word);
  if (word < folded.length && (first | 32) !== SMALL_X && (first | 32) !== SMALL_E && first < 128) return end;
  const rest = folded.slice(end, end + EXTENSION_CHARS);
  const extension = EXTENSION.exec(rest);
  if (!ended && rest.length < EXTENSION_CHARS && EXTENSION_BEGUN.test(rest)) return undefined;
  return end + (extension?.[0].length ?? 0);
}
const EXTENSION_CHARS = 24;
const EXTENSION = /^[ ,;]{0,2}(?:x|ext(?:ension|n)?|分机|转)[. :]{0,2}[0-9]{1,6}(?![0-9A-Za-z])/i;
const EXTENSION_BEGUN = /^[ ,;]{0,2}(?:(?:x|ext(?:ension|n)?|分机|转)[. :]{0,2}[0-9]{0,6}|e|ext?|exten?|extens|extensi|extensio|分)?$/i;

/**
 * How sure the form of the first `count` groups is without a word: 0 where it takes one, `undefined` where it is no phone number.
 * `signs`: what stands before the first digit.
 */
function formScore(written: Written, count: number, signs: string): number | undefined {
  if (signs.includes("+")) return isInternational(written.textOf(count)) ? 0.95 : undefined;
  if (written.digitsOf(count) < DIGITS_MIN || (count > 1 && !isPlausible(written, count))) return undefined;
  const sizes = written.sizesOf(count);
  const digits = written.textOf(count);
  const form = sizes.join("-");
  if (isOneDigit(digits) || isDateLike(form, digits)) return undefined;
  if (/^00[1-9]/.test(digits) && (sizes.length > 1 || digits.length > 11) && isInternational(digits.slice(2)))
    return sizes.length > 1 ? 0.85 : 0.6;
  const separator = count > 1 ? written.separatorAt(1) : "";
  return Math.max(americanScore(form, digits, separator), nationalScore(sizes, form, { digits, signs }));
}

/** Whether the form of the first groups may be one that stands without a word: by what `formScore` asks, before it makes texts. */
function mayStandAlone(written: Written, count: number, signs: string): boolean {
  const digits = written.digitsOf(count);
  if (signs !== "" || (digits === 11 && count === 1)) return true;
  if ((digits === 10 || digits === 11) && written.sizeAt(count - 1) === 4) return true;
  if (written.digitAt(0) !== 0) return false;
  if (written.digitAt(1) === 0) return written.digitAt(2) !== 0 && (count > 1 || digits > 11);
  return digits >= 9 && digits <= 12 && (count > 2 || (count > 1 && written.sizeAt(1) >= 6)) && isAreaSize(written.sizeAt(0));
}

/** Digits of an area with its trunk 0, or in brackets. */
const isAreaSize = (digits: number): boolean => digits >= 2 && digits <= 5;

/** North American Numbering Plan: area and exchange do not begin with 0 or 1. Others of this form are less sure. */
function americanScore(form: string, digits: string, separator: string): number {
  if (form !== "3-3-4" && form !== "1-3-3-4") return 0;
  if (/^1?[2-9][0-9]{2}[2-9]/.test(digits)) return separator === " " ? 0.65 : 0.8;
  return separator === " " ? 0 : 0.6;
}

function nationalScore(
  sizes: readonly number[],
  form: string,
  { digits, signs }: { readonly digits: string; readonly signs: string },
): number {
  if ((form === "11" || form === "3-4-4") && /^1[3-9][0-9]{9}$/.test(digits)) return 0.75;
  const [first = 0] = sizes;
  if (signs === "(" && sizes.length > 1 && isAreaSize(first) && digits.length >= 8 && digits.length <= 12) return 0.7;
  const hasTrunk = /^0[1-9]/.test(digits) && sizes.length > 1 && isAreaSize(first);
  return hasTrunk && digits.length >= 9 && digits.length <= 12 && (sizes.length > 2 || (sizes[1] ?? 0) >= 6) ? 0.6 : 0;
}

/** Country codes in use (ITU, List of Recommendation E.164 assigned country codes). */
const COUNTRY =
  /^(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|21[1-368]|2[2-6][0-9]|29[0-1789]|35[0-9]|37[0-8]|38[0-35-79]|42[013]|50[0-9]|59[0-9]|67[02-9]|68[0-35-9]|69[0-2]|80[08]|85[02356]|87[08]|88[0-368]|96[0-8]|97[0-79]|99[2-68])/;
function isInternational(digits: string): boolean {
  if (!COUNTRY.test(digits) || digits.length < 8 || digits.length > DIGITS_MAX) return false;
  return !digits.startsWith("1") || digits.length === 11 || digits.length === 10;
}

/** Groups as people write phone numbers: digit by digit, or at most six of two or more, a country's 1, 7 or 8 before them. */
function isPlausible(written: Written, count: number): boolean {
  if (written.digitsOf(count) === count) return count >= 7;
  for (let index = 0; index < count; index += 1) if (written.sizeAt(index) < 2 && (index > 1 || count < 3)) return false;
  return true;
}

/** Year, month and day in any order. */
function isDateLike(form: string, digits: string): boolean {
  if (/^4-[12]-[12](?:-|$)/.test(form)) return /^(?:1[89]|20)/.test(digits);
  if (/^[12]-[12]-4(?:-|$)/.test(form)) return true;
  if (/^[0-9]+-[12]$/.test(form)) return true;
  if (form === "2-2-2") return isDayMonth(digits.slice(0, 2), digits.slice(2, 4)) || isDayMonth(digits.slice(2, 4), digits.slice(4));
  return (
    (form === "8" && /^(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])$/.test(digits)) ||
    (form === "4-4" && /^(?:1[89]|20)..(?:1[89]|20)/.test(digits))
  );
}
const isDayMonth = (a: string, b: string): boolean => (Number(a) <= 12 && Number(b) <= 31) || (Number(a) <= 31 && Number(b) <= 12);

/** Does a word say that it is a phone number, and no word nearer to it that it is something else? `undefined`: not all text has come. */
function isCalled(look: Look, start: number, end: number): boolean | undefined {
  const { folded, ended } = look.text;
  const words = look.nearby.at(start)?.[0] ?? MAY_BE_ALL;
  if (words !== 0) {
    const isBare = !/[^0-9]/.test(folded.slice(start, end));
    const ahead = before(folded, start).slice(-NEAR_CHARS);
    // A bare number is a phone number only with the word close to it and no other number between.
    const nearest = isBare ? ahead.slice(-BARE_CHARS).replace(/^.*[0-9]/s, "") : ahead;
    if ((words & MAY_BE_CALLED) !== 0 && CALLED.in(wordsOf(nearest))) return !isOther(look, start) || CALLED.in(wordsOf(lastWords(ahead)));
    if ((words & MAY_BE_OTHER) !== 0 && OTHER.in(wordsOf(ahead))) return false;
  }
  // What is trimmed of the text behind it makes no such words.
  const window = folded.slice(end, end + AFTER_CHARS);
  if ((ended || window.length === AFTER_CHARS) && !LABEL_BEHIND.test(window)) return false;
  const behind = after(folded, end, ended);
  return behind === undefined ? undefined : LABEL_BEHIND.test(behind);
}
/** Is it called something else, by one of the three words before it? */
function isOther({ text: { folded }, nearby }: Look, start: number): boolean {
  const words = nearby.at(start)?.[0] ?? MAY_BE_ALL;
  return (words & MAY_BE_OTHER) !== 0 && OTHER.in(wordsOf(lastWords(before(folded, start).slice(-NEAR_CHARS))));
}
const MAY_BE_CALLED = 1;
const MAY_BE_OTHER = 2;
const MAY_BE_ALL = MAY_BE_CALLED | MAY_BE_OTHER;
/** The last three runs without blanks, and what is between them. */
function lastWords(ahead: string): string {
  let start = ahead.length;
  for (let run = 0; run < 3; run += 1) {
    while (run > 0 && start > 0 && isSpace(ahead.charCodeAt(start - 1))) start -= 1;
    while (start > 0 && !isSpace(ahead.charCodeAt(start - 1))) start -= 1;
  }
  return ahead.slice(start);
}
/** As `\s` has it, of folded text. */
const isSpace = (code: number): boolean =>
  code === 32 || (code >= 9 && code <= 13) || code === 0x1680 || code === 0x2028 || code === 0x2029;
/** Scores up to this are taken back by such a word. */
const WEAK = 0.65;
const BARE_CHARS = 28;
const NEAR_CHARS = 40;
const LABEL_BEHIND =
  /^[\s,)\\(\]-]{0,4}(?:\(?(?:office|mobile|mob|cell|home|work|fax|tel|phone|direct|landline|main|m\b|h\b|w\b|f\b)|is (?:my|the|our|his|her|their)\s(?:\p{L}+\s){0,2}(?:phone|mobile|cell|number|tel)|是我的(?:电话|手机)|这个(?:电话|号码))/iu;

/** Lists whose words are known of before a number is looked at. */
const BEGINNINGS = new Beginnings([CALLED, OTHER]);
const NEAR: Window = { cuts: [NEAR_CHARS, BARE_CHARS], behind: 0 };
