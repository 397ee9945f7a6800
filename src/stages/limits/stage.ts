import type { Denial } from "../../core/denials.ts";
import { memoized } from "../../core/memo.ts";
import type { ScopeEvidence, StageEvidence } from "../../core/record.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { asked } from "../../core/selection.ts";
import { defineStage, type Effect, type PortError, type StageContext, type Verdict } from "../../core/stage.ts";
import type { Claimant, EnterScope, Level, Refusal } from "../../ports/ledger.ts";
import type { LedgerDesk } from "../../ports/ledger-desk.ts";
import { portError } from "../shared/ledger-faults.ts";
import { type Bound, rateHeaders } from "../shared/ledger-headers.ts";
import { ByCaller, type Caller, scopeKey, secondsOf } from "../shared/ledger-rules.ts";
import { type LimitRule, type LimitsSection, limitsSection, mergedLimits } from "./section.ts";

/** A rule that counts this call, as the ledger takes it. */
interface Counted {
  readonly rule: LimitRule;
  readonly scope: EnterScope;
}
/** All that count a call. */
interface AllCounted {
  readonly counted: readonly Counted[];
  readonly scopes: readonly EnterScope[];
}
interface Facts {
  readonly desk: LedgerDesk;
  readonly nowMs: number;
  readonly claimant: Claimant;
  readonly counted: readonly Counted[];
  readonly levels: readonly Level[];
  readonly refusals: readonly Refusal[];
  /** The exchange may claim nothing more: its lease ended while it was decided. */
  readonly closed: boolean;
}

/** Before anything costly: request rates and calls at once, all of them or none. */
function gather(context: StageContext, section: LimitsSection): Promise<Result<Facts, PortError>> | undefined {
  if (!section.rules.some(({ tokens }) => tokens === undefined)) return undefined;
  const all = countedOf(section).of(context, modelAsked(context), (caller) => countedBy(section, caller));
  if (all.counted.length === 0) return undefined;
  const desk = context.stores?.ledger;
  if (desk === undefined) return Promise.resolve(err({ code: "unavailable" }));
  return enter(context, section, all, desk);
}

function enter(
  { principal, exchange }: StageContext,
  section: LimitsSection,
  { counted, scopes }: AllCounted,
  desk: LedgerDesk,
): Promise<Result<Facts, PortError>> {
  const claimant: Claimant = { partition: { kind: "tenant", name: principal.tenant }, exchange: exchange.id };
  const { partition } = claimant;
  return desk.enter({ partition, exchange: exchange.id, fresh: true, scopes }, section.onStoreLost).then((answer) => {
    if (!answer.ok) return err(portError(answer.error));
    const { value } = answer;
    return ok({
      desk,
      nowMs: desk.wallMs(),
      claimant,
      counted,
      levels: value.kind === "admitted" ? value.levels : [],
      refusals: value.kind === "refused" ? value.refusals : [],
      closed: value.kind === "closed",
    });
  });
}

const countedOf = memoized((section: LimitsSection) => new ByCaller<AllCounted>(section.rules));

/** The scopes of a call. Two rules of one name ask for one scope, the tighter. */
function countedBy(section: LimitsSection, caller: Caller): AllCounted {
  const found: Counted[] = [];
  for (const rule of section.rules) {
    const key = rule.tokens === undefined ? scopeKey(rule, caller) : undefined;
    if (key === undefined) continue;
    const scope = scopeOf(rule, key);
    const at = found.findIndex((known) => known.scope.kind === scope.kind && known.scope.key === scope.key);
    const known = found[at];
    if (known === undefined) found.push({ rule, scope });
    else if (isTighter(scope, known.scope)) found[at] = { rule, scope };
  }
  return { counted: found, scopes: found.map(({ scope }) => scope) };
}

function scopeOf({ concurrent, requests = 1, window = "1s", burst = requests }: LimitRule, key: string): EnterScope {
  if (concurrent !== undefined) return { kind: "concurrent", key, limit: concurrent };
  // A rate is one clock: each window has its own.
  return { kind: "rate", key: `${key}/${window}`, requests, windowMs: (secondsOf(window) ?? 1) * 1_000, burst };
}
function isTighter(one: EnterScope, other: EnterScope): boolean {
  if (one.kind === "concurrent" || other.kind === "concurrent")
    return one.kind === "concurrent" && other.kind === "concurrent" && one.limit < other.limit;
  return one.requests < other.requests || (one.requests === other.requests && one.burst < other.burst);
}

/** The model's name before a target is chosen: names of the policy only, so that callers cannot make scopes up. */
function modelAsked(context: StageContext): string {
  const what = asked(context.request?.view.model, context.contract);
  switch (what?.kind) {
    case undefined:
      return "-";
    case "tier":
      return `tier:${what.tier}`;
    case "family":
      return [...context.catalog.models.values()].some(({ family }) => family === what.family) ? `family:${what.family}` : "other";
    case "model":
      return context.catalog.models.has(what.name) ? what.name : "other";
  }
}

function decide(_context: StageContext, _section: LimitsSection, facts: Facts | undefined): Verdict {
  if (facts === undefined) return { kind: "allow", effects: [] };
  if (facts.closed) return { kind: "deny", code: "store_unavailable", detail: "The call took too long to be let in." };
  const bounds = facts.levels.flatMap((level, index) => boundOf(facts.counted[index], level));
  if (facts.refusals.length === 0) return { kind: "allow", effects: rateHeaders(bounds, facts.nowMs), ...evidenceOf(facts) };
  const refused = facts.refusals.flatMap((level) => boundOf(facts.counted[level.index], level));
  const effects: Effect[] = [...rateHeaders(refused, facts.nowMs)];
  return { kind: "deny", effects, ...denialOf(facts), ...evidenceOf(facts) };
}

/** Requests per window, or calls at once, in words of the policy. */
const nameOf = ({ requests, window, concurrent }: LimitRule): string =>
  concurrent === undefined ? `${requests} requests per ${window}` : `${concurrent} calls at once`;

function denialOf({ refusals, counted }: Facts): Denial {
  const [first] = refusals;
  const rule = first === undefined ? undefined : counted[first.index]?.rule;
  const frozen = refusals.some(({ why }) => why === "frozen");
  const waits = refusals.map(({ retryAfterMs }) => retryAfterMs);
  // Every scope must have room: the longest wait counts, and one that never ends ends them all.
  const known = waits.filter((wait) => wait !== undefined);
  const retryAfterMs = known.length < waits.length ? undefined : Math.max(...known);
  const detail = frozen
    ? "This is closed for now, by an operator."
    : rule === undefined
      ? "Too many requests."
      : `The limit of ${nameOf(rule)} is reached.`;
  return { code: "rate_limited", detail, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

function boundOf(counted: Counted | undefined, { limit, used, resetsAtMs }: Level): readonly Bound[] {
  if (counted === undefined || counted.scope.kind === "concurrent") return [];
  const { window = "1s" } = counted.rule;
  const { requests: quota, windowMs } = counted.scope;
  return [{ name: `requests-${window}`, quota, windowS: windowMs / 1_000, limit, used, resetsAtMs }];
}

function evidenceOf({ refusals, counted }: Facts): { readonly evidence?: StageEvidence } {
  if (refusals.length === 0) return {};
  const scopes = refusals.map(({ index, key, limit, used, why }): ScopeEvidence => {
    const rule = counted[index]?.rule;
    const window = rule?.window === undefined ? {} : { window: rule.window };
    const unit = rule?.concurrent === undefined ? "requests" : "concurrent";
    return { scope: key, unit, ...window, state: why === "frozen" ? "frozen" : "refused", limit, used };
  });
  return { evidence: { scopes } };
}

/** Concurrency is free again; where nothing was sent, the request does not count against its rate either. */
const settle = (
  { desk, claimant, refusals, closed }: Facts,
  _section: LimitsSection,
  outcome: { readonly forwarded: boolean },
): Promise<void> => (refusals.length > 0 || closed ? Promise.resolve() : desk.leave(claimant, outcome.forwarded));

export const limitsStage = defineStage({
  name: "limits",
  section: limitsSection,
  merged: mergedLimits,
  additive: true,
  gather,
  decide,
  settle,
});
