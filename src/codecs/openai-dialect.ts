import type { DialectSpec } from "../core/codec.ts";
import type { Denial } from "../core/denials.ts";
import { openAiError, openAiErrorEvents } from "./shared/openai-error.ts";

/** How Sluice speaks to callers of OpenAI's API where no single surface is meant. */
export const openaiDialect: DialectSpec = {
  dialect: "openai",
  /**
   * `openai-beta` changes what a request means. `openai-organization` and `openai-project` choose whose account pays, which is the
   * provider credential's to say; `x-stainless-*` and the attribution headers of OpenRouter tell about the caller.
   */
  forwardedHeaders: ["openai-beta"],
  renderError: openAiError,
  /** OpenAI has no stream but SSE. */
  renderErrorStream: (denial: Denial, requestId: string): Uint8Array => new TextEncoder().encode(openAiErrorEvents(denial, requestId)),
};
