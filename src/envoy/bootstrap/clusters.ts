import { isIP } from "node:net";
import { EXCHANGES_MAX } from "../../core/limits.ts";
import type { EnvoyPlan, UpstreamCluster } from "../../core/upstream.ts";
import {
  CDS_FILE,
  GOOGLE_METADATA_CLUSTER,
  GOOGLE_TOKEN_FILTER,
  GOOGLE_TOKEN_KEY,
  NONE_CLUSTER,
  SLUICE_CLUSTER,
  sdsFile,
  secretName,
} from "./names.ts";
import { durationMs, extension, type JsonRecord, typed } from "./typed.ts";

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** Headers that can carry a credential in any dialect. Whatever stood there, only the injected one leaves (priority_group, Envoy 1.40). */
const CREDENTIAL_HEADERS = ["authorization", "x-api-key", "api-key", "x-goog-api-key"] as const;
/** AWS's signature stands in `authorization` and these; an earlier attempt's must not reach another provider. */
const SIGNATURE_PREFIX = "x-amz-";
/** What Envoy or a caller may have added for proxies and for Sluice; no provider needs to know. */
const INTERNAL_HEADERS = ["x-request-id", "cookie", "forwarded", "via", "x-real-ip"] as const;
const INTERNAL_PREFIXES = [SIGNATURE_PREFIX, "x-forwarded-", "x-envoy-", "x-ai-", "x-sluice-"] as const;
/**
 * Not for callers: whose account it is, cookies of the provider's edge, and hints that would lead a client past the gateway.
 * Without the prefixes a provider could speak as Envoy or Sluice: after this, `x-ai-error` on an answer is Envoy's own.
 */
const PROVIDER_HEADERS = [
  "set-cookie",
  "alt-svc",
  "strict-transport-security",
  "openai-organization",
  "openai-project",
  "anthropic-organization-id",
] as const;
const PROVIDER_PREFIXES = ["x-envoy-", "x-ai-", "x-sluice-"] as const;

/**
 * Idle upstream connections are closed by Envoy a little before the far side does, else a request meets a closing connection
 * and fails. Plain HTTP: model servers on uvicorn (vLLM) close after 5 s (`--timeout-keep-alive`). TLS: public load balancers
 * close after 60 s and more.
 */
const IDLE_PLAIN_MS = 4_000;
const IDLE_TLS_MS = 55_000;

/** A cluster that Envoy has from its start: Sluice's processes, each its own socket. */
export function sluiceCluster(plan: EnvoyPlan): JsonRecord {
  const most = EXCHANGES_MAX * plan.sockets.length;
  return {
    name: SLUICE_CLUSTER,
    type: "STATIC",
    lb_policy: "LEAST_REQUEST",
    connect_timeout: "0.25s",
    common_lb_config: {
      // Only when no process is healthy are all tried, so that recovery does not wait for a check.
      healthy_panic_threshold: { value: 1 },
      // By default Envoy's threads hear of health a second late, and would go on sending to a process that has drained.
      update_merge_window: "0s",
    },
    load_assignment: {
      cluster_name: SLUICE_CLUSTER,
      endpoints: [{ lb_endpoints: plan.sockets.map((path) => ({ endpoint: { address: { pipe: { path } } } })) }],
    },
    health_checks: [
      {
        timeout: "1s",
        interval: "1s",
        no_traffic_interval: "1s",
        unhealthy_interval: "0.5s",
        unhealthy_threshold: 2,
        healthy_threshold: 1,
        grpc_health_check: {},
      },
    ],
    // One failure to reach a process ejects it for a moment. A request that Sluice fails on purpose (INTERNAL) does not:
    // one poisonous request must not take a process from everybody.
    outlier_detection: {
      consecutive_gateway_failure: 1,
      enforcing_consecutive_gateway_failure: 100,
      enforcing_consecutive_5xx: 0,
      enforcing_success_rate: 0,
      interval: "1s",
      base_ejection_time: "2s",
      max_ejection_time: "5s",
      max_ejection_percent: 100,
    },
    circuit_breakers: {
      thresholds: [{ max_connections: most, max_requests: most, max_pending_requests: most, max_retries: Math.ceil(most / 4) }],
    },
    typed_extension_protocol_options: {
      [HTTP_OPTIONS]: typed(HTTP_OPTIONS, {
        explicit_http_config: { http2_protocol_options: { connection_keepalive: { interval: "30s", timeout: "5s" } } },
      }),
    },
  };
}

/** The other cluster that is always there. */
export const noneCluster = (): JsonRecord => ({
  name: NONE_CLUSTER,
  type: "STATIC",
  connect_timeout: "1s",
  load_assignment: { cluster_name: NONE_CLUSTER },
});

/** One provider account. */
export function providerCluster(plan: EnvoyPlan, upstream: UpstreamCluster): JsonRecord {
  return {
    name: upstream.name,
    ...(upstream.label === undefined ? {} : { alt_stat_name: upstream.label }),
    ...discovery(upstream),
    lb_policy: "LEAST_REQUEST",
    connect_timeout: durationMs(upstream.connectTimeoutMs),
    load_assignment: {
      cluster_name: upstream.name,
      endpoints: [
        {
          lb_endpoints: [
            {
              endpoint: {
                hostname: authority(upstream),
                address: { socket_address: { address: upstream.host, port_value: upstream.port } },
              },
            },
          ],
        },
      ],
    },
    outlier_detection: {
      split_external_local_origin_errors: true,
      consecutive_local_origin_failure: 5,
      consecutive_gateway_failure: 5,
      enforcing_consecutive_gateway_failure: 100,
      enforcing_consecutive_5xx: 0,
      enforcing_success_rate: 0,
      interval: "5s",
      base_ejection_time: "10s",
      max_ejection_time: "60s",
      // Half of a pool at most counts as ejected before Envoy uses all of it again (panic threshold), so one broken address
      // is left out, and an account with a single address is never shut for everybody by one tenant's failing calls.
      max_ejection_percent: 100,
      always_eject_one_host: true,
    },
    circuit_breakers: {
      thresholds: [
        {
          max_connections: upstream.maxConnections,
          max_requests: upstream.maxRequests,
          max_pending_requests: upstream.maxRequests,
          retry_budget: { budget_percent: { value: 25 }, min_retry_concurrency: 16 },
          track_remaining: true,
        },
      ],
    },
    ...(upstream.scheme === "https" ? { transport_socket: tls(plan, upstream) } : {}),
    typed_extension_protocol_options: { [HTTP_OPTIONS]: typed(HTTP_OPTIONS, httpOptions(plan, upstream)) },
  };
}

/**
 * A public provider is one logical host behind changing addresses: each new connection takes what DNS says. A private pool
 * (plain HTTP) is balanced over all its addresses.
 */
function discovery({ scheme, host }: UpstreamCluster): JsonRecord {
  if (isIP(host) !== 0) return { type: "STATIC" };
  const config = typed("envoy.extensions.clusters.dns.v3.DnsCluster", {
    dns_lookup_family: "V4_PREFERRED",
    respect_dns_ttl: true,
    dns_refresh_rate: "5s",
    dns_failure_refresh_rate: { base_interval: "1s", max_interval: "10s" },
    all_addresses_in_single_endpoint: scheme === "https",
  });
  return { cluster_type: { name: "envoy.clusters.dns", typed_config: config } };
}

/** What `auto_host_rewrite` makes of the Host header: with the port where it is not the scheme's own. */
function authority({ scheme, host, port }: UpstreamCluster): string {
  const name = isIP(host) === 6 ? `[${host}]` : host;
  return port === (scheme === "https" ? 443 : 80) ? name : `${name}:${port}`;
}

function tls(plan: EnvoyPlan, upstream: UpstreamCluster): JsonRecord {
  const address = isIP(upstream.host) !== 0;
  const validation_context = {
    trusted_ca: { filename: upstream.caFile ?? plan.systemCaFile ?? "/etc/ssl/certs/ca-certificates.crt" },
    match_typed_subject_alt_names: [{ san_type: address ? "IP_ADDRESS" : "DNS", matcher: { exact: upstream.host } }],
  };
  return extension("envoy.transport_sockets.tls", "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", {
    // A fixed name, not `auto_sni`: that takes the caller's Host. RFC 6066 section 3 has no addresses in SNI.
    ...(address ? {} : { sni: upstream.host }),
    common_tls_context: { tls_params: { tls_minimum_protocol_version: "TLSv1_2" }, validation_context },
  });
}

function httpOptions(plan: EnvoyPlan, upstream: UpstreamCluster): JsonRecord {
  const encrypted = upstream.scheme === "https";
  const http2 = { connection_keepalive: { interval: "30s", timeout: "10s" } };
  return {
    common_http_protocol_options: {
      idle_timeout: durationMs(encrypted ? IDLE_TLS_MS : IDLE_PLAIN_MS),
      // Busy connections would else keep an address that DNS has long left.
      max_connection_duration: "600s",
    },
    ...(encrypted
      ? { auto_config: { http_protocol_options: {}, http2_protocol_options: http2 } }
      : { explicit_http_config: { http_protocol_options: {} } }),
    http_filters: upstreamFilters(plan, upstream),
  };
}

/** Seen on Envoy 1.40: edits of an upstream filter persist into later attempts, so each cluster first removes every credential. */
function upstreamFilters(plan: EnvoyPlan, upstream: UpstreamCluster): readonly JsonRecord[] {
  const clean = extension("clean", "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation", {
    mutations: {
      request_mutations: removals([...CREDENTIAL_HEADERS, ...INTERNAL_HEADERS], INTERNAL_PREFIXES),
      response_mutations: removals(PROVIDER_HEADERS, PROVIDER_PREFIXES),
    },
  });
  const codec = extension("envoy.filters.http.upstream_codec", "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec");
  // Observed calls keep their caller's credential, and their answers are the provider's own.
  if (upstream.asIs === true) {
    const own = { mutations: { request_mutations: removals(INTERNAL_HEADERS, INTERNAL_PREFIXES) } };
    return [extension("clean", "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation", own), codec];
  }
  if (upstream.credential !== undefined) return [clean, credentialInjector(plan, upstream.name, upstream.credential), codec];
  if (upstream.signing?.kind === "aws") return [clean, awsSigning(upstream, upstream.signing.region), codec];
  if (upstream.signing?.kind === "google") return [clean, googleToken(), codec];
  return [clean, codec];
}

/**
 * Signs with SigV4, the body's hash included (the filter holds the body; Bedrock takes no unsigned one). Credentials are those of AWS's
 * default chain: environment, web identity, container, instance, files. The host is the one that `auto_host_rewrite` makes later on:
 * without it the filter signs the caller's where a connection has to be opened first.
 */
function awsSigning(upstream: UpstreamCluster, region: string): JsonRecord {
  return extension("envoy.filters.http.aws_request_signing", "envoy.extensions.filters.http.aws_request_signing.v3.AwsRequestSigning", {
    service_name: "bedrock",
    region,
    host_rewrite: authority(upstream),
    // What proxies and Envoy itself may still add or take out on the way.
    match_excluded_headers: [{ prefix: "x-envoy" }, { prefix: "x-forwarded" }, { exact: "x-request-id" }, { exact: "user-agent" }],
  });
}

/** The access token that the listener's filter fetched. From metadata and not from a header, so that a later attempt has it too. */
function googleToken(): JsonRecord {
  const token = `%DYNAMIC_METADATA(${GOOGLE_TOKEN_FILTER}:${GOOGLE_TOKEN_KEY})%`;
  return extension("google-token", "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation", {
    mutations: {
      request_mutations: [
        { append: { header: { key: "authorization", value: `Bearer ${token}` }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" } },
      ],
    },
  });
}

/** Google's metadata server (cloud.google.com/compute/docs/metadata): plain HTTP within the machine. */
export function googleMetadataCluster(plan: EnvoyPlan): JsonRecord {
  const { host, port } = plan.googleMetadata ?? { host: "metadata.google.internal", port: 80 };
  return {
    name: GOOGLE_METADATA_CLUSTER,
    type: isIP(host) === 0 ? "STRICT_DNS" : "STATIC",
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: GOOGLE_METADATA_CLUSTER,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: host, port_value: port } } } }] }],
    },
  };
}

const removals = (names: readonly string[], prefixes: readonly string[]): readonly JsonRecord[] => [
  ...names.map((name) => ({ remove: name })),
  ...prefixes.map((prefix) => ({ remove_on_match: { key_matcher: { prefix } } })),
];

function credentialInjector(plan: EnvoyPlan, cluster: string, credential: NonNullable<UpstreamCluster["credential"]>): JsonRecord {
  const generic = extension("envoy.http.injected_credentials.generic", "envoy.extensions.http.injected_credentials.generic.v3.Generic", {
    credential: { name: secretName(cluster), sds_config: watchedFile(plan, sdsFile(cluster)) },
    header: credential.header,
    ...(credential.prefix === "" ? {} : { header_value_prefix: credential.prefix }),
  });
  return extension("envoy.filters.http.credential_injector", "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector", {
    overwrite: true,
    allow_request_without_credential: false,
    credential: generic,
  });
}

/** xDS from a file that is replaced by rename. */
export const watchedFile = (plan: EnvoyPlan, file: string): JsonRecord => ({
  resource_api_version: "V3",
  path_config_source: { path: `${plan.dynamicDir}/${file}`, watched_directory: { path: plan.dynamicDir } },
});

export const cdsSource = (plan: EnvoyPlan): JsonRecord => watchedFile(plan, CDS_FILE);
