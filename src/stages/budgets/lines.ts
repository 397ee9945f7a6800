/** Which budgets count a call, and as what the ledger keeps them. */
import { memoized } from "../../core/memo.ts";
import { parseUsd } from "../../core/money.ts";
import type { AccountLimit, Target } from "../../core/policy.ts";
import type { StageContext } from "../../core/stage.ts";
import type { TimeWindow, Weekday, WindowSpec } from "../../core/windows.ts";
import type { BudgetScope, Charge, EnterScope, LedgerUnit } from "../../ports/ledger.ts";
import { windowId } from "../../ports/ledger-terms.ts";
import { ByCaller, type Caller, scopeKey, windowSpec } from "../shared/ledger-rules.ts";
import type { BudgetRule, BudgetsSection } from "./section.ts";

/** One budget, or one limit of tokens, that counts this call. */
export interface Line {
  readonly key: string;
  readonly unit: LedgerUnit;
  readonly spec: WindowSpec;
  /** As the policy writes it: `day`, `1m`. */
  readonly window: string;
  readonly limit: number;
  /** budget: of `budgets`. limit: tokens of `limits`. account: the provider account's own. */
  readonly kind: "budget" | "limit" | "account";
  /** Held whether it fits or not: its section is in shadow or warn. */
  readonly quiet: boolean;
  /**
   * The line (its place in the list) that the ledger is asked for in this one's place, since both have one scope and one window, and that
   * one refuses where this one does not. Such lines come last.
   */
  readonly rides?: number;
  readonly warnAt: number | undefined;
  readonly onExhausted: BudgetRule["onExhausted"];
}

/** The tenant's lines. Of two with one name and one mode the lower holds. */
export function tenantLines(section: BudgetsSection, context: StageContext): readonly Line[] {
  if (section.rules.length === 0 && tokenRules(section).length === 0) return [];
  const { weekStartsOn } = context.calendar;
  return linesOf(section).of(context, context.plan?.choice.model.name ?? "-", (caller) => linesFor(section, caller, weekStartsOn));
}
const linesOf = memoized(({ rules, joined }: BudgetsSection) => new ByCaller<readonly Line[]>([...rules, ...joined.limits.rules]));

/** The limits of tokens that are not off. */
export const tokenRules = memoized(({ joined: { limits } }: BudgetsSection) =>
  limits.mode === "off" ? [] : limits.rules.flatMap(({ tokens, ...rest }) => (tokens === undefined ? [] : [{ ...rest, tokens }])),
);

function linesFor(section: BudgetsSection, caller: Caller, weekStartsOn: Weekday): readonly Line[] {
  const { joined, rules } = section;
  const found: Line[] = [];
  const add = (line: Line): void => {
    const at = found.findIndex((other) => isSame(line, other));
    const known = found[at];
    if (known === undefined) found.push(line);
    else if (line.limit < known.limit) found[at] = line;
  };
  for (const rule of rules) {
    const key = scopeKey(rule, caller);
    if (key === undefined) continue;
    const { window, warnAt, onExhausted } = rule;
    const unit = rule.usd === undefined ? ("tokens" as const) : ("nanoUsd" as const);
    const spec = windowSpec(window, weekStartsOn);
    const quiet = joined.budgets.mode !== "enforce";
    add({ key, unit, spec, window, limit: limitOf(rule), kind: "budget", quiet, warnAt, onExhausted });
  }
  for (const rule of tokenRules(section)) {
    const { window = "1m", tokens: limit } = rule;
    const key = scopeKey(rule, caller);
    if (key === undefined) continue;
    const quiet = joined.limits.mode !== "enforce";
    const spec = windowSpec(window, weekStartsOn);
    add({ key, unit: "tokens", spec, window, limit, kind: "limit", quiet, warnAt: undefined, onExhausted: "reject" });
  }
  const own = found.filter(({ quiet }) => !quiet);
  const riders: Line[] = [];
  for (const line of found) {
    if (!line.quiet) continue;
    const rides = own.findIndex((other) => isSame({ ...line, quiet: false }, other));
    if (rides < 0) own.push(line);
    else riders.push({ ...line, rides });
  }
  return [...own, ...riders];
}
const isSame = (one: Line, other: Line): boolean =>
  one.key === other.key && one.unit === other.unit && one.window === other.window && one.quiet === other.quiet;

/** Tokens, or nano-dollars: read once for each rule. */
const limitOf = memoized(({ usd, tokens = 0 }: BudgetRule): number => (usd === undefined ? tokens : (parseUsd(usd) ?? 0)));

/** The quota of the account that will be called; none where the tenant brings its own credential. */
export function accountOf(
  target: Target | undefined,
  tenant: string,
): { readonly name: string; readonly limits: readonly AccountLimit[] } | undefined {
  const limits = target?.provider.limits;
  if (target === undefined || limits === undefined || target.provider.tenantClusters.has(tenant)) return undefined;
  return { name: target.provider.name, limits };
}
export function accountScopes(limits: readonly AccountLimit[]): readonly EnterScope[] {
  const scopes = new Map<string, EnterScope>();
  for (const limit of limits) {
    if (limit.kind === "concurrent") scopes.set("c", { kind: "concurrent", key: "account", limit: limit.count });
    if (limit.kind === "requests") {
      const { count: requests, windowMs, burst, window } = limit;
      scopes.set(window, { kind: "rate", key: `account/${window}`, requests, windowMs, burst });
    }
  }
  return [...scopes.values()];
}
export function accountLines(limits: readonly AccountLimit[]): readonly Line[] {
  const lines = new Map<string, Line>();
  for (const limit of limits) {
    if (limit.kind !== "tokens" && limit.kind !== "nanoUsd") continue;
    const { kind: unit, window, amount } = limit;
    const rest = { kind: "account" as const, quiet: false, warnAt: undefined, onExhausted: "reject" as const };
    lines.set(`${unit} ${window}`, { key: "account", unit, spec: windowSpec(window, 1), window, limit: amount, ...rest });
  }
  return [...lines.values()];
}

/** A line in the window that is now. */
export interface Placed extends Line {
  readonly at: TimeWindow;
  /** As the ledger names the window. */
  readonly id: string;
}
export function placed(line: Line, at: TimeWindow): Placed {
  const { key, unit } = line;
  return { ...line, at, id: windowId({ key, unit, window: at }) };
}
/** The same for a line that lives long: made once for each window. */
export function placedAgain(line: Line, at: TimeWindow): Placed {
  const last = lastOf(line);
  if (last.placed?.at !== at) last.placed = placed(line, at);
  return last.placed;
}
const lastOf = memoized((_line: Line): { placed?: Placed } => ({}));
export interface Amounts {
  readonly tokens: number;
  readonly nanoUsd: number;
}
/** The lines that the ledger knows: it keeps one count for a scope and its window. */
export const kept = (lines: readonly Placed[]): readonly Placed[] => {
  const count = lines.findIndex(({ rides }) => rides !== undefined);
  return count < 0 ? lines : lines.slice(0, count);
};
export function scopeOf({ id, key, unit, at, limit, quiet }: Placed, amounts: Amounts): BudgetScope {
  const scope = { id, key, unit, window: at, limit, amount: amounts[unit] };
  return quiet ? { ...scope, soft: true } : scope;
}
export const chargeOf = ({ id, key, unit, at }: Placed, amounts: Amounts): Charge => ({
  id,
  key,
  unit,
  window: at,
  amount: amounts[unit],
});
