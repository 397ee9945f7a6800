import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { cutAt } from "../../../test/support/codec-runs.ts";
import { property } from "../../../test/support/property.ts";
import { type EventFrame, EventStreamSplitter, eventFrame, jsonEvent } from "./aws-eventstream.ts";

/** Made with another implementation of the encoding; the second has headers of all kinds before its string. */
const START = Buffer.from(
  "000000760000005296d5fade0b3a6576656e742d7479706507000c6d65737361676553746172740d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22726f6c65223a22617373697374616e74227d6fa8c599",
  "hex",
);
const MIXED = Buffer.from(
  "0000004400000034e9e5d555016e040000000701740001750930313233343536373839616263646566016206000278790b3a6576656e742d74797065070001788720718e",
  "hex",
);

const bytesOf = (frames: readonly EventFrame[]): Buffer => Buffer.concat(frames.map(({ bytes }) => bytes));
function split(
  pieces: readonly Uint8Array[],
  max?: number,
): { readonly frames: readonly EventFrame[]; readonly splitter: EventStreamSplitter } {
  const splitter = new EventStreamSplitter(max);
  return { frames: [...pieces.flatMap((piece) => splitter.push(piece)), ...splitter.end()], splitter };
}
const shown = (frames: readonly EventFrame[]) =>
  frames.map(({ kind, headers, payload }) => [kind, headers.get(":event-type"), Buffer.from(payload).toString()]);

describe("AWS event streams", () => {
  test("a frame as others write it is what we write", () => {
    assert.deepEqual(Buffer.from(jsonEvent("messageStart", '{"role":"assistant"}')), START);
  });

  test("frames and their string headers, for every cut", () => {
    const stream = Buffer.concat([START, MIXED, START]);
    for (let cut = 0; cut <= stream.length; cut++) {
      const { frames } = split(cutAt(stream, [cut]));
      assert(bytesOf(frames).equals(stream));
      assert.deepEqual(shown(frames), [
        ["frame", "messageStart", '{"role":"assistant"}'],
        ["frame", "x", ""],
        ["frame", "messageStart", '{"role":"assistant"}'],
      ]);
    }
    const { frames } = split([...stream].map((byte) => Uint8Array.of(byte)));
    assert.equal(frames.length, 3);
  });

  test("what is given out stays as it was when more comes", () => {
    const splitter = new EventStreamSplitter();
    const first = [...splitter.push(START.subarray(0, 50)), ...splitter.push(Buffer.concat([START.subarray(50), START.subarray(0, 40)]))];
    splitter.push(START.subarray(40));
    assert.deepEqual(bytesOf(first), START);
  });

  test("one flipped bit anywhere, and the rest passes unread", () => {
    for (let at = 0; at < START.length; at++) {
      const bad = Buffer.concat([START, START, START]);
      bad[START.length + at] = (bad[START.length + at] ?? 0) ^ 0x10;
      const { frames, splitter } = split(cutAt(bad, [START.length + 5]));
      assert(bytesOf(frames).equals(bad));
      assert.equal(frames.filter(({ kind }) => kind === "frame").length, 1);
      assert(splitter.broken || frames.at(-1)?.kind === "rest");
    }
  });

  test("a stream that ends within a frame gives the rest up unread", () => {
    const { frames } = split([START, START.subarray(0, 30)]);
    assert.deepEqual(
      frames.map(({ kind }) => kind),
      ["frame", "rest"],
    );
  });

  test("a frame past the cap passes in pieces, and the next one is read", () => {
    const large = Buffer.from(eventFrame({ ":event-type": "large" }, "x".repeat(5000)));
    for (const cut of [0, 3, 20, 4000, large.length]) {
      const { frames, splitter } = split(cutAt(Buffer.concat([large, START]), [cut]), 1000);
      assert(bytesOf(frames).equals(Buffer.concat([large, START])));
      assert.equal(splitter.oversized, 1);
      assert.deepEqual([frames.at(-1)?.kind, frames.filter(({ kind }) => kind === "frame").length], ["frame", 1]);
    }
  });

  property(
    "any bytes pass as they came, however cut",
    fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(300), { maxLength: 5 })),
    ([bytes, cuts]) => {
      const stream = Buffer.concat([START, bytes]);
      const { frames } = split(
        cutAt(
          stream,
          cuts.map((cut) => Math.min(cut, stream.length)),
        ),
      );
      assert(bytesOf(frames).equals(stream));
    },
  );
});
