import type { DialectSpec } from "../core/codec.ts";
import type { Denial } from "../core/denials.ts";
import { sseEvent } from "./shared/answer-tally.ts";
import { anthropicErrorBody } from "./shared/anthropic-error.ts";

/** How Sluice speaks to callers of Anthropic's API where no single surface is meant. */
export const anthropicDialect: DialectSpec = {
  dialect: "anthropic",
  forwardedHeaders: ["anthropic-version", "anthropic-beta"],
  renderError: anthropicErrorBody,
  /** Anthropic has no stream but SSE; the SDKs raise on its `error` event. */
  renderErrorStream: (denial: Denial, requestId: string): Uint8Array =>
    new TextEncoder().encode(sseEvent("error", anthropicErrorBody(denial, requestId))),
};
