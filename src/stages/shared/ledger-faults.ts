import type { PortError } from "../../core/stage.ts";
import type { LedgerError } from "../../ports/ledger.ts";

/** A step that the ledger took for malformed is a fault of ours: for the exchange it is as if the store had failed. */
export const portError = ({ code, cause }: LedgerError): PortError => ({ code: code === "invalid" ? "corrupt" : code, cause });
