import assert from "node:assert/strict";
import { test } from "node:test";
import type { PolicySnapshot } from "../core/snapshot.ts";
import { Generations } from "./generations.ts";

const snapshot = (version: string): PolicySnapshot => ({
  version,
  hash: version,
  catalog: { providers: new Map(), models: new Map(), tiers: new Map() },
  limits: { bodyBytesMax: 1, inFlightBytesMax: 1 },
  keySources: [],
  authenticate: () => ({ ok: false, error: { code: "unauthenticated" } }),
  defaultUseCase: () => undefined,
  allowsUseCase: () => false,
  resolve: () => {
    throw new Error("not asked here");
  },
  observeAs: undefined,
  residencyOf: () => undefined,
  calendarOf: () => {
    throw new Error("not asked here");
  },
});

test("a version is over when its last exchange is, and not before", async () => {
  const generations = new Generations(snapshot("1"));
  const first = generations.take();
  const second = generations.take();
  let over = false;
  const swapped = generations.swap(snapshot("2")).then(() => {
    over = true;
  });
  assert.equal(generations.take().version, "2");
  generations.release(first);
  await new Promise(setImmediate);
  assert.equal(over, false);
  generations.release(second);
  await swapped;
  assert.equal(over, true);
});

test("a version that nobody holds is over at once, and a late release harms nothing", async () => {
  const generations = new Generations(snapshot("1"));
  const held = generations.take();
  generations.release(held);
  await generations.swap(snapshot("2"));
  generations.release(held);
  assert.equal(generations.current.version, "2");
});
