/**
 * What the ledger costs: enter + hold + settle of one exchange, CPU of this process and latency, at 1, 10 and 100 scopes a
 * request, in an empty store and in one with a million scopes. `node test/bench/ledger.ts [--rounds N] [--scopes-stored N]`
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { BudgetScope, EnterScope, LedgerPort } from "../../src/ports/ledger.ts";
import { must, openRedis, openSqlite } from "../ledger/stores.ts";
import { startValkey, valkeyBinary } from "../support/valkey.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "600" }, "scopes-stored": { type: "string", default: "1000000" } },
});
const rounds = Number(values.rounds);
const stored = Number(values["scopes-stored"]);
const SCOPES = [1, 10, 100] as const;
/** Exchanges at once: what one turn of a busy process batches. */
const AT_ONCE = 16;
const HOUR = 3_600_000;
const window = { startMs: Math.floor(Date.now() / HOUR) * HOUR - HOUR, endMs: Math.floor(Date.now() / HOUR) * HOUR + 5 * HOUR };
const partition = { kind: "tenant", name: "acme" } as const;
const budget = (key: string): BudgetScope => ({ key, unit: "nanoUsd", window, limit: 1e15, amount: 10 });

interface Figures {
  readonly cpuUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** One exchange with `count` scopes: half of them entered (rate, concurrency), all of them held and settled. */
async function exchange(ledger: LedgerPort, id: string, count: number): Promise<void> {
  const claimant = { partition, exchange: id };
  const entering = Array.from(
    { length: Math.ceil(count / 2) },
    (_, at): EnterScope =>
      at % 2 === 0
        ? { kind: "rate", key: `r${at}`, requests: 1_000_000, windowMs: 1_000, burst: 1_000_000 }
        : { kind: "concurrent", key: `c${at}`, limit: 1_000_000 },
  );
  const scopes = Array.from({ length: count }, (_, at) => budget(`b${at}`));
  for (const answer of [
    must(await ledger.enter({ ...claimant, leaseMs: 60_000, scopes: entering })),
    must(await ledger.hold({ ...claimant, leaseMs: 60_000, onLapse: "charge", scopes })),
  ])
    if (answer.kind !== "admitted") throw new Error(`the ledger said ${answer.kind}`);
  must(await ledger.settle({ ...claimant, charges: scopes }));
}

async function measure(ledger: LedgerPort, count: number, atOnce: number, name: string): Promise<Figures> {
  const took: number[] = [];
  const total = Math.max(atOnce, Math.ceil(rounds / Math.sqrt(count)));
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < total) {
      const id = `${name}-${count}-${atOnce}-${next++}`;
      const from = performance.now();
      await exchange(ledger, id, count);
      took.push((performance.now() - from) * 1_000);
    }
  };
  for (let warm = 0; warm < 20; warm++) await exchange(ledger, `${name}-${count}-${atOnce}-warm${warm}`, count);
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: atOnce }, caller));
  const { user, system } = process.cpuUsage(before);
  took.sort((a, b) => a - b);
  const at = (part: number): number => Math.round(took[Math.min(took.length - 1, Math.floor(part * took.length))] ?? 0);
  return { cpuUs: Math.round((user + system) / took.length), p50Us: at(0.5), p99Us: at(0.99) };
}

/** Other users' budgets of the same tenant. */
async function fill(ledger: LedgerPort): Promise<void> {
  for (let from = 0; from < stored; from += 10_000) {
    await Promise.all(
      Array.from({ length: 100 }, (_, call) => {
        const charges = Array.from({ length: 100 }, (_, at) => budget(`user/${from + call * 100 + at}`));
        return ledger.settle({ partition, exchange: `fill-${from}-${call}`, charges });
      }),
    );
  }
}

async function run(name: string, ledger: LedgerPort): Promise<void> {
  for (const full of [false, true]) {
    if (full) {
      const from = performance.now();
      await fill(ledger);
      while (!(await ledger.flush()));
      console.log(`${name}: ${stored} scopes stored in ${Math.round((performance.now() - from) / 1_000)} s`);
    }
    for (const count of SCOPES) {
      const alone = await measure(ledger, count, 1, `${name}${full}`);
      const busy = await measure(ledger, count, AT_ONCE, `${name}${full}`);
      console.log(
        [
          name.padEnd(7),
          `${full ? stored : 0} stored`.padEnd(15),
          `${count} scopes`.padEnd(11),
          `one at a time: cpu ${alone.cpuUs} us, p50 ${alone.p50Us} us, p99 ${alone.p99Us} us`.padEnd(58),
          `${AT_ONCE} at once: cpu ${busy.cpuUs} us, p50 ${busy.p50Us} us, p99 ${busy.p99Us} us`,
        ].join(" "),
      );
    }
  }
  await ledger.close();
}

const dir = await mkdtemp(join(tmpdir(), "sluice-bench-ledger-"));
try {
  await run("sqlite", await openSqlite(dir));
} finally {
  await rm(dir, { recursive: true, force: true });
}
if (valkeyBinary() === undefined) console.log("no valkey-server: the Redis ledger is not measured");
else {
  const server = await startValkey();
  try {
    await run("redis", await openRedis(server));
    console.log(
      `redis: CPU is the client's; the server's in all: ${String(await server.ask("INFO", "cpu")).match(/used_cpu_user:[\d.]+/)?.[0]} s`,
    );
  } finally {
    await server.stop();
  }
}
