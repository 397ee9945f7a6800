/**
 * Splits a JSON array whose elements arrive over time (Gemini's stream without `alt=sse`) into its elements, for any cut of its bytes.
 *
 * Every piece carries its exact bytes: the separators before an element go with it. The bytes of all pieces, joined, are the bytes
 * pushed. An element is given out with its last byte; so a stop between two pieces is always a stop between two elements, and the array
 * can be closed there. A body that is no array is one `single` value (an error object), or passes unread (`other`).
 *
 * Trade-off: an element larger than the cap passes in pieces as it comes, unread. Structure is read by brackets and strings only;
 * whether an element is valid JSON is its reader's business.
 */
import { SSE_EVENT_BYTES_MAX, YIELD_CHARS } from "../../core/limits.ts";

export interface ArrayPiece {
  /** element: one element; single: the body's one value, both to be read. end: the closing bracket. separator, part, other: bytes that nobody reads. */
  readonly kind: "element" | "single" | "end" | "separator" | "part" | "other";
  /** May share memory with what was pushed. */
  readonly bytes: Uint8Array;
  /** Where the value begins within `bytes`; it ends with them. */
  readonly textAt: number;
  /** What must stand before one more element, after this piece; undefined where none can be added. */
  readonly prefix: string | undefined;
}

const NONE = new Uint8Array(0);
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** White space of JSON (RFC 8259 section 2), and the bytes of a byte order mark, which no JSON value starts with. */
const isBlank = (byte: number): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09 || byte === 0xef || byte === 0xbb || byte === 0xbf;

type State = "start" | "between" | "value" | "scalar" | "after" | "other";

export class JsonArraySplitter {
  readonly #elementBytesMax: number;
  #state: State = "start";
  /** The body is one value and no array. */
  #single = false;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** The current element is past the cap: its bytes pass unread. */
  #skipping = false;
  #oversized = 0;
  /** Bytes not given out yet: the first `#heldBytes` of `#held`. */
  #held: Uint8Array = NONE;
  #heldBytes = 0;
  /** Where the value begins within the bytes not given out. */
  #valueStart = 0;
  #opened = false;
  /** Elements that were given out, whole. */
  #elements = 0;
  #commaGiven = false;
  /** A comma is among the bytes not given out. */
  #commaHeld = false;

  constructor(elementBytesMax: number = SSE_EVENT_BYTES_MAX) {
    this.#elementBytesMax = elementBytesMax;
  }

  /** Elements that were larger than the cap and passed unread. */
  get oversized(): number {
    return this.#oversized;
  }

  /** Are so many bytes, with those held, better read in steps? */
  isMuch(bytes: number): boolean {
    return this.#heldBytes + bytes > YIELD_CHARS;
  }

  /** What must stand before one more element, after what was given out; undefined where none can be added. */
  get prefix(): string | undefined {
    if (this.#skipping || this.#state === "after" || this.#state === "other") return undefined;
    if (!this.#opened) return "[";
    return this.#elements > 0 && !this.#commaGiven ? ",\r\n" : "";
  }

  push(chunk: Uint8Array): readonly ArrayPiece[] {
    if (chunk.length === 0) return [];
    const out: ArrayPiece[] = [];
    let from = 0;
    for (let at = 0; at < chunk.length; ) {
      const kind = this.#step(chunk[at] ?? 0, this.#heldBytes + at - from);
      if (kind === undefined) {
        at += 1;
        continue;
      }
      // A scalar ends before the byte that is no part of it; everything else with its last byte.
      const next = kind === "scalar" ? at : at + 1;
      out.push(this.#give(kind === "scalar" ? this.#scalarKind : kind, this.#take(chunk.subarray(from, next))));
      from = next;
      at = next;
    }
    if (from < chunk.length) this.#hold(from === 0 ? chunk : chunk.subarray(from), out);
    return out;
  }

  /** The stream's end: gives up everything held. A value that is cut short is given as `part`. */
  end(): readonly ArrayPiece[] {
    if (this.#heldBytes === 0) return [];
    if (this.#state === "scalar") return [this.#give(this.#scalarKind, this.#take(NONE))];
    return [this.#give(this.#state === "value" ? "part" : this.#state === "between" ? "separator" : "other", this.#take(NONE))];
  }

  /** Reads one byte that stands at `offset` of what is not given out; the kind of piece that it completes, if any. */
  #step(byte: number, offset: number): ArrayPiece["kind"] | "scalar" | undefined {
    switch (this.#state) {
      case "value":
        return this.#inValue(byte);
      case "between":
        return this.#between(byte, offset);
      case "scalar":
        if (byte !== COMMA && byte !== CLOSE_ARRAY && !isBlank(byte)) return undefined;
        this.#state = "between";
        return "scalar";
      case "start":
        if (isBlank(byte)) return undefined;
        if (byte === OPEN_ARRAY) this.#state = "between";
        else if (byte === OPEN_OBJECT) {
          this.#single = true;
          this.#open(offset);
        } else this.#state = "other";
        return undefined;
      default:
        return undefined;
    }
  }

  get #scalarKind(): "element" | "part" {
    return this.#skipping ? "part" : "element";
  }

  #between(byte: number, offset: number): ArrayPiece["kind"] | undefined {
    if (byte === CLOSE_ARRAY) {
      this.#state = "after";
      return "end";
    }
    if (byte === COMMA) this.#commaHeld = true;
    else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) this.#open(offset);
    else if (byte === QUOTE) {
      this.#open(offset);
      this.#depth = 0;
      this.#inString = true;
    } else if (!isBlank(byte)) {
      this.#state = "scalar";
      this.#valueStart = offset;
    }
    return undefined;
  }

  #open(offset: number): void {
    this.#state = "value";
    this.#valueStart = offset;
    this.#depth = 1;
  }

  #inValue(byte: number): ArrayPiece["kind"] | undefined {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) this.#inString = false;
      if (this.#inString || this.#depth > 0) return undefined;
    } else if (byte === QUOTE) {
      this.#inString = true;
      return undefined;
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      this.#depth += 1;
      return undefined;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) this.#depth -= 1;
    if (this.#depth > 0) return undefined;
    this.#state = this.#single ? "after" : "between";
    return this.#skipping ? "part" : this.#single ? "single" : "element";
  }

  /** Everything held and `last` as one; nothing is held after it. */
  #take(last: Uint8Array): Uint8Array {
    if (this.#heldBytes === 0) return last;
    const bytes = this.#append(last);
    this.#held = NONE;
    this.#heldBytes = 0;
    return bytes;
  }

  #give(kind: ArrayPiece["kind"], bytes: Uint8Array): ArrayPiece {
    const from = this.#valueStart;
    this.#valueStart = 0;
    if (!this.#single && this.#state !== "other" && this.#state !== "start") this.#opened = true;
    if (kind === "element" || (kind === "part" && this.#state === "between")) {
      this.#elements += 1;
      this.#skipping = false;
      this.#commaGiven = false;
      this.#commaHeld = false;
    } else if (kind === "separator" && this.#commaHeld) this.#commaGiven = true;
    return { kind, bytes, textAt: from, prefix: this.prefix };
  }

  /** Keeps the start of what is not complete; gives it out where it is larger than the cap or will not be read. */
  #hold(rest: Uint8Array, out: ArrayPiece[]): void {
    if (this.#state === "after" || this.#state === "other") {
      out.push(this.#give("other", this.#take(rest)));
      return;
    }
    if (!this.#skipping && this.#heldBytes + rest.length <= this.#elementBytesMax) {
      this.#append(rest);
      this.#heldBytes += rest.length;
      return;
    }
    const isValue = this.#state === "value" || this.#state === "scalar";
    if (isValue && !this.#skipping) {
      this.#skipping = true;
      this.#oversized += 1;
    }
    out.push(this.#give(isValue ? "part" : "separator", this.#take(rest)));
  }

  #append(rest: Uint8Array): Uint8Array {
    const bytes = this.#heldBytes + rest.length;
    if (bytes > this.#held.length) {
      const grown = new Uint8Array(Math.max(2 * bytes, 512));
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(rest, this.#heldBytes);
    return this.#held.subarray(0, bytes);
  }
}
