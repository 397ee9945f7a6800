import { awsErrorType } from "../core/aws-errors.ts";
import type { DialectSpec } from "../core/codec.ts";
import { bedrockError } from "./shared/bedrock-error.ts";
import { bedrockException } from "./shared/bedrock-stream.ts";

/**
 * How Sluice speaks to callers of Amazon Bedrock's runtime API.
 *
 * Headers that stay behind on purpose: the caller's signature and everything else of `x-amz-*` (the gateway signs anew),
 * `amz-sdk-*` (the caller's own retries), `x-amzn-trace-id`.
 */
export const bedrockDialect: DialectSpec = {
  dialect: "bedrock",
  forwardedHeaders: [
    "x-amzn-bedrock-accept",
    "x-amzn-bedrock-trace",
    "x-amzn-bedrock-guardrailidentifier",
    "x-amzn-bedrock-guardrailversion",
    "x-amzn-bedrock-performanceconfig-latency",
    "x-amzn-bedrock-service-tier",
  ],
  renderError: bedrockError,
  /** An exception in the middle of a stream; before it, AWS answers with a JSON body like everyone else. */
  renderErrorStream: bedrockException,
  errorHeaders: (denial, requestId) => [
    ["x-amzn-errortype", awsErrorType(denial.code)],
    ["x-amzn-requestid", requestId],
  ],
};
