import type { Price } from "../core/money.ts";
import type { Catalog, Model, ModelChoice, Provider, Target, TierName } from "../core/policy.ts";
import { parseBaseUrl } from "./base-url.ts";
import { catalogProviderOf, findPrice, type PriceCatalog } from "./prices/catalog.ts";
import { inlinePrice } from "./prices/price.ts";
import type { PolicyDocument, PriceSetting, ProviderSettings } from "./schema.ts";
import { upstreamsOf } from "./upstreams.ts";

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
