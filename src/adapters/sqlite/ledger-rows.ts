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
import { readEntry, Shelf, type Shelves, writeEntry } from "./ledger-journal.ts";
import {
  cells,
  type ExchangeRow,
  LedgerTables,
  noExchange,
  noRate,
  noSlot,
  noWindow,
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

export class LedgerRows {
  readonly #tables: LedgerTables;
  readonly #since: StatementSync;
  readonly #append: StatementSync;
  readonly #clear: StatementSync;
  readonly #shelves: Shelves = {
    windows: new Shelf<WindowRow>(noWindow),
    rates: new Shelf<RateRow>(noRate),
    slots: new Shelf<SlotRow>(noSlot),
    exchanges: new Shelf<ExchangeRow>(noExchange),
  };
  /** The last entry of the journal that is known. */
  #seq = NOTHING_READ;
  #entries = 0;
  #units = 0;
  /** No lease ends before. */
  #dueMs: number | undefined;
  #anyFrozen: boolean | undefined;

  constructor(database: DatabaseSync) {
    this.#tables = new LedgerTables(database);
    this.#since = database.prepare("SELECT seq, entry FROM entries WHERE seq > ? ORDER BY seq");
    this.#since.setReturnArrays(true);
    this.#append = database.prepare("INSERT INTO entries VALUES (?, ?)");
    this.#clear = database.prepare("DELETE FROM entries WHERE seq < ?");
  }

  /** To be called first in each transaction: learns what others have written. */
  refresh(): void {
    const { windows, rates, slots, exchanges } = this.#shelves;
    if (windows.size + rates.size + slots.size + exchanges.size > LEDGER_ROWS_KEPT_MAX) this.forget();
    for (const row of this.#since.all(this.#seq)) {
      const [seq, text] = cells(row) ?? [];
      if (text === MARK) this.#empty();
      else {
        const first = readEntry(String(text), this.#shelves);
        if (this.#dueMs !== undefined) this.#dueMs = Math.min(this.#dueMs, first);
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
    this.#shelves.windows.forget();
    this.#shelves.rates.forget();
    this.#shelves.slots.forget();
    this.#shelves.exchanges.forget();
    this.#dueMs = undefined;
    this.#anyFrozen = undefined;
    this.#entries = 0;
    this.#units = 0;
  }

  window(part: string, id: string): WindowRow {
    return this.#shelves.windows.get(part, id) ?? this.#shelves.windows.put(this.#tables.window(part, id));
  }
  rate(part: string, id: string): RateRow {
    return this.#shelves.rates.get(part, id) ?? this.#shelves.rates.put(this.#tables.rate(part, id));
  }
  slot(part: string, id: string): SlotRow {
    return this.#shelves.slots.get(part, id) ?? this.#shelves.slots.put(this.#tables.slot(part, id));
  }
  /** One that is not there has no claims and counts as open. */
  exchange(part: string, id: string): ExchangeRow {
    return this.#shelves.exchanges.get(part, id) ?? this.#shelves.exchanges.put(this.#tables.exchange(part, id));
  }

  /** The same for an id that was made up just now: the tables do not have it. */
  freshExchange(part: string, id: string): ExchangeRow {
    return this.#shelves.exchanges.get(part, id) ?? this.#shelves.exchanges.put(noExchange(part, id));
  }

  /** Leases that have ended, as many as `count`; what the journal has is folded first. */
  due(nowMs: number, count: number): readonly ExchangeRow[] {
    this.fold();
    return this.#tables.due(nowMs, count).map(([part, id]) => this.exchange(part, id));
  }

  changeWindow(row: WindowRow): void {
    this.#shelves.windows.change(row);
  }
  changeRate(row: RateRow): void {
    this.#shelves.rates.change(row);
  }
  changeSlot(row: SlotRow): void {
    this.#shelves.slots.change(row);
  }
  changeExchange(row: ExchangeRow): void {
    this.#shelves.exchanges.change(row);
    if (row.state === OPEN && this.#dueMs !== undefined) this.#dueMs = Math.min(this.#dueMs, row.dueMs);
  }

  /** No lease ends before: one that has ended may be looked for in vain, one that ends is never missed. */
  firstDueMs(): number {
    if (this.#dueMs !== undefined) return this.#dueMs;
    let first = this.#tables.firstDueMs();
    for (const { state, there, dueMs } of this.#shelves.exchanges.all()) if (there && state === OPEN) first = Math.min(first, dueMs);
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
    const text = writeEntry(this.#shelves);
    if (text === undefined) return;
    this.#seq += 1;
    this.#append.run(this.#seq, text);
    this.#entries += 1;
    this.#units += text.length;
    if (this.#entries >= ENTRIES_MAX || this.#units >= UNITS_MAX) this.fold();
  }

  /** Brings the tables up to what is known, and tells the others to read them anew. */
  fold(): void {
    this.write();
    if (this.#entries === 0) return;
    const { windows, rates, slots, exchanges } = this.#shelves;
    for (const row of windows.takeUnfolded()) this.#tables.storeWindow(row);
    for (const row of rates.takeUnfolded()) this.#tables.storeRate(row);
    for (const row of slots.takeUnfolded()) this.#tables.storeSlot(row);
    for (const row of exchanges.takeUnfolded()) this.#tables.storeExchange(row);
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
