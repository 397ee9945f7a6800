import { type JsonNode, member } from "../json.ts";

/**
 * Tool definitions as OpenAI's models read them: a TypeScript namespace, not JSON. Counting this text comes within a few tokens of the
 * bill; counting the JSON is half too much. Source: observed by many and used by OpenAI's own cookbook ("How to count tokens with
 * tiktoken", tools); checked against recorded usages. Unknown shapes fall back to `any`.
 */
export function toolText(tools: readonly JsonNode[]): string {
  const lines = ["namespace functions {", ""];
  for (const tool of tools) {
    const description = text(member(tool, "description"));
    if (description !== "") lines.push(`// ${description}`);
    const name = text(member(tool, "name"));
    const schema = member(tool, "parameters");
    const properties = member(schema, "properties");
    if (schema === undefined || properties?.kind !== "object" || properties.members.length === 0)
      lines.push(`type ${name} = () => any;`, "");
    else lines.push(`type ${name} = (_: {`, ...propertyLines(schema, 0), "}) => any;", "");
  }
  lines.push("} // namespace functions");
  return lines.join("\n");
}

function propertyLines(schema: JsonNode, depth: number): string[] {
  const properties = member(schema, "properties");
  if (properties?.kind !== "object") return [];
  const required = new Set<string>();
  const list = member(schema, "required");
  if (list?.kind === "array") for (const item of list.items) if (item.kind === "string") required.add(item.value);
  const lines: string[] = [];
  for (const { key, value } of properties.members) {
    const description = text(member(value, "description"));
    if (description !== "") lines.push(`// ${description}`);
    lines.push(`${key}${required.has(key) ? "" : "?"}: ${typeText(value, depth)},`);
  }
  return lines;
}

function typeText(schema: JsonNode, depth: number): string {
  const values = member(schema, "enum");
  if (values?.kind === "array") return values.items.map((item) => (item.kind === "string" ? JSON.stringify(item.value) : "0")).join(" | ");
  const options = member(schema, "anyOf");
  if (options?.kind === "array") return options.items.map((option) => typeText(option, depth)).join(" | ");
  switch (text(member(schema, "type"))) {
    case "string":
      return "string";
    case "integer":
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    case "null":
      return "null";
    case "array": {
      const items = member(schema, "items");
      return items === undefined ? "any[]" : `${typeText(items, depth)}[]`;
    }
    case "object":
      return `{\n${propertyLines(schema, depth + 1).join("\n")}\n}`;
    default:
      return "any";
  }
}

const text = (node: JsonNode | undefined): string => (node?.kind === "string" ? node.value : "");
