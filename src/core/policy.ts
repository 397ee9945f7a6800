import type { Json } from "./json.ts";
import type { Price } from "./money.ts";
import type { Dialect } from "./view.ts";

/** How far a rule goes. shadow: the record says what would have happened. warn: as shadow, with a warning header and metric. */
export type RolloutMode = "off" | "shadow" | "warn" | "enforce";
/** What a stage's own failure (a store, a timer, a bug) means for the exchange. */
export type FaultMode = "closed" | "open";

/** An upstream account: one credential, one base URL, one Envoy cluster for each tenant that brings its own credential. */
export interface Provider {
  readonly name: string;
  readonly format: Dialect;
  readonly scheme: "http" | "https";
  /** Host name or address without port; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** Path of the base URL without a trailing slash; "" for none. */
  readonly basePath: string;
  readonly regions: readonly string[];
  readonly residency: readonly string[];
  readonly private: boolean;
  /** An Azure OpenAI resource, of format openai alone: its paths differ. */
  readonly azure?: { readonly api: "v1" | "deployments"; readonly apiVersion: string | undefined };
  /** Whose project and where, of format vertex alone: they stand in its paths. */
  readonly google?: { readonly project: string; readonly location: string };
  /** Its own cluster (no tenant's) needs the access token that Envoy fetches from Google's metadata server. */
  readonly googleToken?: true;
  /** Envoy cluster that carries the account's own credential. */
  readonly cluster: string;
  /** Clusters with a tenant's own credential, by tenant. */
  readonly tenantClusters: ReadonlyMap<string, string>;
  /** What the account itself may take; absent: nobody says. */
  readonly limits?: readonly AccountLimit[];
}

/** A quota of a provider account, shared by all tenants that use the account's own credential. */
export type AccountLimit =
  | { readonly kind: "requests"; readonly count: number; readonly windowMs: number; readonly burst: number; readonly window: string }
  | { readonly kind: "concurrent"; readonly count: number }
  /** `window` is as written: `1m`, or day, week, month of UTC. */
  | { readonly kind: "tokens" | "nanoUsd"; readonly amount: number; readonly window: string };

/** A provider account, its own name for the model, and a region. */
export interface Target {
  readonly provider: Provider;
  readonly model: string;
  readonly region: string | undefined;
  readonly price: Price | undefined;
}

/** The name that callers use, backed by targets in order of preference. */
export interface Model {
  readonly name: string;
  readonly family: string | undefined;
  /** Tokens of its context; absent: `CONTEXT_TOKENS_DEFAULT`. */
  readonly contextTokens?: number;
  readonly targets: readonly Target[];
}

export type TierName = "high" | "standard" | "cheap";
/** One way to serve a request: a model, with the parameters that a tier sets for it. */
export interface ModelChoice {
  readonly model: Model;
  readonly parameters: Readonly<Record<string, Json>>;
  /** The tier that brought it in, if any. */
  readonly tier: TierName | undefined;
}

/** Everything that can be routed to, from one policy version. */
export interface Catalog {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly models: ReadonlyMap<string, Model>;
  readonly tiers: ReadonlyMap<TierName, readonly ModelChoice[]>;
}

/** Who is calling, as the credential proves it. A caller's claims may narrow it, never widen it. */
export interface Principal {
  readonly tenant: string;
  readonly app: string;
  /** Use case that the credential is bound to, if any. */
  readonly useCase: string | undefined;
  /** User that the credential is bound to, if any. */
  readonly user: string | undefined;
  /** Id of the credential in the policy, for the record. Never the secret. */
  readonly credentialId: string;
  readonly credentialKind: "observe" | "api_key" | "jwt" | "mtls";
}

/** The chosen way: a chain of targets (one, for now) and what is said to Envoy about it. */
export interface Plan {
  readonly choice: ModelChoice;
  readonly chain: readonly Target[];
}

export interface Timeouts {
  /** From the request's arrival to the answer's last byte. */
  readonly requestMs: number;
  /** One attempt, to its response headers. */
  readonly perTryMs: number;
  /** Longest silence between two chunks of a streamed answer. */
  readonly idleMs: number;
}
export interface RetryPolicy {
  /** Envoy's `x-envoy-retry-on` words follow from these. */
  readonly on: readonly ("timeout" | "rate_limited" | "5xx" | "connect")[];
  /** Attempts in all, the first included. */
  readonly attempts: number;
}
/** Is an attempt tried again that ran out of its time? For Envoy that is also one of those that end in a 5xx. */
export const retriesTimeouts = ({ on }: RetryPolicy): boolean => on.includes("timeout") || on.includes("5xx");
