/**
 * The one door for JSON.
 *
 * Requests come in through `parseJson`: strict RFC 8259, iterative (nesting cannot overflow the stack), one pass over the
 * decoded text, every value with its place, so that `applyEdits` can change single values and leave every other byte alone.
 * What parsers disagree about is refused instead of guessed: duplicate keys (first or last?), a byte order mark, invalid
 * UTF-8, the key `__proto__`. Answers, which are read and never edited, take the faster `parseJsonValue`.
 *
 * Trade-off: strings are found with native searches (`indexOf`) and slices that share the text's memory, so a node keeps
 * the whole body alive for as long as it lives.
 */
import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { JSON_DEPTH_MAX, JSON_VALUES_MAX, SLICE_MS, YIELD_CHARS } from "./limits.ts";
import { err, ok, type Result } from "./result.ts";

/** Any JSON value as plain data. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Offsets are UTF-16 units into `JsonDoc.text`, `end` exclusive. Strings include their quotes. */
interface Placed {
  readonly start: number;
  readonly end: number;
}
export interface JsonString extends Placed {
  readonly kind: "string";
  /** Decoded value. */
  readonly value: string;
}
export interface JsonNumber extends Placed {
  readonly kind: "number";
  readonly value: number;
}
export interface JsonLiteral extends Placed {
  readonly kind: "literal";
  readonly value: null | boolean;
}
export interface JsonArray extends Placed {
  readonly kind: "array";
  readonly items: readonly JsonNode[];
}
export interface JsonMember {
  /** Where the key's opening quote stands. */
  readonly start: number;
  readonly key: string;
  readonly value: JsonNode;
}
export interface JsonObject extends Placed {
  readonly kind: "object";
  readonly members: readonly JsonMember[];
}
export type JsonNode = JsonString | JsonNumber | JsonLiteral | JsonArray | JsonObject;

/** A parsed body: its exact text and the tree of its values with their places. */
export interface JsonDoc {
  readonly text: string;
  readonly root: JsonNode;
}

export interface JsonError {
  readonly code: "not_utf8" | "not_json" | "duplicate_key" | "forbidden_key" | "too_deep" | "too_many_values";
  /** UTF-16 offset, or byte offset for `not_utf8` when known; -1 when unknown. Never content. */
  readonly at: number;
}

export interface JsonLimits {
  readonly depthMax: number;
  readonly valuesMax: number;
}
export const JSON_LIMITS: JsonLimits = { depthMax: JSON_DEPTH_MAX, valuesMax: JSON_VALUES_MAX };

/**
 * One edit of a document. Everything outside the edits keeps its bytes. `text` is JSON text, best made by
 * `JSON.stringify` (which escapes lone surrogates, so that the result can always be encoded as UTF-8).
 */
export type JsonEdit =
  | { readonly kind: "replace"; readonly node: JsonNode; readonly text: string }
  | { readonly kind: "insert"; readonly object: JsonObject; readonly key: string; readonly text: string }
  | { readonly kind: "remove"; readonly object: JsonObject; readonly key: string };

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Characters that a string may hold only as an escape (RFC 8259 section 7). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the grammar forbids
const CONTROL = /[\u0000-\u001f]/;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
/** Members of one object up to which a linear look for a duplicate beats a Set. */
const LINEAR_KEYS_MAX = 16;
/** Characters between two looks at the clock: about 1 ms of the densest text (`0,0,0`). */
const LOOK_CHARS = 32_768;

interface OpenObject {
  readonly kind: "object";
  readonly start: number;
  end: number;
  readonly members: JsonMember[];
}
interface OpenArray {
  readonly kind: "array";
  readonly start: number;
  end: number;
  readonly items: JsonNode[];
}
type Mutable<T> = { -readonly [K in keyof T]: T[K] };
const PENDING: JsonLiteral = { kind: "literal", start: -1, end: -1, value: null };

/** Parser of one text, which can stop between two values and go on later. */
class Parser {
  readonly #text: string;
  readonly #limits: JsonLimits;
  /** No control character anywhere in the text, so none in any string. */
  readonly #clean: boolean;
  readonly #stack: (OpenObject | OpenArray)[] = [];
  /** Keys of an open object that grew past `LINEAR_KEYS_MAX`. */
  readonly #keys = new Map<OpenObject, Set<string>>();
  #pos = 0;
  #values = 0;
  /** The first backslash at or after the last string read; the text's length when there is none left. */
  #backslash = -1;
  #root: JsonNode | undefined;
  #error: JsonError | undefined;
  /** Where `#string` stopped: behind the closing quote. */
  #stringEnd = 0;

  constructor(text: string, limits: JsonLimits) {
    this.#text = text;
    this.#limits = limits;
    this.#clean = !CONTROL.test(text);
  }

  get pos(): number {
    return this.#pos;
  }

  /** Reads on until `until` is passed at a value's border. True: there is a result. */
  run(until: number): boolean {
    while (this.#error === undefined && this.#root === undefined) {
      if (this.#pos > until) return false;
      const value = this.#value();
      if (value === undefined) continue;
      this.#place(value);
    }
    return true;
  }

  result(): Result<JsonDoc, JsonError> {
    if (this.#error !== undefined) return err(this.#error);
    assert(this.#root !== undefined, "result of an unfinished parse");
    return ok({ text: this.#text, root: this.#root });
  }

  #fail(code: JsonError["code"], at: number): undefined {
    this.#error ??= { code, at };
    return undefined;
  }

  /** Skips white space and returns the code unit that follows, NaN at the end. */
  #next(): number {
    const text = this.#text;
    let pos = this.#pos;
    let code = text.charCodeAt(pos);
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = text.charCodeAt(++pos);
    this.#pos = pos;
    return code;
  }

  /** Reads one value; undefined when it opened a container that is not empty, or failed. */
  #value(): JsonNode | undefined {
    const code = this.#next();
    const start = this.#pos;
    if (++this.#values > this.#limits.valuesMax) return this.#fail("too_many_values", start);
    switch (code) {
      case 0x22: {
        const value = this.#string(start);
        if (value === undefined) return undefined;
        this.#pos = this.#stringEnd;
        return { kind: "string", start, end: this.#stringEnd, value };
      }
      case 0x7b:
        return this.#open({ kind: "object", start, end: -1, members: [] });
      case 0x5b:
        return this.#open({ kind: "array", start, end: -1, items: [] });
      case 0x74:
        return this.#literal("true", true);
      case 0x66:
        return this.#literal("false", false);
      case 0x6e:
        return this.#literal("null", null);
      default:
        return this.#number();
    }
  }

  #open(container: OpenObject | OpenArray): JsonNode | undefined {
    if (this.#stack.length >= this.#limits.depthMax) return this.#fail("too_deep", container.start);
    this.#pos = container.start + 1;
    const code = this.#next();
    if (container.kind === "array" ? code === 0x5d : code === 0x7d) {
      container.end = ++this.#pos;
      return container;
    }
    this.#stack.push(container);
    return container.kind === "object" ? this.#key(container) : undefined;
  }

  #literal(word: string, value: null | boolean): JsonNode | undefined {
    const start = this.#pos;
    if (!this.#text.startsWith(word, start)) return this.#fail("not_json", start);
    this.#pos = start + word.length;
    return { kind: "literal", start, end: this.#pos, value };
  }

  #number(): JsonNode | undefined {
    const start = this.#pos;
    NUMBER.lastIndex = start;
    if (!NUMBER.test(this.#text)) return this.#fail("not_json", start);
    const end = NUMBER.lastIndex;
    this.#pos = end;
    return { kind: "number", start, end, value: Number(this.#text.slice(start, end)) };
  }

  /** Decodes the string whose opening quote stands at `start`; its end goes to `#stringEnd`. */
  #string(start: number): string | undefined {
    const text = this.#text;
    let close = text.indexOf('"', start + 1);
    if (close === -1) return this.#fail("not_json", start);
    let backslash = this.#backslash;
    if (backslash < start) {
      backslash = text.indexOf("\\", start);
      if (backslash === -1) backslash = text.length;
      this.#backslash = backslash;
    }
    if (backslash > close) {
      const value = text.slice(start + 1, close);
      if (!this.#clean && CONTROL.test(value)) return this.#fail("not_json", start);
      this.#stringEnd = close + 1;
      return value;
    }
    while (backslash < close) {
      if (backslash + 1 === close) {
        close = text.indexOf('"', close + 1);
        if (close === -1) return this.#fail("not_json", start);
      }
      backslash = text.indexOf("\\", backslash + 2);
      if (backslash === -1) backslash = text.length;
    }
    this.#backslash = backslash;
    this.#stringEnd = close + 1;
    try {
      return JSON.parse(text.slice(start, close + 1)) as string;
    } catch {
      return this.#fail("not_json", start);
    }
  }

  /** Reads a key and its colon into a member of `object` whose value is still to come. */
  #key(object: OpenObject): undefined {
    if (this.#next() !== 0x22) return this.#fail("not_json", this.#pos);
    const start = this.#pos;
    const key = this.#string(start);
    if (key === undefined) return undefined;
    if (key === "__proto__") return this.#fail("forbidden_key", start);
    if (this.#isDuplicate(object, key)) return this.#fail("duplicate_key", start);
    this.#pos = this.#stringEnd;
    if (this.#next() !== 0x3a) return this.#fail("not_json", this.#pos);
    this.#pos++;
    object.members.push({ start, key, value: PENDING });
    return undefined;
  }

  #isDuplicate(object: OpenObject, key: string): boolean {
    const members = object.members;
    if (members.length < LINEAR_KEYS_MAX) {
      for (const { key: other } of members) if (other === key) return true;
      return false;
    }
    let keys = this.#keys.get(object);
    if (keys === undefined) {
      keys = new Set(members.map((member) => member.key));
      this.#keys.set(object, keys);
    }
    if (keys.has(key)) return true;
    keys.add(key);
    return false;
  }

  /** Puts a finished value into its container, and closes every container that ends behind it. */
  #place(first: JsonNode): void {
    let value = first;
    for (;;) {
      const container = this.#stack.at(-1);
      if (container === undefined) {
        if (!Number.isNaN(this.#next())) this.#fail("not_json", this.#pos);
        this.#root = value;
        return;
      }
      const code = this.#next();
      if (container.kind === "array") {
        container.items.push(value);
      } else {
        const last = container.members[container.members.length - 1] as Mutable<JsonMember>;
        last.value = value;
      }
      const isObject = container.kind === "object";
      if (code === 0x2c) {
        this.#pos++;
        if (isObject) this.#key(container);
        return;
      }
      if (code !== (isObject ? 0x7d : 0x5d)) {
        this.#fail("not_json", this.#pos);
        return;
      }
      container.end = ++this.#pos;
      if (isObject && container.members.length > LINEAR_KEYS_MAX) this.#keys.delete(container);
      this.#stack.pop();
      value = container;
    }
  }
}

function decode(bytes: Uint8Array): Result<string, JsonError> {
  try {
    return ok(decoder.decode(bytes));
  } catch {
    return err({ code: "not_utf8", at: -1 });
  }
}

/** Parses a whole body at once. For bodies that may be large, see `parseJsonSliced`. */
export function parseJson(bytes: Uint8Array, limits: JsonLimits = JSON_LIMITS): Result<JsonDoc, JsonError> {
  const text = decode(bytes);
  if (!text.ok) return text;
  const parser = new Parser(text.value, limits);
  parser.run(Number.POSITIVE_INFINITY);
  return parser.result();
}

/**
 * The same result as `parseJson`; text past `YIELD_CHARS` is read in runs of at most about `SLICE_MS`, with a turn of the event loop between
 * two. Decoding and a single string remain one step each (native searches, some milliseconds at 32 MiB).
 */
export async function parseJsonSliced(bytes: Uint8Array, limits: JsonLimits = JSON_LIMITS): Promise<Result<JsonDoc, JsonError>> {
  const text = decode(bytes);
  if (!text.ok) return text;
  if (text.value.length <= YIELD_CHARS) {
    const parser = new Parser(text.value, limits);
    parser.run(Number.POSITIVE_INFINITY);
    return parser.result();
  }
  await nextTurn();
  let sliceStart = performance.now();
  const parser = new Parser(text.value, limits);
  while (!parser.run(parser.pos + LOOK_CHARS)) {
    if (performance.now() - sliceStart < SLICE_MS - 1) continue;
    await nextTurn();
    sliceStart = performance.now();
  }
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
  splices.sort((a, b) => a.start - b.start || a.end - b.end);
  let out = "";
  let done = 0;
  for (const splice of splices) {
    assert(splice.start >= done, "edits overlap");
    out += doc.text.slice(done, splice.start) + splice.text;
    done = splice.end;
  }
  return out + doc.text.slice(done);
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

/** Value of an object's member; undefined where `node` is no object or has no such member. */
export function member(node: JsonNode | undefined, key: string): JsonNode | undefined {
  if (node === undefined || node.kind !== "object") return undefined;
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
