/**
 * The rows of the embedded ledger as this process knows them: read once, changed in memory, and written once a transaction,
 * however many steps have changed them.
 *
 * What is known holds as long as no other process has written the file, which SQLite tells inside the transaction
 * (`PRAGMA data_version`); else all of it is read anew. Nothing is kept of a transaction that was rolled back.
 */
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { LEDGER_ROWS_KEPT_MAX } from "../../core/limits.ts";
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
const GONE: Claims = { entered: true, slots: [], rates: [], budgets: [] };
const noClaims = (): Claims => ({ entered: false, slots: [], rates: [], budgets: [] });

interface Kept {
  readonly part: string;
  readonly id: string;
  /** It stands in the file. */
  stored: boolean;
  /** It will be written. A row that is neither is not there, and its figures are 0. */
  changed: boolean;
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
  /** As it stands in the file, where it does. */
  storedState: number;
  storedDueMs: number;
}
export const isThere = (row: Kept): boolean => row.stored || row.changed;

const FIND_WINDOW = "SELECT end_ms, spent, held, lim, granted FROM windows WHERE part = ? AND id = ?";
const FIND_RATE = "SELECT tat_us, cost_us, burst FROM rates WHERE part = ? AND id = ?";
const FIND_SLOT = "SELECT used, lim FROM slots WHERE part = ? AND id = ?";
const FIND_EXCHANGE = `
  SELECT ${OPEN}, due_ms, rule, claims FROM leases WHERE part = ?1 AND id = ?2
  UNION ALL SELECT state, until_ms, '', claims FROM ended WHERE part = ?1 AND id = ?2`;

/** Rows of one table, by partition and id. */
class Shelf<Row extends Kept> {
  readonly #parts = new Map<string, Map<string, Row>>();
  changed: Row[] = [];
  size = 0;

  get(part: string, id: string): Row | undefined {
    return this.#parts.get(part)?.get(id);
  }
  put(row: Row): Row {
    let rows = this.#parts.get(row.part);
    if (rows === undefined) {
      rows = new Map();
      this.#parts.set(row.part, rows);
    }
    rows.set(row.id, row);
    this.size++;
    return row;
  }
  drop({ part, id }: Row): void {
    const rows = this.#parts.get(part);
    if (rows?.delete(id) !== true) return;
    this.size--;
    if (rows.size === 0) this.#parts.delete(part);
  }
  change(row: Row): void {
    if (row.changed) return;
    row.changed = true;
    this.changed.push(row);
  }
  /** Gives each row that has changed to `store`, which writes it. */
  write(store: (row: Row) => void): void {
    for (const row of this.changed) {
      store(row);
      row.changed = false;
    }
    this.changed = [];
  }
  forget(): void {
    this.#parts.clear();
    this.changed = [];
    this.size = 0;
  }
}

export class LedgerRows {
  readonly #statements: Statements;
  readonly #version: StatementSync;
  readonly #firstDue: StatementSync;
  readonly #find: Readonly<Record<"window" | "rate" | "slot" | "exchange", StatementSync>>;
  readonly #windows = new Shelf<WindowRow>();
  readonly #rates = new Shelf<RateRow>();
  readonly #slots = new Shelf<SlotRow>();
  readonly #exchanges = new Shelf<ExchangeRow>();
  #seenVersion: SQLOutputValue | undefined;
  #dueMs: number | undefined;
  #anyFrozen: boolean | undefined;

  constructor(database: DatabaseSync) {
    this.#statements = new Statements(database);
    const reader = (sql: string): StatementSync => {
      const made = database.prepare(sql);
      made.setReturnArrays(true);
      return made;
    };
    this.#version = reader("PRAGMA data_version");
    this.#firstDue = reader("SELECT due_ms FROM leases ORDER BY due_ms LIMIT 1");
    this.#find = { window: reader(FIND_WINDOW), rate: reader(FIND_RATE), slot: reader(FIND_SLOT), exchange: reader(FIND_EXCHANGE) };
  }

  /** To be called first in each transaction. */
  refresh(): void {
    const version = cells(this.#version.get())?.[0];
    const size = this.#windows.size + this.#rates.size + this.#slots.size + this.#exchanges.size;
    if (version !== this.#seenVersion || size > LEDGER_ROWS_KEPT_MAX) this.forget();
    this.#seenVersion = version;
  }

  /** Knows nothing any more; what was not written is lost. */
  forget(): void {
    this.#windows.forget();
    this.#rates.forget();
    this.#slots.forget();
    this.#exchanges.forget();
    this.#dueMs = undefined;
    this.#anyFrozen = undefined;
  }

  window(part: string, id: string): WindowRow {
    const known = this.#windows.get(part, id);
    if (known !== undefined) return known;
    const row = cells(this.#find.window.get(part, id));
    const [endMs, spent, held, limit, granted] = figures(row);
    const [stored, changed] = [row !== undefined, false];
    return this.#windows.put({ part, id, endMs, spent, held, limit, granted, stored, changed });
  }
  rate(part: string, id: string): RateRow {
    const known = this.#rates.get(part, id);
    if (known !== undefined) return known;
    const row = cells(this.#find.rate.get(part, id));
    const [tatUs, costUs, burst] = figures(row);
    return this.#rates.put({ part, id, tatUs, costUs, burst, stored: row !== undefined, changed: false });
  }
  slot(part: string, id: string): SlotRow {
    const known = this.#slots.get(part, id);
    if (known !== undefined) return known;
    const row = cells(this.#find.slot.get(part, id));
    const [used, limit] = figures(row);
    return this.#slots.put({ part, id, used, limit, stored: row !== undefined, changed: false });
  }
  /** One that is not there has no claims and counts as open. */
  exchange(part: string, id: string): ExchangeRow {
    const known = this.#exchanges.get(part, id);
    if (known !== undefined) return known;
    const row = cells(this.#find.exchange.get(part, id));
    const [state, dueMs] = figures(row);
    const text = row?.[3];
    const claims: Claims = typeof text === "string" && text !== "" ? JSON.parse(text) : noClaims();
    const stored = { stored: row !== undefined, storedState: state, storedDueMs: dueMs };
    return this.#exchanges.put({ part, id, state, dueMs, rule: String(row?.[2] ?? ""), claims, changed: false, ...stored });
  }

  /** Leases that have ended, as many as `count`. Before anything has changed in the transaction. */
  due(nowMs: number, count: number): readonly ExchangeRow[] {
    const found = this.#statements.of("SELECT part, id FROM leases WHERE due_ms <= ? LIMIT ?").all(nowMs, count);
    return found.map((row) => this.exchange(String(row["part"]), String(row["id"])));
  }

  changeWindow(row: WindowRow): void {
    this.#windows.change(row);
  }
  changeRate(row: RateRow): void {
    this.#rates.change(row);
  }
  changeSlot(row: SlotRow): void {
    this.#slots.change(row);
  }
  changeExchange(row: ExchangeRow): void {
    this.#exchanges.change(row);
    if (row.state === OPEN && this.#dueMs !== undefined) this.#dueMs = Math.min(this.#dueMs, row.dueMs);
  }

  /** No lease ends before: one that has ended may be looked for in vain, one that ends is never missed. */
  firstDueMs(): number {
    this.#dueMs ??= Number(cells(this.#firstDue.get())?.[0] ?? Number.POSITIVE_INFINITY);
    return this.#dueMs;
  }
  lookAgainForDue(): void {
    this.#dueMs = undefined;
  }

  isFrozen(part: string, key: string): boolean {
    this.#anyFrozen ??= this.#statements.of("SELECT 1 FROM frozen LIMIT 1").get() !== undefined;
    return this.#anyFrozen && this.#statements.of("SELECT 1 FROM frozen WHERE part = ? AND id = ?").get(part, key) !== undefined;
  }

  /** Writes all that has changed. */
  write(): void {
    this.#windows.write((row) => this.#writeWindow(row));
    this.#rates.write((row) => this.#writeRate(row));
    this.#slots.write((row) => this.#writeSlot(row));
    this.#exchanges.write((row) => this.#writeExchange(row));
  }

  #writeWindow(row: WindowRow): void {
    const { part, id, endMs, spent, held, limit, granted } = row;
    if (row.stored)
      this.#statements.of("UPDATE windows SET spent = ?, held = ?, lim = ? WHERE part = ? AND id = ?").run(spent, held, limit, part, id);
    else this.#statements.of("INSERT INTO windows VALUES (?, ?, ?, ?, ?, ?, ?)").run(part, id, endMs, spent, held, limit, granted);
    row.stored = true;
  }
  #writeRate(row: RateRow): void {
    const { part, id, tatUs, costUs, burst } = row;
    if (row.stored)
      this.#statements
        .of("UPDATE rates SET tat_us = ?, cost_us = ?, burst = ? WHERE part = ? AND id = ?")
        .run(tatUs, costUs, burst, part, id);
    else this.#statements.of("INSERT INTO rates VALUES (?, ?, ?, ?, ?)").run(part, id, tatUs, costUs, burst);
    row.stored = true;
  }
  #writeSlot(row: SlotRow): void {
    const { part, id, used, limit } = row;
    if (used <= 0) {
      if (row.stored) this.#statements.of("DELETE FROM slots WHERE part = ? AND id = ?").run(part, id);
    } else if (row.stored) this.#statements.of("UPDATE slots SET used = ?, lim = ? WHERE part = ? AND id = ?").run(used, limit, part, id);
    else this.#statements.of("INSERT INTO slots VALUES (?, ?, ?, ?)").run(part, id, used, limit);
    row.stored = used > 0;
  }
  #writeExchange(row: ExchangeRow): void {
    const { part, id, state, dueMs, rule } = row;
    const claims = state === CLOSED ? "" : JSON.stringify(row.claims);
    if (state === OPEN) {
      if (!row.stored) this.#statements.of("INSERT INTO leases VALUES (?, ?, ?, ?, ?)").run(part, id, dueMs, rule, claims);
      else if (row.storedDueMs === dueMs)
        this.#statements.of("UPDATE leases SET rule = ?, claims = ? WHERE part = ? AND id = ?").run(rule, claims, part, id);
      else
        this.#statements
          .of("UPDATE leases SET due_ms = ?, rule = ?, claims = ? WHERE part = ? AND id = ?")
          .run(dueMs, rule, claims, part, id);
    } else if (row.stored && row.storedState !== OPEN)
      this.#statements
        .of("UPDATE ended SET state = ?, until_ms = ?, claims = ? WHERE part = ? AND id = ?")
        .run(state, dueMs, claims, part, id);
    else {
      if (row.stored) this.#statements.of("DELETE FROM leases WHERE part = ? AND id = ?").run(part, id);
      this.#statements.of("INSERT INTO ended VALUES (?, ?, ?, ?, ?)").run(part, id, state, dueMs, claims);
    }
    row.stored = true;
    row.storedState = state;
    row.storedDueMs = dueMs;
    // Its next step, if there is one, is another process's, or a repetition.
    if (state === OPEN) return;
    this.#exchanges.drop(row);
    // A map that changes with each call may hold on to what has left it until a full collection.
    row.claims = GONE;
  }
}

/** A row as the list of its columns (`setReturnArrays`). */
const cells = (row: unknown): readonly SQLOutputValue[] | undefined => (Array.isArray(row) ? row : undefined);
/** The first five columns as numbers. */
function figures(row: readonly SQLOutputValue[] | undefined): readonly [number, number, number, number, number] {
  if (row === undefined) return [0, 0, 0, 0, 0];
  return [Number(row[0]), Number(row[1]), Number(row[2]), Number(row[3]), Number(row[4])];
}
