/**
 * AWS's event stream encoding (`application/vnd.amazon.eventstream`): binary frames, each with its length, headers, a payload and two
 * checksums. Source: "Event stream encoding" in the Amazon Transcribe developer guide and the Smithy specification
 * (smithy.io/2.0/aws/amazon-eventstream.html), read 2026-11.
 *
 *     total length u32 | headers length u32 | CRC-32 of these 8 bytes | headers | payload | CRC-32 of everything before
 *     header: name length u8 | name | type u8 | value; type 7 is a string: length u16 | UTF-8
 *
 * The splitter cuts a stream into frames for any cut of its bytes and gives every frame its exact bytes. What is no frame (a wrong length
 * or checksum) cannot be resynchronised: from there on the bytes pass as they come, unread, and are counted.
 */
import { crc32 } from "node:zlib";
import { SSE_EVENT_BYTES_MAX, YIELD_CHARS } from "../../core/limits.ts";

/** Lengths and checksum before the headers, and the checksum behind the payload. */
const PRELUDE_BYTES = 12;
const FRAME_BYTES_MIN = PRELUDE_BYTES + 4;
const STRING_TYPE = 7;
const HELD_BYTES_MIN = 1024;
const NONE = new Uint8Array(0);

export interface EventFrame {
  /** frame: a whole message. rest: what stood behind the last whole one at the end. foreign: bytes that are no message, unread. piece: a part of one past the cap. */
  readonly kind: "frame" | "rest" | "foreign" | "piece";
  /** May share memory with what was pushed. */
  readonly bytes: Uint8Array;
  /** String headers by name (`:event-type`, `:message-type`, `:exception-type`); empty where unread. */
  readonly headers: ReadonlyMap<string, string>;
  /** Empty where unread. */
  readonly payload: Uint8Array;
}

const NO_HEADERS: ReadonlyMap<string, string> = new Map();
const unread = (kind: "rest" | "foreign" | "piece", bytes: Uint8Array): EventFrame => ({ kind, bytes, headers: NO_HEADERS, payload: NONE });

export class EventStreamSplitter {
  readonly #frameBytesMax: number;
  #held: Uint8Array = NONE;
  #heldBytes = 0;
  /** Bytes left of a frame that is larger than the cap. */
  #skipBytes = 0;
  #broken = false;
  #oversized = 0;

  constructor(frameBytesMax: number = SSE_EVENT_BYTES_MAX) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Frames larger than the cap, which passed unread. */
  get oversized(): number {
    return this.#oversized;
  }
  /** Are so many bytes, with those held, better read in steps? */
  isMuch(bytes: number): boolean {
    return this.#heldBytes + bytes > YIELD_CHARS;
  }
  /** No frame that passes unread is under way. */
  get between(): boolean {
    return this.#skipBytes === 0;
  }
  /** Bytes came that are no frames; from there on nothing is read. */
  get broken(): boolean {
    return this.#broken;
  }

  push(chunk: Uint8Array): readonly EventFrame[] {
    if (chunk.length === 0) return [];
    const buffer = this.#heldBytes === 0 ? chunk : this.#append(chunk);
    const out: EventFrame[] = [];
    let at = 0;
    while (at < buffer.length) {
      const next = this.#next(buffer, at);
      if (next === undefined) break;
      out.push(next);
      at += next.bytes.length;
    }
    this.#hold(buffer, at);
    return out;
  }

  /** The stream's end: gives up everything held. */
  end(): readonly EventFrame[] {
    const rest = this.#held.subarray(0, this.#heldBytes);
    this.#held = NONE;
    this.#heldBytes = 0;
    return rest.length === 0 ? [] : [unread("rest", rest)];
  }

  #append(chunk: Uint8Array): Uint8Array {
    const bytes = this.#heldBytes + chunk.length;
    if (bytes > this.#held.length) {
      const grown = new Uint8Array(Math.max(bytes, 2 * this.#held.length, HELD_BYTES_MIN));
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(chunk, this.#heldBytes);
    return this.#held.subarray(0, bytes);
  }

  #hold(buffer: Uint8Array, from: number): void {
    const rest = buffer.length - from;
    // The held bytes stay where they are, unless frames that share their memory were given out.
    if (from > 0 || buffer.buffer !== this.#held.buffer) {
      const kept = rest === 0 ? NONE : new Uint8Array(Math.max(rest, HELD_BYTES_MIN));
      kept.set(buffer.subarray(from));
      this.#held = kept;
    }
    this.#heldBytes = rest;
  }

  /** What can be given out at `at`; undefined: more bytes are needed. */
  #next(buffer: Uint8Array, at: number): EventFrame | undefined {
    if (this.#broken) return unread("foreign", buffer.slice(at));
    if (this.#skipBytes > 0) {
      const bytes = buffer.slice(at, at + this.#skipBytes);
      this.#skipBytes -= bytes.length;
      return unread("piece", bytes);
    }
    const left = buffer.length - at;
    if (left < PRELUDE_BYTES) return undefined;
    const view = new DataView(buffer.buffer, buffer.byteOffset + at, left);
    const total = view.getUint32(0);
    const headerBytes = view.getUint32(4);
    const sound =
      total >= FRAME_BYTES_MIN && headerBytes <= total - FRAME_BYTES_MIN && crc32(buffer.subarray(at, at + 8)) === view.getUint32(8);
    if (!sound) {
      this.#broken = true;
      return unread("foreign", buffer.slice(at));
    }
    if (total > this.#frameBytesMax) {
      this.#oversized++;
      this.#skipBytes = total;
      return this.#next(buffer, at);
    }
    if (left < total) return undefined;
    const bytes = buffer.subarray(at, at + total);
    if (crc32(bytes.subarray(0, total - 4)) !== view.getUint32(total - 4)) {
      this.#broken = true;
      return unread("foreign", buffer.slice(at));
    }
    const payloadAt = PRELUDE_BYTES + headerBytes;
    const headers = readHeaders(bytes.subarray(PRELUDE_BYTES, payloadAt));
    return { kind: "frame", bytes, headers, payload: bytes.subarray(payloadAt, total - 4) };
  }
}

/** Bytes of a value by its type; -1: a length of two bytes stands before it (types 6 and 7). */
const VALUE_BYTES = [0, 0, 1, 2, 4, 8, -1, -1, 8, 16] as const;

/** The string headers. A block that is not well formed gives what was read so far. */
function readHeaders(block: Uint8Array): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const text = Buffer.from(block.buffer, block.byteOffset, block.length);
  let at = 0;
  while (at < block.length) {
    const nameBytes = text[at] ?? 0;
    const typeAt = at + 1 + nameBytes;
    const type = text[typeAt] ?? -1;
    let size: number | undefined = VALUE_BYTES[type];
    let valueAt = typeAt + 1;
    if (size === undefined) return found;
    if (size < 0) {
      if (valueAt + 2 > text.length) return found;
      size = text.readUInt16BE(valueAt);
      valueAt += 2;
    }
    if (valueAt + size > text.length) return found;
    if (type === STRING_TYPE) found.set(text.toString("utf8", at + 1, typeAt), text.toString("utf8", valueAt, valueAt + size));
    at = valueAt + size;
  }
  return found;
}

/** One frame with string headers, checksums included. */
export function eventFrame(headers: Readonly<Record<string, string>>, payload: string | Uint8Array): Uint8Array {
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(headers)) {
    const nameBytes = Buffer.from(name);
    const valueBytes = Buffer.from(value);
    const lengths = Buffer.from([STRING_TYPE, valueBytes.length >> 8, valueBytes.length & 0xff]);
    parts.push(Buffer.from([nameBytes.length]), nameBytes, lengths, valueBytes);
  }
  const block = Buffer.concat(parts);
  const body = Buffer.from(payload);
  const total = FRAME_BYTES_MIN + block.length + body.length;
  const frame = Buffer.alloc(total);
  frame.writeUInt32BE(total, 0);
  frame.writeUInt32BE(block.length, 4);
  frame.writeUInt32BE(crc32(frame.subarray(0, 8)), 8);
  block.copy(frame, PRELUDE_BYTES);
  body.copy(frame, PRELUDE_BYTES + block.length);
  frame.writeUInt32BE(crc32(frame.subarray(0, total - 4)), total - 4);
  return frame;
}

/** A whole frame with another payload: its headers stay, lengths and checksums are made anew. */
export function withPayload(bytes: Uint8Array, payload: string): Uint8Array {
  const body = Buffer.from(payload);
  const headersEnd = PRELUDE_BYTES + new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(4);
  const total = headersEnd + body.length + 4;
  const frame = Buffer.alloc(total);
  frame.set(bytes.subarray(0, headersEnd));
  frame.writeUInt32BE(total, 0);
  frame.writeUInt32BE(crc32(frame.subarray(0, 8)), 8);
  body.copy(frame, headersEnd);
  frame.writeUInt32BE(crc32(frame.subarray(0, total - 4)), total - 4);
  return frame;
}

/** An event as a Bedrock service sends it. */
export const jsonEvent = (type: string, payload: string): Uint8Array =>
  eventFrame({ ":event-type": type, ":content-type": "application/json", ":message-type": "event" }, payload);

/** An error as the SDKs raise it; `type` in lower camel case (`throttlingException`). */
export const jsonException = (type: string, payload: string): Uint8Array =>
  eventFrame({ ":exception-type": type, ":content-type": "application/json", ":message-type": "exception" }, payload);
