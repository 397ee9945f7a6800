import assert from "node:assert/strict";
import { test } from "node:test";
import type { MetricFamily } from "../ports/telemetry.ts";
import { METRICS } from "./metrics/definitions.ts";
import { lasting, mergeFamilies, plainFamilies } from "./workers-metrics.ts";

const exemplar = (wallMs: number) => ({ value: 1, traceId: "a".repeat(32), spanId: "b".repeat(16), wallMs });
const one = (value: number, wallMs?: number): readonly MetricFamily[] => [
  { name: "calls", unit: "", help: "", kind: "counter", points: [{ labels: { a: "1", b: "2" }, value }] },
  { name: "sluice.held", unit: "By", help: "", kind: "gauge", points: [{ labels: {}, value }] },
  { name: "sluice.records.failing", unit: "", help: "", kind: "gauge", points: [{ labels: {}, value: value > 3 ? 1 : 0 }] },
  {
    ...{ name: "took", unit: "s", help: "", kind: "histogram", bounds: [1] },
    points: [
      {
        labels: {},
        counts: new Float64Array([value, 1]),
        sum: value,
        count: value + 1,
        exemplars: [wallMs === undefined ? undefined : exemplar(wallMs)],
      },
    ],
  },
];

test("counters, amounts and histograms are summed by their labels; of flags the worst is shown", () => {
  const other: MetricFamily = {
    name: "calls",
    unit: "",
    help: "",
    kind: "counter",
    points: [
      { labels: { b: "2", a: "1" }, value: 7 },
      { labels: { a: "9" }, value: 1 },
    ],
  };
  const merged = mergeFamilies([one(2, 10), one(5, 20), [other], one(1)]);
  assert.deepEqual(merged, [
    {
      ...other,
      points: [
        { labels: { a: "1", b: "2" }, value: 15 },
        { labels: { a: "9" }, value: 1 },
      ],
    },
    { name: "sluice.held", unit: "By", help: "", kind: "gauge", points: [{ labels: {}, value: 8 }] },
    { name: "sluice.records.failing", unit: "", help: "", kind: "gauge", points: [{ labels: {}, value: 1 }] },
    {
      ...{ name: "took", unit: "s", help: "", kind: "histogram", bounds: [1] },
      points: [{ labels: {}, counts: [8, 3], sum: 8, count: 11, exemplars: [exemplar(20), undefined] }],
    },
  ]);
});

test("what lasts beyond a process has no gauges, and what is sent between processes survives it", () => {
  assert.deepEqual(
    lasting(one(1)).map(({ kind }) => kind),
    ["counter", "histogram"],
  );
  const plain = plainFamilies(one(3, 5));
  assert.deepEqual(structuredClone(plain), plain);
  assert.deepEqual(mergeFamilies([plain, plain])[0], mergeFamilies([one(3), one(3)])[0]);
});

test("every flag and delay that one process shows is in the list of those not to be summed", () => {
  const flags = Object.values(METRICS).filter(
    ({ kind, unit, name }) => kind === "gauge" && (name.endsWith("failing") || name.includes(".delay.") || unit === "1"),
  );
  assert.ok(flags.length >= 5);
  for (const { name, unit } of flags) {
    const family: MetricFamily = { name, unit, help: "", kind: "gauge", points: [{ labels: {}, value: 1 }] };
    const [merged] = mergeFamilies([[family], [family]]);
    assert.equal(merged?.kind === "gauge" ? merged.points[0]?.value : undefined, 1, name);
  }
});
