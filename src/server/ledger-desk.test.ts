import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { must, openSqlite } from "../../test/ledger/stores.ts";
import { LocalAllowance } from "../adapters/redis/allowance.ts";
import { err } from "../core/result.ts";
import { systemClock } from "../ports/clock.ts";
import type { BudgetScope, LedgerPort, LedgerRow } from "../ports/ledger.ts";
import { Desk } from "./ledger-desk.ts";

const tenant = { kind: "tenant", name: "acme" } as const;
const window = { startMs: 0, endMs: 4_102_444_800_000 };
const budget = (amount: number): BudgetScope => ({ key: "tenant", unit: "tokens", window, limit: 100, amount });
const claimant = (exchange: string) => ({ partition: tenant, exchange });
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const LEASE = 400;

let dir: string;
let ledger: LedgerPort;
let desk: Desk;
/** true: the store does not answer the desk. */
let gone = false;

beforeEach(async () => {
  gone = false;
  dir = await mkdtemp(join(tmpdir(), "sluice-desk-"));
  ledger = await openSqlite(dir);
  const lost = async () => err({ code: "unavailable" as const });
  const flaky: LedgerPort = {
    ...ledger,
    stats: ledger.stats,
    admin: ledger.admin,
    enter: (request) => (gone ? lost() : ledger.enter(request)),
    hold: (request) => (gone ? lost() : ledger.hold(request)),
    settle: (request) => ledger.settle(request),
    release: (request) => ledger.release(request),
    renew: (request) => (gone ? lost() : ledger.renew(request)),
    flush: () => ledger.flush(),
    close: () => ledger.close(),
  };
  const allowance = new LocalAllowance({ ledger: flaky, sharePercent: 10, wallMs: () => Date.now() });
  desk = new Desk({ ledger: flaky, allowance, clock: systemClock, leaseMs: LEASE, log });
});
afterEach(async () => {
  await desk.close();
  await ledger.close();
  await rm(dir, { recursive: true, force: true });
});

async function rows(): Promise<readonly LedgerRow[]> {
  return must(await ledger.admin.list(tenant, { limit: 100 })).rows;
}
async function books(): Promise<{ readonly spent: number; readonly held: number; readonly slots: number }> {
  const [all] = [await rows()];
  const found = all.find((row) => row.kind === "budget");
  const slots = all.find((row) => row.kind === "concurrent");
  return {
    spent: found?.kind === "budget" ? found.spent : 0,
    held: found?.kind === "budget" ? found.held : 0,
    slots: slots?.kind === "concurrent" ? slots.used : 0,
  };
}
const enter = (exchange: string) =>
  desk.enter({ ...claimant(exchange), scopes: [{ kind: "concurrent", key: "tenant", limit: 5 }] }, "allowance");
const hold = (exchange: string, amount: number, lost: "reject" | "allowance" = "allowance") =>
  desk.hold({ ...claimant(exchange), onLapse: "charge", scopes: [budget(amount)] }, lost);

test("a claim outlives its lease while its process lives, and not longer", async () => {
  must(await enter("a"));
  must(await hold("a", 40));
  await sleep(LEASE * 2.5);
  assert.deepEqual(await books(), { spent: 0, held: 40, slots: 1 });
  assert.equal(desk.stats.lapsed, 0);
  await desk.close();
  await sleep(LEASE * 1.5);
  assert.deepEqual(await books(), { spent: 40, held: 0, slots: 0 }, "charged by its rule");
});

test("who held settles for who entered, in whichever order they are asked", async () => {
  must(await enter("a"));
  must(await hold("a", 40));
  await desk.leave(claimant("a"), true);
  assert.equal((await books()).held, 40);
  await desk.settle(claimant("a"), [budget(7)]);
  assert.deepEqual(await books(), { spent: 7, held: 0, slots: 0 });
  must(await enter("b"));
  await desk.leave(claimant("b"), true);
  assert.equal((await books()).slots, 0, "nobody held: who entered leaves by itself");
  assert.equal(desk.stats.open, 0);
});

test("a settle after its lease was lost puts the books right", async () => {
  must(await hold("a", 40));
  gone = true;
  await sleep(LEASE * 1.6);
  gone = false;
  assert.deepEqual(await books(), { spent: 40, held: 0, slots: 0 });
  await until(() => desk.stats.lapsed === 1);
  await desk.leave(claimant("a"), true);
  await desk.settle(claimant("a"), [budget(5)]);
  assert.deepEqual(await books(), { spent: 5, held: 0, slots: 0 });
});

test("while the store is gone: refused, or the process's own share, which reaches the store", async () => {
  must(await enter("a"));
  gone = true;
  assert.equal((await hold("x", 1, "reject")).ok, false);
  assert.equal(must(await hold("a", 8)).kind, "admitted");
  assert.equal(must(await hold("b", 3)).kind, "refused", "ten percent of a hundred are ten");
  assert.equal(desk.stats.allowed, 2);
  await desk.leave(claimant("a"), true);
  gone = false;
  await desk.settle(claimant("a"), [budget(6)]);
  assert.deepEqual(await books(), { spent: 6, held: 0, slots: 0 });
});

async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; !holds() && waited < 3_000; waited += 10) await sleep(10);
  assert.ok(holds());
}
