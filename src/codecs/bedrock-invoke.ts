import type {
  AnswerContext,
  AnswerReader,
  Codec,
  HeaderView,
  ParsedRequest,
  PathFacts,
  RequestChange,
  RequestTarget,
} from "../core/codec.ts";
import type { Json, JsonEdit } from "../core/json.ts";
import type { Usage } from "../core/usage.ts";
import { bedrockErrorBody } from "./shared/bedrock-error.ts";
import { bedrockPath, matchBedrockPath, tierOfHeaders } from "./shared/bedrock-paths.ts";
import { openBedrockAnswer } from "./shared/bedrock-stream.ts";
import { frameCallRemover } from "./shared/call-removal.ts";
import { invokeCalls } from "./shared/call-removal-invoke.ts";
import { openEdgeReader } from "./shared/edge-reader.ts";
import { inSteps } from "./shared/in-steps.ts";
import { InvokeAnswer } from "./shared/invoke-answer.ts";
import { invokeEdits, invokeSteps, isEmbedding } from "./shared/invoke-request.ts";
import { bodyUsage, headerUsage } from "./shared/invoke-usage.ts";
import { PlainAnswer } from "./shared/plain-answer.ts";
import { sayInvoke } from "./shared/said-bedrock.ts";

const shared = {
  dialect: "bedrock",
  treatment: "inspected",
  ...inSteps((doc, facts) => invokeSteps(doc.root, facts)),
  editRequest: ({ doc, view }: ParsedRequest, change: RequestChange): readonly JsonEdit[] => invokeEdits(doc.root, view, change),
  upstreamPath: bedrockPath,
} satisfies Partial<Codec>;

/** A path whose model is, or is not, named as one for embeddings. */
function matchKind(target: RequestTarget, methods: readonly string[], embeds: boolean): PathFacts | undefined {
  const facts = matchBedrockPath(target, methods);
  return facts !== undefined && isEmbedding(facts.model ?? "") === embeds ? facts : undefined;
}

function withTier(facts: PathFacts | undefined, headers: HeaderView): PathFacts | undefined {
  const tier = tierOfHeaders(headers);
  return facts === undefined || tier === undefined ? facts : { ...facts, tier };
}

/** Amazon Bedrock's InvokeModel: each maker's own bodies. */
export const bedrockInvoke: Codec = {
  ...shared,
  surface: "bedrock.invoke",
  operation: "chat",
  title: "POST /model/{model}/invoke",
  match: (target, headers) => withTier(matchKind(target, ["invoke"], false), headers),
  openAnswer: (context: AnswerContext): AnswerReader => openBedrockAnswer(context, new InvokeAnswer(context)),
  removeCalls: () => frameCallRemover(invokeCalls, { isChunk: true }),
  renderAnswer: sayInvoke,
};

/** The same as an event stream, with each maker's own events in it. */
export const bedrockInvokeStream: Codec = {
  ...bedrockInvoke,
  surface: "bedrock.invoke_stream",
  title: "POST /model/{model}/invoke-with-response-stream",
  match: (target, headers) => withTier(matchBedrockPath(target, ["invoke-with-response-stream"]), headers),
};

/** InvokeModel of models that are named as embeddings (`amazon.titan-embed-text-v2:0`). Their vectors pass unread. */
export const bedrockEmbed: Codec = {
  ...shared,
  surface: "bedrock.embed",
  operation: "embed",
  title: "POST /model/amazon.titan-embed-{version}/invoke",
  match: (target) => matchKind(target, ["invoke"], true),
  openAnswer(context: AnswerContext): AnswerReader {
    const usageOf = (body: Json): Usage | undefined => bodyUsage(body) ?? headerUsage(context.headers);
    return openEdgeReader(context, new PlainAnswer(context, usageOf), bedrockErrorBody, MEMBERS);
  },
};

/** Titan's count, at the end of a large body. */
const MEMBERS = [/"inputTextTokenCount"\s*:\s*[0-9]{1,15}/];
