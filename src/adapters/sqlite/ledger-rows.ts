/**
 * The rows of the embedded ledger as this process knows them: read once, and changed in memory.
 *
 * A transaction writes what it has changed as one entry of the journal, with the rows as they are then: one page of the file instead
 * of one for each table. Now and then the entries are folded into the tables and go, and a mark takes their place. So the tables with
 * the journal over them are the state, and a process knows the journal up to an entry (`#seq`): each transaction first reads what
 * others have added since. Where that begins with a mark, nothing that was known counts any more.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { LEDGER_ROWS_KEPT_MAX } from "../../core/limits.ts";
import {
  CLOSED,
  type Claims,
  cells,
  type ExchangeRow,
  LedgerTables,
  noExchange,
  OPEN,
  type RateRow,
  type SlotRow,
  type WindowRow,
} from "./ledger-tables.ts";

/** The journal is folded when it has so many entries, or UTF-16 units: about a millisecond of work. */
const ENTRIES_MAX = 256;
const UNITS_MAX = 262_144;
const MARK = "";
const NOTHING_READ = -1;

const GONE: Claims = { entered: true, slots: [], rates: [], budgets: [] };

/** One transaction's rows, as they stand after it. */
interface Entry {
  readonly w: readonly (readonly [part: string, id: string, endMs: number, spent: number, held: number, limit: number, granted: number])[];
  readonly r: readonly (readonly [part: string, id: string, tatUs: number, costUs: number, burst: number])[];
  readonly s: readonly (readonly [part: string, id: string, used: number, limit: number])[];
  /** Claims are null where the exchange is closed. */
  readonly x: readonly (readonly [part: string, id: string, state: number, dueMs: number, rule: string, claims: Claims | null])[];
}

/** Rows of one table, by partition and id. */
class Shelf<Row extends WindowRow | RateRow | SlotRow | ExchangeRow> {
  readonly #parts = new Map<string, Map<string, Row>>();
  #changed: Row[] = [];
  #unfolded: Row[] = [];
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
    const before = rows.size;
    rows.set(row.id, row);
    this.size += rows.size - before;
    return row;
  }
  *all(): Iterable<Row> {
    for (const rows of this.#parts.values()) yield* rows.values();
  }
  change(row: Row): void {
    row.there = true;
    if (!row.changed) {
      row.changed = true;
      this.#changed.push(row);
    }
    if (!row.unfolded) {
      row.unfolded = true;
      this.#unfolded.push(row);
    }
  }
  /** A row as the journal has it, in place of what was known. */
  learn(row: Row): void {
    this.put(row);
    this.#unfolded.push(row);
  }
  /** What has changed since it was last asked. */
  takeChanged(): readonly Row[] {
    const taken = this.#changed;
    if (taken.length > 0) this.#changed = [];
    for (const row of taken) row.changed = false;
    return taken;
  }
  /** Stores what the tables do not have yet. */
  fold(store: (row: Row) => void): void {
    // What the journal told anew stands in the place of what was known before.
    for (const row of this.#unfolded) if (this.get(row.part, row.id) === row) store(row);
    this.#unfolded = [];
  }
  forget(): void {
    this.#parts.clear();
    this.#changed = [];
    this.#unfolded = [];
    this.size = 0;
  }
}

export class LedgerRows {
  readonly #tables: LedgerTables;
  readonly #since: StatementSync;
  readonly #append: StatementSync;
  readonly #clear: StatementSync;
  readonly #windows = new Shelf<WindowRow>();
  readonly #rates = new Shelf<RateRow>();
  readonly #slots = new Shelf<SlotRow>();
  readonly #exchanges = new Shelf<ExchangeRow>();
  /** The last entry of the journal that is known. */
  #seq = NOTHING_READ;
  #entries = 0;
  #units = 0;
  /** No lease ends before. */
  #dueMs: number | undefined;
  #anyFrozen: boolean | undefined;

  constructor(database: DatabaseSync) {
    this.#tables = new LedgerTables(database);
    this.#since = database.prepare("SELECT seq, entry FROM journal WHERE seq > ? ORDER BY seq");
    this.#since.setReturnArrays(true);
    this.#append = database.prepare("INSERT INTO journal VALUES (?, ?)");
    this.#clear = database.prepare("DELETE FROM journal WHERE seq < ?");
  }

  /** To be called first in each transaction: learns what others have written. */
  refresh(): void {
    const size = this.#windows.size + this.#rates.size + this.#slots.size + this.#exchanges.size;
    if (size > LEDGER_ROWS_KEPT_MAX) this.forget();
    for (const row of this.#since.all(this.#seq)) {
      const [seq, text] = cells(row) ?? [];
      if (text === MARK) this.#empty();
      else {
        this.#learn(String(text));
        this.#entries += 1;
        this.#units += String(text).length;
      }
      this.#seq = Number(seq);
    }
  }

  /** Knows nothing any more, and reads the journal anew in the next transaction; what was not written is lost. */
  forget(): void {
    this.#empty();
    this.#seq = NOTHING_READ;
  }
  #empty(): void {
    this.#windows.forget();
    this.#rates.forget();
    this.#slots.forget();
    this.#exchanges.forget();
    this.#dueMs = undefined;
    this.#anyFrozen = undefined;
    this.#entries = 0;
    this.#units = 0;
  }

  #learn(text: string): void {
    const { w, r, s, x }: Entry = JSON.parse(text);
    const kept = { there: true, changed: false, unfolded: true };
    for (const [part, id, endMs, spent, held, limit, granted] of w)
      this.#windows.learn({ part, id, endMs, spent, held, limit, granted, ...kept });
    for (const [part, id, tatUs, costUs, burst] of r) this.#rates.learn({ part, id, tatUs, costUs, burst, ...kept });
    for (const [part, id, used, limit] of s) this.#slots.learn({ part, id, used, limit, ...kept });
    for (const [part, id, state, dueMs, rule, claims] of x) {
      this.#exchanges.learn({ part, id, state, dueMs, rule, claims: claims ?? GONE, leased: true, ...kept });
      if (state === OPEN && this.#dueMs !== undefined) this.#dueMs = Math.min(this.#dueMs, dueMs);
    }
  }

  window(part: string, id: string): WindowRow {
    return this.#windows.get(part, id) ?? this.#windows.put(this.#tables.window(part, id));
  }
  rate(part: string, id: string): RateRow {
    return this.#rates.get(part, id) ?? this.#rates.put(this.#tables.rate(part, id));
  }
  slot(part: string, id: string): SlotRow {
    return this.#slots.get(part, id) ?? this.#slots.put(this.#tables.slot(part, id));
  }
  /** One that is not there has no claims and counts as open. */
  exchange(part: string, id: string): ExchangeRow {
    return this.#exchanges.get(part, id) ?? this.#exchanges.put(this.#tables.exchange(part, id));
  }

  /** The same for an id that was made up just now: the tables do not have it. */
  freshExchange(part: string, id: string): ExchangeRow {
    return this.#exchanges.get(part, id) ?? this.#exchanges.put(noExchange(part, id));
  }

  /** Leases that have ended, as many as `count`; what the journal has is folded first. */
  due(nowMs: number, count: number): readonly ExchangeRow[] {
    this.fold();
    return this.#tables.due(nowMs, count).map(([part, id]) => this.exchange(part, id));
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
    if (this.#dueMs !== undefined) return this.#dueMs;
    let first = this.#tables.firstDueMs();
    for (const { state, there, dueMs } of this.#exchanges.all()) if (there && state === OPEN) first = Math.min(first, dueMs);
    this.#dueMs = first;
    return first;
  }
  lookAgainForDue(): void {
    this.#dueMs = undefined;
  }

  isFrozen(part: string, key: string): boolean {
    this.#anyFrozen ??= this.#tables.anyFrozen();
    return this.#anyFrozen && this.#tables.isFrozen(part, key);
  }

  /** To be called last in each transaction: writes all that has changed. */
  write(): void {
    const [w, r, s, x] = [this.#windows.takeChanged(), this.#rates.takeChanged(), this.#slots.takeChanged(), this.#exchanges.takeChanged()];
    if (w.length + r.length + s.length + x.length === 0) return;
    const text = JSON.stringify({
      w: w.map(({ part, id, endMs, spent, held, limit, granted }) => [part, id, endMs, spent, held, limit, granted] as const),
      r: r.map(({ part, id, tatUs, costUs, burst }) => [part, id, tatUs, costUs, burst] as const),
      s: s.map(({ part, id, used, limit }) => [part, id, used, limit] as const),
      x: x.map(({ part, id, state, dueMs, rule, claims }) => [part, id, state, dueMs, rule, state === CLOSED ? null : claims] as const),
    } satisfies Entry);
    this.#seq += 1;
    this.#append.run(this.#seq, text);
    this.#entries += 1;
    this.#units += text.length;
    // A map that changes with each call may hold on to what has left it until a full collection.
    for (const row of x) if (row.state === CLOSED) row.claims = GONE;
    if (this.#entries >= ENTRIES_MAX || this.#units >= UNITS_MAX) this.fold();
  }

  /** Brings the tables up to what is known, and tells the others to read them anew. */
  fold(): void {
    this.write();
    if (this.#entries === 0) return;
    this.#windows.fold((row) => this.#tables.storeWindow(row));
    this.#rates.fold((row) => this.#tables.storeRate(row));
    this.#slots.fold((row) => this.#tables.storeSlot(row));
    this.#exchanges.fold((row) => this.#tables.storeExchange(row));
    this.mark();
  }
  /** To be called when the tables themselves were changed. */
  mark(): void {
    this.#empty();
    this.#seq += 1;
    this.#append.run(this.#seq, MARK);
    this.#clear.run(this.#seq);
  }
}
