import assert from "node:assert/strict";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type ChildGateway, startChildGateway } from "../support/child-gateway.ts";
import { freePort } from "../support/envoy.ts";
import { BASIC_POLICY } from "../support/gateway.ts";
import { startCollector, startGrpcCollector } from "../support/otlp.ts";

const QUEUE = 20;

async function gatewayWith(t: TestContext, env: Readonly<Record<string, string>>): Promise<ChildGateway> {
  const gateway = await startChildGateway({ policy: BASIC_POLICY, env: { OTEL_BSP_SCHEDULE_DELAY: "100", ...env } });
  t.after(() => gateway.stop());
  return gateway;
}

/** Milliseconds and exchange id of one call. */
async function call(gateway: ChildGateway): Promise<{ readonly ms: number; readonly id: string | null; readonly traced: boolean }> {
  const begun = performance.now();
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.key()}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello" }] }),
  });
  await answer.text();
  assert.equal(answer.status, 200);
  return { ms: performance.now() - begun, id: answer.headers.get("x-ai-request-id"), traced: answer.headers.has("traceresponse") };
}

async function metric(gateway: ChildGateway, name: string): Promise<number> {
  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}

test("a collector that hangs: no call waits, the queue stays at its cap, losses are counted and said once; it recovers", {
  timeout: 60_000,
}, async (t) => {
  const collector = await startCollector();
  t.after(() => collector.close());
  collector.behave("hang");
  const gateway = await gatewayWith(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_METRICS_EXPORTER: "none",
    OTEL_BSP_MAX_QUEUE_SIZE: String(QUEUE),
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "10",
    OTEL_BSP_EXPORT_TIMEOUT: "3000",
    OTEL_EXPORTER_OTLP_TIMEOUT: "2000",
  });
  await call(gateway);
  const calls = 80;
  const took: number[] = [];
  for (let index = 1; index < calls; index++) took.push((await call(gateway)).ms);
  took.sort((one, other) => one - other);
  assert.ok((took.at(-1) ?? 0) < 500, `slowest ${took.at(-1)} ms`);
  await sleep(100);
  const [exported, dropped, failed, queued] = await Promise.all(
    ["exported_total", "dropped_total", "failed_total", "queued"].map((name) => metric(gateway, `sluice_telemetry_spans_${name}`)),
  );
  assert.equal((exported ?? 0) + (dropped ?? 0) + (failed ?? 0) + (queued ?? 0), calls, "every span is accounted for");
  assert.ok((queued ?? 99) <= QUEUE, `${queued} wait`);
  assert.ok((dropped ?? 0) > 0, `${dropped} dropped`);
  assert.equal((await gateway.records(calls)).length, calls, "no record is lost");
  for (let waited = 0; waited < 8_000 && (await metric(gateway, "sluice_telemetry_failing")) !== 1; waited += 100) await sleep(100);
  assert.equal(await metric(gateway, "sluice_telemetry_failing"), 1);

  collector.behave("ok");
  const back = await (async () => {
    for (let tries = 0; tries < 60; tries++) {
      const { id } = await call(gateway);
      await sleep(150);
      if (collector.spans.some((span) => span.attributes["sluice.id"] === id)) return true;
    }
    return false;
  })();
  assert.ok(back, "spans arrive again");
  assert.equal(await metric(gateway, "sluice_telemetry_failing"), 0);
  const said = gateway.said();
  assert.equal(said.split("telemetry_not_exported").length - 1, 1, said);
  assert.ok(said.includes("telemetry_exported_again"));
});

test("a collector that is not there: calls go on, and a stop does not wait for it", { timeout: 60_000 }, async (t) => {
  const gateway = await gatewayWith(t, { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await freePort()}` });
  for (let index = 0; index < 10; index++) assert.ok((await call(gateway)).ms < 500);
  const { code, ms } = await gateway.end();
  assert.equal(code, 0, gateway.said());
  assert.ok(ms < 7_000, `${ms} ms`);
});

test("a collector that takes connections and never answers: a stop does not wait for it either", { timeout: 60_000 }, async (t) => {
  const hole = createServer(() => {});
  await new Promise<void>((resolve) => hole.listen(0, "127.0.0.1", resolve));
  t.after(() => hole.close());
  const address = hole.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const gateway = await gatewayWith(t, { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
  await call(gateway);
  const { code, ms } = await gateway.end();
  assert.equal(code, 0, gateway.said());
  assert.ok(ms < 7_000, `${ms} ms`);
});

test("a stop sends what waits: no span of an orderly end is lost", { timeout: 60_000 }, async (t) => {
  const collector = await startCollector();
  t.after(() => collector.close());
  const gateway = await gatewayWith(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: "60000",
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  });
  const ids: (string | null)[] = [];
  for (let index = 0; index < 12; index++) ids.push((await call(gateway)).id);
  assert.equal((await gateway.end()).code, 0);
  const seen = new Set(collector.spans.map((span) => span.attributes["sluice.id"]));
  for (const id of ids) assert.ok(id !== null && seen.has(id), String(id));
  assert.ok(
    [...collector.contentTypes].every((type) => type.includes("json")),
    "by JSON, as asked",
  );
  assert.ok((collector.metrics.get("sluice.exchanges")?.points.length ?? 0) > 0, "metrics go out at the end, too");
  assert.deepEqual(collector.malformed, []);
});

test("gRPC, and a service name of one's own", { timeout: 60_000 }, async (t) => {
  const collector = await startGrpcCollector();
  t.after(() => collector.close());
  const gateway = await gatewayWith(t, {
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
    OTEL_SERVICE_NAME: "llm-gateway",
  });
  const { id } = await call(gateway);
  for (let waited = 0; waited < 10_000 && collector.spans.length === 0; waited += 50) await sleep(50);
  assert.deepEqual(
    collector.spans.map((span) => [span.attributes["sluice.id"], span.resource["service.name"]]),
    [[id, "llm-gateway"]],
  );
});

test("nothing is exported, and no trace begun, unless an endpoint is set; OTEL_SDK_DISABLED wins; a caller's trace still goes through", {
  timeout: 60_000,
}, async (t) => {
  const collector = await startCollector();
  t.after(() => collector.close());
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  for (const env of [{}, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SDK_DISABLED: "true" }]) {
    const gateway = await gatewayWith(t, env);
    assert.equal((await call(gateway)).traced, false);
    const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${gateway.key()}`, "content-type": "application/json", traceparent },
      body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello" }] }),
    });
    await answer.text();
    assert.equal(gateway.simulator.requests.at(-1)?.headers["traceparent"], traceparent);
    assert.equal((await gateway.end()).code, 0);
  }
  assert.equal(collector.bodies.length, 0);
});
