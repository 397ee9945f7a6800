import type { ModelChoice, Target } from "../../core/policy.ts";
import { asked, candidatesFor } from "../../core/selection.ts";
import { defineStage, type Effect, type StageContext, type Verdict } from "../../core/stage.ts";
import { type RouteSection, routeSection } from "./section.ts";

/** Picks the target: the first candidate, in the policy's order, that speaks the caller's dialect and may hold its data. */
function decide(context: StageContext, section: RouteSection): Verdict {
  if (context.request === undefined) return { kind: "allow", effects: [] };
  const { values } = context.contract;
  const candidates = context.candidates ?? chosenBy(context);
  const inFamily = candidates.filter(({ model }) => values.modelFamily === undefined || model.family === values.modelFamily);
  let spoken = false;
  let resident = false;
  let lawfulForClass = false;
  for (const choice of inFamily) {
    const speaking = choice.model.targets.filter((target) => target.provider.format === context.surface.dialect);
    spoken ||= speaking.length > 0;
    const lawful = speaking.filter((target) => mayHold(target, context.tenantResidency));
    resident ||= lawful.length > 0;
    const fit = lawful.filter(({ provider }) => context.marks.privateOnly !== true || provider.private);
    lawfulForClass ||= fit.length > 0;
    const placed = fit.filter((target) => values.region === undefined || target.region === values.region);
    const [target] = inOrder(placed, section.preferRegions);
    if (target !== undefined)
      return { kind: "allow", effects: planEffects(choice, target), reason: `${target.provider.name}/${target.model}` };
  }
  if (!spoken)
    return {
      kind: "deny",
      code: "no_target",
      detail: `No provider that speaks this API (${context.surface.dialect}) serves what was asked for.`,
    };
  if (!resident) return { kind: "deny", code: "residency_violation" };
  if (!lawfulForClass)
    return {
      kind: "deny",
      code: "forbidden",
      detail: "Data of this class may only go to private providers, and none serves what was asked for.",
    };
  return { kind: "deny", code: "no_target", detail: "No target in the region asked for by x-ai-region serves this model." };
}

function chosenBy(context: StageContext): readonly ModelChoice[] {
  const what = context.wish ?? asked(context.request?.view.model, context.contract);
  return what === undefined ? [] : candidatesFor(what, context.catalog);
}

const mayHold = (target: Target, residency: string | undefined): boolean =>
  residency === undefined || target.provider.residency.includes(residency);

function inOrder(targets: readonly Target[], preferred: readonly string[]): readonly Target[] {
  if (preferred.length === 0) return targets;
  const rank = (target: Target): number => {
    const place = target.region === undefined ? -1 : preferred.indexOf(target.region);
    return place < 0 ? preferred.length : place;
  };
  return targets.toSorted((a, b) => rank(a) - rank(b));
}

function planEffects(choice: ModelChoice, target: Target): readonly Effect[] {
  const change =
    Object.keys(choice.parameters).length === 0 ? { model: target.model } : { model: target.model, parameters: choice.parameters };
  return [
    { kind: "plan", plan: { choice, chain: [target] } },
    { kind: "change", change },
  ];
}

export const routeStage = defineStage({ name: "route", section: routeSection, planning: true, decide });
