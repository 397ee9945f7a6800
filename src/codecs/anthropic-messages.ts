import type { AnswerContext, AnswerReader, Codec, ParsedRequest, PathFacts, RequestChange } from "../core/codec.ts";
import type { JsonEdit } from "../core/json.ts";
import { openReader } from "./shared/answer-reader.ts";
import { AnthropicAnswer } from "./shared/anthropic-answer.ts";
import { anthropicErrorText } from "./shared/anthropic-error.ts";
import { anthropicPathFacts, anthropicSteps, editAnthropicRequest, withQuery } from "./shared/anthropic-request.ts";
import { textCallRemover } from "./shared/call-removal.ts";
import { anthropicCalls } from "./shared/call-removal-shapes.ts";
import { inSteps } from "./shared/in-steps.ts";
import { sayMessage } from "./shared/said-anthropic.ts";
import { SniffingReader } from "./shared/sniffing-reader.ts";

const PATH = "/v1/messages";

/** Anthropic's Messages API, also of its beta surface (`?beta=true`, which is kept). */
export const anthropicMessages: Codec = {
  surface: "anthropic.messages",
  dialect: "anthropic",
  operation: "chat",
  title: `POST ${PATH}`,
  treatment: "inspected",
  match: (target): PathFacts | undefined => anthropicPathFacts(target, PATH),
  ...inSteps((doc) => anthropicSteps(doc.root)),
  /** `reportUsage` changes nothing: a stream always reports its usage. */
  editRequest: (request: ParsedRequest, change: RequestChange): readonly JsonEdit[] =>
    editAnthropicRequest(request.doc.root, change, "max_tokens"),
  upstreamPath: (facts) => withQuery(PATH, facts),
  openAnswer: (context: AnswerContext): AnswerReader =>
    new SniffingReader(context, (found) => openReader(found, new AnthropicAnswer(found), anthropicErrorText)),
  removeCalls: () => textCallRemover(anthropicCalls),
  renderAnswer: sayMessage,
};
