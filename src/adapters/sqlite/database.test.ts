import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";

/** Opens the new file of each round when all have come to it, and says what went wrong. */
const OPENER = `
  const { workerData, parentPort } = require("node:worker_threads");
  const [{ openDatabase }, gate] = [await import(workerData.module), new Int32Array(workerData.gate)];
  const problems = [];
  for (let round = 0; round < workerData.rounds; round++) {
    Atomics.add(gate, round, 1);
    while (Atomics.load(gate, round) < workerData.openers);
    try {
      const database = await openDatabase({ dir: workerData.dir, name: round + ".db", schema: "CREATE TABLE t (a); PRAGMA user_version = 1;", synchronous: "normal", busyMs: 100 });
      database.close();
    } catch (cause) {
      problems.push(String(cause));
    }
  }
  parentPort.postMessage(problems);
`;

test("several that open a new file at the same moment all open it", async () => {
  const dir = mkdtempSync(join(tmpdir(), "sluice-db-"));
  try {
    const [openers, rounds] = [4, 40];
    const gate = new SharedArrayBuffer(4 * rounds);
    const workerData = { module: new URL("./database.ts", import.meta.url).href, gate, openers, rounds, dir };
    const said = await Promise.all(
      Array.from({ length: openers }, async (): Promise<unknown> => {
        const worker = new Worker(`(async () => {${OPENER}})()`, { eval: true, workerData });
        return new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
      }),
    );
    assert.deepEqual(said.flat(), []);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
