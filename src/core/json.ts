/**
 * The one door for JSON.
 *
 * Requests come in through `parseJson`: strict RFC 8259, iterative (nesting cannot overflow the stack), one pass over the
 * decoded text, every value with its place, so that `applyEdits` can change single values and leave every other byte alone.
 * What parsers disagree about is refused instead of guessed: duplicate keys (first or last?), a byte order mark, invalid
 * UTF-8, the key `__proto__`. Answers, which are read and seldom edited, take the faster
 * `parseJsonValue`, and `placeJson` where an edit is called for.
 *
 * Trade-off: strings are found with native searches (`indexOf`) and slices that share the text's memory, so a node keeps
 * the whole body alive for as long as it lives.
 */
import assert from "node:assert/strict";
import { JsonParser } from "./json-parser.ts";
import type { Json, JsonArray, JsonDoc, JsonError, JsonLimits, JsonMember, JsonNode, JsonObject } from "./json-tree.ts";
import { parseValueSteps } from "./json-value-steps.ts";
import { JSON_DEPTH_MAX, JSON_VALUES_MAX, YIELD_CHARS } from "./limits.ts";
import { err, ok, type Result } from "./result.ts";
import { finishSliced, Slice, type Steps } from "./slice.ts";

export type {
  Json,
  JsonArray,
  JsonDoc,
  JsonError,
  JsonLimits,
  JsonLiteral,
  JsonMember,
  JsonNode,
  JsonNumber,
  JsonObject,
  JsonString,
} from "./json-tree.ts";
export { parseValueSteps } from "./json-value-steps.ts";

export const JSON_LIMITS: JsonLimits = { depthMax: JSON_DEPTH_MAX, valuesMax: JSON_VALUES_MAX };

/**
 * One edit of a document. Everything outside the edits keeps its bytes. `text` is JSON text, best made by
 * `JSON.stringify` (which escapes lone surrogates, so that the result can always be encoded as UTF-8).
 */
export type JsonEdit =
  | { readonly kind: "replace"; readonly node: JsonNode; readonly text: string }
  | { readonly kind: "insert"; readonly object: JsonObject; readonly key: string; readonly text: string }
  | { readonly kind: "remove"; readonly object: JsonObject; readonly key: string };

const DECODING = { fatal: true, ignoreBOM: true } as const;
const decoder = new TextDecoder("utf-8", DECODING);

/** Characters that a string may hold only as an escape (RFC 8259 section 7). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the grammar forbids
const CONTROL = /[\u0000-\u001f]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the grammar forbids
const OTHER_CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/;
/** Characters between two looks at the clock: about 1 ms of the densest text (`0,0,0`). */
const LOOK_CHARS = 32_768;
/** Characters that one search for control characters looks at, about 1 ms. */
const SCAN_CHARS = 1 << 20;
function decode(bytes: Uint8Array): Result<string, JsonError> {
  try {
    return ok(decoder.decode(bytes));
  } catch {
    return err({ code: "not_utf8", at: -1 });
  }
}

/** clean: no control characters. blank: only those that are white space between values. other: cannot be JSON; `at` says where. */
type Controls = { readonly kind: "clean" | "blank" } | { readonly kind: "other"; readonly at: number };

/** Which control characters stand in a text from `from` on, as far as `SCAN_CHARS`. */
function scanControls(text: string, from: number): Controls {
  const piece = from === 0 && text.length <= SCAN_CHARS ? text : text.slice(from, from + SCAN_CHARS);
  if (!CONTROL.test(piece)) return { kind: "clean" };
  const at = piece.search(OTHER_CONTROL);
  return at === -1 ? { kind: "blank" } : { kind: "other", at: from + at };
}

/** Parses a whole body at once. For bodies that may be large, see `parseJsonSliced`. */
export function parseJson(bytes: Uint8Array, limits: JsonLimits = JSON_LIMITS): Result<JsonDoc, JsonError> {
  const text = decode(bytes);
  return text.ok ? parseWhole(text.value, limits) : text;
}

/**
 * Text that `parseJsonValue` has taken, with places: every such text parses, whatever its depth and keys. For an answer that is
 * to be changed after all.
 */
export function placeJson(text: string): JsonDoc {
  const doc = parseWhole(text, ANY_JSON);
  assert(doc.ok, "JSON that was parsed before");
  return doc.value;
}

/** The same in steps; undefined where it has more than `JSON_VALUES_MAX` values, which would be kept for each of its places. */
export function* placeSteps(text: string): Steps<JsonDoc | undefined> {
  // Parsed before: a control character can only stand between values.
  let clean = true;
  for (let from = 0; from < text.length; from += SCAN_CHARS) {
    if (scanControls(text, from).kind !== "clean") clean = false;
    yield;
  }
  const parser = new JsonParser(text, { ...ANY_JSON, valuesMax: JSON_VALUES_MAX }, clean);
  while (!parser.run(parser.pos + LOOK_CHARS)) yield;
  const doc = parser.result();
  return doc.ok ? doc.value : undefined;
}
const ANY_JSON: JsonLimits = { depthMax: Number.POSITIVE_INFINITY, valuesMax: Number.POSITIVE_INFINITY, anyKeys: true };

function parseWhole(text: string, limits: JsonLimits): Result<JsonDoc, JsonError> {
  let clean = true;
  for (let from = 0; from < text.length; from += SCAN_CHARS) {
    const controls = scanControls(text, from);
    if (controls.kind === "other") return err({ code: "not_json", at: controls.at });
    if (controls.kind === "blank") clean = false;
  }
  const parser = new JsonParser(text, limits, clean);
  parser.run(Number.POSITIVE_INFINITY);
  return parser.result();
}

/**
 * The same result as `parseJson`; text past `YIELD_CHARS` is read in runs of at most about `SLICE_MS`, with a turn of the event loop between
 * two. Single steps that remain are native: joining the decoded text, and searches through it.
 */
export async function parseJsonSliced(bytes: Uint8Array, limits: JsonLimits = JSON_LIMITS): Promise<Result<JsonDoc, JsonError>> {
  // A text has at most one character for each byte.
  if (bytes.length <= YIELD_CHARS) return parseJson(bytes, limits);
  const slice = new Slice();
  await slice.next();
  const decoded = await decodeSliced(bytes, slice);
  if (!decoded.ok) return decoded;
  const text = decoded.value;
  let clean = true;
  for (let from = 0; from < text.length; from += SCAN_CHARS) {
    const controls = scanControls(text, from);
    if (controls.kind === "other") return err({ code: "not_json", at: controls.at });
    if (controls.kind === "blank") clean = false;
    if (slice.isOver()) await slice.next();
  }
  const parser = new JsonParser(text, limits, clean);
  while (!parser.run(parser.pos + LOOK_CHARS)) if (slice.isOver()) await slice.next();
  return parser.result();
}

async function decodeSliced(bytes: Uint8Array, slice: Slice): Promise<Result<string, JsonError>> {
  try {
    return ok(await decodePieces(new TextDecoder("utf-8", DECODING), bytes, slice));
  } catch {
    return err({ code: "not_utf8", at: -1 });
  }
}

/** The text of bytes in UTF-8, as `Buffer.toString` gives it, in steps. */
export function* decodeSteps(bytes: Uint8Array): Steps<string> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const pieces: string[] = [];
  for (let from = 0; from < bytes.length; from += SCAN_CHARS) {
    pieces.push(decoder.decode(bytes.subarray(from, from + SCAN_CHARS), { stream: true }));
    yield;
  }
  pieces.push(decoder.decode());
  return pieces.join("");
}

async function decodePieces(decoder: TextDecoder, bytes: Uint8Array, slice: Slice): Promise<string> {
  const pieces: string[] = [];
  for (let from = 0; from < bytes.length; from += SCAN_CHARS) {
    pieces.push(decoder.decode(bytes.subarray(from, from + SCAN_CHARS), { stream: true }));
    if (slice.isOver()) await slice.next();
  }
  pieces.push(decoder.decode());
  return pieces.join("");
}

/** The text and value of a large answer, read in slices: as `Buffer.toString` and `parseJsonValue` do. `prepare`: what of the text is parsed. */
export async function parseValueSliced(
  bytes: Uint8Array,
  prepare: (text: string) => string = (text) => text,
): Promise<{ readonly text: string; readonly json: Json | undefined }> {
  const text = await finishSliced(decodeSteps(bytes));
  return { text, json: await finishSliced(parseValueSteps(prepare(text))) };
}

/**
 * Parses JSON that is only read, never edited (answers): native speed, no places. Text that is not JSON is undefined. A key
 * `__proto__` becomes an own member like any other (JSON.parse does not set prototypes); read members by name only.
 */
export function parseJsonValue(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** Is this a JSON object (no array, no null)? */
export function isJsonObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Member of a parsed answer by name; undefined where `value` is no object or has no such member of its own. */
export function field(value: Json | undefined, key: string): Json | undefined {
  return isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/** A stretch of text and what stands in its place. */
interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * The document's text with the edits made: byte for byte the same outside them. Inserted members go behind the object's last.
 * Two edits of one place, an edit within a removed or replaced value, an insert of a key that stays, and a remove of a key
 * that is not there are programmer errors (assert).
 */
export function applyEdits(doc: JsonDoc, edits: readonly JsonEdit[]): string {
  if (edits.length === 0) return doc.text;
  let out = "";
  for (const piece of piecesOf(doc.text, splicesOf(edits))) out += piece;
  return out;
}

/** The same as UTF-8; a text past `YIELD_CHARS` is encoded in slices. */
export function encodeEdits(doc: JsonDoc, edits: readonly JsonEdit[]): Buffer | Promise<Buffer> {
  return doc.text.length <= YIELD_CHARS ? Buffer.from(applyEdits(doc, edits)) : encodeSliced(piecesOf(doc.text, splicesOf(edits)));
}

/** The same in steps. */
export const encodeEditsSteps = (doc: JsonDoc, edits: readonly JsonEdit[]): Steps<Buffer> =>
  encodeSteps(piecesOf(doc.text, splicesOf(edits)));

/** Characters of a piece that is encoded at once: well below a millisecond. */
const ENCODE_CHARS = 1 << 18;

const encodeSliced = (pieces: Iterable<string>): Promise<Buffer> => finishSliced(encodeSteps(pieces));

/** Pieces of text as UTF-8, joined. */
function* encodeSteps(pieces: Iterable<string>): Steps<Buffer> {
  const encoded: Buffer[] = [];
  let waiting = "";
  for (const piece of pieces) {
    waiting += piece;
    while (waiting.length >= ENCODE_CHARS) {
      // A character of two units must not be cut in half.
      const code = waiting.charCodeAt(ENCODE_CHARS - 1);
      const to = code >= 0xd800 && code <= 0xdbff ? ENCODE_CHARS - 1 : ENCODE_CHARS;
      encoded.push(Buffer.from(waiting.slice(0, to)));
      waiting = waiting.slice(to);
      yield;
    }
  }
  encoded.push(Buffer.from(waiting));
  const whole = Buffer.concat(encoded);
  // Joining megabytes is a run of its own.
  yield;
  return whole;
}

/** The text with what stands in the splices' places, in pieces. */
function* piecesOf(text: string, splices: readonly Splice[]): Generator<string> {
  let done = 0;
  for (const splice of splices) {
    assert(splice.start >= done, "edits overlap");
    yield text.slice(done, splice.start);
    yield splice.text;
    done = splice.end;
  }
  yield text.slice(done);
}

/** What the edits come to, in the text's order. */
function splicesOf(edits: readonly JsonEdit[]): readonly Splice[] {
  const splices: Splice[] = [];
  const objects = new Map<JsonObject, { removed: Set<string>; inserted: Map<string, string> }>();
  for (const edit of edits) {
    if (edit.kind === "replace") {
      splices.push({ start: edit.node.start, end: edit.node.end, text: edit.text });
      continue;
    }
    let changes = objects.get(edit.object);
    if (changes === undefined) {
      changes = { removed: new Set(), inserted: new Map() };
      objects.set(edit.object, changes);
    }
    if (edit.kind === "remove") {
      assert(!changes.removed.has(edit.key), "a member is removed twice");
      changes.removed.add(edit.key);
    } else {
      assert(!changes.inserted.has(edit.key), "a member is inserted twice");
      changes.inserted.set(edit.key, edit.text);
    }
  }
  for (const [object, { removed, inserted }] of objects) spliceMembers(object, removed, inserted, splices);
  return splices.sort((a, b) => a.start - b.start || a.end - b.end);
}

/** Splices that remove and insert members of one object, commas included. */
function spliceMembers(object: JsonObject, removed: ReadonlySet<string>, inserted: ReadonlyMap<string, string>, splices: Splice[]): void {
  const members = object.members;
  const addition = [...inserted].map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(",");
  let found = 0;
  /** Last member that stays, so far. */
  let kept: JsonMember | undefined;
  /** First member of the run of removed ones that ends here. */
  let run: JsonMember | undefined;
  let last: JsonMember | undefined;
  for (const member of members) {
    if (removed.has(member.key)) {
      found++;
      run ??= member;
    } else {
      assert(!inserted.has(member.key), "an inserted member is already there");
      // Behind a kept member a run goes with the comma before it; at the front with the comma behind it.
      if (run !== undefined && last !== undefined) {
        if (kept === undefined) splices.push({ start: run.start, end: member.start, text: "" });
        else splices.push({ start: kept.value.end, end: last.value.end, text: "" });
      }
      run = undefined;
      kept = member;
    }
    last = member;
  }
  assert(found === removed.size, "a removed member is not there");
  const tail = addition !== "" && kept !== undefined ? `,${addition}` : addition;
  if (run !== undefined && last !== undefined) {
    splices.push({ start: kept === undefined ? run.start : kept.value.end, end: last.value.end, text: tail });
  } else if (tail !== "") {
    const at = kept === undefined ? object.start + 1 : kept.value.end;
    splices.push({ start: at, end: at, text: tail });
  }
}

/** `JSON.stringify` of a text, in steps. */
export function* quoteSteps(text: string): Steps<string> {
  let out = "";
  for (let from = 0; from < text.length; ) {
    let to = Math.min(text.length, from + ENCODE_CHARS);
    const last = text.charCodeAt(to - 1);
    // A character of two units must not be cut in half.
    if (to < text.length && last >= 0xd800 && last <= 0xdbff) to--;
    out += JSON.stringify(text.slice(from, to)).slice(1, -1);
    from = to;
    yield;
  }
  return `"${out}"`;
}

/** Value of an object's member; undefined where `node` is no object or has no such member. */
export function member(node: JsonNode | undefined, key: string): JsonNode | undefined {
  if (node === undefined || node.kind !== "object") return undefined;
  if (node.index !== undefined) return node.index.get(key)?.value;
  for (const candidate of node.members) if (candidate.key === key) return candidate.value;
  return undefined;
}

/** The plain value of a node. Keys are own members of plain objects; `__proto__` cannot occur (`parseJson` refuses it). */
export function toJson(node: JsonNode): Json {
  if (node.kind !== "object" && node.kind !== "array") return node.value;
  type Out = Json[] | Record<string, Json>;
  const root: Out = node.kind === "array" ? [] : {};
  const work: { readonly node: JsonObject | JsonArray; readonly out: Out }[] = [{ node, out: root }];
  for (let task = work.pop(); task !== undefined; task = work.pop()) {
    const { out } = task;
    const plain = (child: JsonNode): Json => {
      if (child.kind !== "object" && child.kind !== "array") return child.value;
      const value: Out = child.kind === "array" ? [] : {};
      work.push({ node: child, out: value });
      return value;
    };
    if (task.node.kind === "array") {
      for (const item of task.node.items) (out as Json[]).push(plain(item));
      continue;
    }
    for (const { key, value } of task.node.members) {
      assert(key !== "__proto__", "a forbidden key");
      (out as Record<string, Json>)[key] = plain(value);
    }
  }
  return root;
}

/** RFC 6901 pointer of a node; undefined when it is not of this document. */
export function pointerOf(doc: JsonDoc, node: JsonNode): string | undefined {
  let pointer = "";
  let at: JsonNode | undefined = doc.root;
  while (at !== undefined && at !== node) {
    let child: JsonNode | undefined;
    if (at.kind === "object") {
      const hit: JsonMember | undefined = at.members.find(({ value }) => value.start <= node.start && node.end <= value.end);
      if (hit !== undefined) pointer += `/${hit.key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      child = hit?.value;
    } else if (at.kind === "array") {
      const index: number = at.items.findIndex((item) => item.start <= node.start && node.end <= item.end);
      if (index !== -1) pointer += `/${index}`;
      child = at.items[index];
    }
    at = child;
  }
  return at === undefined ? undefined : pointer;
}
