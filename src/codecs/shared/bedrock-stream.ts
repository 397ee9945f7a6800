import { awsErrorType } from "../../core/aws-errors.ts";
import type { Denial } from "../../core/denials.ts";
import { jsonException } from "./aws-eventstream.ts";
import { bedrockError } from "./bedrock-error.ts";

/** Exceptions that a running stream may end with (`ConverseStreamOutput`, `ResponseStream`); all others become the first. */
const IN_STREAM: ReadonlySet<string> = new Set([
  "InternalServerException",
  "ValidationException",
  "ThrottlingException",
  "ModelTimeoutException",
  "ServiceUnavailableException",
]);

/** A refusal as the exception that ends a running event stream; the SDKs raise it. */
export function bedrockException(denial: Denial, requestId: string): Uint8Array {
  const type = awsErrorType(denial.code);
  const named = IN_STREAM.has(type) ? type : type === "ModelErrorException" ? "ServiceUnavailableException" : "ValidationException";
  return jsonException(`${named[0]?.toLowerCase() ?? ""}${named.slice(1)}`, JSON.stringify(bedrockError(denial, requestId)));
}
