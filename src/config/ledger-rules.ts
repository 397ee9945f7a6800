import type { Json } from "../core/json.ts";
import type { Path, PolicyProblem } from "./problems.ts";
import type { Merged } from "./resolve.ts";
import type { PolicyDocument } from "./schema.ts";
import { at, memberOf } from "./tree.ts";
import { placeKey } from "./yaml-source.ts";

type Add = (path: Path, message: string, remedy: string, severity?: PolicyProblem["severity"]) => void;

/** What is wrong with limits and budgets once layers are merged. `callable`: models that the use case may call. */
export function ledgerProblems(
  merged: Merged,
  {
    document,
    callable,
    unpriced,
  }: { readonly document: PolicyDocument; readonly callable: readonly string[]; readonly unpriced: ReadonlySet<string> },
  add: Add,
): void {
  const names = [...Object.keys(document.tiers), ...Object.keys(document.models)];
  const originOf = (...path: readonly (string | number)[]): Path => merged.origins.get(placeKey(path))?.path ?? [];
  const check = (name: Json | undefined, path: Path): void => {
    if (typeof name !== "string") return;
    if (!names.includes(name))
      add(path, `there is no tier or model ${JSON.stringify(name.slice(0, 64))}`, `name one of ${names.slice(0, 8).join(", ")}`);
    else if (["high", "standard", "cheap"].includes(name) && !tiersOf(merged).includes(name))
      add(
        path,
        `the use case may not ask for the tier ${name}, so the call is refused all the same`,
        `add it: access: { tiers: [${name}] }`,
        "warning",
      );
  };
  if (at(merged.value, ["caps", "onExceeded"]) === "degrade")
    check(
      at(merged.value, ["caps", "degradeTo"]) ?? "cheap",
      originOf("caps", "degradeTo").length > 0 ? originOf("caps", "degradeTo") : originOf("caps", "onExceeded"),
    );
  const budgets = at(merged.value, ["budgets", "rules"]);
  for (const [index, rule] of (Array.isArray(budgets) ? budgets : []).entries()) {
    const path = originOf("budgets", "rules", index);
    check(memberOf(memberOf(rule, "onExhausted"), "switchTo"), [...path, "onExhausted"]);
    const without = callable.filter((name) => unpriced.has(name));
    if (memberOf(rule, "usd") !== undefined && without.length > 0 && at(merged.value, ["budgets", "unpriced"]) !== "allow")
      add(
        path,
        `no price is known for ${without.slice(0, 4).join(", ")}, so calls to it are refused where this budget counts them`,
        "give it a price, or write budgets: { unpriced: allow, rules: [...] }",
        "warning",
      );
  }
  const limits = at(merged.value, ["limits", "rules"]);
  const mode = at(merged.value, ["limits", "mode"]);
  for (const [index, rule] of (Array.isArray(limits) ? limits : []).entries())
    if (memberOf(rule, "tokens") !== undefined && (mode === "shadow" || mode === "warn"))
      add(
        originOf("limits", "rules", index),
        `in ${mode} a limit of tokens is counted, and the record does not say what it would have refused`,
        "try it as a budget with its own mode, or enforce it",
        "warning",
      );
}

function tiersOf(merged: Merged): readonly Json[] {
  const tiers = at(merged.value, ["access", "tiers"]);
  return Array.isArray(tiers) ? tiers : [];
}
