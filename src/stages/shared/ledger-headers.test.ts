import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bound, rateHeaders } from "./ledger-headers.ts";

const bound = (name: string, limit: number, used: number): Bound => ({ name, quota: limit, windowS: 60, limit, used, resetsAtMs: 30_000 });
const shown = (bounds: readonly Bound[], refuses?: boolean): Readonly<Record<string, string>> =>
  Object.fromEntries(rateHeaders(bounds, 0, refuses).flatMap((one) => (one.kind === "header" ? [[one.name, one.value]] : [])));

test("of limits with one name the one with the least left is told, whatever their order", () => {
  const [user, app] = [bound("requests-1m", 2, 2), bound("requests-1m", 100, 2)];
  for (const bounds of [
    [user, app],
    [app, user],
  ]) {
    const headers = shown(bounds);
    assert.equal(headers["ratelimit"], '"requests-1m";r=0;t=30');
    assert.equal(headers["ratelimit-policy"], '"requests-1m";q=2;w=60');
    assert.equal(headers["ratelimit-remaining"], "0");
  }
  assert.equal(shown([app, { ...app }])["ratelimit"], '"requests-1m";r=98;t=30', "alike: once");
});

test("the older form is of the limit that refuses", () => {
  const older = (refuses: boolean) =>
    rateHeaders([bound("tokens-1m", 5, 5)], 0, refuses).flatMap((one) => (one.kind === "header" ? [one.beside] : []));
  assert.deepEqual(older(false), ["append", "append", "keep", "keep", "keep"]);
  assert.deepEqual(older(true), ["append", "append", undefined, undefined, undefined]);
});
