/** Request rates and calls at once: the scopes that a call has, and what is said of those that have no room. */
import type { Denial } from "../../core/denials.ts";
import type { ScopeEvidence } from "../../core/record.ts";
import type { EnterScope, Level, Refusal } from "../../ports/ledger.ts";
import type { Bound } from "./ledger-headers.ts";
import { type Caller, scopeKey, secondsOf, type Whose } from "./ledger-rules.ts";

/** A limit; one of tokens is no rate. */
export interface RateRule extends Whose {
  readonly requests?: number | undefined;
  readonly tokens?: number | undefined;
  readonly concurrent?: number | undefined;
  readonly window?: string | undefined;
  readonly burst?: number | undefined;
}
/** A rule that counts this call, as the ledger takes it. */
export interface Counted {
  readonly rule: RateRule;
  readonly scope: EnterScope;
}
/** All that count a call. */
export interface AllCounted {
  readonly counted: readonly Counted[];
  readonly scopes: readonly EnterScope[];
}

/** Does it matter to the rule which model is called? */
export const isByModel = ({ per, model }: Pick<Whose, "per" | "model">): boolean =>
  model !== undefined || (typeof per === "string" ? per === "model" : per.includes("model"));

/** The scopes of a call. Two rules of one name ask for one scope, the tighter. */
export function ratesFor(rules: readonly RateRule[], caller: Caller): AllCounted {
  const found: Counted[] = [];
  for (const rule of rules) {
    const key = rule.tokens === undefined ? scopeKey(rule, caller) : undefined;
    if (key === undefined) continue;
    const scope = scopeOf(rule, key);
    const at = found.findIndex((known) => known.scope.kind === scope.kind && known.scope.key === scope.key);
    const known = found[at];
    if (known === undefined) found.push({ rule, scope });
    else if (isTighter(scope, known.scope)) found[at] = { rule, scope };
  }
  return { counted: found, scopes: found.map(({ scope }) => scope) };
}

function scopeOf({ concurrent, requests = 1, window = "1s", burst = requests }: RateRule, key: string): EnterScope {
  if (concurrent !== undefined) return { kind: "concurrent", key, limit: concurrent };
  // A rate is one clock: each window has its own.
  return { kind: "rate", key: `${key}/${window}`, requests, windowMs: (secondsOf(window) ?? 1) * 1_000, burst };
}
function isTighter(one: EnterScope, other: EnterScope): boolean {
  if (one.kind === "concurrent" || other.kind === "concurrent")
    return one.kind === "concurrent" && other.kind === "concurrent" && one.limit < other.limit;
  return one.requests < other.requests || (one.requests === other.requests && one.burst < other.burst);
}

/** Requests per window, or calls at once, in words of the policy. */
const nameOf = ({ requests, window, concurrent }: RateRule): string =>
  concurrent === undefined ? `${requests} requests per ${window}` : `${concurrent} calls at once`;

export function rateDenial(refusals: readonly Refusal[], counted: readonly Counted[]): Denial {
  const [first] = refusals;
  const rule = first === undefined ? undefined : counted[first.index]?.rule;
  const frozen = refusals.some(({ why }) => why === "frozen");
  const waits = refusals.map(({ retryAfterMs }) => retryAfterMs);
  // Every scope must have room: the longest wait counts, and one that never ends ends them all.
  const known = waits.filter((wait) => wait !== undefined);
  const retryAfterMs = known.length < waits.length ? undefined : Math.max(...known);
  const detail = frozen
    ? "This is closed for now, by an operator."
    : rule === undefined
      ? "Too many requests."
      : `The limit of ${nameOf(rule)} is reached.`;
  // Waiting does not help, and no SDK should try again.
  return { code: frozen ? "budget_exhausted" : "rate_limited", detail, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

/** How rates stand, for headers; calls at once have none. */
export function rateBound(counted: Counted | undefined, { limit, used, resetsAtMs }: Level): readonly Bound[] {
  if (counted === undefined || counted.scope.kind === "concurrent") return [];
  const { window = "1s" } = counted.rule;
  const { requests: quota, windowMs } = counted.scope;
  return [{ name: `requests-${window}`, quota, windowS: windowMs / 1_000, limit, used, resetsAtMs }];
}

export const rateEvidence = (refusals: readonly Refusal[], counted: readonly Counted[]): readonly ScopeEvidence[] =>
  refusals.map(({ index, key, limit, used, why }): ScopeEvidence => {
    const rule = counted[index]?.rule;
    const window = rule?.window === undefined ? {} : { window: rule.window };
    const unit = rule?.concurrent === undefined ? "requests" : "concurrent";
    return { scope: key, unit, ...window, state: why === "frozen" ? "frozen" : "refused", limit, used };
  });
