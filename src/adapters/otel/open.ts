/**
 * Telemetry by OpenTelemetry's SDK, off the path of exchanges.
 *
 * An exchange asks for its ids when it arrives (no SDK object is made) and leaves its record when it has ended. Records wait in
 * a bounded queue; a few milliseconds later, in slices, they become spans of the SDK, which batches and exports them. The queue
 * counts what waits here and in the SDK together, so that a collector that is slow or gone costs memory up to the cap and
 * nothing else: past it, records are counted as dropped and no span is made. Metrics are read from the process's own aggregates
 * when the SDK's reader exports.
 *
 * Known miss: a crash loses the spans that wait; the records are what must not be lost.
 */
import { context, createTraceState, ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, type Tracer, trace } from "@opentelemetry/api";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { NodeSDK } from "@opentelemetry/sdk-node";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace";
import { SLICE_MS } from "../../core/limits.ts";
import type { ExchangeRecord } from "../../core/record.ts";
import type { Log } from "../../ports/log.ts";
import {
  type MetricSource,
  parseTraceparent,
  type SpanFacts,
  type TelemetryPort,
  type TelemetryStats,
  type TraceContext,
} from "../../ports/telemetry.ts";
import { exchangeSpan } from "./exchange-span.ts";
import { metricExporter, traceExporter, WatchedMetrics, WatchedSpans } from "./exporters.ts";
import { metricProducer } from "./metric-producer.ts";
import type { TelemetrySettings, TraceSettings } from "./settings.ts";
import { TraceIds } from "./trace-ids.ts";

/** Records gather this long before they become spans, so that many cost one wake-up. */
const GATHER_MS = 20;
/** Metric points in one request to the collector. */
const METRIC_BATCH_MAX = 5_000;
/** `tracestate` may have 512 characters (W3C Trace Context, 3.3.1.1); a longer one is not kept. */
const STATE_CHARS_MAX = 512;

export interface TelemetryOptions {
  readonly settings: TelemetrySettings;
  readonly source: MetricSource;
  /** Of the package. */
  readonly version: string;
  readonly log: Log;
}

/** Starts the SDK: spans, metrics or both, as the settings say. `port` is there where spans are made. */
export interface OpenTelemetry {
  readonly port: TelemetryPort | undefined;
  /** Sends what is left, waiting at most `deadlineMs`. */
  close(deadlineMs: number): Promise<void>;
}

export function openTelemetry(options: TelemetryOptions): OpenTelemetry {
  const { settings, version } = options;
  const resource = defaultResource().merge(resourceFromAttributes({ "service.version": version }));
  const spans = settings.traces === undefined ? undefined : new Spans(settings.traces, options.log);
  const sdk = new NodeSDK({
    resource,
    ...(settings.serviceName === undefined ? {} : { serviceName: settings.serviceName }),
    spanProcessors: spans === undefined ? [] : [spans.processor],
    ...(spans === undefined ? {} : { idGenerator: spans }),
    // Decided when the exchange arrived; only sampled exchanges come this far.
    sampler: new AlwaysOnSampler(),
    metricReaders: settings.metrics === undefined ? [] : [reader(options, settings.metrics)],
    logRecordProcessors: [],
  });
  sdk.start();
  spans?.start(trace.getTracer("sluice", version));
  const close = async (deadlineMs: number): Promise<void> => {
    spans?.drain();
    const left = await Promise.race([
      sdk.shutdown().then(
        () => 0,
        () => spans?.stats.queued ?? 0,
      ),
      new Promise<number>((resolve) => setTimeout(() => resolve(spans?.stats.queued ?? 0), deadlineMs).unref()),
    ]);
    if (left > 0) options.log.warn("telemetry_lost", { spans: left });
    trace.disable();
    context.disable();
  };
  if (spans !== undefined) spans.close = close;
  return { port: spans, close };
}

function reader(
  { source, version, log }: TelemetryOptions,
  settings: { readonly protocol: TraceSettings["protocol"]; readonly intervalMs: number; readonly timeoutMs: number },
) {
  const health = new Health("metrics", log);
  return new PeriodicExportingMetricReader({
    exporter: new WatchedMetrics(metricExporter(settings.protocol), (_, error) => health.note(error)),
    exportIntervalMillis: settings.intervalMs,
    exportTimeoutMillis: settings.timeoutMs,
    metricProducers: [metricProducer(source, { name: "sluice", version }, defaultResource())],
    maxExportBatchSize: METRIC_BATCH_MAX,
  });
}

/** Says once that exports fail, and once that they work again: a collector may be away for hours. */
class Health {
  failing = false;
  readonly #signal: string;
  readonly #log: Log;
  constructor(signal: string, log: Log) {
    this.#signal = signal;
    this.#log = log;
  }
  /** The error's message may hold what the collector answered; only its kind is told. */
  note(error: Error | undefined): void {
    const failing = error !== undefined;
    if (failing === this.failing) return;
    this.failing = failing;
    if (!failing) {
      this.#log.info("telemetry_exported_again", { signal: this.#signal });
      return;
    }
    const code = "code" in error && (typeof error.code === "string" || typeof error.code === "number") ? { code: String(error.code) } : {};
    this.#log.warn("telemetry_not_exported", { signal: this.#signal, error: error.name, ...code });
  }
}

interface Waiting {
  readonly record: ExchangeRecord;
  readonly trace: TraceContext;
  readonly facts: SpanFacts;
}

class Spans implements TelemetryPort {
  readonly processor: BatchSpanProcessor;
  readonly #settings: TraceSettings;
  readonly #sampler: Sampler;
  readonly #ids = new TraceIds();
  readonly #health: Health;
  #tracer: Tracer | undefined;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Spans that the SDK holds. */
  #handed = 0;
  #exported = 0;
  #dropped = 0;
  #failed = 0;
  /** Whose ids the span that is being made gets. */
  #making: TraceContext | undefined;
  close: (deadlineMs: number) => Promise<void> = async () => {};

  constructor(settings: TraceSettings, log: Log) {
    this.#settings = settings;
    this.#sampler = samplerOf(settings);
    this.#health = new Health("traces", log);
    this.processor = new BatchSpanProcessor({
      exporter: new WatchedSpans(traceExporter(settings.protocol), settings.exportTimeoutMs, (count, error) => {
        this.#handed -= count;
        if (error === undefined) this.#exported += count;
        else this.#failed += count;
        this.#health.note(error);
      }),
      maxQueueSize: settings.queueMax,
      maxExportBatchSize: settings.batchMax,
      scheduledDelayMillis: settings.delayMs,
      exportTimeoutMillis: settings.exportTimeoutMs,
    });
  }

  start(tracer: Tracer): void {
    this.#tracer = tracer;
  }

  begin(traceparent: string | undefined, tracestate: string | undefined): TraceContext {
    const parent = parseTraceparent(traceparent);
    const traceId = parent?.traceId ?? this.#ids.traceId();
    const caller =
      parent === undefined
        ? ROOT_CONTEXT
        : trace.setSpanContext(ROOT_CONTEXT, {
            ...parent,
            traceFlags: parent.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
            isRemote: true,
          });
    const { decision } = this.#sampler.shouldSample(caller, traceId, "", SpanKind.SERVER, {}, []);
    return {
      traceId,
      spanId: this.#ids.spanId(),
      parentId: parent?.spanId,
      state: parent === undefined || tracestate === undefined || tracestate.length > STATE_CHARS_MAX ? undefined : tracestate,
      sampled: decision === SamplingDecision.RECORD_AND_SAMPLED,
    };
  }

  end(record: ExchangeRecord, traceContext: TraceContext, facts: SpanFacts): void {
    if (!traceContext.sampled) return;
    if (this.#waiting.length + this.#handed >= this.#settings.queueMax) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push({ record, trace: traceContext, facts });
    this.#timer ??= setTimeout(() => this.#work(), GATHER_MS).unref();
  }

  get stats(): TelemetryStats {
    return {
      exported: this.#exported,
      dropped: this.#dropped,
      failed: this.#failed,
      queued: this.#waiting.length + this.#handed,
      failing: this.#health.failing,
    };
  }

  /** Hands over everything at once, at the end. */
  drain(): void {
    clearTimeout(this.#timer);
    for (const waiting of this.#waiting.splice(0)) this.#make(waiting);
  }

  #work(): void {
    const begun = performance.now();
    let made = 0;
    for (const waiting of this.#waiting) {
      this.#make(waiting);
      made += 1;
      if (performance.now() - begun > SLICE_MS / 2) break;
    }
    this.#waiting.splice(0, made);
    this.#timer = this.#waiting.length === 0 ? undefined : setTimeout(() => this.#work(), 1).unref();
  }

  #make({ record, trace: own, facts }: Waiting): void {
    if (this.#tracer === undefined) return;
    const { name, startMs, endMs, attributes, events, failed } = exchangeSpan(record, facts);
    const parent =
      own.parentId === undefined
        ? ROOT_CONTEXT
        : trace.setSpanContext(ROOT_CONTEXT, {
            traceId: own.traceId,
            spanId: own.parentId,
            traceFlags: TraceFlags.SAMPLED,
            isRemote: true,
            ...(own.state === undefined ? {} : { traceState: createTraceState(own.state) }),
          });
    this.#making = own;
    const span = this.#tracer.startSpan(name, { kind: SpanKind.SERVER, startTime: startMs, attributes }, parent);
    for (const event of events) span.addEvent(event.name, event.attributes, event.atMs);
    if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
    this.#handed += 1;
    span.end(endMs);
  }

  /** The SDK asks for ids while a span is made: they were given out when the exchange arrived. */
  generateTraceId(): string {
    return this.#making?.traceId ?? this.#ids.traceId();
  }
  generateSpanId(): string {
    return this.#making?.spanId ?? this.#ids.spanId();
  }
}

/** As the SDK makes them from the environment; made here because the decision is needed before there is a span. */
function samplerOf({ sampler, ratio }: TraceSettings): Sampler {
  switch (sampler) {
    case "always_on":
      return new AlwaysOnSampler();
    case "always_off":
      return new AlwaysOffSampler();
    case "traceidratio":
      return new TraceIdRatioBasedSampler(ratio);
    case "parentbased_always_on":
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case "parentbased_always_off":
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case "parentbased_traceidratio":
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  }
}
