import type { Exemplar, HistogramPoint, Labels, MetricFamily } from "../../ports/telemetry.ts";
import { prometheusLabel, prometheusName } from "./definitions.ts";

export type TextFormat = "prometheus" | "openmetrics";

/** Content types (Prometheus exposition formats; OpenMetrics 1.0). */
export const CONTENT_TYPES: Readonly<Record<TextFormat, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** OpenMetrics, which alone carries exemplars, for whoever asks for it; else the older text that everything reads. */
export const formatFor = (accept: string | undefined): TextFormat =>
  accept?.includes("application/openmetrics-text") === true ? "openmetrics" : "prometheus";

/** The text of all metrics, a family or a few hundred lines at a time, so that a scrape can give way to exchanges. */
export function* metricsText(families: readonly MetricFamily[], format: TextFormat): Generator<string> {
  for (const family of families) yield* familyText(family, format);
  if (format === "openmetrics") yield "# EOF\n";
}

const CHUNK_CHARS = 16_384;

function* familyText(family: MetricFamily, format: TextFormat): Generator<string> {
  const name = prometheusName(family);
  // OpenMetrics names a counter's family without the suffix of its sample.
  const title = format === "openmetrics" ? name.replace(/_total$/, "") : name;
  let text = `# HELP ${title} ${escapeHelp(family.help)}\n# TYPE ${title} ${family.kind}\n`;
  if (family.kind === "histogram") {
    for (const point of family.points) {
      text += histogramText(name, family.bounds, point, format);
      if (text.length > CHUNK_CHARS) {
        yield text;
        text = "";
      }
    }
  } else {
    for (const { labels, value } of family.points) {
      const inner = labelText(labels);
      text += `${name}${inner === "" ? "" : `{${inner}}`} ${value}\n`;
    }
  }
  yield text;
}

function histogramText(name: string, bounds: readonly number[], point: HistogramPoint, format: TextFormat): string {
  const inner = labelText(point.labels);
  const before = inner === "" ? "" : `${inner},`;
  let text = "";
  let below = 0;
  for (let index = 0; index <= bounds.length; index++) {
    below += point.counts[index] ?? 0;
    const bound = bounds[index];
    const le = bound === undefined ? "+Inf" : format === "openmetrics" && Number.isInteger(bound) ? bound.toFixed(1) : String(bound);
    text += `${name}_bucket{${before}le="${le}"} ${below}${format === "openmetrics" ? exemplarText(point.exemplars[index]) : ""}\n`;
  }
  const all = inner === "" ? "" : `{${inner}}`;
  return `${text}${name}_sum${all} ${point.sum}\n${name}_count${all} ${point.count}\n`;
}

const exemplarText = (exemplar: Exemplar | undefined): string =>
  exemplar === undefined
    ? ""
    : ` # {trace_id="${exemplar.traceId}",span_id="${exemplar.spanId}"} ${exemplar.value} ${(exemplar.wallMs / 1000).toFixed(3)}`;

function labelText(labels: Labels): string {
  const parts: string[] = [];
  for (const name in labels) {
    const value = labels[name];
    if (value !== undefined && value !== "") parts.push(`${prometheusLabel(name)}="${escapeLabel(value)}"`);
  }
  return parts.join(",");
}

const escapeLabel = (value: string): string => value.replace(/[\\"\n]/g, (mark) => (mark === "\n" ? "\\n" : `\\${mark}`));
const escapeHelp = (text: string): string => text.replace(/[\\\n]/g, (mark) => (mark === "\n" ? "\\n" : "\\\\"));
