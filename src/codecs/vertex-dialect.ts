import type { DialectSpec } from "../core/codec.ts";
import { geminiError, geminiErrorStream } from "./shared/gemini-error.ts";

/**
 * Callers of Vertex AI: Google's error objects, whoever made the model.
 *
 * Headers that stay behind are those of `gemini-dialect.ts`. Anthropic's clients for Vertex AI send their version in the body and
 * `anthropic-beta` as a header.
 */
export const vertexDialect: DialectSpec = {
  dialect: "vertex",
  forwardedHeaders: ["x-goog-api-client", "x-server-timeout", "accept-language", "anthropic-beta", "x-vertex-ai-llm-request-type"],
  renderError: geminiError,
  renderErrorStream: geminiErrorStream,
};
