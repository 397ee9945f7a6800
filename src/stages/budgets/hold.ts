/**
 * The step of the ledger that holds: how much, in which windows, in which order.
 *
 * The provider account's own quota is a partition of its own and comes first; the tenant's step decides, and gives the account's back
 * where it refuses. The input counts by a bound that needs no look (the body's bytes; no tokenizer makes more tokens of a text);
 * where that bound is what refuses, tokens are counted and the step is tried once more.
 */
import { type Forecast, forecast, NO_HINTS, priceHints } from "../../core/forecast.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { PortError, StageContext } from "../../core/stage.ts";
import type { Claimant, HoldAnswer, LapseRule, LedgerError, Level, Refusal, StepAnswer } from "../../ports/ledger.ts";
import type { LedgerDesk } from "../../ports/ledger-desk.ts";
import { claimInOrder, type OrderedStep } from "../../ports/ledger-order.ts";
import { budgetRefusal } from "../../ports/ledger-terms.ts";
import { callSize, inputBound, inputTokens, lostAttempts, outputCap } from "../shared/call-size.ts";
import { portError } from "../shared/ledger-faults.ts";
import {
  type Amounts,
  accountLines,
  accountOf,
  accountScopes,
  kept,
  type Line,
  type Placed,
  placed,
  placedAgain,
  scopeOf,
  tenantLines,
} from "./lines.ts";
import { enterModel, type ModelRates, modelRatesOf } from "./model-rates.ts";
import type { BudgetsSection } from "./section.ts";

/** Refused by the windows of a store whose clock is another: computed anew so often. */
const RECOMPUTE_MAX = 3;

/** Whose step refused: the tenant's, or the account's for requests and calls at once, or for tokens and money, or that of rates of the model. */
export type By = "tenant" | "account" | "account requests" | "model";

export interface Facts {
  readonly desk: LedgerDesk;
  readonly nowMs: number;
  readonly tenant: Claimant;
  /** The account's claim, where it has a quota. */
  readonly account: Claimant | undefined;
  /** The tenant's lines and the account's, in the windows that were asked for. */
  readonly lines: readonly Placed[];
  readonly accountLines: readonly Placed[];
  readonly forecast: Forecast;
  /** Where rates of the model were asked for with the plan. */
  readonly rates?: ModelRates;
  readonly outcome: /** `short`: lines in shadow or warn that had no room. `unpriced`: so has a budget in money that is only in shadow or warn. */
    | { readonly kind: "held"; readonly levels: readonly Level[]; readonly short: readonly Refusal[]; readonly unpriced: boolean }
    | { readonly kind: "refused"; readonly by: By; readonly refusals: readonly Refusal[] }
    /** A budget in money counts the call, and no price is known. */
    | { readonly kind: "unpriced" }
    | { readonly kind: "closed" }
    /** The store could not tell, and only limits in shadow or warn count the call: it passes. */
    | { readonly kind: "unasked" };
}

/** undefined: nothing counts this call. */
export function gather(context: StageContext, section: BudgetsSection): Promise<Result<Facts, PortError>> | undefined {
  const { request, plan, surface, principal } = context;
  // Lists and what is kept at the provider are not billed.
  if (request === undefined || plan === undefined || surface.operation === "list" || surface.operation === "other") return undefined;
  const lines = tenantLines(section, context);
  const account = accountOf(plan.chain[0], principal.tenant);
  const rates = modelRatesOf(section, context);
  if (lines.length === 0 && account === undefined && rates === undefined) return undefined;
  const desk = context.stores?.ledger;
  if (desk === undefined) {
    if (rates !== undefined && section.joined.limits.mode === "enforce")
      return Promise.resolve(err({ code: "unavailable", concerns: "other" }));
    return onlySoft(lines, account) ? undefined : Promise.resolve(err({ code: "unavailable", ...concerned(lines, account) }));
  }
  const holding = new Holding(context, section, desk, lines, account);
  if (rates === undefined) return holding.run();
  return enterModel(context, section, desk, rates).then((entered) => (entered.ok ? holding.runWith(entered.value) : entered));
}

/** Nothing that counts the call may refuse it, not even for want of a store. */
const onlySoft = (lines: readonly Line[], account: unknown): boolean =>
  account === undefined && lines.every(({ kind, quiet }) => kind === "limit" && quiet);

/** Whose rules could not be asked: the account's quota is this section's, as budgets are. */
function concerned(lines: readonly Line[], account: unknown): Pick<PortError, "concerns"> {
  const own = account !== undefined || lines.some(({ kind }) => kind === "budget");
  const other = lines.some(({ kind }) => kind === "limit");
  return own === other ? {} : { concerns: own ? "own" : "other" };
}

type Next = (facts: Facts) => Result<Facts, PortError> | Promise<Result<Facts, PortError>>;
const inMoney = ({ unit }: Line): boolean => unit === "nanoUsd";

class Holding {
  readonly #context: StageContext;
  readonly #section: BudgetsSection;
  readonly #desk: LedgerDesk;
  readonly #lines: readonly Line[];
  readonly #account: ReturnType<typeof accountOf>;
  #tries = 0;

  constructor(
    context: StageContext,
    section: BudgetsSection,
    desk: LedgerDesk,
    lines: readonly Line[],
    account: ReturnType<typeof accountOf>,
  ) {
    this.#context = context;
    this.#section = section;
    this.#desk = desk;
    this.#lines = lines;
    this.#account = account;
  }

  /** Nearly every call waits once, for its one step: nothing is awaited that need not be. */
  run(): Promise<Result<Facts, PortError>> {
    const coarse = this.#forecast(inputBound(this.#context));
    return this.#hold(coarse, (first) => (short(first).length === 0 ? ok(first) : this.#finer(first, coarse)));
  }

  /** The same where rates of the model were asked for before: a claim of theirs is given back where the plan is not held. */
  async runWith(rates: ModelRates): Promise<Result<Facts, PortError>> {
    const { claimant, refusals } = rates;
    const facts = { ...this.#facts(this.#forecast(inputBound(this.#context)), this.#desk.wallMs()), rates };
    if (refusals.length > 0 && this.#section.joined.limits.mode === "enforce")
      return ok({ ...facts, outcome: { kind: "refused", by: "model", refusals } });
    if (this.#lines.length === 0 && this.#account === undefined) return ok({ ...facts, outcome: HELD_NOTHING });
    const held = await this.run();
    if (held.ok && (held.value.outcome.kind === "held" || held.value.outcome.kind === "unasked")) return ok({ ...held.value, rates });
    if (claimant !== undefined) await this.#desk.release(claimant);
    return held;
  }

  /** Where the bound of the input is what has no room: once more, by tokens. */
  #finer(first: Facts, coarse: Forecast): Result<Facts, PortError> | Promise<Result<Facts, PortError>> {
    const fine = this.#forecast(inputTokens(this.#context));
    if (fine.tokens >= coarse.tokens || !mightFit(first, fine)) return ok(first);
    return first.outcome.kind === "held" ? this.#holdLess(first, fine) : this.#hold(fine, ok);
  }

  /** Only lines in shadow or warn had no room: the tenant's hold by tokens, in place of the one by bytes, tells whether they have. */
  async #holdLess(first: Facts, fine: Forecast): Promise<Result<Facts, PortError>> {
    const amounts: Amounts = { tokens: fine.tokens, nanoUsd: fine.nanoUsd ?? 0 };
    const made = await this.#claimTenant(first, amounts);
    // Where it cannot be had any more, the first one stays.
    if (!made.ok || made.value.kind !== "admitted") return ok(first);
    const { levels, short: without = [] } = made.value;
    return ok({ ...first, forecast: fine, outcome: { kind: "held", levels, short: without, unpriced: isUnpriced(first) } });
  }

  #forecast(input: number): Forecast {
    const { request, plan } = this.#context;
    const size = callSize(this.#context, input, outputCap(this.#context, this.#section.outputTokensAssumed));
    const hints = request === undefined ? NO_HINTS : priceHints(request);
    return forecast(size, plan?.chain ?? [], { hints, lostAttempts: lostAttempts(this.#context) });
  }

  /** Windows as they are at `atMs`; computed anew where the store's clock says that one is over. `next` gets what came of it. */
  #hold(what: Forecast, next: Next, atMs = this.#desk.wallMs(), tries = 1): Promise<Result<Facts, PortError>> {
    const facts = this.#facts(what, atMs);
    const { lines, accountLines: quota } = facts;
    const unpriced = what.nanoUsd === undefined && this.#section.unpriced === "refuse" && (lines.some(inMoney) || quota.some(inMoney));
    if (unpriced && this.#section.joined.budgets.mode === "enforce")
      return Promise.resolve(ok({ ...facts, outcome: { kind: "unpriced" } }));
    const amounts: Amounts = { tokens: what.tokens, nanoUsd: what.nanoUsd ?? 0 };
    return this.#claim(facts, amounts, (claimed, by) => {
      if (!claimed.ok) return this.#failed(facts, portError(claimed.error));
      const answer = claimed.value;
      switch (answer?.kind) {
        case undefined:
        case "admitted":
          // The tenant's step is the last one, where it has lines of its own.
          return next({
            ...facts,
            outcome: { kind: "held", unpriced, ...(answer === undefined || lines.length === 0 ? NO_LEVELS : levelsOf(answer)) },
          });
        case "refused":
          return next({ ...facts, outcome: { kind: "refused", by, refusals: answer.refusals } });
        case "closed":
          return ok({ ...facts, outcome: { kind: onlySoft(this.#lines, this.#account) ? "unasked" : "closed" } });
        case "recompute":
          if (tries < RECOMPUTE_MAX) return this.#hold(what, next, answer.storeMs, tries + 1);
          return this.#failed(this.#facts(what, answer.storeMs), {
            code: "unavailable",
            cause: new Error("the windows of this process and of the store do not agree"),
          });
      }
    });
  }
  #failed(facts: Omit<Facts, "outcome">, error: PortError): Result<Facts, PortError> {
    return onlySoft(this.#lines, this.#account)
      ? ok({ ...facts, outcome: { kind: "unasked" } })
      : err({ ...error, ...concerned(this.#lines, this.#account) });
  }

  #facts(what: Forecast, atMs: number): Omit<Facts, "outcome"> {
    const { principal, exchange, calendar } = this.#context;
    const lines = this.#lines.map((line) => placedAgain(line, calendar.windows.windowAt(line.spec, atMs)));
    const quota =
      this.#account === undefined
        ? NO_LINES
        : accountLines(this.#account.limits).map((line) => placed(line, calendar.utc.windowAt(line.spec, atMs)));
    const tenant: Claimant = { partition: { kind: "tenant", name: principal.tenant }, exchange: exchange.id };
    // Given back, an account's claim is closed for good: each try has one of its own.
    const account: Claimant | undefined =
      this.#account === undefined
        ? undefined
        : { partition: { kind: "account", name: this.#account.name }, exchange: `${exchange.id}.${exchange.replans}.${this.#tries++}` };
    return { desk: this.#desk, nowMs: atMs, tenant, account, lines, accountLines: quota, forecast: what };
  }

  /** `then` gets the last answer, the one that ended it (undefined: there was nothing to claim), and whose it was. */
  #claim<T>(
    facts: Omit<Facts, "outcome">,
    amounts: Amounts,
    then: (claimed: Result<HoldAnswer | undefined, LedgerError>, by: By) => T | Promise<T>,
  ): Promise<T> {
    if (this.#account === undefined) return this.#claimTenant(facts, amounts).then((claimed) => then(claimed, "tenant"));
    const steps = this.#steps(facts, amounts);
    return claimInOrder<HoldAnswer>(this.#desk, steps).then((claimed) => {
      if (!claimed.ok) return then(claimed, "tenant");
      const { answers } = claimed.value;
      return then(ok(answers.at(-1)), steps[answers.length - 1]?.by ?? "tenant");
    });
  }

  #steps(facts: Omit<Facts, "outcome">, amounts: Amounts): readonly (OrderedStep<HoldAnswer> & { readonly by: By })[] {
    const { tenant, account, lines, accountLines: quota } = facts;
    const desk = this.#desk;
    const onLapse = this.#onLapse;
    const lost = this.#section.onStoreLost;
    const steps: (OrderedStep<HoldAnswer> & { readonly by: By })[] = [];
    if (account !== undefined) {
      const entering = accountScopes(this.#account?.limits ?? []);
      if (entering.length > 0)
        steps.push({ by: "account requests", claimant: account, claim: () => desk.enter({ ...account, scopes: entering }, lost) });
      const scopes = quota.map((line) => scopeOf(line, amounts));
      if (scopes.length > 0)
        steps.push({ by: "account", claimant: account, claim: () => desk.hold({ ...account, onLapse, scopes }, lost) });
    }
    if (lines.length > 0) steps.push({ by: "tenant", claimant: tenant, claim: () => this.#claimTenant(facts, amounts) });
    return steps;
  }

  #claimTenant({ tenant, lines, nowMs }: Omit<Facts, "outcome">, amounts: Amounts): ReturnType<LedgerDesk["hold"]> {
    const scopes = kept(lines).map((line) => scopeOf(line, amounts));
    const { partition, exchange } = tenant;
    const made = this.#desk.hold({ partition, exchange, onLapse: this.#onLapse, scopes }, this.#section.onStoreLost);
    if (scopes.length === lines.length) return made;
    return made.then((answer) => (answer.ok ? ok(withRiders(answer.value, lines, { amounts, nowMs })) : answer));
  }
  get #onLapse(): LapseRule {
    return this.#section.onLapse === "release" ? "release" : "charge";
  }
}

/** The answer, and the lines that ride on another's scope and have no room by their own limit. */
function withRiders(
  answer: HoldAnswer,
  lines: readonly Placed[],
  { amounts, nowMs }: { readonly amounts: Amounts; readonly nowMs: number },
): HoldAnswer {
  if (answer.kind !== "admitted" && answer.kind !== "refused") return answer;
  const without = lines.flatMap((line, index): readonly Refusal[] => {
    const head = line.rides === undefined ? undefined : lines[line.rides];
    if (head === undefined) return [];
    const scope = scopeOf(line, amounts);
    const refusal = answer.kind === "refused" ? answer.refusals.find((one) => one.index === line.rides) : undefined;
    const level = answer.kind === "refused" ? refusal : line.rides === undefined ? undefined : answer.levels[line.rides];
    if (level === undefined) return [];
    // The level's limit has what was granted; an admitted scope's use has the amount.
    const limit = line.limit + (level.limit - head.limit);
    const used = refusal === undefined ? level.used - scope.amount : level.used;
    const frozen = refusal?.why === "frozen";
    return frozen || scope.amount > limit - used ? [budgetRefusal(index, scope, { limit, used, nowMs, frozen })] : [];
  });
  if (without.length === 0) return answer;
  return answer.kind === "refused"
    ? { ...answer, refusals: [...answer.refusals, ...without] }
    : { ...answer, short: [...(answer.short ?? []), ...without] };
}

const NO_LINES: readonly Placed[] = [];
const NO_LEVELS = { levels: [], short: [] };
const HELD_NOTHING = { kind: "held", ...NO_LEVELS, unpriced: false } as const;
const isUnpriced = ({ outcome }: Facts): boolean => outcome.kind === "held" && outcome.unpriced;
const levelsOf = ({ levels, short: without = [] }: Extract<StepAnswer, { readonly kind: "admitted" }>) => ({ levels, short: without });

/** Lines without room. */
const short = ({ outcome }: Facts): readonly Refusal[] =>
  outcome.kind === "refused" ? outcome.refusals : outcome.kind === "held" ? outcome.short : [];

/** Would the scopes that refused have room for the smaller amount? Where none did, those that would have. */
function mightFit(facts: Facts, fine: Forecast): boolean {
  const { outcome, lines, accountLines: quota } = facts;
  const refused = outcome.kind === "refused";
  const asked = refused && outcome.by !== "tenant" ? quota : lines;
  return short(facts).every(({ index, limit, used, why }) => {
    const line = asked[index];
    if (refused && line?.quiet === true) return true;
    const amount = line?.unit === "nanoUsd" ? (fine.nanoUsd ?? 0) : fine.tokens;
    return why === "limit" && line !== undefined && amount <= limit - used;
  });
}
