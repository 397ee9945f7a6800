/**
 * What a process may let through by itself while the store is gone, where a use case prefers that to refusing.
 *
 * Each process has, for each window of each budget, `share` percent of the limit, rounded down, and never more than the store
 * had left when it last answered. The share does not come back when the store does, only with the next window: an outage that
 * comes and goes costs no more than one. So the worst case for a window is
 *     processes x floor(limit x share / 100) over the limit, beside the error of the estimates in flight.
 * Request rates run at `share` percent of their pace and burst, concurrency at `share` percent of its limit, both at least one:
 * worst case processes x max(1, floor(limit x share / 100)) at once.
 * What was spent goes to the ledger when the exchange ends, and from there to the store when it is back (idempotent by exchange).
 * A scope that the store last called frozen stays so. A process that dies before that takes its share's record with it.
 */
import type { Result } from "../../core/result.ts";
import type {
  BudgetScope,
  Claimant,
  EnterRequest,
  HoldAnswer,
  HoldRequest,
  LedgerError,
  LedgerPort,
  Level,
  Refusal,
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

export interface AllowanceOptions {
  /** Where spend goes in the end. */
  readonly ledger: Pick<LedgerPort, "settle">;
  /** Whole percent of each limit, 0 to 100. */
  readonly sharePercent: number;
  readonly wallMs: () => number;
}

/** Scopes remembered; past it new ones are refused until old windows are over. */
const SCOPES_MAX = 50_000;
/** The store's word on a window is remembered for so many. */
const KNOWN_MAX = 50_000;

interface Spent {
  readonly endMs: number;
  used: number;
}

/** `floor(limit x percent / 100)`, exact for whole limits up to 2^53. */
export const shareOf = (limit: number, percent: number): number => Number((BigInt(limit) * BigInt(percent)) / 100n);

export class LocalAllowance {
  readonly #options: AllowanceOptions;
  readonly #windows = new Map<string, Spent>();
  readonly #rates = new Map<string, number>();
  readonly #slots = new Map<string, number>();
  /** What the store last said was left of a window. */
  readonly #left = new Map<string, { readonly endMs: number; readonly left: number }>();
  /** Scopes that an operator had frozen when the store last answered. */
  readonly #frozen = new Set<string>();
  /** Holds of exchanges under way, and the slots they have. */
  readonly #exchanges = new Map<string, { held: Map<string, number>; slots: string[] }>();

  constructor(options: AllowanceOptions) {
    if (!Number.isInteger(options.sharePercent) || options.sharePercent < 0 || options.sharePercent > 100)
      throw new RangeError("the share is a whole percentage");
    this.#options = options;
  }

  /** Tell it what the store answered, so that a budget that was used up is not spent again while the store is gone. */
  observe(request: HoldRequest, answer: HoldAnswer): void {
    this.observeFreezes(request, answer);
    const places: readonly (readonly [number, Level])[] =
      answer.kind === "admitted"
        ? answer.levels.map((level, index) => [index, level])
        : answer.kind === "refused"
          ? answer.refusals.map((level) => [level.index, level])
          : [];
    for (const [index, { limit, used }] of places) {
      const scope = request.scopes[index];
      if (scope === undefined) continue;
      if (this.#left.size >= KNOWN_MAX) this.#forget();
      if (this.#left.size < KNOWN_MAX)
        this.#left.set(this.#key(request, windowId(scope)), { endMs: scope.window.endMs, left: Math.max(0, limit - used) });
    }
  }

  /** Tell it of both kinds of steps: what was frozen is refused while the store is gone, too. */
  observeFreezes(request: EnterRequest | HoldRequest, answer: HoldAnswer): void {
    if (answer.kind === "refused") {
      for (const { key, why } of answer.refusals)
        if (why === "frozen" && this.#frozen.size < KNOWN_MAX) this.#frozen.add(this.#key(request, key));
    } else if (answer.kind === "admitted" && this.#frozen.size > 0) {
      const still = new Set(answer.short?.flatMap(({ key, why }) => (why === "frozen" ? [key] : [])));
      for (const { key } of request.scopes) if (!still.has(key)) this.#frozen.delete(this.#key(request, key));
    }
  }

  enter(request: EnterRequest): StepAnswer {
    const nowMs = this.#options.wallMs();
    const nowUs = Math.floor(nowMs) * 1_000;
    const { sharePercent } = this.#options;
    const levels: Level[] = [];
    const refusals: Refusal[] = [];
    const writes: (() => void)[] = [];
    const exchange = this.#exchange(request);
    request.scopes.forEach((scope, index) => {
      const key = this.#key(request, scope.key);
      const frozen = this.#frozen.has(key);
      if (scope.kind === "concurrent") {
        const limit = scope.limit === 0 || sharePercent === 0 ? 0 : Math.max(1, shareOf(scope.limit, sharePercent));
        const used = (this.#slots.get(key) ?? 0) + 1;
        if (frozen || used > limit || this.#full(this.#slots, key))
          refusals.push(slotRefusal(index, { key: scope.key, limit }, used - 1, frozen));
        levels.push({ key: scope.key, limit, used, resetsAtMs: undefined });
        writes.push(() => {
          this.#slots.set(key, used);
          exchange.slots.push(key);
        });
        return;
      }
      const slow = {
        ...scope,
        windowMs: sharePercent === 0 ? scope.windowMs : (scope.windowMs * 100) / sharePercent,
        burst: Math.max(1, shareOf(scope.burst, sharePercent)),
      };
      const { costUs, toleranceUs } = rateTerms(slow);
      const stored = this.#rates.get(key) ?? 0;
      const tatUs = stored > nowUs + toleranceUs ? nowUs + toleranceUs - costUs : stored;
      const nextUs = Math.max(tatUs, nowUs) + costUs;
      if (frozen || sharePercent === 0 || nextUs > nowUs + toleranceUs || this.#full(this.#rates, key))
        refusals.push(rateRefusal(index, slow, { tatUs, nowUs, frozen }));
      levels.push(rateLevel({ key: scope.key, burst: slow.burst, costUs }, nextUs, nowUs));
      writes.push(() => this.#rates.set(key, nextUs));
    });
    if (refusals.length > 0) return { kind: "refused", refusals };
    for (const write of writes) write();
    this.#exchanges.set(this.#key(request, request.exchange), exchange);
    return { kind: "admitted", levels };
  }

  /** By the process's clock: a window that has ended or not begun is to be computed anew. */
  hold(request: HoldRequest): HoldAnswer {
    const nowMs = this.#options.wallMs();
    if (request.scopes.some(({ window }) => nowMs < window.startMs || nowMs >= window.endMs)) return { kind: "recompute", storeMs: nowMs };
    const exchange = this.#exchange(request);
    const levels: Level[] = [];
    const short: Refusal[] = [];
    let refused = false;
    const held = new Map<string, number>();
    request.scopes.forEach((scope, index) => {
      const key = this.#key(request, windowId(scope));
      const limit = this.#room(key, scope);
      const used = (this.#windows.get(key)?.used ?? 0) - (exchange.held.get(key) ?? 0);
      const frozen = this.#frozen.has(this.#key(request, scope.key));
      if (frozen || (scope.amount > 0 && scope.amount > limit - used) || this.#full(this.#windows, key)) {
        short.push(budgetRefusal(index, scope, { limit, used, nowMs, frozen }));
        refused ||= scope.soft !== true;
      }
      levels.push({ key: scope.key, limit, used: used + scope.amount, resetsAtMs: scope.window.endMs });
      held.set(key, scope.amount);
    });
    if (refused) return { kind: "refused", refusals: short };
    for (const [key, amount] of exchange.held) this.#add(key, -amount, 0);
    for (const scope of request.scopes) this.#add(this.#key(request, windowId(scope)), scope.amount, scope.window.endMs);
    exchange.held = held;
    this.#exchanges.set(this.#key(request, request.exchange), exchange);
    return short.length === 0 ? { kind: "admitted", levels } : { kind: "admitted", levels, short };
  }

  /** Did this exchange pass here? Then it is settled, or released, here. */
  has(claimant: Claimant): boolean {
    return this.#exchanges.size > 0 && this.#exchanges.has(this.#key(claimant, claimant.exchange));
  }

  /** What it took, here and, as soon as may be, in the store. */
  async settle(request: SettleRequest): Promise<Result<SettleAnswer, LedgerError>> {
    const mine = this.#end(request);
    if (mine) for (const charge of request.charges) this.#add(this.#key(request, windowId(charge)), charge.amount, charge.window.endMs);
    // Another id: the hold that failed in the store is released there under the exchange's own, which closes that one.
    return this.#options.ledger.settle({ ...request, exchange: localId(request.exchange) });
  }

  release(claimant: Claimant): void {
    this.#end(claimant);
  }

  #end(claimant: Claimant): boolean {
    const key = this.#key(claimant, claimant.exchange);
    const exchange = this.#exchanges.get(key);
    if (exchange === undefined) return false;
    this.#exchanges.delete(key);
    for (const [window, amount] of exchange.held) this.#add(window, -amount, 0);
    for (const slot of exchange.slots) {
      const left = (this.#slots.get(slot) ?? 1) - 1;
      if (left > 0) this.#slots.set(slot, left);
      else this.#slots.delete(slot);
    }
    return true;
  }

  #exchange(claimant: Claimant): { held: Map<string, number>; slots: string[] } {
    return this.#exchanges.get(this.#key(claimant, claimant.exchange)) ?? { held: new Map(), slots: [] };
  }

  #room(key: string, scope: BudgetScope): number {
    const share = shareOf(scope.limit, this.#options.sharePercent);
    const known = this.#left.get(key);
    return known === undefined ? share : Math.min(share, known.left);
  }

  #add(key: string, amount: number, endMs: number): void {
    const known = this.#windows.get(key);
    if (known !== undefined) known.used = addWhole(known.used, amount);
    else if (amount > 0) this.#windows.set(key, { endMs, used: amount });
  }

  /** Is there no room for one more key? What is over is thrown out first. */
  #full(map: ReadonlyMap<string, unknown>, key: string): boolean {
    if (map.size < SCOPES_MAX || map.has(key)) return false;
    this.#forget();
    return map.size >= SCOPES_MAX;
  }
  #forget(): void {
    const nowMs = this.#options.wallMs();
    for (const [key, { endMs }] of this.#windows) if (endMs <= nowMs) this.#windows.delete(key);
    for (const [key, { endMs }] of this.#left) if (endMs <= nowMs) this.#left.delete(key);
    for (const [key, tatUs] of this.#rates) if (tatUs <= nowMs * 1_000) this.#rates.delete(key);
  }

  #key({ partition }: Pick<Claimant, "partition">, name: string): string {
    return `${partitionId(partition)} ${name}`;
  }
}

/** The id under which a locally admitted exchange is settled in the store. */
export const localId = (exchange: string): string => `${exchange}~`;
