import assert from "node:assert/strict";
import { test } from "node:test";
import { context, decideWith, model, provider, target, view } from "../../../test/support/context.ts";
import { assertSubset } from "../../../test/support/subset.ts";
import { parseJson } from "../../core/json.ts";
import type { Price } from "../../core/money.ts";
import { err, ok } from "../../core/result.ts";
import type { StageContext } from "../../core/stage.ts";
import { Calendar } from "../../core/windows.ts";
import type { Claimant, EnterRequest, HoldAnswer, HoldRequest } from "../../ports/ledger.ts";
import type { LedgerDesk } from "../../ports/ledger-desk.ts";
import { budgetsStage } from "./stage.ts";

type Hold = Omit<HoldRequest, "leaseMs">;
/** A desk with so much room in each scope, by key; keys not named have all the room there is. */
function deskOf(room: Readonly<Record<string, number>> = {}, more: { readonly frozen?: string; readonly storeMs?: number } = {}) {
  const holds: Hold[] = [];
  const entered: Omit<EnterRequest, "leaseMs">[] = [];
  const released: Claimant[] = [];
  let storeMs = more.storeMs;
  const desk: LedgerDesk = {
    wallMs: () => 1_700_000_000_000,
    enter: async (request) => {
      entered.push(request);
      return ok({ kind: "admitted", levels: [] });
    },
    hold: async (request): Promise<{ readonly ok: true; readonly value: HoldAnswer }> => {
      holds.push(request);
      if (storeMs !== undefined) {
        const again = storeMs;
        storeMs = undefined;
        return ok({ kind: "recompute", storeMs: again });
      }
      const refusals = request.scopes.flatMap((scope, index) => {
        const left = room[scope.key] ?? Number.MAX_SAFE_INTEGER;
        const frozen = more.frozen === scope.key;
        if (!frozen && scope.amount <= left) return [];
        const level = { key: scope.key, limit: scope.limit, used: scope.limit - left, resetsAtMs: scope.window.endMs };
        return [{ ...level, index, why: frozen ? ("frozen" as const) : ("limit" as const), retryAfterMs: frozen ? undefined : 60_000 }];
      });
      if (refusals.some(({ index }) => request.scopes[index]?.soft !== true)) return ok({ kind: "refused", refusals });
      const levels = request.scopes.map(({ key, limit, amount, window }) => ({ key, limit, used: amount, resetsAtMs: window.endMs }));
      return ok({ kind: "admitted", levels, ...(refusals.length === 0 ? {} : { short: refusals }) });
    },
    settle: async () => {},
    release: async (claimant) => void released.push(claimant),
    leave: async () => {},
  };
  return { desk, holds, entered, released };
}
const PRICE: Price = { input: 1_000_000_000, output: 10_000_000_000, source: "policy" };
const openai = provider("openai", "openai");
function calls(desk: LedgerDesk, more: Parameters<typeof context>[0] = {}, price: Price | undefined = PRICE): StageContext {
  const of = { ...target(openai, "gpt-4o"), price };
  const plan = { choice: { model: model("gpt", [of]), parameters: {}, tier: undefined }, chain: [of] };
  return context({ plan, bodyBytes: 1000, view: view({ outputTokensMax: 100 }), stores: { ledger: desk }, ...more });
}
const day = { window: "day", usd: 1, layer: "app" };
const decided = (section: object, of: StageContext) => decideWith(budgetsStage, section, of);

test("held: the dearest of input by bytes and output by its cap, times the choices", async () => {
  const { desk, holds } = deskOf();
  const of = calls(desk, { view: view({ outputTokensMax: 100, choices: 3 }) });
  const said = await decided({ rules: [day, { window: "day", tokens: 10_000, layer: "tenant" }] }, of);
  // 1000 bytes and 64 tokens of format; 300 tokens of output.
  assertSubset(holds[0]?.scopes, [
    { key: "app=bot", unit: "nanoUsd", amount: 1_064 * 1_000 + 300 * 10_000, limit: 1_000_000_000 },
    { key: "tenant", unit: "tokens", amount: 1_364, limit: 10_000 },
  ]);
  assertSubset(said, {
    ok: true,
    value: { kind: "allow", effects: [{ kind: "held", nanoUsd: 4_064_000 }, {}, {}, {}, {}, {}], evidence: { held: { tokens: 1_364 } } },
  });
});

test("held: the input once more for each attempt that may run out of its time", async () => {
  const { desk, holds } = deskOf();
  await decided({ rules: [day] }, calls(desk, { retry: { on: ["timeout"], attempts: 3 } }));
  assert.equal(holds[0]?.scopes[0]?.amount, 3 * 1_064 * 1_000 + 100 * 10_000);
  await decided({ rules: [day] }, calls(desk, { retry: { on: ["connect", "rate_limited"], attempts: 3 } }));
  assert.equal(holds[1]?.scopes[0]?.amount, 1_064 * 1_000 + 100 * 10_000, "what never ran out of its time is not billed");
});

test("held: a cap of the stream, what is assumed without any, the whole context behind a reference, what a request tells of itself", async () => {
  const { desk, holds } = deskOf();
  const tokens = { rules: [{ window: "day", tokens: 1, layer: "app" }] };
  const refs = [{ kind: "previous_response", node: undefined, id: "r" }] as const;
  const [images, embed] = [
    { name: "openai.images", dialect: "openai", operation: "image" },
    { name: "openai.embeddings", dialect: "openai", operation: "embed" },
  ] as const;
  await decided(tokens, calls(desk, { outputCap: 10 }));
  await decided(tokens, calls(desk, { view: view() }));
  await decided(tokens, calls(desk, { view: view({ outputTokensMax: 0, providerState: refs }) }));
  await decided(tokens, calls(desk, { surface: embed }));
  assert.deepEqual(
    holds.map(({ scopes }) => scopes[0]?.amount),
    [1_074, 1_064 + 4_096, 201_064, 1_064],
  );
  const drawn = deskOf();
  const price = { input: 0, output: 0, image: 40_000_000_000_000, source: "policy" };
  await decided({ rules: [day] }, calls(drawn.desk, { surface: images, view: view({ expected: { images: 3 } }) }, price));
  assert.equal(drawn.holds[0]?.scopes[0]?.amount, 3 * 40_000_000);
});

test("tokens are counted only where the bound would refuse", async () => {
  const { desk, holds } = deskOf({ "app=bot": 500 });
  const doc = parseJson(Buffer.from(JSON.stringify("word ".repeat(200))));
  assert.ok(doc.ok && doc.value.root.kind === "string");
  const { root: node } = doc.value;
  const of = calls(desk, { view: view({ outputTokensMax: 10, texts: () => [{ place: "user", node }] }) });
  assertSubset(await decided({ rules: [{ window: "day", tokens: 500, layer: "app" }] }, of), { ok: true, value: { kind: "allow" } });
  assert.equal(holds.length, 2);
  assert.ok((holds[1]?.scopes[0]?.amount ?? 0) < 400 && (holds[1]?.scopes[0]?.amount ?? 0) > 190);
});

const exhausted = (onExhausted: unknown, more: object = {}) => ({ ...day, onExhausted, ...more });
const ways = [
  ["reject", [exhausted("reject")], { kind: "deny", code: "budget_exhausted", retryAfterMs: 60_000, detail: "~budget of 1 USD per day" }],
  [
    "a tier",
    [exhausted({ switchTo: "cheap" })],
    { kind: "replan", ask: { kind: "tier", tier: "cheap" }, otherwise: { code: "budget_exhausted" } },
  ],
  ["a model", [exhausted({ switchTo: "mini" })], { kind: "replan", ask: { kind: "model", name: "mini" } }],
  ["a text", [exhausted({ answer: "Later." })], { kind: "answer", text: "Later.", code: "budget_exhausted" }],
  ["the strictest of several", [exhausted({ switchTo: "cheap" }), exhausted("reject", { window: "week" })], { kind: "deny" }],
  ["a text before a switch", [exhausted({ switchTo: "cheap" }), exhausted({ answer: "x" }, { window: "week" })], { kind: "answer" }],
] as const;
for (const [name, rules, expected] of ways)
  test(`used up: ${name}`, async () => {
    assertSubset(await decided({ rules }, calls(deskOf({ "app=bot": 1 }).desk)), { ok: true, value: expected });
  });
test("used up: what was switched once and does not fit either is refused", async () => {
  const of = calls(deskOf({ "app=bot": 1 }).desk, { wish: { kind: "tier", tier: "cheap" } });
  assertSubset(await decided({ rules: [exhausted({ switchTo: "cheap" })] }, of), { ok: true, value: { kind: "deny" } });
});
test("frozen: refused whatever the rule says, and by whom", async () => {
  const of = calls(deskOf({}, { frozen: "app=bot" }).desk);
  assertSubset(await decided({ rules: [exhausted({ answer: "x" })] }, of), {
    ok: true,
    value: { kind: "deny", code: "budget_exhausted", detail: "~by an operator", evidence: { scopes: [{ state: "frozen" }] } },
  });
});

const tokenLimits = (mode: string, tokens = 5) => ({ joined: { limits: { mode, rules: [{ tokens, window: "1m", layer: "use case" }] } } });
test("limits of tokens are held with the budgets, and refuse in the name and mode of their own section", async () => {
  const { desk, holds } = deskOf({ "useCase=chat": 5 });
  assertSubset(await decided(tokenLimits("enforce"), calls(desk)), {
    ok: true,
    value: {
      kind: "allow",
      beside: {
        ...{ stage: "limits", mode: "enforce" },
        verdict: {
          ...{ kind: "deny", code: "rate_limited", detail: "~limit of 5 tokens per 1m", retryAfterMs: 60_000 },
          effects: [{ name: "ratelimit-policy", value: '"tokens-1m";q=5;w=60' }, {}, {}, {}, {}],
          evidence: { scopes: [{ scope: "useCase=chat", unit: "tokens", window: "1m", state: "refused", limit: 5 }] },
        },
      },
    },
  });
  assertSubset(holds[0]?.scopes, [{ key: "useCase=chat", limit: 5, amount: 1_164 }]);
  assertSubset(decided(tokenLimits("off"), calls(desk)), { kind: "allow" });
});
for (const mode of ["shadow", "warn"])
  test(`limits of tokens in ${mode} are held, refuse nothing, and are said to have no room`, async () => {
    const { desk, holds } = deskOf({ "useCase=chat": 5 });
    const rules = [{ window: "day", tokens: 10_000, layer: "tenant" }];
    const short = { state: "refused", scope: "useCase=chat", limit: 5 };
    assertSubset(await decided({ rules, ...tokenLimits(mode) }, calls(desk)), {
      ok: true,
      value: {
        ...{ kind: "allow", evidence: { held: { tokens: 1_164 } } },
        beside: { stage: "limits", mode, verdict: { kind: "deny", code: "rate_limited", evidence: { scopes: [short] } } },
      },
    });
    assertSubset(holds[0]?.scopes, [{ key: "tenant" }, { key: "useCase=chat", soft: true }]);
    const fits = deskOf();
    assertSubset(await decided({ rules, ...tokenLimits(mode, 5_000) }, calls(fits.desk)), {
      ok: true,
      value: { kind: "allow", beside: { verdict: { kind: "allow" } } },
    });
    const frozen = deskOf({}, { frozen: "useCase=chat" });
    assertSubset(await decided(tokenLimits(mode), calls(frozen.desk)), {
      ok: true,
      value: { kind: "allow", beside: { verdict: { kind: "deny", evidence: { scopes: [{ state: "frozen" }] } } } },
    });
  });
test("limits of tokens in shadow: tokens are counted before it is said that there is no room", async () => {
  const { desk, holds } = deskOf({ "useCase=chat": 500 });
  const doc = parseJson(Buffer.from(JSON.stringify("word ".repeat(200))));
  assert.ok(doc.ok && doc.value.root.kind === "string");
  const { root: node } = doc.value;
  const of = calls(desk, { view: view({ outputTokensMax: 10, texts: () => [{ place: "user", node }] }) });
  assertSubset(await decided(tokenLimits("shadow", 500), of), {
    ok: true,
    value: { kind: "allow", beside: { verdict: { kind: "allow" } } },
  });
  assert.equal(holds.length, 2);
});
test("limits of tokens in shadow let calls pass when the store is gone", async () => {
  const lost: LedgerDesk = { ...deskOf().desk, hold: async () => err({ code: "unavailable" }) };
  assertSubset(await decided(tokenLimits("shadow"), calls(lost)), { ok: true, value: { kind: "allow", reason: "~could not tell" } });
  assertSubset(await decided(tokenLimits("enforce"), calls(lost)), { ok: false });
});
test("a budget and a limit of tokens that both refuse both say so", async () => {
  const { desk } = deskOf({ "useCase=chat": 5, tenant: 5 });
  assertSubset(await decided({ rules: [{ window: "day", tokens: 10, layer: "tenant" }], ...tokenLimits("shadow") }, calls(desk)), {
    ok: true,
    value: { kind: "deny", code: "budget_exhausted", beside: { mode: "shadow", verdict: { kind: "deny", code: "rate_limited" } } },
  });
});

const rollouts = (budgets: string, limits: string, tokens: number) => ({
  joined: { budgets: { mode: budgets }, limits: { mode: limits, rules: [{ tokens, window: "1h", layer: "app" }] } },
});
const hourly = { rules: [{ window: "1h", tokens: 2_000, layer: "app" }] };
test("a budget and a limit of one scope and window are one count; the one that only watches says by its own limit what it would have refused", async () => {
  const { desk, holds } = deskOf();
  assertSubset(await decided({ ...hourly, ...rollouts("enforce", "shadow", 50) }, calls(desk)), {
    ok: true,
    value: {
      ...{ kind: "allow", evidence: { held: { tokens: 1_164 } } },
      beside: { mode: "shadow", verdict: { kind: "deny", evidence: { scopes: [{ scope: "app=bot", limit: 50, used: 0 }] } } },
    },
  });
  assert.deepEqual(
    holds.at(-1)?.scopes.map(({ key, limit, soft }) => ({ key, limit, soft })),
    [{ key: "app=bot", limit: 2_000, soft: undefined }],
  );
  const roomy = deskOf();
  const said = await decided({ ...hourly, ...rollouts("enforce", "shadow", 1_500) }, calls(roomy.desk));
  assertSubset(said, { ok: true, value: { kind: "allow" } });
  assert.ok("ok" in said && said.ok && said.value.beside === undefined);
  const full = deskOf({ "app=bot": 10 });
  assertSubset(await decided({ ...hourly, ...rollouts("enforce", "shadow", 50) }, calls(full.desk)), {
    ok: true,
    value: { kind: "deny", code: "budget_exhausted", beside: { mode: "shadow", verdict: { kind: "deny" } } },
  });
});
for (const mode of ["shadow", "warn"])
  test(`a budget in ${mode} without room is held and said, and limits of tokens hold beside it`, async () => {
    const { desk, holds } = deskOf({ tenant: 5 });
    const rules = [{ window: "day", tokens: 10, layer: "tenant", onExhausted: { switchTo: "cheap" } }];
    assertSubset(await decided({ rules, ...rollouts(mode, "enforce", 5_000) }, calls(desk)), {
      ok: true,
      value: {
        kind: "replan",
        effects: [{ kind: "held" }, {}, {}, {}, {}, {}],
        evidence: { scopes: [{ scope: "tenant", state: "refused" }] },
        beside: { verdict: { kind: "allow" } },
      },
    });
    assertSubset(holds.at(-1)?.scopes, [
      { key: "app=bot", amount: 1_164 },
      { key: "tenant", soft: true },
    ]);
  });
test("no price is known, and the budget in money only watches: limits of tokens are held all the same", async () => {
  const { desk, holds } = deskOf();
  const of = calls(desk, {}, undefined);
  const unpriced = { ...of, plan: of.plan && { ...of.plan, chain: of.plan.chain.map((one) => ({ ...one, price: undefined })) } };
  assertSubset(await decided({ rules: [day], ...rollouts("shadow", "enforce", 5_000) }, unpriced), {
    ok: true,
    value: { kind: "deny", code: "no_target", beside: { mode: "enforce", verdict: { kind: "allow" } } },
  });
  assertSubset(holds.at(-1)?.scopes, [
    { key: "app=bot", unit: "tokens", amount: 1_164 },
    { unit: "nanoUsd", amount: 0, soft: true },
  ]);
});
test("what it settles is one charge for a scope and its window", async () => {
  const charged: number[] = [];
  const desk: LedgerDesk = { ...deskOf().desk, settle: async (_claimant, charges) => void charged.push(charges.length) };
  const stage = budgetsStage.bind({ ...hourly, ...rollouts("enforce", "shadow", 1_000) }, { mode: "enforce", onFault: "closed" });
  const evaluated = await stage.evaluate(calls(desk), new AbortController().signal);
  assert.ok("ok" in evaluated && evaluated.ok);
  await evaluated.value.settle?.({
    ...{ ending: "served", forwarded: true, usage: undefined, estimated: false, costNanoUsd: 1, target: undefined, attempts: 1 },
    ...{ unanswered: false, lostTokens: 0 },
  });
  assert.deepEqual(charged, [1]);
});
test("the store is gone: whose rules could not be asked, by what counts this very call", async () => {
  const desk: LedgerDesk = { ...deskOf().desk, hold: async () => err({ code: "unavailable" }) };
  const concerns = async (section: object, of = calls(desk)): Promise<unknown> => {
    const said = await decided(section, of);
    return "ok" in said && !said.ok ? (said.error.concerns ?? "both") : "passed";
  };
  const embed = { limits: { mode: "enforce", rules: [{ tokens: 5, window: "1h", operation: "embed" }] }, budgets: { mode: "shadow" } };
  assert.equal(await concerns({ rules: [day], ...rollouts("shadow", "enforce", 5_000) }), "both");
  assert.equal(await concerns({ rules: [day], joined: embed }), "own", "the limit counts other calls");
  assert.equal(await concerns({ rules: [{ ...day, model: "other" }], ...rollouts("enforce", "enforce", 5_000) }), "other");
  assert.equal(await concerns({ rules: [{ ...day, model: "other" }], ...rollouts("enforce", "shadow", 5_000) }), "passed");
  assert.equal(await concerns({ rules: [day], joined: embed }, { ...calls(desk), stores: {} }), "own", "there is no store at all");
});
test("it speaks for limits of tokens alone, as far as they hold", () => {
  const bound = (joined: object) => budgetsStage.bind({ joined }, { mode: "shadow", onFault: "closed" }).speaksFor;
  const tokens = [{ tokens: 5, window: "1m" }];
  assert.deepEqual(bound({ limits: { mode: "enforce", onFault: "open", rules: tokens } }), {
    stage: "limits",
    mode: "enforce",
    onFault: "open",
  });
  assert.equal(bound({ limits: { mode: "off", rules: tokens } }), undefined);
  assert.equal(bound({ limits: { mode: "enforce", rules: [{}] } }), undefined);
});

test("no price is known: refused where money counts it, unless the policy says otherwise", async () => {
  const { desk } = deskOf();
  const unpriced = calls(desk, {}, undefined);
  const of = {
    ...unpriced,
    plan: unpriced.plan && { ...unpriced.plan, chain: unpriced.plan.chain.map((one) => ({ ...one, price: undefined })) },
  };
  assertSubset(await decided({ rules: [day] }, of), { ok: true, value: { kind: "deny", code: "no_target", detail: "~No price" } });
  assertSubset(await decided({ rules: [day], unpriced: "allow" }, of), { ok: true, value: { kind: "allow" } });
  assertSubset(await decided({ rules: [{ window: "day", tokens: 1e9, layer: "app" }] }, of), { ok: true, value: { kind: "allow" } });
});

test("the account comes first, is given back where the tenant refuses, and is told to nobody", async () => {
  const limits = [
    { kind: "concurrent", count: 3 },
    { kind: "tokens", amount: 5_000, window: "1m" },
  ] as const;
  const at = (desk: LedgerDesk) => {
    const of = { ...target({ ...openai, limits }, "gpt-4o"), price: PRICE };
    return calls(desk, { plan: { choice: { model: model("gpt", [of]), parameters: {}, tier: undefined }, chain: [of] } });
  };
  const poor = deskOf({ "app=bot": 1 });
  assertSubset(await decided({ rules: [day] }, at(poor.desk)), { ok: true, value: { kind: "deny", code: "budget_exhausted" } });
  assert.deepEqual(
    poor.holds.map(({ partition }) => partition.kind),
    ["account", "tenant", "account", "tenant"].slice(0, poor.holds.length),
  );
  assert.ok(poor.entered.length > 0 && poor.released.every(({ partition }) => partition.kind === "account") && poor.released.length > 0);
  const full = deskOf({ account: 1 });
  assertSubset(await decided({ rules: [day] }, at(full.desk)), {
    ok: true,
    value: {
      ...{ kind: "deny", code: "rate_limited", detail: "~provider account's own quota", retryAfterMs: 60_000 },
      evidence: { scopes: [{ scope: "account" }] },
    },
  });
  const { desk } = deskOf({}, { frozen: "account" });
  assertSubset(await decided({ rules: [day] }, at(desk)), { ok: true, value: { code: "budget_exhausted", detail: "~account is closed" } });
});

test("windows are the tenant's; at their edge the store's clock decides", async () => {
  const midnight = Date.parse("2026-03-29T22:00:00Z");
  const { desk, holds } = deskOf({}, { storeMs: midnight });
  const calendar = { windows: new Calendar("Europe/Berlin"), utc: new Calendar("UTC"), weekStartsOn: 1 } as const;
  assertSubset(await decided({ rules: [day] }, calls(desk, { calendar })), { ok: true, value: { kind: "allow" } });
  assert.equal(holds.length, 2);
  assert.equal(holds[1]?.scopes[0]?.window.startMs, midnight, "the day after the short one");
});

test("a budget past its mark warns, with how far it is", async () => {
  const { desk } = deskOf();
  const rules = [{ ...day, usd: "0.0025", warnAt: 0.8 }];
  assertSubset(await decided({ rules }, calls(desk)), {
    ok: true,
    value: {
      kind: "allow",
      effects: [{}, {}, {}, {}, {}, {}, { name: "x-ai-budget-warning", value: '"day";scope="app=bot";used=0.82' }],
      evidence: { scopes: [{ state: "warned" }] },
    },
  });
});

test("rates of a model that was asked for by tier are claimed with the plan, given back where it is not held, and left at the end", async () => {
  const joined = { limits: { rules: [{ model: "g*", concurrent: 1, layer: "app" }] } };
  const left: [string, boolean][] = [];
  const run = async (room: number, asks: string) => {
    const { desk, entered, released } = deskOf({ "app=bot": room });
    const leave = async ({ exchange }: Claimant, used: boolean): Promise<void> => void left.push([exchange, used]);
    const of = calls({ ...desk, leave }, { view: view({ outputTokensMax: 1, model: asks }) });
    const bound = budgetsStage.bind({ rules: [day], joined }, { mode: "enforce", onFault: "closed" });
    const said = await bound.evaluate(of, new AbortController().signal);
    assert.ok("ok" in said && said.ok);
    await said.value.settle?.({ ...NOTHING_USED, forwarded: true });
    return {
      entered: entered.map(({ exchange, scopes }) => [exchange, scopes[0]?.key]),
      released: released.map(({ exchange }) => exchange),
    };
  };
  const { exchange } = context();
  const id = `${exchange.id}.m0`;
  assert.deepEqual(await run(Number.MAX_SAFE_INTEGER, "tier:high"), { entered: [[id, "app=bot,model=g*"]], released: [] });
  assert.deepEqual(left, [[id, true]]);
  assert.deepEqual(await run(0, "tier:high"), { entered: [[id, "app=bot,model=g*"]], released: [id] });
  assert.deepEqual(await run(Number.MAX_SAFE_INTEGER, "gpt"), { entered: [], released: [] }, "it was counted at its arrival");
  assert.equal(left.length, 1);
});
const NOTHING_USED = {
  ...({ ending: "served", forwarded: false, usage: undefined, estimated: false, costNanoUsd: undefined, target: undefined } as const),
  ...{ attempts: undefined, unanswered: false, lostTokens: 0 },
};
