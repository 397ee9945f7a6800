/** Every metric of the process, by OpenTelemetry name; the Prometheus name follows from it (`prometheusName`). */
export interface MetricDefinition {
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram";
  /** UCUM; "" for none. */
  readonly unit: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram's buckets, inclusive. */
  readonly bounds?: readonly number[];
  /** What a stored number is multiplied by to give the unit; 1 unless said. */
  readonly scale?: number;
}

const WHO = ["sluice.tenant", "sluice.app", "sluice.use_case"] as const;
const WHERE = ["gen_ai.request.model", "sluice.provider"] as const;
const GEN_AI = ["gen_ai.operation.name", "gen_ai.provider.name", ...WHERE] as const;

// Bounds of the gen_ai.* histograms: OpenTelemetry's GenAI metrics, "SHOULD be specified with ExplicitBucketBoundaries".
const GEN_AI_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92] as const;
const GEN_AI_TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864] as const;
const FIRST_TOKEN_SECONDS = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] as const;
const PER_TOKEN_SECONDS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5] as const;
const EXCHANGE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120] as const;
const SIDECAR_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5] as const;
const STAGE_SECONDS = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.025, 0.1, 1] as const;

const HOLD_SHARES = [0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.05, 1.2, 1.5, 2] as const;
const OVERSHOOT_TOKENS = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] as const;

const counter = (name: string, unit: string, labels: readonly string[], help: string, scale = 1): MetricDefinition => ({
  name,
  kind: "counter",
  unit,
  labels,
  help,
  scale,
});
const gauge = (name: string, unit: string, help: string, labels: readonly string[] = []): MetricDefinition => ({
  name,
  kind: "gauge",
  unit,
  labels,
  help,
});
const histogram = (name: string, unit: string, labels: readonly string[], bounds: readonly number[], help: string): MetricDefinition => ({
  name,
  kind: "histogram",
  unit,
  labels,
  bounds,
  help,
});

export const METRICS = {
  exchanges: counter(
    "sluice.exchanges",
    "{exchange}",
    [...WHO, "sluice.surface", ...WHERE, "sluice.decision", "sluice.ending"],
    "Exchanges by how they were decided and how they ended; decision `observed`: seen by the observing listener only.",
  ),
  refusals: counter("sluice.refusals", "{exchange}", [...WHO, "sluice.code"], "Refusals and upstream errors by code."),
  wouldDeny: counter(
    "sluice.would_deny",
    "{denial}",
    [...WHO, "sluice.stage", "sluice.mode", "sluice.code"],
    "Denials by rules in shadow or warn, which took no effect.",
  ),
  stageFaults: counter(
    "sluice.stage.faults",
    "{fault}",
    ["sluice.stage", "sluice.code"],
    "Stages that failed themselves: a store, a deadline, a bug.",
  ),
  tokens: counter(
    "sluice.tokens",
    "{token}",
    [...WHO, ...WHERE, "sluice.token.kind"],
    "Tokens as reported by the provider or estimated. cached_input, cache_write and reasoning are parts of input and output.",
  ),
  cost: counter("sluice.cost", "USD", [...WHO, ...WHERE], "Cost at the policy's prices, US dollars.", 1e-9),
  estimated: counter(
    "sluice.usage.estimated",
    "{exchange}",
    WHERE,
    "Exchanges whose usage was estimated because the provider did not report it.",
  ),
  ledgerHolds: counter("sluice.ledger.holds", "{hold}", WHO, "Calls for which tokens or money were held."),
  ledgerRefusals: counter(
    "sluice.ledger.refusals",
    "{refusal}",
    [...WHO, "sluice.ledger.unit", "sluice.ledger.window"],
    "Limits and budgets that refused a call, or had it switched or answered otherwise; one for each that had no room.",
  ),
  ledgerWarnings: counter(
    "sluice.ledger.warnings",
    "{warning}",
    [...WHO, "sluice.ledger.unit", "sluice.ledger.window"],
    "Calls that fitted into a budget past its warnAt; one for each such budget.",
  ),
  holdUsed: histogram(
    "sluice.ledger.hold.used",
    "1",
    WHERE,
    HOLD_SHARES,
    "Tokens that a call took, as a share of those that were held for it: above 1 the hold was too low.",
  ),
  cutOvershoot: histogram(
    "sluice.answer.cut.overshoot",
    "{token}",
    WHERE,
    OVERSHOOT_TOKENS,
    "Output tokens of streams that were ended at their cap, beyond it.",
  ),
  ledgerFailing: gauge("sluice.ledger.failing", "", "1 while the store of limits and budgets does not answer."),
  ledgerQueued: gauge("sluice.ledger.queued", "", "Settles and releases that wait for the store of limits and budgets."),
  ledgerLost: counter("sluice.ledger.lost", "{settle}", [], "Settles and releases that were given up: their holds lapse by rule."),
  ledgerLapsed: counter(
    "sluice.ledger.lapsed",
    "{claim}",
    [],
    "Claims whose lease ended before they were settled, found by this process: of processes that died, or of a store that was gone too long.",
  ),
  ledgerClaims: gauge("sluice.ledger.claims", "", "Claims under way, whose leases this process renews."),
  ledgerAllowed: counter(
    "sluice.ledger.allowance",
    "{step}",
    [],
    "Steps that this process decided from its own allowance, because the store did not answer.",
  ),
  attempts: counter("sluice.upstream.attempts", "{attempt}", WHERE, "Attempts at providers, retries included."),
  retries: counter("sluice.upstream.retries", "{attempt}", WHERE, "Attempts after the first."),
  exchangeDuration: histogram("sluice.exchange.duration", "s", WHO, EXCHANGE_SECONDS, "Arrival of the request to the end of the answer."),
  sidecarDuration: histogram("sluice.sidecar.duration", "s", [], SIDECAR_SECONDS, "Time that an exchange spent in this process."),
  stageDuration: histogram(
    "sluice.stage.duration",
    "s",
    ["sluice.stage"],
    STAGE_SECONDS,
    "Time of one stage's decision, its waits included.",
  ),
  tokenUsage: histogram(
    "gen_ai.client.token.usage",
    "{token}",
    [...GEN_AI, "gen_ai.token.type"],
    GEN_AI_TOKENS,
    "Tokens of one call, input and output.",
  ),
  operationDuration: histogram(
    "gen_ai.client.operation.duration",
    "s",
    [...GEN_AI, "error.type"],
    GEN_AI_SECONDS,
    "Duration of calls that went to a provider.",
  ),
  timeToFirstToken: histogram(
    "gen_ai.server.time_to_first_token",
    "s",
    GEN_AI,
    FIRST_TOKEN_SECONDS,
    "From the decision to the first token of a streamed answer.",
  ),
  timePerOutputToken: histogram(
    "gen_ai.server.time_per_output_token",
    "s",
    GEN_AI,
    PER_TOKEN_SECONDS,
    "Time per output token after the first, streamed answers that came whole.",
  ),
  inFlight: gauge("sluice.exchanges.in_flight", "", "Exchanges under way."),
  heldBytes: gauge("sluice.held", "By", "Bytes of bodies held."),
  recordsWritten: counter("sluice.records.written", "{record}", [], "Records written."),
  recordsDropped: counter("sluice.records.dropped", "{record}", [], "Records dropped because the disk was full or too slow."),
  recordsPending: gauge("sluice.records.pending", "By", "Bytes of records that wait for the disk."),
  recordsFailing: gauge("sluice.records.failing", "", "1 while records cannot be written."),
  recordsRecovered: counter("sluice.records.recovered", "{record}", [], "Records made at start for exchanges that a crash had left open."),
  spansExported: counter("sluice.telemetry.spans.exported", "{span}", [], "Spans that the collector took."),
  spansDropped: counter("sluice.telemetry.spans.dropped", "{span}", [], "Spans dropped because the queue to the collector was full."),
  spansFailed: counter("sluice.telemetry.spans.failed", "{span}", [], "Spans that the collector did not take."),
  spansQueued: gauge("sluice.telemetry.spans.queued", "", "Spans that wait for the collector."),
  telemetryFailing: gauge("sluice.telemetry.failing", "", "1 while spans cannot be exported."),
  statePending: gauge("sluice.state.pending", "", "Changes to what is known of things kept at providers that wait to be written."),
  stateLost: counter(
    "sluice.state.lost",
    "{thing}",
    [],
    "Things kept at providers that could not be written down: references to them are refused.",
  ),
  keySetKeys: gauge("sluice.key_set.keys", "", "Public keys in use of a token issuer; 0: its tokens are refused.", ["sluice.key_set"]),
  keySetAge: gauge("sluice.key_set.age", "s", "Time since the issuer last confirmed the keys in use; absent without keys.", [
    "sluice.key_set",
  ]),
  keySetFailing: gauge("sluice.key_set.failing", "", "1 while an issuer's keys cannot be read; those in memory serve on for a day.", [
    "sluice.key_set",
  ]),
  remoteCalls: counter(
    "sluice.remote.calls",
    "{call}",
    ["sluice.remote", "sluice.outcome"],
    "Requests for which an analyser or the classifier of the policy was to be asked: ok, timeout, unavailable, corrupt, or left where the caller waited no longer.",
  ),
  remoteFailing: gauge("sluice.remote.failing", "", "1 while an analyser or the classifier is left alone after failures in a row.", [
    "sluice.remote",
  ]),
  policyInfo: gauge("sluice.policy.info", "", "Always 1; the labels name the policy in force.", [
    "sluice.policy.name",
    "sluice.policy.version",
    "sluice.policy.hash",
  ]),
  policyLoaded: gauge("sluice.policy.loaded_time", "s", "When the policy in force was loaded, seconds since 1970."),
  policyReloads: counter(
    "sluice.policy.reloads",
    "{edit}",
    ["sluice.result"],
    "Edits of the policy since the start: taken over, or rejected.",
  ),
  policyFailing: gauge(
    "sluice.policy.reload.failing",
    "",
    "1 while the last edit of the policy could not be taken over, and the one before serves on.",
  ),
  ready: gauge("sluice.ready", "", "1 while new exchanges are taken."),
  workers: gauge(
    "sluice.workers",
    "",
    "Worker processes by state: starting, serving, draining, or waiting to be started anew. Only with --workers.",
    ["sluice.state"],
  ),
  workerRestarts: counter(
    "sluice.worker.restarts",
    "{restart}",
    [],
    "Processes started in the place of another since the start. Only with --workers.",
  ),
  loopDelayP50: gauge("nodejs.eventloop.delay.p50", "s", "Median delay of the event loop over the last ten seconds or more."),
  loopDelayP99: gauge("nodejs.eventloop.delay.p99", "s", "99th percentile of the event loop's delay."),
  loopDelayMax: gauge("nodejs.eventloop.delay.max", "s", "Longest delay of the event loop."),
  loopUtilization: gauge(
    "nodejs.eventloop.utilization",
    "1",
    "Share of the time that the event loop was busy, 0 to 1, over the same time.",
  ),
  memory: gauge("process.memory.usage", "By", "Resident memory."),
  heapUsed: gauge("v8js.memory.heap.used", "By", "Used heap of V8."),
  cpu: counter("process.cpu.time", "s", ["cpu.mode"], "CPU time of this process."),
  uptime: gauge("process.uptime", "s", "Time since the process started."),
} as const satisfies Record<string, MetricDefinition>;

/** OpenTelemetry's attribute name as a Prometheus label; our own prefix is left out: `sluice.use_case` is `use_case`. */
export const prometheusLabel = (attribute: string): string => attribute.replace(/^sluice\./, "").replaceAll(".", "_");

const UNIT_SUFFIX: Readonly<Record<string, string>> = { s: "_seconds", By: "_bytes", USD: "_usd" };

/** OpenTelemetry's rules for Prometheus names: dots as underscores, the unit as a word, `_total` for counters. */
export function prometheusName(metric: { readonly name: string; readonly unit: string; readonly kind: string }): string {
  const unit = metric.unit === "1" && metric.kind === "gauge" ? "_ratio" : (UNIT_SUFFIX[metric.unit] ?? "");
  return metric.name.replaceAll(".", "_") + unit + (metric.kind === "counter" ? "_total" : "");
}
