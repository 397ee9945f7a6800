import type { Usage } from "./usage.ts";

/**
 * Characters of ordinary text to a token, for answers whose provider reported no usage. English prose is near 4 for the
 * published tokenizers; 3 charges a little too much rather than too little.
 */
const CHARS_PER_TOKEN = 3;

/**
 * A usage for an answer that ended without one: what was reported so far, the rest counted from sizes.
 * `inputBytes` is the request body, `outputChars` what the caller got of all channels.
 */
export function estimateUsage(reported: Usage | undefined, inputBytes: number, outputChars: number): Usage {
  const counted = Math.ceil(outputChars / CHARS_PER_TOKEN);
  return {
    ...reported,
    inputTokens: reported?.inputTokens ?? Math.ceil(inputBytes / CHARS_PER_TOKEN),
    outputTokens: Math.max(reported?.outputTokens ?? 0, counted),
    reported: reported?.reported ?? {},
  };
}
