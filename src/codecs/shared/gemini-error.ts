import { DENIALS, type Denial } from "../../core/denials.ts";
import type { Json } from "../../core/json.ts";

/**
 * A refusal as a Google error (google.rpc.Status in JSON). The code of our table is the `reason` of an ErrorInfo, as it is spelled
 * everywhere else; a wait goes into a RetryInfo, which Google's clients obey.
 * Source: googleapis google/rpc/status.proto and error_details.proto.
 */
export function geminiError(denial: Denial, requestId: string): Json {
  const row = DENIALS[denial.code];
  const info: Json = {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    reason: denial.code,
    domain: "sluice",
    metadata: { requestId },
  };
  const details: Json[] = [info];
  if (denial.retryAfterMs !== undefined) {
    details.push({ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: `${Math.ceil(denial.retryAfterMs / 1000)}s` });
  }
  return { error: { code: row.status, message: denial.detail ?? row.text, status: row.gemini, details } };
}

const encoder = new TextEncoder();

/** A refusal as a whole stream: one event, or an array of one. */
export function geminiErrorStream(denial: Denial, requestId: string, framing: string): Uint8Array {
  const json = JSON.stringify(geminiError(denial, requestId));
  return encoder.encode(framing === "sse" ? `data: ${json}\r\n\r\n` : `[${json}]`);
}
