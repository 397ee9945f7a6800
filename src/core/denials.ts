import type { Dialect } from "./view.ts";

/**
 * The closed table of refusal codes: one row a code, with the HTTP status, whether a client may try again,
 * and how each dialect names it. Texts are fixed and safe to show: no content, no key, no other tenant.
 * A refusal keeps its code from the stage to the HTTP answer, the metric, the span and the record.
 *
 * Sources: OpenAI error object and types (platform.openai.com/docs/guides/error-codes), Anthropic errors
 * (docs.anthropic.com/en/api/errors), google.rpc.Code names (googleapis google/rpc/code.proto).
 */
interface DenialRow {
  /** HTTP status of the answer. */
  readonly status: number;
  /** May the same request succeed later without a change? Sent as `x-should-retry`, which the SDKs obey. */
  readonly retryable: boolean;
  /** `error.type` of an OpenAI error object. */
  readonly openai:
    | "invalid_request_error"
    | "authentication_error"
    | "permission_error"
    | "rate_limit_error"
    | "insufficient_quota"
    | "server_error"
    | "not_found_error";
  /** `error.type` of an Anthropic error object. */
  readonly anthropic:
    | "invalid_request_error"
    | "authentication_error"
    | "permission_error"
    | "not_found_error"
    | "request_too_large"
    | "rate_limit_error"
    | "api_error"
    | "overloaded_error"
    | "timeout_error"
    | "billing_error";
  /** `error.status` of a Google error object. */
  readonly gemini:
    | "INVALID_ARGUMENT"
    | "UNAUTHENTICATED"
    | "PERMISSION_DENIED"
    | "NOT_FOUND"
    | "RESOURCE_EXHAUSTED"
    | "FAILED_PRECONDITION"
    | "ABORTED"
    | "INTERNAL"
    | "UNAVAILABLE"
    | "DEADLINE_EXCEEDED";
  /** What the caller reads when the refusal brings no detail of its own. */
  readonly text: string;
}

const table = {
  invalid_request: {
    status: 400,
    retryable: false,
    openai: "invalid_request_error",
    anthropic: "invalid_request_error",
    gemini: "INVALID_ARGUMENT",
    text: "The request is not well formed.",
  },
  unsupported_surface: {
    status: 404,
    retryable: false,
    openai: "not_found_error",
    anthropic: "not_found_error",
    gemini: "NOT_FOUND",
    text: "This method and path are not served by the gateway.",
  },
  contract_violation: {
    status: 400,
    retryable: false,
    openai: "invalid_request_error",
    anthropic: "invalid_request_error",
    gemini: "INVALID_ARGUMENT",
    text: "A contract field is missing, unknown or not allowed.",
  },
  unauthenticated: {
    status: 401,
    retryable: false,
    openai: "authentication_error",
    anthropic: "authentication_error",
    gemini: "UNAUTHENTICATED",
    text: "No valid credential was sent. Use a key issued by the gateway.",
  },
  forbidden: {
    status: 403,
    retryable: false,
    openai: "permission_error",
    anthropic: "permission_error",
    gemini: "PERMISSION_DENIED",
    text: "The policy does not allow this.",
  },
  model_not_allowed: {
    status: 403,
    retryable: false,
    openai: "permission_error",
    anthropic: "permission_error",
    gemini: "PERMISSION_DENIED",
    text: "The policy does not allow this model.",
  },
  tool_not_allowed: {
    status: 403,
    retryable: false,
    openai: "permission_error",
    anthropic: "permission_error",
    gemini: "PERMISSION_DENIED",
    text: "The policy does not allow this tool.",
  },
  input_too_large: {
    status: 413,
    retryable: false,
    openai: "invalid_request_error",
    anthropic: "request_too_large",
    gemini: "INVALID_ARGUMENT",
    text: "The request is larger than the policy allows.",
  },
  rate_limited: {
    status: 429,
    retryable: true,
    openai: "rate_limit_error",
    anthropic: "rate_limit_error",
    gemini: "RESOURCE_EXHAUSTED",
    text: "Too many requests. Try again later.",
  },
  budget_exhausted: {
    status: 429,
    retryable: false,
    openai: "insufficient_quota",
    anthropic: "billing_error",
    gemini: "RESOURCE_EXHAUSTED",
    text: "The budget is used up.",
  },
  cost_cap: {
    status: 400,
    retryable: false,
    openai: "invalid_request_error",
    anthropic: "invalid_request_error",
    gemini: "FAILED_PRECONDITION",
    text: "The request would cost more than its cap.",
  },
  latency_cap: {
    status: 504,
    retryable: false,
    openai: "server_error",
    anthropic: "timeout_error",
    gemini: "DEADLINE_EXCEEDED",
    text: "The answer took longer than its cap.",
  },
  content_blocked: {
    status: 400,
    retryable: false,
    openai: "invalid_request_error",
    anthropic: "invalid_request_error",
    gemini: "FAILED_PRECONDITION",
    text: "The policy blocks this content.",
  },
  injection_suspected: {
    status: 400,
    retryable: false,
    openai: "invalid_request_error",
    anthropic: "invalid_request_error",
    gemini: "FAILED_PRECONDITION",
    text: "The content looks like a prompt injection.",
  },
  approval_required: {
    status: 403,
    retryable: false,
    openai: "permission_error",
    anthropic: "permission_error",
    gemini: "PERMISSION_DENIED",
    text: "This call needs an approval.",
  },
  residency_violation: {
    status: 403,
    retryable: false,
    openai: "permission_error",
    anthropic: "permission_error",
    gemini: "PERMISSION_DENIED",
    text: "No target satisfies the residency rule.",
  },
  idempotency_conflict: {
    status: 409,
    retryable: false,
    openai: "invalid_request_error",
    anthropic: "invalid_request_error",
    gemini: "ABORTED",
    text: "This idempotency key was used with another request.",
  },
  duplicate_in_flight: {
    status: 409,
    retryable: true,
    openai: "invalid_request_error",
    anthropic: "invalid_request_error",
    gemini: "ABORTED",
    text: "The same request is still in flight.",
  },
  no_target: {
    status: 503,
    retryable: false,
    openai: "server_error",
    anthropic: "api_error",
    gemini: "UNAVAILABLE",
    text: "No provider can serve this request.",
  },
  upstream_timeout: {
    status: 504,
    retryable: true,
    openai: "server_error",
    anthropic: "timeout_error",
    gemini: "DEADLINE_EXCEEDED",
    text: "The provider did not answer in time.",
  },
  upstream_rate_limited: {
    status: 429,
    retryable: true,
    openai: "rate_limit_error",
    anthropic: "rate_limit_error",
    gemini: "RESOURCE_EXHAUSTED",
    text: "The provider limits the rate of requests.",
  },
  upstream_unauthorised: {
    status: 502,
    retryable: false,
    openai: "server_error",
    anthropic: "api_error",
    gemini: "INTERNAL",
    text: "The provider refused the gateway's credential.",
  },
  upstream_content_filter: {
    status: 400,
    retryable: false,
    openai: "invalid_request_error",
    anthropic: "invalid_request_error",
    gemini: "FAILED_PRECONDITION",
    text: "The provider's content filter blocked the request.",
  },
  upstream_invalid: {
    status: 502,
    retryable: true,
    openai: "server_error",
    anthropic: "api_error",
    gemini: "INTERNAL",
    text: "The provider's answer was not valid.",
  },
  upstream_error: {
    status: 502,
    retryable: true,
    openai: "server_error",
    anthropic: "api_error",
    gemini: "UNAVAILABLE",
    text: "The provider failed.",
  },
  store_unavailable: {
    status: 503,
    retryable: true,
    openai: "server_error",
    anthropic: "api_error",
    gemini: "UNAVAILABLE",
    text: "A store that this request needs is not available.",
  },
  overloaded: {
    status: 503,
    retryable: true,
    openai: "server_error",
    anthropic: "overloaded_error",
    gemini: "UNAVAILABLE",
    text: "The gateway is overloaded. Try again later.",
  },
  internal: {
    status: 500,
    retryable: false,
    openai: "server_error",
    anthropic: "api_error",
    gemini: "INTERNAL",
    text: "The gateway failed. The request was not passed on uninspected.",
  },
} as const satisfies Record<string, DenialRow>;

/** Why an exchange was refused. Closed: a new code is a new row here and in docs/codes.md. */
export type DenialCode = keyof typeof table;
export const DENIALS: Readonly<Record<DenialCode, DenialRow>> = table;
export const DENIAL_CODES = Object.keys(table) as readonly DenialCode[];

/** Where a dialect's SDKs look for the id of a call that failed (`error.requestID`); Google's do not, it stands in the body. */
export const REQUEST_ID_HEADERS: Readonly<Partial<Record<Dialect, string>>> = { openai: "x-request-id", anthropic: "request-id" };

/** A refusal on its way to the caller. `detail` is safe to show: written by us, from policy names and numbers only. */
export interface Denial {
  readonly code: DenialCode;
  /** Says what was asked, what is allowed, what to do. Falls back to the table's text. */
  readonly detail?: string;
  /** Milliseconds until a retry can succeed; rendered as `retry-after` in whole seconds, rounded up. */
  readonly retryAfterMs?: number;
}
