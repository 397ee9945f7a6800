import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadSync } from "@grpc/proto-loader";
import fc from "fast-check";
import { property } from "../../test/support/property.ts";
import { decode } from "./decode.ts";
import { encodeAnswerBody, encodeAnswerHeaders, encodeContinue, encodeForward, encodeReply } from "./encode.ts";
import type { WireRequest, WireResponse } from "./wire.ts";
import { readRequest, writeResponse } from "./wire-codec.ts";

/** The generic codec: what Envoy would send, and what it would read. */
function genericCodec(options: { readonly defaults: boolean }) {
  const proto = fileURLToPath(new URL("../../proto/ext_proc.proto", import.meta.url));
  const service = loadSync(proto, { keepCase: true, longs: Number, oneofs: true, ...options })[
    "envoy.service.ext_proc.v3.ExternalProcessor"
  ];
  assert(service !== undefined && !("format" in service));
  const process = service["Process"];
  assert(process !== undefined);
  return process;
}
const { requestSerialize, requestDeserialize } = genericCodec({ defaults: false });
// Defaults, because one writer may spell out what another leaves out.
const { responseSerialize, responseDeserialize } = genericCodec({ defaults: true });

const latin1 = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)), maxLength: 300 });
// Usual names, names one byte from them, and any.
const usual = fc.constantFrom(":method", ":path", "content-type", "x-request-id", "x-ai-user", "authorization", "openai-version", "date");
const name = fc.oneof(
  fc.stringMatching(/^[:a-z][a-z0-9_-]{0,40}$/),
  usual,
  fc.tuple(usual, fc.nat(20), fc.stringMatching(/^[a-z]$/)).map(([word, at, letter]) => word.slice(0, at) + letter + word.slice(at + 1)),
);
const bytes = fc.uint8Array({ maxLength: 70_000 }).map((array) => Buffer.from(array));
const headerList = fc.array(fc.tuple(name, latin1), { maxLength: 30 });

const wireHeaders = (pairs: readonly (readonly [string, string])[], end: boolean) => ({
  headers: { headers: pairs.map(([key, value]) => ({ key, raw_value: Buffer.from(value, "latin1") })) },
  end_of_stream: end,
});
const attribute = fc.oneof(
  fc.string().map((stringValue) => ({ stringValue })),
  fc.double({ noNaN: true }).map((numberValue) => ({ numberValue })),
  fc.boolean().map((boolValue) => ({ boolValue })),
);
const attributes = fc
  .dictionary(fc.string({ minLength: 1 }), attribute, { maxKeys: 5, noNullPrototype: true })
  .map((fields) => ({ "envoy.filters.http.ext_proc": { fields } }));
const extras = fc.record(
  {
    attributes,
    observability_mode: fc.boolean(),
    protocol_config: fc.record({ request_body_mode: fc.nat(5), response_body_mode: fc.nat(5) }),
    // Skipped by Sluice, but Envoy may send it.
    metadata_context: attributes.map((filter_metadata) => ({ filter_metadata })),
  },
  { requiredKeys: [] },
);
const phase = fc.oneof(
  fc
    .tuple(fc.constantFrom("request_headers", "response_headers"), headerList, fc.boolean())
    .map(([key, pairs, end]) => ({ [key]: wireHeaders(pairs, end) })),
  fc
    .tuple(fc.constantFrom("request_body", "response_body"), bytes, fc.boolean())
    .map(([key, body, end_of_stream]) => ({ [key]: { body, end_of_stream } })),
  fc
    .tuple(fc.constantFrom("request_trailers", "response_trailers"), headerList)
    .map(([key, pairs]) => ({ [key]: { trailers: wireHeaders(pairs, false).headers } })),
);

/** What the rest of Sluice sees of a message. */
function seen(wire: WireRequest): unknown {
  const message = decode(wire);
  const head = "head" in message ? [...message.head.names()].map((key) => [key, message.head.get(key)]) : undefined;
  const { attributes: given, observability_mode, protocol_config } = wire;
  const fields = Object.entries(given?.["envoy.filters.http.ext_proc"]?.fields ?? {})
    .map(([key, value]) => ({ key, value: value.stringValue ?? value.numberValue ?? value.boolValue }))
    .sort((one, other) => (one.key < other.key ? -1 : 1));
  return {
    ...message,
    head,
    bytes: "bytes" in message ? message.bytes.toString("base64") : undefined,
    fields,
    observing: observability_mode === true,
    request: protocol_config?.request_body_mode ?? 0,
    response: protocol_config?.response_body_mode ?? 0,
  };
}

describe("a message of Envoy's", () => {
  property("is read as the generic codec reads it", fc.tuple(phase, extras), ([message, more]) => {
    const wire = requestSerialize({ ...message, ...more });
    assert.deepEqual(seen(readRequest(wire)), seen(requestDeserialize(wire) as WireRequest));
  });

  property(
    "cut or garbled, is refused or read, and never reads past its end",
    fc.tuple(phase, fc.nat(), fc.nat(255), fc.nat()),
    ([message, cut, byte, at]) => {
      const wire = Buffer.from(requestSerialize(message));
      if (wire.length > 0) wire[at % wire.length] = byte;
      const part = wire.subarray(0, cut % (wire.length + 1));
      try {
        decode(readRequest(part));
      } catch (error) {
        assert(error instanceof Error);
        assert.equal(error.message, "not an ext_proc message");
      }
    },
  );

  property("of any bytes is refused or read", fc.uint8Array({ maxLength: 200 }), (array) => {
    try {
      readRequest(Buffer.from(array));
    } catch (error) {
      assert(error instanceof Error);
      assert.equal(error.message, "not an ext_proc message");
    }
  });

  test("names an attribute like a member of every object", () => {
    const wire = requestSerialize({ response_headers: {}, attributes: { a: { fields: JSON.parse('{"__proto__":{"stringValue":"x"}}') } } });
    const { attributes: read } = readRequest(wire);
    assert.equal(Object.getPrototypeOf(read?.["a"]?.fields), Object.prototype);
  });
});

const text = fc.string({ unit: "binary", maxLength: 40 }).filter((value) => value.isWellFormed());
const edits = fc.record({ set: fc.array(fc.tuple(name, latin1), { maxLength: 15 }), remove: fc.array(name, { maxLength: 15 }) });
const response: fc.Arbitrary<WireResponse> = fc.oneof(
  fc
    .constantFrom("request_headers", "request_body", "response_headers", "response_body", "request_trailers", "response_trailers")
    .map((at) => encodeContinue(at)),
  fc
    .record({
      at: fc.constantFrom("request_headers", "request_body"),
      headers: edits,
      body: fc.option(bytes, { nil: undefined }),
      chain: fc.array(text, { minLength: 1, maxLength: 4 }),
      log: fc.dictionary(name, text, { noNullPrototype: true }),
    })
    .map(({ at, ...forward }) => encodeForward(at, forward)),
  fc.record({ status: fc.integer({ min: 200, max: 599 }), headers: edits, body: bytes, details: text }).map((reply) => encodeReply(reply)),
  edits.map((headers) => encodeAnswerHeaders(headers)),
  fc.tuple(bytes, fc.boolean()).map(([body, end]) => encodeAnswerBody(body, end)),
);

/** The message with header values as the bytes they stand for, so that the generic codec can write it. */
function generic(value: unknown, key = ""): unknown {
  if (key === "raw_value" && typeof value === "string") return Buffer.from(value, "latin1");
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map((item) => generic(item));
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, generic(inner, name)]));
}
const plain = (message: object): unknown => JSON.parse(JSON.stringify(message));

describe("a message of Sluice's", () => {
  property("is to its reader what the generic codec would have written", response, (message) => {
    const wire = writeResponse(message);
    const expected = responseDeserialize(Buffer.from(responseSerialize(generic(message) as object)));
    assert.deepEqual(plain(responseDeserialize(wire)), plain(expected));
  });

  test("passes no line break on in a header, whatever the character was", () => {
    const wire = writeResponse(encodeAnswerHeaders({ set: [["x-a", "a\r\nb\u010ac\u0d0ad"]], remove: [] }));
    assert(wire.includes("a  b c d"));
  });
});
