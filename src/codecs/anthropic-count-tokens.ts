import type { AnswerContext, AnswerReader, Codec, ParsedRequest, PathFacts, RequestChange } from "../core/codec.ts";
import { field, type Json, type JsonEdit } from "../core/json.ts";
import type { Usage } from "../core/usage.ts";
import { openReader } from "./shared/answer-reader.ts";
import { anthropicErrorText } from "./shared/anthropic-error.ts";
import { anthropicPathFacts, anthropicSteps, editAnthropicRequest, withQuery } from "./shared/anthropic-request.ts";
import { anthropicUsage } from "./shared/anthropic-usage.ts";
import { inSteps } from "./shared/in-steps.ts";
import { PlainAnswer } from "./shared/plain-answer.ts";

const PATH = "/v1/messages/count_tokens";

/**
 * Anthropic's token counter. It takes a whole request of the Messages API, so the same is inspected; it answers with a number.
 * The number is given as usage (`inputTokens`), although the provider bills nothing for it: pricing takes operation `other` as free.
 */
export const anthropicCountTokens: Codec = {
  surface: "anthropic.count_tokens",
  dialect: "anthropic",
  operation: "other",
  title: `POST ${PATH}`,
  treatment: "inspected",
  match: (target): PathFacts | undefined => anthropicPathFacts(target, PATH),
  ...inSteps((doc) => anthropicSteps(doc.root)),
  /** There is no output to cap: a cap, and the parameters that only generation takes, change nothing. */
  editRequest(request: ParsedRequest, change: RequestChange): readonly JsonEdit[] {
    const { parameters: _generation, outputTokensMax: _cap, ...rest } = change;
    return editAnthropicRequest(request.doc.root, rest, undefined);
  },
  upstreamPath: (facts) => withQuery(PATH, facts),
  openAnswer: (context: AnswerContext): AnswerReader =>
    openReader({ ...context, contentType: "application/json" }, new PlainAnswer(context, usageOf), anthropicErrorText),
};

const usageOf = (body: Json): Usage | undefined => (field(body, "input_tokens") === undefined ? undefined : anthropicUsage(body));
