import type { DataClass } from "./contract.ts";
import type { Result } from "./result.ts";
import type { PortError } from "./stage.ts";

/**
 * State that a provider keeps for a caller (invariant I6): ids that one tenant and app may refer to, and nobody else.
 * `response` covers previous responses too, `completion` stored chat completions.
 */
export type StateKind =
  | "response"
  | "completion"
  | "conversation"
  | "item"
  | "file"
  | "vector_store"
  | "container"
  | "cached_content"
  | "prompt"
  /** No thing of its own, and nothing to refer to: what is noted of a conversation that was not made through the gateway. */
  | "history"
  | "other";

/** A thing that an answer says exists now. */
export interface CreatedState {
  readonly kind: StateKind;
  readonly id: string;
}
export interface StateOwner {
  readonly tenant: string;
  readonly app: string;
}
/** Where a thing is kept: the provider account, the policy's model and the provider's own name for it. */
export interface StatePlace {
  readonly provider: string;
  readonly model: string;
  readonly providerModel: string;
  /** A `KeptNote`, sealed with the tenant's key; absent: there is nothing to know. */
  readonly note?: Uint8Array;
}

/** Purpose of the key that seals notes. */
export const KEPT_NOTE = "state.note";

/**
 * What a call must know that refers to a kept response and does not repeat what was said before it: the provider knows the history,
 * Sluice does not.
 */
export interface KeptNote {
  /** Untrusted content came into it. */
  readonly tainted?: true;
  /** Class of its data. */
  readonly dataClass?: DataClass;
  readonly standIns?: KeptStandIns;
}
/** Stand-ins that the provider knows, oldest first, and the name of the conversation that they were made for. */
export interface KeptStandIns {
  readonly conversation: string;
  readonly pairs: readonly KeptPair[];
}
export interface KeptPair {
  readonly entity: string;
  readonly value: string;
  readonly standIn: string;
  /** How the stand-in may be spelled when it comes back. */
  readonly spelling: "exact" | "code";
}

/** Looks things up for one owner. */
export interface StateLookup {
  /**
   * Where each of the things is kept; undefined for those that this owner did not make, whether or not another did. In the
   * order of the question.
   */
  find(owner: StateOwner, things: readonly CreatedState[]): Promise<Result<readonly (StatePlace | undefined)[], PortError>>;
}
