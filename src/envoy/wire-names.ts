/**
 * Names of headers and attributes as they come with nearly every exchange: what Envoy adds, what HTTP clients and the providers' SDKs
 * send. Taken from here, a name needs no string made of its bytes, and a map knows its hash. A name that is missing only costs more.
 */
const NAMES = [
  ...[":method", ":path", ":scheme", ":authority", ":status", "host", "user-agent", "accept", "accept-encoding", "accept-language"],
  ...["connection", "content-type", "content-length", "content-encoding", "transfer-encoding", "authorization", "date", "server", "via"],
  ...["cache-control", "vary", "alt-svc", "set-cookie", "strict-transport-security", "x-content-type-options", "etag", "location"],
  ...["access-control-expose-headers", "access-control-allow-origin", "retry-after", "origin", "referer", "cookie", "te"],
  ...["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-real-ip", "x-request-id", "x-b3-traceid"],
  ...["traceparent", "tracestate", "baggage", "x-envoy-expected-rq-timeout-ms", "x-envoy-upstream-service-time", "x-envoy-attempt-count"],
  ...["x-envoy-internal", "x-envoy-external-address", "x-envoy-original-path", "x-envoy-decorator-operation"],
  ...["x-ai-tenant", "x-ai-app", "x-ai-user", "x-ai-use-case", "x-ai-channel", "x-ai-conversation", "x-ai-data-class", "x-ai-max-tokens"],
  ...["idempotency-key", "x-api-key", "api-key", "x-goog-api-key", "x-goog-api-client", "anthropic-version", "anthropic-beta"],
  ...["openai-organization", "openai-project", "openai-version", "openai-processing-ms", "openai-model", "request-id", "cf-ray"],
  ...["cf-cache-status", "x-stainless-lang", "x-stainless-package-version", "x-stainless-os", "x-stainless-arch", "x-stainless-runtime"],
  ...["x-stainless-runtime-version", "x-stainless-async", "x-stainless-retry-count", "x-stainless-read-timeout", "x-stainless-timeout"],
  ...["x-stainless-raw-response", "x-stainless-stream-helper", "x-stainless-helper-method", "x-ratelimit-limit-requests"],
  ...["x-ratelimit-limit-tokens", "x-ratelimit-remaining-requests", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-requests"],
  ...["x-ratelimit-reset-tokens", "anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining"],
  ...["envoy.filters.http.ext_proc", "xds.cluster_name", "upstream.address", "upstream.request_attempt_count", "response.code_details"],
] as const;

const SLOTS = 512;
const MASK = SLOTS - 1;
const slotOf = (first: number, middle: number, last: number, length: number): number =>
  (length * 37 + first * 7 + middle * 5 + last) & MASK;

/** Each name in its slot, or in the first free one behind it. Less than a quarter is taken. */
const TABLE: readonly string[] = (() => {
  const slots = Array.from({ length: SLOTS }, () => "");
  for (const name of NAMES) {
    const { length } = name;
    let slot = slotOf(name.charCodeAt(0), name.charCodeAt(length >> 1), name.charCodeAt(length - 1), length);
    while (slots[slot] !== "") slot = (slot + 1) & MASK;
    slots[slot] = name;
  }
  return slots;
})();

/** The name that stands in `length` bytes from `at`, where it is one of the usual ones. */
export function usualName(bytes: Uint8Array, at: number, length: number): string | undefined {
  let slot = slotOf(bytes[at] ?? 0, bytes[at + (length >> 1)] ?? 0, bytes[at + length - 1] ?? 0, length);
  for (let name = TABLE[slot]; name !== undefined && name !== ""; name = TABLE[slot]) {
    if (name.length === length && isAt(name, bytes, at)) return name;
    slot = (slot + 1) & MASK;
  }
  return undefined;
}
function isAt(name: string, bytes: Uint8Array, at: number): boolean {
  for (let index = 0; index < name.length; index++) if (name.charCodeAt(index) !== bytes[at + index]) return false;
  return true;
}
