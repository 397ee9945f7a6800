import type { AnswerContext, AnswerReader, Codec, ParsedRequest, ParseError, PathFacts, RequestChange } from "../core/codec.ts";
import { type JsonDoc, type JsonEdit, type JsonNode, type JsonObject, member } from "../core/json.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { RequestTexts, RequestView } from "../core/view.ts";
import { openReader } from "./shared/answer-reader.ts";
import { ChatAnswer } from "./shared/chat-answer.ts";
import { usageEdits } from "./shared/chat-request.ts";
import { readInputParts } from "./shared/input-parts.ts";
import { openAiErrorBody } from "./shared/openai-error.ts";
import { openAiPath, withPathModel } from "./shared/openai-paths.ts";
import { topLevelEdits } from "./shared/request-edits.ts";
import { present, RequestFields } from "./shared/request-fields.ts";
import { sayCompletion } from "./shared/said-chat.ts";
import { SniffingReader } from "./shared/sniffing-reader.ts";
import { parameterTexts, Texts, walkAllTexts, walkNames } from "./shared/text-walk.ts";
import { tokenInput } from "./shared/token-input.ts";

const TAIL = "/completions";
/** Output tokens of a call that names no cap (API reference, `max_tokens`), so a policy's cap must not raise it. */
const DEFAULT_CAP = 16;

/** Completions before chat: a prompt and its continuation. Source: `CompletionCreateParamsBase` of the `openai` package 7.57. */
export const openaiCompletions: Codec = {
  surface: "openai.completions",
  dialect: "openai",
  operation: "chat",
  title: `POST /v1${TAIL}`,
  treatment: "inspected",
  match: (target): PathFacts | undefined => openAiPath(target, "POST", TAIL),
  readRequest: (doc: JsonDoc, facts: PathFacts): Result<RequestView, ParseError> => withPathModel(readCompletion(doc.root), facts),
  editRequest: ({ doc, view }: ParsedRequest, change: RequestChange): readonly JsonEdit[] => edits(doc.root, view, change),
  upstreamPath: () => TAIL,
  openAnswer: (context: AnswerContext): AnswerReader =>
    new SniffingReader(context, (sniffed) => openReader(sniffed, new ChatAnswer(sniffed, "text"), openAiErrorBody)),
  renderAnswer: sayCompletion,
};

function edits(root: JsonNode, view: RequestView, change: RequestChange): readonly JsonEdit[] {
  if (root.kind !== "object") return [];
  const capped = present(member(root, "max_tokens")) !== undefined || change.outputTokensMax === undefined;
  const fitted = capped ? change : { ...change, outputTokensMax: Math.min(DEFAULT_CAP, change.outputTokensMax) };
  const out = topLevelEdits(root, fitted, { model: "model", outputTokensMax: "max_tokens" });
  if (change.reportUsage === true && view.streaming && change.parameters?.["stream_options"] === undefined) out.push(...usageEdits(root));
  return out;
}

/** Names, modes and numbers of the API. */
const PLAIN_KEYS: ReadonlySet<string> = new Set(["model", "stream", "stream_options", "logit_bias"]);

function readCompletion(root: JsonNode): Result<RequestView, ParseError> {
  if (root.kind !== "object") return err({ code: "invalid_request", where: "", message: "The body must be a JSON object." });
  const fields = new RequestFields(root);
  fields.refuseFurtherModels();
  const streaming = fields.boolean("stream") ?? false;
  const options = fields.node("stream_options");
  if (options !== undefined && options.kind !== "object") fields.refuse("/stream_options", "stream_options must be an object.");
  const prompt = fields.node("prompt");
  if (prompt !== undefined && prompt.kind !== "string" && prompt.kind !== "array")
    fields.refuse("/prompt", "prompt must be a string or an array.");
  const each = Math.max(fields.count("n") ?? 1, fields.count("best_of") ?? 1);
  if (each < 1) fields.refuse("/n", "n must be at least 1.");
  const view: RequestView = {
    model: fields.string("model")?.value,
    streaming,
    framing: streaming ? "sse" : "json",
    outputTokensMax: fields.count("max_tokens"),
    choices: each * promptCount(prompt),
    tools: [],
    providerState: [],
    contractFields: fields.contractFields(),
    ...tokenInput(prompt),
    texts: () => texts(root),
    inputParts: () => readInputParts(root, { bare: true }),
  };
  return fields.problem === undefined ? ok(view) : err(fields.problem);
}

/** A list of texts, or of lists of tokens, is answered one by one; a list of tokens is one prompt. */
function promptCount(prompt: JsonNode | undefined): number {
  if (prompt?.kind !== "array") return 1;
  return prompt.items.some(({ kind }) => kind === "string" || kind === "array") ? prompt.items.length : 1;
}

/** Lists of tokens are none; the view tells that they are there. */
function texts(root: JsonObject): RequestTexts {
  const out = new Texts();
  for (const entry of root.members) {
    const { key, value } = entry;
    if (parameterTexts(entry, out)) continue;
    if (key === "prompt" || key === "suffix") walkAllTexts(value, "user", out);
    else if (PLAIN_KEYS.has(key)) walkNames(value, out);
    else walkAllTexts(value, "other", out);
  }
  return out;
}
