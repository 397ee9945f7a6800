import type { Detector, Finding, Found, ScanText } from "../core/detector.ts";
import { isOneDigit } from "./shared/checksums.ts";
import { after, BEFORE_CHARS, before, words, wordsOf } from "./shared/context.ts";
import { isSeparator, readNumber, SEPARATOR_CHARS_MAX, type Written } from "./shared/digit-groups.ts";
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

type Judged = { readonly start: number; readonly end: number; readonly score: number } | undefined | "more";

function find(text: ScanText, from: number): Found {
  const { atoms, folded, ended } = text;
  const findings: Finding[] = [];
  let least = from;
  for (let index = firstAtom(atoms, from); index < atoms.length; index += 1) {
    const atom = atoms[index];
    if (atom === undefined || atom.start < least || !isDigit(folded.charCodeAt(atom.start))) continue;
    if (isShort(text, atom.end - atom.start, atom.end)) continue;
    const start = signsBefore(folded, atom.start, least);
    const judged = judge(text, start, atom.start);
    if (judged === "more") return { findings, open: start };
    if (judged === undefined) continue;
    findings.push({ entity: "phone", ...judged });
    least = judged.end;
  }
  return { findings, open: ended ? folded.length : signsBefore(folded, folded.length, least) };
}

/** A few digits with no more behind them. */
function isShort({ folded, ended }: ScanText, length: number, end: number): boolean {
  if (length >= DIGITS_MIN || (end + 3 >= folded.length && !ended)) return false;
  let signs = 0;
  while (signs < SEPARATOR_CHARS_MAX && isSeparator(folded.charCodeAt(end + signs))) signs += 1;
  return signs === 0 || !isDigit(folded.charCodeAt(end + signs));
}

/** `+`, `(`, `(+` or `+(` before the first digit belong to the number. */
function signsBefore(folded: string, digit: number, least: number): number {
  let start = digit;
  while (start > least && digit - start < 2 && "+(".includes(folded.charAt(start - 1))) start -= 1;
  return start;
}

function judge(text: ScanText, start: number, firstDigit: number): Judged {
  const { folded, ended } = text;
  if (!isFree(folded, start)) return undefined;
  if (start === firstDigit && isInSpread(folded, start)) return undefined;
  const written = readNumber(folded, firstDigit, DIGITS_MAX);
  if (written.end === folded.length && !ended) return "more";
  const signs = folded.slice(start, firstDigit);
  const isInner = start === firstDigit && isDigit(folded.charCodeAt(start - 2)) && " -./()\u200b".includes(folded.charAt(start - 1));
  if (isInner && (written.groups.length < 2 || written.separatorAt(1) === folded.charAt(start - 1))) return undefined;
  const least = written.text.length < DIGITS_MIN ? written.groups.length : Math.max(0, leastGroups(written));
  for (let count = mostGroups(written); count > least; count -= 1) {
    const last = written.groups[count - 1];
    if (last === undefined || written.digitsOf(count) > DIGITS_MAX || !isFreeBehind(folded, last.end)) continue;
    if (!ended && last.end + 2 > folded.length) return "more";
    const alone = formScore(written, count, signs);
    if (alone === undefined || (isInner && alone < 0.6)) continue;
    const end = withExtension(folded, last.end, ended);
    if (end === undefined) return "more";
    if (end === last.end && isAlnum(folded.charCodeAt(end))) continue;
    if (alone > 0 && alone <= WEAK && isOther(folded, start)) continue;
    if (alone > 0 && start < firstDigit) return { start, end, score: alone };
    const near = count === written.groups.length || alone > 0 ? isCalled(folded, start, end, ended) : false;
    if (near === undefined) return "more";
    if (near) return { start: signs.includes("+") || signs === "(" ? start : firstDigit, end, score: Math.max(alone, 0.9) };
    if (alone > 0) return { start, end, score: alone };
  }
  return undefined;
}

const GROUPS_MAX = 7;
/** Digit by digit is all or nothing; otherwise there are few groups. */
const isSpread = ({ groups }: Written): boolean => groups.length > GROUPS_MAX && groups.every(({ start, end }) => end - start === 1);
const mostGroups = (written: Written): number => (isSpread(written) ? written.groups.length : Math.min(GROUPS_MAX, written.groups.length));
const leastGroups = (written: Written): number => (isSpread(written) ? written.groups.length - 1 : 0);

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
  const sign = folded.charAt(start - 1);
  if (sign === "") return true;
  if (isAlnum(folded.charCodeAt(start - 1)) || "$€£¥₹₽#_=&".includes(sign)) return sign === "=" || sign === "_";
  return !("-./:,+)".includes(sign) && isDigit(folded.charCodeAt(start - 2)));
}

/** No letter or digit behind it but an extension's, no decimal, date or further group by a sign. */
function isFreeBehind(folded: string, end: number): boolean {
  const code = folded.charCodeAt(end);
  if (isAlnum(code)) return folded.charAt(end) === "x" || folded.charAt(end) === "e";
  return !("-./:,%".includes(folded.charAt(end)) && isDigit(folded.charCodeAt(end + 1)));
}

/** End with an extension behind the number; `undefined` where more text may make it one. */
function withExtension(folded: string, end: number, ended: boolean): number | undefined {
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
  const sizes = written.groups.slice(0, count).map(({ start, end }) => end - start);
  const digits = written.text.slice(0, written.digitsOf(count));
  if (signs.includes("+")) return isInternational(digits) ? 0.95 : undefined;
  if (digits.length < DIGITS_MIN || (sizes.length > 1 && !isPlausible(sizes))) return undefined;
  const form = sizes.join("-");
  if (isOneDigit(digits) || isDateLike(form, digits)) return undefined;
  if (/^00[1-9]/.test(digits) && (sizes.length > 1 || digits.length > 11) && isInternational(digits.slice(2)))
    return sizes.length > 1 ? 0.85 : 0.6;
  const separator = count > 1 ? written.separatorAt(1) : "";
  return Math.max(americanScore(form, digits, separator), nationalScore(sizes, form, { digits, signs }));
}

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
  if (signs === "(" && sizes.length > 1 && first >= 2 && first <= 5 && digits.length >= 8 && digits.length <= 12) return 0.7;
  const hasTrunk = /^0[1-9]/.test(digits) && sizes.length > 1 && first >= 2 && first <= 5;
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
function isPlausible(sizes: readonly number[]): boolean {
  if (sizes.every((size) => size === 1)) return sizes.length >= 7;
  return sizes.every((size, index) => size > 1 || (index <= 1 && sizes.length > 2));
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
function isCalled(folded: string, start: number, end: number, ended: boolean): boolean | undefined {
  const isBare = !/[^0-9]/.test(folded.slice(start, end));
  const ahead = before(folded, start).slice(-NEAR_CHARS);
  // A bare number is a phone number only with the word close to it and no other number between.
  const nearest = isBare ? ahead.slice(-BARE_CHARS).replace(/^.*[0-9]/s, "") : ahead;
  if (CALLED.in(wordsOf(nearest))) return !isOther(folded, start) || CALLED.in(wordsOf(lastWords(ahead)));
  if (OTHER.in(wordsOf(ahead))) return false;
  const behind = after(folded, end, ended);
  return behind === undefined ? undefined : LABEL_BEHIND.test(behind);
}
/** Is it called something else, by one of the three words before it? */
const isOther = (folded: string, start: number): boolean => OTHER.in(wordsOf(lastWords(before(folded, start).slice(-NEAR_CHARS))));
const lastWords = (ahead: string): string => ahead.slice(ahead.search(/[^\s]*\s*[^\s]*\s*[^\s]*$/));
/** Scores up to this are taken back by such a word. */
const WEAK = 0.65;
const BARE_CHARS = 28;
const NEAR_CHARS = 40;
const CALLED = words(
  ...[
    "phone",
    "phones",
    "telephone",
    "tel",
    "telefon",
    "teléfono",
    "telefono",
    "telefone",
    "téléphone",
    "telefoon",
    "telefonnummer",
    "телефон",
    "тел",
    "mobile",
    "mob",
  ],
  ...[
    "cell",
    "cellphone",
    "cellular",
    "celular",
    "móvil",
    "movil",
    "handy",
    "handynummer",
    "portable",
    "landline",
    "hotline",
    "fax",
    "pager",
    "whatsapp",
    "wechat",
    "signal",
  ],
  ...[
    "call",
    "calls",
    "calling",
    "called",
    "dial",
    "dialed",
    "ring me",
    "reach",
    "reach me",
    "answering",
    "text me",
    "texting",
    "sms",
    "contact",
    "contact number",
    "phone number",
  ],
  ...[
    "appelez",
    "appeler",
    "anrufen",
    "rufen",
    "rufnummer",
    "llame",
    "llamar",
    "llámame",
    "chiamare",
    "chiama",
    "ligue",
    "ligar",
    "bel",
    "bellen",
    "zadzwoń",
    "zadzwonić",
    "звоните",
    "позвоните",
  ],
  ...[
    "电话",
    "電話",
    "手机",
    "手機",
    "联系电话",
    "联系方式",
    "拨打",
    "致电",
    "座机",
    "传真",
    "号码是",
    "携帯",
    "전화",
    "휴대폰",
    "연락처",
    "โทร",
  ],
);
const OTHER = words(
  ...[
    "lot",
    "order",
    "orders",
    "invoice",
    "ticket",
    "tracking",
    "ref",
    "reference",
    "id",
    "account",
    "acct",
    "version",
    "build",
    "serial",
    "sku",
    "isbn",
    "issn",
    "doi",
    "zip",
  ],
  ...[
    "postcode",
    "postal",
    "case",
    "policy",
    "part",
    "model",
    "amount",
    "total",
    "price",
    "card",
    "iban",
    "ssn",
    "passport",
    "licence",
    "license",
    "vat",
    "code",
    "pin",
    "otp",
    "port",
    "pid",
  ],
  ...["timestamp", "room", "flight", "page", "line", "订单", "单号", "编号", "账号", "金额", "验证码", "卡号"],
);
const LABEL_BEHIND =
  /^[\s,)\\(\]-]{0,4}(?:\(?(?:office|mobile|mob|cell|home|work|fax|tel|phone|direct|landline|main|m\b|h\b|w\b|f\b)|is (?:my|the|our|his|her|their)\s(?:\p{L}+\s){0,2}(?:phone|mobile|cell|number|tel)|是我的(?:电话|手机)|这个(?:电话|号码))/iu;
