import type { Price } from "../core/money.ts";
import type { Catalog, Model, ModelChoice, Provider, Target, TierName } from "../core/policy.ts";
import { catalogProviderOf, findPrice, type PriceCatalog } from "./prices/catalog.ts";
import { inlinePrice } from "./prices/price.ts";
import type { PolicyDocument, PriceSetting, ProviderSettings } from "./schema.ts";

/** A base URL taken apart; `problem` says what is wrong with it, and what to write. */
export type BaseUrl =
  | { readonly ok: true; readonly scheme: "http" | "https"; readonly host: string; readonly port: number; readonly basePath: string }
  | { readonly ok: false; readonly message: string; readonly remedy: string };

/** Takes a provider's base URL apart. Messages never repeat it: it may hold a password. */
export function parseBaseUrl(text: string): BaseUrl {
  const bad = (message: string, remedy: string): BaseUrl => ({ ok: false, message, remedy });
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === "")
    return bad("this is not a URL", "write scheme, host and version path: https://api.openai.com/v1");
  if (url.protocol !== "http:" && url.protocol !== "https:") return bad("only http and https are possible", "begin it with https://");
  if (url.username !== "" || url.password !== "")
    return bad("a URL here must not hold a user or password", "move the secret to credential: { env: NAME }");
  if (url.search !== "" || url.hash !== "") return bad("a base URL has no ? or # part", "cut it off after the path");
  const scheme = url.protocol === "http:" ? "http" : "https";
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port === "" ? (scheme === "http" ? 80 : 443) : Number(url.port);
  return { ok: true, scheme, host, port, basePath: url.pathname.replace(/\/+$/, "") };
}

/** Envoy's name of an account's cluster; provider names have no dot, so no two pairs share a name. */
export function clusterName(provider: string, tenant?: string): string {
  return tenant === undefined ? `p.${provider}` : `p.${provider}.${tenant}`;
}

/** The price of a target: its own, its model's, or the list's. undefined: nobody says. */
export function targetPrice(
  setting: PriceSetting | undefined,
  provider: ProviderSettings,
  model: string,
  prices: PriceCatalog,
): Price | undefined {
  if (setting !== undefined && setting !== "catalog") return inlinePrice(setting);
  const url = parseBaseUrl(provider.baseUrl);
  const name = provider.catalog ?? (url.ok ? catalogProviderOf(url.host) : undefined);
  return name === undefined ? undefined : findPrice(name, model, prices);
}

/** Everything that can be routed to. The document has been checked: references hold, URLs parse. */
export function compileCatalog(document: PolicyDocument, prices: PriceCatalog): Catalog {
  const providers = new Map<string, Provider>();
  for (const [name, settings] of Object.entries(document.providers)) {
    const url = parseBaseUrl(settings.baseUrl);
    if (!url.ok) throw new TypeError(`provider ${name} was not checked`);
    const { format, regions, residency } = settings;
    const { scheme, host, port, basePath } = url;
    const own = Object.entries(document.tenants).filter(([, tenant]) => Object.hasOwn(tenant.providerCredentials, name));
    const tenantClusters = new Map(own.map(([tenant]) => [tenant, clusterName(name, tenant)]));
    providers.set(name, {
      name,
      format,
      scheme,
      host,
      port,
      basePath,
      regions,
      residency,
      private: settings.private,
      cluster: clusterName(name),
      tenantClusters,
    });
  }
  const models = new Map<string, Model>();
  for (const [name, settings] of Object.entries(document.models)) {
    const targets = settings.targets.map((target): Target => {
      const provider = known(providers, target.provider);
      const region = target.region ?? (provider.regions.length === 1 ? provider.regions[0] : undefined);
      const account = document.providers[target.provider];
      const price = account === undefined ? undefined : targetPrice(target.price ?? settings.price, account, target.model, prices);
      return { provider, model: target.model, region, price };
    });
    models.set(name, { name, family: settings.family, targets });
  }
  const tiers = new Map<TierName, readonly ModelChoice[]>();
  for (const tier of ["high", "standard", "cheap"] as const) {
    const choices = document.tiers[tier]?.map((entry): ModelChoice => {
      const { model, params } = typeof entry === "string" ? { model: entry, params: {} } : entry;
      return { model: known(models, model), parameters: params, tier };
    });
    if (choices !== undefined) tiers.set(tier, choices);
  }
  return { providers, models, tiers };
}

function known<T>(map: ReadonlyMap<string, T>, name: string): T {
  const value = map.get(name);
  if (value === undefined) throw new TypeError(`reference to ${name} was not checked`);
  return value;
}
