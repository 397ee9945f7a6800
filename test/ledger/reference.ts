/**
 * What a ledger must answer, in the plainest way: a list of exchanges, and sums over it. Slow, in memory, one partition at a time.
 * It shares nothing with the stores but the words of the port.
 */
import type { Charge, EnterScope, HoldRequest, StepAnswer } from "../../src/ports/ledger.ts";

interface Entry {
  state: "open" | "lapsed" | "closed";
  leaseEndsMs: number;
  rule: "charge" | "release";
  entered: boolean;
  slots: string[];
  rates: { readonly key: string; readonly tat: number; readonly cost: number }[];
  /** Window name, amount. */
  held: Map<string, number>;
}
interface Spend {
  readonly window: string;
  readonly exchange: string;
  amount: number;
}
export interface Seen {
  readonly kind: string;
  /** Used, of each scope (admitted), or of each that refused, with its place. */
  readonly used: readonly (readonly [index: number, used: number, limit: number])[];
  /** Soft scopes that had no room, where there are any. */
  readonly short?: readonly (readonly [index: number, used: number, limit: number])[];
}

export class ReferenceLedger {
  readonly entries = new Map<string, Entry>();
  readonly spends: Spend[] = [];
  /** Bucket levels in microseconds: when each rate stands at nothing. */
  readonly tats = new Map<string, number>();

  /** The clock has moved. */
  lapse(nowMs: number): void {
    for (const [exchange, entry] of this.entries) {
      if (entry.state !== "open" || entry.leaseEndsMs > nowMs) continue;
      entry.state = "lapsed";
      if (entry.rule === "charge") for (const [window, amount] of entry.held) this.spends.push({ window, exchange, amount });
      entry.held.clear();
      entry.slots = [];
    }
  }

  spent(window: string): number {
    return this.spends.reduce((sum, spend) => sum + (spend.window === window ? spend.amount : 0), 0);
  }
  held(window: string, except?: string): number {
    let sum = 0;
    for (const [exchange, { held }] of this.entries) if (exchange !== except) sum += held.get(window) ?? 0;
    return sum;
  }
  #slots(key: string): number {
    return [...this.entries.values()].reduce((sum, { slots }) => sum + (slots.includes(key) ? 1 : 0), 0);
  }
  #entry(exchange: string): Entry {
    const known = this.entries.get(exchange);
    if (known !== undefined) return known;
    const made: Entry = { state: "open", leaseEndsMs: 0, rule: "charge", entered: false, slots: [], rates: [], held: new Map() };
    this.entries.set(exchange, made);
    return made;
  }

  enter(exchange: string, scopes: readonly EnterScope[], { nowMs, leaseMs }: { readonly nowMs: number; readonly leaseMs: number }): Seen {
    this.lapse(nowMs);
    const entry = this.entries.get(exchange);
    if (entry !== undefined && entry.state !== "open") return { kind: "closed", used: [] };
    const fresh = entry?.entered !== true;
    const nowUs = nowMs * 1_000;
    const figures = scopes.map((scope, index) => {
      if (scope.kind === "concurrent") {
        const stands = this.#slots(scope.key);
        return {
          index,
          scope,
          fits: stands + 1 <= scope.limit,
          before: stands,
          after: stands + (fresh ? 1 : 0),
          limit: scope.limit,
          tat: 0,
          cost: 0,
        };
      }
      const cost = Math.ceil((scope.windowMs * 1_000) / scope.requests);
      const most = nowUs + cost * scope.burst;
      const stored = this.tats.get(scope.key) ?? 0;
      const stands = stored > most ? most - cost : stored;
      const tat = Math.max(stands, nowUs) + (fresh ? cost : 0);
      const level = (at: number): number => Math.ceil(Math.max(0, at - nowUs) / cost);
      return { index, scope, fits: tat <= most, before: level(stands), after: level(tat), limit: scope.burst, tat, cost };
    });
    const refusing = figures.filter(({ fits }) => fresh && !fits);
    if (refusing.length > 0) return { kind: "refused", used: refusing.map(({ index, before, limit }) => [index, before, limit]) };
    if (fresh) {
      const mine = this.#entry(exchange);
      mine.entered = true;
      mine.leaseEndsMs = nowMs + leaseMs;
      for (const { scope, tat, cost } of figures)
        if (scope.kind === "concurrent") mine.slots.push(scope.key);
        else {
          this.tats.set(scope.key, tat);
          mine.rates.push({ key: scope.key, tat, cost });
        }
    }
    return { kind: "admitted", used: figures.map(({ index, after, limit }) => [index, after, limit]) };
  }

  hold(request: HoldRequest, nameOf: (scope: Charge) => string, nowMs: number): Seen {
    this.lapse(nowMs);
    const entry = this.entries.get(request.exchange);
    if (entry !== undefined && entry.state !== "open") return { kind: "closed", used: [] };
    if (request.scopes.some(({ window }) => nowMs < window.startMs || nowMs >= window.endMs)) return { kind: "recompute", used: [] };
    const figures = request.scopes.map((scope, index) => {
      const used = this.spent(nameOf(scope)) + this.held(nameOf(scope), request.exchange);
      return { index, scope, used, fits: scope.amount === 0 || used + scope.amount <= scope.limit };
    });
    const short = figures.filter(({ fits }) => !fits);
    const named = short.map(({ index, used, scope }) => [index, used, scope.limit] as const);
    if (short.some(({ scope }) => scope.soft !== true)) return { kind: "refused", used: named };
    const mine = this.#entry(request.exchange);
    mine.leaseEndsMs = nowMs + request.leaseMs;
    mine.rule = request.onLapse;
    mine.held = new Map(request.scopes.map((scope) => [nameOf(scope), scope.amount]));
    const after = figures.map(({ index, used, scope }) => [index, used + scope.amount, scope.limit] as const);
    return { kind: "admitted", used: after, ...(named.length === 0 ? {} : { short: named }) };
  }

  /** What is left of its share in each bucket flows back. */
  release(exchange: string, nowMs: number): "already" | "settled" {
    this.lapse(nowMs);
    const entry = this.entries.get(exchange);
    if (entry?.state !== "closed")
      for (const { key, tat, cost } of entry?.rates ?? [])
        this.tats.set(key, (this.tats.get(key) ?? 0) - Math.min(cost, Math.max(0, tat - nowMs * 1_000)));
    return this.end(exchange, [], nowMs);
  }

  /** What an exchange took. */
  end(exchange: string, charges: readonly { readonly window: string; readonly amount: number }[], nowMs: number): "already" | "settled" {
    this.lapse(nowMs);
    const entry = this.#entry(exchange);
    if (entry.state === "closed") return "already";
    for (const spend of this.spends) if (spend.exchange === exchange) spend.amount = 0;
    for (const { window, amount } of charges) this.spends.push({ window, exchange, amount });
    entry.state = "closed";
    entry.held.clear();
    entry.slots = [];
    return "settled";
  }

  renew(exchange: string, { nowMs, leaseMs }: { readonly nowMs: number; readonly leaseMs: number }): string {
    this.lapse(nowMs);
    const entry = this.entries.get(exchange);
    if (entry === undefined) return "unknown";
    if (entry.state === "open") entry.leaseEndsMs = nowMs + leaseMs;
    return entry.state === "open" ? "renewed" : entry.state;
  }
}

/** A store's answer in the reference's words. */
export function seen(answer: StepAnswer | { readonly kind: "recompute" }): Seen {
  if (answer.kind === "admitted") {
    const used = answer.levels.map((level, index) => [index, level.used, level.limit] as const);
    const short = answer.short?.map(({ index, used: before, limit }) => [index, before, limit] as const);
    return { kind: answer.kind, used, ...(short === undefined ? {} : { short }) };
  }
  if (answer.kind === "refused") return { kind: answer.kind, used: answer.refusals.map(({ index, used, limit }) => [index, used, limit]) };
  return { kind: answer.kind, used: [] };
}
