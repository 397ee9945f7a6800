import { type JsonNode, type JsonObject, member } from "../../core/json.ts";
import { isStepDone, type Steps } from "../../core/slice.ts";
import type { ToolRef } from "../../core/view.ts";
import { present, type RequestFields, stringMember, urlOf } from "./request-fields.ts";

/** Root members that turn on a tool which the provider runs, and what policies call it. */
const PROVIDER_TOOL_FIELDS: ReadonlyMap<string, string> = new Map([
  ["web_search_options", "web_search"],
  // xAI's live search.
  ["search_parameters", "live_search"],
  // Groq's compound systems.
  ["search_settings", "web_search"],
]);

/** Tools of a chat request: offered, switched on by a field of their own, or demanded by the tool choice. */
export function* readChatTools(fields: RequestFields): Steps<readonly ToolRef[]> {
  const out: ToolRef[] = [];
  yield* readOffered(fields, out);
  yield* readLegacy(fields, out);
  for (const [key, name] of PROVIDER_TOOL_FIELDS) {
    const node = fields.node(key);
    if (node?.kind === "object") out.push({ name, kind: "provider", use: "offered", node });
    else if (node !== undefined) fields.refuse(`/${key}`, `${key} must be an object.`);
  }
  // OpenRouter: `plugins: [{id: "web"}]`.
  for (const [index, node] of fields.objects("plugins").entries()) {
    if (isStepDone(index + 1)) yield;
    const id = stringMember(node, "id");
    if (id !== undefined) out.push({ name: id.value, kind: "provider", use: "offered", node });
    else fields.refuse(`/plugins/${index}`, "A plugin must have an id.");
  }
  yield* readChoice(fields, out);
  return out;
}

function* readOffered(fields: RequestFields, out: ToolRef[]): Steps<void> {
  for (const [index, tool] of fields.objects("tools").entries()) {
    if (isStepDone(index + 1)) yield;
    const ref = toolRef(tool, "offered");
    if (ref !== undefined) out.push(ref);
    else fields.refuse(`/tools/${index}`, "A tool must have a type, and a name where its type asks for one.");
  }
}

/** `functions` and `function_call`, which `tools` and `tool_choice` replaced. */
function* readLegacy(fields: RequestFields, out: ToolRef[]): Steps<void> {
  for (const [index, node] of fields.objects("functions").entries()) {
    if (isStepDone(index + 1)) yield;
    const name = stringMember(node, "name");
    if (name !== undefined) out.push({ name: name.value, kind: "function", use: "offered", node });
    else fields.refuse(`/functions/${index}`, "A function must have a name.");
  }
  const call = fields.node("function_call");
  if (call === undefined || call.kind === "string") return;
  const name = stringMember(call, "name");
  if (call.kind === "object" && name !== undefined) out.push({ name: name.value, kind: "function", use: "forced", node: call });
  else fields.refuse("/function_call", "function_call must be a string, or an object with a name.");
}

function* readChoice(fields: RequestFields, out: ToolRef[]): Steps<void> {
  const choice = fields.node("tool_choice");
  // "none", "auto", "required", "any": modes, not names.
  if (choice === undefined || choice.kind === "string") return;
  const shape = "tool_choice must be a string, or an object that names a tool or a list of allowed tools.";
  if (choice.kind !== "object") {
    fields.refuse("/tool_choice", shape);
    return;
  }
  if (stringMember(choice, "type")?.value !== "allowed_tools") {
    const ref = toolRef(choice, "forced");
    if (ref === undefined) fields.refuse("/tool_choice", shape);
    else out.push(ref);
    return;
  }
  const allowed = member(choice, "allowed_tools") ?? choice;
  const use = stringMember(allowed, "mode")?.value === "required" ? "forced" : "offered";
  const list: JsonNode | undefined = present(member(allowed, "tools"));
  const tools = list === undefined ? undefined : fields.objectsOf(list, "/tool_choice/allowed_tools/tools");
  if (list === undefined) fields.refuse("/tool_choice", shape);
  for (const [index, tool] of (tools ?? []).entries()) {
    if (isStepDone(index + 1)) yield;
    const ref = toolRef(tool, use);
    if (ref === undefined) fields.refuse("/tool_choice/allowed_tools/tools", shape);
    else out.push(ref);
  }
}

/**
 * A tool by its definition or by the entry of a tool choice: `{type: "function", function: {name}}`, `{type: "custom", custom:
 * {name}}`, the flat `{type, name}` and the typeless `{function: {name}}` that compatible servers take, else a tool that the
 * provider runs, by its type. undefined when it says too little to be judged.
 */
function toolRef(tool: JsonObject, use: ToolRef["use"]): ToolRef | undefined {
  const type = stringMember(tool, "type")?.value;
  const nested = member(tool, "function") ?? member(tool, "custom");
  if (type === undefined || type === "function" || type === "custom" || type === "tool") {
    const name = nested === undefined ? stringMember(tool, "name") : stringMember(nested, "name");
    return name === undefined ? undefined : { name: name.value, kind: "function", use, node: tool };
  }
  if (type === "mcp") {
    const label = stringMember(tool, "server_label");
    return label === undefined ? undefined : { name: label.value, kind: "server", use, node: tool, ...urlOf(tool, "server_url") };
  }
  return { name: type, kind: "provider", use, node: tool };
}
