import assert from "node:assert/strict";
import { test } from "node:test";
import type { Catalog } from "../core/policy.ts";
import type { ExchangeRecord } from "../core/record.ts";
import { METRICS } from "./metrics/definitions.ts";
import { formatFor } from "./metrics/prometheus.ts";
import { Metrics } from "./metrics.ts";

const CATALOG: Catalog = {
  providers: new Map(),
  models: new Map([["gpt", { name: "gpt", family: undefined, targets: [] }]]),
  tiers: new Map(),
};

function served(more: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    v: 1,
    id: "e1",
    time: "2026-11-23T10:00:00.000Z",
    tenant: "acme",
    app: "bot",
    useCase: "chat",
    method: "POST",
    path: "/v1/chat/completions",
    surface: "openai.chat",
    operation: "chat",
    streaming: true,
    stages: [
      { stage: "access", mode: "enforce", verdict: "allow", us: 30 },
      { stage: "caps", mode: "shadow", verdict: "deny", code: "cost_cap", us: 400 },
    ],
    decision: "allowed",
    model: "gpt",
    target: { provider: "openai", model: "gpt-4o", cluster: "c" },
    attempts: 3,
    status: 200,
    ending: "served",
    usage: { inputTokens: 12, outputTokens: 5, cachedInputTokens: 4, reported: {} },
    cost: { nanoUsd: 4_800, price: "policy", estimated: false },
    ms: { total: 500, sidecar: 0.4, decided: 10, firstToken: 100 },
    bytes: { request: 1, answer: 1 },
    digests: {},
    ...more,
  };
}

const text = (metrics: Metrics, accept?: string): readonly string[] => [...metrics.text(formatFor(accept))].join("").split("\n");

test("a served call counts once everywhere, and the sums are the record's", () => {
  const metrics = new Metrics();
  metrics.observe(served(), CATALOG);
  metrics.observe(served({ ending: "aborted" }), CATALOG);
  const lines = text(metrics);
  const who = 'tenant="acme",app="bot",use_case="chat"';
  const where = 'gen_ai_request_model="gpt",provider="openai"';
  for (const line of [
    `sluice_exchanges_total{${who},surface="openai.chat",${where},decision="allowed",ending="served"} 1`,
    `sluice_exchanges_total{${who},surface="openai.chat",${where},decision="allowed",ending="aborted"} 1`,
    `sluice_tokens_total{${who},${where},token_kind="input"} 24`,
    `sluice_tokens_total{${who},${where},token_kind="output"} 10`,
    `sluice_tokens_total{${who},${where},token_kind="cached_input"} 8`,
    `sluice_cost_usd_total{${who},${where}} 0.0000096`,
    `sluice_upstream_attempts_total{${where}} 6`,
    `sluice_upstream_retries_total{${where}} 4`,
    `sluice_would_deny_total{${who},stage="caps",mode="shadow",code="cost_cap"} 2`,
    `sluice_exchange_duration_seconds_bucket{${who},le="0.25"} 0`,
    `sluice_exchange_duration_seconds_bucket{${who},le="0.5"} 2`,
    `sluice_exchange_duration_seconds_count{${who}} 2`,
    'sluice_stage_duration_seconds_bucket{stage="caps",le="0.0005"} 2',
    `gen_ai_server_time_to_first_token_seconds_sum{gen_ai_operation_name="chat",gen_ai_provider_name="openai",${where}} 0.18`,
    `gen_ai_server_time_per_output_token_seconds_sum{gen_ai_operation_name="chat",gen_ai_provider_name="openai",${where}} 0.1`,
    `gen_ai_client_operation_duration_seconds_count{gen_ai_operation_name="chat",gen_ai_provider_name="openai",${where},error_type="aborted"} 1`,
    `gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_provider_name="openai",${where},gen_ai_token_type="input"} 24`,
  ])
    assert.ok(lines.includes(line), `${line}\n in\n${lines.join("\n")}`);
});

test("a model that no policy names cannot make series: callers' words are no labels", () => {
  const metrics = new Metrics();
  for (let index = 0; index < 5_000; index++) metrics.observe(served({ model: `my secret prompt ${index}` }), CATALOG);
  const all = text(metrics);
  assert.ok(!all.some((line) => line.includes("secret")));
  assert.ok(all.some((line) => line.includes('gen_ai_request_model="other"') && line.endsWith(" 5000")));
});

test("however many label values come, series stay bounded and no count is lost", () => {
  const metrics = new Metrics();
  for (let index = 0; index < 30_000; index++) metrics.observe(served({ app: `app-${index}` }), CATALOG);
  const series = text(metrics).filter((line) => line.startsWith("sluice_exchanges_total{"));
  assert.ok(series.length <= 2_001, String(series.length));
  assert.equal(
    series.map((line) => Number(line.split(" ").at(-1))).reduce((sum, count) => sum + count, 0),
    30_000,
  );
  assert.ok(series.some((line) => line.includes('app="other"')));
});

test("label values are escaped, so that no name can break the text", () => {
  const metrics = new Metrics();
  metrics.observe(served({ app: 'a"b\\c\nd' }), CATALOG);
  assert.ok(text(metrics).some((line) => line.includes('app="a\\"b\\\\c\\nd"')));
});

test("OpenMetrics on request: exemplars of sampled spans, counter families without suffix, an end mark; never in the older text", () => {
  const metrics = new Metrics();
  const trace = { id: "ab".repeat(16), span: "cd".repeat(8), sampled: true };
  metrics.observe(served({ trace }), CATALOG);
  metrics.observe(served({ trace: { ...trace, id: "ef".repeat(16), sampled: false }, ms: { total: 20_000, sidecar: 1 } }), CATALOG);
  const open = text(metrics, "application/openmetrics-text; version=1.0.0; charset=utf-8,text/plain;q=0.5");
  assert.equal(open.at(-2), "# EOF");
  assert.ok(open.includes("# TYPE sluice_exchanges counter"));
  const bucket = open.find((line) => line.startsWith("sluice_exchange_duration_seconds_bucket") && line.includes('le="0.5"')) ?? "";
  assert.match(bucket, / 1 # \{trace_id="(ab){16}",span_id="(cd){8}"\} 0\.5 \d+\.\d{3}$/);
  assert.ok(!open.some((line) => line.includes("efef")), "an unsampled trace leads nowhere");
  const plain = text(metrics, "text/plain");
  assert.ok(!plain.some((line) => line.includes("trace_id") || line.includes("# EOF")));
});

test("what was only observed counts as such, and as nobody's refusal; its trial verdicts count", () => {
  const metrics = new Metrics();
  metrics.observe(served({ observed: true, code: "contract_violation" }), CATALOG);
  const lines = text(metrics);
  assert.ok(lines.some((line) => line.includes('decision="observed",ending="served"') && line.endsWith(" 1")));
  assert.ok(!lines.some((line) => line.startsWith("sluice_refusals_total{")));
  assert.ok(lines.some((line) => line.startsWith("sluice_would_deny_total{")));
});

test("limits and budgets without room count as refusals where they refuse, and as would-be ones where they only watch", () => {
  const metrics = new Metrics();
  const evidence = { scopes: [{ scope: "tenant", unit: "tokens", window: "1m", state: "refused", limit: 5, used: 5 }] } as const;
  for (const mode of ["enforce", "shadow", "warn"] as const)
    metrics.observe(served({ stages: [{ stage: "limits", mode, verdict: "deny", code: "rate_limited", evidence }] }), CATALOG);
  const lines = text(metrics);
  const who = 'tenant="acme",app="bot",use_case="chat"';
  assert.ok(lines.includes(`sluice_ledger_refusals_total{${who},ledger_unit="tokens",ledger_window="1m"} 1`));
  for (const mode of ["shadow", "warn"])
    assert.ok(lines.includes(`sluice_would_deny_total{${who},stage="limits",mode="${mode}",code="rate_limited"} 1`));
});

test("numbers that others keep are read when the text is", () => {
  const metrics = new Metrics();
  let value = 1;
  metrics.watch({ metric: METRICS.inFlight, read: () => value });
  value = 7;
  assert.ok(text(metrics).includes("sluice_exchanges_in_flight 7"));
});
