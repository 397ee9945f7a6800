import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, describe, test } from "node:test";
import { setTimeout as sleep, setImmediate as turnEnds } from "node:timers/promises";
import { LEDGER_CLOSED_KEPT_MS, LEDGER_WINDOW_KEPT_MS } from "../../core/limits.ts";
import type { HoldRequest, LedgerPort } from "../../ports/ledger.ts";
import { openSqliteLedger } from "./ledger.ts";
import { SCHEMA, UPGRADES } from "./ledger-schema.ts";

const folders: string[] = [];
const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), "sluice-ledger-"));
  folders.push(made);
  return made;
};
after(() => {
  for (const made of folders) rmSync(made, { recursive: true, force: true });
});

const HOUR = 3_600_000;
const partition = { kind: "tenant", name: "acme" } as const;
const request = (exchange: string, key = "t", nowMs = HOUR): HoldRequest => ({
  ...{ partition, exchange, leaseMs: 1_000, onLapse: "charge" },
  scopes: [{ key, unit: "tokens", window: { startMs: nowMs - HOUR, endMs: nowMs + HOUR }, limit: 1e9, amount: 1 }],
});

async function open(
  dir: string,
  more: { readonly nowMs?: () => number; readonly deadlineMs?: number; readonly onError?: () => void } = {},
): Promise<LedgerPort> {
  const clock = { wallMs: more.nowMs ?? (() => HOUR), monotonicMs: () => 0 };
  const onError = more.onError ?? (() => assert.fail("the file failed"));
  const opened = await openSqliteLedger({ dir, clock, deadlineMs: more.deadlineMs ?? 2_000, onError });
  assert.ok(opened.ok);
  return opened.value;
}
function count(dir: string, table: string): number {
  const database = new DatabaseSync(join(dir, "ledger.db"), { readOnly: true });
  const rows = Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]);
  database.close();
  return rows;
}
/** The number of the last transaction. */
function lastEntry(dir: string): number {
  const database = new DatabaseSync(join(dir, "ledger.db"), { readOnly: true });
  const last = Number(database.prepare("SELECT max(seq) AS seq FROM entries").get()?.["seq"]);
  database.close();
  return last;
}

describe("the embedded ledger's file", () => {
  test("held by another: steps wait without stalling anybody and give up in time; a settle is done when it is free", async () => {
    const dir = folder();
    const ledger = await open(dir, { deadlineMs: 80 });
    assert.ok((await ledger.hold(request("a"))).ok);
    const other = new DatabaseSync(join(dir, "ledger.db"));
    other.exec("BEGIN IMMEDIATE");
    const from = performance.now();
    const waiting = ledger.hold(request("b"));
    const settling = ledger.settle({ partition, exchange: "a", charges: [] });
    let turns = 0;
    let held = true;
    const counting = (async () => {
      for (; held; turns++) await sleep(1);
    })();
    const answer = await waiting;
    held = false;
    await counting;
    const tookMs = performance.now() - from;
    assert.deepEqual(answer.ok ? "held" : answer.error.code, "timeout");
    assert.ok(tookMs >= 80 && tookMs < 1_500, `${tookMs} ms`);
    assert.ok(turns >= 5, `the event loop turned ${turns} times meanwhile`);
    assert.deepEqual(await settling, { ok: true, value: "queued" });
    other.exec("COMMIT");
    other.close();
    assert.ok(await ledger.flush());
    assert.deepEqual(await ledger.settle({ partition, exchange: "a", charges: [] }), { ok: true, value: "already" });
    const again = await ledger.hold(request("b"));
    assert.ok(again.ok && again.value.kind === "admitted", "what was given up was not done");
    assert.deepEqual(ledger.stats, { up: true, queued: 0, lost: 0, lapsed: 0 });
    await ledger.close();
  });

  test("that is no database, or of a later version, is told and left alone; one that breaks later is told once", async () => {
    const clock = { wallMs: () => 0, monotonicMs: () => 0 };
    const [noise, later, broken] = [folder(), folder(), folder()];
    writeFileSync(join(noise, "ledger.db"), "no database at all, and long enough to have a header of one ".repeat(20));
    const database = new DatabaseSync(join(later, "ledger.db"));
    database.exec("PRAGMA user_version = 9");
    database.close();
    for (const dir of [noise, later]) assert.equal((await openSqliteLedger({ dir, clock, deadlineMs: 10, onError: () => {} })).ok, false);
    let told = 0;
    const ledger = await open(broken, { onError: () => told++ });
    const other = new DatabaseSync(join(broken, "ledger.db"));
    other.exec("ALTER TABLE windows RENAME TO gone");
    const answers = await Promise.all(["a", "b"].map((exchange) => ledger.hold(request(exchange))));
    assert.deepEqual(
      answers.map((answer) => (answer.ok ? "held" : answer.error.code)),
      ["unavailable", "unavailable"],
    );
    assert.deepEqual(
      await ledger.settle({
        partition,
        exchange: "c",
        charges: [{ ...request("c").scopes[0], amount: 5, key: "t", unit: "tokens", window: { startMs: 0, endMs: 2 * HOUR } }],
      }),
      { ok: true, value: "queued" },
    );
    assert.deepEqual([told, ledger.stats.up, ledger.stats.queued], [1, false, 1]);
    // A step that has nothing to do with the broken table goes through in the same turn.
    assert.equal(
      (await ledger.enter({ partition, exchange: "d", leaseMs: 1_000, scopes: [{ kind: "concurrent", key: "c", limit: 1 }] })).ok,
      true,
    );
    other.exec("ALTER TABLE gone RENAME TO windows");
    other.close();
    assert.ok(await ledger.flush());
    const page = await ledger.admin.list(partition, { limit: 10 });
    assert.deepEqual(page.ok ? page.value.rows.map((row) => (row.kind === "budget" ? row.spent : row.kind)) : [], [5, "concurrent"]);
    await ledger.close();
  });

  for (const version of [1, 2])
    test(`of version ${version} is brought on: what runs, what ended and what is spent are as they were`, async () => {
      const dir = folder();
      const old = new DatabaseSync(join(dir, "ledger.db"));
      old.exec(SCHEMA);
      const id = `0-${2 * HOUR}t:t`;
      const claims = JSON.stringify({ entered: false, slots: [], rates: [], budgets: [[id, 2 * HOUR, 7]] });
      old.prepare("INSERT INTO windows VALUES ('t:acme', ?, ?, 20, 7, 100, 0)").run(id, 2 * HOUR);
      old.prepare("INSERT INTO exchanges VALUES ('t:acme', 'open', 0, ?, 'charge', ?)").run(HOUR + 1_000, claims);
      old.prepare("INSERT INTO exchanges VALUES ('t:acme', 'closed', 2, ?, '', '')").run(HOUR + 1_000);
      if (version === 2) old.exec(UPGRADES[0] ?? "");
      const ledger = await open(dir);
      assert.throws(
        () => old.prepare("INSERT INTO leases VALUES ('t:acme', 'x', 1, '', '')").run(),
        "a process of the version before claims nothing more",
      );
      old.close();
      const charges = [{ key: "t", unit: "tokens", window: { startMs: 0, endMs: 2 * HOUR }, amount: 3 }] as const;
      assert.deepEqual(await ledger.settle({ partition, exchange: "closed", charges }), { ok: true, value: "already" });
      assert.deepEqual(await ledger.settle({ partition, exchange: "open", charges }), { ok: true, value: "settled" });
      const page = await ledger.admin.list(partition, { limit: 10 });
      assert.ok(page.ok);
      assert.deepEqual(
        page.value.rows.map((row) => (row.kind === "budget" ? [row.spent, row.held] : [])),
        [[23, 0]],
      );
      await ledger.close();
    });

  test("two processes, turn about: each sees what the other has claimed, settled and frozen since", async () => {
    const dir = folder();
    const [one, two] = [await open(dir), await open(dir)];
    const hold = async (ledger: LedgerPort, exchange: string, limit = 4) => {
      const asked = request(exchange);
      const answer = await ledger.hold({ ...asked, scopes: asked.scopes.map((scope) => ({ ...scope, limit })) });
      return answer.ok ? answer.value.kind : answer.error.code;
    };
    for (const [at, ledger] of [one, two, one, two].entries()) assert.equal(await hold(ledger, `e${at}`), "admitted");
    assert.deepEqual([await hold(one, "x"), await hold(two, "x")], ["refused", "refused"]);
    await two.settle({ partition, exchange: "e0", charges: [] });
    assert.equal(await hold(one, "x"), "admitted");
    assert.equal(await hold(two, "y"), "refused");
    assert.deepEqual(await one.settle({ partition, exchange: "e0", charges: [] }), { ok: true, value: "already" });
    await one.admin.freeze(partition, "t", true);
    assert.equal(await hold(two, "y", 100), "refused");
    await two.admin.freeze(partition, "t", false);
    assert.equal(await hold(one, "y", 100), "admitted");
    await Promise.all([one.close(), two.close()]);
  });

  test("a hold that follows its enter in the same turn needs no transaction of its own; one that comes later does", async () => {
    const dir = folder();
    const ledger = await open(dir);
    const enter = (exchange: string) =>
      ledger.enter({ partition, exchange, leaseMs: 1_000, scopes: [{ kind: "concurrent", key: "c", limit: 9 }] });
    const before = count(dir, "entries");
    assert.ok((await enter("a")).ok);
    assert.ok((await ledger.hold(request("a"))).ok);
    assert.equal(count(dir, "entries"), before + 1);
    assert.ok((await enter("b")).ok);
    await sleep(5);
    assert.equal(count(dir, "entries"), before + 2, "nobody who was answered waits for the next step to be written");
    assert.ok((await ledger.hold(request("b"))).ok);
    assert.equal(count(dir, "entries"), before + 3);
    await ledger.close();
  });

  test("steps that come close upon each other share a transaction once several have come together; who comes alone waits for nobody", async () => {
    const dir = folder();
    const ledger = await open(dir);
    const enter = (exchange: string) =>
      ledger.enter({ partition, exchange, leaseMs: 1_000, scopes: [{ kind: "concurrent", key: "c", limit: 999 }] });
    let called = 0;
    /** Two steps, the second after what the first left for the end of the event loop's turn. Gives the transactions that they took. */
    const twoInTurn = async (): Promise<number> => {
      await sleep(1);
      const before = lastEntry(dir);
      const first = enter(`e${called++}`);
      const second = turnEnds().then(() => enter(`e${called++}`));
      assert.ok((await first).ok && (await second).ok);
      await turnEnds();
      return lastEntry(dir) - before;
    };
    assert.equal(await twoInTurn(), 2);
    await Promise.all([enter("x"), enter("y")]);
    assert.equal(await twoInTurn(), 1);
    assert.equal(await twoInTurn(), 1);
    for (let alone = 0; alone < 4; alone++) {
      assert.ok((await enter(`alone${alone}`)).ok);
      await turnEnds();
    }
    assert.equal(await twoInTurn(), 2);
    await ledger.close();
  });

  test("that takes no more writes: one enter at most is answered before that shows, no hold, and then none until it takes them again", async () => {
    const dir = folder();
    let told = 0;
    const ledger = await open(dir, { onError: () => told++ });
    const enter = async (exchange: string) => {
      const answer = await ledger.enter({ partition, exchange, leaseMs: 1_000, scopes: [{ kind: "concurrent", key: "c", limit: 1 }] });
      return answer.ok ? answer.value.kind : answer.error.code;
    };
    const other = new DatabaseSync(join(dir, "ledger.db"));
    other.exec("CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'full'); END");
    assert.equal(await enter("a"), "admitted");
    assert.equal((await ledger.hold(request("a"))).ok, false);
    assert.deepEqual([await enter("b"), await enter("c"), told, ledger.stats.up], ["unavailable", "unavailable", 1, false]);
    other.exec("DROP TRIGGER full");
    other.close();
    assert.equal(await enter("d"), "admitted", "what was not written is not claimed");
    assert.equal(await enter("e"), "refused");
    assert.equal(ledger.stats.up, true);
    await ledger.close();
  });

  test("what is in the journal alone is there for processes that come later, and what was folded meanwhile for those that lag", async () => {
    const dir = folder();
    const [busy, idle] = [await open(dir), await open(dir)];
    const spent = async (ledger: LedgerPort): Promise<number> => {
      const page = await ledger.admin.list(partition, { limit: 10 });
      const [row] = page.ok ? page.value.rows : [];
      return row?.kind === "budget" ? row.spent + row.held : -1;
    };
    const asked = request("x");
    const level = async (ledger: LedgerPort, exchange: string): Promise<number> => {
      const answer = await ledger.hold({ ...asked, exchange });
      return answer.ok && answer.value.kind === "admitted" ? (answer.value.levels[0]?.used ?? -1) : -1;
    };
    assert.equal(await level(idle, "first"), 1);
    // Several folds, and some entries after the last.
    for (let at = 0; at < 700; at++) assert.equal(await level(busy, `e${at}`), at + 2);
    assert.equal(await level(idle, "e3"), 701, "it holds what it held");
    assert.equal(await level(idle, "second"), 702);
    // Nothing closes the file here: what was answered is in it.
    const later = await open(dir);
    assert.equal(await level(later, "third"), 703);
    assert.equal(await spent(later), 703);
    await Promise.all([busy.close(), idle.close(), later.close()]);
  });

  test("does not grow with what is over: windows, rates, exchanges, slots", async () => {
    const dir = folder();
    let nowMs = HOUR;
    const ledger = await open(dir, { nowMs: () => nowMs });
    for (let at = 0; at < 300; at++) {
      const claimant = { partition, exchange: `e${at}` };
      const scopes = [
        { kind: "rate", key: `user${at}`, requests: 1, windowMs: 1_000, burst: 1 },
        { kind: "concurrent", key: `user${at}`, limit: 1 },
      ] as const;
      assert.ok((await ledger.enter({ ...claimant, leaseMs: 1_000, scopes })).ok);
      assert.ok((await ledger.hold(request(`e${at}`, `user${at}`))).ok);
      if (at % 2 === 0) await ledger.settle({ ...claimant, charges: [] });
    }
    assert.ok((await ledger.admin.list(partition, { limit: 1 })).ok, "who lists sees the journal in the tables");
    const tables = ["windows", "rates", "slots", "running", "ended"] as const;
    assert.deepEqual(
      tables.map((table) => count(dir, table)),
      [300, 300, 150, 150, 150],
    );
    const bytes = statSync(join(dir, "ledger.db-wal")).size;
    nowMs += 2 * HOUR + LEDGER_WINDOW_KEPT_MS + LEDGER_CLOSED_KEPT_MS;
    await ledger.enter({ partition, exchange: "x", leaseMs: 1_000, scopes: [] });
    nowMs += LEDGER_WINDOW_KEPT_MS + 1;
    for (let waited = 0; waited < 5_000 && tables.some((table) => count(dir, table) > 1); waited += 100) await sleep(100);
    assert.deepEqual(tables.map((table) => count(dir, table)).slice(0, 4), [0, 0, 0, 0]);
    assert.ok(count(dir, "ended") <= 1);
    assert.ok(bytes < 8 * 1024 * 1024);
    assert.ok(count(dir, "entries") <= 2);
    await ledger.close();
  });

  test("somebody who reads one state of the file for long lets its log grow; once he is gone, the disk is given back", async () => {
    const dir = folder();
    const ledger = await open(dir);
    const log = (): number => statSync(join(dir, "ledger.db-wal")).size;
    const reader = new DatabaseSync(join(dir, "ledger.db"), { readOnly: true });
    reader.exec("BEGIN");
    assert.ok(reader.prepare("SELECT count(*) FROM entries").get());
    const other = new DatabaseSync(join(dir, "ledger.db"));
    other.exec(
      "PRAGMA wal_autocheckpoint = 0; CREATE TABLE much (bytes BLOB); INSERT INTO much VALUES (zeroblob(48000000)); DROP TABLE much",
    );
    other.close();
    assert.ok((await ledger.hold(request("a"))).ok);
    assert.ok(log() > 48_000_000, `${log()} bytes`);
    reader.exec("COMMIT");
    reader.close();
    for (let at = 0; at < 3; at++) assert.ok((await ledger.hold(request(`b${at}`))).ok);
    assert.ok(log() <= 32 * 1024 * 1024, `${log()} bytes`);
    await ledger.close();
  });

  test("steps of one turn of the event loop are one transaction, and a long line of them does not hold the loop", async () => {
    const dir = folder();
    const ledger = await open(dir);
    const log = (): number => statSync(join(dir, "ledger.db-wal")).size;
    await ledger.hold(request("warm"));
    const [empty, ten] = [log(), Array.from({ length: 10 }, (_, at) => `${at}`)];
    await Promise.all(ten.map((at) => ledger.hold(request(`a${at}`))));
    const together = log() - empty;
    for (const at of ten) await ledger.hold(request(`c${at}`));
    const apart = log() - empty - together;
    assert.ok(together > 0 && 4 * together < apart, `${together} bytes of log for one turn, ${apart} for ten`);
    let turns = 0;
    let running = true;
    const all = Promise.all(Array.from({ length: 5_000 }, (_, at) => ledger.hold(request(`b${at}`)))).finally(() => {
      running = false;
    });
    for (; running; turns++) await new Promise((resolve) => setImmediate(resolve));
    await all;
    assert.ok(turns >= 5, `the event loop turned ${turns} times meanwhile`);
    await ledger.close();
  });
});
