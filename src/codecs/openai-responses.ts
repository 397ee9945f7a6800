import type { AnswerContext, AnswerReader, Codec, ParsedRequest, ParseError, PathFacts, RequestChange, TailReason } from "../core/codec.ts";
import { DENIALS } from "../core/denials.ts";
import type { JsonDoc, JsonEdit } from "../core/json.ts";
import type { Result } from "../core/result.ts";
import type { RequestView } from "../core/view.ts";
import { openReader } from "./shared/answer-reader.ts";
import { topLevelEdits } from "./shared/request-edits.ts";
import { ResponsesAnswer } from "./shared/responses-answer.ts";
import { readResponsesRequest } from "./shared/responses-request.ts";

const PATH = "/v1/responses";

/** OpenAI's Responses API, as OpenAI and compatible providers (xAI, DeepSeek, OpenRouter, Azure) speak it. */
export const openaiResponses: Codec = {
  surface: "openai.responses",
  dialect: "openai",
  operation: "chat",
  title: `POST ${PATH}`,
  treatment: "inspected",
  match: ({ method, path }): PathFacts | undefined => (method === "POST" && path === PATH ? {} : undefined),
  readRequest: (doc: JsonDoc): Result<RequestView, ParseError> => readResponsesRequest(doc.root),
  /** `reportUsage` changes nothing: the final event of a stream always has the usage. */
  editRequest(request: ParsedRequest, change: RequestChange): readonly JsonEdit[] {
    const { root } = request.doc;
    return root.kind === "object" ? topLevelEdits(root, change, { model: "model", outputTokensMax: "max_output_tokens" }) : [];
  },
  upstreamPath: () => "/responses",
  openAnswer: (context: AnswerContext): AnswerReader => openReader(context, new ResponsesAnswer(context), errorBody),
};

/** An error in place of a body that was held back. */
function errorBody(reason: TailReason): string {
  if (reason.kind === "length") return "";
  const { code, detail } = reason.denial;
  return JSON.stringify({
    error: { message: detail ?? DENIALS[code].text, type: DENIALS[code].openai, param: null, code },
    request_id: reason.requestId,
  });
}
