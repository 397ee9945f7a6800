import { hash } from "node:crypto";
import { resolve } from "node:path";
import type { SecretSource, UpstreamCluster } from "../core/upstream.ts";
import type { Dialect } from "../core/view.ts";
import { awsRegionOf, parseBaseUrl } from "./base-url.ts";
import type { PolicyDocument, ProviderSettings, SecretSetting } from "./schema.ts";

/** The clusters of one provider account: with its own credential, and with those that tenants bring. */
export interface AccountClusters {
  readonly own: UpstreamCluster;
  readonly tenants: ReadonlyMap<string, UpstreamCluster>;
}

/** Every account as Envoy dials it, by provider name. Provider names have no dot, so no two labels are the same. */
export function upstreamsOf(document: PolicyDocument, folder: string): ReadonlyMap<string, AccountClusters> {
  const accounts = new Map<string, AccountClusters>();
  for (const [name, provider] of Object.entries(document.providers)) {
    const tenants = new Map<string, UpstreamCluster>();
    for (const [tenant, settings] of Object.entries(document.tenants)) {
      const own = Object.hasOwn(settings.providerCredentials, name) ? settings.providerCredentials[name] : undefined;
      if (own !== undefined) tenants.set(tenant, cluster(`p.${name}.${tenant}`, name, provider, own, folder));
    }
    accounts.set(name, { own: cluster(`p.${name}`, name, provider, provider.credential ?? "signed", folder), tenants });
  }
  return accounts;
}

/**
 * Where the observing listener sends each API: the account that the policy names, else the first of the format, dialled with the
 * caller's own key. Its names are stable, because a static route names them.
 */
export function observedUpstreams(
  document: PolicyDocument,
  folder: string,
): readonly { readonly dialect: Dialect; readonly cluster: UpstreamCluster }[] {
  if (document.observe === undefined) return [];
  const chosen = new Map<Dialect, string>();
  for (const [name, { format }] of Object.entries(document.providers)) {
    const wanted = document.observe.providers[format];
    if (wanted === name || (wanted === undefined && !chosen.has(format))) chosen.set(format, name);
  }
  return [...chosen].flatMap(([dialect, name]) => {
    const provider = document.providers[name];
    if (provider === undefined) return [];
    return [
      {
        dialect,
        cluster: { ...cluster(`o.${name}`, name, provider, undefined, folder), name: `o.${dialect}`, label: `o.${dialect}`, asIs: true },
      },
    ];
  });
}

/**
 * Where each format expects its credential. Sources: OpenAI API reference "Authentication", Anthropic API "Authentication",
 * Gemini API "API keys", Cohere API "Authentication", Amazon Bedrock "API keys", Vertex AI "Authenticate" (2026).
 */
const CREDENTIAL_HEADER: Readonly<Record<Dialect, { readonly header: string; readonly prefix: string }>> = {
  openai: { header: "authorization", prefix: "Bearer " },
  anthropic: { header: "x-api-key", prefix: "" },
  gemini: { header: "x-goog-api-key", prefix: "" },
  cohere: { header: "authorization", prefix: "Bearer " },
  // A Bedrock API key, where the account has one instead of a signature.
  bedrock: { header: "authorization", prefix: "Bearer " },
  // An access token that someone else renews, instead of the one that Envoy fetches.
  vertex: { header: "authorization", prefix: "Bearer " },
};

/** Azure OpenAI REST reference, "Authentication" (2026). */
const AZURE_CREDENTIAL = { header: "api-key", prefix: "" } as const;

/**
 * The name holds a digest of what is dialled and with which credential: an account that is changed by an edit of the policy is
 * another cluster, so that exchanges decided under the old policy still reach the old one.
 */
function cluster(
  label: string,
  providerName: string,
  provider: ProviderSettings,
  /** signed: no secret, but Envoy's own signature where the format has one. */
  secret: SecretSetting | "signed" | undefined,
  folder: string,
): UpstreamCluster {
  const url = parseBaseUrl(provider.baseUrl);
  if (!url.ok) throw new TypeError(`provider ${providerName} was not checked`);
  const { scheme, host, port } = url;
  const { connectTimeoutMs, maxRequests, maxConnections, caFile } = provider;
  const source = secret === undefined || secret === "signed" ? undefined : secretSource(secret, folder);
  const dialled = {
    provider: providerName,
    scheme,
    host,
    port,
    ...(source === undefined
      ? {}
      : { credential: { ...(provider.azure === undefined ? CREDENTIAL_HEADER[provider.format] : AZURE_CREDENTIAL), secret: source } }),
    ...(secret === "signed" ? signingOf(provider, host) : {}),
    ...(caFile === undefined ? {} : { caFile: resolve(folder, caFile) }),
    connectTimeoutMs,
    maxRequests,
    maxConnections,
  };
  return { name: `${label}-${hash("sha256", JSON.stringify(dialled), "hex").slice(0, 8)}`, label, ...dialled };
}

/** Accounts of the two clouds without a key of their own are signed for by Envoy. */
function signingOf({ format, aws }: ProviderSettings, host: string): Pick<UpstreamCluster, "signing"> {
  if (format === "vertex") return { signing: { kind: "google" } };
  const region = aws?.region ?? awsRegionOf(host);
  return format === "bedrock" && region !== undefined ? { signing: { kind: "aws", region } } : {};
}

function secretSource(secret: SecretSetting, folder: string): SecretSource {
  if (secret.env !== undefined) return { kind: "env", name: secret.env };
  return { kind: "file", path: resolve(folder, secret.file ?? "") };
}
