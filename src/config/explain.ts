import type { Json } from "../core/json.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { StageDefinition } from "../core/stage.ts";
import type { LoadedPolicy } from "./load.ts";
import { formatPath, type Path, suggest } from "./problems.ts";
import { bindSettings, type LayerName, layersOf, type Merged, mergeLayers, type Subject } from "./resolve.ts";
import { entriesOf, isJsonMap, type JsonMap } from "./tree.ts";
import { placeKey } from "./yaml-source.ts";

/** One setting as it holds, and who said so. */
export interface ExplainedSetting {
  /** `caps.outputTokensMax` */
  readonly setting: string;
  readonly value: Json;
  /** `built in`: nobody says, so the default of this version holds. */
  readonly layer: LayerName | "built in";
  /** `policy.yaml:12`; absent for what is built in. */
  readonly place?: string;
}
export interface Explanation {
  /** `acme/support-bot/support-reply`; `-` where no use case is named. */
  readonly subject: string;
  readonly settings: readonly ExplainedSetting[];
}

/** Every setting of `tenant/app/use-case` (or `tenant/app`) with the layer and line it came from. Error: one line for the caller. */
export function explain(loaded: LoadedPolicy, stages: readonly StageDefinition[], text: string): Result<Explanation, string> {
  const subject = findSubject(loaded, text);
  if (!subject.ok) return subject;
  const merged = mergeLayers(layersOf(loaded.tree, stages, subject.value));
  const bound = bindSettings(merged.value, stages);
  const holds: [string, Json][] = [
    ["mode", bound.common.mode],
    ["timeouts", { ...bound.common.timeouts }],
    ["errors", bound.common.errors],
    ["evidence", { ...bound.common.evidence }],
    ["telemetry", { ...bound.common.telemetry }],
    ...bound.stages.map((stage): [string, Json] => [stage.name, { mode: stage.mode, onFault: stage.onFault, ...ownOf(stage.settings) }]),
  ];
  const settings = holds
    .flatMap(([name, value]) => leavesOf([name], value, merged))
    .map(([path, value]): ExplainedSetting => {
      // A section without a mode of its own has the mode of the whole.
      const inherited = path.length === 2 && path[1] === "mode" ? merged.origins.get("mode") : undefined;
      const origin = merged.origins.get(placeKey(path)) ?? inherited;
      if (origin === undefined) return { setting: formatPath(path), value, layer: "built in" };
      const place = loaded.tree.place(origin.path, "key");
      return { setting: formatPath(path), value, layer: origin.layer, place: `${place.file}:${place.line}` };
    });
  const { tenant, app, useCase } = subject.value;
  return ok({ subject: `${tenant}/${app}/${useCase ?? "-"}`, settings });
}

function findSubject({ document }: LoadedPolicy, text: string): Result<Subject, string> {
  const [tenant = "", app = "", useCase, ...rest] = text.split("/");
  if (app === "" || rest.length > 0)
    return err(`--explain wants tenant/app/use-case or tenant/app, not ${JSON.stringify(text.slice(0, 128))}`);
  const settings = Object.hasOwn(document.tenants, tenant) ? document.tenants[tenant] : undefined;
  if (settings === undefined)
    return err(
      `there is no tenant ${JSON.stringify(tenant.slice(0, 64))}: ${suggest(tenant, Object.keys(document.tenants), "the policy has none")}`,
    );
  const rules = Object.hasOwn(settings.apps, app) ? settings.apps[app] : undefined;
  if (rules === undefined)
    return err(
      `tenant ${tenant} has no app ${JSON.stringify(app.slice(0, 64))}: ${suggest(app, Object.keys(settings.apps), "it has none")}`,
    );
  if (useCase === undefined || useCase === "-") return ok({ tenant, app, useCase: undefined });
  if (rules.useCases.includes(useCase)) return ok({ tenant, app, useCase });
  return err(
    `app ${app} may not declare the use case ${JSON.stringify(useCase.slice(0, 64))}: ${suggest(useCase, rules.useCases, "it may declare none")}`,
  );
}

/** What a stage joins is another section's, and is shown there. */
function ownOf(settings: Json): JsonMap {
  if (!isJsonMap(settings)) return {};
  const { joined: _joined, ...own } = settings;
  return own;
}

/** Settings one by one; lists and empty maps are one setting, but for rules that add up: each has a line of its own. */
function leavesOf(path: Path, value: Json, merged: Merged): [Path, Json][] {
  if (Array.isArray(value) && merged.origins.has(placeKey([...path, 0])))
    return value.map((rule: Json, index): [Path, Json] => [[...path, index], withoutLayer(rule)]);
  const members = entriesOf(value);
  if (!isJsonMap(value) || members.length === 0) return [[path, value]];
  return members.flatMap(([name, member]) => leavesOf([...path, name], member, merged));
}

function withoutLayer(rule: Json): Json {
  if (!isJsonMap(rule)) return rule;
  const { layer: _layer, ...own } = rule;
  return own;
}
