import type { AnswerContext, AnswerReader, Codec, ParsedRequest, ParseError, PathFacts, RequestChange } from "../core/codec.ts";
import { field, type Json, type JsonEdit, type JsonNode, member } from "../core/json.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Steps } from "../core/slice.ts";
import type { Usage } from "../core/usage.ts";
import type { RequestView } from "../core/view.ts";
import { openReader } from "./shared/answer-reader.ts";
import { AnthropicAnswer } from "./shared/anthropic-answer.ts";
import { anthropicErrorText } from "./shared/anthropic-error.ts";
import { anthropicSteps, editAnthropicRequest } from "./shared/anthropic-request.ts";
import { anthropicUsage } from "./shared/anthropic-usage.ts";
import { textCallRemover } from "./shared/call-removal.ts";
import { anthropicCalls } from "./shared/call-removal-shapes.ts";
import { geminiErrorBody } from "./shared/gemini-reader.ts";
import { inSteps } from "./shared/in-steps.ts";
import { PlainAnswer } from "./shared/plain-answer.ts";
import { sayMessage } from "./shared/said-anthropic.ts";
import { SniffingReader } from "./shared/sniffing-reader.ts";
import { matchVertexPath, vertexPath } from "./shared/vertex-paths.ts";

/**
 * Claude on Vertex AI: the Messages API's bodies with the model in the path and `anthropic_version` in the body. Makers whose raw bodies
 * have another shape are not served here; their OpenAI-compatible endpoint is an account of format `openai`.
 * Source: `AnthropicVertex` of Anthropic's SDKs, and cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude, read 2026-11.
 */
const ofAnthropic = (facts: PathFacts | undefined): PathFacts | undefined => (facts?.publisher === "anthropic" ? facts : undefined);
const PREFIX = "POST /v1/projects/{p}/locations/{l}/publishers/anthropic/models/";
/** Stands in the path where a model would; the body names the model. */
const COUNT_MODEL = "count-tokens";

const shared = {
  dialect: "vertex",
  operation: "chat",
  treatment: "inspected",
  ...inSteps((doc, facts) => readRaw(doc.root, facts)),
  /** The model stands in the path. `reportUsage` changes nothing: a stream always reports its usage. */
  editRequest({ doc }: ParsedRequest, { model: _path, ...change }: RequestChange): readonly JsonEdit[] {
    return editAnthropicRequest(doc.root, change, "max_tokens");
  },
  upstreamPath: vertexPath,
  removeCalls: () => textCallRemover(anthropicCalls),
  openAnswer: (context: AnswerContext): AnswerReader =>
    new SniffingReader(context, (found) => openReader(found, new AnthropicAnswer(found), anthropicErrorText)),
} satisfies Partial<Codec>;

export const vertexRawPredict: Codec = {
  ...shared,
  surface: "vertex.raw_predict",
  renderAnswer: sayMessage,
  title: `${PREFIX}{model}:rawPredict`,
  match(target): PathFacts | undefined {
    const facts = ofAnthropic(matchVertexPath(target, "rawPredict", { stream: false }));
    return facts?.model === COUNT_MODEL ? undefined : facts;
  },
};

export const vertexStreamRawPredict: Codec = {
  ...shared,
  surface: "vertex.stream_raw_predict",
  renderAnswer: sayMessage,
  title: `${PREFIX}{model}:streamRawPredict`,
  match: (target) => ofAnthropic(matchVertexPath(target, "streamRawPredict", { stream: false })),
};

/** Claude's token counter, which costs nothing. */
export const vertexAnthropicCountTokens: Codec = {
  ...shared,
  surface: "vertex.anthropic_count_tokens",
  operation: "other",
  billed: false,
  title: `${PREFIX}${COUNT_MODEL}:rawPredict`,
  match(target): PathFacts | undefined {
    const facts = ofAnthropic(matchVertexPath(target, "rawPredict", { stream: false }));
    return facts?.model === COUNT_MODEL ? facts : undefined;
  },
  ...inSteps((doc) => anthropicSteps(doc.root)),
  editRequest({ doc }: ParsedRequest, change: RequestChange): readonly JsonEdit[] {
    const { parameters: _generation, outputTokensMax: _cap, ...rest } = change;
    return editAnthropicRequest(doc.root, rest, undefined);
  },
  upstreamPath: (facts, _model, account) => vertexPath(facts, COUNT_MODEL, account),
  openAnswer(context: AnswerContext): AnswerReader {
    const usageOf = (body: Json): Usage | undefined => (field(body, "input_tokens") === undefined ? undefined : anthropicUsage(body));
    return openReader({ ...context, contentType: "application/json" }, new PlainAnswer(context, usageOf), geminiErrorBody);
  },
};

function* readRaw(root: JsonNode, facts: PathFacts): Steps<Result<RequestView, ParseError>> {
  const view = yield* anthropicSteps(root);
  if (!view.ok) return view;
  // A body that names another model must not pass as the path's.
  if (member(root, "model") !== undefined && view.value.model !== facts.model)
    return err({ code: "invalid_request", where: "/model", message: "The body names another model than the path." });
  const streaming = view.value.streaming || facts.method === "streamRawPredict";
  return ok({ ...view.value, model: facts.model, streaming, framing: streaming ? "sse" : "json" });
}
