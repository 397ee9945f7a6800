import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { LocalAllowance, localId, shareOf } from "../../src/adapters/redis/allowance.ts";
import { openRedisLedger } from "../../src/adapters/redis/ledger.ts";
import type { HoldRequest, LedgerPort } from "../../src/ports/ledger.ts";
import { property } from "../support/property.ts";
import { startValkey, type TestValkey, until } from "../support/valkey.ts";
import { must, openRedis } from "./stores.ts";

const HOUR = 3_600_000;
const window = { startMs: Date.now() - HOUR, endMs: Date.now() + HOUR };
const partition = { kind: "tenant", name: "acme" } as const;
const DEADLINE = 60;
const request = (exchange: string, amount: number, limit = 1_000): HoldRequest => ({
  ...{ partition, exchange, leaseMs: 60_000, onLapse: "charge" },
  scopes: [{ key: "t", unit: "nanoUsd", window, limit, amount }],
});
const charges = (amount: number) => [{ key: "t", unit: "nanoUsd", window, amount }] as const;

let server: TestValkey;
before(async () => {
  server = await startValkey();
});
after(() => server.stop());

async function books(ledger: LedgerPort): Promise<{ spent: number; held: number }> {
  const row = must(await ledger.admin.list(partition, { limit: 10 })).rows.find(({ kind }) => kind === "budget");
  return row?.kind === "budget" ? { spent: row.spent, held: row.held } : { spent: 0, held: 0 };
}
const took = async <T>(running: Promise<T>): Promise<{ readonly value: T; readonly ms: number }> => {
  const from = performance.now();
  const value = await running;
  return { value, ms: performance.now() - from };
};

describe("a store that is gone", () => {
  test("a store that hangs costs the deadline for the first calls, then nothing; what it did meanwhile is given back", async () => {
    await server.ask("FLUSHALL");
    const changes: boolean[] = [];
    const ledger = await openRedis(server, { deadlineMs: DEADLINE, onChange: ({ up }) => changes.push(up) });
    must(await ledger.hold(request("before", 100)));
    server.process.kill("SIGSTOP");
    const slow = await Promise.all(Array.from({ length: 5 }, (_, at) => took(ledger.hold(request(`slow${at}`, 10)))));
    for (const { value, ms } of slow) {
      assert.deepEqual(value.ok ? "held" : value.error.code, "timeout");
      assert.ok(ms < DEADLINE + 1_500, `${ms} ms`);
    }
    const fast = await took(ledger.hold(request("fast", 10)));
    assert.deepEqual(fast.value.ok ? "held" : fast.value.error.code, "unavailable");
    assert.equal(must(await ledger.settle({ partition, exchange: "before", charges: charges(40) })), "queued");
    assert.equal(ledger.stats.up, false);
    server.process.kill("SIGCONT");
    await until(async () => ledger.stats.up && (await ledger.flush()));
    assert.deepEqual(changes, [false, true]);
    await until(async () => (await books(ledger)).held === 0);
    assert.deepEqual(await books(ledger), { spent: 40, held: 0 }, "the holds that were under way are released");
    await ledger.close();
  });

  test("no server at all, one that accepts and says nothing, and one that talks nonsense: errors in time", async () => {
    const silent: Server = createServer(() => {});
    const rude: Server = createServer((socket) => {
      socket.on("error", () => {});
      socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    const ports = await Promise.all(
      [silent, rude].map(
        (each) =>
          new Promise<number>((resolve) => {
            each.listen(0, "127.0.0.1", () => {
              const address = each.address();
              resolve(typeof address === "object" && address !== null ? address.port : 0);
            });
          }),
      ),
    );
    for (const port of [1, ...ports]) {
      const ledger = await openRedis({ host: "127.0.0.1", port }, { deadlineMs: DEADLINE });
      for (let at = 0; at < 6; at++) {
        const { value, ms } = await took(ledger.hold(request(`h${at}`, 1)));
        assert.ok(!value.ok && ["timeout", "unavailable"].includes(value.error.code));
        assert.ok(ms < DEADLINE + 1_500, `${ms} ms`);
      }
      await ledger.close();
    }
    silent.close();
    rude.close();
  });

  test("a server that answers and takes no writes is gone, and said so once, until it takes them", async (t) => {
    const full = await startValkey();
    t.after(() => full.stop());
    const changes: boolean[] = [];
    const ledger = await openRedis(full, { deadlineMs: 1_000, onChange: ({ up }) => changes.push(up) });
    t.after(() => ledger.close());
    must(await ledger.hold(request("before", 100)));
    await full.ask("CONFIG", "SET", "maxmemory", "1");
    for (let at = 0; at < 200; at++) {
      assert.equal((await ledger.hold(request(`x${at}`, 1))).ok, false);
      await sleep(5);
    }
    assert.deepEqual(changes, [false]);
    await full.ask("CONFIG", "SET", "maxmemory", "0");
    await until(async () => ledger.stats.up && (await ledger.flush()));
    assert.deepEqual(await books(ledger), { spent: 0, held: 100 });
  });

  test("why there is no connection is said in the server's own words", async (t) => {
    const locked = await startValkey({ config: ["requirepass right"], credentials: { username: "default", password: "right" } });
    t.after(() => locked.stop());
    for (const [port, password, says] of [
      [locked.port, { password: "wrong" }, /WRONGPASS/],
      [locked.port, {}, /NOAUTH/],
      [1, {}, /ECONNREFUSED/],
    ] as const) {
      const connection = { topology: { kind: "standalone", host: locked.host, port }, ...password } as const;
      const ledger = await openRedisLedger({ connection, keyPrefix: "s:", deadlineMs: 250, onChange: () => {} });
      t.after(() => ledger.close());
      const page = await ledger.admin.list(partition, { limit: 1 });
      assert.ok(!page.ok && page.error.cause instanceof Error);
      assert.match(page.error.cause.message, says);
    }
  });

  test("spends its share and no more, however often the store goes, and brings what it spent exactly once", async () => {
    await server.ask("FLUSHALL");
    const processes = await Promise.all(
      [0, 1].map(async (at) => {
        const ledger = await openRedis(server, { deadlineMs: DEADLINE });
        return { at, ledger, allowance: new LocalAllowance({ ledger, sharePercent: 5, wallMs: () => Date.now() }) };
      }),
    );
    let spent = 0;
    for (let outage = 0; outage < 2; outage++) {
      server.process.kill("SIGSTOP");
      for (const { at, ledger, allowance } of processes)
        for (let call = 0; call < 12; call++) {
          const hold = request(`o${outage}p${at}c${call}`, 7);
          const asked = await ledger.hold(hold);
          assert.equal(asked.ok, false);
          if (allowance.hold(hold).kind !== "admitted") continue;
          assert.ok(allowance.has(hold));
          spent += 7;
          must(await allowance.settle({ partition, exchange: hold.exchange, charges: charges(7) }));
        }
      server.process.kill("SIGCONT");
      for (const { ledger } of processes) await until(async () => ledger.stats.up && (await ledger.flush()));
    }
    // 2 processes x floor(1000 x 5 %) = 100, in whole calls of 7: 7 calls each, also over two outages.
    assert.equal(spent, 2 * 49);
    const [first] = processes;
    assert.ok(first !== undefined);
    await until(async () => (await books(first.ledger)).held === 0);
    assert.deepEqual(await books(first.ledger), { spent, held: 0 });
    for (const { ledger } of processes) await ledger.close();
  });
});

describe("the local allowance", () => {
  const settled: string[] = [];
  const ledger: Pick<LedgerPort, "settle"> = {
    settle: async ({ exchange }) => {
      settled.push(exchange);
      return { ok: true, value: "queued" };
    },
  };
  const made = (sharePercent: number, wallMs = () => Date.now()) => new LocalAllowance({ ledger, sharePercent, wallMs });

  property(
    "never lets through more than its share of a window, whatever comes, goes and is settled",
    fc.record({
      limit: fc.nat(10_000),
      share: fc.nat(100),
      calls: fc.array(fc.tuple(fc.nat(9), fc.nat(500), fc.constantFrom("hold", "settle", "release")), { maxLength: 60 }),
    }),
    async ({ limit, share, calls }) => {
      const allowance = made(share);
      const open = new Map<string, number>();
      let spent = 0;
      for (const [at, amount, what] of calls) {
        const hold = request(`e${at}`, amount, limit);
        const had = open.get(hold.exchange);
        if (what === "hold") {
          if (allowance.hold(hold).kind === "admitted") open.set(hold.exchange, amount);
        } else if (had !== undefined) {
          open.delete(hold.exchange);
          if (what === "release") allowance.release(hold);
          else {
            spent += had;
            await allowance.settle({ ...hold, charges: charges(had) });
          }
        }
        const held = [...open.values()].reduce((sum, each) => sum + each, 0);
        assert.ok(spent + held <= Math.floor((limit * share) / 100), `${spent} + ${held} of ${limit} at ${share} %`);
      }
    },
  );

  test("what the store said was left bounds it too; a budget that was used up stays used up", () => {
    const allowance = made(50);
    const level = { key: "t", limit: 1_000, used: 990, resetsAtMs: window.endMs };
    allowance.observe(request("a", 5), { kind: "admitted", levels: [level] });
    assert.equal(allowance.hold(request("b", 11)).kind, "refused");
    assert.equal(allowance.hold(request("b", 10)).kind, "admitted");
    assert.equal(allowance.hold(request("c", 1)).kind, "refused");
  });

  test("what an operator froze stays frozen while the store is gone, also in the next window, until the store says otherwise", () => {
    const nowMs = Date.now();
    const allowance = made(50, () => nowMs);
    const level = { key: "t", limit: 1_000, used: 0, resetsAtMs: window.endMs };
    const refused = { kind: "refused", refusals: [{ ...level, index: 0, why: "frozen", retryAfterMs: undefined }] } as const;
    allowance.observe(request("a", 5), refused);
    const next = { ...window, startMs: window.startMs - HOUR };
    for (const at of [window, next]) {
      const asked = request("b", 5);
      const said = allowance.hold({ ...asked, scopes: asked.scopes.map((scope) => ({ ...scope, window: at })) });
      assert.equal(said.kind === "refused" ? said.refusals[0]?.why : said.kind, "frozen");
    }
    assert.equal(allowance.hold({ ...request("c", 5), partition: { kind: "tenant", name: "globex" } }).kind, "admitted", "whose it is");
    const scopes = [
      { kind: "rate", key: "t", requests: 100, windowMs: 1_000, burst: 20 },
      { kind: "concurrent", key: "t", limit: 30 },
    ] as const;
    for (const scope of scopes)
      assert.equal(allowance.enter({ partition, exchange: "d", leaseMs: 1, scopes: [scope] }).kind, "refused", scope.kind);
    allowance.observeFreezes({ partition, exchange: "e", leaseMs: 1, scopes: [...scopes] }, { kind: "admitted", levels: [] });
    assert.equal(allowance.hold(request("f", 5)).kind, "admitted");
  });

  test("rates and concurrency run at their share, at least one, and a share of nothing is nothing", () => {
    const nowMs = Date.now();
    const scopes = [
      { kind: "rate", key: "r", requests: 100, windowMs: 1_000, burst: 20 },
      { kind: "concurrent", key: "c", limit: 30 },
    ] as const;
    const run = (share: number) => {
      const allowance = made(share, () => nowMs);
      return Array.from({ length: 20 }, (_, at) => allowance.enter({ partition, exchange: `e${at}`, leaseMs: 1, scopes }).kind).filter(
        (kind) => kind === "admitted",
      ).length;
    };
    assert.deepEqual([run(10), run(1), run(0), run(100)], [2, 1, 0, 20]);
    const allowance = made(10, () => nowMs);
    const enter = (exchange: string) => allowance.enter({ partition, exchange, leaseMs: 1, scopes: scopes.slice(1) }).kind;
    assert.deepEqual(["a", "b", "c", "d"].map(enter), ["admitted", "admitted", "admitted", "refused"]);
    allowance.release({ partition, exchange: "b" });
    assert.equal(enter("d"), "admitted");
  });

  test("settles under an id of its own, and shares are exact for the largest limits", async () => {
    settled.length = 0;
    await made(5).settle({ partition, exchange: "e", charges: charges(1) });
    assert.deepEqual(settled, [localId("e")]);
    assert.notEqual(localId("e"), "e");
    assert.equal(shareOf(Number.MAX_SAFE_INTEGER, 100), Number.MAX_SAFE_INTEGER);
    assert.equal(shareOf(Number.MAX_SAFE_INTEGER, 99), 8917127262193581);
  });
});
