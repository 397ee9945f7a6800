import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../test/support/property.ts";
import { piecesOf } from "./pieces.ts";

test("a short text is one piece", () => {
  assert.deepEqual(piecesOf("hello", { charsMax: 5, overlap: 2 }), [{ start: 0, text: "hello", from: 0, to: Number.POSITIVE_INFINITY }]);
});

property(
  "pieces: each place is one piece's to report, which has half the overlap behind it; no pair is cut",
  fc.record({
    text: fc.string({ unit: "binary", maxLength: 300 }),
    charsMax: fc.integer({ min: 20, max: 60 }),
    overlap: fc.integer({ min: 4, max: 16 }),
  }),
  ({ text, charsMax, overlap }) => {
    const pieces = piecesOf(text, { charsMax, overlap });
    for (const { start, text: piece } of pieces) {
      assert.equal(text.slice(start, start + piece.length), piece);
      assert.ok(piece.length <= charsMax);
      assert.ok(piece.isWellFormed(), "a pair was cut");
    }
    for (let at = 0; at < text.length; at += 1) {
      const owners = pieces.filter(({ from, to }) => from <= at && at < to);
      assert.equal(owners.length, 1);
      const needed = Math.min(text.length, at + Math.floor(overlap / 2) - 1);
      const [owner] = owners;
      assert.ok(owner !== undefined && owner.start <= at && owner.start + owner.text.length >= needed);
    }
  },
);
