import type { ExchangeRecord } from "../core/record.ts";

/** Labels by OpenTelemetry attribute name; an empty value is left out by every exporter. */
export type Labels = Readonly<Record<string, string>>;

/** One observation of a histogram's bucket that a trace can be found by. */
export interface Exemplar {
  readonly value: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly wallMs: number;
}
export interface NumberPoint {
  readonly labels: Labels;
  readonly value: number;
}
export interface HistogramPoint {
  readonly labels: Labels;
  /** Observations a bucket, not cumulative; one more than `bounds`. */
  readonly counts: ArrayLike<number>;
  readonly sum: number;
  readonly count: number;
  /** At most one a bucket. */
  readonly exemplars: ReadonlyArray<Exemplar | undefined>;
}

interface FamilyHead {
  /** OpenTelemetry's name: `sluice.exchange.duration`. */
  readonly name: string;
  /** UCUM: `s`, `By`, `{token}`; "" for none. */
  readonly unit: string;
  readonly help: string;
}
/** All series of one metric, as they are now; cumulative since `MetricSource.startedWallMs`. Every exporter reads this one form. */
export type MetricFamily =
  | (FamilyHead & { readonly kind: "counter" | "gauge"; readonly points: readonly NumberPoint[] })
  | (FamilyHead & { readonly kind: "histogram"; readonly bounds: readonly number[]; readonly points: readonly HistogramPoint[] });

export interface MetricSource {
  readonly startedWallMs: number;
  families(): readonly MetricFamily[];
}

/** Where an exchange stands in its trace; made when it arrives. */
export interface TraceContext {
  /** 32 lower-case hex digits: the caller's, or new. */
  readonly traceId: string;
  /** 16 lower-case hex digits: this exchange's span. */
  readonly spanId: string;
  /** The caller's span. */
  readonly parentId: string | undefined;
  /** The caller's vendor state, for the span alone; it is not sent on. */
  readonly state: string | undefined;
  readonly sampled: boolean;
}

/** What a span says beyond the record. */
export interface SpanFacts {
  readonly arrivedWallMs: number;
  readonly serverAddress: string | undefined;
  readonly serverPort: number | undefined;
  /** The output cap that went to the provider. */
  readonly outputTokensMax: number | undefined;
  readonly choices: number | undefined;
}

/** Spans of exchanges. No call waits, throws, or costs more when the collector is slow or gone. */
export interface TelemetryPort {
  /** The exchange's place in the caller's trace. Header values as they came; an unusable `traceparent` starts a new trace. */
  begin(traceparent: string | undefined, tracestate: string | undefined): TraceContext;
  /** Takes a finished exchange; its span is made later. A full queue drops and counts it. */
  end(record: ExchangeRecord, trace: TraceContext, facts: SpanFacts): void;
  readonly stats: TelemetryStats;
  /** Sends what is queued, waiting at most `deadlineMs`. */
  close(deadlineMs: number): Promise<void>;
}
export interface TelemetryStats {
  /** Spans that the collector took. */
  readonly exported: number;
  /** Spans never made, because the queue was full. */
  readonly dropped: number;
  /** Spans that the collector did not take, after the exporter's own retries. */
  readonly failed: number;
  readonly queued: number;
  /** The last export failed. */
  readonly failing: boolean;
}

/** W3C `traceparent` (Trace Context, section 3.2): version 00, or the beginning of a later one. undefined: not usable. */
export function parseTraceparent(
  text: string | undefined,
): { readonly traceId: string; readonly spanId: string; readonly sampled: boolean } | undefined {
  if (text === undefined || text.length < 55 || text.length > 512) return undefined;
  const found = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(text);
  const [, version, traceId, spanId, flags, more] = found ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === "ff" || (version === "00" && more !== undefined) || NONE.test(traceId) || NONE.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
const NONE = /^0+$/;

/** The header of this exchange's span: for the provider as `traceparent`, for the caller as `traceresponse`. */
export const formatTraceparent = (trace: TraceContext): string => `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? "01" : "00"}`;
