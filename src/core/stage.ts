import type { ParsedRequest, RequestChange } from "./codec.ts";
import type { Contract } from "./contract.ts";
import type { Denial } from "./denials.ts";
import type { Json } from "./json.ts";
import type { Catalog, FaultMode, ModelChoice, Plan, Principal, RolloutMode } from "./policy.ts";
import type { Result } from "./result.ts";
import type { StateLookup } from "./state.ts";
import type { Dialect, Operation } from "./view.ts";

/** What a stage may add to an exchange. In shadow and warn the pipeline drops it, so a stage never asks for the mode. */
export type Effect =
  /** Ways to serve the request that the stages so far allow, in order of preference. */
  | { readonly kind: "candidates"; readonly candidates: readonly ModelChoice[] }
  | { readonly kind: "plan"; readonly plan: Plan }
  | { readonly kind: "change"; readonly change: RequestChange }
  /** Where the state is kept that the request refers to: no rule but a fact, so it holds in every mode. */
  | { readonly kind: "home"; readonly choice: ModelChoice }
  /** A header on the answer to the caller. */
  | { readonly kind: "header"; readonly name: string; readonly value: string }
  /** Cap that the answer must keep; the tighter of several counts. */
  | { readonly kind: "latency_cap"; readonly ms: number };

export type Verdict =
  | { readonly kind: "allow"; readonly effects: readonly Effect[]; readonly reason?: string }
  | ({ readonly kind: "deny" } & Denial);

export const ALLOW: Verdict = { kind: "allow", effects: [] };

/** What a stage sees: the request, who asks, what may be routed to, and what earlier stages decided. */
export interface StageContext {
  readonly principal: Principal;
  readonly contract: Contract;
  /** undefined when neither credential, contract nor app names one. */
  readonly useCase: string | undefined;
  readonly surface: { readonly name: string; readonly dialect: Dialect; readonly operation: Operation };
  /** Absent where the surface has no request body. */
  readonly request: ParsedRequest | undefined;
  readonly bodyBytes: number;
  readonly catalog: Catalog;
  readonly tenantResidency: string | undefined;
  readonly candidates: readonly ModelChoice[] | undefined;
  readonly plan: Plan | undefined;
  readonly change: RequestChange;
  /** Stores that a `gather` may ask; absent members are not there in this process. */
  readonly stores?: StageStores;
}
export interface StageStores {
  readonly state?: StateLookup;
}

export interface PortError {
  readonly code: "timeout" | "unavailable" | "corrupt";
  readonly cause?: unknown;
}

/**
 * One rule family. `decide` is pure and synchronous: no clock, no randomness, no I/O; all of that is `gather`'s.
 * `Section` is the stage's part of the policy document, validated by `section` (a zod schema; core knows only its shape).
 */
export interface Stage<Section, Facts> {
  /** Config key, metric label, span name and record key. */
  readonly name: string;
  readonly section: SectionSchema<Section>;
  /** All I/O of the stage; undefined where this request needs none, so that it stays on the synchronous path. */
  gather?(context: StageContext, section: Section, signal: AbortSignal): Promise<Result<Facts, PortError>> | undefined;
  decide(context: StageContext, section: Section, facts: Facts | undefined): Verdict;
}

/** The part of a zod schema that core needs. */
export interface SectionSchema<Section> {
  parse(raw: unknown): Section;
}

/** A stage with its section of one resolved policy: what the pipeline runs. */
export interface BoundStage {
  readonly name: string;
  readonly mode: RolloutMode;
  readonly onFault: FaultMode;
  /** The section after defaults, for `sluice check --explain`. */
  readonly settings: Json;
  evaluate(context: StageContext, signal: AbortSignal): Verdict | Promise<Result<Verdict, PortError>>;
}

/** A stage as the list of stages holds it: its section's type is closed over, so that stages of all kinds fit one list. */
export interface StageDefinition {
  readonly name: string;
  /** The section's schema; `src/config` asserts that it is a strict zod object, adds `mode` and `onFault`, and publishes it. */
  readonly section: SectionSchema<unknown>;
  /**
   * The stage with its section of one resolved policy. `raw` is the merged section without `mode` and `onFault`; `{}` where
   * the policy says nothing. Throws on a section that its schema refuses: `src/config` has validated it before.
   */
  bind(raw: unknown, rollout: { readonly mode: RolloutMode; readonly onFault: FaultMode }): BoundStage;
}

/** Makes a stage fit for the list: `export const capsStage = defineStage({ name: "caps", section: capsSection, decide })`. */
export function defineStage<Section, Facts = undefined>(stage: Stage<Section, Facts>): StageDefinition {
  const bind = (raw: unknown, rollout: { readonly mode: RolloutMode; readonly onFault: FaultMode }): BoundStage => {
    const section = stage.section.parse(raw);
    const settings: Json = JSON.parse(JSON.stringify(section));
    const gather = stage.gather?.bind(stage);
    const evaluate =
      gather === undefined
        ? (context: StageContext): Verdict => stage.decide(context, section, undefined)
        : (context: StageContext, signal: AbortSignal): Verdict | Promise<Result<Verdict, PortError>> => {
            const gathering = gather(context, section, signal);
            if (gathering === undefined) return stage.decide(context, section, undefined);
            return gathering.then((facts) => (facts.ok ? { ok: true, value: stage.decide(context, section, facts.value) } : facts));
          };
    return { name: stage.name, mode: rollout.mode, onFault: rollout.onFault, settings, evaluate };
  };
  return { name: stage.name, section: stage.section, bind };
}
