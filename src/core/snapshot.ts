import type { IdentityDeps, KeySource, Presented, Proof } from "./credentials.ts";
import type { Catalog, Principal, RetryPolicy, RolloutMode, Timeouts } from "./policy.ts";
import type { BoundStage, TenantCalendar } from "./stage.ts";

/** The rules of one (tenant, app, use case), merged: defaults < use case < tenant < app. */
export interface ResolvedPolicy {
  /** `acme/support-bot/support-reply`. */
  readonly name: string;
  readonly mode: RolloutMode;
  readonly timeouts: Timeouts;
  readonly retry: RetryPolicy;
  /** The provider's error bodies: passed on, or replaced by the code table's. */
  readonly errors: "passthrough" | "normalised";
  /** When evidence cannot be written. */
  readonly evidenceFault: "refuse" | "drop";
  /** The provider is told the trace (`traceparent`). */
  readonly propagateTrace: boolean;
  /** All stages in pipeline order, those that are off included. */
  readonly stages: readonly BoundStage[];
}

/** One policy version, compiled and immutable. An exchange keeps the one it started with. */
export interface PolicySnapshot {
  readonly version: string;
  readonly hash: string;
  readonly catalog: Catalog;
  readonly limits: { readonly bodyBytesMax: number; readonly inFlightBytesMax: number };
  /** Public keys of token issuers that `authenticate` looks for: the process keeps them fresh while this policy is in force. */
  readonly keySources: readonly KeySource[];
  /** The principal that all credentials of a call prove together, or why there is none. A promise only where a token is new. */
  authenticate(shown: Presented, deps: IdentityDeps): Proof | Promise<Proof>;
  /** The app's only use case, for callers that name none; undefined when it has several or must name it. */
  defaultUseCase(principal: Principal): string | undefined;
  /** Is the use case one that the app may declare? */
  allowsUseCase(principal: Principal, useCase: string): boolean;
  /** Rules for a use case; with undefined, the tenant's and app's rules over the defaults (the contract stage then refuses). */
  resolve(principal: Principal, useCase: string | undefined): ResolvedPolicy;
  /** Whose rules are tried on what the observing listener sees; undefined: the policy has none. */
  readonly observeAs: Principal | undefined;
  residencyOf(tenant: string): string | undefined;
  /** The tenant's days, weeks and months; those of UTC where it says nothing. */
  calendarOf(tenant: string): TenantCalendar;
}
