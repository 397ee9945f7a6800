/** How much a call may take, from its request: what holds and caps of cost go by. */
import { bringsHistory, type CallSize, CONTEXT_TOKENS_DEFAULT } from "../../core/forecast.ts";
import { retriesTimeouts } from "../../core/policy.ts";
import type { StageContext } from "../../core/stage.ts";
import { familyOfAny } from "../../core/tokens/families.ts";
import { requestBound, requestTokens } from "../../core/tokens/request.ts";

/** Things that the body only points at, and that its bytes therefore say nothing about. */
const POINTS_ELSEWHERE = /"(?:image_?url|input_image|file_?url|file_?uri|url|uri|s3Location|file_?id)"/i;
/** What a format may add to a body that is short of words. */
const FORMAT_SPARE = 64;
/** An estimate that is too low at most so often and so far as the estimators' own tests allow. */
const ESTIMATE_MARGIN = 1.05;

const familyFor = (context: StageContext) =>
  familyOfAny([context.plan?.chain[0]?.model, context.plan?.choice.model.name, context.request?.view.model]);

/** Server-side history is as long as the model's context allows: nobody here has seen it. */
function history(context: StageContext): number {
  const view = context.request?.view;
  if (view === undefined || !bringsHistory(view)) return 0;
  return context.plan?.choice.model.contextTokens ?? CONTEXT_TOKENS_DEFAULT;
}

/** A bound of the input that is never too low; of most requests without a look at them: a token is at least one byte. */
export function inputBound(context: StageContext): number {
  const { request, bodyBytes } = context;
  if (request === undefined) return 0;
  const plain = request.view.tools.length === 0 && !POINTS_ELSEWHERE.test(request.doc.text);
  return history(context) + (plain ? bodyBytes + FORMAT_SPARE : requestBound(request.view, familyFor(context)));
}

/** The same by tokens: exact where the tokenizer is public, else estimated. For where the bound would refuse. */
export function inputTokens(context: StageContext): number {
  const { request } = context;
  if (request === undefined) return 0;
  const family = familyFor(context);
  const exact = context.stores?.tokens;
  const counted = requestTokens(request.view, family, exact);
  return history(context) + Math.ceil(family.exact !== undefined && exact !== undefined ? counted : counted * ESTIMATE_MARGIN);
}

/** Most output tokens of one choice: the tightest of all caps, or what is assumed where there is none. */
export function outputCap(context: StageContext, assumed: number): number {
  const { change, outputCap: cut, request, surface } = context;
  if (surface.operation !== "chat") return 0;
  const told = change.outputTokensMax ?? request?.view.outputTokensMax;
  if (told === undefined) return cut ?? assumed;
  return cut === undefined ? told : Math.min(told, cut);
}

export function callSize(context: StageContext, input: number, cap: number): CallSize {
  const { choices = 1, expected } = context.request?.view ?? {};
  return { inputTokens: input, outputTokens: cap * choices, expected };
}

/** Attempts whose input may be billed although they gave no answer: those that ran out of their time. */
export const lostAttempts = ({ retry }: StageContext): number => (retriesTimeouts(retry) ? retry.attempts - 1 : 0);
