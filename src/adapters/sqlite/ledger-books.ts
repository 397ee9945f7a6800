/**
 * The books of the embedded ledger: what each step does to the rows, inside a transaction that ledger.ts has begun. Each step
 * first looks at all its scopes, then changes them; one that refuses changes nothing. Rows are found by primary key, so a step
 * costs the same however many scopes are stored.
 */
import type { DatabaseSync } from "node:sqlite";
import { LEDGER_CLOSED_KEPT_MS, LEDGER_WINDOW_KEPT_MS } from "../../core/limits.ts";
import type {
  Charge,
  Claimant,
  EnterRequest,
  EnterScope,
  HoldAnswer,
  HoldRequest,
  Level,
  RateScope,
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
import { LedgerPrune } from "./ledger-prune.ts";
import { LedgerRows } from "./ledger-rows.ts";
import { CLOSED, type Claims, type ExchangeRow, LAPSED, OPEN, type RateRow, type SlotRow } from "./ledger-tables.ts";

/** Rows that one look takes; a turn takes several looks. */
const SWEPT_AT_ONCE = 100;
const SWEEPS_MAX = 10;

/** A scope that is entered, and what its row becomes if all have room. */
type Entering =
  | { readonly kind: "rate"; readonly scope: RateScope; readonly row: RateRow; readonly nextUs: number; readonly costUs: number }
  | { readonly kind: "slot"; readonly row: SlotRow; readonly used: number; readonly limit: number };

export class LedgerBooks {
  readonly #rows: LedgerRows;
  readonly #prune: LedgerPrune;
  #steps = 0;
  /** Exchanges whose lease ended, found by this process. */
  lapsed = 0;

  constructor(database: DatabaseSync) {
    this.#rows = new LedgerRows(database);
    this.#prune = new LedgerPrune(database);
  }

  /** To be called first in each transaction. */
  begin(nowMs: number): void {
    this.#rows.refresh();
    this.lapse(nowMs);
  }
  /** To be called when time has gone on in a transaction: leases that have ended lapse before anything is decided. */
  lapse(nowMs: number): void {
    if (nowMs < this.#rows.firstDueMs()) return;
    for (let look = 0; look < SWEEPS_MAX; look++) {
      const due = this.#rows.due(nowMs, SWEPT_AT_ONCE);
      for (const row of due) this.#lapse(row, nowMs);
      if (due.length < SWEPT_AT_ONCE) break;
    }
    this.#rows.fold();
    this.#rows.lookAgainForDue();
  }
  /** To be called last in each transaction. */
  write(): void {
    this.#rows.write();
  }
  /** To be called before others read the tables in a transaction. */
  fold(): void {
    this.#rows.fold();
  }
  /** To be called when others have written the tables. */
  mark(): void {
    this.#rows.mark();
  }
  /** To be called when a transaction was rolled back. */
  forget(): void {
    this.#rows.forget();
  }

  enter(request: EnterRequest, nowMs: number): StepAnswer {
    const part = partitionId(request.partition);
    const exchange = request.fresh ? this.#rows.freshExchange(part, request.exchange) : this.#rows.exchange(part, request.exchange);
    if (exchange.state !== OPEN) return { kind: "closed" };
    const { claims } = exchange;
    const again = claims.entered;
    const levels: Level[] = [];
    const refusals: Refusal[] = [];
    const entering = request.scopes.map((scope, index) => {
      const frozen = !again && this.#rows.isFrozen(part, scope.key);
      return this.#look(part, scope, { index, nowMs, again, frozen, levels, refusals });
    });
    if (refusals.length > 0) return { kind: "refused", refusals };
    if (again) return { kind: "admitted", levels };
    for (const each of entering) this.#enterOne(each, claims);
    claims.entered = true;
    this.#open(exchange, { dueMs: nowMs + request.leaseMs, rule: exchange.there ? exchange.rule : "charge" });
    return { kind: "admitted", levels };
  }

  #look(
    part: string,
    scope: EnterScope,
    at: {
      readonly index: number;
      readonly nowMs: number;
      readonly again: boolean;
      readonly frozen: boolean;
      readonly levels: Level[];
      readonly refusals: Refusal[];
    },
  ): Entering {
    const { index, again, frozen } = at;
    if (scope.kind === "concurrent") {
      const row = this.#rows.slot(part, scope.key);
      const used = row.used + (again ? 0 : 1);
      if (!again && (frozen || used > scope.limit)) at.refusals.push(slotRefusal(index, scope, used - 1, frozen));
      at.levels.push({ key: scope.key, limit: scope.limit, used, resetsAtMs: undefined });
      return { kind: "slot", row, used, limit: scope.limit };
    }
    const nowUs = at.nowMs * 1_000;
    const { costUs, toleranceUs } = rateTerms(scope);
    const row = this.#rows.rate(part, scope.key);
    // Further ahead than a full burst: the clock went back, or the rate was raised. Nobody is locked out for that.
    const tatUs = row.tatUs > nowUs + toleranceUs ? nowUs + toleranceUs - costUs : row.tatUs;
    const nextUs = Math.max(tatUs, nowUs) + (again ? 0 : costUs);
    if (!again && (frozen || nextUs > nowUs + toleranceUs)) at.refusals.push(rateRefusal(index, scope, { tatUs, nowUs, frozen }));
    at.levels.push(rateLevel({ key: scope.key, burst: scope.burst, costUs }, nextUs, nowUs));
    return { kind: "rate", scope, row, nextUs, costUs };
  }

  #enterOne(each: Entering, claims: Claims): void {
    const { row } = each;
    if (each.kind === "slot") {
      each.row.used = each.used;
      each.row.limit = each.limit;
      claims.slots.push(row.id);
      this.#rows.changeSlot(each.row);
      return;
    }
    each.row.tatUs = each.nextUs;
    each.row.costUs = each.costUs;
    each.row.burst = each.scope.burst;
    claims.rates.push([row.id, each.nextUs, each.costUs]);
    this.#rows.changeRate(each.row);
  }

  hold(request: HoldRequest, nowMs: number): HoldAnswer {
    const part = partitionId(request.partition);
    const exchange = this.#rows.exchange(part, request.exchange);
    if (exchange.state !== OPEN) return { kind: "closed" };
    for (const { window } of request.scopes)
      if (nowMs < window.startMs || nowMs >= window.endMs) return { kind: "recompute", storeMs: nowMs };
    const { claims } = exchange;
    const levels: Level[] = [];
    const short: Refusal[] = [];
    let refused = false;
    const holding = request.scopes.map((scope, index) => {
      const row = this.#rows.window(part, windowId(scope));
      const held = row.held - heldOf(claims, row.id);
      const used = addWhole(row.spent, held);
      const limit = addWhole(scope.limit, row.granted);
      const frozen = this.#rows.isFrozen(part, scope.key);
      // A sum past 2^53 would fit by standing still. What takes nothing fits also where nothing is left.
      const fits = scope.amount === 0 || scope.amount <= limit - used;
      if (frozen || !fits) {
        short.push(budgetRefusal(index, scope, { limit, used, nowMs, frozen }));
        refused ||= scope.soft !== true;
      }
      levels.push({ key: scope.key, limit, used: addWhole(used, scope.amount), resetsAtMs: scope.window.endMs });
      return { row, scope, held: addWhole(held, scope.amount) };
    });
    if (refused) return { kind: "refused", refusals: short };
    const budgets: Claims["budgets"] = [];
    for (const { row, scope, held } of holding) {
      row.held = held;
      row.limit = scope.limit;
      row.endMs = scope.window.endMs;
      this.#rows.changeWindow(row);
      budgets.push([row.id, row.endMs, scope.amount]);
    }
    for (const [id, , amount] of claims.budgets)
      if (!budgets.some(([other]) => other === id)) this.#change(part, id, { endMs: 0, held: -amount, spent: 0 }, nowMs);
    claims.budgets = budgets;
    this.#open(exchange, { dueMs: nowMs + request.leaseMs, rule: request.onLapse });
    return short.length === 0 ? { kind: "admitted", levels } : { kind: "admitted", levels, short };
  }

  settle(request: SettleRequest, nowMs: number): SettleAnswer {
    return this.#end(request, request.charges, nowMs);
  }

  release(claimant: Claimant, nowMs: number): SettleAnswer {
    const part = partitionId(claimant.partition);
    const { rates } = this.#rows.exchange(part, claimant.exchange).claims;
    const answer = this.#end(claimant, [], nowMs);
    if (answer !== "settled") return answer;
    for (const [key, tatUs, costUs] of rates) {
      // Only what has not flowed off already: the bucket empties in the order in which it was filled.
      const back = Math.min(costUs, Math.max(0, tatUs - nowMs * 1_000));
      const row = this.#rows.rate(part, key);
      if (!row.there) continue;
      row.tatUs = Math.max(0, row.tatUs - back);
      this.#rows.changeRate(row);
    }
    return answer;
  }

  /** What it took, in place of what it held, or of what it was charged when it lapsed. */
  #end(claimant: Claimant, charges: readonly Charge[], nowMs: number): SettleAnswer {
    const part = partitionId(claimant.partition);
    const exchange = this.#rows.exchange(part, claimant.exchange);
    const { state, claims } = exchange;
    if (state === CLOSED) return "already";
    const charged = state === LAPSED ? new Map(claims.budgets.map(([id, endMs, amount]) => [id, { endMs, amount }])) : NOTHING;
    if (state === OPEN) for (const [id, endMs, amount] of claims.budgets) this.#change(part, id, { endMs, held: -amount, spent: 0 }, nowMs);
    for (const charge of charges) {
      const id = windowId(charge);
      const before = charged.get(id)?.amount ?? 0;
      charged.delete(id);
      this.#change(part, id, { endMs: charge.window.endMs, held: 0, spent: charge.amount - before }, nowMs);
    }
    for (const [id, { endMs, amount }] of charged) this.#change(part, id, { endMs, held: 0, spent: -amount }, nowMs);
    for (const key of claims.slots) this.#freeSlot(part, key);
    exchange.state = CLOSED;
    exchange.dueMs = nowMs + LEDGER_CLOSED_KEPT_MS;
    this.#rows.changeExchange(exchange);
    return "settled";
  }

  renew(request: RenewRequest, nowMs: number): RenewAnswer {
    const exchange = this.#rows.exchange(partitionId(request.partition), request.exchange);
    if (exchange.state !== OPEN) return exchange.state === LAPSED ? "lapsed" : "closed";
    if (!exchange.there) return "unknown";
    this.#open(exchange, { dueMs: nowMs + request.leaseMs, rule: exchange.rule });
    return "renewed";
  }

  /** Removes some of what nobody needs any more. */
  prune(nowMs: number): void {
    this.fold();
    if (this.#prune.round(nowMs, this.#steps) > 0) this.mark();
    this.#steps = 0;
  }

  #lapse(exchange: ExchangeRow, nowMs: number): void {
    this.lapsed++;
    const { part, claims } = exchange;
    const charged = exchange.rule === "charge";
    for (const [window, endMs, amount] of claims.budgets)
      this.#change(part, window, { endMs, held: -amount, spent: charged ? amount : 0 }, nowMs);
    for (const key of claims.slots) this.#freeSlot(part, key);
    exchange.state = LAPSED;
    exchange.dueMs = Math.max(nowMs, ...claims.budgets.map(([, endMs]) => endMs)) + LEDGER_WINDOW_KEPT_MS;
    exchange.claims = { ...claims, slots: [], budgets: charged ? claims.budgets : [] };
    this.#rows.changeExchange(exchange);
  }

  #open(exchange: ExchangeRow, { dueMs, rule }: { readonly dueMs: number; readonly rule: string }): void {
    this.#steps++;
    exchange.dueMs = dueMs;
    exchange.rule = rule;
    this.#rows.changeExchange(exchange);
  }

  #freeSlot(part: string, key: string): void {
    const row = this.#rows.slot(part, key);
    row.used = Math.max(0, row.used - 1);
    this.#rows.changeSlot(row);
  }

  #change(
    part: string,
    id: string,
    { endMs, held, spent }: { readonly endMs: number; readonly held: number; readonly spent: number },
    nowMs: number,
  ): void {
    if (held === 0 && spent === 0) return;
    const row = this.#rows.window(part, id);
    if (!row.there) {
      if (spent <= 0 || nowMs >= endMs + LEDGER_WINDOW_KEPT_MS) return;
      row.endMs = endMs;
    }
    row.held = Math.max(0, row.held + held);
    row.spent = addWhole(row.spent, spent);
    this.#rows.changeWindow(row);
  }
}

const NOTHING: Map<string, { readonly endMs: number; readonly amount: number }> = new Map();

/** What the exchange itself holds of a window. */
function heldOf({ budgets }: Claims, id: string): number {
  for (const [other, , amount] of budgets) if (other === id) return amount;
  return 0;
}
