import { awsErrorType } from "../../core/aws-errors.ts";
import { DENIALS, type DenialCode, REQUEST_ID_HEADERS } from "../../core/denials.ts";
import type { Json } from "../../core/json.ts";
import type { Dialect } from "../../core/view.ts";
import { EDGE_NAMESPACE, REQUEST_ID_HEADER } from "./names.ts";
import { extension, type JsonRecord, literal } from "./typed.ts";

/**
 * What Envoy answers itself (413, 503, 504, an upgrade, Sluice dead) in the caller's dialect, with one code of the table.
 * Texts are fixed: `%RESPONSE_CODE_DETAILS%` names hosts and internals and never reaches a caller. Bodies are `json_format`,
 * not text, because the request id is the caller's own and only that escapes it.
 *
 * Envoy takes Sluice's immediate responses through the same mappers; those carry `x-ai-request-id` and the first mapper
 * keeps them as they are.
 */

/** One kind of local reply: which it is, the code it becomes, and what to say beyond the code's own text. */
interface Row {
  readonly status: number | { readonly from: number };
  /** Response flags, any of which must be set; [] means any flag at all. Absent: no matter. Source: Envoy's access log documentation. */
  readonly flags?: readonly string[];
  readonly code: DenialCode;
  readonly detail?: string;
}

/**
 * First match wins. 503 and 504 without a flag of the upstream side come from the ext_proc filter: Sluice is gone or silent.
 * `overloaded` and not `internal`, because the same request succeeds once Sluice is back and SDKs must be told to try again.
 */
const ROWS: readonly Row[] = [
  // From the credential injector: the provider's key is not there (its variable is unset, its file missing or empty).
  { status: 401, code: "upstream_unauthorised", detail: "The gateway has no credential for the provider." },
  { status: 403, code: "forbidden", detail: "Connection upgrades (WebSocket) are not served by the gateway." },
  { status: 404, code: "unsupported_surface" },
  { status: 408, code: "invalid_request", detail: "The request did not arrive in time." },
  { status: 413, code: "input_too_large" },
  { status: 431, code: "input_too_large", detail: "The request's headers are larger than the gateway allows." },
  { status: 502, code: "upstream_error" },
  // UO: a provider cluster's circuit breaker. OM: Envoy's own overload manager.
  { status: 503, flags: ["UO", "OM"], code: "overloaded" },
  // NC: a plan named a cluster that Envoy does not have.
  { status: 503, flags: ["NC"], code: "no_target" },
  { status: 503, flags: ["UH", "UF", "UC", "LR", "UR", "URX", "UPE", "DF"], code: "upstream_error" },
  { status: 503, code: "overloaded" },
  { status: 504, flags: ["UT", "SI", "DT", "UMSDR", "URX"], code: "upstream_timeout" },
  { status: 504, code: "overloaded" },
  { status: { from: 500 }, code: "internal" },
  { status: { from: 400 }, code: "invalid_request" },
];

/** Request paths and headers that tell a dialect; OpenAI's is the rest. Regular expressions match the whole value. */
const MARKS: Readonly<Record<Exclude<Dialect, "openai">, { readonly paths: string; readonly header?: string }>> = {
  anthropic: { paths: "/v1/(messages|complete)([/?].*)?", header: "anthropic-version" },
  gemini: { paths: "/(upload/|download/)?v1(beta|alpha)/.*|/v1/models/[^/?]+:.*", header: "x-goog-api-key" },
  cohere: { paths: "/v[12]/(chat|embed|rerank)(\\?.*)?" },
  // Sent with every call of AWS's SDKs.
  bedrock: { paths: "/model/.*", header: "amz-sdk-invocation-id" },
  vertex: { paths: "/v1(beta1)?/(projects|publishers)/.*" },
};

/** As it came, even after the header left the request; from the header itself where Envoy refused before the filters ran. */
const REQUEST_ID = `%COALESCE(${JSON.stringify({
  operators: [
    { command: "DYNAMIC_METADATA", param: `${EDGE_NAMESPACE}:request_id` },
    { command: "REQ", param: "X-REQUEST-ID" },
  ],
})})%`;

/** Seconds: about what Envoy needs to see that a process of Sluice is back. */
const OVERLOADED_RETRY_S = 1;

/** `local_reply_config` of the connection manager. */
export function localReplies(): JsonRecord {
  const own = extension("envoy.access_loggers.extension_filters.cel", "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter", {
    expression: `'${REQUEST_ID_HEADER}' in response.headers`,
  });
  const keep = { filter: { extension_filter: own } };
  const dialects: readonly Dialect[] = ["vertex", "bedrock", "cohere", "anthropic", "gemini", "openai"];
  return { mappers: [keep, ...dialects.flatMap((dialect) => ROWS.map((row) => mapper(dialect, row)))] };
}

function mapper(dialect: Dialect, row: Row): JsonRecord {
  const denial = DENIALS[row.code];
  const filters = [statusFilter(row.status)];
  if (row.flags !== undefined) filters.push({ response_flag_filter: { flags: row.flags } });
  if (dialect !== "openai") filters.push(dialectFilter(dialect));
  const headers: Record<string, string> = {
    [REQUEST_ID_HEADER]: REQUEST_ID,
    "x-ai-error": row.code,
    "x-should-retry": String(denial.retryable),
  };
  const idHeader = REQUEST_ID_HEADERS[dialect];
  if (idHeader !== undefined) headers[idHeader] = REQUEST_ID;
  if (dialect === "bedrock") {
    headers["x-amzn-errortype"] = awsErrorType(row.code);
    headers["x-amzn-requestid"] = REQUEST_ID;
  }
  if (row.code === "overloaded") headers["retry-after"] = String(OVERLOADED_RETRY_S);
  return {
    filter: filters.length === 1 ? (filters[0] ?? {}) : { and_filter: { filters } },
    status_code: denial.status,
    headers_to_add: Object.entries(headers).map(([key, value]) => ({
      header: { key, value },
      append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
    })),
    body_format_override: { json_format: errorBody(dialect, row), content_type: "application/json" },
  };
}

function statusFilter(status: Row["status"]): JsonRecord {
  const [op, value] = typeof status === "number" ? ["EQ", status] : ["GE", status.from];
  // Envoy wants a runtime key beside every threshold; nothing sets it.
  return { status_code_filter: { comparison: { op, value: { default_value: value, runtime_key: "sluice.local_reply_status" } } } };
}

/** The path as it came in, from metadata once the filters ran, else (an upgrade, headers too large) from the request. */
function dialectFilter(dialect: Exclude<Dialect, "openai">): JsonRecord {
  const { paths, header } = MARKS[dialect];
  return {
    or_filter: {
      filters: [
        {
          metadata_filter: {
            matcher: { filter: EDGE_NAMESPACE, path: [{ key: "path" }], value: { string_match: { safe_regex: { regex: paths } } } },
            match_if_key_not_found: false,
          },
        },
        { header_filter: { header: { name: ":path", string_match: { safe_regex: { regex: paths } } } } },
        ...(header === undefined ? [] : [{ header_filter: { header: { name: header, present_match: true } } }]),
      ],
    },
  };
}

/**
 * The dialect's error object, as the codecs render it, with Envoy's own words where the request id stands. Not the codecs'
 * code, which this folder may not import; a test holds both against each other.
 */
function errorBody(dialect: Dialect, row: Row): Json {
  const { code } = row;
  const denial = DENIALS[code];
  const message = literal(row.detail ?? denial.text);
  switch (dialect) {
    case "openai":
      return { error: { message, type: denial.openai, param: null, code }, request_id: REQUEST_ID };
    case "anthropic":
      return { type: "error", error: { type: denial.anthropic, message, code, details: { error_code: code } }, request_id: REQUEST_ID };
    case "cohere":
      return { id: REQUEST_ID, message, code };
    case "bedrock":
      return { message, code, requestId: REQUEST_ID };
    case "gemini":
    case "vertex":
      return { error: { code: denial.status, message, status: denial.gemini, details: geminiDetails(code) } };
  }
}

function geminiDetails(code: DenialCode): Json {
  const type = (name: string): string => `type.googleapis.com/google.rpc.${name}`;
  const info = { "@type": type("ErrorInfo"), reason: code, domain: "sluice", metadata: { requestId: REQUEST_ID } };
  return code === "overloaded" ? [info, { "@type": type("RetryInfo"), retryDelay: `${OVERLOADED_RETRY_S}s` }] : [info];
}
