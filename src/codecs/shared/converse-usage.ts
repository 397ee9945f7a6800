import { field, type Json } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import { listField } from "./answer-tally.ts";
import { defined, reportedFigures, tokenCount } from "./reported-usage.ts";

/**
 * Usage as Bedrock's Converse reports it (and Nova's own bodies), in inclusive totals: its `inputTokens` leave out what was read from or
 * written to the cache. Some models spell those figures with `Count`. undefined when there is no figure.
 * Source: TokenUsage and CacheDetail in the Amazon Bedrock API reference, read 2026-11.
 */
export function converseUsage(usage: Json | undefined): Usage | undefined {
  const reported = usage === undefined ? {} : reportedFigures(usage);
  if (Object.keys(reported).length === 0) return undefined;
  const cached = either(usage, "cacheReadInputToken");
  const written = either(usage, "cacheWriteInputToken");
  const fresh = tokenCount(field(usage, "inputTokens"));
  let oneHour: number | undefined;
  for (const detail of listField(usage, "cacheDetails")) {
    if (field(detail, "ttl") === "1h") oneHour = (oneHour ?? 0) + (tokenCount(field(detail, "inputTokens")) ?? 0);
  }
  return {
    ...defined({
      inputTokens: fresh === undefined ? undefined : fresh + (cached ?? 0) + (written ?? 0),
      outputTokens: tokenCount(field(usage, "outputTokens")),
      cachedInputTokens: cached,
      cacheWriteTokens: written === undefined ? undefined : Math.max(0, written - (oneHour ?? 0)),
      cacheWrite1hTokens: oneHour,
    }),
    reported,
  };
}

function either(usage: Json | undefined, stem: string): number | undefined {
  return tokenCount(field(usage, `${stem}s`)) ?? tokenCount(field(usage, `${stem}Count`));
}

/** What Bedrock itself counted of an invocation: `amazon-bedrock-invocationMetrics` at a stream's end, and the headers of a whole answer. */
export function invocationUsage(metrics: Json): Usage | undefined {
  const input = tokenCount(field(metrics, "inputTokenCount"));
  const output = tokenCount(field(metrics, "outputTokenCount"));
  if (input === undefined && output === undefined) return undefined;
  const cached = tokenCount(field(metrics, "cacheReadInputTokenCount"));
  const written = tokenCount(field(metrics, "cacheWriteInputTokenCount"));
  return {
    ...defined({
      inputTokens: input === undefined ? undefined : input + (cached ?? 0) + (written ?? 0),
      outputTokens: output,
      cachedInputTokens: cached,
      cacheWriteTokens: written,
    }),
    reported: reportedFigures(metrics),
  };
}

/** A usage in Converse's words: the figures that every answer has; zeros where there are none. */
export function converseFigures({ inputTokens = 0, outputTokens = 0 }: Pick<Usage, "inputTokens" | "outputTokens"> = {}): Json {
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
}
