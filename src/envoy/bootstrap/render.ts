import type { Json } from "../../core/json.ts";
import type { EnvoyPlan, SecretSource } from "../../core/upstream.ts";
import { cdsSource, googleMetadataCluster, noneCluster, providerCluster, sluiceCluster } from "./clusters.ts";
import { listener } from "./listener.ts";
import { CDS_FILE, sdsFile, secretName } from "./names.ts";
import { observeListener } from "./observe.ts";
import { listenerSecrets } from "./tls.ts";
import { type JsonRecord, typed } from "./typed.ts";

/** Connections from callers that Envoy takes at once; past it new ones are closed. */
const DOWNSTREAM_CONNECTIONS_MAX = 50_000;

/**
 * What of the admin interface is needed: in a pod every container shares its loopback, and `/quitquitquit` or `/logging` are a
 * POST away. Draining is for a pod's preStop hook.
 */
const ADMIN_PATHS: readonly JsonRecord[] = [
  ...["/ready", "/server_info", "/clusters", "/listeners", "/certs", "/drain_listeners", "/healthcheck/fail", "/healthcheck/ok"].map(
    (exact) => ({ exact }),
  ),
  { prefix: "/stats" },
];

export interface RenderedEnvoy {
  /** The static part: what Envoy is started with. */
  readonly bootstrap: JsonRecord;
  /** Provider clusters, as the file that Envoy watches. Its version is the policy's hash. */
  readonly cds: JsonRecord;
  /** Secret files by name, each with the place of one credential and never the credential. */
  readonly sds: ReadonlyMap<string, JsonRecord>;
  /** All of them as text by relative path; `dynamic/` stands for the plan's dynamic folder. */
  files(): ReadonlyMap<string, string>;
}

/** Envoy's whole configuration from a plan. Pure: reads no file, no environment, no secret. */
export function renderEnvoy(plan: EnvoyPlan): RenderedEnvoy {
  const bootstrap = renderBootstrap(plan);
  const metadata = plan.clusters.some(({ signing }) => signing?.kind === "google") ? [googleMetadataCluster(plan)] : [];
  const clusters = [...metadata, ...plan.clusters.map((upstream) => providerCluster(plan, upstream))];
  const cds = discovery(
    plan.policyHash,
    clusters.map((cluster) => typed("envoy.config.cluster.v3.Cluster", cluster)),
  );
  const sds = new Map<string, JsonRecord>();
  for (const { name, credential } of plan.clusters) {
    if (credential !== undefined) sds.set(sdsFile(name), renderSecret(name, credential.secret));
  }
  for (const [name, secret] of listenerSecrets(plan)) sds.set(sdsFile(name), discovery("1", [secret]));
  return {
    bootstrap,
    cds,
    sds,
    files: () =>
      new Map([
        ["bootstrap.json", jsonText(bootstrap)],
        [`dynamic/${CDS_FILE}`, jsonText(cds)],
        ...[...sds].map(([name, value]): [string, string] => [`dynamic/${name}`, jsonText(value)]),
      ]),
  };
}

/** Envoy's arguments for a bootstrap file. */
export function envoyArguments(plan: EnvoyPlan, bootstrapPath: string): readonly string[] {
  const concurrency = plan.concurrency === undefined ? [] : ["--concurrency", String(plan.concurrency)];
  return ["--config-path", bootstrapPath, "--use-dynamic-base-id", ...concurrency];
}

function renderBootstrap(plan: EnvoyPlan): JsonRecord {
  return {
    node: { id: plan.nodeId, cluster: "sluice" },
    // Without the graceful close Envoy resets every ext_proc stream, and Node's HTTP/2 server answers a run of resets
    // with GOAWAY: 0.3 to 0.7% of requests failed at 1,000 a second (seen on Envoy 1.40).
    layered_runtime: {
      layers: [{ name: "sluice", static_layer: { "envoy.reloadable_features.ext_proc_graceful_grpc_close": true } }],
    },
    admin: {
      address: { socket_address: { address: plan.admin.address, port_value: plan.admin.port } },
      allow_paths: ADMIN_PATHS,
    },
    overload_manager: {
      resource_monitors: [
        {
          name: "envoy.resource_monitors.global_downstream_max_connections",
          typed_config: typed("envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig", {
            max_active_downstream_connections: DOWNSTREAM_CONNECTIONS_MAX,
          }),
        },
      ],
    },
    dynamic_resources: { cds_config: cdsSource(plan) },
    static_resources: {
      listeners: [listener(plan), ...(plan.observe === undefined ? [] : [observeListener(plan, plan.observe)])],
      clusters: [sluiceCluster(plan), noneCluster()],
    },
  };
}

function renderSecret(cluster: string, source: SecretSource): JsonRecord {
  const secret = source.kind === "env" ? { environment_variable: source.name } : { filename: source.path };
  return discovery("1", [
    typed("envoy.extensions.transport_sockets.tls.v3.Secret", { name: secretName(cluster), generic_secret: { secret } }),
  ]);
}

const discovery = (version: string, resources: readonly Json[]): JsonRecord => ({ version_info: version, resources });

const jsonText = (value: Json): string => `${JSON.stringify(value, undefined, 2)}\n`;
