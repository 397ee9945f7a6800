import { resolve } from "node:path";
import type { StageDefinition } from "../core/stage.ts";
import type { EnvoyPlan } from "../core/upstream.ts";
import type { LoadedPolicy } from "./load.ts";
import { bindSettings, layersOf, mergeLayers } from "./resolve.ts";
import { subjectsOf } from "./rules.ts";
import { observedUpstreams, upstreamsOf } from "./upstreams.ts";

/** What the policy does not say: where things are on this machine. */
export interface EnvoyPlacement {
  readonly nodeId: string;
  /** Overrides the policy's `listen`. */
  readonly listen?: { readonly address: string; readonly port: number };
  readonly admin: { readonly address: string; readonly port: number };
  readonly sockets: readonly string[];
  readonly dynamicDir: string;
  readonly accessLog: string;
  readonly concurrency?: number;
  readonly systemCaFile?: string;
  readonly googleMetadata?: { readonly host: string; readonly port: number };
}

/** What Envoy must be told of a policy: a cluster for each provider account, and one more for each tenant with its own credential. */
export function envoyPlan(loaded: LoadedPolicy, stages: readonly StageDefinition[], placement: EnvoyPlacement): EnvoyPlan {
  const { document } = loaded;
  const clusters = [...upstreamsOf(document, loaded.folder).values()].flatMap(({ own, tenants }) => [own, ...tenants.values()]);
  const observed = observedUpstreams(document, loaded.folder);
  const observe = document.observe === undefined ? {} : { observe: { listen: document.observe.listen, upstreams: observed } };
  const { listen, concurrency, ...rest } = placement;
  return {
    ...rest,
    policyHash: loaded.hash,
    listen: { ...(listen ?? { address: document.listen.address, port: document.listen.port }), ...callersTls(loaded) },
    bodyBytesMax: document.limits.bodyBytesMax,
    requestMsMax: longestRequestMs(loaded, stages),
    clusters: [...clusters, ...observed.map(({ cluster }) => cluster)],
    ...observe,
    concurrency,
  };
}

/** TLS towards callers. Certificates are told where they can be had, so that a first credential of that kind needs no restart. */
function callersTls({ document, folder }: LoadedPolicy): Pick<EnvoyPlan["listen"], "tls" | "peerCertificates"> {
  const { tls } = document.listen;
  const mapped = Object.values(document.tenants).some(({ apps }) =>
    Object.values(apps).some(({ credentials }) => credentials.some(({ mtls }) => mtls !== undefined)),
  );
  const peerCertificates = mapped || tls?.clientCa !== undefined ? { peerCertificates: true } : {};
  if (tls === undefined) return peerCertificates;
  const { cert, key, clientCa, clientCrl, requireClientCertificate } = tls;
  return {
    ...peerCertificates,
    tls: {
      certFile: resolve(folder, cert),
      keyFile: resolve(folder, key),
      ...(clientCa === undefined ? {} : { clientCaFile: resolve(folder, clientCa) }),
      ...(clientCrl === undefined ? {} : { clientCrlFile: resolve(folder, clientCrl) }),
      requireClientCertificate: clientCa !== undefined && (requireClientCertificate ?? true),
    },
  };
}

/** The longest request that any tenant, app and use case may make, milliseconds. */
function longestRequestMs(loaded: LoadedPolicy, stages: readonly StageDefinition[]): number {
  let longestMs = bindSettings({}, []).common.timeouts.requestMs;
  const seen = new Set<string>();
  for (const subject of subjectsOf(loaded.document)) {
    const layers = layersOf(loaded.tree, stages, subject);
    const same = JSON.stringify(layers.map((layer) => layer.path));
    if (seen.has(same)) continue;
    seen.add(same);
    longestMs = Math.max(longestMs, bindSettings(mergeLayers(layers).value, []).common.timeouts.requestMs);
  }
  return longestMs;
}
