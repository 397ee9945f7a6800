import type { Denial } from "../../core/denials.ts";
import { parseUsd } from "../../core/money.ts";
import type { Asked } from "../../core/selection.ts";
import { defineStage, type Effect, type StageContext, type Verdict } from "../../core/stage.ts";
import { familyOfAny } from "../../core/tokens/families.ts";
import { thinksUnseen } from "../../core/tokens/reasoning.ts";
import { fitCost } from "./cost.ts";
import { OutputCap } from "./guard.ts";
import { type CapsSection, capsSection } from "./section.ts";

/** The tighter of the policy's cap and the caller's own; undefined: neither. */
function tighter(policy: number | undefined, caller: number | undefined): number | undefined {
  if (caller === undefined || policy === undefined) return policy ?? caller;
  return Math.min(policy, caller);
}
const numberOf = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));

/** What becomes of the output: the cap that holds, how it is kept, and what the record says of it. */
interface OutputCapping {
  /** Tokens of a choice; undefined: none. */
  readonly cap: number | undefined;
  /** To be written into the request. */
  readonly write: boolean;
  /** The stream is ended at it, and the provider is not told. */
  readonly cut: boolean;
  readonly reason?: string;
}

/** Caps of one call: output tokens in all spellings, cost, latency. */
function decide(context: StageContext, section: CapsSection): Verdict {
  const { values } = context.contract;
  const effects: Effect[] = [];
  const latencyMs = tighter(section.latencyMsMax, numberOf(values.maxLatencyMs));
  if (latencyMs !== undefined) effects.push({ kind: "latency_cap", ms: latencyMs });
  const { request, surface } = context;
  if (request === undefined || surface.operation === "list" || surface.operation === "other") return { kind: "allow", effects };
  const capped = capOutput(context, section);
  if ("kind" in capped) return capped;
  const maxNanoUsd = tighter(nanoOf(section.costUsdMax), nanoOf(values.maxCostUsd));
  const costed = maxNanoUsd === undefined ? capped : capCost(context, section, { maxNanoUsd, capped });
  if ("kind" in costed) return costed;
  effects.push(...effectsOf(context, costed));
  return { kind: "allow", effects, ...(costed.reason === undefined ? {} : { reason: costed.reason }) };
}

const nanoOf = (usd: string | number | undefined): number | undefined => (usd === undefined ? undefined : parseUsd(usd));

function capOutput(context: StageContext, section: CapsSection): OutputCapping | Verdict {
  const view = context.request?.view;
  if (view === undefined || context.surface.operation !== "chat") return { cap: undefined, write: false, cut: false };
  const cap = tighter(section.outputTokensMax, numberOf(context.contract.values.maxTokens));
  const wanted = view.outputTokensMax;
  const cuts = mayCut(context, section);
  if (wanted === undefined) {
    const given = tighter(section.outputTokensDefault, cap);
    if (given === undefined) return { cap: undefined, write: false, cut: false };
    if (cuts && section.outputTokensDefault === undefined)
      return { cap: given, write: false, cut: true, reason: `the stream ends at ${given} tokens` };
    return { cap: given, write: true, cut: false, reason: `output set to ${given} tokens` };
  }
  if (cap === undefined || wanted <= cap) return { cap: wanted, write: false, cut: false };
  if (section.onExceeded === "refuse")
    return { kind: "deny", code: "invalid_request", detail: `The request asks for up to ${wanted} output tokens; ${cap} are allowed.` };
  if (cuts) return { cap, write: false, cut: true, reason: `the stream ends at ${cap} of ${wanted} tokens` };
  return { cap, write: true, cut: false, reason: `output clamped from ${wanted} to ${cap} tokens` };
}

/** A stream can be ended at its cap, as long as it shows all the output that there is; else the provider must be told. */
function mayCut({ request, plan, surface }: StageContext, { onExceeded }: CapsSection): boolean {
  if (onExceeded !== "cut" || request?.view.streaming !== true) return false;
  const names = [plan?.chain[0]?.model, plan?.choice.model.name, plan?.choice.model.family, request.view.model];
  return !thinksUnseen(request, { dialect: surface.dialect, names });
}

function capCost(
  context: StageContext,
  section: CapsSection,
  { maxNanoUsd, capped }: { readonly maxNanoUsd: number; readonly capped: OutputCapping },
): OutputCapping | Verdict {
  const fit = fitCost(context, maxNanoUsd, capped.cap);
  if (fit.kind === "fits") return capped;
  if (fit.kind === "unpriced")
    return {
      kind: "deny",
      code: "cost_cap",
      detail: "No price is known for this model, or for the service tier that the call asks for, so a cap of its cost cannot be kept.",
    };
  const denial: Denial = { code: "cost_cap", detail: fit.detail };
  if (section.onExceeded === "degrade") {
    const ask = askFor(section.degradeTo);
    if (JSON.stringify(context.wish) !== JSON.stringify(ask))
      return { kind: "replan", ask, reason: `${fit.detail} Switched to ${section.degradeTo}.`, otherwise: denial };
  }
  if (section.onExceeded === "refuse" || fit.outputTokens === 0) return { kind: "deny", ...denial };
  const cap = fit.outputTokens;
  if (mayCut(context, section)) return { cap, write: false, cut: true, reason: `the stream ends at ${cap} tokens, by its cap of cost` };
  return { cap, write: true, cut: false, reason: `output clamped to ${cap} tokens, by its cap of cost` };
}

function askFor(name: string): Asked {
  if (name === "high" || name === "standard" || name === "cheap") return { kind: "tier", tier: name };
  return { kind: "model", name };
}

function effectsOf(context: StageContext, { cap, write, cut }: OutputCapping): readonly Effect[] {
  const view = context.request?.view;
  if (cap === undefined || view === undefined) return [];
  const total = cap * view.choices;
  const effects: Effect[] = write ? [{ kind: "change", change: { outputTokensMax: cap } }] : [];
  if (!view.streaming) return effects;
  if (cut) {
    const family = familyOfAny([context.plan?.chain[0]?.model, view.model]);
    return [...effects, { kind: "output_cap", tokens: cap }, { kind: "guard", guard: new OutputCap(total, family) }];
  }
  // The provider knows the cap. One that does not keep it is stopped all the same, with room for an estimate that is too high.
  return [...effects, { kind: "output_limit", tokens: Math.ceil(total * SLACK) + SLACK_TOKENS }];
}
const SLACK = 1.25;
const SLACK_TOKENS = 64;

export const capsStage = defineStage({ name: "caps", section: capsSection, planning: true, decide });
