/**
 * Budgets through a real Envoy and `sluice serve --workers`, on both stores: what passes is what fits, on all processes together, and
 * the books agree with what the provider saw, whoever is killed.
 */
import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { LedgerPort, LedgerRow } from "../../src/ports/ledger.ts";
import { BASIC_POLICY } from "../support/gateway.ts";
import { startValkey, type TestValkey } from "../support/valkey.ts";
import { type Answer, inService, makeSite, type Served, type Site, signal, until } from "../workers/support.ts";
import { must, openRedis, openSqlite } from "./stores.ts";

/** Nano-dollars of a call: by the call alone, so that what is held is what is charged. */
const CALL = 10_000_000;
const policyWith = (usd: string, version = "test.1"): string =>
  BASIC_POLICY.replace('version: "test.1"', `version: "${version}"`)
    .replace('price: { input: "0.15", output: "0.6", cachedInput: "0.075" }', 'price: { call: "0.01" }')
    .replace("  acme:\n", `  acme:\n    budgets: [{ window: month, usd: "${usd}" }, { window: week, tokens: 100000000 }]\n`)
    .replace("    caps: { outputTokensMax: 500 }\n", "    limits: [{ per: app, concurrent: 10000 }]\n    caps: { outputTokensMax: 500 }\n");

let server: TestValkey;
before(async () => {
  server = await startValkey({ config: ["appendonly yes", "appendfsync always"] });
});
after(() => server.stop());

interface Store {
  readonly name: string;
  readonly env: () => Readonly<Record<string, string>>;
  open(site: Site): Promise<LedgerPort>;
}
const stores: readonly Store[] = [
  { name: "SQLite", env: () => ({ SLUICE_LEDGER_DEADLINE_MS: "4000" }), open: (site) => openSqlite(site.data) },
  {
    name: "Valkey",
    env: () => ({
      SLUICE_LEDGER_URL: `redis://${server.host}:${server.port}`,

      SLUICE_LEDGER_DEADLINE_MS: "4000",
    }),
    open: () => openRedis(server),
  },
];

type Budget = Extract<LedgerRow, { readonly kind: "budget" }>;
async function book(store: Store, site: Site, unit: Budget["unit"]): Promise<{ readonly spent: number; readonly held: number }> {
  const ledger = await store.open(site);
  try {
    const { rows } = must(await ledger.admin.list({ kind: "tenant", name: "acme" }, { limit: 100 }));
    const found = rows.filter((row): row is Budget => row.kind === "budget" && row.unit === unit);
    assert.ok(found.length <= 1);
    return { spent: found[0]?.spent ?? 0, held: found[0]?.held ?? 0 };
  } finally {
    await ledger.close();
  }
}

async function start(t: TestContext, store: Store, options: { readonly workers: number; readonly usd: string; readonly leaseS?: number }) {
  const site = await makeSite(t, { workers: options.workers, policy: policyWith(options.usd) });
  const served = await site.serve([], {
    ...store.env(),
    SLUICE_LEDGER_LEASE_SECONDS: String(options.leaseS ?? 30),
    SLUICE_LOG_LEVEL: "error",
  });
  await inService(site, served);
  return { site, served };
}
const passed = (answers: readonly Answer[]): number => answers.filter(({ status }) => status === 200).length;

for (const store of stores)
  describe(`budgets on ${store.name}`, () => {
    test("200 callers at once on 4 processes, a budget for 37: exactly 37 pass; an edit of it counts within a second", async (t) => {
      await server.ask("FLUSHALL");
      const { site } = await start(t, store, { workers: 4, usd: "0.379" });
      const first = await Promise.all(Array.from({ length: 200 }, () => site.call({})));
      assert.equal(passed(first), 37);
      for (const { status, headers } of first.filter((answer) => answer.status !== 200)) {
        assert.equal(headers.get("x-ai-error"), "budget_exhausted");
        assert.equal(status, 429);
      }
      await until("settled", async () => (await book(store, site, "nanoUsd")).held === 0);
      assert.deepEqual(await book(store, site, "nanoUsd"), { spent: 37 * CALL, held: 0 });
      assert.equal(site.simulator.requests.length, 37, "what was refused never left");
      await site.rewrite(policyWith("0.5", "test.2"));
      await sleep(1_000);
      const more = await Promise.all(Array.from({ length: 60 }, () => site.call({})));
      assert.equal(passed(more), 13);
      assert.ok(more.every(({ headers }) => headers.get("x-ai-policy")?.endsWith("@test.2")));
    });

    test("workers killed under load: when their leases are over, the books are what the provider saw, and nothing is held", async (t) => {
      await server.ask("FLUSHALL");
      const { site, served } = await start(t, store, { workers: 2, usd: "1000", leaseS: 1 });
      const callers = 6;
      let running = true;
      const loading = Promise.all(
        Array.from({ length: callers }, async () => {
          while (running) await site.call({}).catch(() => sleep(20));
        }),
      );
      const kills = 3;
      for (let round = 0; round < kills; round++) {
        await sleep(400 + Math.random() * 400);
        await killOne(served, round % 2);
        await until("served again", async () => (await served.status()).workers?.every(({ state }) => state === "serving") === true);
      }
      await sleep(300);
      running = false;
      await loading;
      await until("nothing is held", async () => (await book(store, site, "nanoUsd")).held === 0, 10_000);
      const { spent } = await book(store, site, "nanoUsd");
      const seen = site.simulator.requests.length;
      t.diagnostic(`${seen} calls reached the provider, ${spent / CALL} are charged, ${kills} processes were killed`);
      assert.ok(seen > 30);
      assert.ok(spent >= seen * CALL, "no call that the provider saw is lost");
      assert.ok(spent <= (seen + kills * callers) * CALL, "at most what was under way at a kill is charged beside it");
    });
  });

async function killOne(served: Served, index: number): Promise<void> {
  const pid = (await served.status()).workers?.[index]?.pid;
  signal(pid, "SIGKILL");
}

test("Valkey killed under load: what was served is charged to the nano-dollar once it is back", async (t) => {
  await server.ask("FLUSHALL");
  const [, store] = stores;
  assert.ok(store !== undefined);
  const { site } = await start(
    t,
    { ...store, env: () => ({ ...store.env(), SLUICE_LEDGER_DEADLINE_MS: "200" }) },
    { workers: 1, usd: "1000", leaseS: 3 },
  );
  let running = true;
  const answers: Answer[] = [];
  const loading = Promise.all(
    Array.from({ length: 6 }, async () => {
      while (running) {
        const answer = await site.call({});
        answers.push(answer);
        if (answer.status !== 200) await sleep(20);
      }
    }),
  );
  for (let round = 0; round < 2; round++) {
    await sleep(400);
    await server.kill();
    await sleep(300);
    await server.start();
    const before = passed(answers);
    await until("served again", () => passed(answers) > before);
  }
  await sleep(300);
  running = false;
  await loading;
  await until("everything is settled", async () => (await book(store, site, "nanoUsd")).held === 0, 15_000);
  const served = passed(answers);
  const codes = new Set(answers.filter(({ status }) => status !== 200).map(({ headers }) => headers.get("x-ai-error")));
  t.diagnostic(`${served} served, ${answers.length - served} refused`);
  assert.deepEqual([...codes], ["store_unavailable"]);
  await until("the books are exact", async () => (await book(store, site, "nanoUsd")).spent === served * CALL, 10_000);
  assert.equal(site.simulator.requests.length, served);
});

test("a limit of tokens in force refuses while the store is gone, also where budgets only watch; one that does not count the call does not", async (t) => {
  await server.ask("FLUSHALL");
  const site = await makeSite(t, {
    workers: 1,
    policy: BASIC_POLICY.replace("  acme:\n", '  acme:\n    budgets: { mode: shadow, rules: [{ window: month, usd: "1000" }] }\n').replace(
      "    caps: { outputTokensMax: 500 }\n",
      "    limits: [{ per: app, model: gpt-4o-mini, tokens: 1000000, window: 12h }]\n    caps: { outputTokensMax: 500 }\n",
    ),
  });
  const served = await site.serve([], {
    SLUICE_LEDGER_URL: `redis://${server.host}:${server.port}`,
    SLUICE_LEDGER_DEADLINE_MS: "200",
    SLUICE_LOG_LEVEL: "error",
  });
  await inService(site, served);
  assert.equal((await site.call({})).status, 200);
  await server.kill();
  const lost = [await site.call({}), await site.call({ model: "renamed" })];
  await server.start();
  assert.deepEqual(
    lost.map(({ status, headers }) => [status, headers.get("x-ai-error")]),
    [
      [503, "store_unavailable"],
      [200, null],
    ],
  );
  const faults = () =>
    site
      .records()
      .map(({ stages }) => stages.filter(({ verdict }) => verdict === "fault").map(({ stage, mode }) => `${stage} ${mode}`))
      .filter(({ length }) => length > 0);
  await until("their records", async () => faults().length === 2);
  assert.deepEqual(faults(), [["budgets shadow", "limits enforce"], ["budgets shadow"]]);
});
