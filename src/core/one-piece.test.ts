import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../test/support/property.ts";
import { inOnePiece } from "./one-piece.ts";

property(
  "is the text that it was given",
  fc.tuple(fc.string({ unit: "binary", maxLength: 60 }), fc.string({ unit: "binary", maxLength: 60 }), fc.nat(60)),
  ([one, other, from]) => {
    const text = (one + other).slice(from);
    assert.equal(inOnePiece(text), text);
  },
);

test("half a surrogate pair stays", () => {
  const half = `${"x".repeat(20)}\ud83d`;
  assert.equal(inOnePiece(half.slice(1)), half.slice(1));
});
