import type { ParseError } from "../../core/codec.ts";
import { type JsonNode, type JsonObject, member } from "../../core/json.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { isStepDone, type Steps } from "../../core/slice.ts";
import type { ProviderStateRef, RequestTexts, RequestView, TextPlace, ToolRef } from "../../core/view.ts";
import { eachMember } from "./each-member.ts";
import { readInputParts } from "./input-parts.ts";
import { present, RequestFields, stringMember, urlOf } from "./request-fields.ts";
import {
  FILE,
  free,
  parameterTexts,
  placed,
  ruleTable,
  SKIP,
  Texts,
  type WalkRules,
  walkFiles,
  walkNames,
  walkTexts,
} from "./text-walk.ts";
import { readToolResults } from "./tool-results.ts";

/**
 * The request of OpenAI's Responses API as policies see it.
 * Source: the types of the `openai` package 7.57 (`ResponseCreateParamsBase`, `ResponseInputItem`, `Tool`), read 2026-11-24.
 */
export function* responsesSteps(root: JsonNode): Steps<Result<RequestView, ParseError>> {
  if (root.kind !== "object") return err({ code: "invalid_request", where: "", message: "The body must be a JSON object." });
  const fields = new RequestFields(root);
  fields.refuseFurtherModels();
  const streaming = fields.boolean("stream") ?? false;
  const input = fields.node("input");
  const items = input === undefined || input.kind === "string" ? [] : (fields.objectsOf(input, "/input") ?? []);
  const view: RequestView = {
    model: fields.string("model")?.value,
    streaming,
    framing: streaming ? "sse" : "json",
    outputTokensMax: fields.count("max_output_tokens"),
    choices: 1,
    tools: yield* readTools(fields, items),
    providerState: yield* readProviderState(fields, items),
    contractFields: fields.contractFields(),
    ...expectedInBackground(fields),
    texts: () => readTexts(root),
    toolResults: () => readToolResults(root),
    inputParts: () => readInputParts(root, { bare: false }),
  };
  return fields.problem === undefined ? ok(view) : err(fields.problem);
}

/** The answer to a background call is only its receipt, so its cap stands for the output that is made later. */
function expectedInBackground(fields: RequestFields): { readonly expected?: { readonly outputTokens: number } } {
  const cap = fields.boolean("background") === true ? fields.count("max_output_tokens") : undefined;
  return cap === undefined ? {} : { expected: { outputTokens: cap } };
}

// ---- tools ----

function* readTools(fields: RequestFields, items: readonly JsonObject[]): Steps<ToolRef[]> {
  const tools: ToolRef[] = [];
  yield* addList(fields, fields.objects("tools"), "/tools", tools);
  // OpenRouter: `plugins: [{id: "web"}]`.
  for (const [index, node] of fields.objects("plugins").entries()) {
    if (isStepDone(index + 1)) yield;
    const id = stringMember(node, "id");
    if (id === undefined) fields.refuse(`/plugins/${index}`, "A plugin must have an id.");
    else tools.push({ name: id.value, kind: "provider", use: "offered", node });
  }
  // Tools that the caller brings into a running conversation: results of a client-side tool search, later additions.
  for (const [index, item] of items.entries()) {
    if (isStepDone(index + 1)) yield;
    const type = stringMember(item, "type")?.value;
    if (type === "tool_search_output" || type === "additional_tools") yield* addTools(fields, item, `/input/${index}`, tools);
  }
  yield* addForced(fields, tools);
  return tools;
}

function* addTools(fields: RequestFields, holder: JsonObject, where: string, out: ToolRef[]): Steps<void> {
  const list = present(member(holder, "tools"));
  if (list === undefined) return;
  yield* addList(fields, fields.objectsOf(list, `${where}/tools`) ?? [], `${where}/tools`, out);
}

function* addList(fields: RequestFields, list: readonly JsonObject[], where: string, out: ToolRef[]): Steps<void> {
  for (const [index, tool] of list.entries()) {
    if (isStepDone(index + 1)) yield;
    if (stringMember(tool, "type")?.value === "namespace") yield* addTools(fields, tool, `${where}/${index}`, out);
    else addTool(fields, tool, `${where}/${index}`, out);
  }
}

function addTool(fields: RequestFields, tool: JsonObject, where: string, out: ToolRef[]): void {
  const type = stringMember(tool, "type")?.value;
  const ref = toolRef(tool, type, "offered");
  if (ref !== undefined) out.push(ref);
  else fields.refuse(where, "A tool must have a type, and one name or server_label where its type asks for one.");
}

/** A tool by its definition or by the entry of a tool choice that names it; both spell it alike. */
function toolRef(tool: JsonObject, type: string | undefined, use: ToolRef["use"]): ToolRef | undefined {
  if (type === undefined || type === "function" || type === "custom") {
    // Chat Completions nests name and schema under `function`; compatible servers take that here too.
    const name = stringMember(tool, "name");
    const nested = stringMember(member(tool, "function"), "name");
    if (name !== undefined && nested !== undefined && name.value !== nested.value) return undefined;
    const found = name ?? nested;
    return found === undefined ? undefined : { name: found.value, kind: "function", use, node: tool };
  }
  if (type === "mcp") {
    const label = stringMember(tool, "server_label");
    return label === undefined ? undefined : { name: label.value, kind: "server", use, node: tool, ...urlOf(tool, "server_url") };
  }
  return { name: withoutDate(type), kind: "provider", use, node: tool };
}

/** `web_search_2025_08_26` is a dated spelling of `web_search`. */
function withoutDate(type: string): string {
  return type.replace(/_\d{4}_\d{2}_\d{2}$/, "");
}

function* addForced(fields: RequestFields, out: ToolRef[]): Steps<void> {
  const choice = fields.node("tool_choice");
  if (choice === undefined || choice.kind === "string") return;
  if (choice.kind !== "object") {
    fields.refuse("/tool_choice", "tool_choice must be a string or an object.");
    return;
  }
  const type = stringMember(choice, "type")?.value;
  if (type === "allowed_tools") {
    // In mode `auto` the list only narrows what `tools` offers; what is taken out there goes here too.
    const use = stringMember(choice, "mode")?.value === "required" ? "forced" : "offered";
    for (const [index, tool] of (fields.objectsOf(member(choice, "tools") ?? choice, "/tool_choice/tools") ?? []).entries()) {
      if (isStepDone(index + 1)) yield;
      const ref = toolRef(tool, stringMember(tool, "type")?.value, use);
      if (ref !== undefined) out.push(ref);
    }
    return;
  }
  const ref = toolRef(choice, type, "forced");
  if (ref === undefined) fields.refuse("/tool_choice", "tool_choice names no tool.");
  else out.push(ref);
}

// ---- state kept at the provider ----

function* readProviderState(fields: RequestFields, items: readonly JsonObject[]): Steps<ProviderStateRef[]> {
  const refs: ProviderStateRef[] = [];
  const previous = fields.string("previous_response_id");
  if (previous !== undefined) refs.push({ kind: "previous_response", node: previous });
  addNamed(fields, "conversation", "conversation", refs);
  addNamed(fields, "prompt", "prompt", refs);
  // OpenAI keeps answers unless told not to.
  if (fields.boolean("store") !== false) refs.push({ kind: "store", node: undefined });
  if (fields.boolean("background") === true) refs.push({ kind: "background", node: undefined });
  for (const [index, item] of items.entries()) {
    if (isStepDone(index + 1)) yield;
    const type = stringMember(item, "type")?.value;
    const id = stringMember(item, "id");
    // The type of a reference may be left out: then it is the item that has nothing but an id.
    if (id !== undefined && (type === "item_reference" || (type === undefined && member(item, "role") === undefined))) {
      refs.push({ kind: "item", node: id });
    }
  }
  for (const [index, { key, value }] of fields.root.members.entries()) {
    if (isStepDone(index + 1)) yield;
    if (!STATELESS_ROOT_KEYS.has(key)) yield* addNestedState(value, refs);
  }
  // The caller names the variables of a stored prompt, so their names say nothing.
  const variables = member(fields.node("prompt"), "variables");
  if (variables?.kind === "object") for (const { value } of variables.members) yield* addNestedState(value, refs);
  return refs;
}

/** A thing named by its id: a string, or an object with one. */
function addNamed(fields: RequestFields, key: string, kind: ProviderStateRef["kind"], refs: ProviderStateRef[]): void {
  const node = fields.node(key);
  if (node === undefined) return;
  const id = node.kind === "string" ? node : stringMember(node, "id");
  if (id === undefined) fields.refuse(`/${key}`, `${key} must be an id, or an object with one.`);
  else refs.push({ kind, node: id });
}

const STATE_KEYS: ReadonlyMap<string, ProviderStateRef["kind"]> = new Map([
  ["file_id", "file"],
  ["file_ids", "file"],
  ["vector_store_ids", "vector_store"],
  ["container", "container"],
  ["container_id", "container"],
  ["skill_id", "other"],
]);
/** Caller's own data, where such a key means nothing to the provider, and what is read on its own. */
const STATELESS_ROOT_KEYS: ReadonlySet<string> = new Set(["metadata", "text", "prompt"]);
/** Own data again; and echoes of answers, where a citation names a file that the provider does not load. */
const STATELESS_KEYS: ReadonlySet<string> = new Set(["parameters", "schema", "annotations", "results"]);

function* addNestedState(node: JsonNode, refs: ProviderStateRef[]): Steps<void> {
  // Most members of the root are no containers.
  if (node.kind !== "array" && node.kind !== "object") return;
  yield* eachMember(node, (key, value) => {
    const kind = STATE_KEYS.get(key);
    if (kind !== undefined) {
      const ids = value.kind === "array" ? value.items : [value];
      for (const id of ids) if (id.kind === "string") refs.push({ kind, node: id });
    }
    return !STATELESS_KEYS.has(key);
  });
}

// ---- texts ----

/** Where the texts of an input item stand, by its type; messages go by their role. */
const ITEM_PLACES: ReadonlyMap<string, TextPlace> = new Map<string, TextPlace>([
  ["reasoning", "assistant"],
  ["compaction", "assistant"],
  ["image_generation_call", "assistant"],
  ...["function_call", "custom_tool_call", "mcp_call", "mcp_approval_request", "computer_call", "local_shell_call", "shell_call"].map(
    argumentsPlace,
  ),
  ...["apply_patch_call", "web_search_call", "file_search_call", "code_interpreter_call", "tool_search_call", "program"].map(
    argumentsPlace,
  ),
  ...["function_call_output", "custom_tool_call_output", "computer_call_output", "local_shell_call_output", "shell_call_output"].map(
    resultPlace,
  ),
  ...["apply_patch_call_output", "mcp_approval_response", "program_output"].map(resultPlace),
  ["tool_search_output", "tool_definition"],
  ["additional_tools", "tool_definition"],
  ["mcp_list_tools", "tool_definition"],
]);
function argumentsPlace(type: string): [string, TextPlace] {
  return [type, "tool_arguments"];
}
function resultPlace(type: string): [string, TextPlace] {
  return [type, "tool_result"];
}
const ROLE_PLACES: ReadonlyMap<string, TextPlace> = new Map<string, TextPlace>([
  ["system", "system"],
  ["developer", "system"],
  ["user", "user"],
  ["assistant", "assistant"],
  ["tool", "tool_result"],
]);

const RULES: WalkRules = {
  keys: ruleTable({
    ...Object.fromEntries(
      [
        "type",
        "id",
        "call_id",
        "item_id",
        "role",
        "status",
        "object",
        "phase",
        "execution",
        "detail",
        "caller_id",
        "approval_request_id",
      ].map((key) => [key, SKIP]),
    ),
    ...Object.fromEntries(["file_id", "file_ids", "vector_store_ids", "container_id", "skill_id"].map((key) => [key, SKIP])),
    // Ciphertext and media bytes.
    ...Object.fromEntries(["encrypted_content", "signature", "logprobs", "format"].map((key) => [key, SKIP])),
    file_data: FILE,
    data: FILE,
    ...Object.fromEntries(["image_url", "file_url", "url", "server_url"].map((key) => [key, placed("url")])),
    filename: placed("file_name"),
    arguments: placed("tool_arguments", "json"),
    ...Object.fromEntries(["output", "outputs", "results", "error"].map((key) => [key, placed("tool_result")])),
    parameters: free("tool_definition"),
    input_schema: free("tool_definition"),
    schema: free("schema"),
    // Of a found file: names and values are its owner's.
    attributes: free("tool_result"),
  }),
  placeOf: (_object, inherited) => inherited,
};

/** Members of the root whose strings are names, modes and ids of the API, never text. */
const PLAIN_ROOT_KEYS: ReadonlySet<string> = new Set([
  ...["model", "stream", "stream_options", "store", "background", "include", "truncation", "service_tier", "reasoning", "tool_choice"],
  ...["previous_response_id", "conversation", "max_output_tokens", "prompt_cache_retention", "prompt_cache_options", "context_management"],
]);

function readTexts(root: JsonObject): RequestTexts {
  const out = new Texts();
  for (const entry of root.members) {
    const { key, value } = entry;
    if (PLAIN_ROOT_KEYS.has(key)) walkNames(value, out);
    if (PLAIN_ROOT_KEYS.has(key) || parameterTexts(entry, out)) continue;
    if (key === "input") inputTexts(value, out);
    else if (key === "instructions") walkTexts(value, "system", RULES, out);
    else if (key === "tools") walkTexts(value, "tool_definition", RULES, out);
    else if (key === "text") formatTexts(value, out);
    else if (key === "prompt") promptTexts(value, out);
    else walkTexts(value, "other", RULES, out);
  }
  return out;
}

const PICTURE_KEYS: ReadonlySet<string> = new Set(["type", "id", "status"]);

function inputTexts(input: JsonNode, out: Texts): void {
  if (input.kind !== "array") walkTexts(input, "user", RULES, out);
  else
    out.addEach(input.items, (item, texts) => {
      const type = stringMember(item, "type")?.value;
      const role = stringMember(item, "role")?.value;
      const place = (type === undefined || type === "message" ? ROLE_PLACES.get(role ?? "") : ITEM_PLACES.get(type)) ?? "other";
      if (type !== "image_generation_call" || item.kind !== "object") walkTexts(item, place, RULES, texts);
      // Its `result` is the picture, in base64.
      else
        for (const { key, value } of item.members)
          if (key === "result") walkFiles(value, place, texts);
          else if (PICTURE_KEYS.has(key)) walkNames(value, texts);
          else walkTexts(value, place, RULES, texts);
    });
}

/** `text: {format: {type, name, description, schema}, verbosity}` */
function formatTexts(text: JsonNode, out: Texts): void {
  const format = member(text, "format");
  if (format !== undefined) walkTexts(format, "schema", RULES, out);
  if (text.kind !== "object") return;
  for (const { key, value } of text.members) if (key !== "format" && key !== "verbosity") walkTexts(value, "other", RULES, out);
}

/** Variables are put into the stored prompt; each is a string or a piece of input. */
function promptTexts(prompt: JsonNode, out: Texts): void {
  if (prompt.kind !== "object") return;
  for (const { key, value } of prompt.members) {
    if (key === "id" || key === "version") continue;
    if (key !== "variables" || value.kind !== "object") walkTexts(value, "other", RULES, out);
    else for (const variable of value.members) walkTexts(variable.value, "user", RULES, out);
  }
}
