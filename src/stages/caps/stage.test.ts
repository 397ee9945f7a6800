import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { context, decideWith, model, provider, target, view } from "../../../test/support/context.ts";
import { property } from "../../../test/support/property.ts";
import { assertSubset } from "../../../test/support/subset.ts";
import { readInputParts } from "../../codecs/shared/input-parts.ts";
import { parseJson } from "../../core/json.ts";
import { familyOf } from "../../core/tokens/families.ts";
import { OutputCap } from "./guard.ts";
import { capsStage } from "./stage.ts";

const asks = (outputTokensMax: number | undefined, values: Record<string, string> = {}) =>
  context({ view: view({ outputTokensMax }), contract: { values, unknown: [], problems: [] } });
const cap = (tokens: number) => ({ kind: "change", change: { outputTokensMax: tokens } });

const table = [
  ["no cap anywhere", {}, asks(undefined), []],
  ["no cap asked: the policy's", { outputTokensMax: 100 }, asks(undefined), [cap(100)]],
  ["no cap asked: the default", { outputTokensMax: 100, outputTokensDefault: 30 }, asks(undefined), [cap(30)]],
  ["a default above the caller's own cap", { outputTokensDefault: 300 }, asks(undefined, { maxTokens: "20" }), [cap(20)]],
  ["within the cap", { outputTokensMax: 100 }, asks(100), []],
  ["above the cap", { outputTokensMax: 100 }, asks(101), [cap(100)]],
  ["the caller's header is tighter", { outputTokensMax: 100 }, asks(90, { maxTokens: "50" }), [cap(50)]],
  ["the caller's header is looser", { outputTokensMax: 100 }, asks(400, { maxTokens: "300" }), [cap(100)]],
  ["latency, the tighter of both", { latencyMsMax: 900 }, asks(1, { maxLatencyMs: "400" }), [{ kind: "latency_cap", ms: 400 }]],
] as const;
for (const [name, section, of, effects] of table)
  test(name, () => assertSubset(decideWith(capsStage, section, of), { kind: "allow", effects }));

test("refused where the policy says so", () => {
  assertSubset(decideWith(capsStage, { outputTokensMax: 100, onExceeded: "refuse" }, asks(101)), {
    kind: "deny",
    code: "invalid_request",
    detail: "~101.*100",
  });
});
test("an embedding has no output to cap", () => {
  const of = context({ surface: { name: "openai.embeddings", dialect: "openai", operation: "embed" } });
  assertSubset(decideWith(capsStage, { outputTokensMax: 100 }, of), { kind: "allow", effects: [] });
});

const priced = (input: string, more: Parameters<typeof context>[0] = {}) => {
  const of = {
    ...target(provider("openai", "openai"), "gpt-4o"),
    price: { input: 1_000_000_000, output: 10_000_000_000, source: "policy" },
  };
  const choice = { model: model("gpt", [of]), parameters: {}, tier: undefined };
  return context({ plan: { choice, chain: [of] }, bodyBytes: input.length, ...more });
};
// A dollar a million tokens of input, ten of output: 1000 bytes of input and 100 tokens of output are 0.002 dollars at most.
const costs = [
  ["fits by the bound", { costUsdMax: "0.01", outputTokensMax: 100 }, {}, { kind: "allow" }],
  ["the caller's own cap is tighter", { costUsdMax: 1, onExceeded: "refuse" }, { maxCostUsd: "0.002" }, { kind: "deny", code: "cost_cap" }],
  [
    "clamped to what fits",
    { costUsdMax: "0.002", outputTokensMax: 1000 },
    {},
    { kind: "allow", reason: "~clamped to [0-9]+ tokens, by its cap of cost" },
  ],
  [
    "refused, with what would fit",
    { costUsdMax: "0.002", outputTokensMax: 1000, onExceeded: "refuse" },
    {},
    { kind: "deny", code: "cost_cap", detail: "~With at most [0-9]+ output tokens it would fit" },
  ],
  ["nothing fits", { costUsdMax: "0.000001" }, {}, { kind: "deny", code: "cost_cap", detail: "~before it has any output" }],
  [
    "another model may fit",
    { costUsdMax: "0.002", outputTokensMax: 1000, onExceeded: "degrade" },
    {},
    { kind: "replan", ask: { kind: "tier", tier: "cheap" }, otherwise: { code: "cost_cap" } },
  ],
] as const;
for (const [name, section, values, expected] of costs)
  test(`cost: ${name}`, () => {
    const of = priced("x".repeat(1000), { contract: { values, unknown: [], problems: [] } });
    assertSubset(decideWith(capsStage, section, of), expected);
  });
test("cost: the clamped call fits, and one token more would not", () => {
  const of = priced("x".repeat(1000));
  const said = decideWith(capsStage, { costUsdMax: "0.002", outputTokensMax: 1000 }, of);
  assert.ok(!(said instanceof Promise) && said.kind === "allow");
  const change = said.effects.find((effect) => effect.kind === "change");
  const tokens = change?.kind === "change" ? (change.change.outputTokensMax ?? 0) : 0;
  assert.ok(tokens > 0);
  assertSubset(decideWith(capsStage, { costUsdMax: "0.002", outputTokensMax: tokens, onExceeded: "refuse" }, of), { kind: "allow" });
  assertSubset(decideWith(capsStage, { costUsdMax: "0.002", outputTokensMax: tokens + 1, onExceeded: "refuse" }, of), { kind: "deny" });
});
test("cost: without a price a cap cannot be kept", () => {
  const of = target(provider("openai", "openai"), "gpt");
  const plan = { choice: { model: model("gpt", [of]), parameters: {}, tier: undefined }, chain: [of] };
  assertSubset(decideWith(capsStage, { costUsdMax: 1 }, context({ plan })), { kind: "deny", code: "cost_cap", detail: "~No price" });
});
test("cost: switched once already, it is refused", () => {
  const of = priced("x".repeat(1000), { wish: { kind: "tier", tier: "cheap" } });
  assertSubset(decideWith(capsStage, { costUsdMax: "0.000001", onExceeded: "degrade" }, of), { kind: "deny", code: "cost_cap" });
});

test("cut: a stream keeps its request and gets a guard, the rest is clamped", () => {
  const section = { outputTokensMax: 100, onExceeded: "cut" };
  assertSubset(decideWith(capsStage, section, context({ view: view({ outputTokensMax: 500, streaming: true }) })), {
    kind: "allow",
    effects: [{ kind: "output_cap", tokens: 100 }, { kind: "guard" }],
  });
  assertSubset(decideWith(capsStage, section, asks(500)), { kind: "allow", effects: [cap(100)] });
});
test("cut: where the model thinks and does not show it, only the provider can keep the cap, and is told", () => {
  const section = { outputTokensMax: 100, onExceeded: "cut" };
  const planned = (name: string) => {
    const of = target(provider("p", "openai"), name);
    return { plan: { choice: { model: model("gpt", [of]), parameters: {}, tier: undefined }, chain: [of] } };
  };
  const told = [{ kind: "change", change: { outputTokensMax: 100 } }, { kind: "output_limit" }];
  const streams = view({ outputTokensMax: 500, streaming: true });
  for (const name of ["o4-mini", "gpt-5-nano", "openai/o3", "grok-4-0709", "gemini-2.5-flash", "models/gemini-3-pro-preview"])
    assertSubset(decideWith(capsStage, section, context({ view: streams, ...planned(name) })), { kind: "allow", effects: told });
  const asked = parseJson(Buffer.from('{"messages":[],"thinking":{"type":"enabled","budget_tokens":2000}}'));
  assert.ok(asked.ok && asked.value.root.kind === "object");
  const { root } = asked.value;
  const thinks = { ...streams, inputParts: () => readInputParts(root, { bare: false }) };
  assertSubset(decideWith(capsStage, section, context({ view: thinks, ...planned("claude-sonnet-4-5") })), { effects: told });
  for (const name of [
    "gpt-4o",
    "gemini-2.0-flash",
    "gemini-2.5-flash-lite",
    "claude-haiku-4-5",
    "grok-4-fast-non-reasoning",
    "deepseek-reasoner",
  ])
    assertSubset(decideWith(capsStage, section, context({ view: streams, ...planned(name) })), { effects: [{ kind: "output_cap" }, {}] });
});
const SPOKEN = "The quick brown fox jumps over the lazy dog, und dann läuft er 12345 Meter weiter: 東京都。 ".repeat(6);
/** Where the guard ends the text, given to it in pieces. */
function endOf(cuts: readonly number[]): number | undefined {
  const reader = new OutputCap(40, familyOf("gpt-4o")).openLane({ choice: 0, block: 0, channel: "content" }, undefined, false);
  assert.ok(reader !== undefined);
  let from = 0;
  for (const to of [...cuts, SPOKEN.length]) {
    const step = reader.push(SPOKEN.slice(from, to));
    if (step.stop !== undefined) return step.stop.at;
    from = to;
  }
  return undefined;
}
property("the guard ends an answer at the same place, however it is cut", fc.array(fc.nat(SPOKEN.length), { maxLength: 40 }), (cuts) => {
  const whole = endOf([]);
  assert.ok(whole !== undefined && whole > 40 && whole < SPOKEN.length);
  assert.equal(endOf([...cuts].sort((a, b) => a - b)), whole);
});
