import assert from "node:assert/strict";
import { test } from "node:test";
import { measure, scored } from "./measure.ts";
import { freshSamples, ownSamples } from "./samples.ts";

test("the built-in score on the project's own texts that never train", (t) => {
  const found = measure(scored(freshSamples()));
  t.diagnostic(JSON.stringify(found));
  // Floors under what is reached, so that a change for the worse shows.
  assert(found.recall >= 0.75, `recall ${found.recall}`);
  assert(found.falsePositives <= 0.05, `false positives ${found.falsePositives}`);
  assert(found.lookAlikes <= 0.1, `look-alikes ${found.lookAlikes}`);
});

test("what it was trained on is told apart", () => {
  const found = measure(scored(ownSamples()));
  assert(found.recall >= 0.93 && found.falsePositives <= 0.01 && found.lookAlikes <= 0.02, JSON.stringify(found));
});
