/** Workers that die, hang or cannot start, behind a real Envoy: the others serve, the evidence is whole, and it is told. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BASIC_POLICY } from "../support/gateway.ts";
import {
  alive,
  assertRecorded,
  healthySockets,
  inService,
  load,
  makeSite,
  type Served,
  START_MS,
  signal,
  startServe,
  until,
} from "./support.ts";

const pids = async (served: Served): Promise<readonly number[]> => (await served.status()).workers?.flatMap(({ pid }) => pid ?? []) ?? [];
const metric = async (served: Served, name: string): Promise<number> => {
  const text = await (await fetch(`${served.adminUrl}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
};

/** Exchanges whose records were in memory for a few milliseconds more. */
const SETTLING = 8;

test("a worker that crashes takes only its own exchanges along, comes back, and recovers its records", { timeout: 120_000 }, async (t) => {
  const site = await makeSite(t, { workers: 2 });
  const served = await site.serve();
  await inService(site, served);
  const [victim] = await pids(served);
  const running = load(site);
  await sleep(500);
  const counted = await metric(served, "sluice_exchanges_total");
  signal(victim, "SIGKILL");
  await until(
    "the restart",
    async () => (await metric(served, "sluice_workers")) === 2 && served.said().split("worker_ready").length === 4,
    START_MS,
    served,
  );
  assert.ok((await metric(served, "sluice_exchanges_total")) >= counted, "sums never fall");
  await until("Envoy finds it", async () => (await healthySockets(site)) === 2, START_MS, served);
  const { ids, failed } = await running.stop();
  // At most the four that ran at that moment; what came later went to the other.
  assert.ok(failed.length <= 4, failed.join("\n"));
  assert.ok(ids.length > 100, String(ids.length));
  const view = await served.status();
  assert.deepEqual(
    view.workers?.map(({ state, restarts }) => [state, restarts]),
    [
      ["serving", 1],
      ["serving", 0],
    ],
  );
  assert.equal(await metric(served, "sluice_worker_restarts_total"), 1);
  assert.match(served.said(), /"event":"worker_ended".*SIGKILL/);
  served.process.kill("SIGTERM");
  assert.equal(await served.ended, 0, served.said());
  const crashed = site.records().filter(({ ending }) => ending === "crashed");
  assert.ok(crashed.length <= 4 + SETTLING, `${crashed.length} recovered`);
  assertRecorded(site, ids);
});

test("an edit is in force in all workers, also when one dies at that moment; the old cluster goes when the last call is over", {
  timeout: 120_000,
}, async (t) => {
  const site = await makeSite(t, { workers: 2 });
  const served = await site.serve();
  await inService(site, served);
  const clusters = async () => (await fetch(`${site.envoy.adminUrl}/clusters`)).text();
  const nameOf = async (label: string) =>
    [...(await clusters()).matchAll(/^(p\.[^:]+)::/gm)].map(([, name]) => name ?? "").filter((name) => name.startsWith(label));
  const [before] = await nameOf("p.openai-");
  const slow = site.call({ messages: [{ role: "user", content: "[[sim delay=7000]]" }] });
  await until("the slow call's arrival", () => site.simulator.requests.length === 1);
  // Another cluster by name: an account with other limits.
  const moved = BASIC_POLICY.replace("openai: { format", "openai: { maxRequests: 900, format");
  await site.rewrite(moved.replace('version: "test.1"', 'version: "test.2"'));
  const versions = async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => site.call({})));
    return new Set(answers.map(({ status, headers }) => `${status} ${headers.get("x-ai-policy")?.split("@")[1]}`));
  };
  await until("the edit", async () => JSON.stringify([...(await versions())]) === '["200 test.2"]', START_MS, served);
  let other: number | undefined;
  await until("a worker that has nothing to do, and one that has", async () => {
    const all = (await served.status()).workers ?? [];
    other = all.find(({ status }) => status?.inFlight === 0)?.pid;
    return other !== undefined && all.some(({ status }) => status?.inFlight === 1);
  });
  await site.rewrite(moved.replace('version: "test.1"', 'version: "test.3"'));
  signal(other, "SIGKILL");
  await until("the second edit", async () => JSON.stringify([...(await versions())]) === '["200 test.3"]', START_MS, served);
  assert.ok((await nameOf("p.openai-")).includes(before ?? ""), "the cluster of the running call is still there");
  assert.equal((await slow).status, 200);
  await until("the end of that cluster", async () => !(await nameOf("p.openai-")).includes(before ?? ""));
  await until("all workers serve again", async () => (await served.status()).ready && (await pids(served)).length === 2, START_MS, served);
  assert.equal((await served.status()).policy.version, "test.3");
  served.process.kill("SIGTERM");
  assert.equal(await served.ended, 0, served.said());
});

test("a supervisor that is killed leaves nobody behind: workers drain, write and end", { timeout: 120_000 }, async (t) => {
  const site = await makeSite(t, { workers: 2 });
  const served = await site.serve();
  await inService(site, served);
  const workers = await pids(served);
  const slow = site.call({ messages: [{ role: "user", content: "[[sim delay=1500]]" }] });
  await until("the slow call's arrival", () => site.simulator.requests.length === 1);
  served.process.kill("SIGKILL");
  const answer = await slow;
  assert.equal(answer.status, 200);
  await until("the end of the workers", () => workers.every((pid) => !alive(pid)));
  assertRecorded(site, [answer.headers.get("x-ai-request-id") ?? ""]);
  assert.equal(site.records().at(-1)?.ending, "served");
});

test("when no worker can start, the cause is one line and the exit code 1; one that cannot is told while the other serves", {
  timeout: 120_000,
}, async (t) => {
  const site = await makeSite(t, { workers: 2 });
  await writeFile(join(site.dir, "s.0.sock"), "");
  const half = await site.serve();
  await until("ready", async () => (await fetch(`${half.adminUrl}/readyz`).catch(() => undefined))?.ok === true, START_MS, half);
  await until("the first failure", () => half.said().includes("worker_ended"), START_MS, half);
  const [first, other] = (await half.status()).workers ?? [];
  assert.equal(other?.state, "serving");
  assert.notEqual(first?.state, "serving");
  assert.match(first?.problem ?? "", /s\.0\.sock exists and is no socket; remove it/);
  assert.match(half.said(), /worker_ended.*s\.0\.sock exists and is no socket/);
  half.process.kill("SIGTERM");
  assert.equal(await half.ended, 0, half.said());
  await writeFile(join(site.dir, "s.1.sock"), "");
  const none = await site.serve();
  assert.equal(await none.ended, 1);
  const lines = none
    .said()
    .split("\n")
    .filter((line) => line.startsWith("sluice serve: "));
  assert.equal(lines.length, 2);
  for (const line of lines) assert.match(line, /s\.[01]\.sock exists and is no socket; remove it/);
});

test("a second signal ends all at once", { timeout: 120_000 }, async (t) => {
  const site = await makeSite(t, { workers: 2 });
  const served = await startServe(t, [
    "--policy",
    join(site.dir, "policy.yaml"),
    "--data",
    site.data,
    "--socket",
    site.socket,
    "--workers",
    "2",
  ]);
  await inService(site, served);
  const workers = await pids(served);
  const slow = site.call({ messages: [{ role: "user", content: "[[sim delay=4000]]" }] }).catch(() => undefined);
  await until("the slow call's arrival", () => site.simulator.requests.length === 1);
  served.process.kill("SIGTERM");
  await sleep(100);
  served.process.kill("SIGTERM");
  assert.equal(await served.ended, 1);
  await until("the end of the workers", () => workers.every((pid) => !alive(pid)));
  const answer = await slow;
  assert.notEqual(answer?.status, 200, "a call that was cut off is no success");
});
