import type { ParseError, PathFacts, RequestChange, RequestTarget } from "../../core/codec.ts";
import { type JsonEdit, type JsonNode, type JsonObject, member } from "../../core/json.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { isStepDone, type Steps } from "../../core/slice.ts";
import type { ProviderStateRef, RequestTexts, RequestView, TextPlace, ToolRef } from "../../core/view.ts";
import { eachMember } from "./each-member.ts";
import { readInputParts } from "./input-parts.ts";
import { topLevelEdits } from "./request-edits.ts";
import { RequestFields, stringMember, urlOf } from "./request-fields.ts";
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
  walkNames,
  walkTexts,
} from "./text-walk.ts";
import { readToolResults } from "./tool-results.ts";

/**
 * The request of Anthropic's Messages API (and of its token counter, which takes the same) as policies see it.
 * Source: the types of `@anthropic-ai/sdk` 1.12 (`MessageCreateParams`, also of the beta surface), read 2026-11-24.
 *
 * Thinking blocks are no texts: the provider checks their signature, so that they can neither be edited nor, by the same token,
 * be made up by the caller. Media in base64 is no text either, but where it is a file of text.
 */
export function* anthropicSteps(root: JsonNode): Steps<Result<RequestView, ParseError>> {
  if (root.kind !== "object") return err({ code: "invalid_request", where: "", message: "The body must be a JSON object." });
  const fields = new RequestFields(root);
  fields.refuseFurtherModels();
  const streaming = fields.boolean("stream") ?? false;
  const messages = fields.objects("messages");
  const view: RequestView = {
    model: fields.string("model")?.value,
    streaming,
    framing: streaming ? "sse" : "json",
    outputTokensMax: fields.count("max_tokens"),
    choices: 1,
    tools: yield* readTools(fields, messages),
    providerState: yield* readProviderState(fields),
    contractFields: fields.contractFields(),
    texts: () => readTexts(root),
    toolResults: () => readToolResults(root),
    inputParts: () => readInputParts(root, { bare: false }),
  };
  return fields.problem === undefined ? ok(view) : err(fields.problem);
}

// ---- tools ----

function* readTools(fields: RequestFields, messages: readonly JsonObject[]): Steps<ToolRef[]> {
  const tools: ToolRef[] = [];
  for (const [index, tool] of fields.objects("tools").entries()) {
    if (isStepDone(index + 1)) yield;
    addTool(fields, tool, `/tools/${index}`, tools);
  }
  for (const [index, server] of fields.objects("mcp_servers").entries()) {
    if (isStepDone(index + 1)) yield;
    const name = stringMember(server, "name");
    if (name === undefined) fields.refuse(`/mcp_servers/${index}`, "An MCP server must have a name.");
    else tools.push({ name: name.value, kind: "server", use: "offered", node: server, ...urlOf(server, "url") });
  }
  for (const [index, message] of messages.entries()) {
    if (isStepDone(index + 1)) yield;
    yield* addLaterTools(fields, message, index, tools);
  }
  const choice = fields.node("tool_choice");
  if (choice !== undefined && choice.kind !== "object") fields.refuse("/tool_choice", "tool_choice must be an object.");
  if (stringMember(choice, "type")?.value === "tool") {
    const name = stringMember(choice, "name");
    if (name === undefined || choice?.kind !== "object") fields.refuse("/tool_choice", "tool_choice names no tool.");
    else tools.push({ name: name.value, kind: "function", use: "forced", node: choice });
  }
  return tools;
}

/** Tools of Anthropic's making that the caller runs; all other typed ones run at Anthropic. */
const CALLER_RUN = /^(?:bash|text_editor|computer|memory|browser_toolset|computer_toolset)_\d{8}$/;

function addTool(fields: RequestFields, tool: JsonObject, where: string, out: ToolRef[]): void {
  const type = stringMember(tool, "type")?.value;
  const name = stringMember(tool, "name")?.value;
  if (type === undefined || type === "custom" || CALLER_RUN.test(type)) {
    const found = name ?? withoutDate(type ?? "");
    if (found === "" || (name === undefined && type === "custom")) fields.refuse(where, "A tool must have a name.");
    else out.push({ name: found, kind: "function", use: "offered", node: tool });
  } else if (type === "mcp_toolset") {
    const server = stringMember(tool, "mcp_server_name");
    if (server === undefined) fields.refuse(where, "An MCP toolset must name its server.");
    else out.push({ name: server.value, kind: "server", use: "offered", node: tool });
  } else {
    // By type, not by the name that the caller wrote beside it: the type is what runs. Both are the same where the provider is content.
    out.push({ name: withoutDate(type), kind: "provider", use: "offered", node: tool });
  }
}

/** `web_search_20250305` is a dated spelling of `web_search`. */
function withoutDate(type: string): string {
  return type.replace(/_\d{8}$/, "");
}

/** `{type: "tool_addition", tool: {type: "tool_definition", definition}}` blocks bring tools into a running conversation. */
function* addLaterTools(fields: RequestFields, message: JsonObject, at: number, out: ToolRef[]): Steps<void> {
  const content = member(message, "content");
  if (content?.kind !== "array") return;
  for (const [index, block] of content.items.entries()) {
    if (isStepDone(index + 1)) yield;
    const type = stringMember(block, "type")?.value;
    if (type === "tool_addition") addAddition(fields, block, `/messages/${at}/content/${index}`, out);
    if (type !== "compaction") continue;
    const changes = member(block, "tool_changes");
    if (changes?.kind !== "array") continue;
    for (const [number, change] of changes.items.entries()) {
      if (isStepDone(number + 1)) yield;
      if (stringMember(change, "type")?.value === "tool_addition") addAddition(fields, change, `/messages/${at}/content/${index}`, out);
    }
  }
}

function addAddition(fields: RequestFields, addition: JsonNode | undefined, where: string, out: ToolRef[]): void {
  const tool = member(addition, "tool");
  const definition = member(tool, "definition") ?? tool;
  if (definition?.kind !== "object") fields.refuse(where, "A tool addition must have a tool.");
  else if (stringMember(definition, "type")?.value !== "tool_reference") addTool(fields, definition, where, out);
}

// ---- state kept at the provider ----

function* readProviderState(fields: RequestFields): Steps<ProviderStateRef[]> {
  const refs: ProviderStateRef[] = [];
  const container = fields.node("container");
  if (container !== undefined) {
    const id = container.kind === "string" ? container : stringMember(container, "id");
    if (id !== undefined) refs.push({ kind: "container", node: id });
    else if (container.kind !== "object") fields.refuse("/container", "container must be an id or an object.");
    addSkills(member(container, "skills"), refs);
  }
  const thread = stringMember(fields.node("thread"), "previous_message_id");
  if (thread !== undefined) refs.push({ kind: "previous_response", node: thread });
  for (const key of ["user_profile_id", "workspace_id"]) {
    const id = fields.string(key);
    if (id !== undefined) refs.push({ kind: "other", node: id });
  }
  for (const key of ["system", "messages"]) {
    const node = fields.node(key);
    if (node !== undefined) yield* addFiles(node, refs);
  }
  return refs;
}

/** Skills of Anthropic's own are no state of anyone. */
function addSkills(skills: JsonNode | undefined, refs: ProviderStateRef[]): void {
  if (skills?.kind !== "array") return;
  for (const skill of skills.items) {
    const id = stringMember(skill, "skill_id");
    if (id !== undefined && stringMember(skill, "type")?.value !== "anthropic") refs.push({ kind: "other", node: id });
  }
}

/** Blocks of earlier answers that name a file which the provider wrote then and does not load now. */
const FILE_ECHOES: ReadonlySet<string> = new Set(["code_execution_output", "bash_code_execution_output"]);

function addFiles(node: JsonNode, refs: ProviderStateRef[]): Steps<void> {
  return eachMember(node, (key, value, object) => {
    if (key === "file_id" && value.kind === "string" && !FILE_ECHOES.has(stringMember(object, "type")?.value ?? ""))
      refs.push({ kind: "file", node: value });
    return key !== "input" && key !== "input_schema";
  });
}

// ---- texts ----

const ROLE_PLACES: ReadonlyMap<string, TextPlace> = new Map<string, TextPlace>([
  ["system", "system"],
  ["user", "user"],
  ["assistant", "assistant"],
]);
const BLOCK_PLACES: ReadonlyMap<string, TextPlace | undefined> = new Map<string, TextPlace | undefined>([
  ["tool_use", "tool_arguments"],
  ["server_tool_use", "tool_arguments"],
  ["mcp_tool_use", "tool_arguments"],
  // What was written or found elsewhere, whoever brings it along.
  ["document", "tool_result"],
  ["search_result", "tool_result"],
  ["tool_addition", "tool_definition"],
  ["tool_removal", "tool_definition"],
  ["mcp_tool_listing", "tool_definition"],
  // Left out: signed, or encrypted.
  ["thinking", undefined],
  ["redacted_thinking", undefined],
]);

const RULES: WalkRules = {
  keys: ruleTable({
    ...Object.fromEntries(["type", "id", "tool_use_id", "file_id", "role", "media_type", "cache_control"].map((key) => [key, SKIP])),
    ...Object.fromEntries(["signature", "encrypted_content", "encrypted_index", "encrypted_stdout"].map((key) => [key, SKIP])),
    url: placed("url"),
    // Of a search result the address, or whatever names it; of a document or image an object.
    source: placedString("url"),
    input: free("tool_arguments"),
    input_schema: free("tool_definition"),
    schema: free("schema"),
  }),
  placeOf(object, inherited) {
    const type = stringMember(object, "type")?.value;
    if (type === undefined) return inherited;
    if (BLOCK_PLACES.has(type)) return BLOCK_PLACES.get(type);
    return type.endsWith("tool_result") ? "tool_result" : inherited;
  },
  rulesOf(object) {
    if (stringMember(object, "type")?.value === "base64") return SOURCE_RULES;
    // Of a result of a search by the provider the words beside its ciphertext.
    return stringMember(object, "encrypted_content") === undefined ? undefined : SEALED_RULES;
  },
};
const SEALED_RULES: WalkRules = { ...RULES, sealed: true, rulesOf: () => undefined };
/** `{type: "base64", media_type, data}` */
const SOURCE_RULES: WalkRules = { keys: ruleTable({ type: SKIP, media_type: SKIP, data: FILE }), placeOf: RULES.placeOf };

/** Members of the root whose strings are names, modes and ids of the API, never text. */
const PLAIN_ROOT_KEYS: ReadonlySet<string> = new Set([
  ...["model", "stream", "max_tokens", "tool_choice", "service_tier", "thinking", "speed", "inference_geo", "container", "betas"],
  ...["context_management", "cache_control", "thread", "diagnostics", "user_profile_id", "workspace_id", "anthropic_version"],
]);

function readTexts(root: JsonObject): RequestTexts {
  const out = new Texts();
  for (const entry of root.members) {
    const { key, value } = entry;
    if (PLAIN_ROOT_KEYS.has(key)) walkNames(value, out);
    if (PLAIN_ROOT_KEYS.has(key) || parameterTexts(entry, out)) continue;
    if (key === "system") walkTexts(value, "system", RULES, out);
    else if (key === "messages") messageTexts(value, out);
    else if (key === "tools" || key === "mcp_servers") walkTexts(value, "tool_definition", TOOL_RULES, out);
    else if (key === "output_config" || key === "output_format") schemaTexts(value, out);
    else walkTexts(value, "other", RULES, out);
  }
  return out;
}

/** In a tool, `input_examples` and the like are the caller's own; nothing in it is a block. */
const TOOL_RULES: WalkRules = { ...RULES, placeOf: (_object, inherited) => inherited, rulesOf: () => undefined };

function messageTexts(messages: JsonNode, out: Texts): void {
  if (messages.kind !== "array") return;
  out.addEach(messages.items, (message, texts) => {
    if (message.kind !== "object") return;
    const place = ROLE_PLACES.get(stringMember(message, "role")?.value ?? "") ?? "other";
    for (const { key, value } of message.members) if (key !== "role") walkTexts(value, key === "content" ? place : "other", RULES, texts);
  });
}

/** `output_config: {format: {type, schema}, effort}`, `output_format: {type, schema}` */
function schemaTexts(config: JsonNode, out: Texts): void {
  if (config.kind !== "object") return;
  for (const { key, value } of config.members) if (key !== "effort" && key !== "type") walkTexts(value, "schema", RULES, out);
}

// ---- paths and edits ----

/** Query members that change what the provider does; all others stay here. */
const BETA_QUERY = "beta=true";

export function anthropicPathFacts({ method, path, query }: RequestTarget, wanted: string): PathFacts | undefined {
  if (method !== "POST" || path !== wanted) return undefined;
  return query.get("beta") === "true" ? { query: BETA_QUERY } : {};
}

export function withQuery(path: string, { query }: PathFacts): string {
  return query === undefined ? path : `${path}?${query}`;
}

/** Smallest budget that Anthropic takes (docs.anthropic.com, extended thinking, 2026-11-24). */
const THINKING_BUDGET_MIN = 1024;

/**
 * Edits of a request. A thinking budget must stay below `max_tokens`, or the provider refuses the request: where a new cap
 * would break that, the budget shrinks with it, and thinking is off where no budget fits.
 */
export function editAnthropicRequest(
  root: JsonNode,
  change: RequestChange,
  outputTokensMax: "max_tokens" | undefined,
): readonly JsonEdit[] {
  if (root.kind !== "object") return [];
  const edits = topLevelEdits(root, change, { model: "model", outputTokensMax });
  const cap = outputTokensMax === undefined ? undefined : change.outputTokensMax;
  const thinking = member(root, "thinking");
  const budget = member(thinking, "budget_tokens");
  if (cap === undefined || thinking === undefined || budget?.kind !== "number" || budget.value < cap) return edits;
  if (change.parameters !== undefined && Object.hasOwn(change.parameters, "thinking")) return edits;
  if (cap > THINKING_BUDGET_MIN) edits.push({ kind: "replace", node: budget, text: String(cap - 1) });
  else edits.push({ kind: "replace", node: thinking, text: '{"type":"disabled"}' });
  return edits;
}
