import type { CreatedState, StateLookup, StateOwner, StatePlace } from "../core/state.ts";

/** A thing to remember: whose it is and where it is kept. */
export interface KeptState extends CreatedState, StateOwner, StatePlace {}

/**
 * Remembers what callers made at providers, so that each tenant and app may refer to its own and to nothing else. Bounded by
 * age (`STATE_KEPT_MS`) and by count for each tenant (`STATE_ROWS_MAX`), oldest out first: what is forgotten is refused.
 */
export interface StatePort extends StateLookup {
  /** Taken at once, seen by `find` of this process at once, written a moment later. Things made anew push their age. */
  remember(things: readonly KeptState[]): void;
  /** The owner had the provider delete it. */
  forget(owner: StateOwner, thing: CreatedState): void;
  readonly stats: StateStats;
  /** Everything taken so far is written. */
  flush(): Promise<void>;
  close(): Promise<void>;
}
export interface StateStats {
  readonly pending: number;
  /** Things that could not be written; references to them are refused. */
  readonly lost: number;
}
