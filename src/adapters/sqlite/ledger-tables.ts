/** Rows of the embedded ledger in its tables: how each is found by its key, and stored. */
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { Statements } from "./database.ts";

/** open: `dueMs` is the lease's end. lapsed, closed: it is when the row goes. */
export const OPEN = 0;
export const LAPSED = 1;
export const CLOSED = 2;

/** What an exchange has claimed. `budgets`: window id, its end, what is held (or was charged when it lapsed). */
export interface Claims {
  entered: boolean;
  slots: string[];
  rates: [key: string, tatUs: number, costUs: number][];
  budgets: [id: string, endMs: number, amount: number][];
}
const noClaims = (): Claims => ({ entered: false, slots: [], rates: [], budgets: [] });

interface Kept {
  readonly part: string;
  readonly id: string;
  /** It stands in the file, or will. One that does not has only zeros. */
  there: boolean;
  /** It goes into the journal with this transaction. */
  changed: boolean;
  /** The journal has it, the table not yet. */
  unfolded: boolean;
  /** Among the rows of its table that the journal has named (ledger-journal.ts). */
  place: number | undefined;
}
export interface WindowRow extends Kept {
  endMs: number;
  spent: number;
  held: number;
  limit: number;
  granted: number;
}
export interface RateRow extends Kept {
  tatUs: number;
  costUs: number;
  burst: number;
}
/** Goes where nothing is used. */
export interface SlotRow extends Kept {
  used: number;
  limit: number;
}
export interface ExchangeRow extends Kept {
  state: number;
  dueMs: number;
  rule: string;
  claims: Claims;
  /** It may stand among the leases of the file. */
  leased: boolean;
}

/** Rows that stand nowhere yet. */
export const noWindow = (part: string, id: string): WindowRow => windowOf(part, id, undefined);
export const noRate = (part: string, id: string): RateRow => rateOf(part, id, undefined);
export const noSlot = (part: string, id: string): SlotRow => slotOf(part, id, undefined);
export const noExchange = (part: string, id: string): ExchangeRow => ({
  part,
  id,
  state: OPEN,
  dueMs: 0,
  rule: "",
  claims: noClaims(),
  leased: false,
  there: false,
  ...KEPT,
});

const KEPT = { changed: false, unfolded: false, place: undefined };
type Cells = readonly SQLOutputValue[] | undefined;
function windowOf(part: string, id: string, row: Cells): WindowRow {
  const [endMs, spent, held, limit, granted] = figures(row);
  return { part, id, endMs, spent, held, limit, granted, there: row !== undefined, ...KEPT };
}
function rateOf(part: string, id: string, row: Cells): RateRow {
  const [tatUs, costUs, burst] = figures(row);
  return { part, id, tatUs, costUs, burst, there: row !== undefined, ...KEPT };
}
function slotOf(part: string, id: string, row: Cells): SlotRow {
  const [used, limit] = figures(row);
  return { part, id, used, limit, there: row !== undefined, ...KEPT };
}

const FIND_WINDOW = "SELECT end_ms, spent, held, lim, granted FROM windows WHERE part = ? AND id = ?";
const FIND_RATE = "SELECT tat_us, cost_us, burst FROM rates WHERE part = ? AND id = ?";
const FIND_SLOT = "SELECT used, lim FROM slots WHERE part = ? AND id = ?";
const FIND_EXCHANGE = `
  SELECT ${OPEN}, due_ms, rule, claims FROM running WHERE part = ?1 AND id = ?2
  UNION ALL SELECT state, until_ms, '', claims FROM ended WHERE part = ?1 AND id = ?2`;

const STORE_WINDOW = `
  INSERT INTO windows VALUES (?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET spent = excluded.spent, held = excluded.held, lim = excluded.lim, granted = excluded.granted`;
const STORE_RATE = `
  INSERT INTO rates VALUES (?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET tat_us = excluded.tat_us, cost_us = excluded.cost_us, burst = excluded.burst`;
const STORE_SLOT = "INSERT INTO slots VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET used = excluded.used, lim = excluded.lim";
const STORE_RUNNING = `
  INSERT INTO running VALUES (?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET due_ms = excluded.due_ms, rule = excluded.rule, claims = excluded.claims`;
const STORE_ENDED = "INSERT OR REPLACE INTO ended VALUES (?, ?, ?, ?, ?)";

export class LedgerTables {
  readonly #statements: Statements;
  readonly #firstDue: StatementSync;
  readonly #find: Readonly<Record<"window" | "rate" | "slot" | "exchange", StatementSync>>;

  constructor(database: DatabaseSync) {
    this.#statements = new Statements(database);
    const reader = (sql: string): StatementSync => {
      const made = database.prepare(sql);
      made.setReturnArrays(true);
      return made;
    };
    this.#firstDue = reader("SELECT due_ms FROM running ORDER BY due_ms LIMIT 1");
    this.#find = { window: reader(FIND_WINDOW), rate: reader(FIND_RATE), slot: reader(FIND_SLOT), exchange: reader(FIND_EXCHANGE) };
  }

  window(part: string, id: string): WindowRow {
    return windowOf(part, id, cells(this.#find.window.get(part, id)));
  }
  rate(part: string, id: string): RateRow {
    return rateOf(part, id, cells(this.#find.rate.get(part, id)));
  }
  slot(part: string, id: string): SlotRow {
    return slotOf(part, id, cells(this.#find.slot.get(part, id)));
  }
  /** One that is not there has no claims and counts as open. */
  exchange(part: string, id: string): ExchangeRow {
    const row = cells(this.#find.exchange.get(part, id));
    if (row === undefined) return noExchange(part, id);
    const [state, dueMs] = figures(row);
    const text = row[3];
    const claims: Claims = typeof text === "string" && text !== "" ? JSON.parse(text) : noClaims();
    return { part, id, state, dueMs, rule: String(row[2]), claims, leased: state === OPEN, there: true, ...KEPT };
  }

  /** Keys of leases that have ended, as many as `count`. */
  due(nowMs: number, count: number): readonly (readonly [part: string, id: string])[] {
    const found = this.#statements.of("SELECT part, id FROM running WHERE due_ms <= ? LIMIT ?").all(nowMs, count);
    return found.map((row) => [String(row["part"]), String(row["id"])]);
  }
  /** When the first lease ends. */
  firstDueMs(): number {
    return Number(cells(this.#firstDue.get())?.[0] ?? Number.POSITIVE_INFINITY);
  }
  anyFrozen(): boolean {
    return this.#statements.of("SELECT 1 FROM frozen LIMIT 1").get() !== undefined;
  }
  isFrozen(part: string, key: string): boolean {
    return this.#statements.of("SELECT 1 FROM frozen WHERE part = ? AND id = ?").get(part, key) !== undefined;
  }

  storeWindow({ part, id, endMs, spent, held, limit, granted }: WindowRow): void {
    this.#statements.of(STORE_WINDOW).run(part, id, endMs, spent, held, limit, granted);
  }
  storeRate({ part, id, tatUs, costUs, burst }: RateRow): void {
    this.#statements.of(STORE_RATE).run(part, id, tatUs, costUs, burst);
  }
  storeSlot({ part, id, used, limit }: SlotRow): void {
    if (used > 0) this.#statements.of(STORE_SLOT).run(part, id, used, limit);
    else this.#statements.of("DELETE FROM slots WHERE part = ? AND id = ?").run(part, id);
  }
  storeExchange({ part, id, state, dueMs, rule, claims, leased }: ExchangeRow): void {
    if (state === OPEN) {
      this.#statements.of(STORE_RUNNING).run(part, id, dueMs, rule, JSON.stringify(claims));
      return;
    }
    if (leased) this.#statements.of("DELETE FROM running WHERE part = ? AND id = ?").run(part, id);
    this.#statements.of(STORE_ENDED).run(part, id, state, dueMs, state === CLOSED ? "" : JSON.stringify(claims));
  }
}

/** A row as the list of its columns (`setReturnArrays`). */
export const cells = (row: unknown): readonly SQLOutputValue[] | undefined => (Array.isArray(row) ? row : undefined);
/** The first five columns as numbers. */
function figures(row: readonly SQLOutputValue[] | undefined): readonly [number, number, number, number, number] {
  if (row === undefined) return [0, 0, 0, 0, 0];
  return [Number(row[0]), Number(row[1]), Number(row[2]), Number(row[3]), Number(row[4])];
}
