import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createServer as createTlsServer } from "node:tls";
import { openRedisLedger } from "../../src/adapters/redis/ledger.ts";
import type { HoldRequest, LedgerPort, Partition } from "../../src/ports/ledger.ts";
import { makeAuthority } from "../support/certificates.ts";
import { startCluster, startSentinel, startValkey, until } from "../support/valkey.ts";
import { must, openRedis } from "./stores.ts";

const HOUR = 3_600_000;
const window = { startMs: Date.now() - HOUR, endMs: Date.now() + HOUR };
const tenants = Array.from({ length: 30 }, (_, at): Partition => ({ kind: at % 5 === 0 ? "account" : "tenant", name: `tenant-${at}` }));
const scopes = (limit: number, amount: number) =>
  ["tenant", "app", "user"].map((key) => ({ key, unit: "nanoUsd" as const, window, limit, amount }));
const request = (partition: Partition, exchange: string, amount = 10): HoldRequest => ({
  ...{ partition, exchange, leaseMs: 60_000, onLapse: "charge", scopes: scopes(1_000_000, amount) },
});

/** All steps for one exchange; false where the store failed one of them. */
async function whole(ledger: LedgerPort, partition: Partition, exchange: string): Promise<boolean> {
  const claimant = { partition, exchange };
  const entered = await ledger.enter({
    ...{ ...claimant, leaseMs: 60_000 },
    scopes: [
      { kind: "rate", key: "r", requests: 100, windowMs: 1_000, burst: 1_000 },
      { kind: "concurrent", key: "c", limit: 100 },
    ],
  });
  if (!entered.ok || entered.value.kind !== "admitted") return false;
  const held = await ledger.hold(request(partition, exchange));
  if (!held.ok || held.value.kind !== "admitted") return false;
  if (!(await ledger.renew({ ...claimant, leaseMs: 60_000 })).ok) return false;
  const settled = await ledger.settle({ ...claimant, charges: scopes(0, 3) });
  return settled.ok && settled.value === "settled";
}
async function spent(ledger: LedgerPort, partition: Partition): Promise<readonly number[]> {
  const { rows } = must(await ledger.admin.list(partition, { limit: 100 }));
  return rows.flatMap((row) => (row.kind === "budget" ? [row.spent + row.held] : []));
}

test("a cluster: each partition in one slot, all of them spread; a master that dies is replaced and the ledger goes on", async (t) => {
  const cluster = await startCluster();
  try {
    const nodes = [...cluster.masters, ...cluster.replicas].map(({ host, port }) => ({ host, port }));
    const ledger = await openRedisLedger({
      ...{ connection: { topology: { kind: "cluster", nodes } }, keyPrefix: "sluice:", deadlineMs: 2_000, onChange: () => {} },
    });
    for (const partition of tenants) assert.ok(await whole(ledger, partition, "first"));
    const keys = await Promise.all(cluster.masters.map(async (master) => Number(await master.ask("DBSIZE"))));
    assert.ok(
      keys.every((count) => count > 0),
      `keys of the masters: ${keys.join(", ")}`,
    );
    for (const partition of tenants) assert.deepEqual(await spent(ledger, partition), [3, 3, 3]);

    const [first] = cluster.masters;
    const [replica] = cluster.replicas;
    assert.ok(first !== undefined && replica !== undefined);
    // What the replica has not got yet would be lost by any failover.
    await first.ask("WAIT", "1", "1000");
    await first.kill();
    const from = performance.now();
    await until(async () => String(await replica.ask("ROLE")).startsWith("master"));
    let tries = 0;
    await until(async () => {
      tries++;
      const answers = await Promise.all(tenants.map((partition) => whole(ledger, partition, `again-${tries}`)));
      return answers.every(Boolean);
    });
    t.diagnostic(`a new master served after ${Math.round(performance.now() - from)} ms, ${tries} rounds of calls`);
    await until(() => ledger.flush());
    for (const partition of tenants) {
      const sums = await spent(ledger, partition);
      assert.equal(new Set(sums).size, 1, "the three scopes were always written together");
      assert.ok((sums[0] ?? 0) >= 6);
    }
    await ledger.close();
  } finally {
    await cluster.stop();
  }
});

test("sentinel: a master that dies is replaced, the new one is sent the scripts, and the books go on", async (t) => {
  const watched = await startSentinel();
  try {
    const ledger = await openRedisLedger({
      connection: {
        topology: { kind: "sentinel", master: "books", sentinels: watched.sentinels.map(({ host, port }) => ({ host, port })) },
      },
      ...{ keyPrefix: "sluice:", deadlineMs: 500, onChange: () => {} },
    });
    const [partition] = tenants;
    assert.ok(partition !== undefined);
    assert.ok(await whole(ledger, partition, "first"));
    must(await ledger.hold(request(partition, "open", 50)));
    await watched.master.ask("WAIT", "1", "1000");
    await watched.replica.ask("SCRIPT", "FLUSH");
    await watched.master.kill();
    const from = performance.now();
    let tries = 0;
    await until(async () => whole(ledger, partition, `again-${tries++}`));
    t.diagnostic(`a new master served after ${Math.round(performance.now() - from)} ms`);
    assert.equal(must(await ledger.settle({ partition, exchange: "open", charges: scopes(0, 20) })), "settled");
    await until(() => ledger.flush());
    const sums = await spent(ledger, partition);
    assert.equal(new Set(sums).size, 1);
    assert.ok((sums[0] ?? 0) >= 26);
    await ledger.close();
  } finally {
    await watched.stop();
  }
});

test("a server that forgot the scripts is sent them again, without an error to anybody", async () => {
  const server = await startValkey();
  const ledger = await openRedis(server);
  const [partition] = tenants;
  assert.ok(partition !== undefined);
  assert.ok(await whole(ledger, partition, "a"));
  await server.ask("SCRIPT", "FLUSH");
  const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => whole(ledger, partition, `b${at}`)));
  assert.ok(answers.every(Boolean));
  await ledger.close();
  await server.stop();
});

test("an ACL user with nothing but its own keys, through TLS with a checked certificate; another prefix is another ledger", async () => {
  const credentials = { username: "ledger", password: "s3cret" };
  const server = await startValkey({
    credentials,
    config: [`user ledger on >${credentials.password} ~one:* ~two:* +@all -@dangerous +info`, "user default off"],
  });
  const authority = makeAuthority("Test");
  const issued = authority.issue({ subject: [["CN", "valkey"]], dns: ["valkey.test"] });
  // The test's server has no TLS of its own: the transport is what is tested here.
  const front = createTlsServer({ cert: issued.cert, key: issued.key }, (socket) => {
    const behind = connect(server.port, server.host);
    socket.on("error", () => behind.destroy()).on("close", () => behind.destroy());
    behind.on("error", () => socket.destroy()).on("close", () => socket.destroy());
    socket.pipe(behind).pipe(socket);
  });
  await new Promise<void>((resolve) => {
    front.listen(0, "127.0.0.1", resolve);
  });
  const address = front.address();
  const topology = {
    kind: "standalone",
    host: "127.0.0.1",
    port: typeof address === "object" && address !== null ? address.port : 0,
  } as const;
  const common = { deadlineMs: 1_000, onChange: () => {} };
  const open = (keyPrefix: string, more: { readonly ca?: string; readonly servername?: string; readonly password?: string } = {}) =>
    openRedisLedger({
      connection: {
        ...{ topology, username: credentials.username, password: more.password ?? credentials.password },
        tls: { ca: more.ca ?? authority.cert, servername: more.servername ?? "valkey.test" },
      },
      ...{ keyPrefix, ...common },
    });
  const [partition] = tenants;
  assert.ok(partition !== undefined);
  const [one, two] = [await open("one:"), await open("two:")];
  assert.ok(await whole(one, partition, "a"));
  assert.ok(await whole(two, partition, "a"));
  assert.deepEqual(
    [await spent(one, partition), await spent(two, partition)],
    [
      [3, 3, 3],
      [3, 3, 3],
    ],
  );
  const bad = [
    await open("three:"),
    await open("one:", { password: "wrong" }),
    await open("one:", { ca: makeAuthority("Other").cert }),
    await open("one:", { servername: "other.test" }),
  ];
  for (const ledger of bad) {
    const answer = await ledger.hold(request(partition, "x"));
    assert.ok(!answer.ok && ["unavailable", "timeout"].includes(answer.error.code));
  }
  for (const ledger of [one, two, ...bad]) await ledger.close();
  await assert.rejects(() => open("{a}:"), /braces/);
  front.close();
  await sleep(10);
  await server.stop();
});
