import { resolve } from "node:path";

import type { StageDefinition } from "../core/stage.ts";
import type { EnvoyPlan, SecretSource, UpstreamCluster } from "../core/upstream.ts";
import type { Dialect } from "../core/view.ts";
import { clusterName, parseBaseUrl } from "./catalog.ts";
import type { LoadedPolicy } from "./load.ts";
import { bindSettings, layersOf, mergeLayers } from "./resolve.ts";
import { subjectsOf } from "./rules.ts";
import type { ProviderSettings, SecretSetting } from "./schema.ts";

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
}

/**
 * Where each format expects its credential. Sources: OpenAI API reference "Authentication", Anthropic API "Authentication",
 * Gemini API "API keys" (2026).
 */
const CREDENTIAL_HEADER: Readonly<Record<Dialect, { readonly header: string; readonly prefix: string }>> = {
  openai: { header: "authorization", prefix: "Bearer " },
  anthropic: { header: "x-api-key", prefix: "" },
  gemini: { header: "x-goog-api-key", prefix: "" },
};

/** What Envoy must be told of a policy: a cluster for each provider account, and one more for each tenant with its own credential. */
export function envoyPlan(loaded: LoadedPolicy, stages: readonly StageDefinition[], placement: EnvoyPlacement): EnvoyPlan {
  const { document } = loaded;
  const clusters: UpstreamCluster[] = [];
  for (const [name, provider] of Object.entries(document.providers)) {
    clusters.push(cluster(clusterName(name), name, provider, provider.credential, loaded.folder));
    for (const [tenant, settings] of Object.entries(document.tenants)) {
      const own = Object.hasOwn(settings.providerCredentials, name) ? settings.providerCredentials[name] : undefined;
      if (own !== undefined) clusters.push(cluster(clusterName(name, tenant), name, provider, own, loaded.folder));
    }
  }
  const { listen, concurrency, ...rest } = placement;
  return {
    ...rest,
    policyHash: loaded.hash,
    listen: listen ?? document.listen,
    bodyBytesMax: document.limits.bodyBytesMax,
    requestMsMax: longestRequestMs(loaded, stages),
    clusters,
    concurrency,
  };
}

function cluster(
  name: string,
  providerName: string,
  provider: ProviderSettings,
  secret: SecretSetting | undefined,
  folder: string,
): UpstreamCluster {
  const url = parseBaseUrl(provider.baseUrl);
  if (!url.ok) throw new TypeError(`provider ${providerName} was not checked`);
  const { scheme, host, port } = url;
  const { connectTimeoutMs, maxRequests, maxConnections, caFile } = provider;
  const source = secret === undefined ? undefined : secretSource(secret, folder);
  return {
    name,
    provider: providerName,
    scheme,
    host,
    port,
    ...(source === undefined ? {} : { credential: { ...CREDENTIAL_HEADER[provider.format], secret: source } }),
    ...(caFile === undefined ? {} : { caFile: resolve(folder, caFile) }),
    connectTimeoutMs,
    maxRequests,
    maxConnections,
  };
}

function secretSource(secret: SecretSetting, folder: string): SecretSource {
  if (secret.env !== undefined) return { kind: "env", name: secret.env };
  return { kind: "file", path: resolve(folder, secret.file ?? "") };
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
