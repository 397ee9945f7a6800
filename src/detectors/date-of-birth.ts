import type { Atom, ScanText } from "../core/detector.ts";
import { isDate, isDayOf } from "./shared/checksums.ts";
import { AFTER_CHARS, after, BEFORE_CHARS, before, words, wordsOf } from "./shared/context.ts";
import { patternDetector } from "./shared/patterns.ts";
import { firstAtom, isAlnum, isDigit, isLetter } from "./shared/text.ts";

/** Names of the months and their short forms, in the main European languages. */
const MONTHS = [
  ...["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december", "sept"],
  ...[
    "jan",
    "feb",
    "mar",
    "apr",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
    "januar",
    "februar",
    "märz",
    "mai",
    "juni",
    "juli",
    "oktober",
    "dezember",
  ],
  ...[
    "janvier",
    "février",
    "fevrier",
    "mars",
    "avril",
    "juin",
    "juillet",
    "août",
    "aout",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
    "decembre",
  ],
  ...["enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"],
  ...[
    "gennaio",
    "febbraio",
    "aprile",
    "maggio",
    "giugno",
    "luglio",
    "settembre",
    "ottobre",
    "novembre",
    "dicembre",
    "januari",
    "februari",
    "maart",
    "augustus",
  ],
  ...["janeiro", "fevereiro", "março", "maio", "junho", "julho", "setembro", "outubro", "novembro", "dezembro"],
].sort((a, b) => b.length - a.length);
const MONTH = `(?:${[...new Set(MONTHS)].join("|")})`;
/** How a month may begin, for a text that ends in it. */
const MONTH_BEGUN = `(?:${[...new Set(MONTHS.flatMap((month) => Array.from(month, (_, index) => month.slice(0, index + 1))))].sort((a, b) => b.length - a.length).join("|")})?`;
/** Longest of them. */
const MONTH_CHARS_MAX = 12;
const NUMBERS = "[0-9]{1,4}(?: ?[-./] ?)[0-9]{1,2}(?: ?[-./] ?)[0-9]{1,4}";
const CHINESE = "[0-9]{4} ?年 ?[0-9]{1,2} ?月 ?[0-9]{1,2} ?[日号]";
const DAY = "[0-9]{1,2}(?:st|nd|rd|th|º|er|\\.)?";
const DAY_FIRST = `${DAY}(?: of| de)?[ -]${MONTH}\\.?(?: de| del)?,?[ -][0-9]{4}`;
const MONTH_FIRST = `${MONTH}\\.? ${DAY},? [0-9]{4}`;
const EDGE = "(?<![0-9\\p{Script=Latin}]|[0-9][-./])";

const BORN = words(
  ...["born", "birth", "birthday", "birthdate", "birth date", "date of birth", "dob", "d o b", "b day", "bday"],
  ...[
    "geboren",
    "geb",
    "geburtsdatum",
    "geburtstag",
    "née",
    "né le",
    "née le",
    "naissance",
    "nacido",
    "nacida",
    "nacimiento",
    "cumpleaños",
    "nato",
    "nata",
    "nascita",
  ],
  ...[
    "nascido",
    "nascida",
    "nascimento",
    "geboortedatum",
    "urodzony",
    "urodzona",
    "urodzenia",
    "рождения",
    "родился",
    "родилась",
    "出生",
    "生日",
    "生于",
    "生年月日",
    "생년월일",
    "출생",
  ],
);
/** Dates of birth: a day, month and year that can be one (1890 to 2039), with a word of birth near. */
export const dateOfBirth = patternDetector({
  entity: "date_of_birth",
  class: "personal",
  profile: "standard",
  pattern: new RegExp(`${EDGE}(?:${CHINESE}|${DAY_FIRST}|${MONTH_FIRST}|${NUMBERS}|[0-9]{8})(?![0-9\\p{Script=Latin}])`, "iu"),
  // Digits with what may stand between them; a word that may become a month; a month and what follows.
  begun: new RegExp(
    `${EDGE}(?:[0-9]{1,8}(?: ?[-./年] ?[0-9]{0,4}){0,1}(?: ?[-./月] ?[0-9]{0,4}){0,1} ?|${DAY}(?: of| de| o| d)?[ -](?:${MONTH_BEGUN}|${MONTH}\\.?(?: de| del| d)?,?[ -]?[0-9]{0,4})|[0-9]{1,2}(?:s|n|r|t|st|nd|rd|th|e|er|º|\\.)?(?: o| of| d| de)?[ -]?|${MONTH_BEGUN}\\.?|${MONTH}\\.? ?[0-9]{0,2}(?:s|n|r|t|st|nd|rd|th|e|er|º|\\.)?,? ?[0-9]{0,4})$`,
    "iu",
  ),
  // A month, a stop and a blank, and `rd, ` before the year.
  begunWordsMax: MONTH_CHARS_MAX + 8,
  starts,
  lookBehind: BEFORE_CHARS,
  lengthMax: 40,
  words: BORN,
  judge: (match, { folded, ended }, mayBeNear) => {
    const end = match.index + match[0].length;
    if (end + 2 > folded.length && !ended) return undefined;
    // What is trimmed of the text behind it makes no such words.
    const window = folded.slice(end, end + AFTER_CHARS);
    const mayBeBehind = BORN_BEHIND.test(window) || (!ended && window.length < AFTER_CHARS);
    if (!mayBeNear && !mayBeBehind) return 0;
    if (/^[-./][0-9]/.test(window) || !isBirthday(match[0])) return 0;
    if (mayBeNear && BORN.in(wordsOf(sinceDate(before(folded, match.index))))) return 0.9;
    if (!mayBeBehind) return 0;
    const behind = after(folded, end, ended);
    return behind === undefined ? undefined : BORN_BEHIND.test(behind) ? 0.8 : 0;
  },
});

/** A date begins with digits, or with a month before them. */
function starts({ folded, atoms }: ScanText, from: number): readonly number[] {
  const found: number[] = [];
  for (let index = firstAtom(atoms, from); index < atoms.length; index += 1) {
    const atom = atoms[index];
    if (atom === undefined || atom.letterFirst) continue;
    const { start } = atom;
    const digits = digitsAt(folded, start, DIGITS_MAX + 1);
    const month = digits <= 2 && folded.charCodeAt(start - 1) === BLANK ? monthBefore(folded, atom) : start;
    if (month < start && month >= from) found.push(month);
    if (mayBeDate(folded, start, digits)) found.push(start);
  }
  return found;
}
const DIGITS_MAX = 8;
const BLANK = 32;
const STOP = 46;
const YEAR_SIGN = 0x5e74;

/** How many digits stand at `at`, counted to `most`. */
function digitsAt(folded: string, at: number, most: number): number {
  let count = 0;
  while (count < most && isDigit(folded.charCodeAt(at + count))) count += 1;
  return count;
}

/** Where a month's name may begin before an atom; the atom itself where none does. */
function monthBefore(folded: string, { start }: Atom): number {
  const end = folded.charCodeAt(start - 2) === STOP ? start - 2 : start - 1;
  let month = end;
  while (end - month < MONTH_CHARS_MAX && isLatin(folded.charCodeAt(month - 1))) month -= 1;
  return month < end && mayBeMonth(folded, month) ? month : start;
}
const isLatin = (code: number): boolean => isLetter(code) || (code >= 0xc0 && code <= 0x24f) || code === 0x212a;

/** By its first three letters; all letters beyond ASCII may be of one. */
function mayBeMonth(folded: string, at: number): boolean {
  let beginning = 0;
  for (let index = at; index < at + 3; index += 1) {
    const code = folded.charCodeAt(index);
    if (code > 127) return true;
    beginning = (beginning << 5) | (code & 31);
  }
  return MONTH_BEGINNINGS.has(beginning);
}
const MONTH_BEGINNINGS: ReadonlySet<number> = new Set(
  MONTHS.map((month) => [0, 1, 2].reduce((beginning, index) => (beginning << 5) | (month.charCodeAt(index) & 31), 0)),
);

/** What can be said of a date by the signs around its first number, before the pattern is asked. */
function mayBeDate(folded: string, start: number, digits: number): boolean {
  const next = folded.charCodeAt(start + digits);
  if (digits > 4) return digits === DIGITS_MAX && !isAlnum(next);
  if (digits === 3) return false;
  if (digits === 4 && folded.charCodeAt(start) > ASCII_TWO) return false;
  const at = next === BLANK ? start + digits + 1 : start + digits;
  const sign = folded.charCodeAt(at);
  if (digits === 4 && sign === YEAR_SIGN) return true;
  if (isDateSign(sign) && mayGoOn(folded, at + 1)) return true;
  if (digits === 4) return false;
  // `3rd`, `3. März`, `3-mar`, `3 de marzo`.
  if (next > 127 || isLetter(next) || next === STOP) return true;
  return (next === BLANK || next === MINUS) && mayFollowDay(folded, start + digits + 1);
}
const ASCII_TWO = 50;
const MINUS = 45;
const isDateSign = (code: number): boolean => code === MINUS || code === STOP || code === 47;

/** One or two digits and another sign. */
function mayGoOn(folded: string, from: number): boolean {
  const at = folded.charCodeAt(from) === BLANK ? from + 1 : from;
  const digits = digitsAt(folded, at, 2);
  if (digits === 0) return false;
  const end = folded.charCodeAt(at + digits) === BLANK ? at + digits + 1 : at + digits;
  return isDateSign(folded.charCodeAt(end));
}

/** A month, or `of` or `de` before it. */
function mayFollowDay(folded: string, at: number): boolean {
  const small = folded.charCodeAt(at) | 32;
  return small === 111 || small === 100 || mayBeMonth(folded, at);
}

const BORN_BEHIND =
  /^[\s,)-]{0,3}(?:\(?(?:dob|date of birth|birth)|is (?:my|his|her|their|the)\s(?:\p{L}+\s){0,2}(?:birthday|birth|date of birth|dob)|是我的生日|出生|生まれ)/iu;

/** A word before another date is about that one. */
const sinceDate = (ahead: string): string =>
  ahead.slice(ahead.search(/(?:[0-9]{4}|[0-9][-./][0-9])(?!.*(?:[0-9]{4}|[0-9][-./][0-9]))/s) + 1);

function isBirthday(written: string): boolean {
  const numbers = (written.match(/[0-9]+/g) ?? []).map(Number);
  if (/^[0-9]{8}$/.test(written)) return isBirthDate(Number(written.slice(0, 4)), Number(written.slice(4, 6)), Number(written.slice(6)));
  if (numbers.length === 2) return isYear(numbers[1] ?? 0) && (numbers[0] ?? 0) >= 1 && (numbers[0] ?? 0) <= 31;
  const [a = 0, b = 0, c = 0] = numbers;
  if (/^[0-9]{4}/.test(written)) return isBirthDate(a, b, c);
  if (/(?<![0-9])[0-9]{4}$/.test(written)) return isBirthDate(c, b, a) || isBirthDate(c, a, b);
  return /(?<![0-9])[0-9]{2}$/.test(written) && /^[0-9]{1,2}(?![0-9])/.test(written) && (isDayOf(b, a) || isDayOf(a, b));
}
const isYear = (year: number): boolean => year >= 1890 && year < 2040;
const isBirthDate = (year: number, month: number, day: number): boolean => isYear(year) && isDate(year, month, day);
