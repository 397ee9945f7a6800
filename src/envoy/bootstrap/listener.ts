import { type EnvoyPlan, GOOGLE_TOKEN_HEADER } from "../../core/upstream.ts";
import { accessLog } from "./access-log.ts";
import { localReplies } from "./local-replies.ts";
import {
  CHAIN_NAMESPACE,
  EDGE_NAMESPACE,
  EXT_PROC_FILTER,
  GOOGLE_METADATA_CLUSTER,
  GOOGLE_TOKEN_FILTER,
  GOOGLE_TOKEN_KEY,
  NONE_CLUSTER,
  PEER_UNTIL_HEADER,
  SLUICE_CLUSTER,
  SLUICE_NAMESPACE,
} from "./names.ts";
import { callersTls } from "./tls.ts";
import { durationMs, extension, type JsonRecord, typed } from "./typed.ts";

/**
 * Envoy's timers stand above Sluice's own, in this order, so that Sluice ends an exchange well formed before Envoy cuts it.
 * Milliseconds added to the longest request of any policy.
 */
const ROUTE_SLACK_MS = 5_000;
const IDLE_SLACK_MS = 10_000;

/** Longest answer of Sluice to one message; Envoy's default of 200 ms would refuse at the first garbage collection. */
const MESSAGE_TIMEOUT_MS = 10_000;
/** What Sluice may ask for before a slow step (Envoy 1.40 heeds one such wish a state). */
const MESSAGE_TIMEOUT_MAX_MS = 30_000;

/** The one static listener: connection manager, filters, the catch-all route. */
export function listener(plan: EnvoyPlan): JsonRecord {
  return {
    name: "sluice",
    address: { socket_address: { address: plan.listen.address, port_value: plan.listen.port } },
    filter_chains: [
      {
        filters: [extension("envoy.filters.network.http_connection_manager", `${HCM}.HttpConnectionManager`, connectionManager(plan))],
        ...(plan.listen.tls === undefined ? {} : { transport_socket: callersTls(plan, plan.listen.tls) }),
      },
    ],
  };
}

const HCM = "envoy.extensions.filters.network.http_connection_manager.v3";

/** Settings of Envoy's guide for edge proxies, where they do not stand against LLM traffic. No `upgrade_configs`: upgrades are refused. */
function connectionManager(plan: EnvoyPlan): JsonRecord {
  const idle = durationMs(plan.requestMsMax + IDLE_SLACK_MS);
  return {
    stat_prefix: "sluice",
    codec_type: "AUTO",
    // Provider and proxy versions are nobody's business.
    server_name: "sluice",
    server_header_transformation: "OVERWRITE",
    use_remote_address: true,
    preserve_external_request_id: true,
    // A caller's own words about its certificate go; Sluice is told of the real one by attributes, providers of none.
    forward_client_cert_details: "SANITIZE",
    normalize_path: true,
    merge_slashes: true,
    // Model names with `%2F` are legal; surfaces are matched exactly.
    path_with_escaped_slashes_action: "KEEP_UNCHANGED",
    common_http_protocol_options: { headers_with_underscores_action: "DROP_HEADER", idle_timeout: "3600s" },
    http2_protocol_options: {
      max_concurrent_streams: 256,
      initial_stream_window_size: 1_048_576,
      initial_connection_window_size: 16_777_216,
    },
    stream_idle_timeout: idle,
    request_timeout: idle,
    request_headers_timeout: "10s",
    route_config: routes(plan),
    http_filters: [strip(plan), remember(), externalProcessor(plan), googleTokens(), router()],
    access_log: [accessLog(plan)],
    local_reply_config: localReplies(),
  };
}

/** One route. The cluster is the chain that Sluice names in metadata, attempt n its n-th group (priority_group, Envoy 1.40). */
function routes(plan: EnvoyPlan): JsonRecord {
  const chain = typed("envoy.extensions.router.cluster_specifiers.priority_group.v3.PriorityGroupClusterSpecifier", {
    override_metadata_namespace: CHAIN_NAMESPACE,
    // Envoy asks for a default; without a plan of Sluice a request reaches nobody.
    priority_groups: [{ name: "none", clusters: [{ cluster_name: NONE_CLUSTER, weight: 1 }] }],
  });
  const route = {
    name: "governed",
    match: { prefix: "/" },
    request_body_buffer_limit: plan.bodyBytesMax,
    route: {
      inline_cluster_specifier_plugin: { extension: { name: "chain", typed_config: chain } },
      timeout: durationMs(plan.requestMsMax + ROUTE_SLACK_MS),
      idle_timeout: durationMs(plan.requestMsMax + IDLE_SLACK_MS),
      auto_host_rewrite: true,
      // No retry unless Sluice asks for it by header. The refresh is what moves a retry to the next group of the chain.
      retry_policy: {
        num_retries: 0,
        retriable_status_codes: [429],
        refresh_cluster_on_retry: true,
        retry_back_off: { base_interval: "0.2s", max_interval: "2s" },
        rate_limited_retry_back_off: { reset_headers: [{ name: "retry-after", format: "SECONDS" }], max_interval: "5s" },
      },
    },
  };
  return { name: "sluice", virtual_hosts: [{ name: "sluice", domains: ["*"], routes: [route] }] };
}

/** The caller's certificate; empty without one. `connection.mtls`: there is one, and Envoy verified it. */
const PEER_ATTRIBUTES = ["connection.mtls", "connection.uri_san_peer_certificate", "connection.subject_peer_certificate"];
/** No attribute says when a certificate ends, and a connection may outlive it. */
const PEER_UNTIL: JsonRecord = {
  header: { key: PEER_UNTIL_HEADER, value: "%DOWNSTREAM_PEER_CERT_V_END(%s)%" },
  append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
};

/** Our own control headers never come from outside; answers must be readable to the guards, so none is compressed. */
function strip(plan: EnvoyPlan): JsonRecord {
  return extension("strip", "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation", {
    mutations: {
      request_mutations: [
        { remove_on_match: { key_matcher: { prefix: "x-sluice-" } } },
        { remove: "accept-encoding" },
        // The one x-envoy-* header of a stranger that `use_remote_address` lets through.
        { remove: "x-envoy-attempt-count" },
        ...(plan.listen.peerCertificates === true ? [{ append: PEER_UNTIL }] : []),
      ],
    },
  });
}

/** Keeps path (without query) and request id as they came: see `EDGE_NAMESPACE`. */
function remember(): JsonRecord {
  const keep = (header: string, key: string, rewrite?: JsonRecord): JsonRecord => ({
    header,
    on_header_present: { metadata_namespace: EDGE_NAMESPACE, key, type: "STRING", ...rewrite },
  });
  return extension("remember", "envoy.extensions.filters.http.header_to_metadata.v3.Config", {
    request_rules: [
      keep("x-request-id", "request_id"),
      keep(":path", "path", { regex_value_rewrite: { pattern: { regex: "\\?.*" }, substitution: "" } }),
    ],
  });
}

/** The modes that hold in every case: request BUFFERED, response FULL_DUPLEX_STREAMED, configured and never overridden. */
function externalProcessor(plan: EnvoyPlan): JsonRecord {
  return extension(EXT_PROC_FILTER, "envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor", {
    stat_prefix: "sluice",
    grpc_service: {
      envoy_grpc: { cluster_name: SLUICE_CLUSTER },
      // Back-off is a second by default, which a caller would wait for when no process of Sluice lives.
      retry_policy: {
        num_retries: 2,
        retry_on: "connect-failure,refused-stream,reset-before-request,unavailable",
        retry_back_off: { base_interval: "0.005s", max_interval: "0.05s" },
      },
    },
    failure_mode_allow: false,
    allow_mode_override: false,
    status_on_error: { code: "ServiceUnavailable" },
    message_timeout: durationMs(MESSAGE_TIMEOUT_MS),
    max_message_timeout: durationMs(MESSAGE_TIMEOUT_MAX_MS),
    processing_mode: {
      request_header_mode: "SEND",
      request_body_mode: "BUFFERED",
      request_trailer_mode: "SKIP",
      response_header_mode: "SEND",
      response_body_mode: "FULL_DUPLEX_STREAMED",
      response_trailer_mode: "SEND",
    },
    // The default rules (no host, scheme, method, x-envoy-*) and, of x-envoy-*, the five that Sluice steers with.
    mutation_rules: {
      allow_expression: { regex: "x-envoy-(upstream-rq-(per-try-)?timeout-ms|max-retries|retry-on|retriable-status-codes)" },
    },
    metadata_options: { receiving_namespaces: { typed: [CHAIN_NAMESPACE], untyped: [SLUICE_NAMESPACE] } },
    ...(plan.listen.peerCertificates === true ? { request_attributes: PEER_ATTRIBUTES } : {}),
    // Who served, at which attempt; and whether it was the provider at all or Envoy's own reply.
    response_attributes: ["xds.cluster_name", "upstream.address", "upstream.request_attempt_count", "response.code_details"],
  });
}

/**
 * Fetches an OAuth access token of the machine's service account (Envoy caches it and asks anew before it ends), only for requests that
 * Sluice marked, so that Google's metadata server is no matter to all others. Here, because Envoy 1.40 has this filter for listeners
 * alone; an account's cluster takes the token from the metadata. Scope: what Vertex AI asks for.
 */
function googleTokens(): JsonRecord {
  const filter = extension(GOOGLE_TOKEN_FILTER, "envoy.extensions.filters.http.gcp_authn.v3.GcpAuthnFilterConfig", {
    cluster: GOOGLE_METADATA_CLUSTER,
    timeout: "5s",
    cache_config: { cache_size: 16 },
    retry_policy: { retry_back_off: { base_interval: "0.1s", max_interval: "1s" }, num_retries: 3 },
    token_metadata_key: GOOGLE_TOKEN_KEY,
    audience: { access_token: { scopes: ["https://www.googleapis.com/auth/cloud-platform"] } },
  });
  const skip = extension("skip", "envoy.extensions.filters.common.matcher.action.v3.SkipFilter");
  const marked = {
    name: "marked",
    typed_config: typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", { header_name: GOOGLE_TOKEN_HEADER }),
  };
  return extension(GOOGLE_TOKEN_FILTER, "envoy.extensions.common.matching.v3.ExtensionWithMatcher", {
    xds_matcher: {
      matcher_list: {
        matchers: [
          {
            predicate: { not_matcher: { single_predicate: { input: marked, value_match: { exact: "1" } } } },
            on_match: { action: skip },
          },
        ],
      },
    },
    extension_config: filter,
  });
}

/** Timings and attempt counts of Envoy stay inside; control by header works all the same. */
function router(): JsonRecord {
  return extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router", { suppress_envoy_headers: true });
}
