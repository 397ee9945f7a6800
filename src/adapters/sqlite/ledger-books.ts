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
  ConcurrentScope,
  EnterRequest,
  HoldAnswer,
  HoldRequest,
  Level,
  Partition,
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
import { CLOSED, type Claims, type ExchangeRow, LAPSED, OPEN, type RateRow, type SlotRow, type WindowRow } from "./ledger-tables.ts";

/** Rows that one look takes; a turn takes several looks. */
const SWEPT_AT_ONCE = 100;
const SWEEPS_MAX = 10;

/** A scope that is entered, and what its row becomes if all have room. */
type Entering =
  | { readonly kind: "rate"; readonly scope: RateScope; readonly row: RateRow; readonly nextUs: number; readonly costUs: number }
  | { readonly kind: "slot"; readonly row: SlotRow; readonly used: number; readonly limit: number };

/** What a look at one scope goes by, and where it says what it saw. */
interface Look {
  /** Place of the scope. */
  readonly index: number;
  readonly nowMs: number;
  /** The exchange has entered before: nothing more is taken. */
  readonly again: boolean;
  readonly frozen: boolean;
  readonly levels: Level[];
  readonly refusals: Refusal[];
}

export class LedgerBooks {
  readonly #rows: LedgerRows;
  readonly #prune: LedgerPrune;
  #steps = 0;
  #last: { readonly kind: Partition["kind"]; readonly name: string; readonly id: string } | undefined;
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
    const part = this.#part(request.partition);
    const exchange = request.fresh ? this.#rows.freshExchange(part, request.exchange) : this.#rows.exchange(part, request.exchange);
    if (exchange.state !== OPEN) return { kind: "closed" };
    const { claims } = exchange;
    const again = claims.entered;
    const levels: Level[] = [];
    const refusals: Refusal[] = [];
    const entering: Entering[] = [];
    for (const scope of request.scopes) {
      const frozen = !again && this.#rows.isFrozen(part, scope.key);
      const index = entering.length;
      entering.push(
        scope.kind === "concurrent"
          ? this.#lookAtSlot(part, scope, { index, nowMs, again, frozen, levels, refusals })
          : this.#lookAtRate(part, scope, { index, nowMs, again, frozen, levels, refusals }),
      );
    }
    if (refusals.length > 0) return { kind: "refused", refusals };
    if (again) return { kind: "admitted", levels };
    for (const each of entering) this.#enterOne(each, claims);
    claims.entered = true;
    this.#open(exchange, nowMs + request.leaseMs, exchange.there ? exchange.rule : "charge");
    return { kind: "admitted", levels };
  }

  #lookAtSlot(part: string, scope: ConcurrentScope, { index, again, frozen, levels, refusals }: Look): Entering {
    const row = this.#rows.slot(part, scope.key);
    const used = row.used + (again ? 0 : 1);
    if (!again && (frozen || used > scope.limit)) refusals.push(slotRefusal(index, scope, used - 1, frozen));
    levels.push({ key: scope.key, limit: scope.limit, used, resetsAtMs: undefined });
    return { kind: "slot", row, used, limit: scope.limit };
  }

  #lookAtRate(part: string, scope: RateScope, { index, nowMs, again, frozen, levels, refusals }: Look): Entering {
    const nowUs = nowMs * 1_000;
    const { costUs, toleranceUs } = rateTerms(scope);
    const row = this.#rows.rate(part, scope.key);
    // Further ahead than a full burst: the clock went back, or the rate was raised. Nobody is locked out for that.
    const tatUs = row.tatUs > nowUs + toleranceUs ? nowUs + toleranceUs - costUs : row.tatUs;
    const nextUs = Math.max(tatUs, nowUs) + (again ? 0 : costUs);
    if (!again && (frozen || nextUs > nowUs + toleranceUs)) refusals.push(rateRefusal(index, scope, { tatUs, nowUs, frozen }));
    levels.push(rateLevel({ key: scope.key, burst: scope.burst, costUs }, nextUs, nowUs));
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
    const part = this.#part(request.partition);
    const exchange = this.#rows.exchange(part, request.exchange);
    if (exchange.state !== OPEN) return { kind: "closed" };
    const { scopes } = request;
    for (const { window } of scopes) if (nowMs < window.startMs || nowMs >= window.endMs) return { kind: "recompute", storeMs: nowMs };
    const { claims } = exchange;
    const levels: Level[] = [];
    let short: Refusal[] | undefined;
    let refused = false;
    const rows: WindowRow[] = [];
    for (const scope of scopes) {
      const row = this.#rows.window(part, windowId(scope));
      const used = addWhole(row.spent, row.held - heldOf(claims, row.id));
      const limit = addWhole(scope.limit, row.granted);
      const frozen = this.#rows.isFrozen(part, scope.key);
      // A sum past 2^53 would fit by standing still. What takes nothing fits also where nothing is left.
      const fits = scope.amount === 0 || scope.amount <= limit - used;
      if (frozen || !fits) {
        short ??= [];
        short.push(budgetRefusal(rows.length, scope, { limit, used, nowMs, frozen }));
        refused ||= scope.soft !== true;
      }
      levels.push({ key: scope.key, limit, used: addWhole(used, scope.amount), resetsAtMs: scope.window.endMs });
      rows.push(row);
    }
    if (refused) return { kind: "refused", refusals: short ?? [] };
    this.#replaceHolds(exchange, request, rows, nowMs);
    this.#open(exchange, nowMs + request.leaseMs, request.onLapse);
    return short === undefined ? { kind: "admitted", levels } : { kind: "admitted", levels, short };
  }

  /** `rows` are the windows of the request's scopes. */
  #replaceHolds(exchange: ExchangeRow, { scopes }: HoldRequest, rows: readonly WindowRow[], nowMs: number): void {
    const { part, claims } = exchange;
    const budgets: Claims["budgets"] = [];
    for (const row of rows) {
      const scope = scopes[budgets.length];
      if (scope === undefined) break;
      row.held = addWhole(row.held - heldOf(claims, row.id), scope.amount);
      row.limit = scope.limit;
      row.endMs = scope.window.endMs;
      this.#rows.changeWindow(row);
      budgets.push([row.id, row.endMs, scope.amount]);
    }
    const before = claims.budgets;
    claims.budgets = budgets;
    for (const [id, , amount] of before) if (!hasClaim(claims, id)) this.#change(part, id, { endMs: 0, held: -amount, spent: 0 }, nowMs);
  }

  settle(request: SettleRequest, nowMs: number): SettleAnswer {
    return this.#end(request, request.charges, nowMs);
  }

  release(claimant: Claimant, nowMs: number): SettleAnswer {
    const part = this.#part(claimant.partition);
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
  #end({ partition, exchange: id }: Claimant, charges: readonly Charge[], nowMs: number): SettleAnswer {
    const part = this.#part(partition);
    const exchange = this.#rows.exchange(part, id);
    const { state, claims } = exchange;
    if (state === CLOSED) return "already";
    const isOpen = state === OPEN;
    for (const claim of claims.budgets) {
      const amount = claim[2];
      const charged = chargedFor(charges, claim[0]);
      this.#change(part, claim[0], { endMs: claim[1], held: isOpen ? -amount : 0, spent: isOpen ? charged : charged - amount }, nowMs);
    }
    for (const charge of charges) {
      const window = windowId(charge);
      if (!hasClaim(claims, window)) this.#change(part, window, { endMs: charge.window.endMs, held: 0, spent: charge.amount }, nowMs);
    }
    for (const key of claims.slots) this.#freeSlot(part, key);
    exchange.state = CLOSED;
    exchange.dueMs = nowMs + LEDGER_CLOSED_KEPT_MS;
    this.#rows.changeExchange(exchange);
    return "settled";
  }

  renew(request: RenewRequest, nowMs: number): RenewAnswer {
    const exchange = this.#rows.exchange(this.#part(request.partition), request.exchange);
    if (exchange.state !== OPEN) return exchange.state === LAPSED ? "lapsed" : "closed";
    if (!exchange.there) return "unknown";
    this.#open(exchange, nowMs + request.leaseMs, exchange.rule);
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

  #open(exchange: ExchangeRow, dueMs: number, rule: string): void {
    this.#steps++;
    exchange.dueMs = dueMs;
    exchange.rule = rule;
    this.#rows.changeExchange(exchange);
  }

  /** The partition's id: mostly that of the step before. */
  #part(partition: Partition): string {
    const { kind, name } = partition;
    if (this.#last?.kind !== kind || this.#last.name !== name) this.#last = { kind, name, id: partitionId(partition) };
    return this.#last.id;
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

/** What the exchange itself holds of a window. */
function heldOf({ budgets }: Claims, id: string): number {
  for (const claim of budgets) if (claim[0] === id) return claim[2];
  return 0;
}
function hasClaim({ budgets }: Claims, id: string): boolean {
  for (const claim of budgets) if (claim[0] === id) return true;
  return false;
}
function chargedFor(charges: readonly Charge[], id: string): number {
  for (const charge of charges) if (windowId(charge) === id) return charge.amount;
  return 0;
}
