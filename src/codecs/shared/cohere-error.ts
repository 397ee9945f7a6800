import type { TailReason } from "../../core/codec.ts";
import { DENIALS, type Denial } from "../../core/denials.ts";
import type { Json } from "../../core/json.ts";

/**
 * A refusal as Cohere's error object, which has no code of its own: the table's code stands beside the message.
 * Source: docs.cohere.com/reference/errors and `ApiError` of the `cohere` and `cohere-ai` packages, which show the body; read 2026-11.
 */
export function cohereError(denial: Denial, requestId: string): Json {
  return { id: requestId, message: denial.detail ?? DENIALS[denial.code].text, code: denial.code };
}

/** The error as a whole JSON body, in place of one that was held back; "" for `length`, which a body cannot be cut to. */
export function cohereErrorBody(reason: TailReason): string {
  return reason.kind !== "error" ? "" : JSON.stringify(cohereError(reason.denial, reason.requestId));
}
