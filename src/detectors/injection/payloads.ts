import { INJECTION_DECODED_CHARS_MAX, INJECTION_PAYLOADS_MAX } from "../../core/limits.ts";

/** A readable text that stood encoded in another. Offsets are of the text that it stood in. */
export interface Payload {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const BASE64 = /(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{20,16384}={0,2}/g;
const HEX = /(?<![0-9a-z])(?:0x)?(?:[0-9a-f]{2}[ :,]?){12,4000}/gi;
const ESCAPES = /(?:\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\u\{[0-9a-f]{1,6}\}){6,2000}/gi;
const PERCENT = /[\w.~-]{0,40}(?:%[0-9a-f]{2}[\w.+~-]{0,40}){4,1000}/gi;
const ENTITIES = /(?:&#(?:\d{2,6}|x[0-9a-f]{2,6});){6,2000}/gi;
const BINARY = /(?<![01])[01]{8}(?:[ ,]?[01]{8}){4,4000}/g;
const DECIMAL = /\b\d{2,3}(?:[ ,]{1,2}\d{2,3}){11,2000}\b/g;

/** What is encoded in `text.slice(from, to)` and reads as text once decoded. At most `INJECTION_PAYLOADS_MAX`, bounded in size. */
export function payloads(text: string, from: number, to: number): readonly Payload[] {
  const part = from === 0 && to === text.length ? text : text.slice(from, to);
  const found: Payload[] = [];
  let chars = 0;
  for (const [pattern, decode, needs] of DECODERS) {
    if (needs !== undefined && !part.includes(needs)) continue;
    for (const match of part.matchAll(pattern)) {
      if (found.length >= INJECTION_PAYLOADS_MAX || chars >= INJECTION_DECODED_CHARS_MAX) return found;
      const decoded = decode(match[0]);
      if (decoded === undefined || !isReadable(decoded)) continue;
      chars += decoded.length;
      found.push({ text: decoded, start: from + match.index, end: from + match.index + match[0].length });
    }
  }
  return found;
}

/** Shape, reading, and what must be in a text for the shape to be looked for. */
const DECODERS: readonly (readonly [RegExp, (text: string) => string | undefined, needs?: string])[] = [
  [BASE64, fromBase64],
  [HEX, (text) => Buffer.from(text.replace(/^0x/i, "").replaceAll(/[ :,]/g, ""), "hex").toString("utf8")],
  [ESCAPES, (text) => codes(text, /[0-9a-f]{2,6}/gi, 16), "\\"],
  [PERCENT, fromPercent, "%"],
  [
    ENTITIES,
    (text) =>
      Array.from(text.matchAll(/&#(x?)([0-9a-f]+);/gi), ([, hex, code]) => char(Number.parseInt(code ?? "", hex === "" ? 10 : 16))).join(
        "",
      ),
    "&#",
  ],
  [BINARY, (text) => codes(text, /[01]{8}/g, 2)],
  [DECIMAL, (text) => codes(text, /\d+/g, 10)],
];

function codes(text: string, each: RegExp, radix: number): string {
  return Array.from(text.matchAll(each), ([code]) => char(Number.parseInt(code, radix))).join("");
}
const char = (code: number): string => (code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : "");

function fromBase64(text: string): string | undefined {
  // A plain word or identifier is no base64: it needs both cases or signs of it.
  if (!/[A-Z]/.test(text) || !/[a-z]/.test(text)) return undefined;
  return Buffer.from(text, "base64").toString("utf8");
}

function fromPercent(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
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

/** The text with its Latin letters turned by 13 places. */
export function rot13(text: string): string {
  return text.replaceAll(/[a-z]/gi, (letter) => {
    const base = letter <= "Z" ? 65 : 97;
    return String.fromCharCode(((letter.charCodeAt(0) - base + 13) % 26) + base);
  });
}
