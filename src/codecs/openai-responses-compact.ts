import type { AnswerContext, AnswerReader, Codec, ParsedRequest, PathFacts, RequestChange } from "../core/codec.ts";
import type { JsonEdit } from "../core/json.ts";
import { ok } from "../core/result.ts";
import { openReader } from "./shared/answer-reader.ts";
import { inSteps, then } from "./shared/in-steps.ts";
import { openAiErrorBody } from "./shared/openai-error.ts";
import { openAiPath } from "./shared/openai-paths.ts";
import { topLevelEdits } from "./shared/request-edits.ts";
import { ResponsesAnswer } from "./shared/responses-answer.ts";
import { responsesSteps } from "./shared/responses-request.ts";

const TAIL = "/responses/compact";

/** A conversation made shorter: items in, fewer items out, one of them sealed. Nothing of it is kept at the provider. */
export const openaiResponsesCompact: Codec = {
  surface: "openai.responses.compact",
  dialect: "openai",
  operation: "chat",
  title: `POST /v1${TAIL}`,
  treatment: "inspected",
  match: (target): PathFacts | undefined => openAiPath(target, "POST", TAIL),
  ...inSteps((doc) =>
    then(responsesSteps(doc.root), (view) =>
      view.ok ? ok({ ...view.value, providerState: view.value.providerState.filter(({ kind }) => kind !== "store") }) : view,
    ),
  ),
  /** The call has no output cap. */
  editRequest({ doc: { root } }: ParsedRequest, change: RequestChange): readonly JsonEdit[] {
    return root.kind === "object" ? topLevelEdits(root, change, { model: "model", outputTokensMax: undefined }) : [];
  },
  upstreamPath: () => TAIL,
  openAnswer: (context: AnswerContext): AnswerReader =>
    openReader({ ...context, contentType: "application/json" }, new ResponsesAnswer(context), openAiErrorBody),
};
