import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../../test/support/property.ts";
import { codesOf } from "./codes.ts";
import { createNeedles } from "./needles.ts";

const word = fc.string({ unit: fc.constantFrom("a", "b", "c", "<", "系"), maxLength: 4 });
property(
  "finds the groups of which a word stands in the text, and no others",
  fc.tuple(fc.array(fc.array(word, { maxLength: 4 }), { maxLength: 6 }), word, word),
  ([groups, one, other]) => {
    const text = `${one}x${other}${one}`;
    const bits = createNeedles(groups).find(codesOf(text));
    for (const [group, words] of groups.entries())
      assert.equal(
        (bits & (1 << group)) !== 0,
        words.some((wanted) => text.includes(wanted)),
        `group ${group} in ${text}`,
      );
  },
);

test("more groups than a number has bits are a mistake that is told at once", () => {
  assert.throws(() => createNeedles(Array.from({ length: 32 }, () => ["a"])), /at most 31/);
});
