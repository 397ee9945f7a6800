import { defineStage, type Effect, type StageContext, type Verdict } from "../../core/stage.ts";
import { type CapsSection, capsSection } from "./section.ts";

/** The tighter of the policy's cap and the caller's own; undefined: neither. */
function tighter(policy: number | undefined, caller: string | undefined): number | undefined {
  if (caller === undefined) return policy;
  return policy === undefined ? Number(caller) : Math.min(policy, Number(caller));
}

/** Caps of one call: output tokens in all spellings, latency. */
function decide(context: StageContext, section: CapsSection): Verdict {
  const { values } = context.contract;
  const effects: Effect[] = [];
  const latencyMs = tighter(section.latencyMsMax, values.maxLatencyMs);
  if (latencyMs !== undefined) effects.push({ kind: "latency_cap", ms: latencyMs });
  const view = context.request?.view;
  if (view === undefined || context.surface.operation !== "chat") return { kind: "allow", effects };

  const cap = tighter(section.outputTokensMax, values.maxTokens);
  const wanted = view.outputTokensMax;
  if (wanted === undefined) {
    const given =
      section.outputTokensDefault === undefined ? cap : Math.min(section.outputTokensDefault, cap ?? section.outputTokensDefault);
    if (given === undefined) return { kind: "allow", effects };
    effects.push({ kind: "change", change: { outputTokensMax: given } });
    return { kind: "allow", effects, reason: `output set to ${given} tokens` };
  }
  if (cap === undefined || wanted <= cap) return { kind: "allow", effects };
  if (section.onExceeded === "refuse")
    return { kind: "deny", code: "invalid_request", detail: `The request asks for up to ${wanted} output tokens; ${cap} are allowed.` };
  effects.push({ kind: "change", change: { outputTokensMax: cap } });
  return { kind: "allow", effects, reason: `output clamped from ${wanted} to ${cap} tokens` };
}

export const capsStage = defineStage({ name: "caps", section: capsSection, planning: true, decide });
