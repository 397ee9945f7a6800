import { field, type Json } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import { defined, reportedFigures, tokenCount } from "./reported-usage.ts";

/** Deepest nesting merged; a real usage object has three levels. */
const MERGE_DEPTH_MAX = 8;

/**
 * A stream's usage as known so far: figures are cumulative, so the last report of each wins. Newer models repeat the input
 * figures in `message_delta`, older ones report them in `message_start` alone; null means not reported.
 */
export function mergeUsage(known: Json | undefined, reported: Json | undefined, depth = 0): Json | undefined {
  if (reported === undefined || reported === null) return known;
  if (!isObject(known) || !isObject(reported) || depth >= MERGE_DEPTH_MAX) return reported;
  const merged = new Map(Object.entries(known));
  for (const [key, value] of Object.entries(reported)) {
    const next = mergeUsage(merged.get(key), value, depth + 1);
    if (next !== undefined) merged.set(key, next);
  }
  return Object.fromEntries(merged);
}

/**
 * Anthropic's figures in the words of core: its `input_tokens` leave out what was read from or written to the cache, ours do not.
 * The provider's totals leave out those of its `iterations` that are no message (a compaction, which reads the whole conversation; an
 * advisor, which is charged at the price of the model that was called) and bills them: they are apart. Source: platform.claude.com/docs,
 * "Compaction", read 2026-11.
 * undefined when there is no usage object.
 */
export function anthropicUsage(usage: Json | undefined): Usage | undefined {
  if (!isObject(usage)) return undefined;
  const fresh = tokenCount(field(usage, "input_tokens"));
  const cached = tokenCount(field(usage, "cache_read_input_tokens"));
  const byLifetime = field(usage, "cache_creation");
  const oneHour = tokenCount(field(byLifetime, "ephemeral_1h_input_tokens"));
  const fiveMinutes = tokenCount(field(byLifetime, "ephemeral_5m_input_tokens"));
  const written = tokenCount(field(usage, "cache_creation_input_tokens")) ?? sum(fiveMinutes, oneHour);
  return {
    ...defined({
      inputTokens: fresh === undefined ? undefined : fresh + (written ?? 0) + (cached ?? 0),
      outputTokens: tokenCount(field(usage, "output_tokens")),
      cachedInputTokens: cached,
      // The total is the newer figure where only it was repeated later in a stream.
      cacheWriteTokens: written === undefined ? undefined : Math.max(0, written - (oneHour ?? 0)),
      cacheWrite1hTokens: oneHour,
      reasoningTokens: tokenCount(field(field(usage, "output_tokens_details"), "thinking_tokens")),
      queries: tokenCount(field(field(usage, "server_tool_use"), "web_search_requests")),
      ...apartOf(field(usage, "iterations")),
      toolCalls: serverToolCalls(field(usage, "server_tool_use")),
    }),
    reported: reportedFigures(usage),
  };
}

/** Most passes of one answer that are looked at; real ones have a few. */
const PASSES_MAX = 1_000;
function apartOf(passes: Json | undefined): Pick<Usage, "apartInputTokens" | "apartCachedInputTokens" | "apartOutputTokens"> {
  if (!Array.isArray(passes)) return {};
  let [input, cached, output] = [0, 0, 0];
  for (const pass of passes.slice(0, PASSES_MAX)) {
    if (field(pass, "type") === "message") continue;
    const of = (key: string): number => tokenCount(field(pass, key)) ?? 0;
    cached += of("cache_read_input_tokens");
    input += of("input_tokens") + of("cache_creation_input_tokens") + of("cache_read_input_tokens");
    output += of("output_tokens");
  }
  if (input + output === 0) return {};
  return { apartInputTokens: input, ...(cached === 0 ? {} : { apartCachedInputTokens: cached }), apartOutputTokens: output };
}

/** `server_tool_use: {web_search_requests, web_fetch_requests}`: all of them together. */
function serverToolCalls(counts: Json | undefined): number | undefined {
  if (!isObject(counts)) return undefined;
  let calls: number | undefined;
  for (const value of Object.values(counts)) calls = sum(calls, tokenCount(value));
  return calls;
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : a + (b ?? 0);
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A usage in Anthropic's words, which count what came from or went to the cache apart; zeros where there are none. */
export function anthropicFigures(usage: Omit<Usage, "reported"> = {}): Json {
  const { inputTokens = 0, outputTokens = 0, cachedInputTokens = 0, cacheWriteTokens = 0, cacheWrite1hTokens = 0 } = usage;
  const written = cacheWriteTokens + cacheWrite1hTokens;
  const figures = { input_tokens: Math.max(0, inputTokens - cachedInputTokens - written), output_tokens: outputTokens };
  if (cachedInputTokens + written === 0) return figures;
  return { ...figures, cache_read_input_tokens: cachedInputTokens, cache_creation_input_tokens: written };
}
