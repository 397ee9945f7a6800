/**
 * The books of the embedded ledger: what each step does to the rows, inside a transaction that ledger.ts has begun. Each step
 * first reads all its scopes, then writes; one that refuses writes nothing. Rows are found by primary key, so a step costs the
 * same however many scopes are stored.
 */
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { LEDGER_CLOSED_KEPT_MS, LEDGER_WINDOW_KEPT_MS } from "../../core/limits.ts";
import type {
  Claimant,
  EnterRequest,
  HoldAnswer,
  HoldRequest,
  Level,
  Refusal,
  RenewAnswer,
  RenewRequest,
  SettleAnswer,
  SettleRequest,
  StepAnswer,
} from "../../ports/ledger.ts";
import {
  addWhole,
  budgetRefusal,
  partitionId,
  rateLevel,
  rateRefusal,
  rateTerms,
  slotRefusal,
  windowId,
} from "../../ports/ledger-terms.ts";
import { Statements } from "./database.ts";

export const SCHEMA = `
CREATE TABLE IF NOT EXISTS windows (
  part TEXT NOT NULL, id TEXT NOT NULL, end_ms INTEGER NOT NULL,
  spent INTEGER NOT NULL, held INTEGER NOT NULL, lim INTEGER NOT NULL, granted INTEGER NOT NULL,
  PRIMARY KEY (part, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS windows_end ON windows (end_ms);
CREATE TABLE IF NOT EXISTS rates (
  part TEXT NOT NULL, id TEXT NOT NULL, tat_us INTEGER NOT NULL, cost_us INTEGER NOT NULL, burst INTEGER NOT NULL,
  PRIMARY KEY (part, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS slots (
  part TEXT NOT NULL, id TEXT NOT NULL, used INTEGER NOT NULL, lim INTEGER NOT NULL,
  PRIMARY KEY (part, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS exchanges (
  part TEXT NOT NULL, id TEXT NOT NULL, state INTEGER NOT NULL, due_ms INTEGER NOT NULL, rule TEXT NOT NULL, claims TEXT NOT NULL,
  PRIMARY KEY (part, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS exchanges_due ON exchanges (due_ms);
CREATE TABLE IF NOT EXISTS frozen (part TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (part, id)) WITHOUT ROWID;
PRAGMA user_version = 1;
`;

/** open: `due_ms` is the lease's end. lapsed, closed: it is when the row goes. */
const [OPEN, LAPSED, CLOSED] = [0, 1, 2];
/** Rows that one look takes; a turn takes several looks. */
const SWEPT_AT_ONCE = 100;
const SWEEPS_MAX = 10;
const PRUNED_AT_ONCE = 500;

type Row = Record<string, SQLOutputValue>;
/** What an exchange has claimed. `budgets`: window id, its end, what is held (or was charged when it lapsed). */
interface Claims {
  entered: boolean;
  slots: string[];
  rates: [key: string, tatUs: number, costUs: number][];
  budgets: [id: string, endMs: number, amount: number][];
}
const NONE = (): Claims => ({ entered: false, slots: [], rates: [], budgets: [] });
interface Exchange {
  readonly state: number;
  readonly dueMs: number;
  readonly rule: string;
  readonly claims: Claims;
}
interface Change {
  readonly endMs: number;
  held: number;
  spent: number;
}

// Texts with something put in, made once: one made anew at each call must be hashed before its statement is found.
const FIND_WINDOW = "SELECT spent, held, granted FROM windows WHERE part = ? AND id = ?";
const FIND_DUE = `SELECT part, id, state, rule, claims FROM exchanges WHERE due_ms <= ? LIMIT ${SWEPT_AT_ONCE}`;
const CHANGE_WINDOW = `
  UPDATE windows SET held = max(0, held + ?), spent = min(${Number.MAX_SAFE_INTEGER}, max(0, spent + ?)) WHERE part = ? AND id = ?`;

export class LedgerBooks {
  readonly #statements: Statements;
  /** Exchanges whose lease ended, found by this process. */
  lapsed = 0;
  #anyFrozen = false;
  #pruneFrom: readonly [string, string] = ["", ""];
  #ratesWritten = 0;

  constructor(database: DatabaseSync) {
    this.#statements = new Statements(database);
  }

  /** To be called first in each transaction: leases that have ended lapse before anything is decided. */
  begin(nowMs: number): void {
    for (let look = 0; look < SWEEPS_MAX; look++) {
      const due = this.#sql(FIND_DUE).all(nowMs);
      for (const row of due) {
        const [part, id] = [text(row, "part"), text(row, "id")];
        if (whole(row, "state") === OPEN) this.#lapse(part, id, text(row, "rule"), parseClaims(row), nowMs);
        else this.#sql("DELETE FROM exchanges WHERE part = ? AND id = ?").run(part, id);
      }
      if (due.length < SWEPT_AT_ONCE) break;
    }
    this.#anyFrozen = this.#sql("SELECT 1 FROM frozen LIMIT 1").get() !== undefined;
  }

  enter(request: EnterRequest, nowMs: number): StepAnswer {
    const part = partitionId(request.partition);
    const exchange = this.#exchange(part, request.exchange);
    if (exchange !== undefined && exchange.state !== OPEN) return { kind: "closed" };
    const claims = exchange?.claims ?? NONE();
    const again = claims.entered;
    const nowUs = nowMs * 1_000;
    const levels: Level[] = [];
    const refusals: Refusal[] = [];
    const writes: (() => void)[] = [];
    request.scopes.forEach((scope, index) => {
      const frozen = !again && this.#isFrozen(part, scope.key);
      if (scope.kind === "rate") {
        const { costUs, toleranceUs } = rateTerms(scope);
        const row = this.#sql("SELECT tat_us FROM rates WHERE part = ? AND id = ?").get(part, scope.key);
        const storedUs = row === undefined ? 0 : whole(row, "tat_us");
        // Further ahead than a full burst: the clock went back, or the rate was raised. Nobody is locked out for that.
        const tatUs = storedUs > nowUs + toleranceUs ? nowUs + toleranceUs - costUs : storedUs;
        const nextUs = Math.max(tatUs, nowUs) + (again ? 0 : costUs);
        if (!again && (frozen || nextUs > nowUs + toleranceUs)) refusals.push(rateRefusal(index, scope, { tatUs, nowUs, frozen }));
        levels.push(rateLevel({ key: scope.key, burst: scope.burst, costUs }, nextUs, nowUs));
        writes.push(() => {
          this.#ratesWritten++;
          claims.rates.push([scope.key, nextUs, costUs]);
          this.#sql("INSERT INTO rates VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET tat_us = ?3, cost_us = ?4, burst = ?5").run(
            part,
            scope.key,
            nextUs,
            costUs,
            scope.burst,
          );
        });
      } else {
        const row = this.#sql("SELECT used FROM slots WHERE part = ? AND id = ?").get(part, scope.key);
        const used = (row === undefined ? 0 : whole(row, "used")) + (again ? 0 : 1);
        if (!again && (frozen || used > scope.limit)) refusals.push(slotRefusal(index, scope, used - 1, frozen));
        levels.push({ key: scope.key, limit: scope.limit, used, resetsAtMs: undefined });
        writes.push(() => {
          claims.slots.push(scope.key);
          this.#sql("INSERT INTO slots VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET used = ?3, lim = ?4").run(
            ...[part, scope.key, used, scope.limit],
          );
        });
      }
    });
    if (refusals.length > 0) return { kind: "refused", refusals };
    if (!again) {
      for (const write of writes) write();
      claims.entered = true;
      this.#keep(part, request.exchange, { state: OPEN, dueMs: nowMs + request.leaseMs, rule: exchange?.rule ?? "charge", claims });
    }
    return { kind: "admitted", levels };
  }

  hold(request: HoldRequest, nowMs: number): HoldAnswer {
    const part = partitionId(request.partition);
    const exchange = this.#exchange(part, request.exchange);
    if (exchange !== undefined && exchange.state !== OPEN) return { kind: "closed" };
    if (request.scopes.some(({ window }) => nowMs < window.startMs || nowMs >= window.endMs)) return { kind: "recompute", storeMs: nowMs };
    const claims = exchange?.claims ?? NONE();
    const earlier = new Map(claims.budgets.map(([id, , amount]) => [id, amount]));
    const levels: Level[] = [];
    const refusals: Refusal[] = [];
    const writes: (() => void)[] = [];
    const budgets: Claims["budgets"] = [];
    request.scopes.forEach((scope, index) => {
      const id = windowId(scope);
      const row = this.#sql(FIND_WINDOW).get(part, id);
      const held = (row === undefined ? 0 : whole(row, "held")) - (earlier.get(id) ?? 0);
      const used = addWhole(row === undefined ? 0 : whole(row, "spent"), held);
      const limit = addWhole(scope.limit, row === undefined ? 0 : whole(row, "granted"));
      const frozen = this.#isFrozen(part, scope.key);
      // A sum past 2^53 would fit by standing still. What takes nothing fits also where nothing is left.
      const fits = scope.amount === 0 || scope.amount <= limit - used;
      if (frozen || !fits) refusals.push(budgetRefusal(index, scope, { limit, used, nowMs, frozen }));
      levels.push({ key: scope.key, limit, used: addWhole(used, scope.amount), resetsAtMs: scope.window.endMs });
      budgets.push([id, scope.window.endMs, scope.amount]);
      writes.push(() => {
        earlier.delete(id);
        const next = addWhole(held, scope.amount);
        if (row === undefined)
          this.#sql("INSERT INTO windows VALUES (?, ?, ?, 0, ?, ?, 0)").run(part, id, scope.window.endMs, next, scope.limit);
        else this.#sql("UPDATE windows SET held = ?, lim = ? WHERE part = ? AND id = ?").run(next, scope.limit, part, id);
      });
    });
    if (refusals.length > 0) return { kind: "refused", refusals };
    for (const write of writes) write();
    for (const [id, amount] of earlier) this.#change(part, id, { endMs: 0, held: -amount, spent: 0 }, nowMs);
    claims.budgets = budgets;
    this.#keep(part, request.exchange, { state: OPEN, dueMs: nowMs + request.leaseMs, rule: request.onLapse, claims });
    return { kind: "admitted", levels };
  }

  settle(request: SettleRequest, nowMs: number): SettleAnswer {
    const part = partitionId(request.partition);
    const exchange = this.#exchange(part, request.exchange);
    if (exchange?.state === CLOSED) return "already";
    const changes = new Map<string, Change>();
    if (exchange !== undefined) this.#undo(part, exchange, changes);
    for (const charge of request.charges) changeOf(changes, windowId(charge), charge.window.endMs).spent += charge.amount;
    for (const [id, change] of changes) this.#change(part, id, change, nowMs);
    this.#close(part, request.exchange, nowMs);
    return "settled";
  }

  release(claimant: Claimant, nowMs: number): SettleAnswer {
    const part = partitionId(claimant.partition);
    const exchange = this.#exchange(part, claimant.exchange);
    if (exchange?.state === CLOSED) return "already";
    if (exchange !== undefined) {
      const changes = new Map<string, Change>();
      this.#undo(part, exchange, changes);
      for (const [id, change] of changes) this.#change(part, id, change, nowMs);
      for (const [key, tatUs, costUs] of exchange.claims.rates) {
        // Only what has not flowed off already: the bucket empties in the order in which it was filled.
        const back = Math.min(costUs, Math.max(0, tatUs - nowMs * 1_000));
        this.#sql("UPDATE rates SET tat_us = max(0, tat_us - ?) WHERE part = ? AND id = ?").run(back, part, key);
      }
    }
    this.#close(part, claimant.exchange, nowMs);
    return "settled";
  }

  renew(request: RenewRequest, nowMs: number): RenewAnswer {
    const part = partitionId(request.partition);
    const exchange = this.#exchange(part, request.exchange);
    if (exchange === undefined) return "unknown";
    if (exchange.state !== OPEN) return exchange.state === LAPSED ? "lapsed" : "closed";
    this.#sql("UPDATE exchanges SET due_ms = ? WHERE part = ? AND id = ?").run(nowMs + request.leaseMs, part, request.exchange);
    return "renewed";
  }

  /** Removes some of what nobody needs any more: windows long over, rates that stand at nothing. */
  prune(nowMs: number): void {
    this.#sql(
      `DELETE FROM windows WHERE (part, id) IN (SELECT part, id FROM windows WHERE end_ms <= ? ORDER BY end_ms LIMIT ${PRUNED_AT_ONCE})`,
    ).run(nowMs - LEDGER_WINDOW_KEPT_MS);
    // Rates have no index by time, which each request would pay for: they are walked through in their order instead.
    const count = Math.min(10 * PRUNED_AT_ONCE, Math.max(PRUNED_AT_ONCE, 2 * this.#ratesWritten));
    this.#ratesWritten = 0;
    const rows = this.#sql("SELECT part, id, tat_us FROM rates WHERE (part, id) > (?, ?) ORDER BY part, id LIMIT ?").all(
      ...[...this.#pruneFrom, count],
    );
    for (const row of rows)
      if (whole(row, "tat_us") <= nowMs * 1_000)
        this.#sql("DELETE FROM rates WHERE part = ? AND id = ?").run(text(row, "part"), text(row, "id"));
    const last = rows.length < count ? undefined : rows.at(-1);
    this.#pruneFrom = last === undefined ? ["", ""] : [text(last, "part"), text(last, "id")];
  }

  #lapse(part: string, id: string, rule: string, claims: Claims, nowMs: number): void {
    this.lapsed++;
    const charged = rule === "charge";
    for (const [window, endMs, amount] of claims.budgets)
      this.#change(part, window, { endMs, held: -amount, spent: charged ? amount : 0 }, nowMs);
    for (const key of claims.slots) this.#freeSlot(part, key);
    const keepMs = Math.max(nowMs, ...claims.budgets.map(([, endMs]) => endMs)) + LEDGER_WINDOW_KEPT_MS;
    const left: Claims = { ...claims, slots: [], budgets: charged ? claims.budgets : [] };
    this.#keep(part, id, { state: LAPSED, dueMs: keepMs, rule, claims: left });
  }

  /** Collects what takes an exchange's holds, or what was charged for them when they lapsed, out of the books; frees its slots. */
  #undo(part: string, { state, claims }: Exchange, changes: Map<string, Change>): void {
    for (const [id, endMs, amount] of claims.budgets) {
      const change = changeOf(changes, id, endMs);
      if (state === OPEN) change.held -= amount;
      else change.spent -= amount;
    }
    for (const key of claims.slots) this.#freeSlot(part, key);
  }

  #freeSlot(part: string, key: string): void {
    this.#sql("UPDATE slots SET used = used - 1 WHERE part = ? AND id = ?").run(part, key);
    this.#sql("DELETE FROM slots WHERE part = ? AND id = ? AND used <= 0").run(part, key);
  }

  #change(part: string, id: string, { endMs, held, spent }: Change, nowMs: number): void {
    if (held === 0 && spent === 0) return;
    const { changes } = this.#sql(CHANGE_WINDOW).run(held, spent, part, id);
    if (changes === 0 && spent > 0 && nowMs < endMs + LEDGER_WINDOW_KEPT_MS)
      this.#sql("INSERT INTO windows VALUES (?, ?, ?, ?, 0, 0, 0)").run(part, id, endMs, addWhole(0, spent));
  }

  #close(part: string, id: string, nowMs: number): void {
    this.#keep(part, id, { state: CLOSED, dueMs: nowMs + LEDGER_CLOSED_KEPT_MS, rule: "", claims: undefined });
  }

  #keep(part: string, id: string, exchange: Omit<Exchange, "claims"> & { readonly claims: Claims | undefined }): void {
    this.#sql(
      "INSERT INTO exchanges VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET state = ?3, due_ms = ?4, rule = ?5, claims = ?6",
    ).run(part, id, exchange.state, exchange.dueMs, exchange.rule, exchange.claims === undefined ? "" : JSON.stringify(exchange.claims));
  }

  #exchange(part: string, id: string): Exchange | undefined {
    const row = this.#sql("SELECT state, due_ms, rule, claims FROM exchanges WHERE part = ? AND id = ?").get(part, id);
    if (row === undefined) return undefined;
    return { state: whole(row, "state"), dueMs: whole(row, "due_ms"), rule: text(row, "rule"), claims: parseClaims(row) };
  }

  #isFrozen(part: string, key: string): boolean {
    return this.#anyFrozen && this.#sql("SELECT 1 FROM frozen WHERE part = ? AND id = ?").get(part, key) !== undefined;
  }

  #sql(sql: string): StatementSync {
    return this.#statements.of(sql);
  }
}

export const whole = (row: Row, column: string): number => Number(row[column]);
export const text = (row: Row, column: string): string => String(row[column]);

function parseClaims(row: Row): Claims {
  const claims = text(row, "claims");
  return claims === "" ? NONE() : JSON.parse(claims);
}

function changeOf(changes: Map<string, Change>, id: string, endMs: number): Change {
  const known = changes.get(id);
  if (known !== undefined) return known;
  const change = { endMs, held: 0, spent: 0 };
  changes.set(id, change);
  return change;
}
