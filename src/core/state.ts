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
}

/** Looks things up for one owner. */
export interface StateLookup {
  /**
   * Where each of the things is kept; undefined for those that this owner did not make, whether or not another did. In the
   * order of the question.
   */
  find(owner: StateOwner, things: readonly CreatedState[]): Promise<Result<readonly (StatePlace | undefined)[], PortError>>;
}
