import type { AnswerContext, AnswerReader, Codec, ParsedRequest, ParseError, PathFacts, RequestChange } from "../core/codec.ts";
import { field, type Json, type JsonEdit, type JsonNode, member } from "../core/json.ts";
import { err, type Result } from "../core/result.ts";
import type { Steps } from "../core/slice.ts";
import type { Usage } from "../core/usage.ts";
import type { RequestView } from "../core/view.ts";
import { openReader } from "./shared/answer-reader.ts";
import { bedrockErrorBody } from "./shared/bedrock-error.ts";
import { bedrockPath, matchBedrockPath } from "./shared/bedrock-paths.ts";
import { converseEdits, converseSteps } from "./shared/converse-request.ts";
import { converseUsage } from "./shared/converse-usage.ts";
import { inSteps } from "./shared/in-steps.ts";
import { PlainAnswer } from "./shared/plain-answer.ts";

/** Bedrock's token counter. It takes a whole request of Converse, so the same is inspected; it answers with a number and costs nothing. */
export const bedrockCountTokens: Codec = {
  surface: "bedrock.count_tokens",
  dialect: "bedrock",
  operation: "other",
  billed: false,
  title: "POST /model/{model}/count-tokens",
  treatment: "inspected",
  match: (target) => matchBedrockPath(target, ["count-tokens"]),
  ...inSteps((doc, facts) => readCount(doc.root, facts)),
  /** There is no output to cap: a cap, and the parameters that only generation takes, change nothing. */
  editRequest({ doc }: ParsedRequest, change: RequestChange): readonly JsonEdit[] {
    const { parameters: _generation, outputTokensMax: _cap, ...rest } = change;
    return converseEdits(doc.root, rest);
  },
  upstreamPath: bedrockPath,
  openAnswer(context: AnswerContext): AnswerReader {
    const usageOf = (body: Json): Usage | undefined => (field(body, "inputTokens") === undefined ? undefined : converseUsage(body));
    return openReader({ ...context, contentType: "application/json" }, new PlainAnswer(context, usageOf), bedrockErrorBody);
  },
};

/** `{"input": {"converse": …}}`. The other form, `invokeModel`, holds its body in base64, where no rule could look. */
function* readCount(root: JsonNode, facts: PathFacts): Steps<Result<RequestView, ParseError>> {
  const input = member(root, "input");
  const converse = member(input, "converse");
  if (converse?.kind !== "object" || input?.kind !== "object" || input.members.length !== 1)
    return err({
      code: "invalid_request",
      where: "/input",
      message: "input must hold converse and nothing else; invokeModel is not supported.",
    });
  return yield* converseSteps(converse, facts);
}
