/** The parser behind the JSON door (`json.ts`), which says what it accepts and why. */
import assert from "node:assert/strict";
import type { JsonDoc, JsonError, JsonLimits, JsonLiteral, JsonNode } from "./json-tree.ts";
import { JSON_MEMBERS_MAX } from "./limits.ts";
import { err, ok, type Result } from "./result.ts";

/** Those of them that may stand between values. */
const BLANK_CONTROLS = ["\n", "\t", "\r"] as const;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
/** Members of one object up to which a linear look for a duplicate beats a Set. */
const LINEAR_KEYS_MAX = 16;
/** Members up to which a linear look for one is quick enough ever after. */
const UNINDEXED_KEYS_MAX = 64;
/** Digits that are exact as they are added up. */
const EXACT_DIGITS_MAX = 15;

interface OpenObject {
  readonly kind: "object";
  readonly start: number;
  end: number;
  readonly members: OpenMember[];
  index?: Map<string, OpenMember>;
}
interface OpenMember {
  readonly start: number;
  readonly key: string;
  value: JsonNode;
}
interface OpenArray {
  readonly kind: "array";
  readonly start: number;
  end: number;
  readonly items: JsonNode[];
}
/** A string on its way: `decoded` is its text up to `from`, where the escape at `backslash` begins. */
interface PartialString {
  readonly start: number;
  readonly from: number;
  readonly decoded: string;
  readonly backslash: number;
  /** The next quote: the string's end, unless an escape goes before it. */
  readonly close: number;
}
const PENDING: JsonLiteral = { kind: "literal", start: -1, end: -1, value: null };

/** Characters that a string may hold only as an escape (RFC 8259 section 7). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the grammar forbids
const CONTROL = /[\u0000-\u001f]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the grammar forbids
const OTHER_CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/;
/** Characters that one search for control characters looks at, about 1 ms. */
export const SCAN_CHARS = 1 << 20;

/** clean: no control characters. blank: only those that are white space between values. other: cannot be JSON; `at` says where. */
type Controls = { readonly kind: "clean" | "blank" } | { readonly kind: "other"; readonly at: number };

/** Which control characters stand in a text from `from` on, as far as `SCAN_CHARS`. */
export function scanControls(text: string, from: number): Controls {
  const piece = from === 0 && text.length <= SCAN_CHARS ? text : text.slice(from, from + SCAN_CHARS);
  if (!CONTROL.test(piece)) return { kind: "clean" };
  const at = piece.search(OTHER_CONTROL);
  return at === -1 ? { kind: "blank" } : { kind: "other", at: from + at };
}

/** Parser of one text, which can stop between two values and go on later. */
export class JsonParser {
  readonly #text: string;
  readonly #limits: JsonLimits;
  /** No control character anywhere in the text, so none in any string. Otherwise: where the next of each kind stands. */
  readonly #clean: boolean;
  readonly #controls: [number, number, number] = [-1, -1, -1];
  readonly #stack: (OpenObject | OpenArray)[] = [];
  /** Members of an open object that grew past `LINEAR_KEYS_MAX`, by key. */
  readonly #keys = new Map<OpenObject, Map<string, OpenMember>>();
  #pos = 0;
  #values = 0;
  /** The first backslash at or after the last string read; the text's length when there is none left. */
  #backslash = -1;
  #root: JsonNode | undefined;
  #error: JsonError | undefined;
  /** Where `#string` stopped: behind the closing quote. */
  #stringEnd = 0;
  /** A long string with escapes, read as far as `#until` allowed. */
  #partial: PartialString | undefined;
  #until = Number.POSITIVE_INFINITY;

  /** `clean`: what `scanControls` says; a text with other control characters than white space must not come here. */
  constructor(text: string, limits: JsonLimits, clean: boolean) {
    this.#text = text;
    this.#limits = limits;
    this.#clean = clean;
  }

  get pos(): number {
    return this.#partial?.backslash ?? this.#pos;
  }

  /** Reads on until `until` is passed, at a value's border or an escape's. True: there is a result. */
  run(until: number): boolean {
    this.#until = until;
    while (this.#error === undefined && this.#root === undefined) {
      if (this.pos > until) return false;
      const value = this.#partial === undefined ? this.#value() : this.#resume(this.#partial);
      if (value !== undefined) this.#place(value);
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
        const value = this.#string(start, true);
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
    const small = this.#smallInteger(start);
    if (small !== undefined) return small;
    NUMBER.lastIndex = start;
    if (!NUMBER.test(this.#text)) return this.#fail("not_json", start);
    const end = NUMBER.lastIndex;
    this.#pos = end;
    return { kind: "number", start, end, value: Number(this.#text.slice(start, end)) };
  }

  /** A whole number as most are: few digits, no sign, fraction or exponent. undefined: look closer. */
  #smallInteger(start: number): JsonNode | undefined {
    const text = this.#text;
    let value = text.charCodeAt(start) - 0x30;
    if (!(value >= 0 && value <= 9)) return undefined;
    let end = start + 1;
    for (; ; end++) {
      const digit = text.charCodeAt(end) - 0x30;
      if (!(digit >= 0 && digit <= 9)) break;
      if (value === 0 || end - start >= EXACT_DIGITS_MAX) return undefined;
      value = value * 10 + digit;
    }
    const next = text.charCodeAt(end);
    if (next === 0x2e || next === 0x65 || next === 0x45) return undefined;
    this.#pos = end;
    return { kind: "number", start, end, value };
  }

  /** Is there a raw control character between two places? Searches go on from the last hit, so all of them together are linear. */
  #hasControl(from: number, to: number): boolean {
    for (let kind = 0; kind < BLANK_CONTROLS.length; kind++) {
      let at = this.#controls[kind] ?? -1;
      if (at < from) {
        at = this.#text.indexOf(BLANK_CONTROLS[kind] ?? "", from);
        if (at === -1) at = this.#text.length;
        this.#controls[kind] = at;
      }
      if (at < to) return true;
    }
    return false;
  }

  /** Decodes the string whose opening quote stands at `start`; its end goes to `#stringEnd`. undefined: failed or paused. */
  #string(start: number, mayPause: boolean): string | undefined {
    const text = this.#text;
    const close = text.indexOf('"', start + 1);
    if (close === -1) return this.#fail("not_json", start);
    let backslash = this.#backslash;
    if (backslash < start) {
      backslash = text.indexOf("\\", start);
      if (backslash === -1) backslash = text.length;
      this.#backslash = backslash;
    }
    if (backslash > close) {
      const value = text.slice(start + 1, close);
      if (!this.#clean && this.#hasControl(start, close)) return this.#fail("not_json", start);
      this.#stringEnd = close + 1;
      return value;
    }
    return this.#unescape({ start, from: start + 1, decoded: "", backslash, close }, mayPause ? this.#until : Number.POSITIVE_INFINITY);
  }

  /** Reads on from an escape to the string's end, or to the first escape behind `until`: then `#partial` says where. */
  #unescape(string: PartialString, until: number): string | undefined {
    const text = this.#text;
    let { backslash, close } = string;
    while (backslash < close) {
      if (backslash > until) {
        const piece = this.#decodePiece(string.start, string.from, backslash);
        if (piece !== undefined) this.#partial = { ...string, decoded: string.decoded + piece, from: backslash, backslash, close };
        return undefined;
      }
      if (backslash + 1 === close) {
        close = text.indexOf('"', close + 1);
        if (close === -1) return this.#fail("not_json", string.start);
      }
      backslash = text.indexOf("\\", backslash + 2);
      if (backslash === -1) backslash = text.length;
    }
    this.#backslash = backslash;
    this.#stringEnd = close + 1;
    const last = this.#decodePiece(string.start, string.from, close);
    return last === undefined ? undefined : string.decoded + last;
  }

  /** Decodes a piece of a string that begins and ends between two escapes. */
  #decodePiece(start: number, from: number, to: number): string | undefined {
    try {
      const text: string = JSON.parse(`"${this.#text.slice(from, to)}"`);
      return text;
    } catch {
      return this.#fail("not_json", start);
    }
  }

  #resume(string: PartialString): JsonNode | undefined {
    this.#partial = undefined;
    const value = this.#unescape(string, this.#until);
    if (value === undefined) return undefined;
    this.#pos = this.#stringEnd;
    return { kind: "string", start: string.start, end: this.#stringEnd, value };
  }

  /** Reads a key and its colon into a member of `object` whose value is still to come. */
  #key(object: OpenObject): undefined {
    if (this.#next() !== 0x22) return this.#fail("not_json", this.#pos);
    const start = this.#pos;
    const key = this.#string(start, false);
    if (key === undefined) return undefined;
    const member: OpenMember = { start, key, value: PENDING };
    if (this.#limits.anyKeys !== true) {
      if (key === "__proto__") return this.#fail("forbidden_key", start);
      if (this.#isDuplicate(object, member)) return this.#fail("duplicate_key", start);
    }
    this.#pos = this.#stringEnd;
    if (this.#next() !== 0x3a) return this.#fail("not_json", this.#pos);
    this.#pos++;
    object.members.push(member);
    return undefined;
  }

  #isDuplicate(object: OpenObject, member: OpenMember): boolean {
    const { key } = member;
    const members = object.members;
    if (members.length >= JSON_MEMBERS_MAX) this.#fail("too_many_values", member.start);
    if (members.length < LINEAR_KEYS_MAX) {
      for (const { key: other } of members) if (other === key) return true;
      return false;
    }
    let keys = this.#keys.get(object);
    if (keys === undefined) {
      keys = new Map(members.map((other) => [other.key, other]));
      this.#keys.set(object, keys);
    }
    if (keys.has(key)) return true;
    keys.set(key, member);
    return false;
  }

  #close(object: OpenObject): void {
    const keys = this.#keys.get(object);
    this.#keys.delete(object);
    if (keys !== undefined && object.members.length > UNINDEXED_KEYS_MAX) object.index = keys;
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
        const last = container.members.at(-1);
        if (last !== undefined) last.value = value;
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
      if (isObject && container.members.length > LINEAR_KEYS_MAX) this.#close(container);
      this.#stack.pop();
      value = container;
    }
  }
}
