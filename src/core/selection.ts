import type { Contract } from "./contract.ts";
import type { Catalog, ModelChoice, Plan, TierName } from "./policy.ts";
import type { Dialect } from "./view.ts";

/** What a caller asks for in the model field, or by `x-ai-quality-tier`, which wins. */
export type Asked =
  | { readonly kind: "model"; readonly name: string }
  | { readonly kind: "tier"; readonly tier: TierName }
  | { readonly kind: "family"; readonly family: string };

const isTier = (text: string): text is TierName => text === "high" || text === "standard" || text === "cheap";

/** undefined: the request names no model in any way, or a tier that does not exist. */
export function asked(model: string | undefined, contract: Contract): Asked | undefined {
  const tier = contract.values.qualityTier;
  if (tier !== undefined) return isTier(tier) ? { kind: "tier", tier } : undefined;
  if (model === undefined || model === "") {
    const family = contract.values.modelFamily;
    return family === undefined ? undefined : { kind: "family", family };
  }
  if (model.startsWith("tier:")) {
    const name = model.slice("tier:".length);
    return isTier(name) ? { kind: "tier", tier: name } : undefined;
  }
  if (model.startsWith("family:")) return { kind: "family", family: model.slice("family:".length) };
  return { kind: "model", name: model };
}

/** Every way the catalogue has to serve what was asked, in the policy's order of preference. */
export function candidatesFor(what: Asked, catalog: Catalog): readonly ModelChoice[] {
  switch (what.kind) {
    case "tier":
      return catalog.tiers.get(what.tier) ?? [];
    case "family":
      return [...catalog.models.values()]
        .filter((model) => model.family === what.family)
        .map((model) => ({ model, parameters: {}, tier: undefined }));
    case "model": {
      const model = catalog.models.get(what.name);
      return model === undefined ? [] : [{ model, parameters: {}, tier: undefined }];
    }
  }
}

/**
 * Where a request goes that no rule may touch (shadow, or a use case that is off): the model it names if the catalogue has it,
 * else the first provider of its format, under the name the caller wrote. undefined: no provider speaks the format.
 */
export function untouchedPlan(model: string | undefined, dialect: Dialect, catalog: Catalog): Plan | undefined {
  const known = model === undefined ? undefined : catalog.models.get(model);
  const target = known?.targets.find((candidate) => candidate.provider.format === dialect);
  if (known !== undefined && target !== undefined) return { choice: { model: known, parameters: {}, tier: undefined }, chain: [target] };
  const provider = [...catalog.providers.values()].find((candidate) => candidate.format === dialect);
  if (provider === undefined) return undefined;
  const named = model ?? "";
  const guess = { provider, model: named, region: provider.regions[0], price: undefined };
  return { choice: { model: { name: named, family: undefined, targets: [guess] }, parameters: {}, tier: undefined }, chain: [guess] };
}
