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

interface Known {
  readonly name: string;
  readonly bytes: Uint8Array;
}
const SLOTS = 512;
const slotOf = (bytes: Uint8Array, at: number, length: number): number =>
  (length * 37 + (bytes[at] ?? 0) * 7 + (bytes[at + (length >> 1)] ?? 0) * 5 + (bytes[at + length - 1] ?? 0)) & (SLOTS - 1);

const TABLE: readonly (readonly Known[])[] = (() => {
  const slots: Known[][] = Array.from({ length: SLOTS }, () => []);
  for (const name of NAMES) {
    const bytes = Uint8Array.from(name, (char) => char.charCodeAt(0));
    slots[slotOf(bytes, 0, bytes.length)]?.push({ name, bytes });
  }
  return slots;
})();

/** The name that stands in `length` bytes from `at`, where it is one of the usual ones. */
export function usualName(bytes: Uint8Array, at: number, length: number): string | undefined {
  if (length === 0) return undefined;
  for (const known of TABLE[slotOf(bytes, at, length)] ?? []) if (isAt(known.bytes, bytes, at, length)) return known.name;
  return undefined;
}
function isAt(known: Uint8Array, bytes: Uint8Array, at: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let index = 0; index < length; index++) if (known[index] !== bytes[at + index]) return false;
  return true;
}
