import type { EnvoyPlan, ObservePlan } from "../../core/upstream.ts";
import { accessLog } from "./access-log.ts";
import { SLUICE_CLUSTER } from "./names.ts";
import { durationMs, extension, type JsonRecord } from "./typed.ts";

/**
 * The listener of the `observe` stage of a rollout. Its ext_proc filter runs in observability mode: Envoy sends Sluice a copy of
 * every message, waits for no answer and obeys none, so that nothing that Sluice does, or fails to do, can reach a caller.
 * Requests go with the caller's own key to the provider they would go to without a gateway.
 */
export function observeListener(plan: EnvoyPlan, observe: ObservePlan): JsonRecord {
  const idle = durationMs(plan.requestMsMax + SLACK_MS);
  return {
    name: "sluice-observe",
    address: { socket_address: { address: observe.listen.address, port_value: observe.listen.port } },
    filter_chains: [
      {
        filters: [
          extension(
            "envoy.filters.network.http_connection_manager",
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            {
              stat_prefix: "sluice_observe",
              use_remote_address: true,
              preserve_external_request_id: true,
              normalize_path: true,
              path_with_escaped_slashes_action: "KEEP_UNCHANGED",
              stream_idle_timeout: idle,
              route_config: routes(plan, observe),
              http_filters: [readable(), observer(), router()],
              access_log: [accessLog(plan)],
            },
          ),
        ],
      },
    ],
  };
}

/** Above the longest request: observing must never be what ends a call. */
const SLACK_MS = 60_000;

function routes(plan: EnvoyPlan, observe: ObservePlan): JsonRecord {
  const route = (match: JsonRecord, cluster: string): JsonRecord => ({
    match,
    route: {
      cluster,
      auto_host_rewrite: true,
      timeout: durationMs(plan.requestMsMax + SLACK_MS),
      idle_timeout: durationMs(plan.requestMsMax + SLACK_MS),
    },
  });
  const byDialect = new Map(observe.upstreams.map(({ dialect, cluster }) => [dialect, cluster.name]));
  const list: JsonRecord[] = [];
  for (const [dialect, match] of MARKS) {
    const cluster = byDialect.get(dialect);
    if (cluster !== undefined) list.push(route(match, cluster));
  }
  const rest = byDialect.get("openai") ?? observe.upstreams[0]?.cluster.name;
  if (rest !== undefined) list.push(route({ prefix: "/" }, rest));
  // The clusters come by CDS, which Envoy reads after this.
  return { name: "sluice-observe", validate_clusters: false, virtual_hosts: [{ name: "sluice-observe", domains: ["*"], routes: list }] };
}

/** Paths that tell a dialect; OpenAI's is the rest. */
const MARKS: readonly (readonly [string, JsonRecord])[] = [
  ["anthropic", { prefix: "/v1/messages" }],
  ["gemini", { prefix: "/v1beta/" }],
  ["gemini", { safe_regex: { regex: "/v1/models/[^/]+:.*" } }],
  ["cohere", { prefix: "/v2/" }],
  ["bedrock", { prefix: "/model/" }],
  ["vertex", { safe_regex: { regex: "/v1(beta1)?/projects/.*" } }],
];

/** Compressed answers could not be read. */
const readable = (): JsonRecord =>
  extension("readable", "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation", {
    mutations: { request_mutations: [{ remove: "accept-encoding" }] },
  });

const observer = (): JsonRecord =>
  extension("sluice-observe", "envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor", {
    stat_prefix: "sluice_observe",
    grpc_service: { envoy_grpc: { cluster_name: SLUICE_CLUSTER } },
    observability_mode: true,
    failure_mode_allow: true,
    // A stream stays open this long after the last message, so that its last copies arrive.
    deferred_close_timeout: "5s",
    processing_mode: {
      request_header_mode: "SEND",
      request_body_mode: "STREAMED",
      request_trailer_mode: "SKIP",
      response_header_mode: "SEND",
      response_body_mode: "STREAMED",
      response_trailer_mode: "SEND",
    },
    response_attributes: ["xds.cluster_name", "upstream.address", "upstream.request_attempt_count", "response.code_details"],
  });

const router = (): JsonRecord =>
  extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router", { suppress_envoy_headers: true });
