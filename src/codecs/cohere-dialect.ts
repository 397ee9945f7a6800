import type { DialectSpec } from "../core/codec.ts";
import { cohereError } from "./shared/cohere-error.ts";
import { cohereErrorEvent } from "./shared/said-cohere.ts";

/** How Sluice speaks to callers of Cohere's API. `x-client-name` tells about the caller and stays behind. */
export const cohereDialect: DialectSpec = {
  dialect: "cohere",
  forwardedHeaders: [],
  renderError: cohereError,
  /** Cohere has no stream but SSE (and, in version 1, one JSON object a line, whose callers read the JSON body). */
  renderErrorStream: (denial, requestId) => new TextEncoder().encode(cohereErrorEvent(denial, requestId)),
};
