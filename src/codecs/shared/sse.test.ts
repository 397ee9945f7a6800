import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cpuMs } from "../../../test/support/cpu.ts";
import { property } from "../../../test/support/property.ts";
import { type SseEvent, SseSplitter } from "./sse.ts";

const encoder = new TextEncoder();
function split(bytes: Uint8Array, cuts: readonly number[], eventBytesMax?: number): SseEvent[] {
  const splitter = new SseSplitter(eventBytesMax);
  const out: SseEvent[] = [];
  let from = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    out.push(...splitter.push(bytes.slice(from, cut)));
    from = cut;
  }
  out.push(...splitter.push(bytes.slice(from)), ...splitter.end());
  return out;
}
const read = (events: readonly SseEvent[]) =>
  events.map(({ kind, event, data, bytes }) => ({ kind, event, data, raw: Buffer.from(bytes).toString("latin1") }));
const joined = (events: readonly SseEvent[]): string => Buffer.concat(events.map((event) => event.bytes)).toString("latin1");

test("events, fields, terminators, comments and a byte order mark", () => {
  const table: readonly (readonly [string, readonly (readonly [string | undefined, string | undefined, string?])[]])[] = [
    ["data: a\n\n", [[undefined, "a"]]],
    [
      "data: a\r\n\r\ndata: b\r\rdata: c\n\n",
      [
        [undefined, "a"],
        [undefined, "b"],
        [undefined, "c"],
      ],
    ],
    ["event: x\ndata: a\ndata:b\ndata:  c\n\n", [["x", "a\nb\n c"]]],
    [
      ": ping\n\ndata\n\n",
      [
        [undefined, undefined],
        [undefined, ""],
      ],
    ],
    ["\ufeffdata: é😀\n\n", [[undefined, "é😀"]]],
    ["id: 7\nretry: 9\n data: no\ndatax: no\n\n", [[undefined, undefined]]],
    [
      "\n\r\n\r",
      [
        [undefined, undefined],
        [undefined, undefined],
        [undefined, undefined],
      ],
    ],
    [
      "data: a\n\ndata: [DONE]",
      [
        [undefined, "a"],
        [undefined, "[DONE]", "rest"],
      ],
    ],
    ["data: a\r", [[undefined, "a", "rest"]]],
    [
      "data: a\n\ndata: \ufeffb\n\n",
      [
        [undefined, "a"],
        [undefined, "\ufeffb"],
      ],
    ],
    ["", []],
  ];
  for (const [text, expected] of table) {
    const bytes = encoder.encode(text);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const events = split(bytes, [cut]);
      const found = events.map(({ kind, event, data }) => [event, data, kind]);
      assert.deepStrictEqual(
        found,
        expected.map(([event, data, kind]) => [event, data, kind ?? "event"]),
        JSON.stringify([text, cut]),
      );
      assert.equal(joined(events), Buffer.from(bytes).toString("latin1"));
    }
  }
});

test("a whole event does not wait for the next one, in any common framing", () => {
  for (const text of ["data: a\n\n", "data: a\r\n\r\n"]) assert.equal(new SseSplitter().push(encoder.encode(text)).length, 1);
});

const line = fc.oneof(
  fc.constantFrom("data: {", "data: x", "data:", "data", "event: e", ": c", "id: 1", "", " ", "é😀", "\ufeff"),
  fc.string({ maxLength: 12 }),
);
const stream = fc
  .array(fc.tuple(line, fc.constantFrom("\n", "\r\n", "\r", "\n\n", "\r\n\r\n", "\r\r", "\n\r\n")), { maxLength: 30 })
  .map((lines) => encoder.encode(lines.flat().join("")));
const cutStream = fc.tuple(fc.oneof(stream, fc.uint8Array({ maxLength: 200 })), fc.array(fc.nat(400), { maxLength: 40 }));

property(
  "any cut of any stream gives the same events, and their bytes join to the input",
  cutStream,
  ([bytes, cuts]) => {
    const whole = split(bytes, []);
    const some = split(
      bytes,
      cuts.map((cut) => Math.min(cut, bytes.length)),
    );
    const every = split(
      bytes,
      Array.from(bytes, (_, index) => index),
    );
    assert.equal(joined(whole), Buffer.from(bytes).toString("latin1"));
    assert.deepStrictEqual(read(some), read(whole));
    assert.deepStrictEqual(read(every), read(whole));
  },
  1000,
);

property(
  "past the cap an event passes unread, counted once, and those beside it are read",
  cutStream,
  ([bytes, cuts]) => {
    const max = 24;
    const count = (at: readonly number[]) => {
      const splitter = new SseSplitter(max);
      const out: SseEvent[] = [];
      let from = 0;
      for (const cut of [...at, bytes.length].sort((a, b) => a - b)) {
        out.push(...splitter.push(bytes.slice(from, cut)));
        from = cut;
      }
      out.push(...splitter.end());
      assert.equal(joined(out), Buffer.from(bytes).toString("latin1"));
      return { oversized: splitter.oversized, read: read(out.filter(({ kind }) => kind !== "piece")) };
    };
    const reference = split(bytes, []);
    const expected = {
      oversized: reference.filter((event) => event.bytes.length > max).length,
      read: read(reference.filter((event) => event.bytes.length <= max)),
    };
    assert.deepStrictEqual(count([]), expected);
    assert.deepStrictEqual(count(cuts.map((cut) => Math.min(cut, bytes.length))), expected);
    assert.deepStrictEqual(count(Array.from(bytes, (_, index) => index)), expected);
  },
  500,
);

test("an event of 4 MiB that comes byte by byte costs linear time", () => {
  const time = (size: number): number => {
    const splitter = new SseSplitter();
    const byte = encoder.encode("x");
    const start = cpuMs();
    splitter.push(encoder.encode("data: "));
    for (let i = 0; i < size; i++) splitter.push(byte);
    assert.equal(splitter.push(encoder.encode("\n\n"))[0]?.data?.length, size);
    return cpuMs() - start;
  };
  time(1 << 18);
  const small = time(1 << 19);
  const large = time(1 << 22);
  assert(large < small * 8 * 4, `8 times the bytes took ${(large / small).toFixed(1)} times as long`);
});
