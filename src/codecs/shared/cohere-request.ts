import type { ParseError, RequestChange } from "../../core/codec.ts";
import { type JsonEdit, type JsonNode, type JsonObject, member } from "../../core/json.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { ProviderStateRef, RequestTexts, RequestView, TextPlace, ToolRef } from "../../core/view.ts";
import { readInputParts } from "./input-parts.ts";
import { topLevelEdits } from "./request-edits.ts";
import { RequestFields, stringMember } from "./request-fields.ts";
import {
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
 * Requests of Cohere's API, versions 1 and 2, as policies see them: chat, embed and rerank.
 * Source: docs.cohere.com/reference (chat, chat-v1, embed, rerank), read 2026-11, and recorded requests.
 */
export function readCohereChat(root: JsonNode, version: 1 | 2): Result<RequestView, ParseError> {
  if (root.kind !== "object") return err({ code: "invalid_request", where: "", message: "The body must be a JSON object." });
  const fields = new RequestFields(root);
  fields.refuseFurtherModels();
  const streaming = fields.boolean("stream") ?? false;
  if (version === 2 && fields.node("messages") === undefined) fields.refuse("/messages", "messages must be an array.");
  // A list of another shape could not be inspected as what it is.
  fields.objects(version === 2 ? "messages" : "chat_history");
  if (version === 1) fields.string("message");
  return viewOf(fields, {
    streaming,
    framing: streaming ? "sse" : "json",
    outputTokensMax: fields.count("max_tokens"),
    tools: readTools(fields),
    providerState: readState(fields),
    texts: () => chatTexts(root),
    toolResults: () => readToolResults(root),
    inputParts: () => readInputParts(root, { bare: false }),
  });
}

/** Embeddings and rerankings: no tools, no state, nothing to cap. */
export function readCohereInputs(root: JsonNode): Result<RequestView, ParseError> {
  if (root.kind !== "object") return err({ code: "invalid_request", where: "", message: "The body must be a JSON object." });
  const texts = (): RequestTexts => inputTexts(root);
  const queries = searchUnits(root);
  return viewOf(new RequestFields(root), {
    ...(queries === undefined ? {} : { expected: { queries } }),
    streaming: false,
    framing: "json",
    outputTokensMax: undefined,
    tools: [],
    providerState: [],
    texts,
    inputParts: () => readInputParts(root, { bare: true }),
  });
}

/** A rerank is billed by the search unit: a query with so many documents, or a part of them (docs.cohere.com, "How does pricing work"). */
const UNIT_DOCUMENTS = 100;
/** undefined: it is no rerank. */
export function searchUnits(root: JsonObject): number | undefined {
  const documents = member(root, "documents");
  if (member(root, "query") === undefined || documents?.kind !== "array") return undefined;
  return Math.max(1, Math.ceil(documents.items.length / UNIT_DOCUMENTS));
}

function viewOf(fields: RequestFields, rest: Omit<RequestView, "model" | "choices" | "contractFields">): Result<RequestView, ParseError> {
  const view: RequestView = { model: fields.string("model")?.value, choices: 1, contractFields: fields.contractFields(), ...rest };
  return fields.problem === undefined ? ok(view) : err(fields.problem);
}

/** Version 2 nests a function's name as OpenAI does, version 1 has it at the top. Connectors run at Cohere. */
function readTools(fields: RequestFields): ToolRef[] {
  const tools: ToolRef[] = [];
  for (const [index, tool] of fields.objects("tools").entries()) {
    const name = stringMember(member(tool, "function"), "name") ?? stringMember(tool, "name");
    if (name === undefined) fields.refuse(`/tools/${index}`, "A tool must have a name.");
    else tools.push({ name: name.value, kind: "function", use: "offered", node: tool });
  }
  for (const [index, connector] of fields.objects("connectors").entries()) {
    const id = stringMember(connector, "id");
    if (id === undefined) fields.refuse(`/connectors/${index}`, "A connector must have an id.");
    else tools.push({ name: id.value, kind: "provider", use: "offered", node: connector });
  }
  return tools;
}

/** Version 1 keeps a conversation's history under an id of the caller's choice. */
function readState(fields: RequestFields): ProviderStateRef[] {
  const conversation = fields.string("conversation_id");
  return conversation === undefined ? [] : [{ kind: "conversation", node: conversation }];
}

// ---- texts ----

const skipped = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, SKIP]));
const RULES: WalkRules = {
  keys: ruleTable({
    ...skipped(["type", "role", "id", "tool_call_id", "detail"]),
    image_url: placed("url"),
    url: placed("url"),
    arguments: placed("tool_arguments", "json"),
    parameters: free("tool_arguments"),
    // What was found for the model to read, whoever found it.
    document: free("tool_result"),
    outputs: free("tool_result"),
    tool_results: placed("tool_result"),
  }),
  placeOf: (_object, inherited) => inherited,
};
const TOOL_RULES: WalkRules = {
  keys: ruleTable({ type: SKIP, parameters: free("tool_definition"), parameter_definitions: free("tool_definition") }),
  placeOf: (_object, inherited) => inherited,
};
/** Documents have members of the caller's choice, and every one is text; `url` is what answers cite. */
const DOCUMENT_RULES: WalkRules = { keys: ruleTable({ url: placedString("url") }), placeOf: (_object, inherited) => inherited };
const FORMAT_RULES: WalkRules = {
  keys: ruleTable({ type: SKIP, schema: free("schema"), json_schema: free("schema") }),
  placeOf: (_object, inherited) => inherited,
};

/** In version 1 roles are in capitals. */
const ROLE_PLACES: ReadonlyMap<string, TextPlace> = new Map<string, TextPlace>([
  ["system", "system"],
  ["developer", "system"],
  ["user", "user"],
  ["assistant", "assistant"],
  ["chatbot", "assistant"],
  ["tool", "tool_result"],
]);

/** Members of the root whose strings are names, modes and ids of the API, never text. */
const PLAIN_KEYS: ReadonlySet<string> = new Set([
  ...["model", "stream", "safety_mode", "citation_options", "citation_quality", "tool_choice", "thinking", "prompt_truncation"],
  ...["conversation_id", "connectors", "input_type", "embedding_types", "truncate"],
]);

function chatTexts(root: JsonObject): RequestTexts {
  const out = new Texts();
  for (const entry of root.members) {
    const { key, value } = entry;
    if (PLAIN_KEYS.has(key)) walkNames(value, out);
    if (PLAIN_KEYS.has(key) || parameterTexts(entry, out)) continue;
    if (key === "messages" || key === "chat_history") historyTexts(value, out);
    else if (key === "message") walkAllTexts(value, "user", out);
    else if (key === "preamble") walkAllTexts(value, "system", out);
    else if (key === "documents") walkTexts(value, "tool_result", DOCUMENT_RULES, out);
    else if (key === "tools") walkTexts(value, "tool_definition", TOOL_RULES, out);
    else if (key === "tool_results") walkTexts(value, "tool_result", RULES, out);
    else if (key === "response_format") walkTexts(value, "schema", FORMAT_RULES, out);
    else walkTexts(value, "other", RULES, out);
  }
  return out;
}

function historyTexts(messages: JsonNode, out: Texts): void {
  if (messages.kind !== "array") return;
  walkItems(messages.items, (message) => ROLE_PLACES.get(stringMember(message, "role")?.value.toLowerCase() ?? "") ?? "other", RULES, out);
}

function inputTexts(root: JsonObject): RequestTexts {
  const out = new Texts();
  for (const entry of root.members) {
    const { key, value } = entry;
    if (PLAIN_KEYS.has(key)) walkNames(value, out);
    if (PLAIN_KEYS.has(key) || parameterTexts(entry, out)) continue;
    // Documents may be objects of the caller's own, so that no name in them says what is text.
    if (["query", "documents", "texts"].includes(key)) walkAllTexts(value, "user", out);
    else walkTexts(value, key === "inputs" ? "user" : key === "images" ? "url" : "other", RULES, out);
  }
  return out;
}

/** Edits of a chat request, or of one without output (`cap` undefined). */
export function cohereEdits(root: JsonNode, change: RequestChange, cap: "max_tokens" | undefined): readonly JsonEdit[] {
  return root.kind === "object" ? topLevelEdits(root, change, { model: "model", outputTokensMax: cap }) : [];
}
