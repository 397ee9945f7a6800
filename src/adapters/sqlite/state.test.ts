import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, describe, test } from "node:test";
import { promisify } from "node:util";
import { STATE_KEPT_MS } from "../../core/limits.ts";
import type { CreatedState } from "../../core/state.ts";
import type { KeptState, StatePort } from "../../ports/state.ts";
import { openSqliteState } from "./state.ts";

const folders: string[] = [];
const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), "sluice-state-"));
  folders.push(made);
  return made;
};
after(() => {
  for (const made of folders) rmSync(made, { recursive: true, force: true });
});

const acme = { tenant: "acme", app: "bot" };
const place = { provider: "openai", model: "mini", providerModel: "gpt-4o-mini" };
const response = (id: string): CreatedState => ({ kind: "response", id });
const kept = (id: string, owner = acme): KeptState => ({ ...owner, ...place, ...response(id) });

async function open(dir: string, more: { nowMs?: () => number; rowsMax?: number; onError?: () => void } = {}): Promise<StatePort> {
  const clock = { wallMs: more.nowMs ?? (() => 1_000), monotonicMs: () => 0 };
  const onError = more.onError ?? (() => assert.fail("a write failed"));
  const opened = await openSqliteState({ dir, clock, onError, ...(more.rowsMax === undefined ? {} : { rowsMax: more.rowsMax }) });
  assert.ok(opened.ok, opened.ok ? "" : String(opened.error.cause));
  return opened.value;
}
async function known(store: StatePort, owner: { tenant: string; app: string }, ...ids: readonly string[]): Promise<readonly boolean[]> {
  const found = await store.find(owner, ids.map(response));
  assert.ok(found.ok);
  return found.value.map((where) => where !== undefined);
}

describe("what callers made at providers", () => {
  test("a note stays beside it, also where the thing is made anew without one", async () => {
    const dir = folder();
    const first = await open(dir);
    const note = Buffer.from("sealed");
    first.remember([{ ...kept("resp_1"), note }, kept("resp_2")]);
    await first.flush();
    first.remember([kept("resp_1")]);
    await first.close();
    const second = await open(dir);
    const found = await second.find(acme, [response("resp_1"), response("resp_2")]);
    assert.ok(found.ok);
    assert.deepEqual(
      found.value.map((where) => (where?.note === undefined ? "" : Buffer.from(where.note).toString())),
      ["sealed", ""],
    );
    await second.close();
  });

  test("is found by the tenant and app that made it, at once and after a restart, and by nobody else", async () => {
    const dir = folder();
    const first = await open(dir);
    first.remember([kept("resp_1"), kept("resp_2")]);
    const found = await first.find(acme, [response("resp_1"), response("resp_x"), { kind: "file", id: "resp_1" }]);
    assert.ok(found.ok);
    assert.deepEqual({ ...found.value[0] }, { ...place, ...found.value[0] });
    assert.deepEqual(found.value.slice(1), [undefined, undefined]);
    await first.close();
    const second = await open(dir);
    assert.deepEqual(await known(second, acme, "resp_2", "resp_1", "resp_3"), [true, true, false]);
    for (const other of [
      { ...acme, app: "crm" },
      { ...acme, tenant: "globex" },
    ])
      assert.deepEqual(await known(second, other, "resp_1"), [false]);
    second.forget({ ...acme, app: "crm" }, response("resp_1"));
    second.forget(acme, response("resp_2"));
    assert.deepEqual(await known(second, acme, "resp_1", "resp_2"), [true, false]);
    await second.close();
    assert.ok(!readFileSync(join(dir, "state.db")).includes("resp_1"), "ids stand in the file");
  });

  test("is seen by another process of the host, also when it writes at the same moment", async () => {
    const dir = folder();
    const mine = await open(dir);
    const script = `
      const { openSqliteState } = await import(${JSON.stringify(join(import.meta.dirname, "state.ts"))});
      const store = (await openSqliteState({ dir: ${JSON.stringify(dir)}, clock: { wallMs: () => 1000, monotonicMs: () => 0 }, onError: () => process.exit(1) })).value;
      for (let i = 0; i < 200; i++) {
        store.remember([{ tenant: "acme", app: "bot", kind: "response", id: "theirs_" + i, provider: "p", model: "m", providerModel: "n" }]);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await store.close();`;
    const child = promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
    let running = true;
    const over = child.finally(() => {
      running = false;
    });
    let count = 0;
    while (running) {
      mine.remember([kept(`mine_${count++}`)]);
      await mine.flush();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await over;
    assert.deepEqual(mine.stats, { pending: 0, lost: 0 });
    const all = await known(
      mine,
      acme,
      ...Array.from({ length: 200 }, (_, i) => `theirs_${i}`),
      ...Array.from({ length: count }, (_, i) => `mine_${i}`),
    );
    assert.ok(all.every(Boolean), `${all.filter((found) => !found).length} of ${all.length} are missing`);
    await mine.close();
  });

  test("a look that comes before the other process's write finds it by its second look", async () => {
    const dir = folder();
    const [one, two] = [await open(dir), await open(dir)];
    const looking = known(one, acme, "resp_1");
    two.remember([kept("resp_1")]);
    assert.deepEqual(await looking, [true]);
    await Promise.all([one.close(), two.close()]);
  });

  test("is forgotten when it is old, and the oldest first when a tenant has too much, without touching another tenant", async () => {
    let nowMs = 1_000;
    const store = await open(folder(), { nowMs: () => nowMs, rowsMax: 10 });
    const globex = { tenant: "globex", app: "bot" };
    store.remember([kept("theirs", globex)]);
    store.remember(Array.from({ length: 25 }, (_, i) => kept(`resp_${i}`)));
    await store.flush();
    const left = await known(store, acme, ...Array.from({ length: 25 }, (_, i) => `resp_${i}`));
    assert.deepEqual(
      left,
      Array.from({ length: 25 }, (_, i) => i >= 15),
    );
    assert.deepEqual(await known(store, globex, "theirs"), [true]);
    nowMs += STATE_KEPT_MS;
    assert.deepEqual(await known(store, globex, "theirs"), [false]);
    store.remember([kept("fresh")]);
    await store.flush();
    assert.deepEqual(await known(store, acme, "fresh", "resp_24"), [true, false]);
    await store.close();
  });

  test("a file held by another waits, loses nothing, and stalls nobody", async () => {
    const dir = folder();
    const store = await open(dir);
    const other = new DatabaseSync(join(dir, "state.db"));
    other.exec("BEGIN IMMEDIATE");
    store.remember([kept("resp_1")]);
    const turns: number[] = [];
    for (let turn = 0; turn < 20; turn++) {
      const from = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 2));
      turns.push(performance.now() - from);
    }
    assert.deepEqual(await known(store, acme, "resp_1"), [true]);
    // Not the longest: other programs of this machine take their turns too.
    const usual = turns.sort((a, b) => a - b)[10] ?? 0;
    assert.ok(usual < 250, `a turn of the event loop took ${usual} ms`);
    assert.equal(store.stats.pending, 1);
    other.exec("COMMIT");
    other.close();
    await store.flush();
    assert.deepEqual(store.stats, { pending: 0, lost: 0 });
    await store.close();
  });

  test("a file that is no database is told, and a version from the future is left alone", async () => {
    const dir = folder();
    writeFileSync(join(dir, "state.db"), "this is no database, and it is long enough to have a header of one".repeat(20));
    const clock = { wallMs: () => 0, monotonicMs: () => 0 };
    const broken = await openSqliteState({ dir, clock, onError: () => {} });
    assert.equal(broken.ok, false);
    const later = folder();
    const database = new DatabaseSync(join(later, "state.db"));
    database.exec("PRAGMA user_version = 7");
    database.close();
    const refused = await openSqliteState({ dir: later, clock, onError: () => {} });
    assert.ok(!refused.ok && refused.error.cause instanceof Error && /version 7/.test(refused.error.cause.message));
  });

  test("what cannot be written is counted and told once", async () => {
    let told = 0;
    const dir = folder();
    const store = await open(dir, { onError: () => told++ });
    const other = new DatabaseSync(join(dir, "state.db"));
    other.exec("DROP TABLE kept; CREATE TABLE kept (other TEXT)");
    other.close();
    store.remember([kept("a")]);
    await store.flush();
    store.remember([kept("b")]);
    await store.flush();
    assert.deepEqual([told, store.stats.lost], [1, 2]);
    const found = await store.find(acme, [response("a")]);
    assert.equal(found.ok, false);
    await store.close();
  });
});
