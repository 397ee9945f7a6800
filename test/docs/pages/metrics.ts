import { METRICS, prometheusLabel, prometheusName } from "../../../src/server/metrics/definitions.ts";
import { code, type GeneratedPage, page, table } from "./page.ts";

/** Which metrics belong together, by the beginning of their names; the first that fits. */
const GROUPS: readonly { readonly title: string; readonly fits: RegExp; readonly about: string }[] = [
  { title: "Calls to models", fits: /^gen_ai\./, about: "OpenTelemetry's GenAI conventions; dashboards made for them work." },
  {
    title: "Exchanges",
    fits: /^sluice\.(?:exchanges|exchange|refusals|would_deny|stage|tokens|cost|usage|upstream|sidecar)\b/,
    about: "Counted from the record of each exchange, so that metrics and records add up to the same.",
  },
  { title: "The policy", fits: /^sluice\.policy\./, about: "" },
  {
    title: "Limits and budgets",
    fits: /^sluice\.(?:ledger|answer)\./,
    about:
      "What is spent is `sluice_cost_usd_total` and `sluice_tokens_total`. Alert on `sluice_ledger_failing` and `sluice_ledger_lost_total`; [budgets.md](budgets.md) says what happens then.",
  },
  {
    title: "Credentials and kept state",
    fits: /^sluice\.(?:key_set|state)\./,
    about: "A key set is named by its issuer's host, or by its file; those of one name are shown as the worst of them.",
  },
  {
    title: "Analysers and classifiers",
    fits: /^sluice\.remote\./,
    about: "Services of the policy that texts are sent to; [analysers.md](analysers.md) says what happens where they fail.",
  },
  { title: "Records and telemetry", fits: /^sluice\.(?:records|telemetry)\./, about: "Alert on `failing` and on any `dropped`." },
  { title: "The process", fits: /./, about: "" },
];

const UNITS: Readonly<Record<string, string>> = { s: "seconds", By: "bytes", USD: "US dollars", "1": "share, 0 to 1" };

/** `docs/metrics.md`. */
export function metricsPage(): GeneratedPage {
  const all = Object.values(METRICS);
  const grouped = new Map(GROUPS.map((group) => [group, all.filter(({ name }) => GROUPS.find(({ fits }) => fits.test(name)) === group)]));
  return page("docs/metrics.md", [
    "# Metrics",
    "",
    "The same numbers in two forms: `GET /metrics` at the admin port as Prometheus text (as OpenMetrics, with exemplars, for a scraper that asks for",
    "it), and OTLP where the standard variables name a collector; see [telemetry.md](telemetry.md). With `--workers` the admin port adds the workers up",
    "(of flags and delays it shows the worst), and each worker exports for itself.",
    "",
    "Label values are names of the policy and of closed lists, never callers' words: a model that no policy names is `other`. A metric has at most 2,000",
    "series; what comes later is counted in one whose labels are all `other`. Where a label does not apply (a refusal has no provider) it is left out.",
    ...[...grouped].flatMap(([{ title, about }, metrics]) => [
      "",
      `## ${title}`,
      ...(about === "" ? [] : ["", about]),
      "",
      ...table(
        ["Prometheus", "OpenTelemetry", "Kind", "Unit", "Labels", "Meaning"],
        metrics.map((metric) => [
          code(prometheusName(metric)),
          code(metric.name),
          metric.kind,
          UNITS[metric.unit] ?? "",
          metric.labels.map((label) => code(prometheusLabel(label))).join(" "),
          metric.help,
        ]),
      ),
    ]),
    "",
    "## Labels",
    "",
    ...table(
      ["Prometheus", "OpenTelemetry attribute"],
      [...new Set(all.flatMap(({ labels }) => [...labels]))].sort().map((label) => [code(prometheusLabel(label)), code(label)]),
    ),
    "",
    "## Questions and their queries",
    "",
    ...table(
      ["Question", "PromQL"],
      QUERIES.map(([question, query]) => [question, code(query)]),
    ),
  ]);
}

/** Each names metrics that exist; a test compares. */
export const QUERIES: readonly (readonly [string, string])[] = [
  ["Dollars an hour, by tenant", "sum by (tenant) (rate(sluice_cost_usd_total[1h])) * 3600"],
  [
    "Share of calls refused, by code",
    "sum by (code) (rate(sluice_refusals_total[5m])) / ignoring(code) group_left sum(rate(sluice_exchanges_total[5m]))",
  ],
  [
    "95th percentile of the time to the first token, by model",
    "histogram_quantile(0.95, sum by (le, gen_ai_request_model) (rate(gen_ai_server_time_to_first_token_seconds_bucket[5m])))",
  ],
  ["What a rule on trial would refuse", "sum by (use_case, stage, code) (increase(sluice_would_deny_total[1d]))"],
  ["Retries, by provider", "sum by (provider) (rate(sluice_upstream_retries_total[5m]))"],
  ["What Sluice itself adds, 99th percentile", "histogram_quantile(0.99, sum by (le) (rate(sluice_sidecar_duration_seconds_bucket[5m])))"],
  ["Alert: records are lost", "increase(sluice_records_dropped_total[5m]) > 0 or sluice_records_failing > 0"],
  ["Alert: tokens of an issuer are refused, or soon will be", "sluice_key_set_keys == 0 or sluice_key_set_age_seconds > 6 * 3600"],
  ["Alert: an edit of the policy was refused", "sluice_policy_reload_failing > 0"],
];
