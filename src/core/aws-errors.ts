import { DENIALS, type DenialCode } from "./denials.ts";

/**
 * What AWS calls a refusal: the header `x-amzn-errortype`, and in lower camel case `:exception-type` of an event stream. The SDKs
 * choose the class that they raise, and whether they try again, by this name.
 * Source: error sections of Converse and InvokeModel in the Amazon Bedrock API reference, read 2026-11.
 */
export type AwsErrorType =
  | "ValidationException"
  | "AccessDeniedException"
  | "ResourceNotFoundException"
  | "ConflictException"
  | "ThrottlingException"
  | "ServiceQuotaExceededException"
  | "ModelTimeoutException"
  | "ModelErrorException"
  | "ServiceUnavailableException"
  | "InternalServerException";

const BY_STATUS: Readonly<Record<number, AwsErrorType>> = {
  401: "AccessDeniedException",
  403: "AccessDeniedException",
  404: "ResourceNotFoundException",
  409: "ConflictException",
  429: "ThrottlingException",
  500: "InternalServerException",
  502: "ModelErrorException",
  503: "ServiceUnavailableException",
  504: "ModelTimeoutException",
};

export function awsErrorType(code: DenialCode): AwsErrorType {
  // A throttle is tried again at once by every SDK; a budget that is used up is not worth it.
  if (code === "budget_exhausted") return "ServiceQuotaExceededException";
  return BY_STATUS[DENIALS[code].status] ?? "ValidationException";
}
