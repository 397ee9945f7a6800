import type { DialectSpec } from "../core/codec.ts";
import { geminiError, geminiErrorStream } from "./shared/gemini-error.ts";

/**
 * Gemini's callers (Google AI's `generativelanguage` API).
 *
 * Headers that stay behind on purpose: `x-goog-fieldmask` (it could leave the usage out of answers), `x-goog-user-project` (it names who
 * pays), `x-goog-request-params` (it names the model that was asked for, not the one that is routed to), and every credential.
 */
export const geminiDialect: DialectSpec = {
  dialect: "gemini",
  forwardedHeaders: ["x-goog-api-client", "x-server-timeout", "accept-language"],
  renderError: geminiError,
  renderErrorStream: geminiErrorStream,
};
