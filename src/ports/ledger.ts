/**
 * The ledger: what may still be spent, by whom, until when; shared by all processes.
 *
 * Steps of one exchange: `enter` (request rates, concurrency) before anything costly; `hold` (tokens and money by window) once
 * the plan is known; `renew` while it runs; then `settle` once with what it really took, or `release` when it never left. Each
 * step is atomic over all its scopes: all or none. What an exchange has claimed is a lease: if its process dies, concurrency and
 * holds lapse, and the holds are charged by their rule. A hold settles in the window that admitted it, however late.
 *
 * Limits come with each request, from the policy in force, so a changed policy counts at once; the store keeps what was used.
 * Amounts are whole tokens or nano-dollars from 0 to 2^53 - 1; sums stop there.
 *
 * A provider account's own quota is a partition of its own: claim it first, in a step of its own, and `release` it when the
 * tenant's step refuses (`claimInOrder` in ledger-order.ts).
 */
import type { Result } from "../core/result.ts";
import type { PortError } from "../core/stage.ts";
import type { TimeWindow } from "../core/windows.ts";

/** What one atomic step reaches: everything of one tenant, or of one provider account. */
export interface Partition {
  readonly kind: "tenant" | "account";
  readonly name: string;
}
/** Whose claims a step is about. The id is the caller's, unique for ever. */
export interface Claimant {
  readonly partition: Partition;
  readonly exchange: string;
}

/** GCRA: `requests` each `windowMs` on average, `burst` of them at once. Emission is rounded up to whole microseconds. */
export interface RateScope {
  readonly kind: "rate";
  /** Unique among rates of the partition. Names of people belong in it as digests only. */
  readonly key: string;
  readonly requests: number;
  readonly windowMs: number;
  /** At least 1. */
  readonly burst: number;
}
export interface ConcurrentScope {
  readonly kind: "concurrent";
  readonly key: string;
  readonly limit: number;
}
export type EnterScope = RateScope | ConcurrentScope;

export type LedgerUnit = "tokens" | "nanoUsd";
/** A window of a budget; key, unit and window together name it. */
export interface WindowRef {
  readonly key: string;
  readonly unit: LedgerUnit;
  readonly window: TimeWindow;
  /** What `windowId` makes of them, where that is known already. */
  readonly id?: string;
}
export interface BudgetScope extends WindowRef {
  readonly limit: number;
  /** To be held. Nothing fits always, unless the scope is frozen. */
  readonly amount: number;
  /** true: held whether it fits or not, and never refused; the answer tells where it did not fit (`short`). */
  readonly soft?: boolean;
}
export interface Charge extends WindowRef {
  readonly amount: number;
}

/** charge: what is held when the lease ends counts as spent, until a late settle says better. release: it is given back. */
export type LapseRule = "charge" | "release";

export interface EnterRequest extends Claimant {
  readonly leaseMs: number;
  /** true: the id was made up just now, so nothing has been claimed or ended under it. */
  readonly fresh?: true;
  readonly scopes: readonly EnterScope[];
}
export interface HoldRequest extends Claimant {
  readonly leaseMs: number;
  readonly onLapse: LapseRule;
  readonly scopes: readonly BudgetScope[];
}
export interface SettleRequest extends Claimant {
  /**
   * What it took. Where the exchange holds the same window, the hold is replaced by it; a window that was not held is charged
   * alike; a hold that is not named is given back.
   */
  readonly charges: readonly Charge[];
}
export interface RenewRequest extends Claimant {
  readonly leaseMs: number;
}

/** How a scope stands after a step, for headers and warnings. */
export interface Level {
  readonly key: string;
  /** Requests at once (the burst), exchanges at once, or the budget with what was granted to it. */
  readonly limit: number;
  /** In use after the step: what is spent and held, or the part of the burst that has not come back. */
  readonly used: number;
  /** When `used` is nothing again if nothing more comes; undefined for concurrency. */
  readonly resetsAtMs: number | undefined;
}
export interface Refusal extends Level {
  /** Place in the request's `scopes`. */
  readonly index: number;
  readonly why: "limit" | "frozen";
  /** undefined: waiting does not help (it is frozen, or asks for more than the whole limit). */
  readonly retryAfterMs: number | undefined;
}

export type StepAnswer =
  /** In the order of the request's scopes. */
  | {
      readonly kind: "admitted";
      readonly levels: readonly Level[];
      /** Soft scopes that had no room, as they stood before the step; absent where all had. */
      readonly short?: readonly Refusal[];
    }
  /** Nothing was claimed. Every scope that has no room, not only the first; soft ones too, beside one that is not. */
  | { readonly kind: "refused"; readonly refusals: readonly Refusal[] }
  /** This exchange was settled or released before, or its lease has ended: it may claim nothing more. */
  | { readonly kind: "closed" };
export type HoldAnswer =
  | StepAnswer
  /** By the store's clock a window has ended or not begun: compute the windows anew for `storeMs` and ask again. */
  | { readonly kind: "recompute"; readonly storeMs: number };

/** queued: the store is gone or slow; the ledger keeps it (`LEDGER_QUEUED_MAX`) and brings it there when the store is back. */
export type SettleAnswer = "settled" | "already" | "queued";
/** unknown: it never entered, or long ago. */
export type RenewAnswer = "renewed" | "lapsed" | "closed" | "unknown";

/** timeout, unavailable: whether it was done is not known; claims of such a step are released when the store is back. */
export interface LedgerError {
  readonly code: PortError["code"] | "invalid";
  readonly cause?: unknown;
}
type Answer<T> = Promise<Result<T, LedgerError>>;

export interface LedgerPort {
  /** Repeating it for the same exchange claims nothing more. */
  enter(request: EnterRequest): Answer<StepAnswer>;
  /** Replaces an earlier hold of the same exchange (a new plan); refused, the earlier one stays. No scopes: gives it back. */
  hold(request: HoldRequest): Answer<HoldAnswer>;
  /** Idempotent by exchange for `LEDGER_CLOSED_KEPT_MS`. Frees concurrency. Also for an exchange that never held. */
  settle(request: SettleRequest): Answer<SettleAnswer>;
  /** Gives everything back, request rates included, and lets a step that is still under way claim nothing. */
  release(claimant: Claimant): Answer<SettleAnswer>;
  renew(request: RenewRequest): Answer<RenewAnswer>;
  readonly admin: LedgerAdmin;
  readonly stats: LedgerStats;
  /** Tries what is queued; true when nothing is left. */
  flush(): Promise<boolean>;
  close(): Promise<void>;
}

/** For people. Who did what is recorded by the caller. */
export interface LedgerAdmin {
  /** Running windows, rates and concurrency in use, in no order that means anything. */
  list(partition: Partition, page: { readonly cursor?: string; readonly limit: number }): Answer<LedgerPage>;
  /** Room beside the limit, in this window only; negative takes it away. */
  grant(partition: Partition, window: WindowRef, amount: number): Answer<void>;
  /** Spent and granted are nothing again; what is held stays. For rates, the whole burst is there again. */
  reset(partition: Partition, scope: WindowRef | { readonly rate: string }): Answer<void>;
  /** Refuses everything that names the key, of any kind, until it is thawed. */
  freeze(partition: Partition, key: string, frozen: boolean): Answer<void>;
}
export interface LedgerPage {
  readonly rows: readonly LedgerRow[];
  /** undefined: this was the last page. */
  readonly cursor: string | undefined;
}
export type LedgerRow =
  | (WindowRef & {
      readonly kind: "budget";
      /** As last asked with; 0 when nobody asked yet. */
      readonly limit: number;
      readonly granted: number;
      readonly spent: number;
      readonly held: number;
      readonly remaining: number;
      readonly frozen: boolean;
    })
  | (Level & { readonly kind: "rate" | "concurrent"; readonly frozen: boolean });

export interface LedgerStats {
  /** False: the last attempts failed, and calls fail at once until one works again. */
  readonly up: boolean;
  /** Settles and releases that wait for the store. */
  readonly queued: number;
  /** Settles and releases given up; their holds lapse. */
  readonly lost: number;
  /** Exchanges whose lease ended, found by this process. */
  readonly lapsed: number;
}
