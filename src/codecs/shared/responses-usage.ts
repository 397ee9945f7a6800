import { field, type Json } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import { listField, textField } from "./answer-tally.ts";
import { defined, reportedFigures, tokenCount } from "./reported-usage.ts";

/**
 * Usage of a response object. Totals include cached and reasoning tokens already. `toolCalls` is xAI's
 * `num_server_side_tools_used`, or the web searches that OpenAI counts beside the usage object (`tool_usage`); where it does not, those
 * among the output count.
 * undefined when the response has no usage object.
 */
export function responsesUsage(response: Json | undefined): Usage | undefined {
  const usage = field(response, "usage");
  if (typeof usage !== "object" || usage === null || Array.isArray(usage)) return undefined;
  const input = field(usage, "input_tokens_details");
  const output = field(usage, "output_tokens_details");
  const searches = field(field(field(response, "tool_usage"), "web_search"), "num_requests");
  return {
    ...defined({
      inputTokens: tokenCount(field(usage, "input_tokens")),
      outputTokens: tokenCount(field(usage, "output_tokens")),
      cachedInputTokens: tokenCount(field(input, "cached_tokens")),
      cacheWriteTokens: tokenCount(field(input, "cache_write_tokens")),
      audioInputTokens: tokenCount(field(input, "audio_tokens")),
      imageInputTokens: tokenCount(field(input, "image_tokens")),
      reasoningTokens: tokenCount(field(output, "reasoning_tokens")),
      audioOutputTokens: tokenCount(field(output, "audio_tokens")),
      imageOutputTokens: tokenCount(field(output, "image_tokens")),
      queries: tokenCount(searches) ?? searchesIn(response),
      toolCalls: tokenCount(field(usage, "num_server_side_tools_used")) ?? tokenCount(searches),
    }),
    reported: reportedFigures(usage),
  };
}

/** Searches among the items of the output; opening a page that was found is none. */
function searchesIn(response: Json | undefined): number | undefined {
  let count = 0;
  for (const item of listField(response, "output")) {
    const action = textField(field(item, "action"), "type");
    if (textField(item, "type") === "web_search_call" && (action === "" || action === "search")) count += 1;
  }
  return count === 0 ? undefined : count;
}

/** A usage of ours as a response object says it. */
export function responsesUsageOf(usage: Usage | undefined): Json {
  return usage === undefined ? null : responsesFigures(usage);
}
/** The figures that every answer has; zeros where there are none. */
export function responsesFigures(usage: Omit<Usage, "reported"> = {}): Json {
  const { inputTokens = 0, outputTokens = 0, cachedInputTokens = 0, reasoningTokens = 0 } = usage;
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: cachedInputTokens },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: reasoningTokens },
    total_tokens: inputTokens + outputTokens,
  };
}
