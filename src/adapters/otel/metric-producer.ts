import { type HrTime, ValueType } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  type CollectionResult,
  DataPointType,
  type MetricData,
  type MetricProducer,
} from "@opentelemetry/sdk-metrics";
import type { Labels, MetricFamily, MetricSource } from "../../ports/telemetry.ts";

/** Units that are no counts. */
const FRACTIONS: readonly string[] = ["s", "USD", "1"];

/**
 * Hands the process's own aggregates to the SDK's reader, so that an exchange is counted once, cheaply, and whoever reads does
 * the converting. Cumulative since the start; a preference for deltas is the collector's to fulfil.
 */
export function metricProducer(
  source: MetricSource,
  scope: { readonly name: string; readonly version: string },
  resource: Resource,
): MetricProducer {
  return {
    collect: (): Promise<CollectionResult> => {
      const startTime = hrTime(source.startedWallMs);
      const endTime = hrTime(Date.now());
      const metrics = source
        .families()
        .filter((family) => family.points.length > 0)
        .map((family) => convert(family, startTime, endTime));
      // The reader puts its own resource in this one's place.
      return Promise.resolve({ resourceMetrics: { resource, scopeMetrics: [{ scope, metrics }] }, errors: [] });
    },
  };
}

function convert(family: MetricFamily, startTime: HrTime, endTime: HrTime): MetricData {
  const { name, unit, help } = family;
  const whole = family.kind !== "histogram" && !FRACTIONS.includes(unit);
  const descriptor = { name, unit, description: help, valueType: whole ? ValueType.INT : ValueType.DOUBLE };
  const head = { descriptor, aggregationTemporality: AggregationTemporality.CUMULATIVE };
  if (family.kind === "histogram") {
    const boundaries = [...family.bounds];
    const dataPoints = family.points.map(({ labels, counts, sum, count }) => ({
      startTime,
      endTime,
      attributes: attributes(labels),
      value: { buckets: { boundaries, counts: Array.from(counts) }, sum, count },
    }));
    return { ...head, dataPointType: DataPointType.HISTOGRAM, dataPoints };
  }
  const dataPoints = family.points.map(({ labels, value }) => ({ startTime, endTime, attributes: attributes(labels), value }));
  return family.kind === "counter"
    ? { ...head, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
    : { ...head, dataPointType: DataPointType.GAUGE, dataPoints };
}

function attributes(labels: Labels): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name in labels) {
    const value = labels[name];
    if (value !== undefined && value !== "") kept[name] = value;
  }
  return kept;
}

const hrTime = (wallMs: number): HrTime => [Math.trunc(wallMs / 1000), Math.round((wallMs % 1000) * 1e6)];
