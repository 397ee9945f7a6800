import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { LedgerPort } from "../../src/ports/ledger.ts";
import { startValkey, type TestValkey } from "../support/valkey.ts";
import { must, openRedis, openSqlite, sqliteStore } from "./stores.ts";
import { Tally } from "./tally.ts";
import { load, tenant, type WorkerTask } from "./worker.ts";

const HOUR = 3_600_000;
const around = () => ({ startMs: Date.now() - HOUR, endMs: Date.now() + HOUR });
const children: ChildProcess[] = [];

/** Starts a worker; what it says comes line by line. */
function work(task: WorkerTask): { readonly child: ChildProcess; readonly lines: string[]; readonly over: Promise<unknown> } {
  const child = spawn(process.execPath, [`${import.meta.dirname}/worker.ts`, JSON.stringify(task)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const lines: string[] = [];
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
  });
  return { child, lines, over: once(child, "close") };
}

let server: TestValkey;
const sqlite = await sqliteStore();
before(async () => {
  // Each write is on disk before it is answered, so that what was answered survives.
  server = await startValkey({ config: ["appendonly yes", "appendfsync always"] });
});
after(async () => {
  for (const child of children) if (child.exitCode === null) child.kill("SIGKILL");
  await server.stop();
  await sqlite.stop();
});

interface Shared {
  readonly name: string;
  readonly store: () => WorkerTask["store"];
  open(): Promise<LedgerPort>;
  wipe(): Promise<void>;
}
const stores: readonly Shared[] = [
  { name: "SQLite", store: () => ({ dir: sqlite.dir() }), open: () => openSqlite(sqlite.dir()), wipe: () => sqlite.wipe() },
  {
    name: "Valkey",
    store: () => ({ host: server.host, port: server.port }),
    open: () => openRedis(server),
    wipe: async () => void (await server.ask("FLUSHALL")),
  },
];

async function books(ledger: LedgerPort): Promise<readonly { readonly spent: number; readonly held: number }[]> {
  const { rows } = must(await ledger.admin.list(tenant, { limit: 100 }));
  return rows.flatMap((row) => (row.kind === "budget" ? [{ spent: row.spent, held: row.held }] : []));
}

for (const shared of stores)
  describe(`processes that share ${shared.name}`, () => {
    test("200 callers on 4 processes against a budget for 77: exactly 77 pass", async () => {
      await shared.wipe();
      const task = {
        store: shared.store(),
        work: "race" as const,
        callers: 50,
        leaseMs: 60_000,
        limit: 77 * 13 + 12,
        amount: 13,
        window: around(),
      };
      const workers = Array.from({ length: 4 }, (_, at) => work({ ...task, name: `p${at}`, startAtMs: Date.now() + 1_500 }));
      await Promise.all(workers.map(({ over }) => over));
      const passed = workers.map(({ lines }) => Number(lines.find((line) => line.startsWith("passed"))?.split(" ")[1]));
      assert.equal(
        passed.reduce((sum, count) => sum + count, 0),
        77,
        passed.join(" + "),
      );
      const ledger = await shared.open();
      assert.deepEqual(await books(ledger), [
        { spent: 0, held: 77 * 13 },
        { spent: 0, held: 77 * 13 },
      ]);
      await ledger.close();
    });

    test("processes killed at any moment: when their leases are over, the books are what was settled and what was held", async (t) => {
      await shared.wipe();
      const leaseMs = 1_200;
      const task = {
        store: shared.store(),
        work: "load" as const,
        callers: 8,
        leaseMs,
        limit: 1e15,
        amount: 0,
        startAtMs: 0,
        window: around(),
      };
      const workers: ReturnType<typeof work>[] = [];
      for (let round = 0; round < 3; round++) {
        const pair = [0, 1].map((at) => work({ ...task, name: `r${round}p${at}` }));
        workers.push(...pair);
        while (pair.some(({ lines }) => lines.length < 40)) await sleep(20);
        await sleep(Math.random() * 300);
        for (const { child } of pair) child.kill("SIGKILL");
        await Promise.all(pair.map(({ over }) => over));
      }
      await sleep(leaseMs + 50);
      const ledger = await shared.open();
      const tally = new Tally();
      for (const { lines } of workers) for (const line of lines) tally.hear(line.split(" "));
      const { least, most, exchanges, unsure } = tally.bounds();
      t.diagnostic(`${exchanges} exchanges, ${unsure} under way when their process died; between ${least} and ${most}`);
      assert.ok(exchanges > 100 && unsure <= 6 * 8);
      const found = await books(ledger);
      assert.equal(found.length, 2);
      for (const { spent, held } of found) {
        assert.equal(held, 0);
        assert.ok(spent >= least && spent <= most, `${spent} is not between ${least} and ${most}`);
      }
      assert.equal(found[0]?.spent, found[1]?.spent, "both scopes alike");
      await ledger.close();
    });
  });

test("Valkey killed at any moment under load: nothing answered is lost, what waited is brought, no hold is left", async (t) => {
  await server.ask("FLUSHALL");
  const ledger = await openRedis(server, { deadlineMs: 300 });
  const tally = new Tally();
  let running = true;
  const loading = load(
    ledger,
    { name: "x", callers: 12, leaseMs: 2_000, limit: 1e15, window: around() },
    (...words) => tally.hear(words.map(String)),
    () => running,
  );
  for (let round = 0; round < 3; round++) {
    await sleep(200 + Math.random() * 300);
    await server.kill();
    await sleep(Math.random() * 300);
    await server.start();
    while (!ledger.stats.up) await sleep(10);
  }
  await sleep(300);
  running = false;
  await loading;
  for (let waited = 0; !(await ledger.flush()) && waited < 5_000; waited += 100) await sleep(100);
  await sleep(2_100);
  const { exact, exchanges, refused } = tally.brought();
  t.diagnostic(`${exchanges} exchanges settled, ${refused} not served; ${exact} nano-dollars`);
  assert.ok(exchanges > 50 && refused > 0);
  for (const { spent, held } of await books(ledger)) assert.deepEqual({ spent, held }, { spent: exact, held: 0 });
  assert.deepEqual({ queued: ledger.stats.queued, lost: ledger.stats.lost }, { queued: 0, lost: 0 });
  await ledger.close();
});
