/**
 * Budgets and limits of tokens as the policy has them now. The store keeps what is used, and the limit that the last call came with: an
 * edit since, and budgets that nobody has called under in their window, are known from here alone.
 */
import type { LoadedPolicy } from "../../config/load.ts";
import { isJsonMap } from "../../config/tree.ts";
import { parseUsd } from "../../core/money.ts";
import type { PolicySnapshot } from "../../core/snapshot.ts";
import type { TimeWindow } from "../../core/windows.ts";
import type { LedgerRow, LedgerUnit } from "../../ports/ledger.ts";
import { type BudgetsSection, mergedBudgets } from "../../stages/budgets/section.ts";
import { type Caller, scopeKey, type Whose, windowSpec } from "../../stages/shared/ledger-rules.ts";
import type { RateRule } from "../../stages/shared/rates.ts";
import type { BudgetRow } from "./rows.ts";

/** A rule of one app and use case. */
interface Rule {
  readonly rule: Whose;
  readonly app: string;
  readonly useCase: string;
  readonly unit: LedgerUnit;
  readonly window: string;
  readonly limit: number;
  /** Limits of tokens come and go too quickly to be shown unused. */
  readonly budget: boolean;
}

export class TenantBudgets {
  readonly #rules: readonly Rule[];
  readonly #rates: readonly (Pick<Rule, "app" | "useCase"> & { readonly rule: RateRule })[];
  readonly #windowAt: (window: string, atMs: number) => TimeWindow;

  constructor({ document }: LoadedPolicy, snapshot: PolicySnapshot, tenant: string) {
    const { windows, weekStartsOn } = snapshot.calendarOf(tenant);
    this.#windowAt = (window, atMs) => windows.windowAt(windowSpec(window, weekStartsOn), atMs);
    const sections = Object.entries(document.tenants[tenant]?.apps ?? {}).flatMap(([app, { useCases }]) =>
      (useCases.length === 0 ? [undefined] : useCases).map((useCase) => ({
        ...{ app, useCase: useCase ?? "-" },
        section: sectionOf(snapshot, { tenant, app, useCase }),
      })),
    );
    this.#rules = sections.flatMap(({ app, useCase, section }) => rulesOf(section, app, useCase));
    this.#rates = sections.flatMap(({ app, useCase, section: { joined } }) =>
      joined.limits.mode === "off"
        ? []
        : joined.limits.rules.flatMap((rule) => (rule.tokens === undefined ? [{ rule, app, useCase }] : [])),
    );
  }

  /** A row of the store with the limit that is in force; undefined: no rule counts in this scope any more. */
  limitOf({ key, unit, window }: Pick<BudgetRow, "key" | "unit" | "window">): number | undefined {
    const named = membersOf(key);
    let lowest: number | undefined;
    for (const each of this.#rules) {
      if (each.unit !== unit || keyOf(each, named) !== key) continue;
      const { startMs, endMs } = this.#windowAt(each.window, window.startMs);
      if (startMs === window.startMs && endMs === window.endMs) lowest = Math.min(lowest ?? each.limit, each.limit);
    }
    return lowest;
  }

  /** Does any rule count in this scope? Rates have names with their window, and no others. */
  counts(key: string): boolean {
    const named = membersOf(key);
    const slots = this.#rates.filter(({ rule }) => rule.concurrent !== undefined);
    return this.countsRate(key) || [...this.#rules, ...slots].some((each) => keyOf(each, named) === key);
  }
  countsRate(key: string): boolean {
    const named = membersOf(key.replace(/\/[^/]*$/, ""));
    return this.#rates.some((each) => each.rule.concurrent === undefined && `${keyOf(each, named)}/${each.rule.window}` === key);
  }

  /** Some scopes that a rule counts in, as the list shows them. */
  get examples(): readonly string[] {
    const keys = [
      ...this.#rules.map((rule) => keyOf(rule, new Map())),
      ...this.#rates.map((each) => `${keyOf(each, new Map())}${each.rule.concurrent === undefined ? `/${each.rule.window}` : ""}`),
    ];
    return [...new Set(keys.filter((key) => key !== undefined))].slice(0, 8);
  }

  /** Budgets whose scopes are known without a call, and are not among those that are used. */
  unused(used: readonly LedgerRow[], nowMs: number): readonly BudgetRow[] {
    const nameOf = (key: string, unit: string, { startMs, endMs }: TimeWindow): string => `${key} ${unit} ${startMs} ${endMs}`;
    const known = new Set(used.map((row) => (row.kind === "budget" ? nameOf(row.key, row.unit, row.window) : "")));
    const rows = new Map<string, BudgetRow>();
    for (const each of this.#rules) {
      if (!each.budget || !isKnown(each.rule)) continue;
      const key = keyOf(each, new Map());
      if (key === undefined) continue;
      const { unit, limit } = each;
      const window = this.#windowAt(each.window, nowMs);
      const name = nameOf(key, unit, window);
      const before = rows.get(name);
      if (known.has(name) || (before !== undefined && before.limit <= limit)) continue;
      rows.set(name, { kind: "budget", key, unit, window, limit, granted: 0, spent: 0, held: 0, remaining: limit, frozen: false });
    }
    return [...rows.values()];
  }
}

function sectionOf(
  snapshot: PolicySnapshot,
  { tenant, app, useCase }: { readonly tenant: string; readonly app: string; readonly useCase: string | undefined },
): BudgetsSection {
  const principal = { tenant, app, useCase: undefined, user: undefined, credentialId: "", credentialKind: "observe" } as const;
  const settings = snapshot.resolve(principal, useCase).stages.find(({ name }) => name === "budgets")?.settings;
  return mergedBudgets.parse(isJsonMap(settings) ? settings : {});
}

function rulesOf({ rules, joined }: BudgetsSection, app: string, useCase: string): readonly Rule[] {
  const made = rules.map((rule): Rule => {
    const { window, usd, tokens = 0 } = rule;
    const amount = usd === undefined ? { unit: "tokens" as const, limit: tokens } : { unit: "nanoUsd" as const, limit: parseUsd(usd) ?? 0 };
    return { rule, app, useCase, window, ...amount, budget: true };
  });
  for (const rule of joined.limits.mode === "off" ? [] : joined.limits.rules)
    if (rule.tokens !== undefined)
      made.push({ rule, app, useCase, unit: "tokens", window: rule.window ?? "1m", limit: rule.tokens, budget: false });
  return made;
}

/** Scopes by people, models and operations are known only once somebody calls. */
const KNOWN: readonly string[] = ["tenant", "app", "useCase"];
const isKnown = ({ per, model, operation }: Whose): boolean =>
  model === undefined && operation === undefined && (typeof per === "string" ? [per] : per).every((one) => KNOWN.includes(one));

/** `app=bot,user=3f2a`: whose calls a row counts. */
const membersOf = (key: string): ReadonlyMap<string, string> =>
  new Map(key.split(",").map((part): [string, string] => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]));

/** The key of a rule's scope for a caller who is as `named` says, and otherwise one whom the rule counts. */
function keyOf({ rule, app, useCase }: Pick<Rule, "rule" | "app" | "useCase">, named: ReadonlyMap<string, string>): string | undefined {
  const firstOf = (list: string | readonly string[] | undefined): string => (typeof list === "string" ? list : (list?.[0] ?? "-"));
  const caller: Caller = {
    ...{ app, useCase, user: named.get("user") ?? "-" },
    model: named.get("model") ?? firstOf(rule.model),
    operation: named.get("operation") ?? firstOf(rule.operation),
  };
  const key = scopeKey(rule, caller);
  // A list of models is part of the key as it is written, and no model's name.
  return key ?? scopeKey(rule, { ...caller, model: firstOf(rule.model), operation: firstOf(rule.operation) });
}

/** The scopes of a provider account: what a step of the ledger asks for when it is called. None where it has no quota of its own. */
export function accountScopesOf({ document }: LoadedPolicy, account: string): readonly string[] {
  const scopes = (document.providers[account]?.limits ?? []).map(({ requests, window }) =>
    requests === undefined ? "account" : `account/${window}`,
  );
  return [...new Set(scopes)];
}

/** The quota of a provider account, as far as the row is of it. */
export function accountLimitOf(
  { document }: LoadedPolicy,
  snapshot: PolicySnapshot,
  account: string,
  row: Pick<BudgetRow, "unit" | "window">,
): number | undefined {
  const { utc } = snapshot.calendarOf("");
  let last: number | undefined;
  for (const { tokens, usd, window } of document.providers[account]?.limits ?? []) {
    const limit = row.unit === "tokens" ? tokens : usd === undefined ? undefined : parseUsd(usd);
    if (limit === undefined || window === undefined) continue;
    const { startMs, endMs } = utc.windowAt(windowSpec(window, 1), row.window.startMs);
    if (startMs === row.window.startMs && endMs === row.window.endMs) last = limit;
  }
  return last;
}
