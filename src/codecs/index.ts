import type { Codec, HeaderView, PathFacts, RequestTarget } from "../core/codec.ts";
import { anthropicCountTokens } from "./anthropic-count-tokens.ts";
import { anthropicMessages } from "./anthropic-messages.ts";
import { bedrockConverse, bedrockConverseStream } from "./bedrock-converse.ts";
import { bedrockCountTokens } from "./bedrock-count-tokens.ts";
import { bedrockEmbed, bedrockInvoke, bedrockInvokeStream } from "./bedrock-invoke.ts";
import { cohereChat, cohereChatV1 } from "./cohere-chat.ts";
import { cohereEmbed, cohereRerank } from "./cohere-inputs.ts";
import { geminiCountTokens } from "./gemini-count-tokens.ts";
import { geminiBatchEmbed, geminiEmbed } from "./gemini-embed.ts";
import { geminiGenerate, geminiStream } from "./gemini-generate.ts";
import { anthropicModels, geminiModels, openaiModels } from "./models.ts";
import { openaiAudioSpeech } from "./openai-audio-speech.ts";
import { openaiAudioTranscriptions } from "./openai-audio-transcriptions.ts";
import { openaiAudioTranslations } from "./openai-audio-translations.ts";
import { openaiChat } from "./openai-chat.ts";
import { openaiCompletions } from "./openai-completions.ts";
import { openaiEmbeddings } from "./openai-embeddings.ts";
import { openaiImagesEdits } from "./openai-images-edits.ts";
import { openaiImagesGenerations } from "./openai-images-generations.ts";
import { openaiImagesVariations } from "./openai-images-variations.ts";
import { openaiModerations } from "./openai-moderations.ts";
import { openaiResponses } from "./openai-responses.ts";
import { openaiResponsesCancel } from "./openai-responses-cancel.ts";
import { openaiResponsesCompact } from "./openai-responses-compact.ts";
import { openaiResponsesDelete } from "./openai-responses-delete.ts";
import { openaiResponsesGet } from "./openai-responses-get.ts";
import { openaiResponsesInputItems } from "./openai-responses-input-items.ts";
import { openaiResponsesInputTokens } from "./openai-responses-input-tokens.ts";
import { vertexEmbed } from "./vertex-embed.ts";
import { vertexCountTokens, vertexGenerate, vertexStream } from "./vertex-gemini.ts";
import { vertexAnthropicCountTokens, vertexRawPredict, vertexStreamRawPredict } from "./vertex-raw.ts";

/** Every surface that callers may speak; anything else is `unsupported_surface`. No two match the same request. */
export const CODECS: readonly Codec[] = [
  openaiChat,
  openaiResponses,
  openaiEmbeddings,
  openaiCompletions,
  openaiImagesGenerations,
  openaiImagesEdits,
  openaiImagesVariations,
  openaiAudioSpeech,
  openaiAudioTranscriptions,
  openaiAudioTranslations,
  openaiModerations,
  openaiResponsesGet,
  openaiResponsesDelete,
  openaiResponsesCancel,
  openaiResponsesInputItems,
  openaiResponsesInputTokens,
  openaiResponsesCompact,
  anthropicMessages,
  anthropicCountTokens,
  geminiGenerate,
  geminiStream,
  geminiCountTokens,
  geminiEmbed,
  geminiBatchEmbed,
  cohereChat,
  cohereChatV1,
  cohereEmbed,
  cohereRerank,
  bedrockConverse,
  bedrockConverseStream,
  bedrockInvoke,
  bedrockInvokeStream,
  bedrockEmbed,
  bedrockCountTokens,
  vertexGenerate,
  vertexStream,
  vertexCountTokens,
  vertexEmbed,
  vertexRawPredict,
  vertexStreamRawPredict,
  vertexAnthropicCountTokens,
  openaiModels,
  anthropicModels,
  geminiModels,
];

/** The surface of a request and what its path says; undefined for those that are not served. */
export function findCodec(target: RequestTarget, headers: HeaderView): { readonly codec: Codec; readonly facts: PathFacts } | undefined {
  for (const codec of CODECS) {
    const facts = codec.match(target, headers);
    if (facts !== undefined) return { codec, facts };
  }
  return undefined;
}
