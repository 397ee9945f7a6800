import type { Json } from "../core/json.ts";
import { matchesAny } from "../core/patterns.ts";
import type { StageDefinition } from "../core/stage.ts";
import { targetPrice } from "./catalog.ts";
import { ledgerProblems } from "./ledger-rules.ts";
import type { PriceCatalog } from "./prices/catalog.ts";
import { formatPath, type Path, type PolicyProblem } from "./problems.ts";
import { bindSettings, layersOf, type Merged, mergeLayers, type Subject } from "./resolve.ts";
import type { PolicyDocument } from "./schema.ts";
import { at, entriesOf, isJsonMap, type SourceTree } from "./tree.ts";
import { placeKey } from "./yaml-source.ts";

/** Every (tenant, app, use case) of the policy, and each app without a use case. */
export function* subjectsOf(document: PolicyDocument): Generator<Subject> {
  for (const [tenant, settings] of Object.entries(document.tenants)) {
    for (const [app, rules] of Object.entries(settings.apps)) {
      for (const useCase of [undefined, ...rules.useCases]) yield { tenant, app, useCase };
    }
  }
}

/** What holds only once layers are merged, and prices. Needs a document of the right shape. */
export function ruleProblems(
  tree: SourceTree,
  document: PolicyDocument,
  stages: readonly StageDefinition[],
  prices: PriceCatalog,
): readonly PolicyProblem[] {
  const problems = new Map<string, PolicyProblem>();
  const add = (path: Path, message: string, remedy: string, severity: "error" | "warning" = "error"): void => {
    const place = tree.place(path, isJsonMap(at(tree.root, path)) ? "key" : "value");
    problems.set(`${formatPath(path)} ${message}`, {
      severity,
      file: place.file,
      line: place.line,
      column: place.column,
      path: formatPath(path),
      message,
      remedy,
    });
  };
  const seen = new Set<string>();
  const unpriced = unpricedModels(document, prices);
  for (const subject of subjectsOf(document)) {
    const layers = layersOf(tree, stages, subject);
    // Tenants that say nothing of their own share the rules of their use cases: check those once.
    const residency = document.tenants[subject.tenant]?.residency;
    const same = JSON.stringify([subject.useCase, residency, layers.map((layer) => layer.path)]);
    if (seen.has(same)) continue;
    seen.add(same);
    const merged = mergeLayers(layers);
    mergedProblems(merged, subject, stages, add);
    const callable = subject.useCase === undefined ? [] : callableModels(merged, document);
    if (subject.useCase !== undefined) ledgerProblems(merged, { document, callable, unpriced }, add);
    if (residency !== undefined && callable.length > 0 && !callable.some((name) => hasTargetIn(document, name, residency))) {
      const message = `no model that use case ${subject.useCase} may call has a target with residency ${residency}: all its calls will be refused`;
      add(["tenants", subject.tenant, "residency"], message, "add such a target, or allow a model that has one", "warning");
    }
  }
  for (const [name, model] of Object.entries(document.models)) {
    for (const [index, target] of model.targets.entries()) {
      const setting = target.price ?? model.price;
      const provider = document.providers[target.provider];
      if (provider === undefined || targetPrice(setting, provider, target.model, prices) !== undefined) continue;
      const path = target.price === undefined && setting !== undefined ? ["models", name, "price"] : ["models", name, "targets", index];
      const remedy =
        "write price: { input: 0.15, output: 0.6 } in US dollars per million tokens, or the provider's catalog: NAME where its host does not tell";
      if (setting !== undefined) add(path, `the price list has no price for the target ${target.provider} of this model`, remedy);
      else add(path, "no price is known, so its calls have no cost in the records", remedy, "warning");
    }
  }
  return [...problems.values()];
}

/** Models with a target of which nobody says the price. */
function unpricedModels(document: PolicyDocument, prices: PriceCatalog): ReadonlySet<string> {
  const found = Object.entries(document.models).filter(([, model]) =>
    model.targets.some((target) => {
      const provider = document.providers[target.provider];
      return provider !== undefined && targetPrice(target.price ?? model.price, provider, target.model, prices) === undefined;
    }),
  );
  return new Set(found.map(([name]) => name));
}

type Add = (path: Path, message: string, remedy: string, severity?: "error" | "warning") => void;

function mergedProblems(merged: Merged, subject: Subject, stages: readonly StageDefinition[], add: Add): void {
  const value = (...path: string[]): Json | undefined => at(merged.value, path);
  const origin = (...path: string[]): Path => merged.origins.get(placeKey(path))?.path ?? [];
  const outputMax = value("caps", "outputTokensMax");
  const outputDefault = value("caps", "outputTokensDefault");
  if (typeof outputMax === "number" && typeof outputDefault === "number" && outputDefault > outputMax) {
    add(
      origin("caps", "outputTokensDefault"),
      `the default of ${outputDefault} output tokens is above the cap of ${outputMax}`,
      "lower the default, or raise outputTokensMax",
    );
  }
  const { timeouts } = bindSettings(merged.value, stages).common;
  if (timeouts.perTryMs > timeouts.requestMs) {
    add(
      origin("timeouts", "perTryMs"),
      `one try (${timeouts.perTryMs} ms) may not last longer than the request (${timeouts.requestMs} ms)`,
      "lower perTryMs, or raise requestMs",
    );
  }
  const retryOn = value("route", "retry", "on");
  if (Array.isArray(retryOn) && retryOn.includes("timeout") && timeouts.perTryMs >= timeouts.requestMs) {
    add(
      origin("route", "retry", "on"),
      "a try may last as long as the whole request, so that no time is left to try again on timeout",
      "set timeouts.perTryMs to less than requestMs",
      "warning",
    );
  }
  const [mapped] = entriesOf(value("classification", "map"));
  if (mapped !== undefined && value("redact", "profile") === undefined) {
    add(
      origin("classification", "map", mapped[0]),
      "nothing is looked for, so nothing that a call holds raises its class",
      "set redact: { profile: standard }, or a profile of your own whose entities have the action watch",
      "warning",
    );
  }
  if (subject.useCase !== undefined && stages.some((stage) => stage.name === "access")) {
    const named = ["models", "tiers", "families"].some((key) => {
      const list = value("access", key);
      return Array.isArray(list) && list.length > 0;
    });
    if (!named)
      add(
        ["useCases", subject.useCase],
        "this use case may call no model",
        'list some in access: { models: [NAME] } (or tiers, or families; "*" for all)',
        "warning",
      );
  }
}

/** Names of the models that the merged access rules let through. */
function callableModels(merged: Merged, document: PolicyDocument): readonly string[] {
  const list = (key: string): readonly string[] => {
    const value = at(merged.value, ["access", key]);
    return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
  };
  const [names, families, tiers] = [list("models"), list("families"), list("tiers")];
  const inTiers = new Set(
    (["high", "standard", "cheap"] as const)
      .filter((tier) => tiers.includes(tier))
      .flatMap((tier) => (document.tiers[tier] ?? []).map((entry) => (typeof entry === "string" ? entry : entry.model))),
  );
  return Object.entries(document.models)
    .filter(([name, { family }]) => matchesAny(names, name) || inTiers.has(name) || (family !== undefined && matchesAny(families, family)))
    .map(([name]) => name);
}

function hasTargetIn(document: PolicyDocument, model: string, residency: string): boolean {
  return document.models[model]?.targets.some((target) => document.providers[target.provider]?.residency.includes(residency)) ?? false;
}
