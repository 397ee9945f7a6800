import type { Denial } from "../../core/denials.ts";
import { formatUsd } from "../../core/money.ts";
import type { ScopeEvidence, StageEvidence } from "../../core/record.ts";
import type { Asked } from "../../core/selection.ts";
import { type Beside, defineStage, type Effect, type Outcome, type StageContext, type Verdict } from "../../core/stage.ts";
import type { Claimant, Level, Refusal } from "../../ports/ledger.ts";
import { type Bound, rateHeaders } from "../shared/ledger-headers.ts";
import { rateBound, rateDenial, rateEvidence } from "../shared/rates.ts";
import { type Facts, gather } from "./hold.ts";
import { type Amounts, chargeOf, kept, type Placed, tokenRules } from "./lines.ts";
import { modelRules } from "./model-rates.ts";
import { type BudgetsSection, budgetsSection, mergedBudgets } from "./section.ts";

/** A line and how it stood after, or before, this call. */
interface Stood {
  readonly line: Placed;
  readonly level: Level;
}

function decide(context: StageContext, section: BudgetsSection, facts: Facts | undefined): Verdict {
  if (facts === undefined) return { kind: "allow", effects: [] };
  const { outcome } = facts;
  switch (outcome.kind) {
    case "held":
      return admitted(context, section, facts, outcome);
    case "unasked":
      return {
        ...{ kind: "allow", effects: [], reason: "The store could not tell how limits of tokens stand; none of them is in force." },
        ...(facts.rates === undefined ? {} : { beside: limitsSay(section, facts, []) }),
      };
    case "closed":
      return { kind: "deny", code: "store_unavailable", detail: "The call took too long to be let in." };
    case "unpriced":
      return UNPRICED;
    case "refused":
      if (outcome.by === "model") return { kind: "allow", effects: [], beside: limitsSay(section, facts, []) };
      return outcome.by === "tenant" ? refused(context, section, facts) : accountRefused(facts);
  }
}

const UNPRICED: Verdict = {
  kind: "deny",
  code: "no_target",
  detail: "No price is known for this model, or for the service tier that the call asks for, and a budget in money counts it.",
};

function admitted(
  context: StageContext,
  section: BudgetsSection,
  facts: Facts,
  { levels, short, unpriced }: Extract<Facts["outcome"], { readonly kind: "held" }>,
): Verdict {
  const { lines } = facts;
  const stood: Stood[] = [];
  const limits: Stood[] = [];
  let at = 0;
  for (const level of levels) {
    const line = lines[at++];
    if (line !== undefined) (line.kind === "limit" ? limits : stood).push({ line, level });
  }
  const warned = stood.filter(isNearItsEnd);
  const { usage, nanoUsd, tokens } = facts.forecast;
  // Only rates of the model: nothing is held.
  const claimed = lines.length > 0 || facts.account !== undefined;
  const effects: Effect[] = claimed ? [{ kind: "held", usage, nanoUsd }, ...standing(facts, stood)] : [];
  if (warned.length > 0) effects.push({ kind: "header", name: "x-ai-budget-warning", value: warned.map(warning).join(", ") });
  const without = short.length === 0 ? NONE : refusedOf(facts, short);
  const full = without.filter(({ line }) => line.kind === "limit");
  const said = full.length === 0 ? limits : full;
  const beside = said.length === 0 && facts.rates === undefined ? {} : { beside: limitsSay(section, facts, said) };
  const spent = without.filter(({ line }) => line.kind === "budget");
  // Only in shadow or warn: held all the same, and recorded.
  if (unpriced) return { ...UNPRICED, effects, ...beside };
  if (spent.length > 0) return { ...budgetsSay(context, facts, spent), effects, ...beside };
  if (!claimed) return { kind: "allow", effects, ...beside };
  const held = nanoUsd === undefined ? { tokens } : { tokens, nanoUsd };
  const evidence = warned.length === 0 ? { held } : { held, scopes: warned.map((one) => evidenceOf(one, "warned")) };
  return { kind: "allow", effects, ...beside, evidence };
}

const isNearItsEnd = ({ line, level }: Stood): boolean => line.warnAt !== undefined && level.used >= line.warnAt * level.limit;

/** `"day";scope="tenant";used=0.83`: which budget nears its end. */
const warning = ({ line, level }: Stood): string =>
  `"${line.window}";scope="${line.key}";used=${(Math.floor((level.used / Math.max(1, level.limit)) * 100) / 100).toFixed(2)}`;

/** Headers: what is left of the budget that has least left. */
function standing(facts: Facts, budgets: readonly Stood[]): readonly Effect[] {
  const [first] = budgets;
  if (first === undefined) return [];
  let tightest = first;
  for (const one of budgets) if (leftShare(one.level) < leftShare(tightest.level)) tightest = one;
  const { line, level } = tightest;
  const show = (amount: number): string => (line.unit === "nanoUsd" ? formatUsd(amount) : String(amount));
  const resetS = Math.max(0, Math.ceil(((level.resetsAtMs ?? facts.nowMs) - facts.nowMs) / 1000));
  return [
    { kind: "header", name: "x-ai-budget-limit", value: show(level.limit) },
    { kind: "header", name: "x-ai-budget-remaining", value: show(Math.max(0, level.limit - level.used)) },
    { kind: "header", name: "x-ai-budget-unit", value: line.unit === "nanoUsd" ? "usd" : "tokens" },
    { kind: "header", name: "x-ai-budget-window", value: line.window },
    { kind: "header", name: "x-ai-budget-reset", value: String(resetS) },
  ];
}
const leftShare = ({ limit, used }: Level): number => (limit <= 0 ? 0 : (limit - used) / limit);

/** The account is shared by tenants: what the caller learns is that it is full, not by whom. */
function accountRefused({ outcome, accountLines }: Facts): Verdict {
  const refusals = outcome.kind === "refused" ? outcome.refusals : [];
  const scopes = refusals.map(({ index, limit, used, why }): ScopeEvidence => {
    const line = outcome.kind === "refused" && outcome.by === "account" ? accountLines[index] : undefined;
    const unit = line?.unit ?? "requests";
    return { scope: "account", unit, state: why === "frozen" ? "frozen" : "refused", limit, used, ...(line && { window: line.window }) };
  });
  if (refusals.some(({ why }) => why === "frozen"))
    return {
      kind: "deny",
      code: "budget_exhausted",
      detail: "The provider's account is closed for now, by an operator.",
      evidence: { scopes },
    };
  return {
    kind: "deny",
    code: "rate_limited",
    detail: "The provider account's own quota is used up for the moment.",
    ...retryAfter(refusals.map(({ retryAfterMs }) => retryAfterMs)),
    evidence: { scopes },
  };
}

/** A line that had no room. */
interface Refused extends Stood {
  readonly frozen: boolean;
  readonly retryAfterMs: number | undefined;
}
const NONE: readonly Refused[] = [];
const refusedOf = ({ lines }: Facts, refusals: readonly Refusal[]): readonly Refused[] =>
  refusals.flatMap((level): readonly Refused[] => {
    const line = lines[level.index];
    return line === undefined ? [] : [{ line, level, frozen: level.why === "frozen", retryAfterMs: level.retryAfterMs }];
  });

/**
 * Limits of tokens, and rates of a model, speak in the name of their own section: what is left of them, or that some have (or would have
 * had) no room.
 */
function limitsSay({ joined }: BudgetsSection, { nowMs, rates }: Facts, lines: readonly (Stood | Refused)[]): Beside {
  const { counted = [], levels = [], refusals = [] } = rates ?? {};
  const rateBounds = [
    ...levels.flatMap((level, index) => rateBound(counted[index], level)),
    ...refusals.flatMap((level) => rateBound(counted[level.index], level)),
  ];
  const tokenBounds = lines.map(({ line, level: { limit, used, resetsAtMs } }): Bound => {
    const { window, limit: quota, spec } = line;
    return { name: `tokens-${window}`, quota, windowS: spec.unit === "seconds" ? spec.seconds : 1, limit, used, resetsAtMs };
  });
  const { mode } = joined.limits;
  const without = lines.filter((one) => "frozen" in one);
  const refuses = without.length + refusals.length > 0;
  const effects = mode === "enforce" ? rateHeaders([...rateBounds, ...tokenBounds], nowMs, refuses) : [];
  if (!refuses) return { stage: "limits", mode, verdict: { kind: "allow", effects } };
  const denial = refusals.length > 0 ? rateDenial(refusals, counted) : denialOf(without);
  const evidence = { scopes: [...rateEvidence(refusals, counted), ...(refusedEvidence(without).scopes ?? [])] };
  return { stage: "limits", mode, verdict: { kind: "deny", effects, ...denial, evidence } };
}
const refusedEvidence = (stood: readonly Refused[]): StageEvidence => ({
  scopes: stood.map((one) => evidenceOf(one, one.frozen ? "frozen" : "refused")),
});

function refused(context: StageContext, section: BudgetsSection, facts: Facts): Verdict {
  const all = refusedOf(facts, facts.outcome.kind === "refused" ? facts.outcome.refusals : []);
  const limits = all.filter(({ line }) => line.kind === "limit");
  const beside = limits.length === 0 ? {} : { beside: limitsSay(section, facts, limits) };
  const stood = all.filter(({ line }) => line.kind !== "limit");
  if (stood.length === 0) return { kind: "allow", effects: [], ...beside };
  return { ...budgetsSay(context, facts, stood), ...beside };
}

function budgetsSay(context: StageContext, facts: Facts, stood: readonly Refused[]): Verdict {
  const effects = standing(facts, stood);
  const evidence = refusedEvidence(stood);
  const denial = denialOf(stood);
  const reject: Verdict = { kind: "deny", effects, ...denial, evidence };
  const ways = stood.map(({ line, frozen }) => (frozen ? "reject" : line.onExhausted));
  const [first] = ways;
  // The strictest of those that refuse decides.
  if (first === undefined || ways.includes("reject")) return reject;
  const said = ways.find((way) => typeof way === "object" && "answer" in way);
  const reason = denial.detail ?? "";
  if (typeof said === "object" && "answer" in said)
    return { kind: "answer", text: said.answer, code: denial.code, reason, effects, evidence };
  if (typeof first !== "object" || !("switchTo" in first)) return reject;
  const ask = askFor(first.switchTo);
  // It was tried already, and does not fit either.
  if (sameAsk(context.wish, ask)) return reject;
  return { kind: "replan", ask, reason: `${reason} Switched to ${first.switchTo}.`, otherwise: denial, effects, evidence };
}

function askFor(name: string): Asked {
  if (name === "high" || name === "standard" || name === "cheap") return { kind: "tier", tier: name };
  return { kind: "model", name };
}
const sameAsk = (one: Asked | undefined, other: Asked): boolean => JSON.stringify(one) === JSON.stringify(other);

function denialOf(stood: readonly Refused[]): Denial {
  const [first] = stood;
  if (stood.some(({ frozen }) => frozen)) return { code: "budget_exhausted", detail: "This budget is closed for now, by an operator." };
  // A limit comes back in a moment, so where only limits refuse, trying again is worth while.
  const budget = stood.find(({ line }) => line.kind === "budget");
  const wait = retryAfter(stood.map(({ retryAfterMs }) => retryAfterMs));
  if (budget === undefined)
    return {
      code: "rate_limited",
      detail: first === undefined ? "A limit of tokens is reached." : limitDetail(first),
      ...wait,
    };
  const { line, level } = budget;
  const show = (amount: number): string => (line.unit === "nanoUsd" ? `${formatUsd(amount)} USD` : `${amount} tokens`);
  return {
    code: "budget_exhausted",
    detail: `The call does not fit into the budget of ${show(level.limit)} per ${line.window}; ${show(Math.max(0, level.limit - level.used))} are left.`,
    ...wait,
  };
}

/** What never fits must not look like what fits in a minute. */
function limitDetail({ line: { limit, window }, level, retryAfterMs }: Refused): string {
  const said = `The call does not fit into the limit of ${limit} tokens per ${window}`;
  if (retryAfterMs === undefined) return `${said}, and never will: it may take more. Ask for less output, or send less.`;
  return `${said}; ${Math.max(0, level.limit - level.used)} are left.`;
}

/** All must have room: the longest wait counts, and one that never ends ends them all. */
function retryAfter(waits: readonly (number | undefined)[]): { readonly retryAfterMs?: number } {
  const known = waits.filter((wait) => wait !== undefined);
  return known.length < waits.length || known.length === 0 ? {} : { retryAfterMs: Math.max(...known) };
}

const evidenceOf = ({ line, level }: Stood, state: ScopeEvidence["state"]): ScopeEvidence => ({
  ...{ scope: line.key, unit: line.unit, window: line.window },
  ...{ state, limit: level.limit, used: level.used },
});

/**
 * What it took, in the windows that admitted it. A call that was forwarded without a hold (an account's quota in shadow or warn had no room)
 * is counted all the same, under a name of its own: its claim in the ledger was never made.
 */
function settle(facts: Facts, section: BudgetsSection, outcome: Outcome): Promise<void> {
  const rates = facts.rates?.claimant;
  return both(rates && facts.desk.leave(rates, outcome.forwarded), settleHeld(facts, section, outcome));
}
function settleHeld(facts: Facts, _section: BudgetsSection, outcome: Outcome): Promise<void> {
  const { desk, tenant, account, lines, accountLines, outcome: how } = facts;
  const held = how.kind === "held";
  if (!outcome.forwarded) {
    if (!held) return Promise.resolve();
    return both(lines.length === 0 ? undefined : desk.release(tenant), account && desk.release(account));
  }
  const amounts = chargedFor(facts, outcome);
  const charge = (claimant: Claimant, charged: readonly Placed[]): Promise<void> =>
    desk.settle(
      held ? claimant : { ...claimant, exchange: `${claimant.exchange}.c` },
      charged.map((line) => chargeOf(line, amounts)),
    );
  return both(lines.length === 0 ? undefined : charge(tenant, kept(lines)), account && charge(account, accountLines));
}
const both = (one: Promise<void> | undefined, other: Promise<void> | undefined): Promise<void> =>
  one === undefined || other === undefined ? (one ?? other ?? Promise.resolve()) : Promise.all([one, other]).then(() => {});

/** Nobody knows what it took: the whole hold. */
function chargedFor({ forecast }: Facts, outcome: Outcome): Amounts {
  if (outcome.unanswered) return { tokens: forecast.tokens, nanoUsd: outcome.costNanoUsd ?? forecast.nanoUsd ?? 0 };
  const { inputTokens = 0, outputTokens = 0, apartInputTokens = 0, apartOutputTokens = 0 } = outcome.usage ?? {};
  const whole = (tokens: number): number => Math.ceil(Math.max(0, tokens));
  const apart = whole(apartInputTokens) + whole(apartOutputTokens);
  const tokens = whole(inputTokens) + whole(outputTokens) + apart + outcome.lostTokens;
  return { tokens: Math.min(Number.MAX_SAFE_INTEGER, tokens), nanoUsd: outcome.costNanoUsd ?? 0 };
}

export const budgetsStage = defineStage({
  name: "budgets",
  section: budgetsSection,
  merged: mergedBudgets,
  additive: true,
  joins: ["limits"],
  speaksFor: (section: BudgetsSection) => {
    const { mode, onFault } = section.joined.limits;
    return tokenRules(section).length + modelRules(section).length === 0 ? undefined : { stage: "limits", mode, onFault };
  },
  planning: true,
  gather,
  decide,
  settle,
});
