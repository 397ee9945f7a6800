/** Several processes behind a real Envoy: nobody notices when one of them, or each in turn, ends and comes back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assertRecorded, inService, load, makeSite, START_MS, until } from "./support.ts";

test("SIGHUP gives each place a new process under load, without a failed exchange", { timeout: 120_000 }, async (t) => {
  const site = await makeSite(t, { workers: 2 });
  const served = await site.serve();
  await inService(site, served);
  const before = (await served.status()).workers?.map(({ pid }) => pid);
  const running = load(site);
  await sleep(200);
  served.process.kill("SIGHUP");
  await until("the rolling restart", () => served.said().includes("rolling_restart_done"), START_MS, served);
  const after = (await served.status()).workers?.map(({ pid }) => pid);
  await sleep(200);
  const { ids, failed } = await running.stop();
  assert.deepEqual(failed, []);
  assert.ok(ids.length > 100, String(ids.length));
  assert.equal(new Set([...(before ?? []), ...(after ?? [])]).size, 4, "four processes in all");
  await site.envoy.assertClean();
  served.process.kill("SIGTERM");
  assert.equal(await served.ended, 0, served.said());
  assertRecorded(site, ids);
});
