/** Budgets of the policy that nobody has called under in their window: they stand in no store, and are shown all the same. */
import type { LoadedPolicy } from "../../config/load.ts";
import { isJsonMap } from "../../config/tree.ts";
import { parseUsd } from "../../core/money.ts";
import type { PolicySnapshot } from "../../core/snapshot.ts";
import type { LedgerRow } from "../../ports/ledger.ts";
import { mergedBudgets } from "../../stages/budgets/section.ts";
import { scopeKey, windowSpec } from "../../stages/shared/ledger-rules.ts";

/** Scopes by people, models and operations are known only once somebody calls. */
const KNOWN: readonly string[] = ["tenant", "app", "useCase"];

export function unusedBudgets(
  { document }: LoadedPolicy,
  snapshot: PolicySnapshot,
  tenant: string,
  { used, nowMs }: { readonly used: readonly LedgerRow[]; readonly nowMs: number },
): readonly LedgerRow[] {
  const { windows, weekStartsOn } = snapshot.calendarOf(tenant);
  const nameOf = (key: string, unit: string, startMs: number, endMs: number): string => `${key} ${unit} ${startMs} ${endMs}`;
  const known = new Set(used.map((row) => (row.kind === "budget" ? nameOf(row.key, row.unit, row.window.startMs, row.window.endMs) : "")));
  const rows = new Map<string, LedgerRow>();
  for (const [app, { useCases }] of Object.entries(document.tenants[tenant]?.apps ?? {})) {
    for (const useCase of useCases) {
      const principal = { tenant, app, useCase: undefined, user: undefined, credentialId: "", credentialKind: "observe" } as const;
      const settings = snapshot.resolve(principal, useCase).stages.find(({ name }) => name === "budgets")?.settings;
      for (const rule of mergedBudgets.parse(isJsonMap(settings) ? settings : {}).rules) {
        const per = typeof rule.per === "string" ? [rule.per] : rule.per;
        if (rule.model !== undefined || rule.operation !== undefined || !per.every((one) => KNOWN.includes(one))) continue;
        const key = scopeKey(rule, { app, useCase, user: "-", model: "-", operation: "-" });
        if (key === undefined) continue;
        const window = windows.windowAt(windowSpec(rule.window, weekStartsOn), nowMs);
        const unit = rule.usd === undefined ? "tokens" : "nanoUsd";
        const limit = rule.usd === undefined ? (rule.tokens ?? 0) : (parseUsd(rule.usd) ?? 0);
        const name = nameOf(key, unit, window.startMs, window.endMs);
        const before = rows.get(name);
        if (known.has(name) || (before?.kind === "budget" && before.limit <= limit)) continue;
        rows.set(name, { kind: "budget", key, unit, window, limit, granted: 0, spent: 0, held: 0, remaining: limit, frozen: false });
      }
    }
  }
  return [...rows.values()];
}
