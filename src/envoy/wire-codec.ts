/**
 * The wire format of the two messages of ext_proc, by hand: proto/ext_proc.proto is the reference, and a property test holds both
 * directions to what @grpc/proto-loader makes of it. The generic codec takes some 40 us of an exchange, this one some 6.
 *
 * Reading gives header values as latin1 strings (one character a byte), so that nothing is lost and no buffer is made for each. It
 * reads what Sluice uses and skips the rest. Writing builds the message as one latin1 string around at most one body, because
 * joining strings costs next to nothing and the bytes are then written in one go.
 */
// The global one is a getter, which is dearer than the look at a name that this is.
import { Buffer } from "node:buffer";
import type {
  WireBody,
  WireHeader,
  WireHeaderMutation,
  WireHeaders,
  WireRequest,
  WireResponse,
  WireStruct,
  WireStructOut,
  WireValue,
} from "./wire.ts";
import { usualName } from "./wire-names.ts";

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/** Reads fields one by one between `at` and `end`. Throws on bytes that are no message; grpc-js then fails the call. */
class FieldReader {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;
  /** The bytes from `#textAt` as latin1, where short pieces of them are cut from one text. */
  readonly #text: string;
  readonly #textAt: number;
  /** Of the field that `next` went to. */
  #type = 0;

  constructor(bytes: Buffer, at: number, end: number, text = "", textAt = at) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
    this.#text = text;
    this.#textAt = textAt;
  }

  /** The same, to be read by `latin1`: a text is made of all the bytes once, not of each piece. */
  asText(): FieldReader {
    return new FieldReader(this.#bytes, this.#at, this.#end, this.#bytes.toString("latin1", this.#at, this.#end));
  }

  /** Goes to the next field: its number, or 0 at the end. */
  next(): number {
    if (this.#at >= this.#end) return 0;
    const tag = this.#varint();
    this.#type = tag & 7;
    return tag >>> 3;
  }

  bool(): boolean {
    if (this.#type !== VARINT) throw malformed();
    return this.#varint() !== 0;
  }
  uint(): number {
    if (this.#type !== VARINT) throw malformed();
    return this.#varint();
  }
  double(): number {
    if (this.#type !== FIXED64) throw malformed();
    this.#skipBytes(8);
    return this.#bytes.readDoubleLE(this.#at - 8);
  }
  bytes(): Buffer {
    const length = this.#length();
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
  latin1(): string {
    const length = this.#length();
    return this.#text.slice(this.#at - length - this.#textAt, this.#at - this.#textAt);
  }
  utf8(): string {
    const length = this.#length();
    return this.#bytes.toString("utf8", this.#at - length, this.#at);
  }
  /** A name of a header or an attribute; those that are no usual ones as `encoding` says. */
  name(encoding: "latin1" | "utf8"): string {
    const length = this.#length();
    const at = this.#at - length;
    return usualName(this.#bytes, at, length) ?? this.#bytes.toString(encoding, at, this.#at);
  }
  message(): FieldReader {
    const length = this.#length();
    return new FieldReader(this.#bytes, this.#at - length, this.#at, this.#text, this.#textAt);
  }

  skip(): void {
    if (this.#type === DELIMITED) this.#length();
    else if (this.#type === VARINT) this.#varint();
    else if (this.#type === FIXED64) this.#skipBytes(8);
    else if (this.#type === FIXED32) this.#skipBytes(4);
    // Groups (3, 4) are not of proto3.
    else throw malformed();
  }

  /** Length of a delimited field; moves behind it. */
  #length(): number {
    if (this.#type !== DELIMITED) throw malformed();
    const length = this.#varint();
    this.#skipBytes(length);
    return length;
  }
  #skipBytes(count: number): void {
    if (count > this.#end - this.#at) throw malformed();
    this.#at += count;
  }
  /** The low 32 bits of a varint of at most 10 bytes; nothing read here needs more. */
  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#end) throw malformed();
      const byte = this.#bytes[this.#at++] ?? 0;
      if (shift < 35) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw malformed();
  }
}

const malformed = (): Error => new Error("not an ext_proc message");

/** Mutable while it is read. */
type Draft<T> = { -readonly [K in keyof T]: T[K] };

/** A `ProcessingRequest`. Throws on bytes that are none. */
export function readRequest(bytes: Buffer): WireRequest {
  const fields = new FieldReader(bytes, 0, bytes.length);
  const out: Draft<WireRequest> = {};
  for (let number = fields.next(); number !== 0; number = fields.next()) {
    switch (number) {
      case 2:
        out.request = "request_headers";
        out.request_headers = readHeaders(fields.message());
        break;
      case 3:
        out.request = "response_headers";
        out.response_headers = readHeaders(fields.message());
        break;
      case 4:
        out.request = "request_body";
        out.request_body = readBody(fields.message());
        break;
      case 5:
        out.request = "response_body";
        out.response_body = readBody(fields.message());
        break;
      case 6:
        out.request = "request_trailers";
        fields.skip();
        break;
      case 7:
        out.request = "response_trailers";
        fields.skip();
        break;
      case 9:
        out.attributes = { ...out.attributes, ...readAttributes(fields.message()) };
        break;
      case 10:
        out.observability_mode = fields.bool();
        break;
      case 11:
        out.protocol_config = readProtocol(fields.message());
        break;
      default:
        fields.skip();
    }
  }
  return out;
}

function readHeaders(fields: FieldReader): WireHeaders {
  const headers: WireHeader[] = [];
  let end_of_stream = false;
  for (let number = fields.next(); number !== 0; number = fields.next()) {
    if (number === 1) readHeaderMap(fields.message().asText(), headers);
    else if (number === 3) end_of_stream = fields.bool();
    else fields.skip();
  }
  return { headers: { headers }, end_of_stream };
}

function readHeaderMap(fields: FieldReader, out: WireHeader[]): void {
  for (let number = fields.next(); number !== 0; number = fields.next()) {
    if (number === 1) out.push(readHeader(fields.message()));
    else fields.skip();
  }
}

function readHeader(fields: FieldReader): WireHeader {
  let key = "";
  let value = "";
  let raw_value: string | undefined;
  for (let number = fields.next(); number !== 0; number = fields.next()) {
    if (number === 1) key = fields.name("latin1");
    else if (number === 2) value = fields.utf8();
    else if (number === 3) raw_value = fields.latin1();
    else fields.skip();
  }
  return { key, value: raw_value ?? value };
}

function readBody(fields: FieldReader): WireBody {
  let body: Buffer | undefined;
  let end_of_stream = false;
  for (let number = fields.next(); number !== 0; number = fields.next()) {
    if (number === 1) body = fields.bytes();
    else if (number === 2) end_of_stream = fields.bool();
    else fields.skip();
  }
  return body === undefined ? { end_of_stream } : { body, end_of_stream };
}

function readProtocol(fields: FieldReader): NonNullable<WireRequest["protocol_config"]> {
  const out: { request_body_mode?: number; response_body_mode?: number } = {};
  for (let number = fields.next(); number !== 0; number = fields.next()) {
    if (number === 1) out.request_body_mode = fields.uint();
    else if (number === 2) out.response_body_mode = fields.uint();
    else fields.skip();
  }
  return out;
}

/** One entry of `map<string, Struct>`. */
function readAttributes(fields: FieldReader): Readonly<Record<string, WireStruct>> {
  let key = "";
  let value: WireStruct = {};
  for (let number = fields.next(); number !== 0; number = fields.next()) {
    if (number === 1) key = fields.name("utf8");
    else if (number === 2) value = readStruct(fields.message());
    else fields.skip();
  }
  return ownRecord([[key, value]]);
}

/** Strings, numbers and booleans of a `google.protobuf.Struct`; values of other kinds stay empty. */
function readStruct(fields: FieldReader): WireStruct {
  const entries: [string, WireValue][] = [];
  for (let number = fields.next(); number !== 0; number = fields.next()) {
    if (number !== 1) {
      fields.skip();
      continue;
    }
    const entry = fields.message();
    let key = "";
    const value: Draft<WireValue> = {};
    for (let inner = entry.next(); inner !== 0; inner = entry.next()) {
      if (inner === 1) key = entry.name("utf8");
      else if (inner === 2) readValue(entry.message(), value);
      else entry.skip();
    }
    entries.push([key, value]);
  }
  // They come in any order: put in one, all objects of them have one shape.
  return entries.length === 0 ? {} : { fields: ownRecord(entries.sort(byName)) };
}
const byName = ([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number => (one < other ? -1 : 1);

function readValue(fields: FieldReader, out: Draft<WireValue>): void {
  for (let number = fields.next(); number !== 0; number = fields.next()) {
    if (number === 2) out.numberValue = fields.double();
    else if (number === 3) out.stringValue = fields.utf8();
    else if (number === 4) out.boolValue = fields.bool();
    else fields.skip();
  }
}

/** Names come from outside: `__proto__` becomes an own member like any other. */
function ownRecord<T>(entries: readonly (readonly [string, T])[]): Readonly<Record<string, T>> {
  const out: Record<string, T> = {};
  for (const [key, value] of entries) {
    if (key === "__proto__") Object.defineProperty(out, key, { value, enumerable: true, writable: true, configurable: true });
    else out[key] = value;
  }
  return out;
}

/** Part of a message while it is written: latin1 text around at most one body. */
interface Part {
  readonly before: string;
  readonly body: Uint8Array | undefined;
  readonly after: string;
}

const lengthOf = (part: Part): number => part.before.length + (part.body?.length ?? 0) + part.after.length;

/** A number as a varint, one character a byte. */
function varint(value: number): string {
  if (value < 0x80) return String.fromCharCode(value);
  if (value < 0x4000) return String.fromCharCode((value & 0x7f) | 0x80, value >>> 7);
  return String.fromCharCode((value & 0x7f) | 0x80) + varint(value >>> 7);
}

/** A delimited field of text that is bytes already. `tag`: number * 8 + 2, below 128. */
const delimited = (tag: number, text: string): string => String.fromCharCode(tag) + varint(text.length) + text;

function wrap(tag: number, part: Part): Part {
  return { ...part, before: String.fromCharCode(tag) + varint(lengthOf(part)) + part.before };
}

/** UTF-8 of a text, one character a byte. Nearly every text here is ASCII. */
function utf8(text: string): string {
  return Buffer.byteLength(text) === text.length ? text : Buffer.from(text).toString("latin1");
}

function mutationText({ set_headers = [], remove_headers = [] }: WireHeaderMutation): string {
  let out = "";
  for (const { header, append_action } of set_headers) {
    const value = header.raw_value;
    const pair = delimited(0x0a, utf8(header.key)) + delimited(0x1a, typeof value === "string" ? value : value.toString("latin1"));
    out += delimited(0x0a, delimited(0x0a, pair) + (append_action === 0 ? "" : `\x18${varint(append_action)}`));
  }
  for (const name of remove_headers) out += delimited(0x12, utf8(name));
  return out;
}

const text = (before: string): Part => ({ before, body: undefined, after: "" });
const NOTHING = text("");

/** HeadersResponse and BodyResponse: both hold a CommonResponse as field 1. */
function commonPart({ response }: NonNullable<WireResponse["request_body"]>): Part {
  if (response === undefined) return NOTHING;
  const { header_mutation, body_mutation, clear_route_cache } = response;
  const headers = header_mutation === undefined ? "" : delimited(0x12, mutationText(header_mutation));
  const after = clear_route_cache === true ? "\x28\x01" : "";
  if (body_mutation === undefined) return wrap(0x0a, text(headers + after));
  const body =
    "body" in body_mutation
      ? bytesPart(0x0a, body_mutation.body)
      : wrap(0x1a, streamedPart(body_mutation.streamed_response.body, body_mutation.streamed_response.end_of_stream));
  const mutation = wrap(0x1a, body);
  return wrap(0x0a, { before: headers + mutation.before, body: mutation.body, after: mutation.after + after });
}

const bytesPart = (tag: number, body: Uint8Array): Part => wrap(tag, { before: "", body, after: "" });

function streamedPart(body: Uint8Array, end: boolean): Part {
  const part = body.length === 0 ? NOTHING : bytesPart(0x0a, body);
  return end ? { ...part, after: "\x10\x01" } : part;
}

function immediatePart({ status, headers, body, details }: NonNullable<WireResponse["immediate_response"]>): Part {
  const before = delimited(0x0a, `\x08${varint(status.code)}`) + delimited(0x12, mutationText(headers));
  const inner = body.length === 0 ? NOTHING : bytesPart(0x1a, body);
  return { before: before + inner.before, body: inner.body, after: inner.after + delimited(0x2a, utf8(details)) };
}

function responsePart(message: WireResponse): Part {
  if (message.request_headers !== undefined) return wrap(0x0a, commonPart(message.request_headers));
  if (message.response_headers !== undefined) return wrap(0x12, commonPart(message.response_headers));
  if (message.request_body !== undefined) return wrap(0x1a, commonPart(message.request_body));
  if (message.response_body !== undefined) return wrap(0x22, commonPart(message.response_body));
  if (message.request_trailers !== undefined) return text(delimited(0x2a, ""));
  if (message.response_trailers !== undefined) return text(delimited(0x32, ""));
  if (message.immediate_response !== undefined) return wrap(0x3a, immediatePart(message.immediate_response));
  return NOTHING;
}

/** Strings and structs of them. */
function structText(struct: WireStructOut): string {
  let out = "";
  for (const [key, value] of Object.entries(struct.fields)) {
    const inner = "structValue" in value ? delimited(0x2a, structText(value.structValue)) : delimited(0x1a, utf8(value.stringValue));
    out += delimited(0x0a, delimited(0x0a, utf8(key)) + delimited(0x12, inner));
  }
  return out;
}

/** A `ProcessingResponse`. */
export function writeResponse(message: WireResponse): Buffer {
  const part = responsePart(message);
  let metadata = "";
  if (message.dynamic_metadata !== undefined) metadata += delimited(0x42, structText(message.dynamic_metadata));
  for (const [key, { type_url, value }] of Object.entries(message.typed_dynamic_metadata ?? {})) {
    const packed =
      delimited(0x0a, utf8(type_url)) + delimited(0x12, Buffer.from(value.buffer, value.byteOffset, value.length).toString("latin1"));
    metadata += delimited(0x6a, delimited(0x0a, utf8(key)) + delimited(0x12, packed));
  }
  if (part.body === undefined) return Buffer.from(part.before + part.after + metadata, "latin1");
  const after = part.after + metadata;
  const out = Buffer.allocUnsafe(part.before.length + part.body.length + after.length);
  out.write(part.before, 0, "latin1");
  out.set(part.body, part.before.length);
  if (after !== "") out.write(after, part.before.length + part.body.length, "latin1");
  return out;
}
