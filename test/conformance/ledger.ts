import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LEDGER_CLOSED_KEPT_MS, LEDGER_KEY_CHARS_MAX, LEDGER_SCOPES_MAX, LEDGER_WINDOW_KEPT_MS } from "../../src/core/limits.ts";
import type { TimeWindow } from "../../src/core/windows.ts";
import type { BudgetScope, Charge, ConcurrentScope, LedgerPort, LedgerRow, Partition, RateScope } from "../../src/ports/ledger.ts";
import { claimInOrder } from "../../src/ports/ledger-order.ts";
import { must, type TestStore } from "../ledger/stores.ts";

/** In the future, so that a server's own expiry by its own clock takes nothing away. */
const NOW = Date.parse("2035-06-01T10:00:00Z");
const HOUR = 3_600_000;
const acme: Partition = { kind: "tenant", name: "acme" };
const globex: Partition = { kind: "tenant", name: "globex" };
const openai: Partition = { kind: "account", name: "acme" };
const day: TimeWindow = { startMs: NOW - HOUR, endMs: NOW + HOUR };

const rate = (key: string, requests: number, windowMs: number, burst: number): RateScope => ({
  kind: "rate",
  key,
  requests,
  windowMs,
  burst,
});
const slots = (key: string, limit: number): ConcurrentScope => ({ kind: "concurrent", key, limit });
const budget = (key: string, limit: number, amount: number, window = day): BudgetScope => ({ key, unit: "nanoUsd", window, limit, amount });
const charge = (key: string, amount: number, window = day): Charge => ({ key, unit: "nanoUsd", window, amount });
const money = (row: LedgerRow | undefined) =>
  row?.kind === "budget" ? { spent: row.spent, held: row.held, remaining: row.remaining } : undefined;

interface Bench {
  readonly ledger: LedgerPort;
  nowMs: number;
  enter(exchange: string, scopes: readonly (RateScope | ConcurrentScope)[], partition?: Partition): ReturnType<typeof entered>;
  hold(
    exchange: string,
    scopes: readonly BudgetScope[],
    more?: { onLapse?: "charge" | "release"; partition?: Partition },
  ): ReturnType<typeof held>;
  settle(exchange: string, charges: readonly Charge[], partition?: Partition): Promise<string>;
  rows(partition?: Partition): Promise<readonly LedgerRow[]>;
  row(key: string): Promise<LedgerRow | undefined>;
}
const entered = async (ledger: LedgerPort, request: Parameters<LedgerPort["enter"]>[0]) => must(await ledger.enter(request));
const held = async (ledger: LedgerPort, request: Parameters<LedgerPort["hold"]>[0]) => must(await ledger.hold(request));
const LEASE = 60_000;

/** What every store of the ledger must do. */
export function ledgerConformance(name: string, storeOf: () => TestStore): void {
  const check = (what: string, body: (bench: Bench) => Promise<void>): void => {
    test(what, async () => {
      await storeOf().wipe();
      const now = { ms: NOW };
      const ledger = await storeOf().open(() => now.ms);
      const bench: Bench = {
        ledger,
        get nowMs() {
          return now.ms;
        },
        set nowMs(ms) {
          now.ms = ms;
        },
        enter: (exchange, scopes, partition = acme) => entered(ledger, { partition, exchange, leaseMs: LEASE, scopes }),
        hold: (exchange, scopes, { onLapse = "charge", partition = acme } = {}) =>
          held(ledger, { partition, exchange, leaseMs: LEASE, onLapse, scopes }),
        settle: async (exchange, charges, partition = acme) => must(await ledger.settle({ partition, exchange, charges })),
        rows: async (partition = acme) => must(await ledger.admin.list(partition, { limit: 100 })).rows,
        row: async (key) => (await bench.rows()).find((row) => row.key === key),
      };
      try {
        await body(bench);
      } finally {
        await ledger.close();
      }
    });
  };

  describe(`the ledger in ${name}: entering`, () => {
    check("a rate lets its burst through at once, then one each interval, and says when to come back", async (bench) => {
      const scope = rate("app/bot", 2, 1_000, 3);
      for (const used of [1, 2, 3])
        assert.deepEqual(await bench.enter(`e${used}`, [scope]), {
          kind: "admitted",
          levels: [{ key: "app/bot", limit: 3, used, resetsAtMs: NOW + used * 500 }],
        });
      const refused = { index: 0, key: "app/bot", limit: 3, used: 3, resetsAtMs: NOW + 1_500, why: "limit", retryAfterMs: 500 };
      assert.deepEqual(await bench.enter("e4", [scope]), { kind: "refused", refusals: [refused] });
      bench.nowMs += 499;
      assert.equal((await bench.enter("e4", [scope])).kind, "refused");
      bench.nowMs += 1;
      assert.equal((await bench.enter("e4", [scope])).kind, "admitted");
      assert.equal((await bench.enter("e5", [scope])).kind, "refused");
    });

    check("concurrency counts exchanges until they settle, are released, or their lease ends", async (bench) => {
      const two = [slots("user/1", 2)];
      await bench.enter("a", two);
      assert.deepEqual(await bench.enter("b", two), {
        kind: "admitted",
        levels: [{ key: "user/1", limit: 2, used: 2, resetsAtMs: undefined }],
      });
      assert.equal((await bench.enter("c", two)).kind, "refused");
      await bench.settle("a", []);
      assert.equal((await bench.enter("c", two)).kind, "admitted");
      must(await bench.ledger.release({ partition: acme, exchange: "b" }));
      assert.equal((await bench.enter("d", two)).kind, "admitted");
      bench.nowMs += 40_000;
      assert.equal(must(await bench.ledger.renew({ partition: acme, exchange: "d", leaseMs: LEASE })), "renewed");
      bench.nowMs += 30_000;
      assert.equal((await bench.enter("e", two)).kind, "admitted", "c has lapsed");
      assert.equal((await bench.enter("f", two)).kind, "refused", "d was renewed");
    });

    check("is all or none, and every scope that refuses is named", async (bench) => {
      const [full, free, alsoFull] = [slots("full", 0), slots("free", 1), rate("r", 1, 1_000, 1)];
      await bench.enter("x", [alsoFull]);
      const answer = await bench.enter("a", [full, free, alsoFull]);
      assert.ok(answer.kind === "refused");
      assert.deepEqual(
        answer.refusals.map(({ index, key, retryAfterMs }) => [index, key, retryAfterMs]),
        [
          [0, "full", undefined],
          [2, "r", 1_000],
        ],
      );
      assert.equal((await bench.enter("b", [free])).kind, "admitted", "nothing was kept of the refused one");
    });

    check("entering twice claims once; a closed exchange claims nothing", async (bench) => {
      const scopes = [rate("r", 1, 1_000, 5), slots("c", 5)];
      const first = await bench.enter("a", scopes);
      assert.deepEqual(await bench.enter("a", scopes), first);
      await bench.settle("a", []);
      assert.deepEqual(await bench.enter("a", scopes), { kind: "closed" });
      assert.deepEqual(await bench.hold("a", [budget("b", 10, 1)]), { kind: "closed" });
    });

    check("a release gives back the part of a rate that has not come back by itself, and never another's", async (bench) => {
      const scope = rate("r", 1, 1_000, 2);
      await bench.enter("a", [scope]);
      bench.nowMs += 400;
      must(await bench.ledger.release({ partition: acme, exchange: "a" }));
      assert.deepEqual(await bench.enter("b", [scope]), {
        kind: "admitted",
        levels: [{ key: "r", limit: 2, used: 1, resetsAtMs: bench.nowMs + 1_000 }],
      });
      await bench.enter("c", [scope]);
      bench.nowMs += 1_500;
      must(await bench.ledger.release({ partition: acme, exchange: "b" }));
      assert.deepEqual(await bench.enter("d", [scope]), {
        kind: "admitted",
        levels: [{ key: "r", limit: 2, used: 2, resetsAtMs: NOW + 3_400 }],
      });
    });

    check("a clock that goes back, or a rate that is raised, locks nobody out for longer than a burst", async (bench) => {
      const raised = [rate("r", 10, 1_000, 1)];
      const kinds = async (...exchanges: readonly string[]) => {
        const answers: string[] = [];
        for (const exchange of exchanges) answers.push((await bench.enter(exchange, raised)).kind);
        return answers;
      };
      await bench.enter("a", [rate("r", 1, HOUR, 1)]);
      assert.deepEqual(await kinds("b", "c"), ["admitted", "refused"]);
      bench.nowMs += 100;
      assert.deepEqual(await kinds("c", "d"), ["admitted", "refused"]);
      bench.nowMs -= HOUR;
      assert.deepEqual(await kinds("d", "e"), ["admitted", "refused"]);
      bench.nowMs += 100;
      assert.deepEqual(await kinds("e", "f"), ["admitted", "refused"]);
    });
  });

  describe(`the ledger in ${name}: holding and settling`, () => {
    check("a hold takes room, a settle puts what it really took in its place, and the next sees it", async (bench) => {
      assert.deepEqual(await bench.hold("a", [budget("t", 100, 60)]), {
        kind: "admitted",
        levels: [{ key: "t", limit: 100, used: 60, resetsAtMs: day.endMs }],
      });
      const refused = { index: 0, key: "t", limit: 100, used: 60, resetsAtMs: day.endMs, why: "limit", retryAfterMs: HOUR };
      assert.deepEqual(await bench.hold("b", [budget("t", 100, 41)]), { kind: "refused", refusals: [refused] });
      assert.equal((await bench.hold("b", [budget("t", 100, 40)])).kind, "admitted");
      await bench.settle("a", [charge("t", 10)]);
      assert.deepEqual(money(await bench.row("t")), { spent: 10, held: 40, remaining: 50 });
      await bench.settle("b", [charge("t", 75)]);
      assert.deepEqual(money(await bench.row("t")), { spent: 85, held: 0, remaining: 15 });
      assert.deepEqual(await bench.hold("c", [budget("t", 100, 101)]), {
        kind: "refused",
        refusals: [{ ...refused, used: 85, retryAfterMs: undefined }],
      });
    });

    check("what takes nothing fits also where nothing is left, unless the scope is frozen", async (bench) => {
      await bench.settle("a", [{ key: "t", unit: "nanoUsd", window: day, amount: 150 }]);
      assert.equal((await bench.hold("b", [budget("t", 100, 1)])).kind, "refused");
      assert.equal((await bench.hold("c", [budget("t", 100, 0)])).kind, "admitted");
      must(await bench.ledger.admin.freeze(acme, "t", true));
      assert.equal((await bench.hold("d", [budget("t", 100, 0)])).kind, "refused");
    });

    check("nested scopes must all have room; every refusing one is named; none is held", async (bench) => {
      const nested = [budget("tenant", 100, 50), budget("app", 40, 50), budget("user", 60, 50), budget("use", 49, 50)];
      const answer = await bench.hold("a", nested);
      assert.ok(answer.kind === "refused");
      assert.deepEqual(
        answer.refusals.map(({ index }) => index),
        [1, 3],
      );
      assert.deepEqual(
        (await bench.rows()).filter((row) => row.kind === "budget" && row.held > 0),
        [],
      );
    });

    check("settles once, however often it is told", async (bench) => {
      await bench.hold("a", [budget("t", 100, 60)]);
      assert.equal(await bench.settle("a", [charge("t", 30)]), "settled");
      assert.equal(await bench.settle("a", [charge("t", 30)]), "already");
      assert.equal(must(await bench.ledger.release({ partition: acme, exchange: "a" })), "already");
      bench.nowMs += LEDGER_CLOSED_KEPT_MS - 1;
      assert.equal(await bench.settle("a", [charge("t", 30)]), "already");
      assert.deepEqual(money(await bench.row("t")), { spent: 30, held: 0, remaining: 70 });
    });

    check("a release gives everything back, and lets a hold that comes after it claim nothing", async (bench) => {
      await bench.hold("a", [budget("t", 100, 60)]);
      must(await bench.ledger.release({ partition: acme, exchange: "a" }));
      assert.deepEqual(money(await bench.row("t")), { spent: 0, held: 0, remaining: 100 });
      must(await bench.ledger.release({ partition: acme, exchange: "b" }));
      assert.deepEqual(await bench.hold("b", [budget("t", 100, 60)]), { kind: "closed" });
    });

    check("a new plan's hold replaces the earlier one; refused, the earlier one stays; none gives it back", async (bench) => {
      await bench.hold("a", [budget("t", 100, 60), budget("m1", 100, 60)]);
      await bench.hold("a", [budget("t", 100, 90), budget("m2", 100, 90)]);
      assert.deepEqual(await Promise.all(["t", "m1", "m2"].map(async (key) => money(await bench.row(key))?.held)), [90, 0, 90]);
      assert.equal((await bench.hold("a", [budget("t", 100, 101)])).kind, "refused");
      assert.equal(money(await bench.row("t"))?.held, 90);
      await bench.hold("a", []);
      assert.deepEqual(await Promise.all(["t", "m1", "m2"].map(async (key) => money(await bench.row(key))?.held)), [0, 0, 0]);
      assert.equal(await bench.settle("a", [charge("t", 7)]), "settled");
      assert.equal(money(await bench.row("t"))?.spent, 7);
    });

    check("what was held and is not named is given back; what was not held is charged", async (bench) => {
      await bench.hold("a", [budget("t", 100, 60), budget("m1", 100, 60)]);
      await bench.settle("a", [charge("t", 50), charge("m2", 5)]);
      await bench.settle("never-held", [charge("t", 3)]);
      assert.deepEqual(await Promise.all(["t", "m1", "m2"].map(async (key) => money(await bench.row(key)))), [
        { spent: 53, held: 0, remaining: 47 },
        { spent: 0, held: 0, remaining: 100 },
        { spent: 5, held: 0, remaining: 0 },
      ]);
    });

    check("a lapsed hold is charged, or given back, by its rule; a late settle puts the truth in its place", async (bench) => {
      await bench.hold("charged", [budget("t", 100, 60)]);
      await bench.hold("released", [budget("u", 100, 60)], { onLapse: "release" });
      bench.nowMs += LEASE - 1;
      assert.deepEqual(await Promise.all(["t", "u"].map(async (key) => money(await bench.row(key))?.held)), [60, 60]);
      bench.nowMs += 1;
      assert.deepEqual(money(await bench.row("t")), { spent: 60, held: 0, remaining: 40 });
      assert.deepEqual(money(await bench.row("u")), { spent: 0, held: 0, remaining: 100 });
      assert.equal(must(await bench.ledger.renew({ partition: acme, exchange: "charged", leaseMs: LEASE })), "lapsed");
      assert.deepEqual(await bench.hold("charged", [budget("t", 100, 1)]), { kind: "closed" });
      assert.equal(await bench.settle("charged", [charge("t", 20)]), "settled");
      assert.equal(await bench.settle("released", [charge("u", 20)]), "settled");
      assert.equal(await bench.settle("charged", [charge("t", 20)]), "already");
      assert.deepEqual(money(await bench.row("t")), { spent: 20, held: 0, remaining: 80 });
      assert.deepEqual(money(await bench.row("u")), { spent: 20, held: 0, remaining: 80 });
      assert.equal(bench.ledger.stats.lapsed, 2);
    });

    check("a lapsed hold is in nobody's way from the moment its lease ends", async (bench) => {
      for (let at = 0; at < 90; at++) await bench.hold(`h${at}`, [budget("t", 90, 1)], { onLapse: "release" });
      assert.equal((await bench.hold("x", [budget("t", 90, 90)])).kind, "refused");
      bench.nowMs += LEASE;
      assert.equal((await bench.hold("x", [budget("t", 90, 90)])).kind, "admitted");
    });

    check("renewing is for what is open; leases end where the last renewal says", async (bench) => {
      const renew = async (exchange: string) => must(await bench.ledger.renew({ partition: acme, exchange, leaseMs: LEASE }));
      await bench.hold("a", [budget("t", 100, 60)]);
      for (let turn = 0; turn < 5; turn++) {
        bench.nowMs += LEASE - 1;
        assert.equal(await renew("a"), "renewed");
      }
      assert.deepEqual(money(await bench.row("t")), { spent: 0, held: 60, remaining: 40 });
      await bench.settle("a", [charge("t", 1)]);
      assert.deepEqual([await renew("a"), await renew("b")], ["closed", "unknown"]);
    });

    check("at a window's edge the store's clock counts, and a hold settles in the window that admitted it", async (bench) => {
      const next: TimeWindow = { startMs: day.endMs, endMs: day.endMs + HOUR };
      bench.nowMs = day.endMs - 1;
      assert.deepEqual(await bench.hold("a", [budget("t", 100, 1, next)]), { kind: "recompute", storeMs: bench.nowMs });
      assert.equal((await bench.hold("a", [budget("t", 100, 60)])).kind, "admitted");
      bench.nowMs = day.endMs;
      assert.deepEqual(await bench.hold("b", [budget("t", 100, 1), budget("u", 0, 1)]), { kind: "recompute", storeMs: bench.nowMs });
      assert.equal((await bench.hold("b", [budget("t", 100, 100, next)])).kind, "admitted", "the new window is empty");
      await bench.settle("a", [charge("t", 50)]);
      const row = await bench.row("t");
      assert.deepEqual([row?.kind === "budget" ? row.window : undefined, money(row)], [next, { spent: 0, held: 100, remaining: 0 }]);
      bench.nowMs = day.endMs - 1;
      assert.deepEqual(money((await bench.rows()).find((each) => each.kind === "budget" && each.window.endMs === day.endMs)), {
        spent: 50,
        held: 0,
        remaining: 50,
      });
    });

    check("windows of one key side by side are windows of their own: by unit, by length", async (bench) => {
      const short: TimeWindow = { startMs: day.startMs, endMs: NOW + 60_000 };
      const scopes = [budget("t", 100, 1), budget("t", 100, 2, short), { ...budget("t", 100, 3), unit: "tokens" as const }];
      assert.equal((await bench.hold("a", scopes)).kind, "admitted");
      const rows = (await bench.rows()).map((row) => (row.kind === "budget" ? [row.unit, row.window.endMs, row.held] : []));
      assert.deepEqual(
        rows.toSorted(),
        [
          ["nanoUsd", day.endMs, 1],
          ["nanoUsd", short.endMs, 2],
          ["tokens", day.endMs, 3],
        ].toSorted(),
      );
    });

    check("a soft scope is held like the others, refuses nothing, and is named where it has no room", async (bench) => {
      const soft = (limit: number, amount: number): BudgetScope => ({ ...budget("s", limit, amount), soft: true });
      const { endMs } = day;
      const level = (key: string, limit: number, used: number) => ({ key, limit, used, resetsAtMs: endMs });
      assert.deepEqual(await bench.hold("a", [soft(100, 60)]), { kind: "admitted", levels: [level("s", 100, 60)] });
      const short = { ...level("s", 100, 60), index: 1, why: "limit", retryAfterMs: endMs - NOW };
      assert.deepEqual(await bench.hold("b", [budget("t", 100, 60), soft(100, 60)]), {
        kind: "admitted",
        levels: [level("t", 100, 60), level("s", 100, 120)],
        short: [short],
      });
      const refused = { ...level("t", 100, 60), index: 0, why: "limit", retryAfterMs: endMs - NOW };
      assert.deepEqual(await bench.hold("c", [budget("t", 100, 60), soft(100, 60)]), {
        kind: "refused",
        refusals: [refused, { ...short, used: 120 }],
      });
      assert.deepEqual(money(await bench.row("s")), { spent: 0, held: 120, remaining: 0 }, "what was refused holds nothing");
      assert.equal(await bench.settle("b", [charge("t", 60), charge("s", 70)]), "settled");
      bench.nowMs += LEASE;
      assert.deepEqual(money(await bench.row("s")), { spent: 130, held: 0, remaining: 0 }, "a lapsed one is charged");
      must(await bench.ledger.admin.freeze(acme, "s", true));
      const frozen = await bench.hold("d", [soft(1_000, 1)]);
      assert.deepEqual(frozen.kind === "admitted" ? frozen.short?.map(({ why, used }) => [why, used]) : frozen, [["frozen", 130]]);
    });

    check("a limit that changes counts for the next request", async (bench) => {
      await bench.hold("a", [budget("t", 100, 60)]);
      assert.equal((await bench.hold("b", [budget("t", 50, 1)])).kind, "refused");
      assert.equal((await bench.hold("b", [budget("t", 200, 140)])).kind, "admitted");
      assert.deepEqual(money(await bench.row("t")), { spent: 0, held: 200, remaining: 0 });
    });

    check("sums are exact to 2^53 - 1 and stop there", async (bench) => {
      const most = Number.MAX_SAFE_INTEGER;
      assert.equal((await bench.hold("a", [budget("t", most, most - 1)])).kind, "admitted");
      const refused = await bench.hold("b", [budget("t", most, 2)]);
      assert.ok(refused.kind === "refused" && refused.refusals[0]?.used === most - 1);
      assert.equal((await bench.hold("b", [budget("t", most, 1)])).kind, "admitted");
      await bench.settle("a", [charge("t", most)]);
      await bench.settle("b", [charge("t", most)]);
      assert.deepEqual(money(await bench.row("t")), { spent: most, held: 0, remaining: 0 });
      await bench.settle("c", [charge("u", 4_503_599_627_370_497)]);
      await bench.settle("d", [charge("u", 4_503_599_627_370_494)]);
      assert.equal(money(await bench.row("u"))?.spent, most);
    });

    check("a settle long after the end of its window changes nothing that runs", async (bench) => {
      await bench.hold("a", [budget("t", 100, 60)]);
      bench.nowMs = day.endMs + LEDGER_WINDOW_KEPT_MS;
      assert.equal(await bench.settle("a", [charge("t", 60)]), "settled");
      assert.deepEqual(await bench.rows(), []);
    });
  });

  describe(`the ledger in ${name}: partitions, people and caps`, () => {
    check("partitions share nothing, also those of one name", async (bench) => {
      for (const partition of [acme, globex, openai]) {
        assert.equal((await bench.hold("a", [budget("t", 100, 100)], { partition })).kind, "admitted");
        assert.equal((await bench.enter("a", [slots("c", 1)], partition)).kind, "admitted");
      }
      await bench.settle("a", [charge("t", 1)], globex);
      assert.equal(money((await bench.rows(acme)).find(({ key }) => key === "t"))?.held, 100);
      const odd: Partition = { kind: "tenant", name: "a{b}c:%:d " };
      assert.equal((await bench.hold("a:b{c}", [budget("k:{}\n\u00fc", 100, 1)], { partition: odd })).kind, "admitted");
      assert.equal((await bench.rows(odd))[0]?.key, "k:{}\n\u00fc");
    });

    check("an account's quota is claimed before the tenant's and given back when the tenant refuses", async (bench) => {
      const both = (exchange: string, amount: number) =>
        claimInOrder(
          bench.ledger,
          [openai, acme].map((partition) => ({
            claimant: { partition, exchange },
            claim: () =>
              bench.ledger.hold({
                partition,
                exchange,
                leaseMs: LEASE,
                onLapse: "charge",
                scopes: [budget(partition.kind, partition === acme ? 50 : 100, amount)],
              }),
          })),
        );
      assert.equal(must(await both("a", 50)).admitted, true);
      const refused = must(await both("b", 40));
      assert.deepEqual([refused.admitted, refused.answers.map(({ kind }) => kind)], [false, ["admitted", "refused"]]);
      assert.equal(money((await bench.rows(openai))[0])?.held, 50);
      const early = must(await both("c", 60));
      assert.deepEqual(
        early.answers.map(({ kind }) => kind),
        ["refused"],
      );
    });

    check("people see each scope, page by page, and what it is worth", async (bench) => {
      await bench.enter("a", [rate("r", 1, 10_000, 5), slots("c", 3)]);
      await bench.hold(
        "a",
        Array.from({ length: 25 }, (_, at) => budget(`b${at}`, 100, at)),
      );
      const rows: LedgerRow[] = [];
      let cursor: string | undefined;
      let pages = 0;
      do {
        const page = must(await bench.ledger.admin.list(acme, { limit: 10, ...(cursor === undefined ? {} : { cursor }) }));
        assert.ok(page.rows.length <= 10);
        rows.push(...page.rows);
        cursor = page.cursor;
        pages++;
      } while (cursor !== undefined && pages < 10);
      assert.equal(rows.length, 27);
      assert.deepEqual(
        rows.filter(({ kind }) => kind !== "budget").toSorted((one, two) => one.kind.localeCompare(two.kind)),
        [
          { kind: "concurrent", key: "c", limit: 3, used: 1, resetsAtMs: undefined, frozen: false },
          { kind: "rate", key: "r", limit: 5, used: 1, resetsAtMs: NOW + 10_000, frozen: false },
        ],
      );
      assert.deepEqual(new Set(rows.map(({ key }) => key)).size, 27);
      bench.nowMs += 10_000;
      assert.equal(await bench.row("r"), undefined, "a rate that is whole again is not in use");
    });

    check("people grant room for one window, reset, and freeze", async (bench) => {
      const { admin } = bench.ledger;
      await bench.enter("a", [rate("r", 1, HOUR, 1)]);
      await bench.hold("a", [budget("t", 100, 60)]);
      await bench.settle("a", [charge("t", 90)]);
      must(await admin.grant(acme, charge("t", 0), 50));
      const level = { key: "t", limit: 150, used: 150, resetsAtMs: day.endMs };
      assert.deepEqual(await bench.hold("b", [budget("t", 100, 60)]), { kind: "admitted", levels: [level] });
      must(await admin.grant(acme, charge("t", 0), -50));
      assert.equal((await bench.hold("c", [budget("t", 100, 1)])).kind, "refused");
      must(await admin.reset(acme, charge("t", 0)));
      assert.deepEqual(money(await bench.row("t")), { spent: 0, held: 60, remaining: 40 });
      assert.equal((await bench.enter("d", [rate("r", 1, HOUR, 1)])).kind, "refused");
      must(await admin.reset(acme, { rate: "r" }));
      assert.equal((await bench.enter("d", [rate("r", 1, HOUR, 1)])).kind, "admitted");
      must(await admin.grant(acme, charge("new", 0), 5));
      assert.equal((await bench.hold("e", [budget("new", 1, 6)])).kind, "admitted");
      must(await admin.freeze(acme, "t", true));
      const frozen = await bench.hold("f", [budget("t", 100, 1), budget("u", 100, 1)]);
      assert.deepEqual(frozen.kind === "refused" ? frozen.refusals.map(({ index, why, retryAfterMs }) => [index, why, retryAfterMs]) : [], [
        [0, "frozen", undefined],
      ]);
      assert.equal((await bench.row("t"))?.frozen, true);
      assert.equal((await bench.hold("f", [budget("t", 100, 1)], { partition: globex })).kind, "admitted");
      must(await admin.freeze(acme, "t", false));
      assert.equal((await bench.hold("f", [budget("t", 100, 1)])).kind, "admitted");
    });

    check("what is out of bounds is told before anything is done", async (bench) => {
      const long = "x".repeat(LEDGER_KEY_CHARS_MAX + 1);
      const base = { partition: acme, exchange: "a", leaseMs: LEASE, onLapse: "charge" as const };
      const holds = [
        { ...base, scopes: Array.from({ length: LEDGER_SCOPES_MAX + 1 }, (_, at) => budget(`b${at}`, 1, 1)) },
        { ...base, scopes: [budget("t", 1, 1), budget("t", 1, 1)] },
        { ...base, scopes: [budget("t", 1, 0.5)] },
        { ...base, scopes: [budget("t", 2 ** 53, 1)] },
        { ...base, scopes: [budget("t", 1, -1)] },
        { ...base, scopes: [budget(long, 1, 1)] },
        { ...base, scopes: [budget("t", 1, 1, { startMs: 5, endMs: 5 })] },
        { ...base, exchange: long, scopes: [] },
        { ...base, exchange: "", scopes: [] },
        { ...base, leaseMs: 0, scopes: [] },
        { ...base, partition: { kind: "tenant" as const, name: "" }, scopes: [] },
      ];
      for (const request of holds) {
        const answer = await bench.ledger.hold(request);
        assert.deepEqual(answer.ok ? "done" : answer.error.code, "invalid");
      }
      for (const scope of [rate("r", 0, 1_000, 1), rate("r", 1, 1_000, 0), rate("r", 1, 1e15, 9_999), slots("c", -1)]) {
        const answer = await bench.ledger.enter({ ...base, scopes: [scope] });
        assert.deepEqual(answer.ok ? "done" : answer.error.code, "invalid");
      }
      const most = Array.from({ length: LEDGER_SCOPES_MAX }, (_, at) => budget(`${at}`.padEnd(LEDGER_KEY_CHARS_MAX, "k"), 1, 1));
      assert.equal((await bench.hold("a", most)).kind, "admitted");
      assert.equal(
        await bench.settle(
          "a",
          most.map(({ key }) => charge(key, 1)),
        ),
        "settled",
      );
    });
  });
}
