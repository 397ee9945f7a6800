/**
 * When a turn of the embedded ledger waits for more steps: a transaction costs the same with one step and with ten, so under load a
 * moment's wait saves most of them. Databases know this as group commit.
 */
import type { Job } from "./ledger-step.ts";

/** How long a turn waits for company, milliseconds. */
export const COMPANY_MS = 2;
/** The wait ends after so many turns that found none. */
const TURNS_ALONE = 4;

export class Company {
  #turnsLeft = 0;

  /** More are likely to come: several came not long ago. */
  get expected(): boolean {
    return this.#turnsLeft > 0;
  }

  /** Learns from the steps of a turn. Settles are no company: nobody waits for them. */
  came(steps: readonly Job[]): void {
    let awaited = 0;
    for (const { kept } of steps) if (!kept) awaited += 1;
    if (awaited > 1) this.#turnsLeft = TURNS_ALONE;
    else if (awaited === 1 && this.#turnsLeft > 0) this.#turnsLeft -= 1;
  }
}
