import { memoized } from "../../core/memo.ts";
import type { StageEvidence } from "../../core/record.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { asked } from "../../core/selection.ts";
import { defineStage, type Effect, type PortError, type StageContext, type Verdict } from "../../core/stage.ts";
import type { Claimant, Level, Refusal } from "../../ports/ledger.ts";
import type { LedgerDesk } from "../../ports/ledger-desk.ts";
import { portError } from "../shared/ledger-faults.ts";
import { rateHeaders } from "../shared/ledger-headers.ts";
import { ByCaller, type Caller } from "../shared/ledger-rules.ts";
import { type AllCounted, type Counted, isByModel, rateBound, rateDenial, rateEvidence, ratesFor } from "../shared/rates.ts";
import { type LimitsSection, limitsSection, mergedLimits } from "./section.ts";

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

/**
 * Rules of a model count the one that is called. Where the caller asks by tier or family it is not known yet: the stage that holds budgets
 * asks for them, with the plan. But a rule may name a tier itself.
 */
function countedBy({ rules }: LimitsSection, caller: Caller): AllCounted {
  if (!isByMeaning(caller.model)) return ratesFor(rules, caller);
  return ratesFor(
    rules.filter(({ per, model }) => !isByModel({ per, model }) || [model ?? []].flat().some(isByMeaning)),
    caller,
  );
}
const isByMeaning = (model: string): boolean => model.startsWith("tier:") || model.startsWith("family:");

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
      return context.catalog.models.get(what.name)?.name ?? "other";
  }
}

function decide(_context: StageContext, _section: LimitsSection, facts: Facts | undefined): Verdict {
  if (facts === undefined) return { kind: "allow", effects: [] };
  if (facts.closed) return { kind: "deny", code: "store_unavailable", detail: "The call took too long to be let in." };
  const bounds = facts.levels.flatMap((level, index) => rateBound(facts.counted[index], level));
  if (facts.refusals.length === 0) return { kind: "allow", effects: rateHeaders(bounds, facts.nowMs), ...evidenceOf(facts) };
  const refused = facts.refusals.flatMap((level) => rateBound(facts.counted[level.index], level));
  const effects: Effect[] = [...rateHeaders(refused, facts.nowMs)];
  return { kind: "deny", effects, ...rateDenial(facts.refusals, facts.counted), ...evidenceOf(facts) };
}

const evidenceOf = ({ refusals, counted }: Facts): { readonly evidence?: StageEvidence } =>
  refusals.length === 0 ? {} : { evidence: { scopes: rateEvidence(refusals, counted) } };

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
