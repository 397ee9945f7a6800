/** A policy edited under load, through a real Envoy: in force within a second, without a restart and without a failed exchange. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startSimulator } from "../../src/simulator/server.ts";
import { BASIC_POLICY, type Gateway, startGateway } from "../support/gateway.ts";

const body = (model: string, text = "hi") => JSON.stringify({ model, max_tokens: 8, messages: [{ role: "user", content: text }] });

async function call(gateway: Gateway, model: string, text?: string): Promise<Response> {
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${gateway.key()}` },
    body: body(model, text),
  });
  await response.arrayBuffer();
  return response;
}

async function until(what: string, condition: () => Promise<boolean> | boolean, withinMs = 5_000): Promise<number> {
  const began = Date.now();
  while (Date.now() - began < withinMs) {
    if (await condition()) return Date.now() - began;
    await sleep(20);
  }
  throw new Error(`not within ${withinMs} ms: ${what}`);
}

/** Calls without pause until told to stop; counts every answer that is not 200. */
function load(
  gateway: Gateway,
  model: string,
  connections = 4,
): { readonly failed: readonly string[]; stop(): Promise<{ readonly calls: number; readonly failed: readonly string[] }> } {
  let running = true;
  let calls = 0;
  const failed: string[] = [];
  const all = Promise.all(
    Array.from({ length: connections }, async () => {
      while (running) {
        calls += 1;
        const outcome = await call(gateway, model).then(
          (response) => (response.status === 200 ? undefined : `${response.status} ${response.headers.get("x-ai-error")}`),
          (cause: unknown) => String(cause),
        );
        if (outcome !== undefined) failed.push(outcome);
        // An Envoy that is gone would make this a busy loop.
        if (failed.length > 10_000) return;
      }
    }),
  );
  return {
    failed,
    stop: async () => {
      running = false;
      await all;
      return { calls, failed };
    },
  };
}

const version = (policy: string, next: string): string => policy.replace('version: "test.1"', `version: "${next}"`);

test("a rule, a price and a key change under load", async () => {
  const gateway = await startGateway({ policy: BASIC_POLICY, live: true });
  const running = load(gateway, "gpt-4o-mini");
  try {
    assert.equal((await call(gateway, "secret-model")).status, 403);
    const next = version(BASIC_POLICY, "test.2")
      .replace("access: { models: [gpt-4o-mini,", "access: { models: [secret-model, gpt-4o-mini,")
      .replace('price: { input: "0.15", output: "0.6", cachedInput: "0.075" }', 'price: { input: "1500", output: "6000" }');
    await gateway.rewrite(next);
    const took = await until("the new rule", async () => (await call(gateway, "secret-model")).status === 200);
    assert.ok(took < 1_500, `in force after ${took} ms`);
    const priced = await call(gateway, "gpt-4o-mini");
    assert.ok(Number(priced.headers.get("x-ai-cost-usd")) > 0.01, "the new price");
    assert.equal(priced.headers.get("x-ai-policy"), "acme/bot/chat@test.2");

    await gateway.rewrite(next.replace("apiKey: { id: k1,", "apiKey: { id: k1, revoked: 2020-01-01,").replace("test.2", "test.3"));
    const out = await until("the revoked key", async () => (await call(gateway, "gpt-4o-mini")).status === 401);
    assert.ok(out < 1_000, `out after ${out} ms`);
    await until("the load without the key too", () => running.failed.length > 0);
    const { calls, failed } = await running.stop();
    assert.ok(calls > 20);
    assert.deepEqual(new Set(failed), new Set(["401 unauthenticated"]), "nothing failed but the revoked key");
  } finally {
    await running.stop();
    await gateway.stop();
  }
});

test("a provider is added, moved and removed under load, and running exchanges end where they began", async () => {
  const second = await startSimulator({ port: 0 });
  const gateway = await startGateway({ policy: BASIC_POLICY, live: true });
  const running = load(gateway, "gpt-4o-mini");
  try {
    // Added.
    const added = version(BASIC_POLICY, "added")
      .replace(
        "models:\n",
        `  other: { format: openai, baseUrl: "${second.url}/v1", credential: { env: SIM_KEY }, regions: [us] }\nmodels:\n  elsewhere: { targets: [{ provider: other, model: gpt-4o }] }\n`,
      )
      .replace("access: { models: [gpt-4o-mini,", "access: { models: [elsewhere, gpt-4o-mini,");
    assert.notEqual(added, version(BASIC_POLICY, "added"));
    await gateway.rewrite(added);
    await until("the added provider", async () => (await call(gateway, "elsewhere")).status === 200);
    assert.equal(second.requests.length, 1);
    // A long exchange under the version before ...
    const slow = call(gateway, "elsewhere", "[[sim delay=1500]]").then(({ status }) => status, String);
    await until("the slow call's arrival", () => second.requests.length === 2);
    // ... while the account moves back to the first simulator: same name, another address.
    await gateway.rewrite(added.replaceAll(second.url, gateway.simulator.url).replace("added", "moved"));
    await until("the move", async () => (await call(gateway, "elsewhere")).headers.get("x-ai-policy") === "acme/bot/chat@moved");
    const before = second.requests.length;
    assert.equal((await call(gateway, "elsewhere")).status, 200);
    assert.equal(second.requests.length, before, "calls under the new version go to the new address");
    assert.equal(await slow, 200, "the running call ended where it began");
    // Removed: its cluster goes once nothing can name it.
    await gateway.rewrite(version(BASIC_POLICY, "removed"));
    await until("the removal", async () => (await call(gateway, "elsewhere")).status === 403);
    const clusters = async () => (await fetch(`${gateway.envoy.adminUrl}/clusters`)).text();
    await until("Envoy without the cluster", async () => !(await clusters()).includes("p.other"));
    const { calls, failed } = await running.stop();
    assert.ok(calls > 20);
    assert.deepEqual(failed, []);
    assert.equal((await gateway.envoy.textStats()).get("cluster_manager.cds.version_text"), gateway.sluice.policy().loaded.hash);
  } finally {
    await running.stop();
    await gateway.stop();
    await second.close();
  }
});

test("a bad edit keeps the last good policy, and says so until a good one comes", async () => {
  const gateway = await startGateway({ policy: BASIC_POLICY, live: true });
  try {
    await gateway.rewrite(version(BASIC_POLICY, "bad").replace("useCases: [chat]", "useCases: [chatt]"));
    await until("the rejection", () => gateway.sluice.policy().lastError !== undefined);
    assert.match(gateway.sluice.policy().lastError ?? "", /policy\.yaml:\d+:\d+: .*chatt/);
    const response = await call(gateway, "gpt-4o-mini");
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("x-ai-policy"), "acme/bot/chat@test.1");
    await gateway.rewrite("not: [yaml");
    await until("the second rejection", () => gateway.sluice.policy().rejected === 2);
    await gateway.rewrite(version(BASIC_POLICY, "good"));
    await until("the good one", () => gateway.sluice.policy().lastError === undefined && gateway.sluice.policy().loaded.version === "good");
  } finally {
    await gateway.stop();
  }
});
