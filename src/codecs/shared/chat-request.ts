import type { ParseError, RequestChange } from "../../core/codec.ts";
import { type Json, type JsonEdit, type JsonNode, type JsonObject, member } from "../../core/json.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { isStepDone, type Steps } from "../../core/slice.ts";
import type { ProviderStateRef, RequestTexts, RequestView, TextPlace } from "../../core/view.ts";
import { readChatTools } from "./chat-tools.ts";
import { readInputParts } from "./input-parts.ts";
import { topLevelEdits } from "./request-edits.ts";
import { present, RequestFields, stringMember } from "./request-fields.ts";
import {
  FILE,
  free,
  parameterTexts,
  placed,
  ruleTable,
  SKIP,
  Texts,
  type WalkRules,
  walkItems,
  walkNames,
  walkTexts,
} from "./text-walk.ts";
import { readToolResults } from "./tool-results.ts";

/**
 * The request of Chat Completions as policies see it.
 * Source: `ChatCompletionCreateParamsBase` of the `openai` package 7.57, and the API references of Mistral, Groq, DeepSeek, xAI and
 * OpenRouter, read 2026-11.
 */
export function* chatSteps(root: JsonNode): Steps<Result<RequestView, ParseError>> {
  if (root.kind !== "object") return err({ code: "invalid_request", where: "", message: "The body must be a JSON object." });
  const fields = new RequestFields(root);
  const streaming = fields.boolean("stream") ?? false;
  const messages = fields.objects("messages");
  if (fields.node("messages") === undefined) fields.refuse("/messages", "messages must be an array.");
  const options = fields.node("stream_options");
  if (options !== undefined && options.kind !== "object") fields.refuse("/stream_options", "stream_options must be an object.");
  refuseFallbacks(fields);
  const choices = fields.count("n") ?? 1;
  if (choices < 1) fields.refuse("/n", "n must be at least 1.");
  const view: RequestView = {
    model: fields.string("model")?.value,
    streaming,
    framing: streaming ? "sse" : "json",
    outputTokensMax: readCap(fields),
    choices,
    tools: yield* readChatTools(fields),
    providerState: yield* readProviderState(fields, messages),
    contractFields: fields.contractFields(),
    texts: () => readTexts(root),
    toolResults: () => readToolResults(root),
    inputParts: () => readInputParts(root, { bare: false }),
  };
  return fields.problem === undefined ? ok(view) : err(fields.problem);
}

/** OpenRouter's lists of further models (`models`, `fallbacks`) would let a request leave for a model that no policy saw. */
function refuseFallbacks(fields: RequestFields): void {
  for (const key of ["models", "fallbacks"]) {
    const list = fields.node(key);
    if (list !== undefined && !(list.kind === "array" && list.items.length === 0)) {
      fields.refuse(`/${key}`, `${key} is not supported: name one model; the gateway's policy holds its fallbacks.`);
    }
  }
}

/** The two spellings of the output cap, new first. Where both are set the looser one counts: servers differ in which one they keep. */
const CAPS = ["max_completion_tokens", "max_tokens"] as const;

function readCap(fields: RequestFields): number | undefined {
  const caps = CAPS.map((key) => fields.count(key)).filter((cap) => cap !== undefined);
  return caps.length === 0 ? undefined : Math.max(...caps);
}

/** What stays at the provider, or is fetched from there. */
function* readProviderState(fields: RequestFields, messages: readonly JsonObject[]): Steps<ProviderStateRef[]> {
  const out: ProviderStateRef[] = [];
  if (fields.boolean("store") === true) out.push({ kind: "store", node: undefined });
  // xAI: the answer is kept and fetched later.
  if (fields.boolean("deferred") === true) out.push({ kind: "background", node: undefined });
  let read = 0;
  for (const message of messages) {
    if (isStepDone(++read)) yield;
    // An earlier spoken answer, by its id.
    const audio = stringMember(member(message, "audio"), "id");
    if (audio !== undefined) out.push({ kind: "item", node: audio });
    const content = member(message, "content");
    if (content?.kind !== "array") continue;
    for (const part of content.items) {
      if (isStepDone(++read)) yield;
      const file = stringMember(member(part, "file"), "file_id") ?? stringMember(part, "file_id");
      if (file !== undefined) out.push({ kind: "file", node: file });
    }
  }
  return out;
}

const ROLE_PLACES: ReadonlyMap<string, TextPlace> = new Map<string, TextPlace>([
  ["system", "system"],
  ["developer", "system"],
  ["user", "user"],
  ["assistant", "assistant"],
  ["tool", "tool_result"],
  ["function", "tool_result"],
]);

const skipped = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, SKIP]));

const RULES: WalkRules = {
  keys: ruleTable({
    // Names of the API, ids, media bytes and ciphertext.
    ...skipped(["type", "id", "role", "tool_call_id", "index", "detail", "format", "cache_control", "prompt_cache_breakpoint", "file_id"]),
    ...skipped(["signature", "logprobs"]),
    file_data: FILE,
    data: FILE,
    ...Object.fromEntries(["image_url", "video_url", "audio_url", "document_url", "file_url", "url"].map((key) => [key, placed("url")])),
    filename: placed("file_name"),
    document_name: placed("file_name"),
    arguments: placed("tool_arguments", "json"),
    custom: placed("tool_arguments"),
    parameters: free("tool_definition"),
    schema: free("schema"),
  }),
  // OpenRouter's `reasoning_details`: ciphertext.
  placeOf: (object, inherited) => (stringMember(object, "type")?.value === "reasoning.encrypted" ? undefined : inherited),
};

/** Members of the root whose strings are names, modes and ids of the API, never text. */
const PLAIN_ROOT_KEYS: ReadonlySet<string> = new Set([
  ...["model", "stream", "stream_options", "store", "tool_choice", "function_call", "modalities", "audio", "service_tier", "reasoning"],
  ...["reasoning_effort", "reasoning_format", "verbosity", "prompt_cache_retention"],
  ...["prompt_cache_options", "logit_bias", "thinking", "provider", "transforms", "prompt_mode"],
]);

/** What no rule knows is text, so that a new field is inspected before Sluice learns its name. */
function readTexts(root: JsonObject): RequestTexts {
  const out = new Texts();
  for (const entry of root.members) {
    const { key, value } = entry;
    if (PLAIN_ROOT_KEYS.has(key)) walkNames(value, out);
    if (PLAIN_ROOT_KEYS.has(key) || parameterTexts(entry, out)) continue;
    if (key === "messages") messageTexts(value, out);
    else if (key === "tools" || key === "functions") walkTexts(value, "tool_definition", TOOL_RULES, out);
    else if (key === "response_format") walkTexts(value, "schema", RULES, out);
    else if (key === "prediction") walkTexts(value, "assistant", RULES, out);
    else walkTexts(value, "other", RULES, out);
  }
  return out;
}

function messageTexts(messages: JsonNode, out: Texts): void {
  if (messages.kind !== "array") return;
  const placeOfItem = (message: JsonNode): TextPlace => ROLE_PLACES.get(stringMember(message, "role")?.value ?? "") ?? "other";
  walkItems(messages.items, placeOfItem, RULES, out);
}

/** Everything in a definition may steer the model, the grammar of a custom tool included. */
const TOOL_RULES: WalkRules = {
  keys: ruleTable({ ...skipped(["type", "cache_control", "syntax"]), parameters: free("tool_definition") }),
  placeOf: (_object, inherited) => inherited,
};

/**
 * Models that take only (o series, GPT-5 and later) or also `max_completion_tokens`. Everyone else, and every compatible server,
 * knows `max_tokens`. Only matters where the caller set no cap: one that is there is replaced in its own spelling.
 */
const NEW_CAP_MODELS = /^(?:ft:)?(?:o[0-9]|gpt-(?:[5-9]|[1-9][0-9])|gpt-4\.1|gpt-4o|chatgpt)/;

/** Edits of a chat request; `model` is what the view says. */
export function editChatRequest(root: JsonNode, view: RequestView, change: RequestChange): readonly JsonEdit[] {
  if (root.kind !== "object") return [];
  const { outputTokensMax, ...rest } = change;
  const parameters: Record<string, Json> = { ...change.parameters };
  if (outputTokensMax !== undefined) {
    const spelt = CAPS.filter((key) => present(member(root, key)) !== undefined);
    const names = spelt.length > 0 ? spelt : [NEW_CAP_MODELS.test(change.model ?? view.model ?? "") ? CAPS[0] : CAPS[1]];
    for (const key of CAPS) delete parameters[key];
    for (const key of names) parameters[key] = outputTokensMax;
  }
  const edits = topLevelEdits(root, { ...rest, parameters }, { model: "model", outputTokensMax: undefined });
  if (change.reportUsage === true && view.streaming && parameters["stream_options"] === undefined) edits.push(...usageEdits(root));
  return edits;
}

/** Asks for the usage report of a stream, in `stream_options`. */
export function usageEdits(root: JsonObject): JsonEdit[] {
  const options = member(root, "stream_options");
  const wanted = '{"include_usage":true}';
  if (options === undefined) return [{ kind: "insert", object: root, key: "stream_options", text: wanted }];
  if (options.kind !== "object") return [{ kind: "replace", node: options, text: wanted }];
  const asked = member(options, "include_usage");
  if (asked === undefined) return [{ kind: "insert", object: options, key: "include_usage", text: "true" }];
  return asked.kind === "literal" && asked.value === true ? [] : [{ kind: "replace", node: asked, text: "true" }];
}
