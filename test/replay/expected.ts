/** What a replayed call must come to, worked out from the recording alone, by other means than the codecs'. */
import type { Call, RecordedUsage } from "./recordings.ts";

/** The record's usage that recorded figures stand for, as `src/core/usage.ts` counts; null: not reported. */
export interface ExpectedUsage {
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly cachedInputTokens: number | null;
  /** Both lifetimes together. */
  readonly cacheWriteTokens: number | null;
  readonly reasoningTokens: number | null;
}

/**
 * Recordings keep the provider's own convention: Anthropic's input leaves out what the cache read and wrote, Gemini's input
 * leaves out what its tools put in and its output leaves out thoughts. A total says whether reasoning stands beside the output (xAI).
 */
export function expectedUsage({ dialect, input, output, total, cached, cache_write, reasoning, tool_input }: RecordedUsage): ExpectedUsage {
  const sum = (...figures: (number | null | undefined)[]): number | null => {
    const given = figures.filter((figure) => typeof figure === "number");
    return given.length === 0 ? null : given.reduce((all, figure) => all + figure, 0);
  };
  const parts = { cachedInputTokens: cached ?? null, cacheWriteTokens: cache_write ?? null, reasoningTokens: reasoning ?? null };
  if (dialect === "anthropic") return { ...parts, inputTokens: sum(input, cached, cache_write), outputTokens: output ?? null };
  if (dialect.startsWith("gemini")) return { ...parts, inputTokens: sum(input, tool_input), outputTokens: sum(output, reasoning) };
  const beside = (reasoning ?? 0) > 0 && total === (input ?? 0) + (output ?? 0) + (reasoning ?? 0);
  return { ...parts, inputTokens: input ?? null, outputTokens: beside ? sum(output, reasoning) : (output ?? null) };
}

/** Surfaces whose streams tell their usage only where they are asked. */
export const REPORTS_ON_DEMAND: ReadonlySet<string> = new Set(["openai.chat", "openai.completions"]);

/** Did the caller ask for usage in its stream on its own? */
export function asksForUsage(call: Call): boolean {
  return !REPORTS_ON_DEMAND.has(call.surface) || !call.streaming || /"include_usage"\s*:\s*true/.test(call.body.toString());
}

/** The bytes that are left of a stream once a forced usage report is undone: no chunk of usage alone, no `"usage":null`. */
export function withoutForcedUsage(body: Buffer): Buffer {
  const events = body.toString("latin1").split(/(?<=\r?\n\r?\n)/);
  const left = events.map((event) => {
    const data = /^data:[ ]?(\{.*\})\s*$/m.exec(event)?.[1];
    const chunk = data === undefined ? undefined : parsed(data);
    if (chunk === undefined) return event;
    if (chunk.usage === null) return event.replace(/,\s*"usage"\s*:\s*null|"usage"\s*:\s*null\s*,\s*/, "");
    const only = Array.isArray(chunk.choices) && chunk.choices.length === 0 && typeof chunk.usage === "object";
    return only ? "" : event;
  });
  return Buffer.from(left.join(""), "latin1");
}

function parsed(data: string): { readonly choices?: unknown; readonly usage?: unknown } | undefined {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

/** Numbers drawn from a seed (mulberry32), each in [0, 1). */
export function drawFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The bytes in at most `most` pieces, cut anywhere, inside characters and events too. */
export function randomCuts(bytes: Buffer, draw: () => number, most = 24): readonly Buffer[] {
  const count = Math.floor(draw() * most);
  const places = Array.from({ length: count }, () => Math.floor(draw() * (bytes.length + 1)));
  const sorted = [...new Set([0, ...places, bytes.length])].sort((a, b) => a - b);
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
}
