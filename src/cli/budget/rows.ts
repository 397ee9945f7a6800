/** How scopes stand, as people read them: what is spent and held, what is left, until when, and where it is heading. */

import { formatUsd } from "../../core/money.ts";
import type { Calendar, TimeWindow, Weekday } from "../../core/windows.ts";
import type { LedgerRow } from "../../ports/ledger.ts";
import { columns, type Paint, shown } from "../audit/words.ts";

/** A window as the store has it. */
export type BudgetRow = Extract<LedgerRow, { readonly kind: "budget" }>;

export interface ScopeRow {
  /** Name of the tenant, or of the provider account. */
  readonly tenant?: string;
  readonly account?: string;
  readonly scope: string;
  readonly kind: "budget" | "rate" | "concurrent";
  readonly unit: "usd" | "tokens" | "requests" | "calls";
  /** `day`, `week`, `month`, or a length: `1h`. */
  readonly window?: string;
  /** With what was granted. Dollars as decimal text, so that nothing is rounded. */
  readonly limit: string;
  readonly granted?: string;
  readonly spent?: string;
  readonly held?: string;
  readonly used: string;
  readonly remaining: string;
  readonly resetsAt?: string;
  readonly frozen: boolean;
  /** false: no rule of the policy counts in it any more, and its limit is the last that one had. */
  readonly inPolicy?: false;
  /** What it will have spent at its window's end, should it go on as since the window's beginning. */
  readonly forecast?: string;
  /** When nothing will be left, should it go on so; absent where that is after the window's end. */
  readonly exhaustedAt?: string;
}

export function scopeRow(
  of: { readonly tenant?: string; readonly account?: string },
  row: LedgerRow,
  at: {
    readonly nowMs: number;
    readonly nameOf: (window: TimeWindow) => string;
    /** As the policy has it now; undefined: it has it no more. */
    readonly limitOf: (row: BudgetRow) => number | undefined;
  },
): ScopeRow {
  if (row.kind !== "budget") {
    const { key, kind, limit, used, resetsAtMs, frozen } = row;
    return {
      ...of,
      ...({ scope: key, kind, unit: kind === "rate" ? "requests" : "calls" } as const),
      // A rate's window ends its name, in which a model's may have slashes too.
      ...(kind === "rate" ? { window: key.slice(key.lastIndexOf("/") + 1) } : {}),
      ...{ limit: String(limit), used: String(used), remaining: String(Math.max(0, limit - used)), frozen },
      ...(resetsAtMs === undefined ? {} : { resetsAt: new Date(resetsAtMs).toISOString() }),
    };
  }
  const money = row.unit === "nanoUsd";
  const show = (amount: number): string => (money ? formatUsd(amount) : String(amount));
  const { startMs, endMs } = row.window;
  const inForce = at.limitOf(row);
  const limit = Math.max(0, (inForce ?? row.limit) + row.granted);
  const remaining = Math.max(0, limit - row.spent - row.held);
  const elapsed = Math.min(endMs, at.nowMs) - startMs;
  const rate = elapsed > 0 ? row.spent / elapsed : 0;
  const forecast = Math.min(Number.MAX_SAFE_INTEGER, Math.round(rate * (endMs - startMs)));
  const emptyAtMs = rate > 0 && limit > 0 ? at.nowMs + remaining / rate : Number.POSITIVE_INFINITY;
  return {
    ...of,
    ...({ scope: row.key, kind: "budget", unit: money ? "usd" : "tokens", window: at.nameOf(row.window) } as const),
    ...{ limit: show(limit), granted: show(row.granted), spent: show(row.spent), held: show(row.held) },
    ...{ used: show(row.spent + row.held), remaining: show(remaining), resetsAt: new Date(endMs).toISOString(), frozen: row.frozen },
    ...(inForce === undefined ? { inPolicy: false as const } : {}),
    forecast: show(forecast),
    ...(emptyAtMs < endMs ? { exhaustedAt: new Date(emptyAtMs).toISOString() } : {}),
  };
}

/** What a window is called in the policy: by the calendar, else by its length. */
export function windowName(window: TimeWindow, calendar: Calendar, weekStartsOn: Weekday): string {
  for (const unit of ["day", "week", "month"] as const) {
    const spec = unit === "week" ? { unit, startsOn: weekStartsOn } : { unit };
    const known = calendar.windowAt(spec, window.startMs);
    if (known.startMs === window.startMs && known.endMs === window.endMs) return unit;
  }
  const seconds = Math.round((window.endMs - window.startMs) / 1000);
  for (const [letter, length] of [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
  ] as const)
    if (seconds % length === 0) return `${seconds / length}${letter}`;
  return `${seconds}s`;
}

const TITLES = ["TENANT", "SCOPE", "WINDOW", "UNIT", "LIMIT", "SPENT", "HELD", "REMAINING", "RESETS (UTC)", "FORECAST", "STATE"];

export function scopeTable(rows: readonly ScopeRow[], paint: Paint): string {
  const cells = rows.map((row) => [
    row.tenant ?? `account ${row.account ?? ""}`,
    row.scope,
    row.window ?? "-",
    row.unit,
    row.limit,
    row.spent ?? row.used,
    row.held ?? "-",
    row.remaining,
    (row.resetsAt ?? "-").slice(0, 19).replace("T", " "),
    row.forecast ?? "-",
    stateOf(row),
  ]);
  const [head = "", ...lines] = columns([TITLES, ...cells.map((line) => line.map(shown))], [4, 5, 6, 7, 9]);
  const paintRow = (row: ScopeRow | undefined): ((text: string) => string) =>
    row?.frozen === true || row?.remaining === "0" ? paint.bad : row?.exhaustedAt === undefined ? (text) => text : paint.warn;
  return `${paint.bold(head)}\n${lines.map((line, index) => `${paintRow(rows[index])(line)}\n`).join("")}`;
}

function stateOf({ frozen, remaining, exhaustedAt, inPolicy }: ScopeRow): string {
  if (frozen) return "frozen";
  if (inPolicy === false) return "not in the policy";
  if (remaining === "0") return "used up";
  return exhaustedAt === undefined ? "ok" : `empty at ${exhaustedAt.slice(0, 16).replace("T", " ")}`;
}
