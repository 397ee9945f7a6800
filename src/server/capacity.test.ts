import assert from "node:assert/strict";
import { test } from "node:test";
import { weightOf } from "./capacity.ts";

const weigh = (text: string): number => weightOf(Buffer.from(text)) / Buffer.byteLength(text);

test("a body weighs what it takes in memory: prose about its text, dense values many times that", () => {
  assert.equal(weigh("[0,0,0]"), 1);
  assert.equal(weigh(`"${"x".repeat(1_000_000)}"`), 1);
  const prose = weigh(
    `{"messages":[{"role":"user","content":"${"So, this is what people write; now and then, a comma. ".repeat(20_000)}"}]}`,
  );
  assert.ok(prose < 4, String(prose));
  const zeros = weigh(`[${"0,".repeat(600_000)}0]`);
  assert.ok(zeros > 30 && zeros < 36, String(zeros));
  const objects = weigh(`[${"{},".repeat(600_000)}0]`);
  assert.ok(objects > 35, String(objects));
  const half = weigh(`["${"x".repeat(600_000)}",${"0,".repeat(300_000)}0]`);
  assert.ok(half > 12 && half < 20, String(half));
});
