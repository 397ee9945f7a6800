import { test } from "node:test";
import { context, decideWith, view } from "../../../test/support/context.ts";
import { assertSubset } from "../../../test/support/subset.ts";
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
