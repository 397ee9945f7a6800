import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cutAt } from "../../../test/support/codec-runs.ts";
import { cpuMs } from "../../../test/support/cpu.ts";
import { property } from "../../../test/support/property.ts";
import { type ArrayPiece, JsonArraySplitter } from "./json-array.ts";

function split(
  bytes: Uint8Array,
  places: readonly number[],
  elementBytesMax?: number,
): { pieces: ArrayPiece[]; splitter: JsonArraySplitter } {
  const splitter = new JsonArraySplitter(elementBytesMax);
  const pieces = cutAt(bytes, places).flatMap((chunk) => [...splitter.push(chunk)]);
  return { pieces: [...pieces, ...splitter.end()], splitter };
}
const bytesOf = (pieces: readonly ArrayPiece[]): Buffer => Buffer.concat(pieces.map(({ bytes }) => bytes));
const textsOf = (pieces: readonly ArrayPiece[]): string[] =>
  pieces.flatMap(({ kind, bytes, textAt }) => (kind === "element" || kind === "single" ? Buffer.from(bytes).toString("utf8", textAt) : []));
const blank = fc.constantFrom("", " ", "\n", "\r\n", "\t ", "\n\n");

property(
  "elements come out whole and in order, whatever stands between them, for any cut",
  fc.tuple(fc.array(fc.tuple(blank, fc.json(), blank), { maxLength: 6 }), blank, fc.array(fc.nat(400), { maxLength: 12 })),
  ([elements, around, places]) => {
    const bytes = Buffer.from(`${around}[${elements.map((parts) => parts.join("")).join(",")}]${around}`);
    const cuts = places.map((place) => Math.min(place, bytes.length));
    const { pieces } = split(bytes, cuts);
    assert(bytesOf(pieces).equals(bytes));
    assert.deepEqual(
      textsOf(pieces).map((text) => JSON.parse(text)),
      elements.map(([, json]) => JSON.parse(json)),
    );
    assert.equal(pieces.filter(({ kind }) => kind === "end").length, 1);
  },
  500,
);

property(
  "any bytes pass unchanged, with any cap",
  fc.tuple(
    fc.string({ unit: fc.constantFrom(...'[]{},:"\\ \n1aé') }),
    fc.array(fc.nat(60), { maxLength: 8 }),
    fc.integer({ min: 1, max: 40 }),
  ),
  ([text, places, cap]) => {
    const bytes = Buffer.from(text);
    const cuts = places.map((place) => Math.min(place, bytes.length));
    assert(bytesOf(split(bytes, cuts, cap).pieces).equals(bytes));
  },
  1000,
);

property(
  "the prefix makes a valid array with one more element, after every piece",
  fc.tuple(fc.array(fc.json(), { maxLength: 5 }), blank),
  ([elements, around]) => {
    const bytes = Buffer.from(`[${around}${elements.join(`${around},${around}`)}${around}`);
    const splitter = new JsonArraySplitter();
    let released = "";
    for (const byte of bytes) {
      released += bytesOf(splitter.push(Uint8Array.of(byte))).toString("latin1");
      const closed = Buffer.from(`${released}${splitter.prefix}"more"]`, "latin1").toString();
      assert.equal(JSON.parse(closed).at(-1), "more");
    }
  },
);

test("an element is given out with its last byte, not with the comma after it", () => {
  const splitter = new JsonArraySplitter();
  assert.deepEqual(textsOf(splitter.push(Buffer.from('[{"a":1}'))), ['{"a":1}']);
  assert.deepEqual(textsOf(splitter.push(Buffer.from(',\n{"b":"}]'))), []);
  assert.deepEqual(textsOf(splitter.push(Buffer.from('"}'))), ['{"b":"}]"}']);
});

test("an element past the cap passes unread, the next one is read, and none can be added in its middle", () => {
  const bytes = Buffer.from(`[{"a":"${"x".repeat(50)}"},{"b":2}]`);
  const { pieces, splitter } = split(bytes, [20, 30, 40], 16);
  assert(bytesOf(pieces).equals(bytes));
  assert.deepEqual(textsOf(pieces), ['{"b":2}']);
  assert.equal(splitter.oversized, 1);
  const inside = new JsonArraySplitter(16);
  inside.push(bytes.subarray(0, 30));
  assert.equal(inside.prefix, undefined);
});

test("a body that is one object is one value; one that is not JSON is not read", () => {
  const single = split(Buffer.from(' {"error":{"code":400}}\n'), [3]);
  assert.deepEqual(
    single.pieces.map(({ kind, bytes, textAt }) => [kind, Buffer.from(bytes).toString("utf8", textAt)]),
    [
      ["single", '{"error":{"code":400}}'],
      ["other", "\n"],
    ],
  );
  assert.deepEqual(textsOf(split(Buffer.from("<html>[1]</html>"), [4]).pieces), []);
});

test("a large element in small pieces costs linear time", () => {
  const bytes = Buffer.from(`[{"a":"${"x".repeat(4_000_000)}"}]`);
  const started = cpuMs();
  const splitter = new JsonArraySplitter();
  let given = 0;
  for (let at = 0; at < bytes.length; at += 64) for (const piece of splitter.push(bytes.subarray(at, at + 64))) given += piece.bytes.length;
  assert.equal(given, bytes.length);
  assert(cpuMs() - started < 3000);
});
