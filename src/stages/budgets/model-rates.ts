/**
 * Rates and calls at once of a model that the caller did not name: by tier or family, or another one that the call was switched to. Their
 * claims are the plan's, under a name of their own, and are given back where the plan is not held.
 */
import { memoized } from "../../core/memo.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { asked } from "../../core/selection.ts";
import type { PortError, StageContext } from "../../core/stage.ts";
import type { Claimant, Level, Refusal } from "../../ports/ledger.ts";
import type { LedgerDesk } from "../../ports/ledger-desk.ts";
import { portError } from "../shared/ledger-faults.ts";
import { ByCaller } from "../shared/ledger-rules.ts";
import { type AllCounted, type Counted, isByModel, ratesFor } from "../shared/rates.ts";
import type { BudgetsSection } from "./section.ts";

/** What the step said: claimed, or refused; neither where it could not be asked and holds in shadow or warn alone. */
export interface ModelRates {
  readonly counted: readonly Counted[];
  readonly claimant: Claimant | undefined;
  readonly levels: readonly Level[];
  readonly refusals: readonly Refusal[];
}

/** Rules of models that are not off. */
export const modelRules = memoized(({ joined: { limits } }: BudgetsSection) =>
  limits.mode === "off" ? [] : limits.rules.filter((rule) => rule.tokens === undefined && isByModel(rule)),
);
const countedOf = memoized((section: BudgetsSection) => new ByCaller<AllCounted>(modelRules(section)));

/** undefined: no such rule counts the call, or it was counted by the name that the caller gave. */
export function modelRatesOf(section: BudgetsSection, context: StageContext): AllCounted | undefined {
  const rules = modelRules(section);
  if (rules.length === 0) return undefined;
  const name = context.plan?.choice.model.name;
  const what = asked(context.request?.view.model, context.contract);
  if (name === undefined || (what?.kind === "model" && what.name === name)) return undefined;
  const all = countedOf(section).of(context, name, (caller) => ratesFor(rules, caller));
  return all.counted.length === 0 ? undefined : all;
}

/** A step of its own, before the hold. */
export async function enterModel(
  { principal, exchange }: StageContext,
  section: BudgetsSection,
  desk: LedgerDesk,
  { counted, scopes }: AllCounted,
): Promise<Result<ModelRates, PortError>> {
  const { mode, onStoreLost } = section.joined.limits;
  const claimant: Claimant = {
    partition: { kind: "tenant", name: principal.tenant },
    exchange: `${exchange.id}.m${exchange.replans}`,
  };
  const answer = await desk.enter({ ...claimant, fresh: true, scopes }, onStoreLost);
  const nothing = { counted, claimant: undefined, levels: [], refusals: [] };
  if (!answer.ok) return mode === "enforce" ? err({ ...portError(answer.error), concerns: "other" }) : ok(nothing);
  switch (answer.value.kind) {
    case "admitted":
      return ok({ ...nothing, claimant, levels: answer.value.levels });
    case "refused":
      return ok({ ...nothing, refusals: answer.value.refusals });
    case "closed":
      return mode === "enforce" ? err({ code: "timeout", concerns: "other" }) : ok(nothing);
  }
}
