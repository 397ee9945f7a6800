/**
 * Where the stages of one process claim and settle. It stands before the ledger: it gives leases and renews them, says what is to be
 * done while the store is gone, and settles an exchange once although several stages have claimed for it.
 */
import type { Result } from "../core/result.ts";
import type { Charge, Claimant, EnterRequest, HoldAnswer, HoldRequest, LedgerError, StepAnswer } from "./ledger.ts";

/** While the store is gone: the step fails, or each process spends from a bounded allowance of its own. */
export type StoreLost = "reject" | "allowance";

export interface LedgerDesk {
  /** The desk's clock, for windows; the store has the last word (`recompute`). */
  wallMs(): number;
  enter(request: Omit<EnterRequest, "leaseMs">, lost: StoreLost): Promise<Result<StepAnswer, LedgerError>>;
  hold(request: Omit<HoldRequest, "leaseMs">, lost: StoreLost): Promise<Result<HoldAnswer, LedgerError>>;
  /** What it took; then nothing of it is claimed any more. */
  settle(claimant: Claimant, charges: readonly Charge[]): Promise<void>;
  /** Never used: everything is given back. */
  release(claimant: Claimant): Promise<void>;
  /** The end for a stage that only entered: where the exchange also holds, the stage that held settles both. */
  leave(claimant: Claimant, used: boolean): Promise<void>;
}

declare module "../core/stage.ts" {
  interface StageStores {
    readonly ledger?: LedgerDesk;
  }
}
