import assert from "node:assert/strict";
import { test } from "node:test";
import { readTelemetrySettings } from "./settings.ts";

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };

test("nothing is exported unless an endpoint is set, and nothing when the SDK is disabled", () => {
  for (const env of [
    {},
    { OTEL_EXPORTER_OTLP_ENDPOINT: " " },
    { OTEL_SERVICE_NAME: "x", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
    { ...ENDPOINT, OTEL_SDK_DISABLED: "TRUE" },
    { ...ENDPOINT, OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none" },
  ])
    assert.deepEqual(readTelemetrySettings(env), { settings: undefined, warnings: [] });
});

test("an endpoint for one signal switches on that one; a protocol of its own wins", () => {
  const traces = readTelemetrySettings({
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://c",
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/json",
  });
  assert.deepEqual([traces.settings?.traces?.protocol, traces.settings?.metrics], ["http/json", undefined]);
  const metrics = readTelemetrySettings({ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://c" });
  assert.deepEqual([metrics.settings?.traces, metrics.settings?.metrics?.protocol], [undefined, "http/protobuf"]);
});

test("defaults are the standard's, but for the batch; the service is named unless the environment names it", () => {
  const { settings, warnings } = readTelemetrySettings(ENDPOINT);
  assert.deepEqual(warnings, []);
  assert.deepEqual(settings, {
    traces: {
      protocol: "http/protobuf",
      sampler: "parentbased_always_on",
      ratio: 1,
      queueMax: 2048,
      batchMax: 128,
      delayMs: 5_000,
      exportTimeoutMs: 30_000,
    },
    metrics: { protocol: "http/protobuf", intervalMs: 60_000, timeoutMs: 30_000 },
    serviceName: "sluice",
  });
  for (const named of [{ OTEL_SERVICE_NAME: "mine" }, { OTEL_RESOURCE_ATTRIBUTES: "a=b, service.name=mine" }])
    assert.equal(readTelemetrySettings({ ...ENDPOINT, ...named }).settings?.serviceName, undefined);
});

test("a value that cannot be used is told by its variable, never by itself, and the default holds", () => {
  const bad = {
    OTEL_EXPORTER_OTLP_PROTOCOL: "secret-word",
    OTEL_TRACES_SAMPLER: "secret-word",
    OTEL_TRACES_SAMPLER_ARG: "2",
    OTEL_BSP_MAX_QUEUE_SIZE: "-1",
    OTEL_METRIC_EXPORT_INTERVAL: "soon",
  };
  const { settings, warnings } = readTelemetrySettings({ ...ENDPOINT, ...bad });
  assert.deepEqual(
    [
      settings?.traces?.protocol,
      settings?.traces?.sampler,
      settings?.traces?.ratio,
      settings?.traces?.queueMax,
      settings?.metrics?.intervalMs,
    ],
    ["http/protobuf", "parentbased_always_on", 1, 2048, 60_000],
  );
  for (const name of Object.keys(bad))
    assert.ok(
      warnings.some((warning) => warning.startsWith(name)),
      name,
    );
  assert.ok(!warnings.join().includes("secret-word"));
});

test("batch and timeout stay within queue and interval", () => {
  const { settings } = readTelemetrySettings({ ...ENDPOINT, OTEL_BSP_MAX_QUEUE_SIZE: "20", OTEL_METRIC_EXPORT_INTERVAL: "500" });
  assert.deepEqual([settings?.traces?.batchMax, settings?.metrics?.timeoutMs], [20, 500]);
});
