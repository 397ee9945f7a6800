/** What every store of the ledger does alike: checks of what is asked, names of windows, and the arithmetic of GCRA. */
import { LEDGER_KEY_CHARS_MAX, LEDGER_LEASE_MS_MAX, LEDGER_PAGE_MAX, LEDGER_QUEUED_MAX, LEDGER_SCOPES_MAX } from "../core/limits.ts";
import { memoized } from "../core/memo.ts";
import type { TimeWindow } from "../core/windows.ts";
import type {
  BudgetScope,
  Claimant,
  EnterRequest,
  EnterScope,
  HoldRequest,
  LedgerUnit,
  Level,
  Partition,
  RateScope,
  Refusal,
  RenewRequest,
  SettleRequest,
  WindowRef,
} from "./ledger.ts";

/** Where waiting for a slot has no known end: ask again after a second. */
const SLOT_RETRY_MS = 1_000;

/** `t:acme`: no two partitions share it, and it holds no braces. */
export const partitionId = ({ kind, name }: Partition): string => `${kind === "tenant" ? "t" : "a"}:${encodeURIComponent(name)}`;

/** `1700000000000-1700000060000t:key`. */
export const windowId = ({ id, key, unit, window }: WindowRef): string => id ?? `${spanOf(window)}${unit === "tokens" ? "t" : "u"}:${key}`;

/** Written once for each window: a calendar gives the same one as long as it lasts. */
const spanOf = memoized(({ startMs, endMs }: TimeWindow): string => `${startMs}-${endMs}`);

export function parseWindowId(id: string): WindowRef | undefined {
  const [, start, end, letter, key] = /^(\d+)-(\d+)([tu]):([\s\S]*)$/.exec(id) ?? [];
  if (start === undefined || end === undefined || key === undefined) return undefined;
  const unit: LedgerUnit = letter === "t" ? "tokens" : "nanoUsd";
  return { key, unit, window: { startMs: Number(start), endMs: Number(end) } };
}

/** A sum that stops at 0 and 2^53 - 1. */
export const addWhole = (a: number, b: number): number => Math.max(0, Math.min(Number.MAX_SAFE_INTEGER, a + b));

/** A request's share of a rate, and how far ahead of the clock the theoretical arrival time (TAT) may run; microseconds. */
export interface RateTerms {
  readonly costUs: number;
  readonly toleranceUs: number;
}
export function rateTerms({ requests, windowMs, burst }: Pick<RateScope, "requests" | "windowMs" | "burst">): RateTerms {
  const costUs = Math.ceil((windowMs * 1_000) / requests);
  return { costUs, toleranceUs: costUs * burst };
}
export function rateLevel(
  scope: { readonly key: string; readonly burst: number; readonly costUs: number },
  tatUs: number,
  nowUs: number,
): Level {
  const used = Math.ceil(Math.max(0, tatUs - nowUs) / scope.costUs);
  return { key: scope.key, limit: scope.burst, used, resetsAtMs: Math.ceil(Math.max(tatUs, nowUs) / 1_000) };
}
/** `tatUs` is what stands in the store, no further ahead than the tolerance. */
export function rateRefusal(
  index: number,
  scope: RateScope,
  at: { readonly tatUs: number; readonly nowUs: number; readonly frozen: boolean },
): Refusal {
  const { costUs, toleranceUs } = rateTerms(scope);
  const waitUs = Math.max(at.tatUs, at.nowUs) + costUs - toleranceUs - at.nowUs;
  const level = rateLevel({ key: scope.key, burst: scope.burst, costUs }, at.tatUs, at.nowUs);
  return { ...level, index, why: at.frozen ? "frozen" : "limit", retryAfterMs: at.frozen ? undefined : Math.ceil(waitUs / 1_000) };
}
export function slotRefusal(
  index: number,
  scope: { readonly key: string; readonly limit: number },
  used: number,
  frozen: boolean,
): Refusal {
  const retryAfterMs = frozen || scope.limit < 1 ? undefined : SLOT_RETRY_MS;
  return { index, key: scope.key, limit: scope.limit, used, resetsAtMs: undefined, why: frozen ? "frozen" : "limit", retryAfterMs };
}
/** `limit` is with what was granted. */
export function budgetRefusal(
  index: number,
  scope: BudgetScope,
  at: { readonly limit: number; readonly used: number; readonly nowMs: number; readonly frozen: boolean },
): Refusal {
  const retryAfterMs = at.frozen || scope.amount > at.limit ? undefined : Math.max(0, Math.ceil(scope.window.endMs - at.nowMs));
  const level = { key: scope.key, limit: at.limit, used: at.used, resetsAtMs: scope.window.endMs };
  return { ...level, index, why: at.frozen ? "frozen" : "limit", retryAfterMs };
}

const isWhole = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
const isKey = (key: string): boolean => key.length > 0 && key.length <= LEDGER_KEY_CHARS_MAX && key.isWellFormed();
const isLease = (leaseMs: number): boolean => isWhole(leaseMs) && leaseMs > 0 && leaseMs <= LEDGER_LEASE_MS_MAX;

/** What is wrong with a request; undefined: nothing. Every store refuses it as `invalid` before it does anything. */
export function claimantProblem({ partition, exchange }: Claimant): string | undefined {
  if (!isKey(partition.name)) return "the partition's name is empty or too long";
  return isKey(exchange) ? undefined : "the exchange's id is empty or too long";
}
export const renewProblem = (request: RenewRequest): string | undefined =>
  claimantProblem(request) ?? (isLease(request.leaseMs) ? undefined : "the lease is out of range");

export function enterProblem(request: EnterRequest): string | undefined {
  const problem = renewProblem(request) ?? scopesProblem(request.scopes, ENTERED);
  if (problem !== undefined) return problem;
  for (const scope of request.scopes) {
    if (!isKey(scope.key)) return "a scope's key is empty or too long";
    if (scope.kind === "concurrent") {
      if (!isWhole(scope.limit)) return `${scope.key}: the limit is no whole number`;
    } else {
      const { costUs, toleranceUs } = rateTerms(scope);
      // A TAT must stay exact: a century of microseconds after now is below 2^53.
      const sound = isWhole(scope.burst) && scope.burst >= 1 && costUs >= 1 && toleranceUs <= CENTURY_US;
      if (!sound) return `${scope.key}: the rate is out of range`;
    }
  }
  return undefined;
}
const CENTURY_US = 100 * 366 * 86_400_000_000;

export function holdProblem(request: HoldRequest): string | undefined {
  const problem = renewProblem(request) ?? windowsProblem(request.scopes);
  if (problem !== undefined) return problem;
  for (const { limit } of request.scopes) if (!isWhole(limit)) return "a limit is no whole number";
  return undefined;
}
export const settleProblem = (request: SettleRequest): string | undefined => claimantProblem(request) ?? windowsProblem(request.charges);

function windowsProblem(scopes: readonly (WindowRef & { readonly amount: number })[]): string | undefined {
  const problem = scopesProblem(scopes, WINDOWS);
  if (problem !== undefined) return problem;
  for (const scope of scopes) {
    const found = windowProblem(scope) ?? (isWhole(scope.amount) ? undefined : `${scope.key}: the amount is no whole number`);
    if (found !== undefined) return found;
  }
  return undefined;
}
export function windowProblem({ key, window }: WindowRef): string | undefined {
  if (!isKey(key)) return "a scope's key is empty or too long";
  const sound = isWhole(window.startMs) && isWhole(window.endMs) && window.startMs < window.endMs;
  return sound ? undefined : `${key}: the window is none`;
}
function sameWindow(one: WindowRef, other: WindowRef): boolean {
  if (one.id !== undefined && other.id !== undefined) return one.id === other.id;
  return (
    one.key === other.key &&
    one.unit === other.unit &&
    one.window.endMs === other.window.endMs &&
    one.window.startMs === other.window.startMs
  );
}

/** How scopes of one kind are told apart. */
interface Alike<T> {
  readonly same: (one: T, other: T) => boolean;
  readonly nameOf: (scope: T) => string;
}
const ENTERED: Alike<EnterScope> = {
  same: (one, other) => one.key === other.key && one.kind === other.kind,
  nameOf: ({ kind, key }) => `${kind} ${key}`,
};
const WINDOWS: Alike<WindowRef> = { same: sameWindow, nameOf: windowId };

/** Up to so many scopes, comparing each with each is cheaper than naming them. */
const FEW = 12;

function scopesProblem<T>(scopes: readonly T[], alike: Alike<T>): string | undefined {
  if (scopes.length > LEDGER_SCOPES_MAX) return `more than ${LEDGER_SCOPES_MAX} scopes`;
  return comesTwice(scopes, alike) ? "a scope comes twice" : undefined;
}
function comesTwice<T>(scopes: readonly T[], { same, nameOf }: Alike<T>): boolean {
  if (scopes.length > FEW) return new Set(scopes.map(nameOf)).size < scopes.length;
  for (let at = 1; at < scopes.length; at++) {
    const scope = scopes[at];
    for (let before = 0; before < at; before++) {
      const other = scopes[before];
      if (scope !== undefined && other !== undefined && same(other, scope)) return true;
    }
  }
  return false;
}
export function keyProblem(partition: Partition, key: string): string | undefined {
  return isKey(partition.name) && isKey(key) ? undefined : "a name is empty or too long";
}
export const pageProblem = (partition: Partition, limit: number): string | undefined =>
  keyProblem(partition, "x") ?? (isWhole(limit) && limit >= 1 && limit <= LEDGER_PAGE_MAX ? undefined : "the page's size is out of range");

/** Settles and releases for later: bounded, oldest out first. */
export class LaterQueue<T> {
  readonly #waiting: T[] = [];
  lost = 0;
  get size(): number {
    return this.#waiting.length;
  }
  add(item: T): void {
    this.#waiting.push(item);
    if (this.#waiting.length > LEDGER_QUEUED_MAX) {
      this.#waiting.shift();
      this.lost++;
    }
  }
  take(count: number): readonly T[] {
    return this.#waiting.splice(0, count);
  }
}
