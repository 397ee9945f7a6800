import type { Usage } from "./usage.ts";

/**
 * Characters of ordinary text to a token, for answers whose provider reported no usage. English prose is near 4 for the
 * published tokenizers; 3 charges a little too much rather than too little.
 */
const CHARS_PER_TOKEN = 3;

/** What is known of a call whose answer reported no usage. */
export interface CallSizes {
  /** The request body. */
  readonly inputBytes: number;
  /** What the caller got of all channels. */
  readonly outputChars: number;
  /** Most output that may have been made unseen: the call left, and no answer came. Tokens. */
  readonly outputTokensMax?: number | undefined;
  /** What the request told of itself (`RequestView.expected`); it wins over sizes. */
  readonly expected?: Omit<Usage, "reported"> | undefined;
}

/** A usage for an answer that ended without one: what was reported so far, then what the request told, the rest from sizes. */
export function estimateUsage(reported: Usage | undefined, { inputBytes, outputChars, outputTokensMax, expected }: CallSizes): Usage {
  const counted = Math.ceil(outputChars / CHARS_PER_TOKEN);
  return {
    ...expected,
    ...reported,
    inputTokens: reported?.inputTokens ?? expected?.inputTokens ?? Math.ceil(inputBytes / CHARS_PER_TOKEN),
    outputTokens: Math.max(reported?.outputTokens ?? expected?.outputTokens ?? 0, counted, outputTokensMax ?? 0),
    reported: reported?.reported ?? {},
  };
}
