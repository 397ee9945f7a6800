import { field, type Json } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import { defined, reportedFigures, tokenCount } from "./reported-usage.ts";

/**
 * Usage of Chat Completions and Embeddings, in the spellings of OpenAI and of those who speak its format.
 *
 * Cached input: `prompt_tokens_details.cached_tokens`, else DeepSeek's `prompt_cache_hit_tokens`. Cache writes:
 * `cache_write_tokens` (OpenAI, OpenRouter). Tool calls: xAI's `num_sources_used` is a count of sources, not of calls, so only
 * OpenRouter's `server_tool_use` counts. Mistral's `num_cached_tokens` stays among the reported figures: it has no price.
 *
 * xAI leaves reasoning out of `completion_tokens` (docs.x.ai, "Reasoning", 2026-11): seen where the total is the sum of all
 * three, and then added, since `outputTokens` includes reasoning everywhere.
 */
export function chatUsage(usage: { readonly [key: string]: Json }): Usage {
  const input = field(usage, "prompt_tokens_details");
  const output = field(usage, "completion_tokens_details");
  const prompt = tokenCount(field(usage, "prompt_tokens"));
  const completion = tokenCount(field(usage, "completion_tokens"));
  const reasoning = tokenCount(field(output, "reasoning_tokens"));
  const total = tokenCount(field(usage, "total_tokens"));
  const apart = reasoning !== undefined && reasoning > 0 && total === (prompt ?? 0) + (completion ?? 0) + reasoning;
  return {
    ...defined({
      inputTokens: prompt,
      outputTokens: completion !== undefined && apart ? completion + reasoning : completion,
      cachedInputTokens: tokenCount(field(input, "cached_tokens")) ?? tokenCount(field(usage, "prompt_cache_hit_tokens")),
      cacheWriteTokens: tokenCount(field(input, "cache_write_tokens")),
      audioInputTokens: tokenCount(field(input, "audio_tokens")),
      imageInputTokens: tokenCount(field(input, "image_tokens")),
      reasoningTokens: reasoning,
      audioOutputTokens: tokenCount(field(output, "audio_tokens")),
      imageOutputTokens: tokenCount(field(output, "image_tokens")),
      // Perplexity's name for its own.
      queries: webSearches(usage) ?? tokenCount(field(usage, "num_search_queries")),
      toolCalls: webSearches(usage),
    }),
    reported: reportedFigures(usage),
  };
}

/** OpenRouter counts the searches that it ran, under either name. */
function webSearches(usage: { readonly [key: string]: Json }): number | undefined {
  for (const key of ["server_tool_use_details", "server_tool_use"]) {
    const searches = tokenCount(field(field(usage, key), "web_search_requests"));
    if (searches !== undefined) return searches;
  }
  return undefined;
}

/** A usage of ours as Chat Completions says it. */
export function chatUsageOf(usage: Usage | undefined): { readonly [key: string]: Json } | undefined {
  return usage === undefined ? undefined : chatFigures(usage);
}
/** The figures that every answer has; zeros where there are none. */
export function chatFigures(usage: Pick<Usage, "inputTokens" | "outputTokens"> = {}): { readonly [key: string]: Json } {
  const { inputTokens = 0, outputTokens = 0 } = usage;
  return { prompt_tokens: inputTokens, completion_tokens: outputTokens, total_tokens: inputTokens + outputTokens };
}
