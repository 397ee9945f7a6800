import type { DenialCode } from "./denials.ts";
import type { Catalog, Principal, RetryPolicy, RolloutMode, Timeouts } from "./policy.ts";
import type { BoundStage } from "./stage.ts";

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
  /** All stages in pipeline order, those that are off included. */
  readonly stages: readonly BoundStage[];
}

/** One policy version, compiled and immutable. An exchange keeps the one it started with. */
export interface PolicySnapshot {
  readonly version: string;
  readonly hash: string;
  readonly catalog: Catalog;
  readonly limits: { readonly bodyBytesMax: number; readonly inFlightBytesMax: number };
  /** The principal behind an API key, or why there is none. `nowMs` is wall time, for expiry. */
  authenticate(apiKey: string, nowMs: number): Principal | DenialCode;
  /** The app's only use case, for callers that name none; undefined when it has several or must name it. */
  defaultUseCase(principal: Principal): string | undefined;
  /** Is the use case one that the app may declare? */
  allowsUseCase(principal: Principal, useCase: string): boolean;
  /** Rules for a use case; with undefined, the tenant's and app's rules over the defaults (the contract stage then refuses). */
  resolve(principal: Principal, useCase: string | undefined): ResolvedPolicy;
  residencyOf(tenant: string): string | undefined;
}
