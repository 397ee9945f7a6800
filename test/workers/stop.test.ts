/** Graceful stop under load through a real Envoy: what began ends whole, and nothing passes while nobody serves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assertRecorded, healthySockets, inService, load, makeSite, START_MS, signal, until } from "./support.ts";

test("two workers: one told to end under load does so without a failed exchange, and a fresh one takes its place", {
  timeout: 120_000,
}, async (t) => {
  const site = await makeSite(t, { workers: 2 });
  const served = await site.serve();
  await inService(site, served);
  const running = load(site);
  await sleep(300);
  const pid = (await served.status()).workers?.[0]?.pid;
  signal(pid, "SIGTERM");
  await until("Envoy knows", async () => (await healthySockets(site)) === 1, START_MS, served);
  await until("the fresh one", async () => served.said().split("worker_ready").length === 4, START_MS, served);
  await until("Envoy finds it", async () => (await healthySockets(site)) === 2, START_MS, served);
  const { ids, failed } = await running.stop();
  assert.deepEqual(failed, []);
  assert.doesNotMatch(served.said(), /worker_ended/, "being told to end is no crash");
  served.process.kill("SIGINT");
  assert.equal(await served.ended, 0, served.said());
  assertRecorded(site, ids);
  await site.envoy.assertClean();
});

for (const workers of [1, 2])
  test(`${workers === 1 ? "a lone process" : "all workers"}: exchanges that began end whole, later ones get a well-formed 503, none passes unseen`, {
    timeout: 120_000,
  }, async (t) => {
    const site = await makeSite(t, { workers });
    const served = await site.serve();
    await inService(site, served);
    const slow = ["[[sim delay=2000]]", "[[sim tokens=60 token-delay=40]]"].map((content, index) =>
      site.call({ stream: index === 1, max_tokens: 100, messages: [{ role: "user", content }] }),
    );
    await until("the slow calls' arrival", () => site.simulator.requests.length === 2);
    served.process.kill("SIGTERM");
    let refused = 0;
    let going = true;
    const during: string[] = [];
    const others = (async (): Promise<void> => {
      while (going) {
        const answer = await site.call({});
        if (answer.status === 200) during.push(answer.headers.get("x-ai-request-id") ?? "none");
        else {
          refused += 1;
          assert.equal(answer.status, 503);
          const body: unknown = JSON.parse(answer.text);
          assert.ok(typeof body === "object" && body !== null && "error" in body);
          assert.equal(answer.headers.get("x-should-retry"), "true");
        }
        await sleep(10);
      }
    })();
    const answers = await Promise.all(slow);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200],
    );
    assert.ok(answers[1]?.text.trimEnd().endsWith("data: [DONE]"), "the stream came whole");
    assert.equal(await served.ended, 0, served.said());
    await sleep(100);
    const reached = site.simulator.requests.length;
    going = false;
    await others;
    assert.ok(refused > 0, "somebody came too late");
    assert.equal((await site.call({})).status, 503);
    assert.equal(site.simulator.requests.length, reached, "nothing reaches a provider while nobody looks at it");
    assertRecorded(site, [...during, ...answers.map(({ headers }) => headers.get("x-ai-request-id") ?? "none")]);
    assert.equal(site.records().length, reached, "as many records as calls that reached a provider");
  });
