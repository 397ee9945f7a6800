import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../test/support/property.ts";
import { longRuns } from "./long-runs.ts";

property(
  "finds what an expression would find",
  fc.tuple(
    fc.string({ unit: fc.constantFrom("a", "Z", "7", "-", "a", "b", " ", "=", "é"), maxLength: 90 }),
    fc.integer({ min: 1, max: 12 }),
  ),
  ([text, least]) => {
    const expected = Array.from(text.matchAll(new RegExp(`[A-Za-z0-9+/_-]{${least},}={0,2}`, "g")), ({ 0: run, index }) => ({
      start: index,
      end: index + run.length,
    }));
    assert.deepEqual([...longRuns(text, least)], expected);
  },
  2_000,
);
test("nothing in an empty text, all of a text that is one run", () => {
  assert.deepEqual([...longRuns("", 4)], []);
  assert.deepEqual([...longRuns("abcdefgh==", 4)], [{ start: 0, end: 10 }]);
});
