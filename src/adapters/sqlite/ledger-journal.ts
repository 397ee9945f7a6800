/**
 * The journal's entries: the rows that one transaction changed, as they stand after it.
 *
 * A row is named in full where it first stands in the journal after a mark, and has its place among those of its table from then on:
 * later entries name it by that number. All who read the journal count alike, so a call's entries hold figures and hardly a name.
 */
import { CLOSED, type Claims, type ExchangeRow, OPEN, type RateRow, type SlotRow, type WindowRow } from "./ledger-tables.ts";

/** Rows of one table, by partition and id. */
export class Shelf<Row extends WindowRow | RateRow | SlotRow | ExchangeRow> {
  readonly #make: (part: string, id: string) => Row;
  readonly #parts = new Map<string, Map<string, Row>>();
  #changed: Row[] = [];
  #unfolded: Row[] = [];
  /** Rows that the journal has named, in its order. */
  #named: Row[] = [];
  size = 0;

  /** `make` gives a row that is not there. */
  constructor(make: (part: string, id: string) => Row) {
    this.#make = make;
  }

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
    this.#owe(row);
  }
  #owe(row: Row): void {
    if (row.unfolded) return;
    row.unfolded = true;
    this.#unfolded.push(row);
  }
  /** The row that an entry names for the first time. */
  learn(part: string, id: string): Row {
    const row = this.get(part, id) ?? this.put(this.#make(part, id));
    this.name(row);
    return this.#learnt(row);
  }
  /** The row that entries before have named. Throws where none has: the journal is not what it should be. */
  learnAgain(place: number): Row {
    return this.#learnt(this.at(place));
  }
  #learnt(row: Row): Row {
    row.there = true;
    this.#owe(row);
    return row;
  }
  at(place: number): Row {
    const row = this.#named[place];
    if (row === undefined) throw new Error("an entry of the ledger's journal names a row that no entry has told");
    return row;
  }
  /** Gives the row its place in the journal; true: it has none yet, and is to be named in full. */
  name(row: Row): boolean {
    if (row.place !== undefined) return false;
    row.place = this.#named.length;
    this.#named.push(row);
    return true;
  }
  /** What has changed since it was last asked. */
  takeChanged(): readonly Row[] {
    const taken = this.#changed;
    if (taken.length > 0) this.#changed = [];
    for (const row of taken) row.changed = false;
    return taken;
  }
  /** What the tables do not have yet. */
  takeUnfolded(): readonly Row[] {
    const taken = this.#unfolded;
    this.#unfolded = [];
    return taken;
  }
  forget(): void {
    this.#parts.clear();
    this.#changed = [];
    this.#unfolded = [];
    this.#named = [];
    this.size = 0;
  }
}

/** What a process knows of the tables. */
export interface Shelves {
  readonly windows: Shelf<WindowRow>;
  readonly rates: Shelf<RateRow>;
  readonly slots: Shelf<SlotRow>;
  readonly exchanges: Shelf<ExchangeRow>;
}

type Named = readonly [part: string, id: string];
/** By its place, or named for the first time. */
type Who = number | Named;
/** In claims: by its place, or by its id where the journal has not named it since the last mark. */
type Ref = number | string;
type ClaimsEntry = readonly [
  entered: boolean,
  slots: readonly Ref[],
  rates: readonly (readonly [rate: Ref, tatUs: number, costUs: number])[],
  budgets: readonly (readonly [window: Ref, endMs: number, amount: number])[],
];
type Entry = readonly [
  windows: readonly (readonly [Who, endMs: number, spent: number, held: number, limit: number, granted: number])[],
  rates: readonly (readonly [Who, tatUs: number, costUs: number, burst: number])[],
  slots: readonly (readonly [Who, used: number, limit: number])[],
  /** Nothing follows the time where the exchange is closed. */
  exchanges: readonly (readonly [Who, state: number, dueMs: number, rule?: string, claims?: ClaimsEntry])[],
];

/** What an exchange that is closed has claimed. */
const GONE: Claims = { entered: true, slots: [], rates: [], budgets: [] };

/** The rows that have changed; undefined: none has. */
export function writeEntry({ windows, rates, slots, exchanges }: Shelves): string | undefined {
  const [w, r, s, x] = [windows.takeChanged(), rates.takeChanged(), slots.takeChanged(), exchanges.takeChanged()];
  if (w.length + r.length + s.length + x.length === 0) return undefined;
  const entry: Entry = [
    w.map((row) => [whoIs(windows, row), row.endMs, row.spent, row.held, row.limit, row.granted] as const),
    r.map((row) => [whoIs(rates, row), row.tatUs, row.costUs, row.burst] as const),
    s.map((row) => [whoIs(slots, row), row.used, row.limit] as const),
    x.map((row) => {
      const { state, dueMs, rule, part, claims } = row;
      const who = whoIs(exchanges, row);
      if (state !== CLOSED) return [who, state, dueMs, rule, writeClaims(part, claims, { windows, rates, slots })] as const;
      // A map that changes with each call may hold on to what has left it until a full collection.
      row.claims = GONE;
      return [who, state, dueMs] as const;
    }),
  ];
  return JSON.stringify(entry);
}
const whoIs = <Row extends WindowRow | RateRow | SlotRow | ExchangeRow>(shelf: Shelf<Row>, row: Row): Who =>
  shelf.name(row) ? [row.part, row.id] : (row.place ?? [row.part, row.id]);

function writeClaims(part: string, claims: Claims, { windows, rates, slots }: Omit<Shelves, "exchanges">): ClaimsEntry {
  return [
    claims.entered,
    claims.slots.map((id) => slots.get(part, id)?.place ?? id),
    claims.rates.map((claim) => [rates.get(part, claim[0])?.place ?? claim[0], claim[1], claim[2]] as const),
    claims.budgets.map((claim) => [windows.get(part, claim[0])?.place ?? claim[0], claim[1], claim[2]] as const),
  ];
}

/** Takes over what an entry tells. Gives when the first lease in it ends, infinity where there is none. */
export function readEntry(text: string, shelves: Shelves): number {
  const [w, r, s, x]: Entry = JSON.parse(text);
  const { windows, rates, slots, exchanges } = shelves;
  for (const told of w) {
    const row = rowOf(windows, told[0]);
    row.endMs = told[1];
    row.spent = told[2];
    row.held = told[3];
    row.limit = told[4];
    row.granted = told[5];
  }
  for (const told of r) {
    const row = rowOf(rates, told[0]);
    row.tatUs = told[1];
    row.costUs = told[2];
    row.burst = told[3];
  }
  for (const told of s) {
    const row = rowOf(slots, told[0]);
    row.used = told[1];
    row.limit = told[2];
  }
  let firstMs = Number.POSITIVE_INFINITY;
  for (const told of x) {
    const row = rowOf(exchanges, told[0]);
    row.state = told[1];
    row.dueMs = told[2];
    row.rule = told[3] ?? "";
    row.claims = told[4] === undefined ? GONE : readClaims(told[4], shelves);
    row.leased = true;
    if (row.state === OPEN) firstMs = Math.min(firstMs, row.dueMs);
  }
  return firstMs;
}
const rowOf = <Row extends WindowRow | RateRow | SlotRow | ExchangeRow>(shelf: Shelf<Row>, who: Who): Row =>
  typeof who === "number" ? shelf.learnAgain(who) : shelf.learn(who[0], who[1]);

function readClaims([entered, slots, rates, budgets]: ClaimsEntry, shelves: Shelves): Claims {
  const idOf = (shelf: { at(place: number): { readonly id: string } }, ref: Ref): string =>
    typeof ref === "number" ? shelf.at(ref).id : ref;
  return {
    entered,
    slots: slots.map((ref) => idOf(shelves.slots, ref)),
    rates: rates.map(([ref, tatUs, costUs]) => [idOf(shelves.rates, ref), tatUs, costUs]),
    budgets: budgets.map(([ref, endMs, amount]) => [idOf(shelves.windows, ref), endMs, amount]),
  };
}
