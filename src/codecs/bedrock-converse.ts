import type { AnswerContext, AnswerReader, Codec, ParsedRequest, ParseError, PathFacts, RequestChange } from "../core/codec.ts";
import type { JsonDoc, JsonEdit } from "../core/json.ts";
import type { Result } from "../core/result.ts";
import type { RequestView } from "../core/view.ts";
import { bedrockPath, matchBedrockPath } from "./shared/bedrock-paths.ts";
import { openBedrockAnswer } from "./shared/bedrock-stream.ts";
import { ConverseAnswer } from "./shared/converse-answer.ts";
import { converseEdits, readConverseRequest } from "./shared/converse-request.ts";

/** Amazon Bedrock's Converse: one shape for the models of all makers; a JSON body. */
export const bedrockConverse = converseCodec("converse", "bedrock.converse");
/** The same as an event stream. */
export const bedrockConverseStream = converseCodec("converse-stream", "bedrock.converse_stream");

function converseCodec(method: string, surface: string): Codec {
  return {
    surface,
    dialect: "bedrock",
    operation: "chat",
    title: `POST /model/{model}/${method}`,
    treatment: "inspected",
    match: (target) => matchBedrockPath(target, [method]),
    readRequest: (doc: JsonDoc, facts: PathFacts): Result<RequestView, ParseError> => readConverseRequest(doc.root, facts),
    /** `reportUsage` changes nothing: every answer has its usage. */
    editRequest: ({ doc }: ParsedRequest, change: RequestChange): readonly JsonEdit[] => converseEdits(doc.root, change),
    upstreamPath: bedrockPath,
    openAnswer: (context: AnswerContext): AnswerReader => openBedrockAnswer(context, new ConverseAnswer(context.status)),
  };
}
