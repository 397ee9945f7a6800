import type { ParsedRequest, RequestChange } from "./codec.ts";
import type { Contract, DataClass } from "./contract.ts";
import type { Denial, DenialCode } from "./denials.ts";
import type { AnswerGuard } from "./guard.ts";
import type { Json } from "./json.ts";
import type { Catalog, FaultMode, ModelChoice, Plan, Principal, RetryPolicy, RolloutMode, Target } from "./policy.ts";
import type { Ending, StageEvidence } from "./record.ts";
import type { Result } from "./result.ts";
import type { Asked } from "./selection.ts";
import type { KeptStandIns, StateLookup } from "./state.ts";
import type { Usage } from "./usage.ts";
import type { Dialect, Operation } from "./view.ts";
import type { Calendar, Weekday } from "./windows.ts";

/** What a stage may add to an exchange. In shadow and warn the pipeline drops it, so a stage never asks for the mode. */
export type Effect =
  /** Ways to serve the request that the stages so far allow, in order of preference. */
  | { readonly kind: "candidates"; readonly candidates: readonly ModelChoice[] }
  | { readonly kind: "plan"; readonly plan: Plan }
  | { readonly kind: "change"; readonly change: RequestChange }
  /** Where the state is kept that the request refers to: no rule but a fact, so it holds in every mode. */
  | { readonly kind: "home"; readonly choice: ModelChoice }
  /** What is now known of the request's data: a fact too. */
  | { readonly kind: "mark"; readonly mark: Marks }
  /** A header on the answer to the caller. Where there is one of the same name: in its place, or `beside` it, or not at all (`keep`). */
  | { readonly kind: "header"; readonly name: string; readonly value: string; readonly beside?: "append" | "keep" }
  /** Most output tokens of a choice that will be let pass, where the provider is not told so: holds go by it. */
  | { readonly kind: "output_cap"; readonly tokens: number }
  /** A stream that passes so many output tokens, estimated, is ended: its provider does not keep the cap that it was told. */
  | { readonly kind: "output_limit"; readonly tokens: number }
  /** What is held for the call: what it counts as where nobody learns what was used. A fact. */
  | { readonly kind: "held"; readonly usage: Usage; readonly nanoUsd: number | undefined }
  /** The answer is looked at as it comes. In shadow and warn the guard runs too, and what it says is only recorded. */
  | { readonly kind: "guard"; readonly guard: AnswerGuard }
  /** The class of each kind of data, for what the answer turns out to hold, and how long a class may be kept, for the record: facts. */
  | {
      readonly kind: "classes";
      readonly classOf: (entity: string) => DataClass | undefined;
      readonly keepingOf: (dataClass: DataClass) => Pick<Marks, "cacheable" | "retention">;
    }
  /** Stand-ins that the provider now keeps with the response, for calls that refer to it. */
  | { readonly kind: "stand_ins"; readonly standIns: KeptStandIns }
  /** Cap that the answer must keep; the tighter of several counts. */
  | { readonly kind: "latency_cap"; readonly ms: number };

/** Facts of a request's data that later stages go by. Marks add up: the higher class, all of the taints and entities. */
export interface Marks {
  /** The class that findings raise the request to; with what the caller declared, the higher counts. */
  readonly dataClass?: DataClass;
  /** Where untrusted content stands in the request: names of tools, or places. Never content. */
  readonly tainted?: readonly string[];
  /** Kinds of data that were found in the request: `email`, `payment_card`. */
  readonly entities?: readonly string[];
  /** Those of them of which some are sent on as they came. */
  readonly unredacted?: readonly string[];
  /** Its data may only go to providers that are `private`. */
  readonly privateOnly?: boolean;
  /** false: nothing of its answer is kept for others. */
  readonly cacheable?: boolean;
  /** How long it may be kept, by the policy's own name. */
  readonly retention?: string;
}

export type Verdict = (
  | { readonly kind: "allow"; readonly effects: readonly Effect[]; readonly reason?: string }
  /** Effects of a refusal are headers and marks; others have nothing to act on. */
  | ({ readonly kind: "deny"; readonly effects?: readonly Effect[] } & Denial)
  /** Sluice answers with `text`, as a model would, in the provider's place; or with a `whole` answer that it kept. `code` says why. */
  | {
      readonly kind: "answer";
      readonly text: string;
      readonly whole?: { readonly contentType: string; readonly body: Uint8Array };
      readonly code: DenialCode;
      readonly reason: string;
      readonly effects?: readonly Effect[];
    }
  /**
   * Not this way, but perhaps another: the planning stages are asked again as if the caller had asked for `ask`. Bounded by
   * `REPLANS_MAX`; past it, or where no candidate is left, `otherwise` holds.
   */
  | {
      readonly kind: "replan";
      readonly ask: Asked;
      readonly reason: string;
      readonly otherwise: Denial;
      readonly effects?: readonly Effect[];
    }
) & { readonly evidence?: StageEvidence; readonly beside?: Beside };

/**
 * What the rules of another section say of this request, where that section's stage could not ask yet and this one asks for it. It is
 * recorded as that stage's, and holds as far as that section's own mode goes.
 */
export interface Beside {
  readonly stage: string;
  readonly mode: RolloutMode;
  readonly verdict: Verdict;
}

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
  /** Set where the answer is ended at so many output tokens of a choice, although the provider is not told. */
  readonly outputCap?: number | undefined;
  readonly marks: Marks;
  /** Days, weeks and months of the tenant. */
  readonly calendar: TenantCalendar;
  readonly exchange: {
    /** Unique for ever. */
    readonly id: string;
    readonly arrivedWallMs: number;
    /** Name and hash of the rules in force: `acme/support-bot/support-reply`, and the policy's SHA-256. */
    readonly policy: { readonly name: string; readonly hash: string };
    /** How often this exchange was planned before: 0 at first. */
    readonly replans: number;
    /** SHA-256 of the body as it came, lower-case hex. */
    readonly requestDigest?: string | undefined;
    /** The caller's `idempotency-key`, at most 255 visible ASCII characters. */
    readonly idempotencyKey?: string | undefined;
  };
  /** What is asked for in place of the caller's own words, after a `replan`. */
  readonly wish?: Asked | undefined;
  readonly retry: RetryPolicy;
  /** Stores that a `gather` may ask; absent members are not there in this process. */
  readonly stores?: StageStores;
}
/** A tenant's time zone, and the day its weeks begin with. */
export interface TenantCalendar {
  readonly windows: Calendar;
  /** For what belongs to no tenant. */
  readonly utc: Calendar;
  readonly weekStartsOn: Weekday;
}
/** Ports add their members to it (`declare module`), so that core knows of none. */
export interface StageStores {
  readonly state?: StateLookup;
}

export interface PortError {
  readonly code: "timeout" | "unavailable" | "corrupt";
  readonly cause?: unknown;
  /**
   * From a stage that speaks for another section too: whose rules could not be asked for this very request, its own or that section's;
   * absent: both.
   */
  readonly concerns?: "own" | "other";
}

/** How an exchange ended, for stages that hold something for it. */
export interface Outcome {
  readonly ending: Ending;
  /** False: nothing left for a provider, so nothing was used. */
  readonly forwarded: boolean;
  /** As the provider reported it, or estimated; undefined: nothing was used, as far as anyone knows. */
  readonly usage: Usage | undefined;
  readonly estimated: boolean;
  /** undefined: no price is known, or nothing was used. */
  readonly costNanoUsd: number | undefined;
  /** Who served it, as far as Envoy said. */
  readonly target: Target | undefined;
  /** Attempts that Envoy made; undefined: none, or it did not say. */
  readonly attempts: number | undefined;
  /** It left, and nobody learnt what the provider made of it. */
  readonly unanswered: boolean;
  /** Input tokens of earlier attempts that ran out of their time, and may have been billed. */
  readonly lostTokens: number;
}

/**
 * One rule family. `decide` is pure and synchronous: no clock, no randomness, no I/O; all of that is `gather`'s.
 * `Section` is the stage's part of the policy document, validated by `section` (a zod schema; core knows only its shape).
 */
export type Stage<Section, Facts> = StageRules<Section, Facts> & StageSchemas<Section>;
type StageSchemas<Section> =
  /** What a document may write, and what the stage gets. */
  | { readonly section: SectionSchema<Section>; readonly merged?: undefined }
  | { readonly section: SectionSchema<unknown>; readonly merged: SectionSchema<Section> };
interface StageRules<Section, Facts> {
  /** Config key, metric label, span name and record key. */
  readonly name: string;
  /** true: it has a part in choosing the target, and is asked again when another is tried. */
  readonly planning?: boolean;
  /**
   * true: the section's `rules` of all layers hold together, in place of the highest layer's alone; in a document the section may be
   * written as that list. `merged` is what the stage then gets: each rule with the `layer` that it stands in.
   */
  readonly additive?: true;
  /**
   * Sections of other stages that this one must know: it gets them under `joined`, by name, merged, with the mode in force; and its own
   * mode under its own name there.
   */
  readonly joins?: readonly string[];
  /** The other section for whose rules this stage asks, and how far they hold; undefined where it has none that are asked for here. */
  speaksFor?(section: Section): Rollout | undefined;
  /** All I/O of the stage; undefined where this request needs none, so that it stays on the synchronous path. */
  gather?(context: StageContext, section: Section, signal: AbortSignal): Promise<Result<Facts, PortError>> | undefined;
  decide(context: StageContext, section: Section, facts: Facts | undefined): Verdict;
  /**
   * Once for each exchange for which `gather` gave facts, however it ended, refused by this or another stage included: spends what
   * was held, or gives it back. After a replan, with the facts of the last round. Never throws; what fails is its own to try again.
   */
  settle?(facts: Facts, section: Section, outcome: Outcome): Promise<void>;
}

/** The part of a zod schema that core needs. */
export interface SectionSchema<Section> {
  parse(raw: unknown): Section;
}

/** A stage's word on a request, and what is to be called once when the exchange is over. */
export interface Evaluation {
  readonly verdict: Verdict;
  readonly settle?: (outcome: Outcome) => Promise<void>;
}

/** How far a section's rules hold. */
export interface Rollout {
  readonly stage: string;
  readonly mode: RolloutMode;
  readonly onFault: FaultMode;
}

/** A stage with its section of one resolved policy: what the pipeline runs. */
export interface BoundStage {
  readonly name: string;
  readonly mode: RolloutMode;
  readonly onFault: FaultMode;
  readonly planning: boolean;
  /** The section for which it speaks beside its own (`Beside`): it is asked also where its own is off, and its faults are that one's too. */
  readonly speaksFor?: Rollout;
  /** The section after defaults, for `sluice check --explain`. */
  readonly settings: Json;
  evaluate(context: StageContext, signal: AbortSignal): Verdict | Promise<Result<Evaluation, PortError>>;
}

/** A stage as the list of stages holds it: its section's type is closed over, so that stages of all kinds fit one list. */
export interface StageDefinition {
  readonly name: string;
  /** The section's schema; `src/config` asserts that it is a strict zod object, adds `mode` and `onFault`, and publishes it. */
  readonly section: SectionSchema<unknown>;
  readonly additive: boolean;
  readonly joins: readonly string[];
  /**
   * The stage with its section of one resolved policy. `raw` is the merged section without `mode` and `onFault`; `{}` where
   * the policy says nothing. Throws on a section that its schema refuses: `src/config` has validated it before.
   */
  bind(raw: unknown, rollout: { readonly mode: RolloutMode; readonly onFault: FaultMode }): BoundStage;
}

/** Makes a stage fit for the list: `export const capsStage = defineStage({ name: "caps", section: capsSection, decide })`. */
export function defineStage<Section, Facts = undefined>(stage: Stage<Section, Facts>): StageDefinition {
  const merged = stage.merged === undefined ? stage.section : stage.merged;
  const bind = (raw: unknown, rollout: { readonly mode: RolloutMode; readonly onFault: FaultMode }): BoundStage => {
    const section = merged.parse(raw);
    const settings: Json = JSON.parse(JSON.stringify(section));
    const { mode, onFault } = rollout;
    const other = stage.speaksFor?.(section);
    const bound = { name: stage.name, mode, onFault, planning: stage.planning === true, settings, evaluate: evaluator(stage, section) };
    return other === undefined ? bound : { ...bound, speaksFor: other };
  };
  return { name: stage.name, section: stage.section, additive: stage.additive === true, joins: stage.joins ?? [], bind };
}

function evaluator<Section, Facts>(stage: Stage<Section, Facts>, section: Section): BoundStage["evaluate"] {
  const gather = stage.gather?.bind(stage);
  if (gather === undefined) return (context) => stage.decide(context, section, undefined);
  const settle = stage.settle?.bind(stage);
  return (context, signal) => {
    const gathering = gather(context, section, signal);
    if (gathering === undefined) return stage.decide(context, section, undefined);
    return gathering.then((gathered) => {
      if (!gathered.ok) return gathered;
      const verdict = stage.decide(context, section, gathered.value);
      if (settle === undefined) return { ok: true, value: { verdict } };
      return { ok: true, value: { verdict, settle: (outcome: Outcome) => attempted(() => settle(gathered.value, section, outcome)) } };
    });
  };
}

/** What is thrown at once fails the promise too, so that whoever settles the next stage goes on. */
function attempted(work: () => Promise<void>): Promise<void> {
  try {
    return work();
  } catch (cause) {
    return Promise.reject(cause);
  }
}
