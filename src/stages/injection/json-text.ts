import { applyEdits, type JsonDoc, type JsonEdit, type JsonNode, type JsonString, parseJson } from "../../core/json.ts";

/** The JSON that a text is, where it is an object or a list: as a tool's result often is. What reads it must still be able to. */
export function jsonOf(text: string): JsonDoc | undefined {
  if (!/^\s*[{[]/.test(text)) return undefined;
  const parsed = parseJson(Buffer.from(text));
  return parsed.ok ? parsed.value : undefined;
}

/** The strings in it that are values, in document order. */
export function* stringsOf(node: JsonNode): Generator<JsonString> {
  if (node.kind === "string") yield node;
  else if (node.kind === "array") for (const item of node.items) yield* stringsOf(item);
  else if (node.kind === "object") for (const { value } of node.members) yield* stringsOf(value);
}

/** The JSON with other strings in place of some. */
export function withStrings(doc: JsonDoc, strings: ReadonlyMap<JsonString, string>): string {
  const edits: JsonEdit[] = [...strings].map(([node, text]) => ({ kind: "replace", node, text: JSON.stringify(text) }));
  return applyEdits(doc, edits);
}
