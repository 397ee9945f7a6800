import type { ExchangeRecord } from "../core/record.ts";
import type { AuditStats } from "../ports/audit.ts";
import type { Capacity } from "./capacity.ts";

/** Series a counter may have; further label sets are counted under `other`, so that no caller can grow memory. */
const SERIES_MAX = 2_000;
/** Upper bounds of the duration histograms, seconds (OpenTelemetry GenAI client duration buckets, shortened). */
const SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;
const SIDECAR_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5] as const;

type Labels = Readonly<Record<string, string>>;

class Counter {
  readonly #name: string;
  readonly #help: string;
  readonly #series = new Map<string, number>();
  constructor(name: string, help: string) {
    this.#name = name;
    this.#help = help;
  }
  add(labels: Labels, by = 1): void {
    const key = render(labels);
    const known = this.#series.has(key) || this.#series.size < SERIES_MAX ? key : '{other="true"}';
    this.#series.set(known, (this.#series.get(known) ?? 0) + by);
  }
  *lines(): Iterable<string> {
    yield `# HELP ${this.#name} ${this.#help}`;
    yield `# TYPE ${this.#name} counter`;
    for (const [labels, value] of this.#series) yield `${this.#name}${labels} ${value}`;
  }
}

class Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;
  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#name = name;
    this.#help = help;
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }
  observe(seconds: number): void {
    this.#sum += seconds;
    this.#count += 1;
    this.#bounds.forEach((bound, index) => {
      if (seconds <= bound) this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    });
  }
  *lines(): Iterable<string> {
    yield `# HELP ${this.#name} ${this.#help}`;
    yield `# TYPE ${this.#name} histogram`;
    for (const [index, bound] of this.#bounds.entries()) yield `${this.#name}_bucket{le="${bound}"} ${this.#counts[index] ?? 0}`;
    yield `${this.#name}_bucket{le="+Inf"} ${this.#count}`;
    yield `${this.#name}_sum ${this.#sum}`;
    yield `${this.#name}_count ${this.#count}`;
  }
}

/** Label values as Prometheus text wants them: backslash, quote and newline escaped. */
function render(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (mark) => (mark === "\n" ? "\\n" : `\\${mark}`))}"`);
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

/** Counts what the records say; text for Prometheus. Labels are names of the policy and of closed tables only. */
export class Metrics {
  readonly #exchanges = new Counter("sluice_exchanges_total", "Exchanges by how they were decided and how they ended.");
  readonly #refusals = new Counter("sluice_refusals_total", "Refusals and upstream errors by code.");
  readonly #shadow = new Counter("sluice_would_deny_total", "Denials by rules in shadow or warn, which took no effect.");
  readonly #tokens = new Counter("sluice_tokens_total", "Tokens by kind, as the provider reported them or as estimated.");
  readonly #cost = new Counter("sluice_cost_nano_usd_total", "Cost in nano-dollars.");
  readonly #attempts = new Counter("sluice_upstream_attempts_total", "Attempts at providers, retries included.");
  readonly #total = new Histogram("sluice_exchange_duration_seconds", "Arrival to end.", SECONDS);
  readonly #first = new Histogram("sluice_time_to_first_token_seconds", "Arrival to the first token of an answer.", SECONDS);
  readonly #sidecar = new Histogram("sluice_sidecar_seconds", "Time an exchange spent in this process.", SIDECAR_SECONDS);

  observe(record: ExchangeRecord): void {
    const who = { tenant: record.tenant ?? "", app: record.app ?? "", use_case: record.useCase ?? "" };
    const where = { model: record.model ?? "", provider: record.target?.provider ?? "" };
    this.#exchanges.add({ ...who, ...where, surface: record.surface ?? "", decision: record.decision, ending: record.ending });
    if (record.code !== undefined) this.#refusals.add({ ...who, code: record.code });
    for (const entry of record.stages) {
      if (entry.verdict === "deny" && entry.mode !== "enforce") this.#shadow.add({ ...who, stage: entry.stage, mode: entry.mode, code: entry.code ?? "" });
    }
    const { usage } = record;
    if (usage !== undefined) {
      this.#tokens.add({ ...who, ...where, kind: "input" }, usage.inputTokens ?? 0);
      this.#tokens.add({ ...who, ...where, kind: "output" }, usage.outputTokens ?? 0);
      if (usage.cachedInputTokens !== undefined) this.#tokens.add({ ...who, ...where, kind: "cached_input" }, usage.cachedInputTokens);
    }
    if (record.cost !== undefined) this.#cost.add({ ...who, ...where }, record.cost.nanoUsd);
    if (record.attempts !== undefined) this.#attempts.add(where, record.attempts);
    this.#total.observe(record.ms.total / 1000);
    this.#sidecar.observe(record.ms.sidecar / 1000);
    if (record.ms.firstToken !== undefined) this.#first.observe(record.ms.firstToken / 1000);
  }

  text(capacity: Capacity, audit: AuditStats): string {
    const lines: string[] = [];
    for (const metric of [this.#exchanges, this.#refusals, this.#shadow, this.#tokens, this.#cost, this.#attempts, this.#total, this.#first, this.#sidecar])
      lines.push(...metric.lines());
    const gauge = (name: string, help: string, value: number, type = "gauge"): void => {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, `${name} ${value}`);
    };
    gauge("sluice_exchanges_in_flight", "Exchanges under way.", capacity.exchanges);
    gauge("sluice_held_bytes", "Bytes of bodies held.", capacity.bytes);
    gauge("sluice_records_written_total", "Records written.", audit.written, "counter");
    gauge("sluice_records_dropped_total", "Records dropped because the disk was full or too slow.", audit.dropped, "counter");
    gauge("sluice_records_pending_bytes", "Bytes of records that wait for the disk.", audit.pendingBytes);
    gauge("sluice_records_failing", "1 while records cannot be written.", audit.failing ? 1 : 0);
    return `${lines.join("\n")}\n`;
  }
}
