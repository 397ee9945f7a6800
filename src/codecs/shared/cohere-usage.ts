import { field, type Json } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import { defined, reportedFigures, tokenCount } from "./reported-usage.ts";

/** Members of `usage` (version 2) and `meta` (version 1, embed, rerank) that count something; the rest of `meta` is versions and warnings. */
const COUNTED = ["billed_units", "tokens", "cached_tokens"] as const;

/**
 * Cohere's figures: `tokens` is what the model read and wrote, its own preamble included; `billed_units` is what is paid for, which
 * may be less. Embeddings report billed units alone, and those are their tokens then. undefined when nothing was counted.
 * Source: docs.cohere.com/reference/chat, "usage", and recorded answers of 2024 to 2026.
 */
export function cohereUsage(usage: Json | undefined): Usage | undefined {
  const counted: Record<string, Json> = {};
  for (const key of COUNTED) {
    const value = field(usage, key);
    if (value !== undefined) counted[key] = value;
  }
  const reported = reportedFigures(counted);
  if (Object.keys(reported).length === 0) return undefined;
  const tokens = field(usage, "tokens");
  const billed = field(usage, "billed_units");
  return {
    ...defined({
      inputTokens: tokenCount(field(tokens, "input_tokens")) ?? tokenCount(field(billed, "input_tokens")),
      outputTokens: tokenCount(field(tokens, "output_tokens")) ?? tokenCount(field(billed, "output_tokens")),
      billedInputTokens: tokenCount(field(billed, "input_tokens")),
      billedOutputTokens: tokenCount(field(billed, "output_tokens")),
      cachedInputTokens: tokenCount(field(usage, "cached_tokens")),
      reasoningTokens: tokenCount(field(tokens, "reasoning_tokens")),
      queries: tokenCount(field(billed, "search_units")),
    }),
    reported,
  };
}

/** A usage of ours as Cohere says it. */
export function cohereUsageOf(usage: Usage | undefined): Json | undefined {
  return usage === undefined ? undefined : cohereFigures(usage);
}
/** The figures that every answer has; zeros where there are none. */
export function cohereFigures(usage: Pick<Usage, "inputTokens" | "outputTokens"> = {}): {
  readonly billed_units: Json;
  readonly tokens: Json;
} {
  const figures = { input_tokens: usage.inputTokens ?? 0, output_tokens: usage.outputTokens ?? 0 };
  return { billed_units: figures, tokens: figures };
}
