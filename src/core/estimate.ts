import type { Usage } from "./usage.ts";

/** What is known of a call whose answer reported no usage, or only a part. Functions are asked only where nothing else tells. */
export interface CallSizes {
  /** Input, estimated for the model. Tokens. */
  readonly inputTokens: () => number;
  /** What the caller got of all channels, counted for the model. Tokens. */
  readonly countedTokens: () => number;
  /** Most output that may have been made unseen: the call left, and no answer came. Tokens. */
  readonly outputTokensMax?: number | undefined;
  /** What the request told of itself (`RequestView.expected`); it wins over estimates. */
  readonly expected?: Omit<Usage, "reported"> | undefined;
}

/** A usage for an answer that ended without one: what was reported so far, then what the request told, the rest estimated. */
export function estimateUsage(reported: Usage | undefined, sizes: CallSizes): Usage {
  const { inputTokens, countedTokens, outputTokensMax, expected } = sizes;
  return {
    ...expected,
    ...reported,
    inputTokens: reported?.inputTokens ?? expected?.inputTokens ?? inputTokens(),
    outputTokens: Math.max(reported?.outputTokens ?? expected?.outputTokens ?? 0, countedTokens(), outputTokensMax ?? 0),
    reported: reported?.reported ?? {},
  };
}
