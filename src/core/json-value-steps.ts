/**
 * `JSON.parse` that can stop between two steps of less than a millisecond, for large answers that are only read.
 *
 * The text is walked iteratively; strings are found by native searches and decoded natively (long ones piece by piece), and stretches of an array that hold neither
 * strings nor containers (vectors, tokens) are given to `JSON.parse` whole. About a third of the native speed on small values, no
 * slower on long strings.
 */
import type { Json } from "./json-tree.ts";
import { ANSWER_VALUES_MAX } from "./limits.ts";
import type { Steps } from "./slice.ts";

type Members = Record<string, Json>;
type Open = { readonly items: Json[]; readonly members?: never } | { readonly members: Members; key: string; readonly items?: never };

/** Characters between two yields, and of a stretch of an array that is parsed at once: well below a millisecond. */
const STEP_CHARS = 16_384;
/** Characters of a string that are decoded at once. */
const PIECE_CHARS = 1 << 18;
const SCALAR = /(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)/y;
const PLAIN_STRETCH = /[^"[\]{}]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the grammar forbids
const CONTROL = /[\u0000-\u001f]/;

/** The value of a JSON text, as `JSON.parse` gives it; undefined where it is none, or has more than `valuesMax` values. */
export function* parseValueSteps(text: string, valuesMax: number = ANSWER_VALUES_MAX): Steps<Json | undefined> {
  const reader = new ValueReader(text, valuesMax);
  while (!reader.run(reader.pos + STEP_CHARS)) yield;
  return reader.value;
}

/** A long string, decoded up to `at`. */
interface LongString {
  at: number;
  readonly close: number;
  decoded: string;
}
/** Escaped quotes that are passed at once. */
const QUOTES_AT_ONCE = 1024;
/** Of the longest escape, `\u0000`. */
const ESCAPE_CHARS = 6;

class ValueReader {
  readonly #text: string;
  readonly #stack: Open[] = [];
  #pos = 0;
  #done = false;
  /** How far the end of the string that begins at `#pos` was looked for; 0: none is. */
  #sought = 0;
  #long: LongString | undefined;
  #value: Json | undefined;

  /** Values that may still come. */
  #left: number;

  constructor(text: string, valuesMax: number) {
    this.#text = text;
    this.#left = valuesMax;
  }
  get pos(): number {
    return this.#long?.at ?? Math.max(this.#sought, this.#pos);
  }
  /** Of the whole text, once `run` has said true; undefined: it is no JSON. */
  get value(): Json | undefined {
    return this.#value;
  }

  /** Reads on until `until` is passed. True: the text is done with. */
  run(until: number): boolean {
    while (!this.#done) {
      if (this.pos > until) return false;
      if (this.#long !== undefined) this.#readOn(this.#long);
      else if (this.#sought > 0) {
        this.#valueString();
        // It is decoded from its beginning, far before `until`.
        if (this.#sought === 0) return false;
      } else this.#read();
    }
    return true;
  }

  #fail(): void {
    this.#done = true;
    this.#value = undefined;
  }

  #next(): number {
    const text = this.#text;
    let code = text.charCodeAt(this.#pos);
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = text.charCodeAt(++this.#pos);
    return code;
  }

  /** One value, as far as it is no container with something in it. */
  #read(): void {
    if (--this.#left < 0) return this.#fail();
    const code = this.#next();
    if (code === 0x5b) {
      this.#pos++;
      const items: Json[] = [];
      if (this.#next() === 0x5d) return this.#closed(items);
      this.#stack.push({ items });
      return this.#stretch(items);
    }
    if (code === 0x7b) {
      this.#pos++;
      const members: Members = {};
      if (this.#next() === 0x7d) return this.#closed(members);
      this.#stack.push({ members, key: "" });
      return this.#key();
    }
    if (code !== 0x22) return this.#take(this.#scalar());
    this.#sought = this.#pos + 1;
    this.#valueString();
  }

  /** A string that begins here. Where its end is not found among the next quotes, it is looked for on in the next step. */
  #valueString(): void {
    let close = this.#text.indexOf('"', this.#sought);
    for (let quotes = 0; close !== -1 && isEscaped(this.#text, close, this.#pos); quotes++) {
      this.#sought = close + 1;
      if (quotes >= QUOTES_AT_ONCE) return;
      close = this.#text.indexOf('"', this.#sought);
    }
    this.#sought = 0;
    if (close - this.#pos <= PIECE_CHARS) return this.#take(this.#string(close));
    this.#long = { at: this.#pos + 1, close, decoded: "" };
  }

  #take(value: Json | undefined): void {
    if (value === undefined) this.#fail();
    else this.#put(value);
  }

  /** The next piece of a long string; it ends before an escape, or between two characters that are none. */
  #readOn(long: LongString): void {
    const text = this.#text;
    let to = Math.min(long.close, long.at + PIECE_CHARS);
    if (to < long.close) {
      const backslash = text.slice(to - ESCAPE_CHARS, to).lastIndexOf("\\");
      if (backslash !== -1) {
        let first = to - ESCAPE_CHARS + backslash;
        while (first > long.at && text.charCodeAt(first - 1) === 0x5c) first--;
        // Nothing but backslashes: they go in pairs.
        to = first > long.at ? first : to - ((to - long.at) % 2);
      }
    }
    const piece = decodeString(text.slice(long.at, to));
    if (piece === undefined) return this.#fail();
    long.decoded += piece;
    long.at = to;
    if (to < long.close) return;
    this.#long = undefined;
    this.#pos = to + 1;
    this.#put(long.decoded);
  }

  /** Behind a bracket, or a comma, of an array: what comes before the next string or container at once. */
  #stretch(items: Json[]): void {
    const text = this.#text;
    const from = this.#pos;
    PLAIN_STRETCH.lastIndex = from;
    const piece = text.slice(from, from + STEP_CHARS);
    PLAIN_STRETCH.lastIndex = 0;
    PLAIN_STRETCH.test(piece);
    // The last comma before what is left to be read one by one.
    const comma = piece.lastIndexOf(",", PLAIN_STRETCH.lastIndex - 1);
    if (comma < 1 || PLAIN_STRETCH.lastIndex === 0) return;
    let values: unknown;
    try {
      values = JSON.parse(`[${piece.slice(0, comma)}]`);
    } catch {
      return this.#fail();
    }
    if (!Array.isArray(values) || values.length === 0 || values.length > this.#left) return this.#fail();
    this.#left -= values.length;
    for (const value of values) items.push(value);
    this.#pos = from + comma + 1;
  }

  #closed(value: Json): void {
    this.#pos++;
    this.#put(value);
  }

  /** A value is whole: it goes where it belongs, and so does each container that ends behind it. */
  #put(first: Json): void {
    let value = first;
    for (;;) {
      const open = this.#stack.at(-1);
      if (open === undefined) {
        this.#done = true;
        this.#value = Number.isNaN(this.#next()) && this.#pos >= this.#text.length ? value : undefined;
        return;
      }
      if (open.items !== undefined) open.items.push(value);
      else if (open.key !== "__proto__") open.members[open.key] = value;
      else Object.defineProperty(open.members, open.key, { value, writable: true, enumerable: true, configurable: true });
      const code = this.#next();
      this.#pos++;
      if (code === 0x2c) return open.items === undefined ? this.#key() : this.#stretch(open.items);
      if (code !== (open.items === undefined ? 0x7d : 0x5d)) return this.#fail();
      this.#stack.pop();
      value = open.items ?? open.members;
    }
  }

  #key(): void {
    const open = this.#stack.at(-1);
    const key = this.#next() === 0x22 ? this.#string(this.#closeOf(this.#pos)) : undefined;
    if (open?.members === undefined || key === undefined || this.#next() !== 0x3a) return this.#fail();
    this.#pos++;
    open.key = key;
  }

  #scalar(): Json | undefined {
    SCALAR.lastIndex = this.#pos;
    if (!SCALAR.test(this.#text)) return undefined;
    const word = this.#text.slice(this.#pos, SCALAR.lastIndex);
    this.#pos = SCALAR.lastIndex;
    return word === "true" ? true : word === "false" ? false : word === "null" ? null : Number(word);
  }

  /** The string whose opening quote is here, and whose closing one at `close`. */
  #string(close: number): string | undefined {
    if (close === -1) return undefined;
    const start = this.#pos;
    this.#pos = close + 1;
    return decodeString(this.#text.slice(start + 1, close));
  }

  /** Where the string that begins here ends; -1: nowhere. */
  #closeOf(start: number): number {
    const text = this.#text;
    let close = text.indexOf('"', start + 1);
    while (close !== -1 && isEscaped(text, close, start)) close = text.indexOf('"', close + 1);
    return close;
  }
}

function decodeString(raw: string): string | undefined {
  if (!raw.includes("\\")) return CONTROL.test(raw) ? undefined : raw;
  try {
    const decoded: string = JSON.parse(`"${raw}"`);
    return decoded;
  } catch {
    return undefined;
  }
}

/** Stands the quote behind an odd number of backslashes? */
function isEscaped(text: string, quote: number, start: number): boolean {
  let at = quote;
  while (at - 1 > start && text.charCodeAt(at - 1) === 0x5c) at--;
  return (quote - at) % 2 === 1;
}
