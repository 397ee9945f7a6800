/**
 * OpenTelemetry's standard environment variables, as far as they decide whether and how something is exported
 * (opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables, protocol/exporter). Headers, certificates,
 * compression and timeouts are read by the exporters themselves; nothing here holds a secret.
 */
export type Environment = Readonly<Record<string, string | undefined>>;

export const PROTOCOLS = ["grpc", "http/protobuf", "http/json"] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export const SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;
export type SamplerName = (typeof SAMPLERS)[number];

/** Spans in one request. Fewer than the standard's 512: a request is encoded in one go, and exchanges wait for that long. */
const BATCH = 128;

export interface TraceSettings {
  readonly protocol: Protocol;
  readonly sampler: SamplerName;
  /** Share of new traces that are sampled, 0 to 1. */
  readonly ratio: number;
  /** Spans that wait at most; further ones are dropped and counted. */
  readonly queueMax: number;
  readonly batchMax: number;
  readonly delayMs: number;
  readonly exportTimeoutMs: number;
}
export interface MetricSettings {
  readonly protocol: Protocol;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}
export interface TelemetrySettings {
  /** undefined: no spans are made. */
  readonly traces: TraceSettings | undefined;
  readonly metrics: MetricSettings | undefined;
  /** undefined: the environment names the service itself. */
  readonly serviceName: string | undefined;
}

/**
 * What the environment asks for; undefined when it asks for nothing, which is so unless an endpoint is set. `warnings` name
 * variables whose value is unusable and what is done instead, never the value.
 */
export function readTelemetrySettings(env: Environment): {
  readonly settings: TelemetrySettings | undefined;
  readonly warnings: readonly string[];
} {
  const warnings: string[] = [];
  const text = (name: string): string | undefined => {
    const value = env[name]?.trim();
    return value === "" ? undefined : value;
  };
  if (text("OTEL_SDK_DISABLED")?.toLowerCase() === "true") return { settings: undefined, warnings };
  const choice = <T extends string>(names: readonly string[], allowed: readonly T[], fallback: T): T => {
    for (const name of names) {
      const value = text(name);
      if (value === undefined) continue;
      const found = allowed.find((one) => one === value.toLowerCase());
      if (found !== undefined) return found;
      warnings.push(`${name} is none of ${allowed.join(", ")}; ${fallback} is used`);
    }
    return fallback;
  };
  const number = (name: string, fallback: number, max: number): number => {
    const value = text(name);
    if (value === undefined) return fallback;
    const found = Number(value);
    if (Number.isInteger(found) && found >= 1 && found <= max) return found;
    warnings.push(`${name} is no whole number from 1 to ${max}; ${fallback} is used`);
    return fallback;
  };
  const wanted = (signal: "TRACES" | "METRICS"): boolean => {
    if (text("OTEL_EXPORTER_OTLP_ENDPOINT") === undefined && text(`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`) === undefined) return false;
    return choice([`OTEL_${signal}_EXPORTER`], ["otlp", "none"], "otlp") === "otlp";
  };
  const protocol = (signal: "TRACES" | "METRICS"): Protocol =>
    choice([`OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`, "OTEL_EXPORTER_OTLP_PROTOCOL"], PROTOCOLS, "http/protobuf");

  const traces = wanted("TRACES");
  const metrics = wanted("METRICS");
  if (!traces && !metrics) return { settings: undefined, warnings };
  const queueMax = number("OTEL_BSP_MAX_QUEUE_SIZE", 2048, 100_000);
  const intervalMs = number("OTEL_METRIC_EXPORT_INTERVAL", 60_000, 86_400_000);
  return {
    settings: {
      traces: traces
        ? {
            protocol: protocol("TRACES"),
            sampler: choice(["OTEL_TRACES_SAMPLER"], SAMPLERS, "parentbased_always_on"),
            ratio: ratio(text("OTEL_TRACES_SAMPLER_ARG"), warnings),
            queueMax,
            batchMax: Math.min(queueMax, number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH, 100_000)),
            delayMs: number("OTEL_BSP_SCHEDULE_DELAY", 5_000, 3_600_000),
            exportTimeoutMs: number("OTEL_BSP_EXPORT_TIMEOUT", 30_000, 3_600_000),
          }
        : undefined,
      metrics: metrics
        ? {
            protocol: protocol("METRICS"),
            intervalMs,
            timeoutMs: Math.min(intervalMs, number("OTEL_METRIC_EXPORT_TIMEOUT", 30_000, 86_400_000)),
          }
        : undefined,
      serviceName: namesService(text) ? undefined : "sluice",
    },
    warnings,
  };
}

function ratio(text: string | undefined, warnings: string[]): number {
  if (text === undefined) return 1;
  const found = Number(text);
  if (found >= 0 && found <= 1) return found;
  warnings.push("OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1; 1 is used");
  return 1;
}

const namesService = (text: (name: string) => string | undefined): boolean =>
  text("OTEL_SERVICE_NAME") !== undefined || /(?:^|,)\s*service\.name\s*=/.test(text("OTEL_RESOURCE_ATTRIBUTES") ?? "");
