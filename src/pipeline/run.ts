import type { RequestChange } from "../core/codec.ts";
import type { Denial } from "../core/denials.ts";
import { untouchedPlan } from "../core/selection.ts";
import type { BoundStage, Effect, StageContext, StageStores, Verdict } from "../core/stage.ts";
import type { Work } from "./work.ts";

/** Longest that all stages' waits together may take, milliseconds; below Envoy's message timeout, so that we answer first. */
export const DECIDE_DEADLINE_MS = 5_000;

/**
 * Runs the stages of the exchange's policy in order. Rollout mode and fault mode live here alone: in shadow and warn a
 * stage is asked like any other, what it says goes into the record, and nothing it says takes effect.
 * Gives the refusal, or undefined; plan and changes are in the work.
 */
export async function runStages(work: Work, now: () => number, stores: StageStores = {}): Promise<Denial | undefined> {
  const { policy } = work;
  if (policy === undefined) return { code: "internal" };
  const deadline = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let begun = now();
  try {
    for (const stage of policy.stages) {
      if (stage.mode === "off") continue;
      let outcome: Verdict | Fault;
      try {
        const evaluated = stage.evaluate(contextOf(work, stores), deadline.signal);
        if (evaluated instanceof Promise) {
          timer ??= setTimeout(() => deadline.abort(), DECIDE_DEADLINE_MS);
          const result = await Promise.race([evaluated, aborted(deadline.signal)]);
          outcome = result.ok ? result.value : { kind: "fault", why: result.error.code };
        } else outcome = evaluated;
      } catch {
        // A bug in a stage is that stage's fault, judged by its fault mode; the cause may hold content and stays out of the record.
        outcome = { kind: "fault", why: "exception" };
      }
      const done = now();
      const denial = judge(work, stage, outcome, Math.round((done - begun) * 1000));
      begun = done;
      if (denial !== undefined) return denial;
    }
  } finally {
    clearTimeout(timer);
    work.decidedMs = now();
  }
  work.plan ??= freely(work);
  return undefined;
}

interface Fault {
  readonly kind: "fault";
  readonly why: string;
}

function aborted(signal: AbortSignal): Promise<{ readonly ok: false; readonly error: { readonly code: "timeout" } }> {
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve({ ok: false, error: { code: "timeout" } }), { once: true }),
  );
}

function contextOf(work: Work, stores: StageStores): StageContext {
  const { principal, contract, codec } = work;
  if (principal === undefined || contract === undefined || codec === undefined) throw new Error("stages run before the caller is known");
  return {
    principal,
    contract,
    useCase: work.useCase,
    surface: { name: codec.surface, dialect: codec.dialect, operation: codec.operation },
    request: work.request,
    bodyBytes: work.requestBytes,
    catalog: work.snapshot.catalog,
    tenantResidency: work.snapshot.residencyOf(principal.tenant),
    candidates: work.candidates,
    plan: work.plan,
    change: work.change,
    stores,
  };
}

/** Notes what the stage said and lets it act as far as its mode goes. */
function judge(work: Work, stage: BoundStage, outcome: Verdict | Fault, us: number): Denial | undefined {
  const enforced = stage.mode === "enforce";
  if (outcome.kind === "fault") {
    const denial: Denial = { code: outcome.why === "exception" ? "internal" : "store_unavailable" };
    work.entries.push({
      stage: stage.name,
      mode: stage.mode,
      verdict: "fault",
      code: denial.code,
      reason: `${outcome.why}; ${stage.onFault}`,
      us,
    });
    return enforced && stage.onFault === "closed" ? denial : undefined;
  }
  if (outcome.kind === "allow") {
    const reason = outcome.reason === undefined ? {} : { reason: outcome.reason };
    work.entries.push({ stage: stage.name, mode: stage.mode, verdict: "allow", ...reason, us });
    for (const effect of outcome.effects) if (enforced || effect.kind === "home") apply(work, effect);
    return undefined;
  }
  const reason = outcome.detail === undefined ? {} : { reason: outcome.detail };
  work.entries.push({ stage: stage.name, mode: stage.mode, verdict: "deny", code: outcome.code, ...reason, us });
  if (enforced) return outcome;
  if (stage.mode === "warn") {
    work.warnings.push(outcome.code);
    work.decision = "warned";
  }
  return undefined;
}

function apply(work: Work, effect: Effect): void {
  switch (effect.kind) {
    case "candidates":
      work.candidates = effect.candidates;
      return;
    case "plan":
      work.plan = effect.plan;
      return;
    case "change":
      work.change = merge(work.change, effect.change);
      return;
    case "home":
      work.home = effect.choice;
      return;
    case "header":
      work.answerHeaders.push([effect.name, effect.value]);
      return;
    case "latency_cap":
      work.latencyCapMs = Math.min(work.latencyCapMs ?? effect.ms, effect.ms);
      return;
  }
}

/** Later changes win; of two output caps the lower. */
function merge(before: RequestChange, after: RequestChange): RequestChange {
  const caps = [before.outputTokensMax, after.outputTokensMax].filter((cap) => cap !== undefined);
  return {
    ...before,
    ...after,
    ...(before.parameters === undefined && after.parameters === undefined
      ? {}
      : { parameters: { ...before.parameters, ...after.parameters } }),
    ...(caps.length === 0 ? {} : { outputTokensMax: Math.min(...caps) }),
  };
}

/** No rule in force chose a target: the request goes where its own words lead, unchanged. */
function freely(work: Work): Work["plan"] {
  if (work.codec === undefined || work.request === undefined) return undefined;
  const { model } = work.request.view;
  const home = work.home?.model.targets[0];
  if (work.home === undefined || home === undefined) return untouchedPlan(model, work.codec.dialect, work.snapshot.catalog);
  if (model === undefined) return { choice: work.home, chain: [home] };
  const known = work.snapshot.catalog.models.get(model);
  const there = known?.targets.find(({ provider }) => provider.name === home.provider.name) ?? { ...home, model, price: undefined };
  return {
    choice: { model: known ?? { name: model, family: undefined, targets: [there] }, parameters: {}, tier: undefined },
    chain: [there],
  };
}
