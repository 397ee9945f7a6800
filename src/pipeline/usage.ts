import { estimateUsage } from "../core/estimate.ts";
import { tierAsked } from "../core/forecast.ts";
import { costNanoUsd, isMeasured, type Price, priceInTier } from "../core/money.ts";
import { retriesTimeouts } from "../core/policy.ts";
import { familyOfAny, type ModelFamily } from "../core/tokens/families.ts";
import { thinksUnseen } from "../core/tokens/reasoning.ts";
import { requestTokens } from "../core/tokens/request.ts";
import type { AnswerSummary } from "../core/view.ts";
import type { Work } from "./work.ts";

/**
 * Fixes usage and cost, once, when nothing more can come. The provider's own figures where it gave them; what is missing of
 * an answer that was made is estimated and marked. An error answer without usage costs nothing.
 */
export function settleUsage(work: Work): void {
  if (work.costNanoUsd !== undefined || !work.forwarded || work.codec === undefined) return;
  const reported = work.reader?.usage();
  const summary = work.reader?.summary();
  // The request left and nobody knows what the provider made of it: the caller went away, or the provider ran out of time, or broke off.
  const unanswered =
    reported === undefined && (work.status === undefined || (work.localReply && (work.status === 504 || work.brokeOff === true)));
  const lost = unanswered || (reported === undefined && wasLost(work));
  if (lost && work.held !== undefined) {
    work.unanswered = true;
    work.usage = work.held.usage;
    work.costNanoUsd = work.held.nanoUsd;
    work.estimated = true;
    return;
  }
  const failed = !unanswered && (work.status === undefined || work.status >= REDIRECT || work.localReply || isErrorAlone(summary));
  const usual = work.plan?.chain[0]?.price;
  const tier = summary?.serviceTier ?? (work.request === undefined ? undefined : tierAsked(work.request));
  const inTier = usual === undefined ? undefined : priceInTier(usual, tier);
  const price = inTier ?? usual;
  if (work.codec.billed === false) {
    work.usage = reported;
    return;
  }
  if (reported !== undefined && summary?.complete === true && isMeasured(reported, price)) work.usage = reported;
  else if (failed && reported === undefined) {
    if (work.codec.operation !== "other") addLostAttempts(work, price);
    return;
  } else if (work.codec.operation === "embed" && reported !== undefined) work.usage = reported;
  else {
    const family = familyOfAny([summary?.model, work.plan?.chain[0]?.model, work.request?.view.model]);
    work.usage = estimateUsage(reported, {
      inputTokens: () => inputEstimate(work, family),
      countedTokens: () => work.output.tokens(family, work.tokens, summary?.outputChars ?? 0),
      outputTokensMax: lost
        ? outputCap(work)
        : hidesReasoning(work) || goesOn(work)
          ? (work.held?.usage.outputTokens ?? outputCap(work))
          : undefined,
      expected: work.request?.view.expected,
    });
    work.estimated = true;
  }
  if (work.codec.operation === "other") return;
  if (price !== undefined) {
    work.costNanoUsd = costNanoUsd(work.usage, price);
    // A tier that costs more, and nobody says how much.
    if (inTier === undefined) work.estimated = true;
  }
  addLostAttempts(work, price);
}

/** Output was made that nobody saw, and no usage says how much: what was held for output may all have been used. */
function hidesReasoning({ request, plan, codec, reader }: Work): boolean {
  if (request === undefined || reader?.usage() !== undefined || codec?.operation !== "chat") return false;
  return thinksUnseen(request, { dialect: codec.dialect, names: [plan?.chain[0]?.model ?? request.view.model] });
}

/** The answer is the receipt of work that goes on at the provider, and may come to all that was held for it: nobody is told when it is over. */
const goesOn = ({ request, reader }: Work): boolean =>
  reader?.usage() === undefined && request?.view.providerState.some(({ kind }) => kind === "background") === true;

/** What is no answer begins here: nothing was made for a redirect. */
const REDIRECT = 300;

/** A status of success, and an error is all that came: nothing was made. */
const isErrorAlone = (summary: AnswerSummary | undefined): boolean =>
  summary?.error !== undefined && summary.outputChars === 0 && summary.model === undefined && summary.responseId === undefined;

/**
 * The provider's headers came, and its answer never did, or not to its end, or in a form that nobody could read: it was made, and paid
 * for, all the same. What came of a stream is counted.
 */
function wasLost({ status = 0, localReply, reader, codec, request }: Work): boolean {
  if (localReply || status >= REDIRECT) return false;
  if (reader === undefined) return codec?.openAnswer !== undefined;
  return request?.view.streaming !== true && !reader.summary().complete;
}

/**
 * Attempts before the one that answered, as far as they ran out of their time: the provider may have read, and billed, their input. Envoy
 * says how many there were, and not how each failed: as many as the time that passed has room for.
 */
function addLostAttempts(work: Work, price: Price | undefined): void {
  const { attempts = 1, policy, headersMs, decidedMs, usage, request } = work;
  if (attempts < 2 || policy === undefined || headersMs === undefined || decidedMs === undefined) return;
  if (!retriesTimeouts(policy.retry)) return;
  const ranOut = Math.min(attempts - 1, Math.floor((headersMs - decidedMs) / policy.timeouts.perTryMs));
  if (ranOut < 1) return;
  const known = usage?.billedInputTokens ?? usage?.inputTokens;
  const inputTokens = Math.max(0, known ?? inputEstimate(work, familyOfAny([work.plan?.chain[0]?.model, request?.view.model])));
  if (inputTokens === 0) return;
  work.lostTokens = ranOut * Math.ceil(inputTokens);
  work.estimated = true;
  if (price === undefined) return;
  const { call: _call, ...rates } = price;
  work.costNanoUsd = (work.costNanoUsd ?? 0) + ranOut * costNanoUsd({ inputTokens, reported: {} }, rates);
}

/** Input as it will be billed. */
function inputEstimate({ request, tokens, requestBytes }: Work, family: ModelFamily): number {
  return request === undefined ? Math.ceil(requestBytes / BYTES_PER_TOKEN) : requestTokens(request.view, family, tokens);
}
/** English prose has more than four bytes a token: rather too much than too little. */
const BYTES_PER_TOKEN = 3;

/** Output tokens that the request allowed, over all its choices; 0 where it set no cap. */
function outputCap({ change, request }: Work): number {
  const cap = change.outputTokensMax ?? request?.view.outputTokensMax ?? 0;
  return cap * (request?.view.choices ?? 1);
}
