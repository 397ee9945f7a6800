/**
 * Files of text that a request brings along as bytes: in base64 (Gemini's `inlineData`, Converse's `bytes`, OpenAI's `file_data`) or in
 * a `data:` URL (RFC 2397). The provider decodes them and its model reads what they say, so rules must see that and not its encoding.
 *
 * What a file is its bytes say, not the type that is told beside it: text has no control characters. Pictures, sound, PDF and archives
 * are none. Text is UTF-8, UTF-16 with its mark, or else taken byte by byte, so that whatever stays is written again as it was.
 */
import { isUtf8 } from "node:buffer";
import { YIELD_CHARS } from "./limits.ts";
import { type MediaKind, mediaKindOf } from "./media-kind.ts";
import { finish, type Steps } from "./slice.ts";

/** What a value says, and the value with other words. */
export interface TextFile {
  readonly text: string;
  write(text: string): Steps<string>;
}

/** Parameters of a data URL are short. */
const DATA_URL = /^data:([^,]{0,200}),/i;
const IN_BASE64 = /;base64$/i;
/** Either alphabet, in lines or not (RFC 4648, RFC 2045). */
const BASE64 = /^[A-Za-z0-9+/_\-\s]*={0,2}\s*$/;
/** So much of a value tells what it is, characters; a multiple of four. */
const HEAD_CHARS = 1368;
/** Characters that are decoded or encoded at once, well below a millisecond; a multiple of 12. */
const STEP_CHARS = 196_608;

interface Coded {
  readonly head: string;
  readonly body: string;
  readonly kind: "base64" | "percent";
}

/** `charsMax`: of the body no more is wanted. */
function codedOf(value: string, charsMax = value.length): Coded | undefined {
  const head = DATA_URL.exec(value);
  const from = head?.[0].length ?? 0;
  const body = value.slice(from, from + charsMax);
  if (head !== null && !IN_BASE64.test(head[1] ?? "")) return { head: head[0], body, kind: "percent" };
  const plain = head !== null && body.includes("%") ? finish(percentDecoded(body)).toString("latin1") : body;
  return BASE64.test(plain.slice(0, HEAD_CHARS)) ? { head: head?.[0] ?? "", body: plain, kind: "base64" } : undefined;
}

/**
 * What a value is that stands where a file does. file: encoded text, for `textFileSteps`. media: bytes that are no text. plain: it is
 * not encoded at all, so that it is text as it stands.
 */
export function fileKindOf(value: string): "file" | "media" | "plain" {
  // An escape has three signs.
  const coded = codedOf(value, 3 * HEAD_CHARS);
  if (coded === undefined) return "plain";
  return coded.kind === "percent" || isTextual(Buffer.from(coded.body.slice(0, HEAD_CHARS), "base64")) ? "file" : "media";
}

/** What the bytes are of a value that `fileKindOf` calls media. */
export function mediaOf(value: string): MediaKind {
  const coded = codedOf(value, 3 * HEAD_CHARS);
  return coded === undefined ? "other" : mediaKindOf(Buffer.from(coded.body.slice(0, HEAD_CHARS), "base64"));
}

/** A text that is nothing but base64, of words: random letters and digits of this length are not. */
export function isCodedText(value: string): boolean {
  if (!CODED_TEXT.test(value) || value.length > CODED_CHARS_MAX) return false;
  const bytes = Buffer.from(value, "base64");
  return isUtf8(bytes) && isTextual(bytes);
}
const CODED_TEXT = /^[A-Za-z0-9+/_-]{24,}={0,2}$/;
/** Longer ones are files where they stand alone. */
const CODED_CHARS_MAX = 65_536;

/** Do bytes begin as text of one byte a sign or UTF-8 does? */
export const isTextHead = (bytes: Buffer): boolean => markOf(bytes) === undefined && isTextual(bytes.subarray(0, (HEAD_CHARS / 4) * 3));

/** Is it a data URL? */
export const isDataUrl = (value: string): boolean => DATA_URL.test(value);

const PDF = "%PDF-";
function isTextual(bytes: Buffer): boolean {
  if (bytes.length === 0 || bytes.toString("latin1", 0, PDF.length) === PDF) return false;
  if (markOf(bytes) !== undefined) return true;
  for (const byte of bytes) if ((byte < 32 && byte !== 9 && byte !== 10 && byte !== 12 && byte !== 13) || byte === 127) return false;
  return true;
}

/** The byte order mark of UTF-16. */
function markOf(bytes: Uint8Array): "little" | "big" | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "little";
  return bytes[0] === 0xfe && bytes[1] === 0xff ? "big" : undefined;
}

/** The text of a value that `fileKindOf` calls a file. */
export function* textFileSteps(value: string): Steps<TextFile> {
  const coded = codedOf(value);
  if (coded === undefined) return { text: value, write: asItIs };
  const { head, body, kind } = coded;
  const bytes = yield* kind === "percent" ? percentDecoded(body) : base64Decoded(body);
  yield;
  const { text, encode } = yield* decoded(bytes);
  return {
    text,
    write: function* (other) {
      const others = yield* encode(other);
      return head + (kind === "percent" ? percentEncoded(others) : yield* base64Encoded(others, body));
    },
  };
}

function* asItIs(text: string): Steps<string> {
  yield;
  return text;
}

function* base64Decoded(body: string): Steps<Buffer> {
  if (body.length <= STEP_CHARS) return Buffer.from(body, "base64");
  // Native searches: an expression takes ten times as long.
  const plain = BLANKS.some((blank) => body.includes(blank)) ? body.replaceAll(/\s+/g, "") : body;
  const pieces: Buffer[] = [];
  for (let at = 0; at < plain.length; at += STEP_CHARS) {
    pieces.push(Buffer.from(plain.slice(at, at + STEP_CHARS), "base64"));
    yield;
  }
  return Buffer.concat(pieces);
}

const BLANKS = ["\n", "\r", " ", "\t"];

interface Decoded {
  readonly text: string;
  encode(text: string): Steps<Buffer>;
}

function* decoded(bytes: Buffer): Steps<Decoded> {
  const mark = markOf(bytes);
  if (mark === "little") return { text: bytes.toString("utf16le"), encode: (text) => encoded(text, "utf16le") };
  if (mark === "big")
    return {
      text: swapped(bytes).toString("utf16le"),
      encode: function* (text) {
        return swapped(yield* encoded(text, "utf16le"));
      },
    };
  const text = yield* utf8Of(bytes);
  if (text !== undefined) return { text, encode: (other) => encoded(other, "utf8") };
  return { text: bytes.toString("latin1"), encode: (other) => encoded(other, "latin1") };
}

function* encoded(text: string, encoding: BufferEncoding): Steps<Buffer> {
  const pieces: Buffer[] = [];
  for (let at = 0; at < text.length; ) {
    // A character of two units must not be cut in half.
    const code = text.charCodeAt(at + STEP_CHARS - 1);
    const to = at + STEP_CHARS - (code >= 0xd800 && code <= 0xdbff ? 1 : 0);
    pieces.push(Buffer.from(text.slice(at, to), encoding));
    at = to;
    yield;
  }
  return Buffer.concat(pieces);
}

/** UTF-16 with the bytes of each unit the other way round; half a unit at the end goes. */
const swapped = (bytes: Buffer): Buffer => Buffer.from(bytes.subarray(0, bytes.length - (bytes.length % 2))).swap16();

/** undefined: it is no UTF-8. */
function* utf8Of(bytes: Buffer): Steps<string | undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const pieces: string[] = [];
  try {
    for (let at = 0; at < bytes.length; at += STEP_CHARS) {
      pieces.push(decoder.decode(bytes.subarray(at, at + STEP_CHARS), { stream: true }));
      yield;
    }
    pieces.push(decoder.decode());
    return pieces.join("");
  } catch {
    return undefined;
  }
}

/** In the alphabet, and with the padding, that it had. */
function* base64Encoded(bytes: Buffer, before: string): Steps<string> {
  const alphabet = before.includes("-") || before.includes("_") ? "base64url" : "base64";
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += STEP_CHARS) {
    pieces.push(bytes.toString(alphabet, at, at + STEP_CHARS));
    yield;
  }
  const text = pieces.join("");
  if (alphabet === "base64url") return text;
  return before.length % 4 === 0 || before.includes("\n") ? text : text.replace(/=+$/, "");
}

/** Percent escapes as bytes; whatever else stands there as UTF-8. */
function* percentDecoded(body: string): Steps<Buffer> {
  const bytes = Buffer.from(body, "utf8");
  let length = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const coded = bytes[at] === PERCENT ? hexAt(bytes, at + 1) : undefined;
    bytes[length++] = coded ?? bytes[at] ?? 0;
    if (coded !== undefined) at += 2;
    if (length % YIELD_CHARS === 0) yield;
  }
  return bytes.subarray(0, length);
}
const PERCENT = 37;

function hexAt(bytes: Buffer, at: number): number | undefined {
  const digits = bytes.toString("latin1", at, at + 2);
  return /^[0-9a-f]{2}$/i.test(digits) ? Number.parseInt(digits, 16) : undefined;
}

/** Signs that may stand in a data URL as they are (RFC 3986). */
const percentEncoded = (bytes: Buffer): string => bytes.toString("latin1").replaceAll(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/?]/g, escaped);
const escaped = (sign: string): string => `%${sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
