/** The scripts' replies as the port's answers. Figures are decimal strings below 2^53. */
import { err, ok, type Result } from "../../core/result.ts";
import type {
  EnterRequest,
  HoldAnswer,
  HoldRequest,
  LedgerError,
  LedgerPage,
  LedgerRow,
  Level,
  Refusal,
  StepAnswer,
} from "../../ports/ledger.ts";
import { addWhole, budgetRefusal, parseWindowId, rateLevel, rateRefusal, rateTerms, slotRefusal } from "../../ports/ledger-terms.ts";

/** Kind, time, lapsed. */
const HEAD = 3;
type Answer<T> = Result<T, LedgerError>;
const corrupt = (what: string): { readonly ok: false; readonly error: LedgerError } => err({ code: "corrupt", cause: new Error(what) });

export function enterAnswer(request: EnterRequest, reply: readonly string[]): Answer<StepAnswer> {
  const [kind] = reply;
  const nowUs = Number(reply[1]);
  if (kind === "closed") return ok({ kind });
  if (kind === "admitted") {
    const levels = request.scopes.map((scope, index): Level => {
      const value = Number(reply[HEAD + index]);
      if (scope.kind === "concurrent") return { key: scope.key, limit: scope.limit, used: value, resetsAtMs: undefined };
      return rateLevel({ key: scope.key, burst: scope.burst, costUs: rateTerms(scope).costUs }, value, nowUs);
    });
    return ok({ kind, levels });
  }
  if (kind !== "refused") return corrupt("enter gave an unknown answer");
  const refusals: Refusal[] = [];
  for (let at = HEAD; at < reply.length; at += 3) {
    const [index, value, frozen] = [Number(reply[at]), Number(reply[at + 1]), reply[at + 2] === "1"];
    const scope = request.scopes[index];
    if (scope === undefined) return corrupt("enter refused a scope that was not asked for");
    if (scope.kind === "concurrent") refusals.push(slotRefusal(index, scope, value, frozen));
    else refusals.push(rateRefusal(index, scope, { tatUs: value, nowUs, frozen }));
  }
  return ok({ kind, refusals });
}

export function holdAnswer(request: HoldRequest, reply: readonly string[]): Answer<HoldAnswer> {
  const [kind] = reply;
  const nowMs = Math.floor(Number(reply[1]) / 1_000);
  if (kind === "closed") return ok({ kind });
  if (kind === "recompute") return ok({ kind, storeMs: nowMs });
  if (kind === "admitted") {
    const levels = request.scopes.map((scope, index): Level => {
      const [used, limit] = [Number(reply[HEAD + 2 * index]), Number(reply[HEAD + 2 * index + 1])];
      return { key: scope.key, limit, used, resetsAtMs: scope.window.endMs };
    });
    const short = shortOf(request, reply.slice(HEAD + 2 * levels.length), nowMs);
    return short.ok ? ok({ kind, levels, ...(short.value.length === 0 ? {} : { short: short.value }) }) : short;
  }
  if (kind !== "refused") return corrupt("hold gave an unknown answer");
  const refusals = shortOf(request, reply.slice(HEAD), nowMs);
  return refusals.ok ? ok({ kind, refusals: refusals.value }) : refusals;
}
/** Scopes without room: index, used, limit, frozen of each. */
function shortOf(request: HoldRequest, figures: readonly string[], nowMs: number): Answer<readonly Refusal[]> {
  const short: Refusal[] = [];
  for (let at = 0; at < figures.length; at += 4) {
    const index = Number(figures[at]);
    const scope = request.scopes[index];
    if (scope === undefined) return corrupt("hold named a scope that was not asked for");
    const [used, limit, frozen] = [Number(figures[at + 1]), Number(figures[at + 2]), figures[at + 3] === "1"];
    short.push(budgetRefusal(index, scope, { limit, used, nowMs, frozen }));
  }
  return ok(short);
}

/** The cursor is the rank of the next scope: what comes or goes meanwhile may be missed or come twice. */
export function pageOf(reply: readonly string[], { first, limit }: { readonly first: number; readonly limit: number }): Answer<LedgerPage> {
  const nowUs = Number(reply[1]);
  const read = Number(reply[HEAD]);
  const rows: LedgerRow[] = [];
  for (let at = HEAD + 1; at < reply.length; at += 7) {
    const [kind, id = "", a, b, c, d, isFrozen] = reply.slice(at, at + 7);
    const frozen = isFrozen === "1";
    if (kind === "c") rows.push({ kind: "concurrent", key: id, limit: Number(b), used: Number(a), resetsAtMs: undefined, frozen });
    else if (kind === "r")
      rows.push({ kind: "rate", ...rateLevel({ key: id, burst: Number(c), costUs: Number(b) }, Number(a), nowUs), frozen });
    else {
      const ref = parseWindowId(id);
      if (ref === undefined) return corrupt("the list holds what is no window");
      const [spent, held, budget, granted] = [Number(a), Number(b), Number(c), Number(d)];
      const remaining = Math.max(0, addWhole(budget, granted) - addWhole(spent, held));
      rows.push({ kind: "budget", ...ref, limit: budget, granted, spent, held, remaining, frozen });
    }
  }
  return ok({ rows, cursor: read < limit ? undefined : String(first + read) });
}
