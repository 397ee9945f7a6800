import { type JsonNode, type JsonObject, member } from "../../core/json.ts";
import { stringMember } from "./request-fields.ts";

/** Members of the root that hold turns of a conversation, or results by themselves (Cohere's v1). */
const ROOTS = ["messages", "input", "contents", "tool_results", "chat_history"];
/** From a turn to a result within one of its parts. */
const DEPTH_MAX = 6;
/** A call in a turn: the member with its id, as each dialect names it. */
const CALL_IDS = ["id", "call_id", "toolUseId"];
/** A result: the member with the id of its call. */
const RESULT_IDS = ["tool_call_id", "tool_use_id", "call_id", "toolUseId"];

/**
 * Results of tools in a request of any dialect, each with the name of its tool: told by the result itself (Gemini, tools that the
 * provider runs), or by the call of the same id earlier in the request. A tool of a remote server comes twice, by the server's name too. What looks like a result and names no known call has no name.
 */
export function* readToolResults(root: JsonNode): Generator<{ readonly tool: string | undefined }> {
  if (root.kind !== "object") return;
  const names = new Map<string, readonly string[]>();
  for (const key of ROOTS) for (const object of objectsOf(member(root, key), key)) yield* readObject(object, names);
  // Cohere: what is to be quoted from.
  const documents = member(root, "documents");
  if (documents?.kind === "array" && documents.items.length > 0) yield { tool: "documents" };
}

function* readObject(
  { object, key, within }: Found,
  names: Map<string, readonly string[]>,
): Generator<{ readonly tool: string | undefined }> {
  const own = stringMember(object, "name")?.value ?? stringMember(member(object, "function"), "name")?.value;
  const type = stringMember(object, "type")?.value ?? "";
  if (key === "functionResponse") return yield { tool: own };
  if (key === "toolResponse") return yield { tool: own ?? stringMember(object, "toolType")?.value };
  if (key === "codeExecutionResult") return yield { tool: "codeExecution" };
  const named = [own, stringMember(object, "server_label")?.value, stringMember(object, "server_name")?.value].filter(
    (name) => name !== undefined,
  );
  if (type === "mcp_call" || type === "mcp_list_tools") return yield* toolsOf(named);
  const found = FOUND_BY_PROVIDER.exec(type)?.[1];
  if (found !== undefined) return yield { tool: found };
  // Parts of a result are no results of their own.
  if (within) return;
  if (isResult(object, type, key)) {
    const id = RESULT_IDS.map((name) => stringMember(object, name)?.value).find((text) => text !== undefined);
    const called = stringMember(member(object, "call"), "name")?.value;
    return yield* toolsOf((id === undefined ? undefined : names.get(id)) ?? (called === undefined ? named : [called]));
  }
  if (named.length === 0) return;
  for (const name of CALL_IDS) {
    const id = stringMember(object, name)?.value;
    if (id !== undefined) names.set(id, named);
  }
}

/** A tool of a server is known by its own name and by the server's. */
function* toolsOf(names: readonly string[]): Generator<{ readonly tool: string | undefined }> {
  if (names.length === 0) yield { tool: undefined };
  for (const tool of names) yield { tool };
}
/** Items of Responses that hold a call of a tool that the provider ran, with what came of it or not: the model has read it. */
const FOUND_BY_PROVIDER = /^(web_search|file_search|code_interpreter)_call$/;

function isResult(object: JsonObject, type: string, key: string): boolean {
  const role = stringMember(object, "role")?.value;
  if (role === "tool" || role === "function") return true;
  if (key === "toolResult" || key === "tool_results") return true;
  return type.endsWith("tool_result") || /^[a-z_]*_(?:output|result)$/.test(type);
}

interface Found {
  readonly object: JsonObject;
  /** The member that it stands in, or the list's. */
  readonly key: string;
  /** In the result of a tool. */
  readonly within: boolean;
}

/** Objects in document order, parents first. */
function* objectsOf(node: JsonNode | undefined, key: string, depth = 0, within = false): Generator<Found> {
  if (node === undefined || depth > DEPTH_MAX) return;
  if (node.kind === "array") for (const item of node.items) yield* objectsOf(item, key, depth + 1, within);
  if (node.kind !== "object") return;
  yield { object: node, key, within };
  const inner = within || isResult(node, stringMember(node, "type")?.value ?? "", key);
  for (const { key: name, value } of node.members)
    if (value.kind === "array" || value.kind === "object") yield* objectsOf(value, name, depth + 1, inner);
}
