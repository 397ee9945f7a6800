import type { ParseError, PathFacts, RequestChange } from "../../core/codec.ts";
import { type Json, type JsonEdit, type JsonNode, type JsonObject, member } from "../../core/json.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { Steps } from "../../core/slice.ts";
import type { RequestTexts, RequestView, TextPlace } from "../../core/view.ts";
import { anthropicSteps, editAnthropicRequest } from "./anthropic-request.ts";
import { chatSteps, editChatRequest } from "./chat-request.ts";
import { readCohereChat, searchUnits } from "./cohere-request.ts";
import { converseEdits, converseSteps } from "./converse-request.ts";
import { readInputParts } from "./input-parts.ts";
import { topLevelEdits } from "./request-edits.ts";
import { present, RequestFields, stringMember } from "./request-fields.ts";
import { FILE, parameterTexts, placed, ruleTable, SKIP, Texts, type WalkRules, walkFiles, walkNames, walkTexts } from "./text-walk.ts";

/**
 * Bodies of InvokeModel: each maker's own. Which one it is follows from the body, because a policy's name for a model need not tell.
 *
 * anthropic: messages with `anthropic_version`. converse: Nova's messages. chat: OpenAI's shape (gpt-oss, Mistral, Qwen, DeepSeek and
 * others). cohere: Command R's `message`. prompt: all that have one text or list of texts at their root (Titan, Llama, Claude 2,
 * Mistral 7B, J2, embeddings, images). Source: "Inference request parameters" in the Amazon Bedrock user guide, read 2026-11.
 */
type Family = "anthropic" | "converse" | "chat" | "cohere" | "prompt";

/** Whose shape a body has. */
export function familyOf(root: JsonObject): Family {
  if (stringMember(root, "anthropic_version") !== undefined) return "anthropic";
  const messages = member(root, "messages");
  if (messages === undefined) return stringMember(root, "message") === undefined ? "prompt" : "cohere";
  const isConverse = ["schemaVersion", "inferenceConfig", "toolConfig"].some((key) => member(root, key) !== undefined);
  return isConverse || hasUntypedParts(messages) ? "converse" : "chat";
}

/** Converse's parts are named by their one member (`{"text": …}`), OpenAI's and Anthropic's by their `type`. */
function hasUntypedParts(messages: JsonNode): boolean {
  const first = messages.kind === "array" ? messages.items[0] : undefined;
  const content = member(first, "content");
  const part = content?.kind === "array" ? content.items[0] : undefined;
  return part?.kind === "object" && member(part, "type") === undefined;
}

export function* invokeSteps(root: JsonNode, facts: PathFacts): Steps<Result<RequestView, ParseError>> {
  if (root.kind !== "object") return err({ code: "invalid_request", where: "", message: "The body must be a JSON object." });
  const view = yield* readFamily(root, facts);
  if (!view.ok) return view;
  const framing = facts.framing ?? "json";
  // The path says which model, and whether the answer streams; members of these names in a body change nothing at Bedrock.
  return ok({ ...view.value, model: facts.model, streaming: framing !== "json", framing });
}

function* readFamily(root: JsonObject, facts: PathFacts): Steps<Result<RequestView, ParseError>> {
  switch (familyOf(root)) {
    case "anthropic":
      return yield* anthropicSteps(root);
    case "converse":
      return yield* converseSteps(root, facts);
    case "chat":
      return yield* chatSteps(root);
    case "cohere":
      return readCohereChat(root, 1);
    case "prompt":
      return readPrompt(root);
  }
}

// ---- bodies around a prompt ----

/** Spellings of the output cap (of several the loosest counts), with the object that holds it where that is not the root. */
const CAPS: readonly (readonly [string | undefined, string])[] = [
  [undefined, "max_tokens"],
  [undefined, "max_tokens_to_sample"],
  [undefined, "max_gen_len"],
  [undefined, "maxTokens"],
  [undefined, "max_new_tokens"],
  [undefined, "max_completion_tokens"],
  ["textGenerationConfig", "maxTokenCount"],
];

interface FoundCap {
  readonly parent: JsonObject;
  readonly key: string;
  readonly node: JsonNode;
}

function capsOf(root: JsonObject): readonly FoundCap[] {
  return CAPS.flatMap(([holder, key]) => {
    const parent = holder === undefined ? root : member(root, holder);
    const node = present(member(parent, key));
    return parent?.kind === "object" && node !== undefined ? [{ parent, key, node }] : [];
  });
}

function readPrompt(root: JsonObject): Result<RequestView, ParseError> {
  const fields = new RequestFields(root);
  let cap: number | undefined;
  for (const { key, node } of capsOf(root)) {
    if (node.kind === "number" && Number.isSafeInteger(node.value) && node.value >= 0) cap = Math.max(cap ?? 0, node.value);
    else fields.refuse(`/${key}`, `${key} must be a whole number.`);
  }
  const asked = fields.node("num_generations") ?? fields.node("numResults");
  const queries = searchUnits(root);
  const view: RequestView = {
    model: undefined,
    streaming: false,
    framing: "json",
    ...(queries === undefined ? {} : { expected: { queries } }),
    outputTokensMax: cap,
    choices: asked?.kind === "number" && Number.isSafeInteger(asked.value) ? Math.max(1, asked.value) : 1,
    tools: [],
    providerState: [],
    contractFields: fields.contractFields(),
    texts: () => promptTexts(root),
    inputParts: () => readInputParts(root, { bare: true }),
  };
  return fields.problem === undefined ? ok(view) : err(fields.problem);
}

const skipped = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, SKIP]));
const RULES: WalkRules = {
  keys: ruleTable({
    ...skipped(["role", "type", "id", "format", "media_type"]),
    ...Object.fromEntries(
      ["image", "images", "inputImage", "init_image", "mask", "maskImage", "conditionImage", "referenceImage"].map((key) => [key, FILE]),
    ),
    ...skipped(["schemaVersion", "input_type", "embedding_types", "embeddingTypes"]),
    ...skipped([
      "truncate",
      "taskType",
      "task_type",
      "quality",
      "output_format",
      "mode",
      "aspect_ratio",
      "style_preset",
      "return_likelihoods",
    ]),
    data: FILE,
    bytes: FILE,
    uri: placed("url"),
    url: placed("url"),
  }),
  placeOf: (_object, inherited) => inherited,
};
const PLACES: ReadonlyMap<string, TextPlace> = new Map<string, TextPlace>([
  ["system", "system"],
  ["prompt", "user"],
  ["inputText", "user"],
  ["inputs", "user"],
  ["texts", "user"],
  ["query", "user"],
  ["documents", "user"],
]);

function promptTexts(root: JsonObject): RequestTexts {
  const out = new Texts();
  for (const entry of root.members) {
    const { key, value } = entry;
    if (parameterTexts(entry, out)) continue;
    const rule = RULES.keys.get(key);
    if (rule?.do === "skip") walkNames(value, out);
    else if (rule?.do === "file") walkFiles(value, "other", out);
    else walkTexts(value, PLACES.get(key) ?? "other", RULES, out);
  }
  return out;
}

// ---- edits ----

/** Edits of a body of InvokeModel. `model` is the provider's own name where the plan has another one than the view. */
export function invokeEdits(root: JsonNode, view: RequestView, change: RequestChange): readonly JsonEdit[] {
  if (root.kind !== "object") return [];
  const { model, reportUsage: _always, ...rest } = change;
  switch (familyOf(root)) {
    case "anthropic":
      return editAnthropicRequest(root, rest, "max_tokens");
    case "converse":
      return converseEdits(root, rest);
    case "chat":
      return editChatRequest(root, { ...view, model: "" }, rest);
    case "cohere":
      return topLevelEdits(root, rest, { model: "model", outputTokensMax: "max_tokens" });
    case "prompt":
      return promptEdits(root, rest, model ?? view.model ?? "");
  }
}

/** A cap is replaced where one stands, and else written in the spelling of the model's maker; an embedding or an image takes none. */
function promptEdits(root: JsonObject, change: RequestChange, model: string): readonly JsonEdit[] {
  const { outputTokensMax: cap, ...rest } = change;
  if (!makesText(root, model)) return topLevelEdits(root, { ...rest, parameters: {} }, { model: "model", outputTokensMax: undefined });
  const parameters: Record<string, Json> = { ...change.parameters };
  const edits: JsonEdit[] = [];
  if (cap !== undefined) {
    const found = capsOf(root);
    for (const { node, key, parent } of found) {
      if (parent !== root) {
        if (node.kind !== "number" || node.value !== cap) edits.push({ kind: "replace", node, text: String(cap) });
      } else parameters[key] = cap;
    }
    if (found.length === 0) insertCap(root, model, cap, { parameters, edits });
  }
  return [...topLevelEdits(root, { ...rest, parameters }, { model: "model", outputTokensMax: undefined }), ...edits];
}

function insertCap(
  root: JsonObject,
  model: string,
  cap: number,
  into: { readonly parameters: Record<string, Json>; readonly edits: JsonEdit[] },
): void {
  if (member(root, "inputText") === undefined) {
    into.parameters[capName(model)] = cap;
    return;
  }
  // Titan.
  const config = member(root, "textGenerationConfig");
  if (config?.kind === "object") into.edits.push({ kind: "insert", object: config, key: "maxTokenCount", text: String(cap) });
  else into.parameters["textGenerationConfig"] = { maxTokenCount: cap };
}

function capName(model: string): string {
  if (/anthropic\.|claude/.test(model)) return "max_tokens_to_sample";
  if (/meta\.|llama/.test(model)) return "max_gen_len";
  return /ai21\.j2/.test(model) ? "maxTokens" : "max_tokens";
}

/** By the model's name, and by members that only embeddings and images have. */
function makesText(root: JsonObject, model: string): boolean {
  if (isEmbedding(model) || /stability\.|image-generator|nova-canvas|nova-reel|rerank/.test(model)) return false;
  return !["texts", "input_type", "embeddingTypes", "taskType", "text_prompts", "documents"].some((key) => member(root, key) !== undefined);
}

/** Does the name say that the model makes vectors (`amazon.titan-embed-text-v2:0`, `cohere.embed-v4:0`)? */
export const isEmbedding = (model: string): boolean => /[.-]embed/.test(model);
