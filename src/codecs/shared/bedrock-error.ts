import type { TailReason } from "../../core/codec.ts";
import { DENIALS, type Denial } from "../../core/denials.ts";
import type { Json } from "../../core/json.ts";

/** A refusal's body as AWS's REST-JSON services write it; the type stands in a header (`awsErrorType`). */
export function bedrockError(denial: Denial, requestId: string): Json {
  return { message: denial.detail ?? DENIALS[denial.code].text, code: denial.code, requestId };
}

/** The error as a whole JSON body, in place of one that was held back; "" for `length`, which a body cannot be cut to. */
export function bedrockErrorBody(reason: TailReason): string {
  return reason.kind !== "error" ? "" : JSON.stringify(bedrockError(reason.denial, reason.requestId));
}
