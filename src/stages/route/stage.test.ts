import { test } from "node:test";
import { context, decideWith, model, provider, target, view } from "../../../test/support/context.ts";
import { assertSubset } from "../../../test/support/subset.ts";
import { routeStage } from "./stage.ts";

const us = provider("openai", "openai", { residency: ["us"] });
const eu = provider("openai-eu", "openai", { regions: ["eu"], residency: ["eu", "us"] });
const claude = provider("anthropic", "anthropic");
const gpt = model("gpt", [target(us, "gpt-1"), target(eu, "gpt-1-eu")], "gpt-family");
const haiku = model("haiku", [target(claude, "claude-haiku")]);

const goes = (providerName: string) => ({
  kind: "allow",
  effects: [{ kind: "plan", plan: { chain: [{ provider: { name: providerName } }] } }, { kind: "change" }],
});

const table = [
  ["the first target", {}, context({ models: [gpt] }), goes("openai")],
  ["the tenant's residency leaves the second", {}, context({ models: [gpt], tenantResidency: "eu" }), goes("openai-eu")],
  ["no target may hold the data", {}, context({ models: [gpt], tenantResidency: "ch" }), { kind: "deny", code: "residency_violation" }],
  [
    "the caller's region",
    {},
    context({ models: [gpt], contract: { values: { region: "eu" }, unknown: [], problems: [] } }),
    goes("openai-eu"),
  ],
  [
    "a region without a target",
    {},
    context({ models: [gpt], contract: { values: { region: "ap" }, unknown: [], problems: [] } }),
    { kind: "deny", code: "no_target" },
  ],
  ["the policy's preferred region", { preferRegions: ["eu"] }, context({ models: [gpt] }), goes("openai-eu")],
  [
    "a model of another dialect",
    {},
    context({ models: [haiku], view: view({ model: "haiku" }) }),
    { kind: "deny", code: "no_target", detail: "~openai" },
  ],
  [
    "a family that the model is not of",
    {},
    context({ models: [gpt], contract: { values: { modelFamily: "other" }, unknown: [], problems: [] } }),
    { kind: "deny", code: "no_target" },
  ],
  [
    "a tier skips models of other dialects",
    {},
    context({ models: [haiku, gpt], tiers: { cheap: ["haiku", "gpt"] }, view: view({ model: "tier:cheap" }) }),
    goes("openai"),
  ],
  ["only what access left", {}, context({ models: [gpt], candidates: [] }), { kind: "deny", code: "no_target" }],
] as const;

for (const [name, section, of, expected] of table) test(name, () => assertSubset(decideWith(routeStage, section, of), expected));
