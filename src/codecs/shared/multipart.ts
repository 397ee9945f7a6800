/**
 * Reads and edits a `multipart/form-data` body (RFC 7578 in the form of RFC 2046).
 *
 * Steps: boundary from the content type -> split at its delimiters with native searches -> each part's few header lines ->
 * text fields into one JSON document, files left where they are. Edits of that document become splices of the bytes.
 *
 * Strict on purpose: what two parsers may read differently (a preamble, a second name, an encoded part, a part in a part, bare
 * line feeds, another character set) is refused, so that the provider sees the form that policies saw.
 * Cost is linear in the bytes; files are never copied unless another part changes.
 */
import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import type { FormBody, ParseError } from "../../core/codec.ts";
import { type Json, type JsonEdit, type JsonNode, member, parseJson, parseJsonValue } from "../../core/json.ts";
import { FORM_HEADER_BYTES_MAX, FORM_PARTS_MAX, FORM_TEXT_BYTES_MAX } from "../../core/limits.ts";
import { type MediaKind, mediaKindOf } from "../../core/media-kind.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { isTextHead } from "../../core/text-file.ts";

/** Member of a form's document that lists the names of its files; no field can be called so. */
export const FILE_NAMES = "";
/** Another, which lists what its files of text say. */
export const FILE_TEXTS = " ";

/** So much of a file tells what it is. */
const FILE_HEAD_BYTES = 1024;

interface Span {
  readonly start: number;
  readonly end: number;
  /** Absent: UTF-8. */
  readonly encoding?: "utf8" | "latin1";
}
interface Part {
  readonly name: string;
  /** From the delimiter's dashes to the next delimiter's line break, exclusive. */
  readonly whole: Span;
  readonly content: Span;
  /** The values of `filename` and `filename*`, without quotes; undefined for text fields. */
  readonly fileNames: readonly Span[] | undefined;
}

const CRLF = Buffer.from("\r\n");
const BLANK_LINE = Buffer.from("\r\n\r\n");
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Takes a form apart, or says what about it is not acceptable (field names and rules only). */
export function readMultipart(body: Buffer, contentType: string): Result<FormBody, ParseError> {
  const boundary = boundaryOf(contentType);
  if (boundary === undefined) return refuse("The content-type must be multipart/form-data with one boundary.");
  const parts = split(body, boundary);
  return parts.ok ? assemble(body, boundary, parts.value) : parts;
}

const refuse = (message: string, where = ""): { readonly ok: false; readonly error: ParseError } =>
  err({ code: "invalid_request", where, message });

/** RFC 2046 section 5.1.1: 1 to 70 of these, not ending in a blank. */
const BOUNDARY = /^[A-Za-z0-9'()+_,./:=?-]{1,70}$/;

function boundaryOf(contentType: string): string | undefined {
  const [type, ...parameters] = contentType.split(";");
  if (type?.trim().toLowerCase() !== "multipart/form-data" || contentType.length > 1024) return undefined;
  let found: string | undefined;
  for (const parameter of parameters) {
    const [, name, quoted, token] = /^\s*([A-Za-z0-9_*-]+)=(?:"([^"\\]*)"|([^\s";]+))\s*$/.exec(parameter) ?? [];
    if (name?.toLowerCase().startsWith("boundary") !== true) continue;
    if (found !== undefined || name.toLowerCase() !== "boundary") return undefined;
    found = quoted ?? token;
  }
  return found !== undefined && BOUNDARY.test(found) ? found : undefined;
}

function split(body: Buffer, boundary: string): Result<readonly Part[], ParseError> {
  const opening = Buffer.from(`--${boundary}`);
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  if (!body.subarray(0, opening.length).equals(opening)) return refuse("The form must begin with its boundary.");
  const parts: Part[] = [];
  let start = 0;
  let after = opening.length;
  while (!isDashes(body, after)) {
    if (parts.length === FORM_PARTS_MAX) return refuse(`A form may have ${FORM_PARTS_MAX} parts.`);
    if (!body.subarray(after, after + 2).equals(CRLF)) return refuse("A boundary of the form is not followed by a line break.");
    const end = body.indexOf(delimiter, after);
    if (end === -1) return refuse("The form's final boundary is missing.");
    const part = readPart(body, { start, end }, after + 2);
    if (!part.ok) return part;
    parts.push(part.value);
    start = end + 2;
    after = end + delimiter.length;
  }
  const rest = body.subarray(after + 2);
  if (rest.length !== 0 && !rest.equals(CRLF)) return refuse("Nothing may stand behind the form's final boundary.");
  return ok(parts);
}

const isDashes = (body: Buffer, at: number): boolean => body[at] === 0x2d && body[at + 1] === 0x2d;

function readPart(body: Buffer, whole: Span, headersAt: number): Result<Part, ParseError> {
  // Searched within the part and the header cap only, so that many parts stay linear.
  const window = body.subarray(headersAt, Math.min(whole.end, headersAt + FORM_HEADER_BYTES_MAX));
  const blank = window.indexOf(BLANK_LINE);
  if (blank === -1) return refuse(`A part of the form has no headers, or more than ${FORM_HEADER_BYTES_MAX} bytes of them.`);
  const headers = window.toString("latin1", 0, blank);
  const content = { start: headersAt + blank + BLANK_LINE.length, end: whole.end };
  let found: Named | undefined;
  let at = headersAt;
  for (const line of headers.split("\r\n")) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1);
    if (colon < 1 || !/^[a-z0-9-]+$/.test(name) || /[\0\r\n]/.test(value))
      return refuse("A part of the form has a header that is not well formed.");
    if (name === "content-disposition") {
      const read = found === undefined ? readDisposition(value, at + colon + 1) : undefined;
      if (read === undefined) return refuse("A part of the form has no plain content-disposition with one name.");
      found = read;
    } else if (!fits(name, value.trim().toLowerCase())) return refuse("A part of the form is encoded or holds a form of its own.");
    at += line.length + CRLF.length;
  }
  if (found === undefined) return refuse("A part of the form has no name.");
  return ok({ ...found, whole, content });
}

/** Encodings of a part that a provider would undo and Sluice would not see. */
function fits(name: string, value: string): boolean {
  if (name === "content-transfer-encoding") return ["binary", "8bit", "7bit"].includes(value);
  if (name === "content-encoding") return value === "identity";
  if (name !== "content-type") return true;
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/.exec(value)?.[1];
  return !/^(?:multipart|message)\//.test(value) && (charset === undefined || ["utf-8", "us-ascii"].includes(charset));
}

type Named = Pick<Part, "name" | "fileNames">;

/** ` form-data; name="model"; filename="a.wav"`. `at`: where the value begins in the body (headers are one byte a character). */
function readDisposition(value: string, at: number): Named | undefined {
  const kind = /^\s*form-data\s*/i.exec(value);
  if (kind === null) return undefined;
  const parameter = /\s*;\s*([A-Za-z0-9*_-]+)=(?:"([^"]*)"|([^\s";]+))\s*/y;
  parameter.lastIndex = kind[0].length;
  let name: string | undefined;
  const fileNames = new Map<string, Span>();
  while (parameter.lastIndex < value.length) {
    const from = parameter.lastIndex;
    const [text, key, quoted, token] = parameter.exec(value) ?? [];
    if (text === undefined || key === undefined) return undefined;
    const given = quoted ?? token ?? "";
    const start = at + from + text.indexOf("=") + (quoted === undefined ? 1 : 2);
    const parameterName = key.toLowerCase();
    if (parameterName === "name") {
      if (name !== undefined || !NAME.test(given)) return undefined;
      name = given;
      // RFC 7578 forbids `filename*`; .NET sends it beside the other, Python's requests instead of it.
    } else if (FILE_PARAMETERS.includes(parameterName) && !fileNames.has(parameterName)) {
      fileNames.set(parameterName, { start, end: start + given.length });
    } else return undefined;
  }
  return name === undefined ? undefined : { name, fileNames: fileNames.size === 0 ? undefined : [...fileNames.values()] };
}
const FILE_PARAMETERS: readonly string[] = ["filename", "filename*"];
/** Field names: as APIs have them, with the brackets of lists and members, so that no address or number leaves as one; `_charset_` would recode the fields. */
const NAME = /^(?!_charset_$)(?!.*[0-9]{6})[A-Za-z0-9_.[\]-]{1,128}$/;

function assemble(body: Buffer, boundary: string, parts: readonly Part[]): Result<FormBody, ParseError> {
  const texts = new Map<string, Part[]>();
  const files = new Map<string, number[]>();
  const fileNames: Span[] = [];
  const fileTexts: Span[] = [];
  const media: MediaKind[] = [];
  let textBytes = 0;
  for (const part of parts) {
    const bytes = part.content.end - part.content.start;
    if (part.fileNames === undefined) {
      texts.set(part.name, [...(texts.get(part.name) ?? []), part]);
      textBytes += bytes;
    } else {
      files.set(part.name, [...(files.get(part.name) ?? []), bytes]);
      fileNames.push(...part.fileNames);
      const head = body.subarray(part.content.start, Math.min(part.content.end, part.content.start + FILE_HEAD_BYTES));
      if (bytes === 0) continue;
      const kind = mediaKindOf(head);
      if (kind !== "other" || !isTextHead(head)) media.push(kind);
      else {
        fileTexts.push({ ...part.content, encoding: isUtf8(body.subarray(part.content.start, part.content.end)) ? "utf8" : "latin1" });
        textBytes += bytes;
      }
    }
  }
  if (textBytes > FORM_TEXT_BYTES_MAX)
    return refuse(`The text fields and files of text of a form may have ${FORM_TEXT_BYTES_MAX} bytes together.`);
  const members: string[] = [];
  try {
    const read = ({ start, end, encoding }: Span): string =>
      JSON.stringify(encoding === "latin1" ? body.toString("latin1", start, end) : utf8.decode(body.subarray(start, end)));
    for (const [name, same] of texts) {
      const values = same.map(({ content }) => read(content));
      members.push(`${JSON.stringify(name)}:${values.length === 1 ? values.join() : `[${values.join()}]`}`);
    }
    if (fileNames.length > 0) members.push(`${JSON.stringify(FILE_NAMES)}:[${fileNames.map(read).join()}]`);
    if (fileTexts.length > 0) members.push(`${JSON.stringify(FILE_TEXTS)}:[${fileTexts.map(read).join()}]`);
  } catch {
    return refuse("A text field or file name of the form is not UTF-8.");
  }
  const doc = parseJson(Buffer.from(`{${members.join()}}`));
  if (!doc.ok) return refuse(`A field of the form is not acceptable: ${doc.error.code.replaceAll("_", " ")}.`);
  const { root } = doc.value;
  const places = new Map<JsonNode, Span>();
  const place = (node: JsonNode | undefined, spans: readonly Span[]): void => {
    if (node === undefined) return;
    const nodes = node.kind === "array" ? node.items : [node];
    for (const [index, span] of spans.entries()) {
      const at = nodes[index];
      if (at !== undefined) places.set(at, span);
    }
  };
  for (const [name, same] of texts)
    place(
      member(root, name),
      same.map(({ content }) => content),
    );
  place(member(root, FILE_NAMES), fileNames);
  place(member(root, FILE_TEXTS), fileTexts);
  return ok({ doc: doc.value, files, media, apply: (edits) => applyFormEdits({ body, boundary, texts, places }, edits) });
}

interface Form {
  readonly body: Buffer;
  readonly boundary: string;
  readonly texts: ReadonlyMap<string, readonly Part[]>;
  readonly places: ReadonlyMap<JsonNode, Span>;
}

/**
 * The body after edits of the form's document. Values are written as a form has them: a string as it is, all else as JSON. Edits of
 * what no field stands for, and values that hold the boundary, are programmer errors (assert).
 */
function applyFormEdits(form: Form, edits: readonly JsonEdit[]): Buffer | undefined {
  const { body, boundary, texts, places } = form;
  const splices: (Span & { readonly bytes: Buffer })[] = [];
  for (const edit of edits) {
    if (edit.kind === "replace") {
      const span = places.get(edit.node);
      assert(span !== undefined, "an edit of a form names no field");
      const bytes = fieldBytes(edit.text, boundary, span.encoding);
      if (!bytes.equals(body.subarray(span.start, span.end))) splices.push({ ...span, bytes });
    } else if (edit.kind === "remove") {
      for (const { whole } of texts.get(edit.key) ?? [])
        splices.push({ start: whole.start, end: whole.end + CRLF.length, bytes: Buffer.alloc(0) });
    } else {
      assert(NAME.test(edit.key), "a form field's name");
      const head = `--${boundary}\r\nContent-Disposition: form-data; name="${edit.key}"\r\n\r\n`;
      // In front, where the opening boundary always stands.
      splices.push({ start: 0, end: 0, bytes: Buffer.concat([Buffer.from(head), fieldBytes(edit.text, boundary), CRLF]) });
    }
  }
  if (splices.length === 0) return undefined;
  splices.sort((a, b) => a.start - b.start || a.end - b.end);
  const pieces: Buffer[] = [];
  let done = 0;
  for (const { start, end, bytes } of splices) {
    assert(start >= done, "edits of a form overlap");
    pieces.push(body.subarray(done, start), bytes);
    done = end;
  }
  return Buffer.concat([...pieces, body.subarray(done)]);
}

function fieldBytes(json: string, boundary: string, encoding: Span["encoding"] = "utf8"): Buffer {
  const value: Json | undefined = parseJsonValue(json);
  const text = typeof value === "string" ? value : json;
  assert(!`\r\n${text}`.includes(`\r\n--${boundary}`), "a form field's value holds the boundary");
  return Buffer.from(text, encoding);
}
