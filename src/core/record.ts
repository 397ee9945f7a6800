import type { DenialCode } from "./denials.ts";
import type { RolloutMode } from "./policy.ts";
import type { Usage } from "./usage.ts";

/**
 * How an exchange ended, once:
 * served: the whole answer went to the caller. refused: Sluice said no. answered: Sluice answered without a provider.
 * cut: Sluice ended a running answer, well formed. local_reply: Envoy answered itself (413, 503, 504).
 * aborted: the stream closed before the answer was whole; the client left or the provider broke off.
 * shutdown: Sluice was stopped. crashed: found open at a restart.
 */
export type Ending = "served" | "refused" | "answered" | "cut" | "local_reply" | "aborted" | "shutdown" | "crashed";
export type Decision = "allowed" | "warned" | "degraded" | "refused" | "cached";

/** Things of one kind that a stage found in one place, and what became of them. */
export interface FoundCount {
  /** The detector's or rule's name for it: `email`, `secret_jwt`. */
  readonly entity: string;
  /** Where: a `TextPlace` of the request, or a channel of the answer. */
  readonly place: string;
  /** What was done: mask, pseudonymise, block ... */
  readonly action: string;
  readonly count: number;
  /** Keyed digest of the values, in order: equal values of one tenant can be told to be equal, and nothing else. */
  readonly digest?: string;
}
/** How a limit or budget stood that refused a call, or warned of its end. */
export interface ScopeEvidence {
  /** Whose calls it counts, as the ledger names it: `tenant`, `app=bot,user=<digest>`; `account=NAME` for a provider account's own quota. */
  readonly scope: string;
  /** What it counts. */
  readonly unit: "requests" | "concurrent" | "tokens" | "nanoUsd";
  /** As the policy writes it: `day`, `1m`. */
  readonly window?: string;
  /** `warned`: the call fitted, and its share is past `warnAt`. `frozen`: closed by an operator. */
  readonly state: "refused" | "warned" | "frozen";
  /** With what was granted to it. */
  readonly limit: number;
  /** Spent and held, before this call where it was refused, else with it. */
  readonly used: number;
}
/** What a stage knows beyond its verdict: names and numbers, never content. */
export interface StageEvidence {
  /** Limits and budgets that refused, or that near their end. */
  readonly scopes?: readonly ScopeEvidence[];
  /** What was held before the call: the most it might take. */
  readonly held?: {
    /** Input and output together. */
    readonly tokens: number;
    /** Absent where no price is known. */
    readonly nanoUsd?: number;
  };
  readonly found?: readonly FoundCount[];
  /** 0 to 1. */
  readonly score?: number;
  /** Kinds of rule that made the score. */
  readonly families?: readonly string[];
  /** Where the strongest of it stands. */
  readonly place?: string;
}

/**
 * What one stage said. `verdict` is what would hold in enforce; `mode` says whether it did. `answer`: Sluice answers in the provider's
 * place; `replan`: another model or tier is tried.
 */
export interface StageEntry {
  readonly stage: string;
  readonly mode: RolloutMode;
  readonly verdict: "allow" | "deny" | "fault" | "answer" | "replan";
  /** Said of the answer, by a guard; absent: of the request. */
  readonly on?: "answer";
  readonly code?: DenialCode;
  /** Written by us: names and numbers of the policy, never content. */
  readonly reason?: string;
  readonly evidence?: StageEvidence;
  /** How long it took, waits included; whole microseconds. */
  readonly us?: number;
}

/** Written before a request leaves; an open entry without a record becomes one that ends `crashed`. */
export interface OpenEntry {
  readonly id: string;
  /** RFC 3339, milliseconds, UTC. */
  readonly time: string;
  readonly tenant: string;
  readonly app: string;
  readonly useCase?: string;
  readonly surface: string;
  readonly provider?: string;
  readonly model?: string;
  /** The provider's name for the model, and the cluster; with `provider` they are the crashed record's target. */
  readonly providerModel?: string;
  readonly cluster?: string;
  readonly requestId?: string;
  readonly method?: string;
  /** Without the query. */
  readonly path?: string;
  readonly policy: PolicyRef;
}
export interface PolicyRef {
  readonly name: string;
  readonly version: string;
  /** SHA-256 of the policy's files, lower-case hex. */
  readonly hash: string;
}

/** The evidence of one exchange: one JSON line. No content, no secret. Schema version in `v`; additive. */
export interface ExchangeRecord {
  readonly v: 1;
  readonly id: string;
  /** Arrival, RFC 3339 with milliseconds, UTC. */
  readonly time: string;
  readonly requestId?: string;
  readonly traceparent?: string;
  /** The span of this exchange, where spans are made; `id` is the trace's. */
  readonly trace?: { readonly id: string; readonly span: string; readonly sampled: boolean };
  readonly tenant?: string;
  readonly app?: string;
  readonly user?: string;
  readonly channel?: string;
  readonly useCase?: string;
  readonly conversation?: string;
  readonly dataClass?: string;
  readonly retention?: string;
  readonly cacheable?: boolean;
  readonly credential?: { readonly kind: string; readonly id: string };
  readonly method: string;
  /** Without the query: some SDKs put keys there. */
  readonly path: string;
  readonly surface?: string;
  readonly operation?: string;
  readonly streaming?: boolean;
  /** The model as the caller spelled it, cut at 256 characters. */
  readonly modelAsked?: string;
  readonly policy?: PolicyRef;
  readonly stages: readonly StageEntry[];
  /** Unknown `x-ai-*` names, never values. */
  readonly unknownFields?: readonly string[];
  /** Seen by the observing listener: nothing was decided, `stages` say what would have been. */
  readonly observed?: true;
  readonly decision: Decision;
  readonly code?: DenialCode;
  readonly reason?: string;
  readonly model?: string;
  readonly target?: { readonly provider: string; readonly model: string; readonly region?: string; readonly cluster: string };
  /** The cluster that answered, as Envoy says; absent when none did. */
  readonly servedBy?: string;
  readonly attempts?: number;
  readonly status?: number;
  /** The provider's own, where the caller got another, or none as far as is known. */
  readonly upstreamStatus?: number;
  readonly ending: Ending;
  /** What the codec saw of the answer. */
  readonly answer?: {
    readonly complete: boolean;
    readonly finishReasons?: readonly string[];
    readonly model?: string;
    readonly responseId?: string;
    readonly error?: string;
    readonly toolCalls?: readonly string[];
    readonly unknownEvents?: number;
    readonly invalidEvents?: number;
  };
  /** Output tokens, all choices together, at which Sluice ends the stream. */
  readonly outputCap?: number;
  readonly usage?: Usage;
  readonly cost?: { readonly nanoUsd: number; readonly price: string; readonly estimated: boolean };
  /** Milliseconds, three decimals; `sidecar` is Sluice's own share, the rest is measured from arrival. */
  readonly ms: {
    readonly total: number;
    readonly sidecar: number;
    readonly decided?: number;
    readonly upstream?: number;
    readonly firstToken?: number;
  };
  readonly bytes: { readonly request: number; readonly requestSent?: number; readonly answer: number; readonly answerSent?: number };
  /** SHA-256 of the bodies, lower-case hex: the caller's request, what the provider got if it differs, the provider's answer. */
  readonly digests: { readonly request?: string; readonly requestSent?: string; readonly answer?: string };
}

/**
 * Something that a person, or a rule on a person's behalf, did beside the exchanges: a budget granted, a call approved. One JSON line
 * among the records. No content, no secret.
 */
export interface AuditEvent {
  readonly v: 1;
  /** `budget.grant`, `approval.requested`: what was done. */
  readonly event: string;
  readonly id: string;
  /** RFC 3339 with milliseconds, UTC. */
  readonly time: string;
  /** Who did it: the id of a credential, or the name that an operator gave; `sluice` where a rule did. */
  readonly by: string;
  readonly tenant?: string;
  readonly app?: string;
  /** What it was done to: a scope, an approval's id. */
  readonly subject: string;
  /** The person's own words, cut at 500 characters. */
  readonly reason?: string;
  /** Names and numbers. */
  readonly details?: Readonly<Record<string, string | number | boolean>>;
}
