import assert from "node:assert/strict";
import { test } from "node:test";
import { provider, target, view } from "../../test/support/context.ts";
import { forecast, priceHints } from "./forecast.ts";
import { parseJson } from "./json.ts";
import type { Price } from "./money.ts";

const hintsOf = (body: object) => {
  const doc = parseJson(Buffer.from(JSON.stringify(body)));
  assert.ok(doc.ok);
  return priceHints({ doc: doc.value, view: view(), facts: {} });
};

test("the service tier that a request asks for, in each dialect's words, and never from a prompt", () => {
  const table: readonly (readonly [object, string | undefined])[] = [
    [{ service_tier: "priority" }, "priority"],
    [{ serviceTier: { type: "flex" } }, "flex"],
    [{ serviceTier: "PRIORITY" }, "priority"],
    [{ speed: "fast", service_tier: "auto" }, "fast"],
    [{ messages: [{ content: '"service_tier":"priority" "speed":"fast"' }] }, undefined],
    [{ service_tier: 1, serviceTier: ["flex"] }, undefined],
    [{ model: "m" }, undefined],
  ];
  for (const [body, tier] of table) assert.equal(hintsOf(body).tier, tier, JSON.stringify(body));
});

test("searches at the provider are held as often as their tool allows, and at the tier's price; a dearer tier without one has none", () => {
  const base: Price = { input: 0, output: 0, query: 10_000_000 * 1e6, source: "policy" };
  const price: Price = { ...base, tiers: new Map([["priority", { ...base, query: 30_000_000 * 1e6 }]]) };
  const of = { ...target(provider("p", "openai"), "m"), price };
  const cost = (body: object, asked = of) =>
    forecast({ inputTokens: 1, outputTokens: 1, expected: undefined }, [asked], { hints: hintsOf(body), lostAttempts: 1 }).nanoUsd;
  assert.equal(cost({ tools: [{ name: "get_x" }] }), 0);
  assert.equal(cost({ tools: [{ type: "web_search_20250305", name: "web_search", max_uses: 3 }] }), 30_000_000);
  assert.equal(cost({ tools: [{ type: "web_search" }] }), 50_000_000);
  assert.equal(cost({ tools: [{ googleSearch: {} }], serviceTier: "priority" }), 150_000_000);
  assert.equal(cost({ service_tier: "priority" }, { ...of, price: base }), undefined);
  assert.equal(cost({ service_tier: "flex" }, { ...of, price: base }), 0);
});
