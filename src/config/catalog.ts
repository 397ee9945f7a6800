import { type Price, parseUsd } from "../core/money.ts";
import type { AccountLimit, Catalog, Model, ModelChoice, Provider, Target, TierName } from "../core/policy.ts";
import { secondsOf } from "../stages/shared/ledger-rules.ts";
import { parseBaseUrl } from "./base-url.ts";
import { catalogProviderOf, findPrice, type PriceCatalog } from "./prices/catalog.ts";
import { inlinePrice } from "./prices/price.ts";
import type { PriceSetting } from "./prices/schema.ts";
import type { PolicyDocument, ProviderSettings } from "./schema.ts";
import { upstreamsOf } from "./upstreams.ts";

/** The price of a target: its own, its model's, or the list's. undefined: nobody says. */
export function targetPrice(
  setting: PriceSetting | undefined,
  provider: ProviderSettings,
  model: string,
  prices: PriceCatalog,
): Price | undefined {
  const own = setting === undefined || setting === "catalog" ? undefined : setting;
  if (own !== undefined && own.base === undefined) return inlinePrice(own, undefined);
  const url = parseBaseUrl(provider.baseUrl);
  const name = provider.catalog ?? (url.ok ? catalogProviderOf(url.host) : undefined);
  const listed = name === undefined ? undefined : findPrice(name, model, prices);
  return own === undefined || listed === undefined ? listed : inlinePrice(own, listed);
}

/** Everything that can be routed to. The document has been checked: references hold, URLs parse. */
export function compileCatalog(document: PolicyDocument, prices: PriceCatalog, folder: string): Catalog {
  const upstreams = upstreamsOf(document, folder);
  const providers = new Map<string, Provider>();
  for (const [name, settings] of Object.entries(document.providers)) {
    const url = parseBaseUrl(settings.baseUrl);
    if (!url.ok) throw new TypeError(`provider ${name} was not checked`);
    const { format, regions, residency } = settings;
    const { scheme, host, port, basePath } = url;
    const account = known(upstreams, name);
    const tenantClusters = new Map([...account.tenants].map(([tenant, { name: cluster }]) => [tenant, cluster]));
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
      ...(settings.azure === undefined ? {} : { azure: { api: settings.azure.api, apiVersion: settings.azure.apiVersion } }),
      ...(settings.google === undefined ? {} : { google: settings.google }),
      ...(format === "vertex" && settings.credential === undefined ? { googleToken: true } : {}),
      cluster: account.own.name,
      tenantClusters,
      ...(settings.limits.length === 0 ? {} : { limits: settings.limits.map(accountLimit) }),
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
    const { family, contextTokens } = settings;
    models.set(name, { name, family, targets, ...(contextTokens === undefined ? {} : { contextTokens }) });
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

function accountLimit(limit: ProviderSettings["limits"][number]): AccountLimit {
  const { requests, concurrent, tokens, usd, window = "1s" } = limit;
  if (concurrent !== undefined) return { kind: "concurrent", count: concurrent };
  if (requests !== undefined)
    return { kind: "requests", count: requests, windowMs: (secondsOf(window) ?? 1) * 1_000, burst: limit.burst ?? requests, window };
  if (tokens !== undefined) return { kind: "tokens", amount: tokens, window };
  return { kind: "nanoUsd", amount: parseUsd(usd ?? 0) ?? 0, window };
}

function known<T>(map: ReadonlyMap<string, T>, name: string): T {
  const value = map.get(name);
  if (value === undefined) throw new TypeError(`reference to ${name} was not checked`);
  return value;
}
