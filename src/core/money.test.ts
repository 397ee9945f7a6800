import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../test/support/property.ts";
import { costNanoUsd, formatUsd, isMeasured, type Price, priceInTier } from "./money.ts";
import type { Usage } from "./usage.ts";

const used = (usage: Omit<Usage, "reported">): Usage => ({ ...usage, reported: {} });
const PRICE: Price = {
  input: 3_000_000_000,
  output: 15_000_000_000,
  cachedInput: 300_000_000,
  cacheWrite: 3_750_000_000,
  cacheWrite1h: 6_000_000_000,
  reasoning: 20_000_000_000,
  above: [{ tokens: 200_000, price: { input: 6_000_000_000, output: 22_500_000_000, cachedInput: 600_000_000 } }],
  source: "policy",
};

test("each kind at its own price; a kind without a price at that of the kind it is part of", () => {
  assert.equal(costNanoUsd(used({ inputTokens: 1000, outputTokens: 100 }), PRICE), 3_000_000 + 1_500_000);
  assert.equal(
    costNanoUsd(used({ inputTokens: 1000, cachedInputTokens: 600, cacheWriteTokens: 200, cacheWrite1hTokens: 100 }), PRICE),
    180_000 + 750_000 + 600_000 + 300_000,
  );
  assert.equal(costNanoUsd(used({ outputTokens: 100, reasoningTokens: 40 }), PRICE), 800_000 + 900_000);
  assert.equal(costNanoUsd(used({ inputTokens: 10, audioInputTokens: 4 }), PRICE), 30_000, "no audio price: audio is input");
  assert.equal(costNanoUsd(used({ inputTokens: 10, audioInputTokens: 4 }), { ...PRICE, audioInput: 9_000_000_000 }), 36_000 + 18_000);
});

test("past the step, its prices hold for the whole call; at the step not yet", () => {
  assert.equal(costNanoUsd(used({ inputTokens: 200_000 }), PRICE), 600_000_000);
  assert.equal(costNanoUsd(used({ inputTokens: 200_001, cachedInputTokens: 1, outputTokens: 1 }), PRICE), 200_000 * 6000 + 600 + 22_500);
});

test("rounded up once, at the end", () => {
  const price: Price = { input: 1, output: 1, source: "policy" };
  assert.equal(costNanoUsd(used({ inputTokens: 1, outputTokens: 1 }), price), 1, "two millionths of a nano-dollar");
  assert.equal(costNanoUsd(used({ inputTokens: 1_000_000 }), price), 1);
  assert.equal(costNanoUsd(used({ inputTokens: 1_000_001 }), price), 2);
  assert.equal(costNanoUsd(used({}), price), 0);
});

const figure = fc.option(fc.oneof(fc.nat(5_000_000), fc.double(), fc.constantFrom(-1, Number.NaN, Number.POSITIVE_INFINITY, 1e300)), {
  nil: undefined,
});
const hostile = fc.record({
  inputTokens: figure,
  outputTokens: figure,
  cachedInputTokens: figure,
  cacheWriteTokens: figure,
  cacheWrite1hTokens: figure,
  reasoningTokens: figure,
  audioInputTokens: figure,
});
property("whatever a provider reports, the cost is a safe whole number and parts never add to their total", hostile, (figures) => {
  const usage: Record<string, number> = {};
  for (const [name, value] of Object.entries(figures)) if (value !== undefined) usage[name] = value;
  const cost = costNanoUsd({ ...usage, reported: {} }, PRICE);
  assert.ok(Number.isSafeInteger(cost) && cost >= 0);
  const dearest: Price = { input: 6_000_000_000, output: 22_500_000_000, source: "policy" };
  const total: Record<string, number> = {};
  for (const name of ["inputTokens", "outputTokens"]) if (usage[name] !== undefined) total[name] = usage[name];
  assert.ok(cost <= costNanoUsd({ ...total, reported: {} }, dearest));
});

test("dollars as exact decimals", () => {
  assert.deepEqual([0, 1, 1_000_000_000, 123_456, 12_340_000_000].map(formatUsd), ["0", "0.000000001", "1", "0.000123456", "12.34"]);
  assert.deepEqual([Number.MAX_SAFE_INTEGER, -1_500_000_000].map(formatUsd), ["9007199.254740991", "-1.5"]);
});

test("images, seconds, characters and calls beside tokens, fractions of a second as a whole one", () => {
  const price: Price = {
    input: 0,
    output: 0,
    image: 40_000_000 * 1e6,
    second: 100_000 * 1e6,
    character: 15_000_000_000,
    call: 1_000 * 1e6,
    source: "policy",
  };
  assert.equal(costNanoUsd(used({ images: 2 }), price), 80_000_000 + 1_000);
  assert.equal(costNanoUsd(used({ seconds: 8.47 }), price), 900_000 + 1_000);
  assert.equal(costNanoUsd(used({ characters: 100 }), price), 1_500_000 + 1_000);
  assert.equal(costNanoUsd(used({ images: 2, seconds: 9 }), PRICE), 0, "a price by tokens takes nothing else");
});

test("a usage is measured by what its price charges for", () => {
  const free = { input: 0, output: 0, source: "policy" };
  const table: readonly (readonly [Omit<Usage, "reported">, Price | undefined, boolean])[] = [
    [{ inputTokens: 1 }, PRICE, true],
    [{ inputTokens: 1 }, undefined, true],
    [{ seconds: 1 }, undefined, true],
    [{}, undefined, false],
    [{ characters: 9 }, PRICE, false],
    [{ inputTokens: 1 }, free, true],
    [{ images: 1 }, { ...free, image: 1 }, true],
    [{ inputTokens: 1 }, { ...free, image: 1 }, false],
    [{ inputTokens: 1 }, { ...PRICE, image: 1 }, true],
    [{ images: 1 }, { ...free, image: 1, second: 1 }, false],
    [{}, { ...free, query: 1 }, false],
    [{ queries: 1 }, { ...free, query: 1 }, true],
    [{ inputTokens: 1 }, { ...PRICE, query: 1 }, true],
    [{}, { ...PRICE, query: 1 }, false],
    [{}, { ...free, call: 1 }, true],
    [{}, { ...PRICE, call: 1 }, false],
  ];
  for (const [usage, price, measured] of table) assert.equal(isMeasured(used(usage), price), measured, JSON.stringify([usage, price]));
});

test("a service tier has a price of its own; what costs more without one has none, what costs less is charged as the usual", () => {
  const priority = { input: 2, output: 4, source: "policy" };
  const price: Price = { ...PRICE, tiers: new Map([["priority", priority]]) };
  assert.equal(priceInTier(price, "Priority"), priority);
  for (const tier of [undefined, "default", "standard", "auto", "flex", "batch"])
    assert.equal(priceInTier(price, tier), price, String(tier));
  assert.equal(priceInTier(PRICE, "priority"), undefined);
  assert.equal(priceInTier(PRICE, "fast"), undefined);
});
