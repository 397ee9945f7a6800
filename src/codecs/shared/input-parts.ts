import { type JsonNode, type JsonObject, type JsonString, member } from "../../core/json.ts";
import { jsonText } from "../../core/tokens/input.ts";
import type { InputParts, MediaPart } from "../../core/tokens/parts.ts";
import { imageSize } from "./image-size.ts";
import { stringMember } from "./request-fields.ts";

/** The parts while they are collected. */
interface Parts {
  turns: number;
  system: boolean;
  readonly texts: string[];
  readonly reasoning: string[];
  readonly sealed: { chars: number; pieces: number };
  readonly sealedOpen: { chars: number; pieces: number };
  readonly bare: boolean;
  thinking: boolean;
  jsonMode: boolean;
  calls: number;
  results: number;
  readonly tools: JsonNode[];
  hostedTools: number;
  nestedTools: boolean;
  schema: JsonNode | undefined;
  readonly media: MediaPart[];
  tokens: number;
}

/** Members that hold the prompt, in all dialects (snake case; Gemini's and Bedrock's camel case is brought there first). */
const CONVERSATIONS: ReadonlySet<string> = new Set(["messages", "contents", "chat_history"]);
const SYSTEMS: ReadonlySet<string> = new Set(["system", "instructions", "system_instruction", "preamble"]);
const PROMPTS: ReadonlySet<string> = new Set([
  ...["prompt", "suffix", "input_text", "inputs", "texts", "query", "documents", "message", "content", "tool_results", "prediction"],
]);

/**
 * What a provider makes its prompt of, from a body of any dialect. One walk; linear in the body.
 * Source: the same API references as the codecs' readers. What is not known to reach the model is left out.
 */
export function readInputParts(root: JsonNode, { bare }: { readonly bare: boolean }): InputParts {
  const parts: Parts = {
    ...{ turns: 0, system: false, texts: [], reasoning: [], calls: 0, results: 0 },
    ...{ sealed: { chars: 0, pieces: 0 }, sealedOpen: { chars: 0, pieces: 0 }, bare, thinking: false, jsonMode: false },
    ...{ tools: [], hostedTools: 0, nestedTools: false, schema: undefined, media: [], tokens: 0 },
  };
  if (root.kind === "object") readRoot(root, parts);
  return parts;
}

function readRoot(root: JsonObject, parts: Parts): void {
  for (const { key, value } of root.members) {
    const name = snake(key);
    if (CONVERSATIONS.has(name) || (name === "input" && isConversation(value))) {
      const messages = itemsOf(value);
      for (const message of messages) readMessage(message, parts);
      // The beginning of an answer is no message of its own.
      if (messages.length > 1 && stringMember(messages.at(-1), "role")?.value === "assistant") parts.turns--;
    } else if (SYSTEMS.has(name)) {
      const before = parts.texts.length;
      readContent(value, parts);
      if (parts.texts.length > before) parts.system = true;
    } else if (name === "input" && value.kind === "object") {
      // Bedrock's token counter wraps the request.
      const inner = member(value, "converse");
      if (inner?.kind === "object") readRoot(inner, parts);
    } else if (PROMPTS.has(name) || name === "input") readPrompt(value, parts);
    else if (name === "requests" || name === "generate_content_request" || name === "instances") {
      for (const request of itemsOf(value)) if (request.kind === "object") readRoot(request, parts);
    } else if (name === "tools" || name === "functions") for (const tool of itemsOf(value)) readTool(tool, parts);
    else if (name === "tool_config") for (const tool of itemsOf(member(value, "tools"))) readTool(tool, parts);
    else if (name === "mcp_servers" || name === "connectors" || name === "plugins") parts.hostedTools += itemsOf(value).length;
    else if (name === "response_format" || name === "text" || name === "output_config" || name === "output_format") {
      parts.schema ??= schemaIn(value);
      parts.jsonMode ||= stringMember(member(value, "format") ?? value, "type")?.value === "json_object";
    } else if (name === "thinking" || name === "reasoning" || name === "additional_model_request_fields") {
      const type = stringMember(member(value, "thinking") ?? member(value, "reasoning_config") ?? value, "type")?.value;
      parts.thinking ||=
        type === "enabled" || type === "adaptive" || (name === "reasoning" && value.kind === "object" && value.members.length > 0);
    } else if (name === "generation_config" && value.kind === "object") {
      parts.schema ??= member(value, "responseSchema") ?? member(value, "responseJsonSchema") ?? member(value, "response_schema");
    }
  }
  if (parts.turns === 0 && parts.texts.length > 0) parts.turns = 1;
}

/** `input` of the Responses API is a list of items; of embeddings, texts or tokens. */
function isConversation(node: JsonNode): boolean {
  return (
    node.kind === "array" &&
    node.items.some((item) => item.kind === "object" && (member(item, "role") ?? member(item, "type")) !== undefined)
  );
}

function readPrompt(node: JsonNode, parts: Parts): void {
  if (node.kind === "number") parts.tokens++;
  else if (node.kind === "array") for (const item of node.items) readPrompt(item, parts);
  else readContent(node, parts);
}

// ---- messages ----

function readMessage(message: JsonNode, parts: Parts): void {
  parts.turns++;
  const role = stringMember(message, "role")?.value.toLowerCase();
  if (role === "system" || role === "developer") {
    parts.system = true;
    parts.turns--;
  } else if (role === "tool" || role === "function") parts.results++;
  else if (role === "user" && !holdsResult(message)) {
    // A new question: providers drop the reasoning before it.
    parts.sealedOpen.chars = 0;
    parts.sealedOpen.pieces = 0;
    parts.reasoning.length = 0;
  }
  readContent(message, parts);
}

function holdsResult(message: JsonNode): boolean {
  return itemsOf(member(message, "content") ?? member(message, "parts")).some(
    (part) =>
      part.kind === "object" &&
      (RESULTS.has(stringMember(part, "type")?.value ?? "") || part.members.some(({ key }) => RESULTS.has(snake(key)))),
  );
}

/** Never read by the model: ids, modes, marks for caches; `text` and the like are what is left. */
const UNREAD: ReadonlySet<string> = new Set([
  ...["type", "id", "role", "index", "status", "object", "phase", "detail", "format", "cache_control", "cache_point", "logprobs"],
  ...["call_id", "tool_call_id", "tool_use_id", "item_id", "file_id", "mime_type", "media_type"],
  ...["is_error", "annotations", "citations", "execution", "caller_id", "video_metadata", "media_resolution", "refusal", "audio"],
  ...["encrypted_index", "prompt_cache_breakpoint", "metadata", "filename", "display_name", "file_name"],
]);
const CALLS: ReadonlySet<string> = new Set([
  ...["tool_use", "server_tool_use", "mcp_tool_use", "function_call", "custom_tool_call", "mcp_call", "tool_calls"],
]);
const RESULTS: ReadonlySet<string> = new Set(["tool_result", "function_response", "function_call_output", "custom_tool_call_output"]);
const REASONING: ReadonlySet<string> = new Set([
  ...["thinking", "reasoning", "reasoning_content", "reasoning_details", "reasoning_text", "summary"],
]);
/** Reasoning that only the provider reads, or its seal. */
const SEALED: ReadonlySet<string> = new Set(["encrypted_content", "data", "thought_signature", "signature"]);
/** Data of the caller's own: written into the prompt as JSON, names and all. */
const OWN_JSON: ReadonlySet<string> = new Set(["input", "args", "response", "json", "parameters", "document", "outputs"]);

function readContent(node: JsonNode, parts: Parts): void {
  if (node.kind === "string") readString(node, parts);
  else if (node.kind === "array") for (const item of node.items) readContent(item, parts);
  else if (node.kind === "object") readObject(node, parts);
}

function readString({ value }: JsonString, parts: Parts): void {
  if (/^data:[^,]{0,200};base64,/i.test(value)) parts.media.push(dataUrl(value, undefined));
  else if (value !== "") parts.texts.push(value);
}

function readObject(object: JsonObject, parts: Parts): void {
  const type = stringMember(object, "type")?.value ?? "";
  if (CALLS.has(type)) parts.calls++;
  else if (RESULTS.has(type) || type.endsWith("_tool_result")) parts.results++;
  else if (type === "additional_tools" || type === "tool_search_output") {
    for (const tool of itemsOf(member(object, "tools"))) readTool(tool, parts);
    return;
  }
  const media = mediaOf(object, type);
  if (media !== undefined) {
    parts.media.push(media);
    return;
  }
  if (type === "text" && member(object, "thought")?.kind === "literal") return;
  const isReasoning = REASONING.has(type) || isTrue(member(object, "thought"));
  for (const { key, value } of object.members) {
    const name = snake(key);
    if (UNREAD.has(name)) continue;
    if (SEALED.has(name)) {
      const chars = value.kind === "string" ? value.value.length : 0;
      for (const sum of [parts.sealed, parts.sealedOpen]) {
        sum.chars += chars;
        sum.pieces++;
      }
    } else if (isReasoning || REASONING.has(name)) readReasoning(value, parts.reasoning);
    else if (name === "tool_calls") readCalls(value, parts);
    else if (name === "function_call" || name === "tool_use" || name === "function_response" || name === "tool_result") {
      if (name.endsWith("call") || name.endsWith("use")) parts.calls++;
      else parts.results++;
      readContent(value, parts);
    } else if (OWN_JSON.has(name) && value.kind !== "string") parts.texts.push(jsonText(value));
    else readContent(value, parts);
  }
}

function readCalls(calls: JsonNode, parts: Parts): void {
  for (const call of itemsOf(calls)) {
    parts.calls++;
    if (call.kind !== "object") continue;
    for (const { key, value } of call.members) if (!UNREAD.has(snake(key))) readContent(value, parts);
  }
}

function readReasoning(node: JsonNode, out: string[]): void {
  if (node.kind === "string") out.push(node.value);
  else if (node.kind === "array") for (const item of node.items) readReasoning(item, out);
  else if (node.kind === "object")
    for (const { key, value } of node.members) if (!UNREAD.has(snake(key)) && !SEALED.has(snake(key))) readReasoning(value, out);
}

// ---- tools and schemas ----

function readTool(tool: JsonNode, parts: Parts): void {
  if (tool.kind !== "object") return;
  const declared = member(tool, "functionDeclarations") ?? member(tool, "function_declarations");
  if (declared !== undefined) for (const each of itemsOf(declared)) parts.tools.push(each);
  const inner = member(tool, "function") ?? member(tool, "toolSpec") ?? tool;
  parts.nestedTools ||= inner !== tool;
  const named = member(inner, "name") !== undefined && (member(inner, "description") ?? schemaOf(inner)) !== undefined;
  if (named) parts.tools.push(inner);
  else
    for (const { key, value } of tool.members)
      if (!/^functionDeclarations|function_declarations|cachePoint$/.test(key) && (key === "type" || value.kind === "object"))
        parts.hostedTools++;
}

/** The schema of a tool's input, whatever it is called; Bedrock's is one level deeper. */
export function schemaOf(tool: JsonNode): JsonNode | undefined {
  for (const key of ["parameters", "input_schema", "inputSchema", "parametersJsonSchema", "parameter_definitions"]) {
    const schema = member(tool, key);
    if (schema !== undefined) return member(schema, "json") ?? schema;
  }
  return undefined;
}

function schemaIn(format: JsonNode): JsonNode | undefined {
  const nested = member(format, "format") ?? format;
  const holder = member(nested, "json_schema") ?? nested;
  const bedrock = member(member(member(format, "textFormat"), "structure"), "jsonSchema");
  return member(bedrock, "schema") ?? member(holder, "schema") ?? (holder === nested ? undefined : holder);
}

// ---- media ----

/** The picture, sound or file that a content part is; undefined when it is none. */
function mediaOf(object: JsonObject, type: string): MediaPart | undefined {
  const detail = stringMember(object, "detail")?.value;
  const image = member(object, "image_url");
  if (image !== undefined)
    return urlMedia("image", image.kind === "string" ? image : stringMember(image, "url"), stringMember(image, "detail")?.value ?? detail);
  for (const key of ["inlineData", "inline_data", "fileData", "file_data"]) {
    const data = member(object, key);
    if (data?.kind === "object") {
      const kind = kindOf(stringMember(data, "mimeType")?.value ?? stringMember(data, "mime_type")?.value ?? "");
      return sized(kind, stringMember(data, "data")?.value, undefined);
    }
  }
  const source = member(object, "source");
  if (source?.kind === "object" && (type === "image" || type === "document")) {
    if (stringMember(source, "type")?.value === "text" || member(source, "content") !== undefined) return undefined;
    return sized(type === "image" ? "image" : "file", stringMember(source, "data")?.value, undefined);
  }
  // Bedrock names a part by its one member.
  for (const key of ["image", "document", "video", "audio"] as const) {
    const bytes = stringMember(member(member(object, key), "source"), "bytes");
    if (bytes !== undefined) return sized(key === "document" ? "file" : key, bytes.value, undefined);
  }
  if (type === "input_audio") return sized("audio", stringMember(member(object, "input_audio") ?? object, "data")?.value, undefined);
  if (type === "input_file" || type === "file")
    return urlMedia("file", stringMember(member(object, "file") ?? object, "file_data"), undefined);
  return type === "input_image" ? { kind: "image", bytes: undefined, ...(detail === undefined ? {} : { detail }) } : undefined;
}

function urlMedia(kind: MediaPart["kind"], url: JsonString | undefined, detail: string | undefined): MediaPart {
  if (url === undefined || !url.value.startsWith("data:")) return { kind, bytes: undefined, ...(detail === undefined ? {} : { detail }) };
  return { ...dataUrl(url.value, detail), ...(kind === "file" ? { kind } : {}) };
}

function dataUrl(url: string, detail: string | undefined): MediaPart {
  const comma = url.indexOf(",");
  return sized(kindOf(url.slice(5, Math.min(comma, 64))), url.slice(comma + 1), detail);
}

function sized(kind: MediaPart["kind"], base64: string | undefined, detail: string | undefined): MediaPart {
  const size = kind === "image" && base64 !== undefined ? imageSize(base64) : undefined;
  return {
    kind,
    bytes: base64 === undefined ? undefined : Math.floor((base64.length * 3) / 4),
    ...(size ?? {}),
    ...(detail === undefined ? {} : { detail }),
  };
}

function kindOf(mime: string): MediaPart["kind"] {
  const found = /^(image|audio|video)\//.exec(mime)?.[1];
  return found === "image" || found === "audio" || found === "video" ? found : "file";
}

function itemsOf(node: JsonNode | undefined): readonly JsonNode[] {
  if (node === undefined) return [];
  return node.kind === "array" ? node.items : [node];
}
const isTrue = (node: JsonNode | undefined): boolean => node?.kind === "literal" && node.value === true;
const snake = (key: string): string => key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
