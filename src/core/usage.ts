/**
 * What a provider says an answer used, in units that can be priced.
 *
 * Totals are inclusive, whatever the provider's spelling: `inputTokens` counts cached and cache-written tokens
 * (OpenAI's and Gemini's way; Anthropic's three figures are added up), `outputTokens` counts reasoning
 * (Gemini's thoughts are added). The other figures are parts of a total. `undefined` means not reported.
 */
export interface Usage {
  readonly inputTokens?: number;
  readonly outputTokens?: number;
  /** Part of input, read from the provider's prompt cache. */
  readonly cachedInputTokens?: number;
  /** Part of input, written to the prompt cache, at the provider's default lifetime (Anthropic: 5 minutes). */
  readonly cacheWriteTokens?: number;
  /** Part of input, written to the prompt cache for one hour (Anthropic `ephemeral_1h_input_tokens`). */
  readonly cacheWrite1hTokens?: number;
  /** Part of input that tools of the provider's own put into the prompt (Gemini `toolUsePromptTokenCount`). */
  readonly toolInputTokens?: number;
  readonly audioInputTokens?: number;
  readonly imageInputTokens?: number;
  /** Part of output. */
  readonly reasoningTokens?: number;
  readonly audioOutputTokens?: number;
  readonly imageOutputTokens?: number;
  /** Images made, for models that are priced by the image. */
  readonly images?: number;
  /** Seconds of audio heard or made, with the provider's own fraction; for models that are priced by time. */
  readonly seconds?: number;
  /** Characters of text spoken, for models that are priced by the character. */
  readonly characters?: number;
  /** Tokens that are paid for, where the provider says that they are others than those of the totals (Cohere's `billed_units`); prices apply to them. */
  readonly billedInputTokens?: number;
  readonly billedOutputTokens?: number;
  /** Passes of the model beside the answer, which the provider bills and leaves out of its totals (Anthropic's compaction): all their input. */
  readonly apartInputTokens?: number;
  /** Part of it, read from the prompt cache. */
  readonly apartCachedInputTokens?: number;
  readonly apartOutputTokens?: number;
  /** Searches that the provider ran for the call: on the web, or the units of a rerank. */
  readonly queries?: number;
  /** Calls of the provider's own tools (web searches and the like). */
  readonly toolCalls?: number;
  /**
   * The provider's own figures, exactly: every number of its usage object by dotted path
   * (`prompt_tokens_details.cached_tokens`). Numbers only, so no content can hide in it.
   */
  readonly reported: Readonly<Record<string, number>>;
}
