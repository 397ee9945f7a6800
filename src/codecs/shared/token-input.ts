import type { JsonNode } from "../../core/json.ts";
import type { RequestView } from "../../core/view.ts";

/** Is an input a list of tokens, or are some of its items (OpenAI's embeddings and completions)? Those are texts that nobody can read here. */
export function tokenInput(input: JsonNode | undefined): Pick<RequestView, "tokens"> {
  if (input?.kind !== "array") return {};
  const isTokens = (node: JsonNode): boolean =>
    node.kind === "number" || (node.kind === "array" && node.items.some(({ kind }) => kind === "number"));
  return input.items.some(isTokens) ? { tokens: true } : {};
}
