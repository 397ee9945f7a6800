import { matchesAny } from "../../core/patterns.ts";
import type { ModelChoice } from "../../core/policy.ts";
import { asked, candidatesFor } from "../../core/selection.ts";
import { ALLOW, defineStage, type Effect, type StageContext, type Verdict } from "../../core/stage.ts";
import type { StatePlace } from "../../core/state.ts";
import { familyOfAny, type ModelFamily } from "../../core/tokens/families.ts";
import { overInput } from "../../core/tokens/request.ts";
import type { RequestView } from "../../core/view.ts";
import { type AccessFacts, gather } from "./gather.ts";
import { type AccessSection, accessSection } from "./section.ts";
import { atHome, stateProblem, subjectChoice } from "./state.ts";
import { asksForTaint, judgeOffers, mayCallTools, ToolGuard, taintsOf } from "./tools.ts";

/** Allow-lists: operation, model, tier, family, tools, input size, state kept at the provider. */
function decide(context: StageContext, section: AccessSection, facts: AccessFacts | undefined): Verdict {
  const { operation } = context.surface;
  if (!section.operations.some((allowed) => allowed === operation) && operation !== "other")
    return { kind: "deny", code: "forbidden", detail: `The operation ${operation} is not allowed for this use case.` };
  if (context.request === undefined) {
    return { kind: "allow", effects: [{ kind: "candidates", candidates: allChoices(context, section) }] };
  }
  const { view } = context.request;
  const problem = sizeProblem(context, section, view) ?? stateProblem(section, view, facts);
  if (problem !== undefined) return problem;
  const models = modelsVerdict(context, section, facts);
  const tools = toolsVerdict(context, section, facts, mayCallTools(view) || bringsTools(models));
  if (tools.kind !== "allow") return tools;
  return withTools(models, tools);
}

/** May the call go to a prompt that the provider keeps, as a model of the policy (Bedrock)? It has tools of its own, and nobody here knows them. */
const bringsTools = ({ effects = [] }: Verdict): boolean =>
  effects.some(
    (effect) =>
      effect.kind === "candidates" &&
      effect.candidates.some(({ model }) => model.targets.some((target) => STORED_PROMPT.test(target.model))),
  );
/** docs.aws.amazon.com, "Deploy a prompt using Prompt management": its ARN in the place of a model's id. */
const STORED_PROMPT = /^arn:[^:]*:bedrock:[^:]*:[^:]*:prompt\//;

/** What the request offers, who may call it, and whether untrusted content is about. */
function toolsVerdict(context: StageContext, { tools }: AccessSection, facts: AccessFacts | undefined, mayCall: boolean): Verdict {
  if (facts?.held !== undefined) return facts.held;
  const view = context.request?.view;
  const taints = asksForTaint(tools) ? (facts?.taints ?? taintsOf(context, tools)) : [];
  const before = facts?.conversationTainted === true || (facts?.kept.tainted === true && asksForTaint(tools));
  const named = before ? [...taints, "conversation"] : taints;
  const effects: Effect[] = named.length === 0 ? [] : [{ kind: "mark", mark: { tainted: named } }];
  // What the provider keeps of the conversation is as sensitive as it was.
  const dataClass = facts?.kept.dataClass;
  if (dataClass !== undefined) effects.push({ kind: "mark", mark: { dataClass } });
  // Without tools nothing is judged, but an attack that is found later taints the conversation.
  const watches = context.contract.values.conversation !== undefined && asksForTaint(tools);
  if (view === undefined || !(mayCall || watches)) return { kind: "allow", effects };
  const tainted = named.length > 0;
  const { denial, dropped } = judgeOffers(tools, view, tainted);
  if (denial !== undefined) return { kind: "deny", ...denial, effects };
  if (dropped.length > 0) effects.push({ kind: "change", change: { dropTools: dropped.map(({ node }) => node) } });
  effects.push({ kind: "guard", guard: new ToolGuard(tools, context, tainted) });
  const said = [
    ...(dropped.length === 0 ? [] : [`${dropped.length} tool${dropped.length === 1 ? "" : "s"} no longer offered`]),
    ...(tainted ? [`tainted by ${named.join(", ")}`] : []),
  ];
  return { kind: "allow", effects, ...(said.length === 0 ? {} : { reason: said.join("; ") }) };
}

function withTools(verdict: Verdict, { effects, reason }: Extract<Verdict, { readonly kind: "allow" }>): Verdict {
  if (verdict.kind !== "allow") return verdict;
  const reasons = [verdict.reason, reason].filter((said) => said !== undefined);
  return { ...verdict, effects: [...effects, ...verdict.effects], ...(reasons.length === 0 ? {} : { reason: reasons.join("; ") }) };
}

function modelsVerdict(context: StageContext, section: AccessSection, facts: AccessFacts | undefined): Verdict {
  const view = context.request?.view;
  if (view === undefined) return ALLOW;
  const home = facts?.places.find((place) => place !== undefined);
  if (view.providerState.some(({ subject }) => subject === true)) return subjectVerdict(context, section, home);
  const verdict = modelVerdict(context, section, view);
  return home === undefined ? verdict : atHome(verdict, home, context.catalog);
}

/** A call about one kept thing goes where it is kept; where nobody remembers (`allow`), to what the caller may use. */
function subjectVerdict(context: StageContext, section: AccessSection, home: StatePlace | undefined): Verdict {
  if (home === undefined) return { kind: "allow", effects: [{ kind: "candidates", candidates: allChoices(context, section) }] };
  const choice = subjectChoice(context.catalog, home);
  if (choice === undefined)
    return { kind: "deny", code: "no_target", detail: "The provider that keeps this is no longer part of the policy." };
  return {
    kind: "allow",
    effects: [
      { kind: "candidates", candidates: [choice] },
      { kind: "home", choice },
    ],
  };
}

function allChoices(context: StageContext, section: AccessSection): readonly ModelChoice[] {
  const all = [...context.catalog.models.values()].map((model): ModelChoice => ({ model, parameters: {}, tier: undefined }));
  return all.filter((choice) => mayUse(choice, section));
}

function mayUse({ model }: ModelChoice, section: AccessSection): boolean {
  return matchesAny(section.models, model.name) || (model.family !== undefined && matchesAny(section.families, model.family));
}

function modelVerdict(context: StageContext, section: AccessSection, view: RequestView): Verdict {
  const what = context.wish ?? asked(view.model, context.contract);
  // The same words for a model that does not exist and one that is not allowed: the catalogue is not for probing.
  const denied: Verdict = {
    kind: "deny",
    code: "model_not_allowed",
    detail: "This model or tier is not one that this use case may call. GET /v1/models lists those it may.",
  };
  if (what === undefined) {
    if (view.model === undefined) return { kind: "deny", code: "invalid_request", detail: "The request names no model." };
    return denied;
  }
  const candidates = candidatesFor(what, context.catalog);
  if (what.kind === "tier") {
    if (!section.tiers.includes(what.tier) || candidates.length === 0) return denied;
    return { kind: "allow", effects: [{ kind: "candidates", candidates }] };
  }
  const allowed = candidates.filter((choice) => mayUse(choice, section));
  if (allowed.length === 0) return denied;
  return { kind: "allow", effects: [{ kind: "candidates", candidates: allowed }] };
}

function sizeProblem(context: StageContext, section: AccessSection, view: RequestView): Verdict | undefined {
  if (section.inputBytesMax !== undefined && context.bodyBytes > section.inputBytesMax)
    return {
      kind: "deny",
      code: "input_too_large",
      detail: `The request has ${context.bodyBytes} bytes; ${section.inputBytesMax} are allowed.`,
    };
  // A token is at least one byte, and the texts are part of the body: most requests need no walk.
  if (section.inputTokensMax === undefined || context.bodyBytes <= section.inputTokensMax) return undefined;
  const limit = { tokensMax: section.inputTokensMax, exact: context.stores?.tokens };
  const over = overInput(view, familiesFor(context, view), limit);
  if (over === undefined) return undefined;
  return {
    kind: "deny",
    code: "input_too_large",
    detail: `The input has ${over.more ? "more than" : "about"} ${over.tokens} tokens; ${section.inputTokensMax} are allowed.`,
  };
}

/** The families of all models that might serve what is asked for: the one that makes most tokens of it counts. */
function familiesFor(context: StageContext, view: RequestView): readonly ModelFamily[] {
  const what = context.wish ?? asked(view.model, context.contract);
  const targets = what === undefined ? [] : candidatesFor(what, context.catalog).flatMap((choice) => choice.model.targets);
  return targets.length === 0 ? [familyOfAny([view.model])] : targets.map((target) => familyOfAny([target.model, view.model]));
}

export const accessStage = defineStage({ name: "access", section: accessSection, planning: true, gather, decide });
