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
import { JsonParser, SCAN_CHARS, scanControls } from "./json-parser.ts";
import { ANY_JSON, JSON_LIMITS } from "./json-steps.ts";
import type { Json, JsonArray, JsonDoc, JsonError, JsonLimits, JsonMember, JsonNode, JsonObject } from "./json-tree.ts";
import { YIELD_CHARS } from "./limits.ts";
import { err, ok, type Result } from "./result.ts";
import { finishSliced, type Steps } from "./slice.ts";

export { decodeSteps, JSON_LIMITS, parseSteps, placeSteps } from "./json-steps.ts";
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

/**
 * One edit of a document. Everything outside the edits keeps its bytes. `text` is JSON text, best made by
 * `JSON.stringify` (which escapes lone surrogates, so that the result can always be encoded as UTF-8).
 */
export type JsonEdit =
  | { readonly kind: "replace"; readonly node: JsonNode; readonly text: string }
  | { readonly kind: "insert"; readonly object: JsonObject; readonly key: string; readonly text: string }
  | { readonly kind: "remove"; readonly object: JsonObject; readonly key: string };

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array): Result<string, JsonError> {
  try {
    return ok(decoder.decode(bytes));
  } catch {
    return err({ code: "not_utf8", at: -1 });
  }
}

/** Parses a whole body at once. For bodies that may be large, see `parseSteps`. */
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
