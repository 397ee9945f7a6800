import { genAiOperation, genAiProvider } from "../core/gen-ai.ts";
import type { Catalog } from "../core/policy.ts";
import type { ExchangeRecord, StageEntry } from "../core/record.ts";
import type { MetricFamily, MetricSource, NumberPoint } from "../ports/telemetry.ts";
import { METRICS, type MetricDefinition } from "./metrics/definitions.ts";
import { metricsText, type TextFormat } from "./metrics/prometheus.ts";
import { Counter, type CounterCell, Histogram, type HistogramCell, type TraceRef } from "./metrics/series.ts";

/** A number that somebody else keeps, read when the metrics are. */
export interface Watched {
  readonly metric: MetricDefinition;
  read(): number | readonly NumberPoint[];
}

/** The series of one (tenant, app, use case, surface, model, provider), found once and kept together. */
interface Row {
  readonly ended: Map<string, Map<string, CounterCell>>;
  readonly duration: HistogramCell;
  /** By `error.type`; "" for none. */
  readonly operation: Map<string, HistogramCell>;
  tokens: Tokens | undefined;
}
interface Tokens {
  readonly input: CounterCell;
  readonly output: CounterCell;
  readonly usageInput: HistogramCell;
  readonly usageOutput: HistogramCell;
  readonly cost: CounterCell;
}
type Rows = Map<string, Map<string, Map<string, Map<string, Map<string, Map<string, Row>>>>>>;

const OTHER = "other";
const OBSERVED = "observed";
/** Rows kept; the policy's names bound them, but many edits of it could add up. */
const ROWS_MAX = 20_000;

/**
 * Counts what the records say. One model, pre-aggregated, which Prometheus' text and OTLP both read. Label values are names of
 * the policy and of closed tables only: a model that no policy names counts as `other`.
 */
export class Metrics implements MetricSource {
  readonly startedWallMs = Date.now();
  readonly #exchanges = new Counter(METRICS.exchanges);
  readonly #refusals = new Counter(METRICS.refusals);
  readonly #wouldDeny = new Counter(METRICS.wouldDeny);
  readonly #stageFaults = new Counter(METRICS.stageFaults);
  readonly #tokens = new Counter(METRICS.tokens);
  readonly #cost = new Counter(METRICS.cost);
  readonly #estimated = new Counter(METRICS.estimated);
  readonly #ledgerHolds = new Counter(METRICS.ledgerHolds);
  readonly #ledgerRefusals = new Counter(METRICS.ledgerRefusals);
  readonly #ledgerWarnings = new Counter(METRICS.ledgerWarnings);
  readonly #holdUsed = new Histogram(METRICS.holdUsed);
  readonly #cutOvershoot = new Histogram(METRICS.cutOvershoot);
  readonly #attempts = new Counter(METRICS.attempts);
  readonly #retries = new Counter(METRICS.retries);
  readonly #exchangeDuration = new Histogram(METRICS.exchangeDuration);
  readonly #sidecarDuration = new Histogram(METRICS.sidecarDuration);
  readonly #stageDuration = new Histogram(METRICS.stageDuration);
  readonly #tokenUsage = new Histogram(METRICS.tokenUsage);
  readonly #operationDuration = new Histogram(METRICS.operationDuration);
  readonly #timeToFirstToken = new Histogram(METRICS.timeToFirstToken);
  readonly #timePerOutputToken = new Histogram(METRICS.timePerOutputToken);
  readonly #rows: Rows = new Map();
  readonly #watched: Watched[] = [];
  #rowCount = 0;

  /** Adds numbers that somebody else keeps. */
  watch(...watched: readonly Watched[]): void {
    this.#watched.push(...watched);
  }

  /** `catalog` is the one the exchange was decided by. */
  observe(record: ExchangeRecord, catalog: Catalog | undefined): void {
    const model = record.model === undefined ? "" : catalog?.models.has(record.model) === true ? record.model : OTHER;
    const { tenant = "", app = "", useCase = "", surface = "" } = record;
    const provider = record.target?.provider ?? "";
    const row = this.#row(tenant, app, useCase, surface, model, provider);
    const { ending } = record;
    // What only passed by was not decided on: it must not look like traffic that was let in or refused.
    const decision = record.observed === true ? OBSERVED : record.decision;
    const count = (): CounterCell => this.#exchanges.at(tenant, app, useCase, surface, model, provider, decision, ending);
    const byEnding = nested(row.ended, decision);
    child(byEnding, ending, count).value += 1;

    const { trace } = record;
    const ref: TraceRef | undefined = trace?.sampled === true ? { traceId: trace.id, spanId: trace.span, wallMs: Date.now() } : undefined;
    const { ms } = record;
    row.duration.observe(ms.total / 1000, ref);
    this.#sidecarDuration.at("").observe(ms.sidecar / 1000, ref);
    if (record.code !== undefined && record.observed !== true) this.#refusals.at(tenant, app, useCase, record.code).value += 1;
    for (const entry of record.stages) {
      if (entry.us !== undefined) this.#stageDuration.at(entry.stage).observe(entry.us / 1e6, ref);
      if (entry.evidence !== undefined && record.observed !== true) this.#counted(record, entry, model, ref);
      if (entry.verdict === "allow") continue;
      if (entry.verdict === "fault") this.#stageFaults.at(entry.stage, entry.code ?? "").value += 1;
      else if (entry.mode !== "enforce") this.#wouldDeny.at(tenant, app, useCase, entry.stage, entry.mode, entry.code ?? "").value += 1;
    }
    if (record.target !== undefined) this.#called(record, row, model, ref);
  }

  /** What limits and budgets said. */
  #counted(
    { tenant = "", app = "", useCase = "", usage, target }: ExchangeRecord,
    { mode, evidence: { scopes = [], held } = {} }: StageEntry,
    model: string,
    ref: TraceRef | undefined,
  ): void {
    for (const { unit, window = "", state } of scopes) {
      // In shadow and warn nobody was refused; `would_deny` counts those.
      if (state === "warned") this.#ledgerWarnings.at(tenant, app, useCase, unit, window).value += 1;
      else if (mode === "enforce") this.#ledgerRefusals.at(tenant, app, useCase, unit, window).value += 1;
    }
    if (held === undefined) return;
    this.#ledgerHolds.at(tenant, app, useCase).value += 1;
    if (usage === undefined || held.tokens === 0) return;
    const tokens = (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0);
    this.#holdUsed.at(model, target?.provider ?? "").observe(tokens / held.tokens, ref);
  }

  /** What a call to a provider took and cost. */
  #called(record: ExchangeRecord, row: Row, model: string, ref: TraceRef | undefined): void {
    const { tenant = "", app = "", useCase = "", usage, cost, ms } = record;
    const provider = record.target?.provider ?? "";
    const operation = genAiOperation(record.surface, record.operation);
    const system = genAiProvider(record.surface) ?? "";
    if (record.attempts !== undefined) {
      this.#attempts.at(model, provider).value += record.attempts;
      if (record.attempts > 1) this.#retries.at(model, provider).value += record.attempts - 1;
    }
    if (operation !== undefined) {
      const error = record.code ?? (record.ending === "served" ? "" : record.ending);
      child(row.operation, error, () => this.#operationDuration.at(operation, system, model, provider, error)).observe(
        ms.total / 1000,
        ref,
      );
    }
    if (usage === undefined) return;
    if (record.ending === "cut" && record.outputCap !== undefined && usage.outputTokens !== undefined)
      this.#cutOvershoot.at(model, provider).observe(Math.max(0, usage.outputTokens - record.outputCap), ref);
    row.tokens ??= {
      input: this.#tokens.at(tenant, app, useCase, model, provider, "input"),
      output: this.#tokens.at(tenant, app, useCase, model, provider, "output"),
      usageInput: this.#tokenUsage.at(operation ?? "", system, model, provider, "input"),
      usageOutput: this.#tokenUsage.at(operation ?? "", system, model, provider, "output"),
      cost: this.#cost.at(tenant, app, useCase, model, provider),
    };
    const { tokens } = row;
    if (usage.inputTokens !== undefined) {
      tokens.input.value += usage.inputTokens;
      tokens.usageInput.observe(usage.inputTokens, ref);
    }
    if (usage.outputTokens !== undefined) {
      tokens.output.value += usage.outputTokens;
      tokens.usageOutput.observe(usage.outputTokens, ref);
    }
    const part = (kind: string, count: number | undefined): void => {
      if (count !== undefined && count > 0) this.#tokens.at(tenant, app, useCase, model, provider, kind).value += count;
    };
    part("cached_input", usage.cachedInputTokens);
    part("cache_write", (usage.cacheWriteTokens ?? 0) + (usage.cacheWrite1hTokens ?? 0));
    part("reasoning", usage.reasoningTokens);
    if (cost !== undefined) tokens.cost.value += cost.nanoUsd;
    if (cost?.estimated === true) this.#estimated.at(model, provider).value += 1;
    if (record.streaming !== true || ms.firstToken === undefined || operation === undefined) return;
    this.#timeToFirstToken.at(operation, system, model, provider).observe(Math.max(0, ms.firstToken - (ms.decided ?? 0)) / 1000, ref);
    const output = usage.outputTokens ?? 0;
    if (output < 2 || record.ending !== "served" || cost?.estimated === true) return;
    this.#timePerOutputToken
      .at(operation, system, model, provider)
      .observe(Math.max(0, ms.total - ms.firstToken) / 1000 / (output - 1), ref);
  }

  #row(tenant: string, app: string, useCase: string, surface: string, model: string, provider: string): Row {
    const byApp = nested(this.#rows, tenant);
    const byUseCase = nested(byApp, app);
    const bySurface = nested(byUseCase, useCase);
    const byModel = nested(bySurface, surface);
    const byProvider = nested(byModel, model);
    const known = byProvider.get(provider);
    if (known !== undefined) return known;
    const row: Row = {
      ended: new Map(),
      duration: this.#exchangeDuration.at(tenant, app, useCase),
      operation: new Map(),
      tokens: undefined,
    };
    // Past the cap a row is made for each exchange and forgotten; its series are the shared ones by then.
    if (this.#rowCount < ROWS_MAX) byProvider.set(provider, row);
    this.#rowCount += 1;
    return row;
  }

  families(): readonly MetricFamily[] {
    const counted = [
      ...[
        this.#exchanges,
        this.#refusals,
        this.#wouldDeny,
        this.#stageFaults,
        this.#tokens,
        this.#cost,
        this.#estimated,
        ...[this.#ledgerHolds, this.#ledgerRefusals, this.#ledgerWarnings],
        this.#attempts,
        this.#retries,
      ],
      ...[this.#exchangeDuration, this.#sidecarDuration, this.#stageDuration],
      ...[this.#holdUsed, this.#cutOvershoot],
      ...[this.#tokenUsage, this.#operationDuration, this.#timeToFirstToken, this.#timePerOutputToken],
    ];
    return [...counted.map((metric) => metric.family()), ...this.#watched.map(watchedFamily)];
  }

  /** In pieces, so that whoever sends it can give way in between. */
  text(format: TextFormat): Iterable<string> {
    return metricsText(this.families(), format);
  }
}

function watchedFamily({ metric, read }: Watched): MetricFamily {
  const value = read();
  const points = typeof value === "number" ? [{ labels: {}, value }] : value;
  return { name: metric.name, unit: metric.unit, help: metric.help, kind: metric.kind === "counter" ? "counter" : "gauge", points };
}

function nested<V>(map: Map<string, Map<string, V>>, key: string): Map<string, V> {
  return child(map, key, () => new Map<string, V>());
}

function child<V>(map: Map<string, V>, key: string, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
