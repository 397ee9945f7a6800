import { INJECTION_DECODED_CHARS_MAX, INJECTION_PAYLOADS_MAX } from "../../core/limits.ts";
import { type LongRun, longRuns } from "../../core/long-runs.ts";
import type { Census } from "./census.ts";

/** A readable text that stood encoded in another. Offsets are of the text that it stood in. */
export interface Payload {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const BASE64 = /(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{20,16384}={0,2}/g;
/** In lines, as mails have it, or letter by letter. */
const BASE64_LINES = /(?:[A-Za-z0-9+/_-]{20,80}[ \t]{0,4}\r?\n[ \t>]{0,8}){1,500}[A-Za-z0-9+/_-]{2,80}={0,2}/y;
const BASE64_SPACED = /(?<![^\s"'`(:])(?:[A-Za-z0-9+/_-] ){24,4000}[A-Za-z0-9+/_=-](?: =)?/g;
/** RFC 4648 section 6. */
const BASE32 = /(?<![A-Za-z0-9])[A-Z2-7]{24,16384}={0,6}(?![A-Za-z0-9])/g;
const HEX = /(?<![0-9a-z])(?:0x)?(?:[0-9a-f]{2}[ :,]?){12,4000}/gi;
const ESCAPES = /(?:(?:\\x|0x)[0-9a-f]{2}[ ,]{0,2}|\\u[0-9a-f]{4}|\\u\{[0-9a-f]{1,6}\}){6,2000}/gi;
const OCTAL = /(?:\\[0-7]{2,3}){6,2000}/g;
const PERCENT = /[\w.~-]{0,40}(?:%[0-9a-f]{2}[\w.+~-]{0,40}){4,1000}/gi;
/** RFC 2045 section 6.7. */
const QUOTED_PRINTABLE = /[\w.~-]{0,40}(?:=[0-9A-F]{2}[\w.~-]{0,40}){4,1000}/g;
const ENTITIES = /(?:&#(?:\d{2,6}|x[0-9a-f]{2,6});){6,2000}/gi;
const BINARY = /(?<![01])[01]{8}(?:[ ,]?[01]{8}){4,4000}/g;
const DECIMAL = /\b\d{2,3}(?:[ ,]{1,2}\d{2,3}){11,2000}\b/g;
/** Recommendation ITU-R M.1677: letters apart by blanks, words by strokes. */
const MORSE = /(?<![.\-\w])(?:[.-]{1,5}[ /|]{1,3}){14,4000}[.-]{1,5}/g;
/** As forms write blanks. */
const PLUSES = /(?<![\p{L}\d+])[\p{L}\d.,!?:;'-]{1,40}(?:\+[\p{L}\d.,!?:;'-]{1,40}){4,400}/gu;
/** Words that only their capitals part. */
const HUMPS = /(?<![A-Za-z])[A-Za-z][a-z]{1,30}(?:[A-Z]{1,4}[a-z]{1,30}){4,60}/g;
/** UAX #9: what stands between is shown from right to left. */
const OVERRIDDEN = /\u202e[^\u202c\u2069\n]{8,4000}/g;

/**
 * What is encoded in `part`, which begins at offset `from` of the text, and reads as text once decoded, bounded in size. What is past
 * `INJECTION_PAYLOADS_MAX` comes as one, so that nobody hides behind harmless ones.
 */
export function payloads(part: string, from: number, census: Census): readonly Payload[] {
  const found: Payload[] = [];
  let chars = 0;
  const runs = [...longRuns(part, RUN_CHARS_MIN)];
  for (const { shapes, decode } of DECODERS)
    for (const { text, at } of shapes(part, census, runs)) {
      if (chars >= INJECTION_DECODED_CHARS_MAX) return found;
      const decoded = readable(text, decode, from > 0 && at === 0);
      if (decoded === undefined) continue;
      chars += decoded.length;
      const last = found.length === INJECTION_PAYLOADS_MAX ? found.pop() : undefined;
      const start = from + at;
      const end = start + text.length;
      found.push(
        last === undefined
          ? { text: decoded, start, end }
          : { text: `${last.text}\n${decoded}`, start: Math.min(last.start, start), end: Math.max(last.end, end) },
      );
    }
  return found;
}

/** What has the shape of something encoded, and where it stands in the part. */
interface Shape {
  readonly text: string;
  readonly at: number;
}
interface Decoder {
  readonly shapes: (part: string, census: Census, runs: readonly LongRun[]) => readonly Shape[];
  readonly decode: (text: string) => string | undefined;
}
const NONE: readonly Shape[] = [];

/** Wherever the pattern is met, in a part that `may` have it. */
const anywhere =
  (pattern: RegExp, may: (census: Census, part: string) => boolean) =>
  (part: string, census: Census): readonly Shape[] =>
    may(census, part) ? Array.from(part.matchAll(pattern), ({ 0: text, index }) => ({ text, at: index })) : NONE;

/** No word of most languages is as long, and nothing worth while is encoded in less. */
const RUN_CHARS_MIN = 20;
/** Signs behind a run that fill its last group, beside the two that the run has: base32 has up to six. */
const FILLERS_MAX = 4;
/** Within long runs of letters and digits, which most texts have few of. */
const inRuns =
  (pattern: RegExp) =>
  (part: string, _census: Census, runs: readonly LongRun[]): readonly Shape[] => {
    const found: Shape[] = [];
    for (const { start: at, end } of runs) {
      const run = part.slice(at, end + FILLERS_MAX);
      for (const match of run.matchAll(pattern)) found.push({ text: match[0], at: at + match.index });
    }
    return found;
  };

/** From the beginning of a long run on, past its end. */
const fromRuns =
  (pattern: RegExp) =>
  (part: string, _census: Census, runs: readonly LongRun[]): readonly Shape[] => {
    const found: Shape[] = [];
    let done = 0;
    for (const { start: at } of runs) {
      if (at < done) continue;
      pattern.lastIndex = at;
      const text = pattern.exec(part)?.[0];
      if (text === undefined) continue;
      found.push({ text, at });
      done = at + text.length;
    }
    return found;
  };

/** Signs that one encoded byte or group of bytes takes, at most: where a text is `torn`, its first group may be cut at any of them. */
const GROUP_CHARS_MAX = 8;

function readable(text: string, decode: (text: string) => string | undefined, torn: boolean): string | undefined {
  for (let skip = 0; skip < (torn ? GROUP_CHARS_MAX : 1); skip += 1) {
    const decoded = decode(text.slice(skip));
    if (decoded !== undefined && isReadable(decoded)) return decoded;
  }
  return undefined;
}

const DECODERS: readonly Decoder[] = [
  { shapes: inRuns(BASE64), decode: fromBase64 },
  { shapes: fromRuns(BASE64_LINES), decode: (text) => fromBase64(text.replaceAll(/[\s>]+/g, "")) },
  { shapes: anywhere(BASE64_SPACED, ({ singles }) => singles >= 20), decode: (text) => fromBase64(text.replaceAll(" ", "")) },
  { shapes: inRuns(BASE32), decode: fromBase32 },
  {
    shapes: anywhere(HEX, ({ hex }) => hex >= 24),
    decode: (text) => Buffer.from(text.replace(/^0x/i, "").replaceAll(/[ :,]/g, ""), "hex").toString("utf8"),
  },
  {
    shapes: anywhere(ESCAPES, ({ count }) => count("\\0") >= 6),
    decode: (text) => codes(text, /(?<=[\\0][xu]\{?)[0-9a-f]+/gi, 16),
  },
  { shapes: anywhere(OCTAL, ({ count }) => count("\\") >= 6), decode: (text) => codes(text, /[0-7]+/g, 8) },
  {
    shapes: anywhere(PERCENT, ({ count }, part) => count("%") >= 4 && /(?:%[0-9a-f]{2}[^%]{0,40}){4}/i.test(part)),
    decode: (text) => fromPercent(text.replaceAll("+", " ")),
  },
  {
    shapes: anywhere(QUOTED_PRINTABLE, ({ count }, part) => count("=") >= 4 && /(?:=[0-9A-F]{2}[^=]{0,40}){4}/.test(part)),
    decode: (text) => fromPercent(text.replaceAll("%", "%25").replaceAll("=", "%")),
  },
  { shapes: anywhere(ENTITIES, ({ count }) => count("&") >= 6), decode: fromEntities },
  { shapes: anywhere(BINARY, ({ hex, count }) => hex >= 40 && count("01") >= 40), decode: (text) => codes(text, /[01]{8}/g, 2) },
  { shapes: anywhere(DECIMAL, ({ hex, digits }) => hex >= 34 && digits >= 24), decode: (text) => codes(text, /\d+/g, 10) },
  { shapes: anywhere(MORSE, ({ count }) => count(".-") >= 15), decode: fromMorse },
  {
    shapes: anywhere(PLUSES, ({ count }, part) => count("+") >= 4 && /\+[^\s+]+\+[^\s+]+\+/.test(part)),
    decode: (text) => text.replaceAll("+", " "),
  },
  { shapes: inRuns(HUMPS), decode: (text) => text.replaceAll(/(?<=.)(?=[A-Z])/g, " ") },
  { shapes: anywhere(OVERRIDDEN, ({ plain }) => !plain), decode: (text) => Array.from(text.slice(1)).reverse().join("") },
];

function fromEntities(text: string): string {
  return Array.from(text.matchAll(/&#(x?)([0-9a-f]+);/gi), ([, hex, code]) => char(Number.parseInt(code ?? "", hex === "" ? 10 : 16))).join(
    "",
  );
}

/** Codes of characters, or the bytes of UTF-8 where they are. */
function codes(text: string, each: RegExp, radix: number): string {
  const all = Array.from(text.matchAll(each), ([code]) => Number.parseInt(code, radix));
  if (all.some((code) => code >= 0xc2) && all.every((code) => code <= 0xff)) {
    const decoded = Buffer.from(all).toString("utf8");
    if (!decoded.includes("\ufffd")) return decoded;
  }
  return all.map(char).join("");
}
const char = (code: number): string => (code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : "");

function fromBase64(text: string): string | undefined {
  // A plain word or identifier is no base64: it needs both cases or signs of it.
  if (!/[A-Z]/.test(text) || !/[a-z]/.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64");
  // UTF-16 of a Latin text has a zero at every second place, as PowerShell writes its commands.
  return bytes[1] === 0 && bytes[3] === 0 ? bytes.toString("utf16le") : bytes.toString("utf8");
}

function fromBase32(text: string): string | undefined {
  if (!/[2-7]/.test(text)) return undefined;
  const bytes: number[] = [];
  let held = 0;
  let bits = 0;
  for (const sign of text) {
    const value = BASE32_SIGNS.indexOf(sign);
    if (value < 0) break;
    held = ((held << 5) | value) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >> bits) & 0xff);
  }
  return Buffer.from(bytes).toString("utf8");
}
const BASE32_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** Letters from A to Z. */
const MORSE_LETTERS = ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --..".split(
  " ",
);
function fromMorse(text: string): string {
  const letters = new Map(MORSE_LETTERS.map((signs, index) => [signs, String.fromCharCode(97 + index)]));
  const word = (signs: string): string => Array.from(signs.matchAll(/[.-]+/g), ([sign]) => letters.get(sign) ?? "").join("");
  return text
    .split(/ *[/|] *| {2,}/)
    .map(word)
    .join(" ");
}

function fromPercent(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Letters, spaces and the usual signs nearly alone; bytes that are no text show as replacement characters and controls. */
function isReadable(text: string): boolean {
  if (text.length < 8) return false;
  let good = 0;
  let letters = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (isLetter(code)) letters += 1;
    if (isLetter(code) || (code >= 0x2c && code <= 0x3b) || code === 32 || code === 10 || code === 33 || code === 63 || code === 95)
      good += 1;
  }
  return good >= text.length * 0.85 && letters >= text.length * 0.5;
}

/** ASCII letters and those of other scripts; not the replacement character of bytes that are no text. */
const isLetter = (code: number): boolean => (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 0xc0 && code < 0xd800);
