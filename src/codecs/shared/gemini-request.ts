import type { ParseError, PathFacts, RequestChange } from "../../core/codec.ts";
import type { Json, JsonEdit, JsonNode, JsonObject } from "../../core/json.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { finish, isStepDone, type Steps } from "../../core/slice.ts";
import type { ProviderStateRef, RequestTexts, RequestView, TextPlace, ToolRef } from "../../core/view.ts";
import { eachMember } from "./each-member.ts";
import { camelOf, countOf, either, eitherMember, itemsOf, refuseBoth, snakeOf } from "./gemini-fields.ts";
import { readInputParts } from "./input-parts.ts";
import { topLevelEdits } from "./request-edits.ts";
import { CONTRACT_MEMBER_PREFIX, present, RequestFields, stringMember } from "./request-fields.ts";
import {
  FILE,
  free,
  type KeyRule,
  OPAQUE,
  placed,
  SKIP,
  Texts,
  type WalkRules,
  walkAllTexts,
  walkItems,
  walkNames,
  walkTexts,
} from "./text-walk.ts";
import { readToolResults } from "./tool-results.ts";

/**
 * A Gemini request (GenerateContentRequest) as policies see it; Vertex AI's bodies are the same message.
 * Source: ai.google.dev/api/generate-content and the types of `@google/genai` 3.1, read 2026-11-24.
 */
export const readGeminiRequest = (root: JsonNode, facts: PathFacts): Result<RequestView, ParseError> => finish(geminiSteps(root, facts));

/** The same, in steps. */
export function* geminiSteps(root: JsonNode, facts: PathFacts): Steps<Result<RequestView, ParseError>> {
  if (root.kind !== "object") return err({ code: "invalid_request", where: "", message: "The body must be a JSON object." });
  const fields = new RequestFields(root);
  refuseBoth(fields, root, "");
  const config = configOf(fields);
  if (config !== undefined) refuseBoth(fields, config, "/generationConfig");
  checkModel(fields, facts);
  const choices = countOf(fields, either(config, "candidateCount"), "/generationConfig/candidateCount");
  const framing = facts.framing ?? "json";
  const view: RequestView = {
    model: facts.model,
    streaming: framing !== "json",
    framing,
    outputTokensMax: countOf(fields, either(config, "maxOutputTokens"), "/generationConfig/maxOutputTokens"),
    choices: Math.max(1, choices ?? 1),
    tools: yield* readTools(fields),
    providerState: yield* readProviderState(root),
    contractFields: fields.contractFields(),
    texts: () => readTexts(root),
    toolResults: () => readToolResults(root),
    inputParts: () => readInputParts(root, { bare: isEmbedding(root) }),
  };
  return fields.problem === undefined ? ok(view) : err(fields.problem);
}

/** Embeddings hold one content, or requests that hold one each. */
function isEmbedding(root: JsonObject): boolean {
  return either(root, "content") !== undefined || either(root, "requests") !== undefined;
}

function configOf(fields: RequestFields): JsonObject | undefined {
  const node = either(fields.root, "generationConfig");
  if (node === undefined || node.kind === "object") return node;
  return fields.refuse("/generationConfig", "generationConfig must be an object.");
}

/** The path names the model. A body that names another one must not pass as the path's. */
function checkModel(fields: RequestFields, facts: PathFacts): void {
  const named = fields.string("model")?.value.replace(/^models\//, "");
  if (named !== undefined && facts.model !== undefined && named !== facts.model) {
    fields.refuse("/model", "The body names another model than the path.");
  }
}

// ---- tools ----

function* readTools(fields: RequestFields): Steps<ToolRef[]> {
  const tools: ToolRef[] = [];
  for (const [index, tool] of itemsOf(either(fields.root, "tools")).entries()) {
    if (isStepDone(index + 1)) yield;
    if (tool.kind === "object") yield* addTool(fields, tool, `/tools/${index}`, tools);
    else fields.refuse(`/tools/${index}`, "A tool must be an object.");
  }
  addForced(fields, tools);
  return tools;
}

/** One entry may hold several tools: declared functions, and a member for each tool of Google's own, named by it (`googleSearch`). */
function* addTool(fields: RequestFields, tool: JsonObject, where: string, out: ToolRef[]): Steps<void> {
  refuseBoth(fields, tool, where);
  for (const [index, { key, value }] of tool.members.entries()) {
    if (isStepDone(index + 1)) yield;
    const name = camelOf(key);
    if (present(value) === undefined) continue;
    if (name === "functionDeclarations") yield* addNamed(fields, value, `${where}/${key}`, "function", out);
    else if (name === "mcpServers") yield* addNamed(fields, value, `${where}/${key}`, "server", out);
    else out.push({ name, kind: "provider", use: "offered", node: value.kind === "object" ? value : tool });
  }
}

function* addNamed(fields: RequestFields, list: JsonNode, where: string, kind: ToolRef["kind"], out: ToolRef[]): Steps<void> {
  for (const [index, node] of itemsOf(list).entries()) {
    if (isStepDone(index + 1)) yield;
    const name = stringMember(node, "name")?.value;
    if (name === undefined || node.kind !== "object") fields.refuse(`${where}/${index}`, "A tool must have a name.");
    else out.push({ name, kind, use: "offered", node });
  }
}

/** Mode ANY (2 in protobuf's numbers) makes the model call one of the allowed functions. */
function addForced(fields: RequestFields, out: ToolRef[]): void {
  const toolConfig = either(fields.root, "toolConfig");
  if (toolConfig?.kind === "object") refuseBoth(fields, toolConfig, "/toolConfig");
  const config = either(toolConfig, "functionCallingConfig");
  if (config?.kind === "object") refuseBoth(fields, config, "/toolConfig/functionCallingConfig");
  const mode = either(config, "mode");
  const isAny = (mode?.kind === "string" && /^(?:any|2)$/i.test(mode.value)) || (mode?.kind === "number" && mode.value === 2);
  if (!isAny) return;
  for (const name of itemsOf(either(config, "allowedFunctionNames"))) {
    if (name.kind === "string") out.push({ name: name.value, kind: "function", use: "forced", node: name });
    else fields.refuse("/toolConfig/functionCallingConfig/allowedFunctionNames", "Function names must be strings.");
  }
}

// ---- state kept at the provider ----

/** Members that point at things which Google keeps, wherever they stand. */
const STATE_MEMBERS: ReadonlyMap<string, ProviderStateRef["kind"]> = new Map<string, ProviderStateRef["kind"]>([
  ["cachedContent", "cached_content"],
  ["fileUri", "file"],
  ["gcsUri", "file"],
  ["fileSearchStoreNames", "vector_store"],
  ["ragCorpora", "vector_store"],
  ["ragCorpus", "vector_store"],
  ["datastore", "vector_store"],
  ["engine", "vector_store"],
  ["continuationToken", "previous_response"],
]);
/** Data of the caller's own, where such a name means nothing to Google. */
const OWN_DATA: ReadonlySet<string> = new Set([
  ...["args", "response", "parameters", "parametersJsonSchema", "responseJsonSchema", "responseSchema", "metadata", "labels"],
]);

function* readProviderState(root: JsonObject): Steps<ProviderStateRef[]> {
  const refs: ProviderStateRef[] = [];
  yield* addState(root, refs);
  const store = either(root, "store");
  if (store?.kind === "literal" && store.value === true) refs.push({ kind: "store", node: undefined });
  return refs;
}

function addState(node: JsonNode, refs: ProviderStateRef[]): Steps<void> {
  return eachMember(node, (key, value) => {
    const name = camelOf(key);
    if (OWN_DATA.has(name)) return false;
    const kind = STATE_MEMBERS.get(name);
    if (kind === undefined) return true;
    for (const id of itemsOf(value)) if (id.kind === "string" && (kind !== "file" || isKeptFile(id.value))) refs.push({ kind, node: id });
    return false;
  });
}

/** Uploaded files, and objects in Google's storage, which it reads with the gateway's rights. Other URLs are public addresses. */
function isKeptFile(uri: string): boolean {
  const host = /^https?:\/\/([^/?#]*)/i.exec(uri)?.[1];
  return host === undefined || /(?:^|[.@])(?:googleapis\.com|storage\.cloud\.google\.com)(?::[0-9]*)?$/i.test(host);
}

// ---- texts ----

/** The rules in both spellings. */
function bothSpellings(rules: Readonly<Record<string, KeyRule>>): ReadonlyMap<string, KeyRule> {
  return new Map(
    Object.entries(rules).flatMap(([key, rule]): [string, KeyRule][] => [
      [key, rule],
      [snakeOf(key), rule],
    ]),
  );
}
const all = (rule: KeyRule, keys: readonly string[]): Record<string, KeyRule> => Object.fromEntries(keys.map((key) => [key, rule]));

const TOOL_RULES: WalkRules = {
  keys: bothSpellings({
    parameters: free("tool_definition"),
    parametersJsonSchema: free("tool_definition"),
    response: free("tool_definition"),
    responseJsonSchema: free("tool_definition"),
    ...all(placed("url"), ["url", "endpoint"]),
    ...all(SKIP, ["behavior", "fileSearchStoreNames", "ragCorpora", "ragCorpus", "datastore", "engine", "mode"]),
    // What a server is told by who calls it.
    headers: OPAQUE,
  }),
  placeOf: (_object, inherited) => inherited,
};
const CONTENT_RULES: WalkRules = {
  keys: bothSpellings({
    args: free("tool_arguments"),
    response: free("tool_result"),
    functionResponse: placed("tool_result"),
    functionCall: placed("tool_arguments"),
    toolCall: placed("tool_arguments"),
    toolResponse: placed("tool_result"),
    executableCode: placed("tool_arguments"),
    codeExecutionResult: placed("tool_result"),
    fileUri: placed("url"),
    displayName: placed("file_name"),
    data: FILE,
    partMetadata: free("other"),
    ...all(SKIP, ["role", "id", "mimeType", "thoughtSignature", "language", "outcome", "mediaResolution", "videoMetadata"]),
    // Of a called function: it must be the declared one, so nothing may rewrite it. Names within args and results are free text.
    ...all(SKIP, ["name"]),
    ...all(SKIP, ["toolType", "scheduling", "mediaProcessing"]),
  }),
  placeOf: (_object, inherited) => inherited,
};
const SCHEMA_RULES: WalkRules = {
  keys: bothSpellings({
    responseSchema: free("schema"),
    responseJsonSchema: free("schema"),
    stopSequences: placed("parameter"),
    ...all(SKIP, ["responseMimeType", "responseModalities", "mediaResolution", "thinkingLevel", "voiceName", "languageCode"]),
    ...all(SKIP, ["aspectRatio", "imageSize", "personGeneration", "mimeType", "continuationToken"]),
  }),
  placeOf: (_object, inherited) => inherited,
};

/** Members of the root whose strings are names, modes and ids of the API, never text. */
const PLAIN_MEMBERS: ReadonlySet<string> = new Set([
  ...["model", "safetySettings", "toolConfig", "cachedContent", "serviceTier", "store", "taskType"],
]);

function readTexts(root: JsonObject): RequestTexts {
  const out = new Texts();
  addTexts(root, out);
  return out;
}

function addTexts(root: JsonObject, out: Texts): void {
  for (const { key, value } of root.members) {
    const name = camelOf(key);
    if (PLAIN_MEMBERS.has(name)) walkNames(value, out);
    else if (name === "contents") walkItems(itemsOf(value), placeOfRole, CONTENT_RULES, out);
    // Embeddings: one content, or requests that hold one each. A token counter: a request within the request.
    else if (name === "content") walkTexts(value, placeOfRole(value), CONTENT_RULES, out);
    else if (name === "requests" || name === "generateContentRequest") {
      out.addEach(itemsOf(value), (request, texts) => request.kind === "object" && addTexts(request, texts));
    } else if (name === "systemInstruction") walkTexts(value, "system", CONTENT_RULES, out);
    else if (name === "tools") walkTexts(value, "tool_definition", TOOL_RULES, out);
    else if (name === "generationConfig") walkTexts(value, "other", SCHEMA_RULES, out);
    else if (name === "metadata" && value.kind === "object") {
      for (const entry of value.members) {
        if (!entry.key.startsWith(CONTRACT_MEMBER_PREFIX)) walkTexts(entry.value, "parameter", CONTENT_RULES, out);
      }
    } else if (name === "labels") walkAllTexts(value, "parameter", out);
    else walkTexts(value, "other", CONTENT_RULES, out);
  }
}

function placeOfRole(content: JsonNode): TextPlace {
  switch (stringMember(content, "role")?.value) {
    case "model":
      return "assistant";
    case "function":
      return "tool_result";
    case "system":
      return "system";
    default:
      return "user";
  }
}

// ---- edits ----

/** Parameters that are members of the request itself; all others belong to `generationConfig`. */
const ROOT_PARAMETERS: ReadonlySet<string> = new Set(["safetySettings", "toolConfig", "serviceTier", "labels", "store"]);

/**
 * Edits of a Gemini body. The model stands in the path; a body that repeats it is kept in step. Values that are already the wanted ones
 * are left alone, in whichever spelling they stand; new members are written in camel case.
 */
export function geminiEdits(root: JsonObject, change: RequestChange): JsonEdit[] {
  const edits: JsonEdit[] = [];
  const config = new Map<string, Json>();
  for (const [key, value] of Object.entries(change.parameters ?? {})) {
    if (ROOT_PARAMETERS.has(camelOf(key))) setMember(root, camelOf(key), value, edits);
    else config.set(camelOf(key), value);
  }
  if (change.outputTokensMax !== undefined) config.set("maxOutputTokens", change.outputTokensMax);
  if (config.size > 0) {
    const found = eitherMember(root, "generationConfig");
    if (found === undefined)
      edits.push({ kind: "insert", object: root, key: "generationConfig", text: JSON.stringify(Object.fromEntries(config)) });
    else if (found.value.kind !== "object")
      edits.push({ kind: "replace", node: found.value, text: JSON.stringify(Object.fromEntries(config)) });
    else for (const [key, value] of config) setMember(found.value, key, value, edits);
  }
  const named = stringMember(root, "model");
  if (change.model !== undefined && named !== undefined) setMember(root, "model", modelPath(change.model), edits);
  if (change.dropContractFields === true)
    edits.push(...topLevelEdits(root, { dropContractFields: true }, { model: "model", outputTokensMax: undefined }));
  return edits;
}

function setMember(object: JsonObject, camel: string, value: Json, edits: JsonEdit[]): void {
  const text = JSON.stringify(value);
  const found = eitherMember(object, camel);
  if (found === undefined) edits.push({ kind: "insert", object, key: camel, text });
  else if (found.value.kind === "object" || found.value.kind === "array" || JSON.stringify(found.value.value) !== text) {
    edits.push({ kind: "replace", node: found.value, text });
  }
}

/** A model's resource name: `models/x`, or `tunedModels/x` where the name says so. Each segment is one, whatever is in it. */
export function modelPath(model: string): string {
  return /^(?:models|tunedModels)\//.test(model) ? model : `models/${model}`;
}
