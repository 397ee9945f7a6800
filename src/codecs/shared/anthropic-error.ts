import type { TailReason } from "../../core/codec.ts";
import { DENIALS, type Denial } from "../../core/denials.ts";
import type { Json } from "../../core/json.ts";

/**
 * A refusal as Anthropic's error object. The table's code stands in `error.code`, and in `error.details.error_code`, which the
 * official SDKs show as `errorCode`.
 */
export function anthropicErrorBody(denial: Denial, requestId: string): Json {
  const { code, detail } = denial;
  const row = DENIALS[code];
  return {
    type: "error",
    error: { type: row.anthropic, message: detail ?? row.text, code, details: { error_code: code } },
    request_id: requestId,
  };
}

/** The error as a whole JSON body, in place of one that was held back; "" for `length`, which a body cannot be cut to. */
export function anthropicErrorText(reason: TailReason): string {
  return reason.kind !== "error" ? "" : JSON.stringify(anthropicErrorBody(reason.denial, reason.requestId));
}
