import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { METRICS, prometheusName } from "../../src/server/metrics/definitions.ts";
import { type ChildGateway, startChildGateway } from "../support/child-gateway.ts";
import { BASIC_POLICY } from "../support/gateway.ts";
import { type Collector, type ReceivedPoint, startCollector } from "../support/otlp.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

const POLICY = `${BASIC_POLICY}
  quiet:
    access: { models: [gpt-4o-mini] }
    telemetry: { propagate: false }
  tried:
    mode: shadow
    access: { models: [claude-haiku-4-5] }
`.replace("useCases: [chat]", "useCases: [chat, quiet, tried]");

let gateway: ChildGateway;
let collector: Collector;

before(async () => {
  collector = await startCollector();
  gateway = await startChildGateway({
    policy: POLICY,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: "100",
      OTEL_METRIC_EXPORT_INTERVAL: "300",
      OTEL_METRIC_EXPORT_TIMEOUT: "300",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
    },
  });
});
after(async () => {
  await gateway.stop();
  await collector.close();
});

function call(body: object, headers: Readonly<Record<string, string>> = {}, path = "/v1/chat/completions"): Promise<Response> {
  return fetch(`${gateway.url}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.key()}`, "content-type": "application/json", "x-ai-use-case": "chat", ...headers },
    body: JSON.stringify(body),
  });
}

const hello = (more: object = {}): object => ({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello there" }], ...more });

const spanOf = async (id: string | null) => {
  assert.ok(
    await collector.until(({ spans }) => spans.some((span) => span.attributes["sluice.id"] === id)),
    `a span of ${id}; ${gateway.said()}`,
  );
  const found = collector.spans.filter((span) => span.attributes["sluice.id"] === id);
  assert.equal(found.length, 1, "one span an exchange");
  const [span] = found;
  assert.ok(span !== undefined);
  return span;
};
const recordOf = async (id: string | null) => {
  for (let tries = 0; tries < 50; tries++) {
    const record = (await gateway.records()).find((one) => one.id === id);
    if (record !== undefined) return record;
  }
  throw new Error(`no record ${id}`);
};
const sentOn = (): Readonly<Record<string, unknown>> => gateway.simulator.requests.at(-1)?.headers ?? {};

test("a call in a trace: our span stands below the caller's, the provider's below ours, and the answer names ours", async () => {
  const answer = await call(hello({ max_tokens: 20 }), {
    traceparent: `00-${TRACE}-${PARENT}-01`,
    tracestate: "vendor=abc",
    baggage: "user=secret",
  });
  assert.equal(answer.status, 200);
  const body: {
    id: string;
    model: string;
    usage: { prompt_tokens: number; completion_tokens: number };
    choices: { finish_reason: string }[];
  } = JSON.parse(await answer.text());
  const id = answer.headers.get("x-ai-request-id");
  const span = await spanOf(id);
  assert.equal(span.traceId, TRACE);
  assert.equal(span.parentSpanId, PARENT);
  assert.equal(span.traceState, "vendor=abc");
  assert.equal(span.kind, 2);
  assert.equal(span.status, 0);
  assert.equal(span.name, "chat gpt-4o-mini");
  assert.equal(answer.headers.get("traceresponse"), `00-${TRACE}-${span.spanId}-01`);
  assert.equal(sentOn()["traceparent"], `00-${TRACE}-${span.spanId}-01`);
  assert.equal(sentOn()["tracestate"], undefined, "vendors' state stays with us");
  assert.equal(sentOn()["baggage"], undefined);
  const record = await recordOf(id);
  assert.deepEqual(record.trace, { id: TRACE, span: span.spanId, sampled: true });
  const host = new URL(gateway.simulator.url);
  const expected: Record<string, unknown> = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.request.max_tokens": 20,
    "gen_ai.response.model": body.model,
    "gen_ai.response.id": body.id,
    "gen_ai.response.finish_reasons": [body.choices[0]?.finish_reason],
    "gen_ai.usage.input_tokens": body.usage.prompt_tokens,
    "gen_ai.usage.output_tokens": body.usage.completion_tokens,
    "server.address": host.hostname,
    "server.port": Number(host.port),
    "http.request.method": "POST",
    "http.response.status_code": 200,
    "url.path": "/v1/chat/completions",
    "sluice.tenant": "acme",
    "sluice.app": "bot",
    "sluice.use_case": "chat",
    "sluice.policy": "acme/bot/chat@test.1",
    "sluice.decision": "allowed",
    "sluice.ending": "served",
    "sluice.provider": "openai",
    "sluice.attempts": 1,
    "sluice.cost_usd": (record.cost?.nanoUsd ?? Number.NaN) / 1e9,
  };
  for (const [name, value] of Object.entries(expected)) assert.deepEqual(span.attributes[name], value, name);
  assert.equal(span.attributes["error.type"], undefined);
  for (const { stage, us } of record.stages) assert.equal(span.attributes[`sluice.stage.${stage}.duration_us`], us, stage);
  for (const event of span.events) assert.ok(event.timeNs >= span.startNs && event.timeNs <= span.endNs, `${event.name} within the span`);
  const tookMs = Number(span.endNs - span.startNs) / 1e6;
  assert.ok(Math.abs(tookMs - record.ms.total) < 1, `${tookMs} ms of ${record.ms.total}`);
  assert.equal(span.resource["service.name"], "sluice");
  assert.equal(span.resource["deployment.environment.name"], "test");
});

test("a call without a trace begins one; an unusable traceparent is none", async () => {
  const seen = new Set<string>();
  for (const traceparent of [
    undefined,
    `00-${"0".repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-01-more`,
    "ff-garbage",
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
  ]) {
    const answer = await call(hello(), traceparent === undefined ? {} : { traceparent });
    await answer.text();
    const span = await spanOf(answer.headers.get("x-ai-request-id"));
    assert.equal(span.parentSpanId, "");
    assert.match(span.traceId, /^(?!0+$)[0-9a-f]{32}$/);
    assert.notEqual(span.traceId, TRACE);
    seen.add(span.traceId);
    assert.equal(sentOn()["traceparent"], `00-${span.traceId}-${span.spanId}-01`);
  }
  assert.equal(seen.size, 5);
});

test("a caller that does not sample gets no span, and the provider hears the same", async () => {
  const before = collector.spans.length;
  const answer = await call(hello(), { traceparent: `00-${TRACE}-${PARENT}-00` });
  await answer.text();
  assert.match(answer.headers.get("traceresponse") ?? "", new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
  assert.match(String(sentOn()["traceparent"]), new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
  const next = await call(hello());
  await next.text();
  await spanOf(next.headers.get("x-ai-request-id"));
  assert.equal(collector.spans.length, before + 1);
});

test("a use case that does not propagate: the span is made, the provider is told nothing", async () => {
  const answer = await call(hello(), { "x-ai-use-case": "quiet", traceparent: `00-${TRACE}-${PARENT}-01` });
  await answer.text();
  assert.equal(answer.status, 200);
  assert.equal(sentOn()["traceparent"], undefined);
  assert.equal((await spanOf(answer.headers.get("x-ai-request-id"))).parentSpanId, PARENT);
});

test("streams, refusals and provider's errors: first token, code and error.type are told; a refusal is no error of the gateway", async () => {
  const stream = await call(hello({ stream: true }));
  await stream.text();
  const streamed = await spanOf(stream.headers.get("x-ai-request-id"));
  assert.equal(streamed.attributes["gen_ai.request.stream"], true);
  assert.ok(Number(streamed.attributes["gen_ai.response.time_to_first_chunk"]) > 0);
  assert.ok(streamed.events.some(({ name }) => name === "sluice.first_token"));

  const refused = await call(hello({ model: "secret-model" }), { traceparent: `00-${TRACE}-${PARENT}-01` });
  assert.equal(refused.status, 403);
  await refused.text();
  const no = await spanOf(refused.headers.get("x-ai-request-id"));
  assert.match(refused.headers.get("traceresponse") ?? "", new RegExp(`^00-${TRACE}-${no.spanId}-01$`));
  assert.equal(no.name, "chat");
  assert.deepEqual(
    [no.attributes["error.type"], no.attributes["sluice.decision"], no.attributes["server.address"]],
    ["model_not_allowed", "refused", undefined],
  );
  assert.equal(no.status, 0);
  const [verdict] = no.events.filter(({ name }) => name === "sluice.stage").map(({ attributes }) => attributes);
  assert.deepEqual(verdict, {
    "sluice.stage": "access",
    "sluice.mode": "enforce",
    "sluice.verdict": "deny",
    "sluice.code": "model_not_allowed",
  });

  const failed = await call({ model: "gpt-4o-mini", messages: [{ role: "user", content: "[[sim status=500]]" }] });
  assert.equal(failed.status, 500);
  await failed.text();
  const error = await spanOf(failed.headers.get("x-ai-request-id"));
  assert.deepEqual([error.status, error.attributes["error.type"]], [2, "upstream_error"]);
});

test("other dialects by their names; a path that nobody serves is a span without its words", async () => {
  const messages = await call(
    { model: "claude-haiku-4-5", max_tokens: 30, messages: [{ role: "user", content: "Hi" }] },
    { "anthropic-version": "2023-06-01" },
    "/v1/messages",
  );
  await messages.text();
  const claude = await spanOf(messages.headers.get("x-ai-request-id"));
  assert.deepEqual([claude.name, claude.attributes["gen_ai.provider.name"]], ["chat claude-haiku-4-5", "anthropic"]);
  const gemini = await call(
    { contents: [{ role: "user", parts: [{ text: "Hi" }] }] },
    {},
    "/v1beta/models/gemini-2.5-flash:generateContent",
  );
  await gemini.text();
  const google = await spanOf(gemini.headers.get("x-ai-request-id"));
  assert.deepEqual([google.name, google.attributes["gen_ai.provider.name"]], ["generate_content gemini-2.5-flash", "gcp.gemini"]);
  const unknown = await call({}, {}, "/my-secret-path");
  await unknown.text();
  const lost = await spanOf(unknown.headers.get("x-ai-request-id"));
  assert.equal(lost.name, "POST");
  assert.ok(!JSON.stringify(lost.attributes).includes("my-secret-path"));
});

test("metrics: what the collector adds up is what the records say, and what Prometheus shows", async () => {
  const shadow = await call(hello(), { "x-ai-use-case": "tried" });
  await shadow.text();
  assert.equal(shadow.status, 200, "shadow refuses nobody");
  const asked = gateway.simulator.requests.length;
  assert.ok(asked > 0);
  const expected = (await gateway.records()).length;
  const count = (points: readonly ReceivedPoint[] | undefined): number => (points ?? []).reduce((sum, { value = 0 }) => sum + value, 0);
  const arrived = await collector.until(({ metrics }) => count(metrics.get("sluice.exchanges")?.points) === expected);
  assert.ok(arrived, `${count(collector.metrics.get("sluice.exchanges")?.points)} of ${expected}`);
  await collector.until(({ metrics }) => (metrics.get("sluice.records.written")?.points[0]?.value ?? 0) === expected);
  const records = await gateway.records();
  const metric = (name: string) => {
    const found = collector.metrics.get(name);
    assert.ok(found !== undefined, `${name} among ${[...collector.metrics.keys()].join(", ")}`);
    return found;
  };
  const total = (of: (record: (typeof records)[number]) => number | undefined): number =>
    records.reduce((sum, record) => sum + (of(record) ?? 0), 0);
  const tokens = metric("sluice.tokens").points;
  const kind = (name: string) => count(tokens.filter(({ attributes }) => attributes["sluice.token.kind"] === name));
  assert.equal(
    kind("input"),
    total(({ usage }) => usage?.inputTokens),
  );
  assert.equal(
    kind("output"),
    total(({ usage }) => usage?.outputTokens),
  );
  assert.ok(Math.abs(count(metric("sluice.cost").points) - total(({ cost }) => cost?.nanoUsd) / 1e9) < 1e-12);
  assert.equal(count(metric("sluice.refusals").points), records.filter(({ code }) => code !== undefined).length);
  assert.equal(
    count(metric("sluice.would_deny").points),
    records.flatMap(({ stages }) => stages).filter(({ mode, verdict }) => mode !== "enforce" && verdict === "deny").length,
  );
  assert.ok(count(metric("sluice.would_deny").points) > 0);
  const exchanges = metric("sluice.exchanges");
  assert.deepEqual([exchanges.kind, exchanges.temporality, exchanges.monotonic, exchanges.unit], ["sum", 2, true, "{exchange}"]);
  const usage = metric("gen_ai.client.token.usage");
  assert.equal(usage.kind, "histogram");
  const input = usage.points.filter(({ attributes }) => attributes["gen_ai.token.type"] === "input");
  assert.equal(
    input.reduce((sum, point) => sum + (point.sum ?? 0), 0),
    kind("input"),
  );
  for (const point of usage.points)
    assert.equal(
      (point.bucketCounts ?? []).reduce((sum, one) => sum + one, 0),
      point.count,
      "buckets add up to the count",
    );
  assert.deepEqual(usage.points[0]?.bounds?.slice(0, 3), [1, 4, 16]);
  const durations = metric("gen_ai.client.operation.duration").points;
  assert.equal(
    durations.reduce((sum, point) => sum + (point.count ?? 0), 0),
    records.filter(({ target }) => target !== undefined).length,
  );
  for (const name of [
    "gen_ai.server.time_to_first_token",
    "gen_ai.server.time_per_output_token",
    "sluice.stage.duration",
    "nodejs.eventloop.delay.p99",
    "sluice.policy.info",
    "sluice.exchanges.in_flight",
  ])
    metric(name);

  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  const sum = (name: string): number =>
    text
      .split("\n")
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .reduce((all, line) => all + Number(line.split(" ").at(-1)), 0);
  assert.equal(sum("sluice_exchanges_total"), expected);
  assert.equal(sum("sluice_telemetry_spans_dropped_total"), 0);
  const open = await (await fetch(`${gateway.adminUrl}/metrics`, { headers: { accept: "application/openmetrics-text" } })).text();
  const told = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, kind]) => `${name} ${kind}`);
  // What counts workers is the supervisor's, which this process has none of.
  const documented = Object.values(METRICS).filter(({ name }) => !name.startsWith("sluice.worker"));
  assert.deepEqual(
    told.sort(),
    documented.map((one) => `${prometheusName(one)} ${one.kind}`).sort(),
    "every metric that is documented, and no other",
  );
  const exemplars = [...open.matchAll(/trace_id="([0-9a-f]{32})",span_id="([0-9a-f]{16})"/g)].map((found) => found[2]);
  assert.ok(exemplars.length > 0);
  // The last spans may still be on their way: they are sent in batches.
  const led = await collector.until(({ spans }) => {
    const known = new Set(spans.map(({ spanId }) => spanId));
    return exemplars.every((id) => id !== undefined && known.has(id));
  });
  assert.ok(led, "every exemplar leads to a span");
  assert.deepEqual(collector.malformed, []);
});
