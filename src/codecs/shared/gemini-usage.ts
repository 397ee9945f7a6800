import { field, type Json } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import { listField } from "./answer-tally.ts";
import { defined, reportedFigures, tokenCount } from "./reported-usage.ts";

/** Numbers of `MediaModality` (google/ai/generativelanguage content.proto); some servers write enums as numbers. */
const MODALITY_NUMBERS = { IMAGE: 2, AUDIO: 4 } as const;

/**
 * Gemini's `usageMetadata` in inclusive totals: the prompt's count leaves out what Google's own tools put into it, and the candidates'
 * count leaves out thoughts, so both are added. Cached tokens are part of the prompt's count already.
 * Source: UsageMetadata at ai.google.dev/api/generate-content, read 2026-11-24.
 */
export function geminiUsage(metadata: Json): Usage {
  const tool = tokenCount(field(metadata, "toolUsePromptTokenCount"));
  const thoughts = tokenCount(field(metadata, "thoughtsTokenCount"));
  const prompt = [...listField(metadata, "promptTokensDetails"), ...listField(metadata, "toolUsePromptTokensDetails")];
  const output = listField(metadata, "candidatesTokensDetails");
  return {
    ...defined({
      inputTokens: sum(tokenCount(field(metadata, "promptTokenCount")), tool),
      outputTokens: sum(tokenCount(field(metadata, "candidatesTokenCount")), thoughts),
      cachedInputTokens: tokenCount(field(metadata, "cachedContentTokenCount")),
      toolInputTokens: tool,
      audioInputTokens: ofModality(prompt, "AUDIO"),
      imageInputTokens: ofModality(prompt, "IMAGE"),
      reasoningTokens: thoughts,
      audioOutputTokens: ofModality(output, "AUDIO"),
      imageOutputTokens: ofModality(output, "IMAGE"),
    }),
    reported: reportedFigures(metadata),
  };
}

/** undefined where neither is reported. */
function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);
}

function ofModality(details: readonly Json[], modality: keyof typeof MODALITY_NUMBERS): number | undefined {
  let tokens: number | undefined;
  for (const detail of details) {
    const named = field(detail, "modality");
    if (named === modality || named === MODALITY_NUMBERS[modality]) tokens = sum(tokens, tokenCount(field(detail, "tokenCount")));
  }
  return tokens;
}

/** A usage in Gemini's words: the figures that every answer has; zeros where there are none. */
export function geminiFigures({ inputTokens = 0, outputTokens = 0 }: Pick<Usage, "inputTokens" | "outputTokens"> = {}): Json {
  return { promptTokenCount: inputTokens, candidatesTokenCount: outputTokens, totalTokenCount: inputTokens + outputTokens };
}
