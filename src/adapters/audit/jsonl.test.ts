import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { AuditPort } from "../../ports/audit.ts";
import { auditOptions, openEntry, readRecords, servedRecord, temporaryFolder } from "./fixtures.ts";
import { type AuditFault, type JsonlAuditOptions, openJsonlAudit } from "./jsonl.ts";
import { makeWriteBytes, type WriteBytes } from "./line-file.ts";

const writeBytes = makeWriteBytes();

async function start(options: JsonlAuditOptions): Promise<AuditPort> {
  const opened = await openJsonlAudit(options);
  assert.ok(opened.ok, opened.ok ? "" : String(opened.error.cause));
  return opened.value;
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i += 1) await sleep(10);
  assert.ok(condition(), "did not happen in 5 s");
}

test("an open entry is on disk when open resolves, a record after flush; nothing is left open", async (t) => {
  const dir = temporaryFolder(t);
  const audit = await start(auditOptions(dir));
  assert.ok((await audit.open(openEntry("a"))).ok);
  assert.match(readFileSync(join(dir, "open-w0.jsonl"), "utf8"), /"id":"a"/);
  assert.ok(audit.record(servedRecord("a")));
  assert.ok(audit.record(servedRecord("refused-before-it-left")));
  await audit.flush();
  assert.deepEqual(
    readRecords(dir).records.map((r) => r.id),
    ["a", "refused-before-it-left"],
  );
  assert.deepEqual({ ...audit.stats }, { written: 2, dropped: 0, pendingBytes: 0, recovered: 0, failing: false });
  await audit.close();
  await audit.close();
  assert.equal(audit.record(servedRecord("late")), false);
  const next = await start(auditOptions(dir));
  assert.equal(next.stats.recovered, 0);
  await next.close();
});

test("records rotate by size, old files are removed, open entries survive the rotation", async (t) => {
  const dir = temporaryFolder(t);
  const options = { ...auditOptions(dir), rotateBytes: 4_000, rotateKeep: 3 };
  const audit = await start(options);
  await audit.open(openEntry("long"));
  for (let i = 0; i < 100; i += 1) {
    await audit.open(openEntry(`e${i}`));
    audit.record(servedRecord(`e${i}`));
    await audit.flush();
  }
  await until(() => readdirSync(dir).filter((name) => /^records-w0-\d{8}T\d{9}Z\.jsonl$/.test(name)).length === 3);
  assert.match(readFileSync(join(dir, "open-w0.jsonl"), "utf8"), /"id":"long"/);
  assert.ok(statSync(join(dir, "open-w0.jsonl")).size < 6_000, "the journal starts anew at a rotation");
  await audit.close();
  const next = await start(options);
  assert.equal(next.stats.recovered, 1, "the exchange that close did not wait for");
  await next.close();
});

test("two writers never share a name", async (t) => {
  const dir = temporaryFolder(t);
  const audit = await start(auditOptions(dir));
  const second = await openJsonlAudit({ ...auditOptions(dir), lockWaitMsMax: 100 });
  assert.ok(!second.ok);
  assert.match(String(second.error.cause), /in use/);
  const other = await start({ ...auditOptions(dir), writerId: "w1" });
  await Promise.all([audit.close(), other.close()]);
  await (await start(auditOptions(dir))).close();
});

test("names that would leave the folder or look like a rotated file are refused", async (t) => {
  const dir = temporaryFolder(t);
  for (const writerId of ["", "../x", "a/b", "w-20261124T025240123Z"]) {
    assert.equal((await openJsonlAudit({ ...auditOptions(dir), writerId })).ok, false, writerId);
  }
});

test("kill -9 under load, again and again: every promised open has exactly one record", { timeout: 60_000 }, async (t) => {
  const dir = temporaryFolder(t);
  const promised: string[] = [];
  for (let run = 0; run < 3; run += 1) {
    const child = spawn(process.execPath, [join(import.meta.dirname, "crash-child.ts"), dir, `r${run}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
      if (out.length > 6_000 * (run + 1)) child.kill("SIGKILL");
    });
    await once(child, "close");
    assert.equal(child.signalCode, "SIGKILL");
    promised.push(...out.split("\n").filter((id) => id !== ""));
  }
  // Another writer finds the dead one's journal.
  const audit = await start({ ...auditOptions(dir), writerId: "other" });
  assert.ok(audit.stats.recovered > 0, "something was open when the process died");
  await audit.close();
  const counts = new Map<string, number>();
  const { records, torn } = readRecords(dir);
  for (const record of records) counts.set(record.id, (counts.get(record.id) ?? 0) + 1);
  for (const id of promised) assert.equal(counts.get(id), 1, `${id} of ${promised.length}`);
  for (const [id, count] of counts) assert.equal(count, 1, id);
  assert.ok(torn <= 3);
  assert.ok(records.some((record) => record.ending === "served"));
  assert.ok(records.some((record) => record.ending === "crashed"));
});

test("torn last lines, in records and journal, cost no other line; recovery is done once", async (t) => {
  const dir = temporaryFolder(t);
  const head = JSON.stringify({ journal: 1, began: "20261123T000000000Z" });
  const lines = ["a", "b", "c"].map((id) => JSON.stringify(openEntry(id)));
  writeFileSync(join(dir, "open-w0.jsonl"), `${[head, ...lines].join("\n")}\n{"id":"d","ti`);
  writeFileSync(join(dir, "records-w0-20261123T000000001Z.jsonl"), `${JSON.stringify(servedRecord("a"))}\n`);
  writeFileSync(join(dir, "records-w0.jsonl"), `${JSON.stringify(servedRecord("x"))}\n${JSON.stringify(servedRecord("b")).slice(0, 100)}`);
  const audit = await start(auditOptions(dir));
  assert.equal(audit.stats.recovered, 2);
  audit.record(servedRecord("y"));
  await audit.close();
  const { records, torn } = readRecords(dir);
  assert.equal(torn, 1, "the fragment stays, on a line of its own");
  assert.deepEqual(records.map((r) => `${r.id} ${r.ending}`).sort(), ["a served", "b crashed", "c crashed", "x served", "y served"]);
  const crashed = JSON.parse(
    readFileSync(join(dir, "records-w0.jsonl"), "utf8")
      .split("\n")
      .find((line) => line.includes('"id":"c"')) ?? "",
  );
  assert.deepEqual(
    [crashed.v, crashed.decision, crashed.tenant, crashed.useCase, crashed.surface, crashed.target.provider, crashed.policy.version],
    [1, "allowed", "acme", "support-reply", "openai.chat", "openai", "2026-11-23.1"],
  );
  const again = await start(auditOptions(dir));
  assert.equal(again.stats.recovered, 0);
  await again.close();
});

test("a recovery that was cut short after its records does not write them twice", async (t) => {
  const dir = temporaryFolder(t);
  const journal = `${JSON.stringify({ journal: 1, began: "20261123T000000000Z" })}\n${JSON.stringify(openEntry("a"))}\n`;
  writeFileSync(join(dir, "open-w0.jsonl"), journal);
  await (await start(auditOptions(dir))).close();
  writeFileSync(join(dir, "open-w0.jsonl"), journal);
  const audit = await start(auditOptions(dir));
  assert.equal(audit.stats.recovered, 0);
  await audit.close();
  assert.deepEqual(readRecords(dir).records, [{ id: "a", ending: "crashed" }]);
});

/** A disk with room for some bytes, then short counts and ENOSPC; `room` can be raised. */
function smallDisk(room: number): { room: number; readonly write: WriteBytes } {
  const disk = {
    room,
    write: ((fd, bytes, offset, length, done) => {
      const fits = Math.min(length, disk.room);
      if (fits === 0) return void setImmediate(() => done(Object.assign(new Error("no space left on device"), { code: "ENOSPC" }), 0));
      disk.room -= fits;
      writeBytes(fd, bytes, offset, fits, done);
    }) satisfies WriteBytes,
  };
  return disk;
}

test("a full disk: opens are refused, the buffer is bounded, drops are counted, and space brings everything to disk", async (t) => {
  const dir = temporaryFolder(t);
  const faults: AuditFault[] = [];
  const disk = smallDisk(3_000);
  const audit = await start({ ...auditOptions(dir, faults), pendingBytesMax: 20_000, write: disk.write });
  for (let i = 0; i < 4; i += 1) assert.ok((await audit.open(openEntry(`left${i}`))).ok);
  let accepted = 0;
  for (let i = 0; i < 100; i += 1) if (audit.record(servedRecord(`refusal${i}`))) accepted += 1;
  await until(() => audit.stats.failing);
  assert.ok(accepted > 10 && accepted < 60, String(accepted));
  assert.equal(audit.stats.dropped, 100 - accepted);
  const opened = await audit.open(openEntry("new"));
  assert.equal(opened.ok ? "ok" : opened.error.code, "unavailable");
  for (let i = 0; i < 4; i += 1) assert.ok(audit.record(servedRecord(`left${i}`)), "room is kept for records of exchanges that left");
  assert.ok(audit.stats.pendingBytes <= 20_000);
  assert.ok(faults.some((fault) => fault.doing === "write_records"));
  disk.room = 1e9;
  await until(() => audit.stats.pendingBytes === 0 && !audit.stats.failing);
  assert.ok((await audit.open(openEntry("after"))).ok);
  assert.ok(audit.record(servedRecord("after")));
  await audit.close();
  const { records, torn } = readRecords(dir);
  assert.equal(torn, 0, "short counts corrupt no line");
  assert.equal(new Set(records.map((record) => record.id)).size, accepted + 5);
  assert.equal(records.length, accepted + 5);
});

test("close on a disk that stays full ends in time, says what was lost, and the next start records the exchanges that left", async (t) => {
  const dir = temporaryFolder(t);
  const faults: AuditFault[] = [];
  const disk = smallDisk(1_000);
  const audit = await start({ ...auditOptions(dir, faults), write: disk.write, flushWaitMsMax: 150 });
  assert.ok((await audit.open(openEntry("left"))).ok);
  disk.room = 100;
  audit.record(servedRecord("left"));
  audit.record(servedRecord("refusal"));
  await audit.close();
  assert.deepEqual(
    faults.filter((fault) => fault.lost !== undefined).map((fault) => fault.lost),
    [2],
  );
  const next = await start(auditOptions(dir));
  assert.equal(next.stats.recovered, 1);
  await next.close();
  assert.deepEqual(readRecords(dir), { records: [{ id: "left", ending: "crashed" }], torn: 1 });
});

test("a slow disk: open gives up after its wait, one write at a time, and what was taken is written", async (t) => {
  const dir = temporaryFolder(t);
  let under = 0;
  let most = 0;
  const perFile = new Map<number, number>();
  const slow: WriteBytes = (fd, bytes, offset, length, done) => {
    perFile.set(fd, (perFile.get(fd) ?? 0) + 1);
    under = Math.max(...perFile.values());
    most = Math.max(most, under);
    setTimeout(() => {
      perFile.set(fd, (perFile.get(fd) ?? 0) - 1);
      writeBytes(fd, bytes, offset, length, done);
    }, 150);
  };
  const audit = await start({ ...auditOptions(dir), write: slow, openWaitMsMax: 50 });
  const results = await Promise.all(["a", "b", "c"].map((id) => audit.open(openEntry(id))));
  assert.deepEqual(
    results.map((result) => (result.ok ? "ok" : result.error.code)),
    ["timeout", "timeout", "timeout"],
  );
  for (const id of ["a", "b", "c"]) {
    assert.ok(audit.record(servedRecord(id)));
    await sleep(30);
  }
  await audit.close();
  assert.equal(most, 1);
  assert.deepEqual(
    readRecords(dir).records.map((record) => record.id),
    ["a", "b", "c"],
  );
});

test("entries of one turn share one write for each file", async (t) => {
  const dir = temporaryFolder(t);
  let writes = 0;
  const counting: WriteBytes = (...call) => {
    writes += 1;
    writeBytes(...call);
  };
  const audit = await start({ ...auditOptions(dir), write: counting });
  await Promise.all(Array.from({ length: 50 }, (_, i) => audit.open(openEntry(`e${i}`))));
  for (let i = 0; i < 50; i += 1) audit.record(servedRecord(`e${i}`));
  await audit.close();
  assert.equal(writes, 2);
});

test("a writer whose process lives is not recovered", async (t) => {
  const dir = temporaryFolder(t);
  const alive = await start(auditOptions(dir));
  await alive.open(openEntry("running"));
  const other = await start({ ...auditOptions(dir), writerId: "w1" });
  assert.equal(other.stats.recovered, 0);
  alive.record(servedRecord("running"));
  await Promise.all([alive.close(), other.close()]);
  assert.deepEqual(readRecords(dir).records, [{ id: "running", ending: "served" }]);
});

test("a records file that vanished is made anew at the next rotation", async (t) => {
  const dir = temporaryFolder(t);
  appendFileSync(join(dir, "records-w0.jsonl"), "");
  const audit = await start({ ...auditOptions(dir), rotateBytes: 1 });
  for (const id of ["a", "b"]) {
    audit.record(servedRecord(id));
    await audit.flush();
  }
  await audit.close();
  assert.equal(readRecords(dir).records.length, 2);
});

test("a real file system that fills up: refusals while it is full, then every line whole and once", { timeout: 60_000 }, async (t) => {
  const dir = temporaryFolder(t);
  // A mount of our own, in a namespace of our own: needs no root where user namespaces are allowed.
  const script = `mount -t tmpfs -o size=256k tmpfs "$1" && exec "$2" "$3" "$1"`;
  const child = spawn(
    "unshare",
    ["-rm", "sh", "-c", script, "sh", dir, process.execPath, join(import.meta.dirname, "full-disk-child.ts")],
    {
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  const code = await once(child, "close").then(
    () => child.exitCode,
    () => -1,
  );
  if (code !== 0 && out === "") return t.skip("no small file system can be mounted here (unshare -rm)");
  const seen = JSON.parse(out);
  assert.deepEqual([seen.lost, seen.torn, seen.twice, seen.refusedAfter], [0, 0, 0, 0], out);
  assert.ok(seen.failing && seen.refused > 0 && seen.dropped > 0 && seen.faults > 0, out);
  return undefined;
});

test("events stand among the records and survive a restart", async (t) => {
  const dir = temporaryFolder(t);
  const audit = await start(auditOptions(dir));
  const event = { v: 1, event: "budget.reset", id: "e1", time: "2026-11-23T10:00:00.000Z", by: "ada", subject: "tenant:acme/day" } as const;
  assert.equal(audit.event(event), true);
  await audit.close();
  assert.equal(audit.event({ ...event, id: "e2" }), false);
  const again = await start(auditOptions(dir));
  t.after(() => again.close());
  assert.equal(again.stats.recovered, 0);
  assert.equal(readFileSync(join(dir, "records-w0.jsonl"), "utf8"), `${JSON.stringify(event)}\n`);
});
