import type { RequestChange } from "../core/codec.ts";
import { type DataClass, declaredClass, higherClass } from "../core/contract.ts";
import type { Denial } from "../core/denials.ts";
import { REPLANS_MAX } from "../core/limits.ts";
import { inOnePiece } from "../core/one-piece.ts";
import type { StageEntry } from "../core/record.ts";
import type { BoundStage, Effect, Evaluation, Marks, Outcome, PortError, Rollout, StageStores, Verdict } from "../core/stage.ts";
import { shadowStores } from "./shadow-stores.ts";
import type { Applied, Work } from "./work.ts";
import { freePlan, WorkContext } from "./work-context.ts";

/** Longest that all stages' waits together may take, milliseconds; below Envoy's message timeout, so that we answer first. */
export const DECIDE_DEADLINE_MS = 5_000;

/** What the stages make of a request: undefined is a pass, with plan and changes in the work. */
export type Decided =
  | { readonly kind: "deny"; readonly denial: Denial }
  /** Sluice says `text` in the provider's place. */
  | Pick<Extract<Verdict, { readonly kind: "answer" }>, "kind" | "text" | "whole">
  | undefined;

/**
 * Runs the stages of the exchange's policy in order. Rollout mode and fault mode live here alone: in shadow and warn a
 * stage is asked like any other, what it says goes into the record, and nothing it says takes effect but facts.
 *
 * A stage that refuses the plan may name another way (`replan`): then the stages that plan are asked again, from the first, as
 * if the caller had asked for that; each candidate so meets access, residency and caps again. At most `REPLANS_MAX` times.
 */
export async function runStages(work: Work, now: () => number, stores: StageStores = {}): Promise<Decided> {
  const { policy } = work;
  if (policy === undefined) return { kind: "deny", denial: { code: "internal" } };
  const deadline = new Deadline();
  try {
    let stages = policy.stages;
    let refusal: Denial | undefined;
    for (;;) {
      const said = await runRound(work, stages, { now, stores, deadline });
      if (said === undefined) break;
      // Another way was tried and none is allowed: what refused the first one is what the caller learns.
      if (said.kind === "deny") return { kind: "deny", denial: refusal ?? said.denial };
      if (said.kind === "answer") return said;
      refusal ??= said.otherwise;
      if (work.replans >= REPLANS_MAX) return { kind: "deny", denial: refusal };
      replan(work, said);
      stages = policy.stages.filter(({ planning }) => planning);
    }
  } finally {
    deadline.clear();
    work.decidedMs = now();
  }
  work.plan ??= freePlan(work);
  return undefined;
}

interface Round {
  readonly now: () => number;
  readonly stores: StageStores;
  readonly deadline: Deadline;
}
type Replan = Extract<Verdict, { readonly kind: "replan" }>;
type Said = Exclude<Decided, undefined> | Replan | undefined;

async function runRound(work: Work, stages: readonly BoundStage[], { now, stores, deadline }: Round): Promise<Said> {
  let begun = now();
  const context = new WorkContext(work, stores);
  let shadow: WorkContext | undefined;
  for (const stage of stages) {
    if (stage.mode === "off" && stage.speaksFor === undefined) continue;
    let outcome: Evaluation | Fault;
    try {
      // A stage that is off may speak for another section, which has a mode of its own.
      const foretells = stage.mode === "shadow" || stage.mode === "warn";
      if (foretells) shadow ??= new WorkContext(work, shadowStores(stores));
      const seen = foretells && shadow !== undefined ? shadow : context;
      const evaluated = stage.evaluate(seen, deadline.signal);
      outcome = evaluated instanceof Promise ? await inTime(work, stage, evaluated, deadline) : { verdict: evaluated };
    } catch {
      // A bug in a stage is that stage's fault, judged by its fault mode; the cause may hold content and stays out of the record.
      outcome = { kind: "fault", why: "exception" };
    }
    const done = now();
    const said = judge(work, stage, outcome, Math.round((done - begun) * 1000));
    begun = done;
    if (said !== undefined) return said;
  }
  return undefined;
}

/** One deadline for all waits of an exchange, begun with the first. */
class Deadline {
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #late: (() => void) | undefined;
  get signal(): AbortSignal {
    return this.#controller.signal;
  }
  /** Calls `late` when it is over. Stages wait one after the other, so the last who waits is the one who does. */
  begin(late: () => void): void {
    this.#late = late;
    if (this.signal.aborted) return late();
    this.#timer ??= setTimeout(() => {
      this.#controller.abort();
      this.#late?.();
    }, DECIDE_DEADLINE_MS);
  }
  clear(): void {
    clearTimeout(this.#timer);
  }
}

interface Fault {
  readonly kind: "fault";
  readonly why: string;
  readonly concerns?: PortError["concerns"] | undefined;
}

/** What a stage found out, or that it did not in time: then what it claims later is given back. */
function inTime(
  work: Work,
  stage: BoundStage,
  evaluated: Exclude<ReturnType<BoundStage["evaluate"]>, Verdict>,
  deadline: Deadline,
): Promise<Evaluation | Fault> {
  return new Promise((resolve, reject) => {
    let late = false;
    deadline.begin(() => {
      late = true;
      resolve({ kind: "fault", why: "timeout" });
    });
    evaluated.then((result) => {
      if (!result.ok) return resolve({ kind: "fault", why: result.error.code, concerns: result.error.concerns });
      const { settle } = result.value;
      if (settle !== undefined) {
        if (late) void settle(NOT_USED);
        else work.claims.set(stage.name, settle);
      }
      resolve(result.value);
    }, reject);
  });
}

/** For what was claimed for an exchange that had been refused by then. */
const NOT_USED: Outcome = {
  ending: "refused",
  forwarded: false,
  usage: undefined,
  estimated: false,
  costNanoUsd: undefined,
  target: undefined,
  attempts: undefined,
  unanswered: false,
  lostTokens: 0,
};

/** Effects that hold in every mode. A guard runs too, and what it says is only recorded. */
const FACTS: ReadonlySet<Effect["kind"]> = new Set(["home", "mark", "guard", "held", "classes"] as const);

/** Notes what the stage said, for itself and beside it, and lets it act as far as the mode of each goes. */
function judge(work: Work, stage: BoundStage, outcome: Evaluation | Fault, us: number): Said {
  const { name, mode } = stage;
  if ("kind" in outcome) {
    const denial: Denial = { code: outcome.why === "exception" ? "internal" : "store_unavailable" };
    const fault = ({ stage, mode, onFault }: Rollout): Said => {
      work.entries.push({ stage, mode, verdict: "fault", code: denial.code, reason: `${outcome.why}; ${onFault}`, us });
      return mode === "enforce" && onFault === "closed" ? { kind: "deny", denial } : undefined;
    };
    const { concerns } = outcome;
    const own = mode === "off" || concerns === "other" ? undefined : fault({ stage: name, mode, onFault: stage.onFault });
    // Rules of another section that could not be asked either are in force all the same, where they count this request.
    return own ?? (stage.speaksFor === undefined || concerns === "own" ? undefined : fault(stage.speaksFor));
  }
  const { verdict } = outcome;
  const { beside } = verdict;
  if (mode !== "off") work.entries.push(entry(name, mode, verdict, us));
  let said = weigh(work, stage, verdict);
  if (beside !== undefined) {
    const other = { name: beside.stage, mode: beside.mode, planning: stage.planning, onFault: stage.onFault };
    if (beside.verdict.kind !== "allow") work.entries.push({ stage: other.name, mode: other.mode, ...entryOf(beside.verdict) });
    const also = weigh(work, other, beside.verdict);
    // No other way where one of the two only refuses.
    if (said === undefined || (also?.kind === "deny" && said.kind !== "deny")) said = also;
  }
  if (said?.kind !== "answer") return said;
  work.decision = "degraded";
  work.denial = { code: said.code };
  return said;
}

type Answer = Extract<Verdict, { readonly kind: "answer" }>;

const NO_EFFECTS: readonly Effect[] = [];

/** Lets a verdict act as far as its mode goes. */
function weigh(
  work: Work,
  stage: Pick<BoundStage, "name" | "mode" | "planning" | "onFault">,
  verdict: Verdict,
): Exclude<Said, { readonly kind: "answer" }> | Answer {
  const { name, mode } = stage;
  const enforced = mode === "enforce";
  const all = verdict.effects ?? NO_EFFECTS;
  const effects = enforced ? all : all.filter(({ kind }) => FACTS.has(kind));
  if (effects.length > 0) {
    const applied = { stage: name, planning: stage.planning, mode, onFault: stage.onFault, effects };
    work.applied.push(applied);
    for (const effect of effects) apply(work, effect, applied);
  }
  if (verdict.kind === "allow") return undefined;
  const code = verdict.kind === "replan" ? verdict.otherwise.code : verdict.code;
  if (!enforced) {
    if (mode === "warn") {
      work.warnings.push(code);
      work.decision = "warned";
    }
    return undefined;
  }
  if (verdict.kind === "replan") return verdict;
  if (verdict.kind === "deny") {
    const { kind: _kind, effects: _effects, evidence: _evidence, beside: _beside, ...denial } = verdict;
    return { kind: "deny", denial };
  }
  return verdict;
}

/** Nearly every stage allows, and says nothing or one thing: made without going through parts. */
function entry(stage: string, mode: StageEntry["mode"], verdict: Verdict, us: number): StageEntry {
  if (verdict.kind !== "allow" || verdict.evidence !== undefined) return { stage, mode, ...entryOf(verdict), us };
  const { reason } = verdict;
  if (reason === undefined) return { stage, mode, verdict: "allow", us };
  return { stage, mode, verdict: "allow", reason: inOnePiece(reason), us };
}

function entryOf(verdict: Verdict): Pick<StageEntry, "verdict" | "code" | "reason" | "evidence"> {
  const { kind, evidence } = verdict;
  const reason = kind === "deny" ? verdict.detail : verdict.reason;
  const said = { ...(reason === undefined ? {} : { reason }), ...(evidence === undefined ? {} : { evidence }) };
  if (kind === "allow") return { verdict: kind, ...said };
  return { verdict: kind, code: kind === "replan" ? verdict.otherwise.code : verdict.code, ...said };
}

function apply(work: Work, effect: Effect, { stage, mode, onFault }: Omit<Applied, "effects">): void {
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
    case "mark":
      work.marks = mergeMarks(work.marks, mode === "enforce" ? effect.mark : factsOf(effect.mark));
      if (mode !== "enforce" && effect.mark.tainted !== undefined)
        work.foreseen = mergeMarks(work.foreseen ?? {}, { tainted: effect.mark.tainted });
      return;
    case "header":
      addHeader(work, effect);
      return;
    case "output_cap":
      work.outputCap = Math.min(work.outputCap ?? effect.tokens, effect.tokens);
      return;
    case "output_limit":
      work.outputLimit = Math.min(work.outputLimit ?? effect.tokens, effect.tokens);
      return;
    case "held":
      work.held = { usage: effect.usage, nanoUsd: effect.nanoUsd };
      return;
    case "guard":
      work.guards = [...work.guards, { stage, mode, onFault, guard: effect.guard }];
      return;
    case "classes":
      work.classOf = effect.classOf;
      if (mode === "enforce") work.keepingOf = effect.keepingOf;
      return;
    case "stand_ins":
      work.standIns = effect.standIns;
      return;
    case "latency_cap":
      work.latencyCapMs = Math.min(work.latencyCapMs ?? effect.ms, effect.ms);
      return;
  }
}

function addHeader(work: Work, { name, value, beside }: Extract<Effect, { readonly kind: "header" }>): void {
  // A counted call has a dozen: no closure and no iterator for each.
  let known: (typeof work.answerHeaders)[number] | undefined;
  for (const header of work.answerHeaders) if (header[0] === name) known = header;
  if (known === undefined) {
    work.answerHeaders.push([name, value]);
    return;
  }
  if (beside === "keep") return;
  const whole = beside === "append" ? `${known[1]}, ${value}` : value;
  work.answerHeaders = [...work.answerHeaders.filter(([other]) => other !== name), [name, whole]];
}

/** Back to what the stages said that do not plan; those that do are asked anew. */
function replan(work: Work, { ask }: Replan): void {
  work.wish = ask;
  work.replans += 1;
  work.decision = "degraded";
  work.candidates = undefined;
  work.plan = undefined;
  work.change = {};
  work.answerHeaders = [];
  work.guards = [];
  work.latencyCapMs = undefined;
  work.outputCap = undefined;
  work.outputLimit = undefined;
  work.held = undefined;
  work.applied = work.applied.filter(({ planning }) => !planning);
  for (const applied of work.applied) for (const effect of applied.effects) apply(work, effect, applied);
}

function isEmpty(value: object): boolean {
  for (const _key in value) return false;
  return true;
}

/** Later changes win; of two output caps the lower. */
function merge(before: RequestChange, after: RequestChange): RequestChange {
  if (isEmpty(before)) return after;
  const caps = [before.outputTokensMax, after.outputTokensMax].filter((cap) => cap !== undefined);
  return {
    ...before,
    ...after,
    ...(before.parameters === undefined && after.parameters === undefined
      ? {}
      : { parameters: { ...before.parameters, ...after.parameters } }),
    ...(caps.length === 0 ? {} : { outputTokensMax: Math.min(...caps) }),
    ...(before.texts === undefined || after.texts === undefined ? {} : { texts: new Map([...before.texts, ...after.texts]) }),
  };
}

/** What holds of the request whatever becomes of the stage that found it; none of it restricts anything by itself. Nothing was replaced. */
function factsOf({ dataClass, entities }: Marks): Marks {
  return {
    ...(dataClass === undefined ? {} : { dataClass }),
    ...(entities === undefined ? {} : { entities, unredacted: entities }),
  };
}

function mergeMarks(before: Marks, after: Marks): Marks {
  if (isEmpty(before)) return after;
  const dataClass = higherClass(before.dataClass, after.dataClass);
  const tainted = [...new Set([...(before.tainted ?? []), ...(after.tainted ?? [])])];
  const entities = [...new Set([...(before.entities ?? []), ...(after.entities ?? [])])];
  const unredacted = [...new Set([...(before.unredacted ?? []), ...(after.unredacted ?? [])])];
  return {
    ...(dataClass === undefined ? {} : { dataClass }),
    ...(tainted.length === 0 ? {} : { tainted }),
    ...(entities.length === 0 ? {} : { entities }),
    ...(unredacted.length === 0 ? {} : { unredacted }),
    ...(before.privateOnly === true || after.privateOnly === true ? { privateOnly: true } : {}),
    ...(before.cacheable === false || after.cacheable === false ? { cacheable: false } : {}),
    ...(after.retention === undefined && before.retention === undefined ? {} : { retention: after.retention ?? before.retention ?? "" }),
  };
}

/** Raises the class by what the answer turned out to hold. */
export function raiseClass(work: Work, entities: readonly string[]): void {
  for (const entity of entities) {
    const dataClass = work.classOf?.(entity);
    if (dataClass !== undefined) work.marks = mergeMarks(work.marks, { dataClass });
  }
}

/** The class of the exchange's data: what the caller declared, raised by what was found. */
export function dataClassOf(work: Pick<Work, "contract" | "marks">): DataClass | undefined {
  return higherClass(work.contract === undefined ? undefined : declaredClass(work.contract), work.marks.dataClass);
}
