import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { digest, Slice } from "./slice.ts";

test("a digest of many bytes is that of all of them, and others have their turn meanwhile", async () => {
  for (const length of [0, 1, 1 << 20, (1 << 20) + 1, 40 * (1 << 20)]) {
    const bytes = Buffer.alloc(length, "ab");
    let turns = 0;
    const counting = setInterval(() => (turns += 1), 1);
    assert.equal(await digest(bytes), createHash("sha256").update(bytes).digest("hex"));
    clearInterval(counting);
    if (length === 40 * (1 << 20)) assert.ok(turns >= 1, `${turns} turns`);
  }
});

test("a slice is over after a while, and begins anew after a turn", async () => {
  const slice = new Slice();
  assert.equal(slice.isOver(), false);
  const started = performance.now();
  while (performance.now() - started < 5);
  assert.equal(slice.isOver(), true);
  let others = false;
  setImmediate(() => (others = true));
  await slice.next();
  assert.deepEqual([others, slice.isOver()], [true, false]);
});
