import type { DatabaseSync } from "node:sqlite";
import { LEDGER_WINDOW_KEPT_MS } from "../../core/limits.ts";
import { Statements } from "./database.ts";

/** Rows that one round takes at least, and at most of tables that are walked through. */
const ROWS_LEAST = 500;
const ROWS_MOST = 5_000;

const PRUNE_WINDOWS = `DELETE FROM windows WHERE (part, id) IN (SELECT part, id FROM windows WHERE end_ms <= ? ORDER BY end_ms LIMIT ${ROWS_LEAST})`;

/**
 * Removes what nobody needs any more, some of it a round: windows long over, rates that stand at nothing, exchanges that ended
 * long ago. Rates and exchanges have no index by time, which each request would pay for: they are walked through in their order
 * instead, twice as fast as they are written.
 */
export class LedgerPrune {
  readonly #statements: Statements;
  readonly #walks: readonly Walk[];

  constructor(database: DatabaseSync) {
    this.#statements = new Statements(database);
    this.#walks = [new Walk(this.#statements, "rates", "tat_us <= ? * 1000"), new Walk(this.#statements, "ended", "until_ms <= ?")];
  }

  /** Gives how many rows went. `written`: steps since the last round. */
  round(nowMs: number, written: number): number {
    const windows = Number(this.#statements.of(PRUNE_WINDOWS).run(nowMs - LEDGER_WINDOW_KEPT_MS).changes);
    const count = Math.min(ROWS_MOST, Math.max(ROWS_LEAST, 2 * written));
    return this.#walks.reduce((sum, walk) => sum + walk.on(nowMs, count), windows);
  }
}

class Walk {
  readonly #statements: Statements;
  readonly #last: string;
  readonly #prune: string;
  readonly #pruneRest: string;
  #from: readonly [part: string, id: string] = ["", ""];

  constructor(statements: Statements, table: "rates" | "ended", isOver: string) {
    this.#statements = statements;
    this.#last = `SELECT part, id FROM ${table} WHERE (part, id) > (?, ?) ORDER BY part, id LIMIT 1 OFFSET ?`;
    this.#pruneRest = `DELETE FROM ${table} WHERE (part, id) > (?, ?) AND ${isOver}`;
    this.#prune = `DELETE FROM ${table} WHERE (part, id) > (?, ?) AND (part, id) <= (?, ?) AND ${isOver}`;
  }

  on(nowMs: number, count: number): number {
    const last = this.#statements.of(this.#last).get(...this.#from, count - 1);
    if (last === undefined) {
      const { changes } = this.#statements.of(this.#pruneRest).run(...this.#from, nowMs);
      this.#from = ["", ""];
      return Number(changes);
    }
    const to = [String(last["part"]), String(last["id"])] as const;
    const { changes } = this.#statements.of(this.#prune).run(...this.#from, ...to, nowMs);
    this.#from = to;
    return Number(changes);
  }
}
