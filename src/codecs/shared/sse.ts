/**
 * Splits a server-sent event stream (WHATWG HTML, "Server-sent events") into events, for any cut of its bytes.
 *
 * Every event carries its exact bytes: all its lines and the blank line that ends it, whichever terminators they use
 * (\n, \r\n, \r), comments, and a byte order mark at the start. The bytes of all events, joined, are the bytes pushed.
 * An event is given out as soon as its blank line is there. One exception: a blank line that ends in \r at the end of what was
 * pushed waits for the next byte, which may be the \n that belongs to it.
 *
 * Trade-off: an event larger than the cap passes in pieces as it comes, unread (`piece`), so that memory stays bounded.
 * Cost is linear in the bytes, also when they come one by one; `pushSteps` can stop between two steps of about a millisecond.
 */
import { decodeSteps } from "../../core/json.ts";
import { SSE_EVENT_BYTES_MAX, YIELD_CHARS } from "../../core/limits.ts";
import { finish, isStepDone, type Steps } from "../../core/slice.ts";

export interface SseEvent {
  /**
   * event: a whole event. rest: what stood after the last blank line when the stream ended (browsers drop it, some clients
   * read it, so it is read here too). piece: a part of an event that is larger than the cap, unread.
   */
  readonly kind: "event" | "rest" | "piece";
  /** May share memory with what was pushed. */
  readonly bytes: Uint8Array;
  /** The `event` field; undefined when there is none. */
  readonly event: string | undefined;
  /** All `data` lines joined with \n; undefined when there is none (comments, pings). */
  readonly data: string | undefined;
  /** Lines that are neither and say something: comments, ids, fields that nobody knows, a name of an event that is none. Absent: there are none. */
  readonly beside?: string;
}

/** A name of an event as dialects have them. */
const EVENT_NAME = /^[A-Za-z_.-]{0,64}$/;
const LF = 0x0a;
const CR = 0x0d;
const NONE = new Uint8Array(0);
const HELD_BYTES_MIN = 512;

export class SseSplitter {
  readonly #eventBytesMax: number;
  /** Bytes of the event that is not complete yet: the first `#heldBytes` of `#held`. */
  #held: Uint8Array = NONE;
  #heldBytes = 0;
  /** How far the held bytes were searched for terminators. */
  #searched = 0;
  /** Where the current line begins; -1: before the held bytes (in a piece that was given out). */
  #lineStart = 0;
  /** The current event is past the cap: its bytes pass unread. */
  #skipping = false;
  #first = true;
  #oversized = 0;

  constructor(eventBytesMax: number = SSE_EVENT_BYTES_MAX) {
    this.#eventBytesMax = eventBytesMax;
  }

  /** Events that were larger than the cap and passed unread. */
  get oversized(): number {
    return this.#oversized;
  }

  /** Are so many bytes, with those held, better read in steps? */
  isMuch(bytes: number): boolean {
    return this.#heldBytes + bytes > YIELD_CHARS;
  }

  push(chunk: Uint8Array): readonly SseEvent[] {
    // Most messages of Envoy's are one event as a provider wrote it.
    if (this.#heldBytes === 0 && this.#lineStart === 0 && !this.#skipping && chunk.length <= this.#eventBytesMax && isPlainBytes(chunk))
      return [this.#read(chunk, "event")];
    return eventsOf(this.pushSteps(chunk));
  }
  /** The same in steps: gives each event as it is read, and undefined between two steps. To be read to its end before anything else is asked. */
  *pushSteps(chunk: Uint8Array): Generator<SseEvent | undefined, void, undefined> {
    if (chunk.length > 0) yield* this.#split(this.#heldBytes === 0 ? chunk : this.#append(chunk), false);
  }

  /** The stream's end: gives up everything held. */
  end(): readonly SseEvent[] {
    return eventsOf(this.endSteps());
  }
  /** As `pushSteps`. */
  *endSteps(): Generator<SseEvent | undefined, void, undefined> {
    yield* this.#split(this.#held.subarray(0, this.#heldBytes), true);
    const rest = this.#held.subarray(0, this.#heldBytes);
    this.#held = NONE;
    this.#heldBytes = 0;
    if (rest.length > 0) yield yield* this.#readSteps(rest, "rest");
  }

  #append(chunk: Uint8Array): Uint8Array {
    const bytes = this.#heldBytes + chunk.length;
    if (bytes > this.#held.length) {
      const grown = new Uint8Array(Math.max(bytes, Math.min(2 * bytes, bytes + this.#eventBytesMax), HELD_BYTES_MIN));
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(chunk, this.#heldBytes);
    return this.#held.subarray(0, bytes);
  }

  /** Gives out the events that `buffer` (held bytes and the new ones) completes, and holds what is left. */
  *#split(buffer: Uint8Array, atEnd: boolean): Generator<SseEvent | undefined, void, undefined> {
    const length = buffer.length;
    let eventStart = 0;
    let lineStart = this.#lineStart;
    let searched = this.#searched;
    let lf = -1;
    let cr = -1;
    for (let line = 1; ; line++) {
      if (isStepDone(line)) yield;
      if (lf < searched) lf = indexOrEnd(buffer, LF, searched);
      if (cr < searched) cr = indexOrEnd(buffer, CR, searched);
      const at = Math.min(lf, cr);
      if (at === length) {
        searched = length;
        break;
      }
      let next = at + 1;
      if (at === cr) {
        if (next === length && !atEnd) {
          searched = at;
          break;
        }
        if (lf === next) next++;
      }
      if (at === lineStart) {
        const bytes = buffer.subarray(eventStart, next);
        if (this.#isOversized(bytes)) yield this.#piece(bytes);
        else if (bytes.length <= YIELD_CHARS) yield this.#read(bytes, "event");
        else yield yield* this.#readSteps(bytes, "event");
        eventStart = next;
      }
      lineStart = next;
      searched = next;
    }
    const piece = this.#hold(buffer, { eventStart, lineStart, searched });
    if (piece !== undefined) yield piece;
  }

  #isOversized(bytes: Uint8Array): boolean {
    const oversized = this.#skipping || bytes.length > this.#eventBytesMax;
    if (oversized && !this.#skipping) this.#oversized++;
    this.#skipping = false;
    return oversized;
  }

  /** Holds what is left; of an event past the cap it gives the lines that are whole. */
  #hold(buffer: Uint8Array, at: { eventStart: number; lineStart: number; searched: number }): SseEvent | undefined {
    let piece: SseEvent | undefined;
    let from = at.eventStart;
    if (!this.#skipping && buffer.length - from > this.#eventBytesMax) {
      this.#skipping = true;
      this.#oversized++;
    }
    if (this.#skipping && at.searched > from) {
      piece = this.#piece(buffer.slice(from, at.searched));
      from = at.searched;
    }
    this.#lineStart = at.lineStart < from ? -1 : at.lineStart - from;
    this.#searched = at.searched - from;
    const rest = buffer.length - from;
    // The held bytes stay where they are, unless events that share their memory were given out.
    if (from > 0 || buffer.buffer !== this.#held.buffer) {
      this.#held = NONE;
      if (rest > 0) {
        this.#held = new Uint8Array(Math.max(rest, HELD_BYTES_MIN));
        this.#held.set(buffer.subarray(from));
      }
    }
    this.#heldBytes = rest;
    return piece;
  }

  #piece(bytes: Uint8Array): SseEvent {
    this.#first = false;
    return { kind: "piece", bytes, event: undefined, data: undefined };
  }

  #read(bytes: Uint8Array, kind: "event"): SseEvent {
    const from = this.#textStart(bytes);
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    if (isPlainBytes(bytes)) return { kind, bytes, event: undefined, data: buffer.toString("utf8", PLAIN_START.length, bytes.length - 2) };
    const text = buffer.toString("utf8", from);
    return finish(fieldsOf(bytes, text, kind));
  }

  *#readSteps(bytes: Uint8Array, kind: "event" | "rest"): Steps<SseEvent> {
    const text = yield* decodeSteps(bytes.subarray(this.#textStart(bytes)));
    return isPlain(text) ? plainEvent(bytes, text, kind) : yield* fieldsOf(bytes, text, kind);
  }

  /** Behind a byte order mark at the very beginning. */
  #textStart(bytes: Uint8Array): 0 | 3 {
    const marked = this.#first && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
    this.#first = false;
    return marked ? 3 : 0;
  }
}

function eventsOf(steps: Generator<SseEvent | undefined, void, undefined>): readonly SseEvent[] {
  const events: SseEvent[] = [];
  for (const event of steps) if (event !== undefined) events.push(event);
  return events;
}

function indexOrEnd(buffer: Uint8Array, byte: number, from: number): number {
  const at = buffer.indexOf(byte, from);
  return at === -1 ? buffer.length : at;
}

/** One line of data and nothing else, as nearly every event of a provider is. */
const isPlain = (text: string): boolean =>
  text.startsWith("data: ") && text.indexOf("\n") === text.length - 2 && text.endsWith("\n") && !text.includes("\r");
const plainEvent = (bytes: Uint8Array, text: string, kind: "event" | "rest"): SseEvent => ({
  kind,
  bytes,
  event: undefined,
  data: text.slice(6, -2),
});

function* fieldsOf(bytes: Uint8Array, text: string, kind: "event" | "rest"): Steps<SseEvent> {
  let event: string | undefined;
  let data: string | undefined;
  let beside: string | undefined;
  let count = 0;
  for (const line of linesOf(text)) {
    if (isStepDone(++count)) yield;
    const colon = line.indexOf(":");
    const name = colon === -1 ? line : line.slice(0, colon);
    if (!isSilent(line)) beside = beside === undefined ? line : `${beside}\n${line}`;
    if (name !== "data" && name !== "event") continue;
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "event") event = value;
    else data = data === undefined ? value : `${data}\n${value}`;
  }
  return beside === undefined ? { kind, bytes, event, data } : { kind, bytes, event, data, beside };
}

/** Does a line say nothing beside the data? */
function isSilent(line: string): boolean {
  if (line.startsWith("data:") || line === "data" || line === "" || line === ":") return true;
  const [, name = "", value = ""] = /^(event|id|retry): ?(.*)$/.exec(line) ?? [];
  return name === "event" ? EVENT_NAME.test(value) : name !== "" && /^[0-9]{1,6}$/.test(value);
}

/** The bytes of an event without the lines that say something beside its data. */
export function withoutBeside(bytes: Uint8Array): Uint8Array {
  const raw = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  const lines = raw.match(/[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+$/g) ?? [];
  const kept = lines.filter((line) => isSilent(line.replace(/^\xef\xbb\xbf|[\r\n]+$/g, "")));
  return Buffer.from(kept.join(""), "latin1");
}

/** Lines without their terminators: \n, \r\n or \r. */
function* linesOf(text: string): Generator<string> {
  let lf = text.indexOf("\n");
  let cr = text.indexOf("\r");
  for (let from = 0; ; ) {
    if (lf !== -1 && lf < from) lf = text.indexOf("\n", from);
    if (cr !== -1 && cr < from) cr = text.indexOf("\r", from);
    const to = lf === -1 ? cr : cr === -1 ? lf : Math.min(lf, cr);
    if (to === -1) {
      yield text.slice(from);
      return;
    }
    yield text.slice(from, to);
    from = to === cr && lf === to + 1 ? to + 2 : to + 1;
  }
}

/** The event with other data; every other line keeps its bytes, terminators too. Data of several lines stands where the first of them stood. */
export function withData(event: SseEvent, data: string): SseEvent {
  if (isPlainBytes(event.bytes) && !data.includes("\n")) return { ...event, bytes: Buffer.from(`data: ${data}\n\n`), data };
  const raw = Buffer.from(event.bytes.buffer, event.bytes.byteOffset, event.bytes.length).toString("latin1");
  const lines = data.split("\n").map((line) => Buffer.from(line).toString("latin1"));
  let out = "";
  let written = false;
  for (const line of raw.match(/[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+$/g) ?? []) {
    const field = DATA_LINE.exec(line);
    if (field === null) out += line;
    else if (!written) {
      written = true;
      const [, name = "", end = ""] = field;
      const start = name.endsWith("data") ? `${name}: ` : name;
      out += lines.map((text) => `${start}${text}${end === "" ? "\n" : end}`).join("");
      // The last line of a stream may lack its terminator.
      if (end === "") out = out.slice(0, -1);
    }
  }
  return { kind: event.kind, bytes: Buffer.from(out, "latin1"), event: event.event, data };
}
const PLAIN_START = Buffer.from("data: ");
function isPlainBytes(bytes: Uint8Array): boolean {
  for (let at = 0; at < PLAIN_START.length; at++) if (bytes[at] !== PLAIN_START[at]) return false;
  const { length } = bytes;
  return bytes[length - 1] === LF && bytes.indexOf(LF) === length - 2 && !bytes.includes(CR);
}

/** A data line in latin1, a byte order mark before it included: what stands before its value, and its terminator. */
const DATA_LINE = /^((?:\xef\xbb\xbf)?data(?:: ?|(?=[\r\n]|$)))[^\r\n]*(\r\n|\n|\r|)$/;
