import type { HeaderView } from "../../core/codec.ts";
import { field, isJsonObject, type Json } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import { listField } from "./answer-tally.ts";
import { anthropicUsage } from "./anthropic-usage.ts";
import { chatUsage } from "./chat-usage.ts";
import { cohereUsage } from "./cohere-usage.ts";
import { converseUsage, invocationUsage } from "./converse-usage.ts";
import { reportedFigures, tokenCount } from "./reported-usage.ts";

/** Usage that a maker's own body reports. */
export function bodyUsage(json: Json): Usage | undefined {
  const usage = field(json, "usage");
  if (isJsonObject(usage)) {
    if (field(usage, "prompt_tokens") !== undefined) return chatUsage(usage);
    return field(usage, "input_tokens") !== undefined ? anthropicUsage(usage) : converseUsage(usage);
  }
  return titanUsage(json) ?? llamaUsage(json) ?? cohereUsage(field(json, "meta"));
}

/** Titan counts the tokens of each result; in a stream the running total. */
function titanUsage(json: Json): Usage | undefined {
  const input = tokenCount(field(json, "inputTextTokenCount"));
  let output = tokenCount(field(json, "totalOutputTextTokenCount"));
  let counted: number | undefined;
  for (const result of listField(json, "results")) {
    const tokens = tokenCount(field(result, "tokenCount"));
    if (tokens !== undefined) counted = (counted ?? 0) + tokens;
  }
  output ??= counted;
  if (input === undefined) return undefined;
  return {
    inputTokens: input,
    ...(output === undefined ? {} : { outputTokens: output }),
    reported: { inputTextTokenCount: input, ...(output === undefined ? {} : { tokenCount: output }) },
  };
}

/** In a stream of Llama's the prompt is counted in the first event only, null after it. */
function llamaUsage(json: Json): Usage | undefined {
  const input = tokenCount(field(json, "prompt_token_count"));
  const output = tokenCount(field(json, "generation_token_count"));
  if (output === undefined) return undefined;
  const prompt = input === undefined ? {} : { inputTokens: input };
  const reported = { ...(input === undefined ? {} : { prompt_token_count: input }), generation_token_count: output };
  return { ...prompt, outputTokens: output, reported };
}

/** `x-amzn-bedrock-input-token-count` and its like: there on every whole answer of InvokeModel. */
export function headerUsage(headers: HeaderView | undefined): Usage | undefined {
  const metrics: Record<string, number> = {};
  for (const [name, key] of [
    ["input", "inputTokenCount"],
    ["output", "outputTokenCount"],
    ["cache-read-input", "cacheReadInputTokenCount"],
    ["cache-write-input", "cacheWriteInputTokenCount"],
  ] as const) {
    const text = headers?.get(`x-amzn-bedrock-${name}-token-count`);
    if (text !== undefined && /^[0-9]{1,15}$/.test(text)) metrics[key] = Number(text);
  }
  const usage = invocationUsage(metrics);
  return usage === undefined ? undefined : { ...usage, reported: reportedFigures(metrics) };
}
