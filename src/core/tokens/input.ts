import type { JsonNode } from "../json.ts";
import type { ModelFamily } from "./families.ts";
import { mediaTokens } from "./media.ts";
import type { InputParts } from "./parts.ts";
import { textTokens } from "./text.ts";
import { toolText } from "./tool-text.ts";

/** Tokens of a text. */
export type CountText = (text: string) => number;

/** Estimates lean to the high side when they are rounded: of a conversation always, of a bare text past 0.3. */
const ROUND_UP = 0.5;
const ROUND_BARE = 0.2;

/**
 * What a provider will bill as input: its count of the texts, and what its format adds for messages, tools, schemas and media. At least 1.
 * `count` is the exact tokenizer where there is one; absent, the family's estimator.
 */
export function inputEstimate(parts: InputParts, family: ModelFamily, count?: CountText): number {
  const each: CountText = count ?? ((text) => textTokens(text, family.rates));
  let tokens = parts.tokens + sumOf(parts.texts, each);
  for (const part of parts.media) tokens += mediaTokens(part, family.image);
  tokens += parts.bare ? family.bare : formatTokens(parts, family, each);
  return Math.max(1, Math.round(count === undefined ? tokens + (parts.bare ? ROUND_BARE : ROUND_UP) : tokens));
}

/** Most that a tool which runs at the provider puts into the prompt of one call (results of a search, a file). No one else can count it. */
const HOSTED_TOOL_TOKENS = 10_000;
const FORMAT_MARGIN = 2;

/**
 * A bound of the input that is cheap and not too low: no tokenizer makes more tokens of a text than it has UTF-8 bytes, and what the format
 * adds is taken twice. What a request only points at (pictures by URL, state at the provider) has no bound; it counts as in the estimate.
 */
export function inputBound(parts: InputParts, family: ModelFamily): number {
  const bytes: CountText = (text) => Buffer.byteLength(text);
  let tokens = parts.tokens + sumOf(parts.texts, bytes) + parts.hostedTools * HOSTED_TOOL_TOKENS + parts.sealed.chars;
  for (const part of parts.media) tokens += mediaTokens(part, family.image);
  const plain = { ...parts, reasoning: [], tools: [], schema: undefined, sealed: NO_SEAL, sealedOpen: NO_SEAL };
  tokens += FORMAT_MARGIN * (parts.bare ? family.bare : Math.max(0, formatTokens({ ...plain, jsonMode: true }, family, bytes)));
  tokens += sumOf(parts.reasoning, bytes);
  if (parts.tools.length > 0) tokens += FORMAT_MARGIN * toolTokens(parts, family, bytes);
  if (parts.schema !== undefined) tokens += FORMAT_MARGIN * (family.schemaBase + family.schemaJson * bytes(jsonText(parts.schema)));
  return Math.ceil(tokens) + FORMAT_SPARE;
}
const NO_SEAL = { chars: 0, pieces: 0 };
/** Tokens that a format may add where nothing is known to. */
const FORMAT_SPARE = 16;

/** What stands around and beside the texts of a conversation. */
function formatTokens(parts: InputParts, family: ModelFamily, count: CountText): number {
  let tokens = family.base + family.turn * parts.turns + (parts.system ? family.turn + family.system : 0);
  tokens += family.call * parts.calls + family.result * parts.results + sumOf(parts.reasoning, count);
  const { chars, pieces } = family.keepsReasoning ? parts.sealed : parts.sealedOpen;
  tokens += Math.max(0, chars - pieces * family.sealedSkip) * family.sealedChar;
  if (parts.tools.length > 0) tokens += toolTokens(parts, family, count);
  if (parts.schema !== undefined) tokens += family.schemaBase + family.schemaJson * count(jsonText(parts.schema));
  else if (parts.jsonMode) tokens += family.jsonMode;
  return tokens + (parts.thinking ? family.thinking : 0);
}

const sumOf = (texts: readonly string[], count: CountText): number => texts.reduce((sum, text) => sum + count(text), 0);

function toolTokens({ tools, nestedTools }: InputParts, family: ModelFamily, count: CountText): number {
  const fixed = family.toolsBase + (nestedTools ? family.toolsNested : 0);
  if (family.exact !== undefined) return fixed + count(toolText(tools));
  return tools.reduce((sum, tool) => sum + family.toolJson * count(jsonText(tool)), fixed);
}
/** A value as JSON, as the prompt of a model holds it. */
export function jsonText(node: JsonNode): string {
  switch (node.kind) {
    case "string":
      return JSON.stringify(node.value);
    case "number":
    case "literal":
      return String(node.value);
    case "array":
      return `[${node.items.map(jsonText).join(", ")}]`;
    case "object":
      return `{${node.members.map(({ key, value }) => `${JSON.stringify(key)}: ${jsonText(value)}`).join(", ")}}`;
  }
}
