import { type JsonDoc, type JsonNode, parseJson } from "./json.ts";
import { CALL_CHARS_MAX, CALL_VALUES_MAX, JSON_DEPTH_MAX } from "./limits.ts";

/**
 * Canonical text of a JSON value: members sorted by key (UTF-16 order, as RFC 8785 has it), no blanks, strings as `JSON.stringify` writes
 * them. Numbers keep the spelling they came with: two that differ in a digit that a double cannot hold stay two, and `1.0` is not `1`.
 * Equal text means an equal value; equal values may have unequal text. undefined: it is no JSON, has a key twice, or is longer
 * (`CALL_CHARS_MAX`) or of more values (`CALL_VALUES_MAX`) than is checked.
 */
export function canonicalJson(text: string): string | undefined {
  if (text.length > CALL_CHARS_MAX) return undefined;
  const doc = parseJson(Buffer.from(text), { depthMax: JSON_DEPTH_MAX, valuesMax: CALL_VALUES_MAX });
  return doc.ok ? write(doc.value, doc.value.root) : undefined;
}

/** `parseJson` bounds the depth. */
function write(doc: JsonDoc, node: JsonNode): string {
  switch (node.kind) {
    case "object": {
      const members = node.members.toSorted((a, b) => (a.key < b.key ? -1 : 1));
      return `{${members.map(({ key, value }) => `${JSON.stringify(key)}:${write(doc, value)}`).join(",")}}`;
    }
    case "array":
      return `[${node.items.map((item) => write(doc, item)).join(",")}]`;
    case "string":
      return JSON.stringify(node.value);
    default:
      return doc.text.slice(node.start, node.end);
  }
}
