import type { AnswerContext, AnswerReader, Codec, ParsedRequest, RequestChange } from "../core/codec.ts";
import type { JsonEdit } from "../core/json.ts";
import { bedrockPath, matchBedrockPath } from "./shared/bedrock-paths.ts";
import { openBedrockAnswer } from "./shared/bedrock-stream.ts";
import { frameCallRemover } from "./shared/call-removal.ts";
import { converseCalls } from "./shared/call-removal-shapes.ts";
import { ConverseAnswer } from "./shared/converse-answer.ts";
import { converseEdits, converseSteps } from "./shared/converse-request.ts";
import { inSteps } from "./shared/in-steps.ts";
import { sayConverse } from "./shared/said-bedrock.ts";

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
    ...inSteps((doc, facts) => converseSteps(doc.root, facts)),
    /** `reportUsage` changes nothing: every answer has its usage. */
    editRequest: ({ doc }: ParsedRequest, change: RequestChange): readonly JsonEdit[] => converseEdits(doc.root, change),
    upstreamPath: bedrockPath,
    openAnswer: (context: AnswerContext): AnswerReader => openBedrockAnswer(context, new ConverseAnswer(context)),
    removeCalls: () => frameCallRemover(converseCalls, { isChunk: false }),
    renderAnswer: sayConverse,
  };
}
