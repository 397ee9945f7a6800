import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import { OTLPMetricExporter as GrpcMetrics } from "@opentelemetry/exporter-metrics-otlp-grpc";
import { OTLPMetricExporter as JsonMetrics } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPMetricExporter as ProtobufMetrics } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter as GrpcTraces } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as JsonTraces } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufTraces } from "@opentelemetry/exporter-trace-otlp-proto";
import type { PushMetricExporter, ResourceMetrics } from "@opentelemetry/sdk-metrics";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import type { Protocol } from "./settings.ts";

/** Exporters by protocol; endpoint, headers, certificates, compression and timeout are theirs to read from the environment. */
export function traceExporter(protocol: Protocol): SpanExporter {
  switch (protocol) {
    case "grpc":
      return new GrpcTraces();
    case "http/json":
      return new JsonTraces();
    case "http/protobuf":
      return new ProtobufTraces();
  }
}

export function metricExporter(protocol: Protocol): PushMetricExporter {
  switch (protocol) {
    case "grpc":
      return new GrpcMetrics();
    case "http/json":
      return new JsonMetrics();
    case "http/protobuf":
      return new ProtobufMetrics();
  }
}

/** Told once for each export, whatever becomes of it. */
export type Settled = (count: number, error: Error | undefined) => void;

/** A span exporter whose every export is settled within `waitMs`, also if the one inside never answers. */
export class WatchedSpans implements SpanExporter {
  readonly #inner: SpanExporter;
  readonly #settled: Settled;
  readonly #waitMs: number;
  constructor(inner: SpanExporter, waitMs: number, settled: Settled) {
    this.#inner = inner;
    this.#waitMs = waitMs;
    this.#settled = settled;
  }
  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    let open = true;
    const settle = (result: ExportResult): void => {
      if (!open) return;
      open = false;
      clearTimeout(timer);
      this.#settled(spans.length, result.code === ExportResultCode.SUCCESS ? undefined : (result.error ?? new Error("export failed")));
      done(result);
    };
    const timer = setTimeout(() => settle({ code: ExportResultCode.FAILED, error: new Error("timeout") }), this.#waitMs).unref();
    this.#inner.export(spans, settle);
  }
  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }
  async forceFlush(): Promise<void> {
    await this.#inner.forceFlush?.();
  }
}

/** A metric exporter that says how each export went. */
export class WatchedMetrics implements PushMetricExporter {
  readonly #inner: PushMetricExporter;
  readonly #settled: Settled;
  constructor(inner: PushMetricExporter, settled: Settled) {
    this.#inner = inner;
    this.#settled = settled;
  }
  export(metrics: ResourceMetrics, done: (result: ExportResult) => void): void {
    this.#inner.export(metrics, (result) => {
      this.#settled(1, result.code === ExportResultCode.SUCCESS ? undefined : (result.error ?? new Error("export failed")));
      done(result);
    });
  }
  forceFlush(): Promise<void> {
    return this.#inner.forceFlush();
  }
  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }
}
