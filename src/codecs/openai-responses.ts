import type { AnswerContext, AnswerReader, Codec, ParsedRequest, PathFacts, RequestChange } from "../core/codec.ts";
import type { JsonEdit } from "../core/json.ts";
import { openReader } from "./shared/answer-reader.ts";
import { textCallRemover } from "./shared/call-removal.ts";
import { responsesCalls } from "./shared/call-removal-shapes.ts";
import { inSteps } from "./shared/in-steps.ts";
import { openAiErrorBody } from "./shared/openai-error.ts";
import { openAiPath } from "./shared/openai-paths.ts";
import { topLevelEdits } from "./shared/request-edits.ts";
import { ResponsesAnswer } from "./shared/responses-answer.ts";
import { responsesSteps } from "./shared/responses-request.ts";
import { sayResponse } from "./shared/said-responses.ts";
import { SniffingReader } from "./shared/sniffing-reader.ts";

const TAIL = "/responses";

/** OpenAI's Responses API, as OpenAI and compatible providers (xAI, DeepSeek, OpenRouter, Azure) speak it. */
export const openaiResponses: Codec = {
  surface: "openai.responses",
  dialect: "openai",
  operation: "chat",
  title: `POST /v1${TAIL}`,
  treatment: "inspected",
  keeps: "response",
  match: (target): PathFacts | undefined => openAiPath(target, "POST", TAIL),
  ...inSteps((doc) => responsesSteps(doc.root)),
  /** `reportUsage` changes nothing: the final event of a stream always has the usage. */
  editRequest(request: ParsedRequest, change: RequestChange): readonly JsonEdit[] {
    const { root } = request.doc;
    return root.kind === "object" ? topLevelEdits(root, change, { model: "model", outputTokensMax: "max_output_tokens" }) : [];
  },
  upstreamPath: () => TAIL,
  openAnswer: (context: AnswerContext): AnswerReader =>
    new SniffingReader(context, (found) => openReader(found, new ResponsesAnswer(found), openAiErrorBody)),
  removeCalls: () => textCallRemover(responsesCalls()),
  renderAnswer: sayResponse,
};
