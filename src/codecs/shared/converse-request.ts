import type { ParseError, PathFacts, RequestChange } from "../../core/codec.ts";
import { type Json, type JsonEdit, type JsonNode, type JsonObject, member } from "../../core/json.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { isStepDone, type Steps } from "../../core/slice.ts";
import type { ProviderStateRef, RequestTexts, RequestView, TextPlace, ToolRef } from "../../core/view.ts";
import { eachMember } from "./each-member.ts";
import { readInputParts } from "./input-parts.ts";
import { topLevelEdits } from "./request-edits.ts";
import { present, RequestFields, stringMember } from "./request-fields.ts";
import {
  FILE,
  free,
  parameterTexts,
  placed,
  placedString,
  ruleTable,
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
 * The request of Bedrock's Converse as policies see it; Nova's own bodies for InvokeModel are nearly the same.
 * Source: Converse and its types in the Amazon Bedrock API reference, read 2026-11, and recorded requests.
 */
export function* converseSteps(root: JsonNode, facts: PathFacts): Steps<Result<RequestView, ParseError>> {
  if (root.kind !== "object") return err({ code: "invalid_request", where: "", message: "The body must be a JSON object." });
  const fields = new RequestFields(root);
  fields.objects("messages");
  const config = objectMember(fields, root, "inferenceConfig", "/inferenceConfig");
  const extra = objectMember(fields, root, "additionalModelRequestFields", "/additionalModelRequestFields");
  refuseHiddenCaps(fields, extra);
  const framing = facts.framing ?? "json";
  const view: RequestView = {
    model: facts.model,
    streaming: framing !== "json",
    framing,
    outputTokensMax: readCap(fields, config),
    choices: 1,
    tools: yield* readTools(fields, extra),
    providerState: yield* readState(root),
    contractFields: fields.contractFields(),
    texts: () => readTexts(root),
    toolResults: () => readToolResults(root),
    inputParts: () => readInputParts(root, { bare: false }),
  };
  return fields.problem === undefined ? ok(view) : err(fields.problem);
}

function objectMember(fields: RequestFields, object: JsonObject, key: string, where: string): JsonObject | undefined {
  const node = present(member(object, key));
  if (node === undefined || node.kind === "object") return node;
  return fields.refuse(where, `${key} must be an object.`);
}

/** Nova's own bodies know a second spelling. */
const CAPS = ["maxTokens", "max_new_tokens"] as const;

function readCap(fields: RequestFields, config: JsonObject | undefined): number | undefined {
  if (config === undefined) return undefined;
  let cap: number | undefined;
  for (const key of CAPS) {
    const node = present(member(config, key));
    if (node === undefined) continue;
    if (node.kind !== "number" || !Number.isSafeInteger(node.value) || node.value < 0)
      return fields.refuse(`/inferenceConfig/${key}`, `${key} must be a whole number.`);
    cap = Math.max(cap ?? 0, node.value);
  }
  return cap;
}

/** Fields that go to the model as they are, past everything that this API checks. A cap in them would not be seen as one. */
function refuseHiddenCaps(fields: RequestFields, extra: JsonObject | undefined): void {
  for (const { key } of extra?.members ?? []) {
    if (/^(?:max_?tokens|max_completion_tokens|max_?tokens_to_sample|max_gen_len|maxTokenCount|max_new_tokens)$/i.test(key))
      fields.refuse(`/additionalModelRequestFields/${key}`, "Set the cap as inferenceConfig.maxTokens.");
  }
}

// ---- tools and state ----

function* readTools(fields: RequestFields, extra: JsonObject | undefined): Steps<ToolRef[]> {
  const tools: ToolRef[] = [];
  const config = objectMember(fields, fields.root, "toolConfig", "/toolConfig");
  const list = config === undefined ? undefined : present(member(config, "tools"));
  const items = list === undefined ? [] : (fields.objectsOf(list, "/toolConfig/tools") ?? []);
  for (const [index, tool] of items.entries()) {
    if (isStepDone(index + 1)) yield;
    if (member(tool, "cachePoint") !== undefined) continue;
    const spec = member(tool, "toolSpec");
    const name = stringMember(spec, "name") ?? stringMember(member(tool, "systemTool"), "name");
    if (name === undefined) fields.refuse(`/toolConfig/tools/${index}`, "A tool must have a name.");
    else tools.push({ name: name.value, kind: spec === undefined ? "provider" : "function", use: "offered", node: tool });
  }
  // Tools of the model's maker (Anthropic's computer use), which Bedrock passes on.
  const own = extra === undefined ? undefined : present(member(extra, "tools"));
  const ownItems = own === undefined ? [] : (fields.objectsOf(own, "/additionalModelRequestFields/tools") ?? []);
  for (const [index, tool] of ownItems.entries()) {
    if (isStepDone(index + 1)) yield;
    const name = stringMember(tool, "name") ?? stringMember(tool, "type");
    if (name === undefined) fields.refuse(`/additionalModelRequestFields/tools/${index}`, "A tool must have a name.");
    else tools.push({ name: name.value, kind: "function", use: "offered", node: tool });
  }
  const forced = stringMember(member(config === undefined ? undefined : member(config, "toolChoice"), "tool"), "name");
  if (forced !== undefined) tools.push({ name: forced.value, kind: "function", use: "forced", node: forced });
  return tools;
}

/** Objects in S3, which Bedrock reads with the gateway's rights. */
function* readState(root: JsonObject): Steps<ProviderStateRef[]> {
  const refs: ProviderStateRef[] = [];
  for (const key of ["messages", "system"]) {
    const node = member(root, key);
    if (node !== undefined) yield* addFiles(node, refs);
  }
  return refs;
}

function addFiles(node: JsonNode, refs: ProviderStateRef[]): Steps<void> {
  return eachMember(node, (key, value) => {
    // Data of the caller's own, where such a name means nothing.
    if (key === "input" || key === "json") return false;
    const uri = key === "s3Location" ? stringMember(value, "uri") : undefined;
    if (uri !== undefined) refs.push({ kind: "file", node: uri });
    return uri === undefined;
  });
}

// ---- texts ----

const skipped = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, SKIP]));

/**
 * Reasoning is inspected like any text: only some models' is signed, so that a caller could make it up. What is signed cannot be edited,
 * but it can be found.
 */
const CONTENT_RULES: WalkRules = {
  keys: ruleTable({
    ...skipped(["role", "format", "toolUseId", "status", "signature", "redactedContent", "cachePoint", "bucketOwner", "qualifiers"]),
    bytes: FILE,
    uri: placed("url"),
    toolUse: placed("tool_arguments"),
    input: free("tool_arguments"),
    toolResult: placed("tool_result"),
    // What was written or found elsewhere, whoever brings it along.
    document: placed("tool_result"),
    searchResult: placed("tool_result"),
    // Of a document, or of a tool that was called: Bedrock takes few signs in it.
    name: placedString("file_name"),
    json: free("tool_result"),
  }),
  placeOf: (_object, inherited) => inherited,
};
const TOOL_RULES: WalkRules = {
  keys: ruleTable({ cachePoint: SKIP, toolChoice: SKIP, inputSchema: free("tool_definition") }),
  placeOf: (_object, inherited) => inherited,
};

/** Members of the root whose strings are names, modes and ids of the API, never text. */
const PLAIN_KEYS: ReadonlySet<string> = new Set([
  ...["guardrailConfig", "performanceConfig", "serviceTier", "additionalModelResponseFieldPaths", "schemaVersion", "modelId"],
]);

function readTexts(root: JsonObject): RequestTexts {
  const out = new Texts();
  for (const entry of root.members) {
    const { key, value } = entry;
    if (PLAIN_KEYS.has(key)) walkNames(value, out);
    if (PLAIN_KEYS.has(key) || parameterTexts(entry, out)) continue;
    if (key === "messages" && value.kind === "array") {
      walkItems(value.items, placeOfRole, CONTENT_RULES, out);
    } else if (key === "system") walkTexts(value, "system", CONTENT_RULES, out);
    else if (key === "toolConfig") walkTexts(value, "tool_definition", TOOL_RULES, out);
    else if (key === "outputConfig") walkAllTexts(value, "schema", out);
    else if (key === "promptVariables") walkAllTexts(value, "user", out);
    else if (key === "inferenceConfig") walkAllTexts(value, "parameter", out);
    else walkAllTexts(value, "other", out);
  }
  return out;
}

function placeOfRole(message: JsonNode): TextPlace {
  const role = stringMember(message, "role")?.value;
  return role === "assistant" ? "assistant" : role === "system" ? "system" : "user";
}

// ---- edits ----

/** Members of `inferenceConfig`; all other parameters are members of the request itself. */
const INFERENCE: ReadonlySet<string> = new Set(["temperature", "topP", "topK", "stopSequences"]);

/** Edits of a Converse body. The model stands in the path. */
export function converseEdits(root: JsonNode, change: RequestChange): JsonEdit[] {
  if (root.kind !== "object") return [];
  const inference: Record<string, Json> = {};
  const parameters: Record<string, Json> = {};
  for (const [key, value] of Object.entries(change.parameters ?? {})) {
    if (INFERENCE.has(key)) inference[key] = value;
    else parameters[key] = value;
  }
  const config = member(root, "inferenceConfig");
  if (change.outputTokensMax !== undefined) {
    const spelt = CAPS.filter((key) => present(member(config, key)) !== undefined);
    for (const key of spelt.length === 0 ? [CAPS[0]] : spelt) inference[key] = change.outputTokensMax;
  }
  const { model: _path, outputTokensMax: _cap, ...rest } = change;
  const edits = topLevelEdits(root, { ...rest, parameters }, { model: "model", outputTokensMax: undefined });
  if (Object.keys(inference).length > 0 && !Object.hasOwn(parameters, "inferenceConfig")) {
    if (config === undefined) edits.push({ kind: "insert", object: root, key: "inferenceConfig", text: JSON.stringify(inference) });
    else if (config.kind !== "object") edits.push({ kind: "replace", node: config, text: JSON.stringify(inference) });
    else edits.push(...topLevelEdits(config, { parameters: inference }, { model: "model", outputTokensMax: undefined }));
  }
  return [...edits, ...thinkingEdits(root, change)];
}

/** Smallest budget that Anthropic takes. */
const THINKING_BUDGET_MIN = 1024;

/** A thinking budget must stay below the cap, or the model refuses the request: it shrinks with it, and is off where none fits. */
function thinkingEdits(root: JsonObject, { outputTokensMax: cap, parameters }: RequestChange): JsonEdit[] {
  if (cap === undefined || (parameters !== undefined && Object.hasOwn(parameters, "additionalModelRequestFields"))) return [];
  const edits: JsonEdit[] = [];
  for (const key of ["thinking", "reasoning_config"]) {
    const thinking = member(member(root, "additionalModelRequestFields"), key);
    const budget = member(thinking, "budget_tokens");
    if (thinking === undefined || budget?.kind !== "number" || budget.value < cap) continue;
    if (cap > THINKING_BUDGET_MIN) edits.push({ kind: "replace", node: budget, text: String(cap - 1) });
    else edits.push({ kind: "replace", node: thinking, text: '{"type":"disabled"}' });
  }
  return edits;
}
