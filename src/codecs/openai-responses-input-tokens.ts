import type { AnswerContext, AnswerReader, Codec, ParsedRequest, PathFacts, RequestChange } from "../core/codec.ts";
import { field, type JsonEdit } from "../core/json.ts";
import { ok } from "../core/result.ts";
import { openReader } from "./shared/answer-reader.ts";
import { inSteps, then } from "./shared/in-steps.ts";
import { openAiErrorBody } from "./shared/openai-error.ts";
import { openAiPath } from "./shared/openai-paths.ts";
import { PlainAnswer } from "./shared/plain-answer.ts";
import { reportedFigures, tokenCount } from "./shared/reported-usage.ts";
import { topLevelEdits } from "./shared/request-edits.ts";
import { responsesSteps } from "./shared/responses-request.ts";

const TAIL = "/responses/input_tokens";

/** The token counter of the Responses API. It takes a whole request, so the same is inspected; its answer is a number, free of charge. */
export const openaiResponsesInputTokens: Codec = {
  surface: "openai.responses.input_tokens",
  dialect: "openai",
  operation: "other",
  title: `POST /v1${TAIL}`,
  treatment: "inspected",
  billed: false,
  match: (target): PathFacts | undefined => openAiPath(target, "POST", TAIL),
  // Counting keeps nothing.
  ...inSteps((doc) =>
    then(responsesSteps(doc.root), (view) =>
      view.ok ? ok({ ...view.value, providerState: view.value.providerState.filter(({ kind }) => kind !== "store") }) : view,
    ),
  ),
  /** There is no output: a cap, and the parameters that only generation takes, change nothing. */
  editRequest({ doc: { root } }: ParsedRequest, change: RequestChange): readonly JsonEdit[] {
    const { parameters: _generation, ...rest } = change;
    return root.kind === "object" ? topLevelEdits(root, rest, { model: "model", outputTokensMax: undefined }) : [];
  },
  upstreamPath: () => TAIL,
  openAnswer: (context: AnswerContext): AnswerReader =>
    openReader(
      { ...context, contentType: "application/json" },
      new PlainAnswer(context, (body) => {
        const inputTokens = tokenCount(field(body, "input_tokens"));
        return inputTokens === undefined ? undefined : { inputTokens, reported: reportedFigures({ input_tokens: inputTokens }) };
      }),
      openAiErrorBody,
    ),
};
