import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { METRICS, prometheusLabel, prometheusName } from "../../src/server/metrics/definitions.ts";
import { QUERIES } from "./pages/metrics.ts";

test("every query of the metrics page asks for metrics and labels that there are", () => {
  const names = new Map(Object.values(METRICS).map((metric) => [prometheusName(metric), metric]));
  for (const [question, query] of QUERIES) {
    const asked = query.replaceAll(/(?:by|ignoring) \([^)]*\)/g, "").match(/\b(?:sluice|gen_ai)_\w+(?=\[|\s*[>)])/g) ?? [];
    const metrics = asked.map((name) => names.get(name) ?? names.get(name.replace(/_bucket$/, "")));
    assert.ok(metrics.length > 0 && metrics.every((metric) => metric !== undefined), `${question}: ${asked.join(", ")}`);
    const labels = new Set(["le", ...metrics.flatMap((metric) => metric?.labels.map(prometheusLabel) ?? [])]);
    for (const list of query.matchAll(/by \(([^)]*)\)/g))
      for (const label of (list[1] ?? "").split(", ")) assert.ok(labels.has(label), `${question}: no label ${label}`);
  }
});

test("every metric that a page names is there", () => {
  const names = new Set(Object.values(METRICS).map(prometheusName));
  const pages = ["README.md", ...globSync("{docs,k8s,envoy,src}/**/*.md")];
  assert.ok(pages.length > 10);
  for (const page of pages)
    for (const [name] of readFileSync(page, "utf8").matchAll(/\bsluice_[a-z][a-z0-9_]*[a-z0-9](?![\w*])/g))
      assert.ok(names.has(name) || names.has(name.replace(/_(?:bucket|count|sum)$/, "")), `${page}: ${name}`);
});

test("no two metrics share a name, no two labels of one metric either", () => {
  const names = Object.values(METRICS).map(prometheusName);
  assert.equal(new Set(names).size, names.length);
  for (const { name, labels } of Object.values(METRICS)) assert.equal(new Set(labels.map(prometheusLabel)).size, labels.length, name);
});
