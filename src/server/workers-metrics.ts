import type { HistogramPoint, Labels, MetricFamily, NumberPoint } from "../ports/telemetry.ts";

/** Gauges of which the worst counts, not the sum: flags, delays, ages. */
const WORST: readonly string[] = [
  ...[
    "sluice.records.failing",
    "sluice.telemetry.failing",
    "sluice.policy.reload.failing",
    "sluice.policy.info",
    "sluice.policy.loaded_time",
  ],
  ...["nodejs.eventloop.delay.p50", "nodejs.eventloop.delay.p99", "nodejs.eventloop.delay.max", "nodejs.eventloop.utilization"],
  ...["sluice.key_set.keys", "sluice.key_set.age", "sluice.key_set.failing", "sluice.ledger.failing", "sluice.remote.failing"],
  "process.uptime",
];

/** One view of several processes: counters, histograms and amounts are summed; of flags and delays the worst is shown. */
export function mergeFamilies(sources: readonly (readonly MetricFamily[])[]): readonly MetricFamily[] {
  const merged = new Map<string, MetricFamily>();
  for (const family of sources.flat()) {
    const before = merged.get(family.name);
    merged.set(family.name, before === undefined ? family : join(before, family));
  }
  return [...merged.values()];
}

/** What goes on counting when the process that counted is gone. */
export const lasting = (families: readonly MetricFamily[]): readonly MetricFamily[] => families.filter(({ kind }) => kind !== "gauge");

function join(a: MetricFamily, b: MetricFamily): MetricFamily {
  if (a.kind === "histogram") return b.kind === "histogram" ? { ...a, points: joinPoints(a.points, b.points, joinHistograms) } : a;
  if (b.kind === "histogram") return a;
  const worst = WORST.includes(a.name);
  const joinNumbers = (one: NumberPoint, other: NumberPoint): NumberPoint => ({
    labels: one.labels,
    value: worst ? Math.max(one.value, other.value) : one.value + other.value,
  });
  return { ...a, points: joinPoints(a.points, b.points, joinNumbers) };
}

function joinPoints<P extends { readonly labels: Labels }>(a: readonly P[], b: readonly P[], both: (one: P, other: P) => P): readonly P[] {
  const points = new Map(a.map((point): [string, P] => [keyOf(point.labels), point]));
  for (const point of b) {
    const key = keyOf(point.labels);
    const before = points.get(key);
    points.set(key, before === undefined ? point : both(before, point));
  }
  return [...points.values()];
}

const joinHistograms = (a: HistogramPoint, b: HistogramPoint): HistogramPoint => ({
  labels: a.labels,
  counts: Array.from(a.counts, (count, index) => count + (b.counts[index] ?? 0)),
  sum: a.sum + b.sum,
  count: a.count + b.count,
  exemplars: Array.from({ length: a.counts.length }, (_none, index) => {
    const [one, other] = [a.exemplars[index], b.exemplars[index]];
    return one === undefined || (other !== undefined && other.wallMs > one.wallMs) ? other : one;
  }),
});

const keyOf = (labels: Labels): string => JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Plain values only, as messages between processes need them. */
export const plainFamilies = (families: readonly MetricFamily[]): readonly MetricFamily[] =>
  families.map((family): MetricFamily => {
    if (family.kind !== "histogram")
      return { ...family, points: family.points.map(({ labels, value }) => ({ labels: { ...labels }, value })) };
    const { name, unit, help, kind, bounds } = family;
    const points = family.points.map(({ labels, counts, sum, count, exemplars }) => ({
      labels: { ...labels },
      counts: Array.from(counts),
      sum,
      count,
      exemplars: Array.from(exemplars),
    }));
    return { name, unit, help, kind, bounds: [...bounds], points };
  });
