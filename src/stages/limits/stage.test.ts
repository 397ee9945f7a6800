import assert from "node:assert/strict";
import { test } from "node:test";
import { context, decideWith, view } from "../../../test/support/context.ts";
import { assertSubset } from "../../../test/support/subset.ts";
import { err, ok } from "../../core/result.ts";
import type { EnterRequest, Refusal, StepAnswer } from "../../ports/ledger.ts";
import type { LedgerDesk } from "../../ports/ledger-desk.ts";
import { limitsStage } from "./stage.ts";

/** A desk that admits, or refuses what it is told to, and notes what it was asked. */
function deskOf(refuse: readonly Omit<Refusal, "key" | "limit" | "used" | "resetsAtMs">[] = []) {
  const asked: Omit<EnterRequest, "leaseMs">[] = [];
  const levelOf = (scope: EnterRequest["scopes"][number]) => ({
    ...{ key: scope.key, limit: scope.kind === "rate" ? scope.burst : scope.limit, used: 1 },
    resetsAtMs: scope.kind === "rate" ? 1_000 : undefined,
  });
  const desk: LedgerDesk = {
    wallMs: () => 0,
    enter: async (request) => {
      asked.push(request);
      const refusals = refuse.flatMap((one) => {
        const scope = request.scopes[one.index];
        return scope === undefined ? [] : [{ ...levelOf(scope), ...one }];
      });
      const answer: StepAnswer =
        refusals.length > 0 ? { kind: "refused", refusals } : { kind: "admitted", levels: request.scopes.map(levelOf) };
      return ok(answer);
    },
    hold: async () => err({ code: "unavailable" }),
    settle: async () => {},
    release: async () => {},
    leave: async () => {},
  };
  return { desk, asked };
}
const rate = { requests: 20, window: "1s", burst: 40, layer: "use case" };

test("which scopes a call has, by layer, dimension, operation and model", async () => {
  const { desk, asked } = deskOf();
  const rules = [
    { ...rate, per: "app" },
    { ...rate, per: "tenant", operation: "embed" },
    { ...rate, per: ["user", "model"], layer: "tenant" },
    { concurrent: 3, layer: "app" },
    { concurrent: 2, layer: "app" },
    { tokens: 100, window: "1m", layer: "app" },
    { concurrent: 9, model: "nope*", layer: "defaults" },
    { requests: 1, window: "1h", model: "gpt", layer: "defaults" },
  ];
  const of = context({
    stores: { ledger: desk },
    models: [{ name: "gpt", family: undefined, targets: [] }],
    contract: { values: { user: "ada" }, unknown: [], problems: [] },
  });
  assertSubset(await decideWith(limitsStage, { rules }, of), { ok: true, value: { kind: "allow" } });
  const scopes = asked[0]?.scopes ?? [];
  assert.deepEqual(
    scopes.map(({ kind, key }) => `${kind} ${key.replace(/user=[0-9a-f]{16}/, "user=DIGEST")}`),
    ["rate app=bot,useCase=chat/1s", "rate user=DIGEST,model=gpt/1s", "concurrent app=bot", "rate model=gpt/1h"],
  );
  assertSubset(scopes, [{ requests: 20, windowMs: 1_000, burst: 40 }, {}, { limit: 2 }, { requests: 1, burst: 1, windowMs: 3_600_000 }]);
});

test("names that callers make up share one scope", async () => {
  const { desk, asked } = deskOf();
  for (const model of ["a", "b", "family:c", "tier:best"])
    await decideWith(limitsStage, { rules: [{ ...rate, per: "model" }] }, context({ stores: { ledger: desk }, view: view({ model }) }));
  assert.deepEqual([...new Set(asked.map(({ scopes }) => scopes[0]?.key))].sort(), [
    "useCase=chat,model=-/1s",
    "useCase=chat,model=other/1s",
  ]);
});

test("headers name what is left", async () => {
  const { desk } = deskOf();
  assertSubset(await decideWith(limitsStage, { rules: [rate] }, context({ stores: { ledger: desk } })), {
    ok: true,
    value: {
      effects: [
        { name: "ratelimit-policy", value: '"requests-1s";q=20;w=1', beside: "append" },
        { name: "ratelimit", value: '"requests-1s";r=39;t=1', beside: "append" },
        { name: "ratelimit-limit", value: "40" },
        { name: "ratelimit-remaining", value: "39" },
        { name: "ratelimit-reset", value: "1" },
      ],
    },
  });
});

test("refused: the longest wait counts, and none where one never ends", async () => {
  const rules = [rate, { concurrent: 2, layer: "app" }];
  const both = deskOf([
    { index: 0, why: "limit", retryAfterMs: 200 },
    { index: 1, why: "limit", retryAfterMs: 1_000 },
  ]);
  assertSubset(await decideWith(limitsStage, { rules }, context({ stores: { ledger: both.desk } })), {
    ok: true,
    value: {
      kind: "deny",
      code: "rate_limited",
      retryAfterMs: 1_000,
      detail: "~20 requests per 1s",
      evidence: { scopes: [{ unit: "requests" }, { unit: "concurrent" }] },
    },
  });
  const frozen = deskOf([{ index: 0, why: "frozen", retryAfterMs: undefined }]);
  const said = await decideWith(limitsStage, { rules }, context({ stores: { ledger: frozen.desk } }));
  assertSubset(said, {
    ok: true,
    value: { kind: "deny", code: "budget_exhausted", detail: "~closed for now", evidence: { scopes: [{ state: "frozen" }] } },
  });
  assert.ok("value" in said && said.ok && said.value.kind === "deny" && said.value.retryAfterMs === undefined);
});

test("no rule counts the call: the ledger is not asked; no ledger: a fault", async () => {
  assertSubset(decideWith(limitsStage, { rules: [] }, context()), { kind: "allow" });
  assertSubset(await decideWith(limitsStage, { rules: [rate] }, context()), { ok: false, error: { code: "unavailable" } });
});

test("one policy, many callers: each user and each model has scopes of its own, however often they come", async () => {
  const { desk, asked } = deskOf();
  const rules = [
    { concurrent: 2, per: "user", layer: "tenant" },
    { ...rate, per: ["user", "model"], layer: "tenant" },
  ];
  const stage = limitsStage.bind({ rules }, { mode: "enforce", onFault: "closed" });
  const models = ["gpt", "mini"].map((name) => ({ name, family: undefined, targets: [] }));
  const callers = ["ada", "bob", "ada", undefined, "bob"];
  for (const [at, user] of callers.entries()) {
    const contract = { values: user === undefined ? {} : { user }, unknown: [], problems: [] };
    const asking = view({ model: at === 4 ? "mini" : "gpt" });
    await stage.evaluate(context({ stores: { ledger: desk }, models, contract, view: asking }), new AbortController().signal);
  }
  const keys = asked.map(({ scopes }) => scopes.map(({ key }) => key));
  assert.deepEqual(keys[0], keys[2]);
  assert.equal(new Set(keys.map(([own]) => own)).size, 3, "ada, bob, and who names nobody");
  assert.notEqual(keys[1]?.[1], keys[4]?.[1], "two models of one user");
});
