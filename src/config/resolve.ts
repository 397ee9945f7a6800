import type { Json } from "../core/json.ts";
import type { RolloutMode } from "../core/policy.ts";
import type { BoundStage, StageDefinition } from "../core/stage.ts";
import type { Path } from "./problems.ts";
import { commonSettings, layerKeys, rollout } from "./schema.ts";
import { at, entriesOf, isJsonMap, type JsonMap, type SourceTree } from "./tree.ts";
import { placeKey } from "./yaml-source.ts";

/** Whose rules: the app of a tenant, and the use case where one is named. */
export interface Subject {
  readonly tenant: string;
  readonly app: string;
  readonly useCase: string | undefined;
}
export type LayerName = "defaults" | "use case" | "tenant" | "app";

/** One layer's settings and where they stand in the document. */
interface Layer {
  readonly name: LayerName;
  readonly path: Path;
  readonly value: JsonMap;
}
/** Which layer a merged setting came from, and where it stands. */
export interface Origin {
  readonly layer: LayerName;
  readonly path: Path;
}
export interface Merged {
  readonly value: JsonMap;
  /** By `placeKey` of the setting's path; leaves only (lists are leaves). */
  readonly origins: ReadonlyMap<string, Origin>;
}

/** The layers that apply, lowest first: defaults < use case < tenant < app. Layers that say nothing are left out. */
export function layersOf(tree: SourceTree, stages: readonly StageDefinition[], subject: Subject): readonly Layer[] {
  const keys = new Set(layerKeys(stages));
  const paths: [LayerName, Path][] = [
    ["defaults", ["defaults"]],
    ["tenant", ["tenants", subject.tenant]],
    ["app", ["tenants", subject.tenant, "apps", subject.app]],
  ];
  if (subject.useCase !== undefined) paths.splice(1, 0, ["use case", ["useCases", subject.useCase]]);
  return paths.flatMap(([name, path]) => {
    const value = Object.fromEntries(entriesOf(at(tree.root, path)).filter(([key]) => keys.has(key)));
    for (const { name: section } of stages.filter(({ additive }) => additive))
      if (value[section] !== undefined) value[section] = labelled(value[section], name);
    return Object.keys(value).length === 0 ? [] : [{ name, path, value }];
  });
}

/** A section whose rules add up: as a map, each rule with the layer that it stands in. */
function labelled(section: Json, layer: LayerName): Json {
  const listed = Array.isArray(section);
  const written: JsonMap = Array.isArray(section) ? { rules: section } : isJsonMap(section) ? section : {};
  const { rules } = written;
  if (!Array.isArray(rules)) return written;
  return { ...written, rules: rules.map((rule: Json): Json => (isJsonMap(rule) ? { ...rule, layer, listed } : rule)) };
}
/** Is it a list of rules that add up? Their labels tell. */
const addsUp = (value: Json): value is readonly Json[] =>
  Array.isArray(value) && value.some((rule: Json) => isJsonMap(rule) && rule["layer"] !== undefined);

/**
 * Merges layers: maps member by member; rules that add up (`Stage.additive`) one list after the other; everything else, other lists
 * too, replaced by the higher layer.
 */
export function mergeLayers(layers: readonly Layer[]): Merged {
  const origins = new Map<string, Origin>();
  const merge = (parts: readonly { readonly layer: LayerName; readonly path: Path; readonly value: Json }[], path: Path): Json => {
    const top = parts.at(-1);
    if (top === undefined) return {};
    if (parts.some(({ value }) => addsUp(value))) return addUp(parts, path, origins);
    if (!isJsonMap(top.value)) {
      origins.set(placeKey(path), { layer: top.layer, path: top.path });
      return top.value;
    }
    // Only the maps above the last value that is no map count: that value was replaced whole.
    const replaced = parts.findLastIndex((part) => !isJsonMap(part.value));
    const members = new Map<string, { readonly layer: LayerName; readonly path: Path; readonly value: Json }[]>();
    for (const part of parts.slice(replaced + 1)) {
      for (const [key, value] of entriesOf(part.value)) {
        const list = members.get(key) ?? [];
        list.push({ layer: part.layer, path: [...part.path, key], value });
        members.set(key, list);
      }
    }
    return Object.fromEntries([...members].map(([key, list]) => [key, merge(list, [...path, key])]));
  };
  const value = merge(
    layers.map(({ name, path, value: settings }) => ({ layer: name, path, value: settings })),
    [],
  );
  return { value: isJsonMap(value) ? value : {}, origins };
}

type Part = { readonly layer: LayerName; readonly path: Path; readonly value: Json };

function addUp(parts: readonly Part[], path: Path, origins: Map<string, Origin>): Json {
  const rules: Json[] = [];
  for (const part of parts) {
    for (const [index, rule] of (addsUp(part.value) ? part.value : []).entries()) {
      const listed = isJsonMap(rule) && rule["listed"] === true;
      origins.set(placeKey([...path, rules.length]), {
        layer: part.layer,
        path: [...(listed ? part.path.slice(0, -1) : part.path), index],
      });
      rules.push(rule);
    }
  }
  return rules;
}

export interface ResolvedSettings {
  readonly common: ReturnType<typeof commonSettings.parse>;
  readonly stages: readonly BoundStage[];
}

/** Applies defaults and binds every stage. The merged settings satisfy the schema: `loadPolicy` has checked each layer. */
export function bindSettings(merged: JsonMap, stages: readonly StageDefinition[]): ResolvedSettings {
  const common = commonSettings.parse(merged);
  return { common, stages: stages.map((stage) => bindStage(stage, merged, common.mode)) };
}

/** A stage with its section; the section's own mode wins over the mode of the whole. */
function bindStage(stage: StageDefinition, merged: JsonMap, mode: RolloutMode): BoundStage {
  const { settings, own } = sectionOf(merged[stage.name]);
  const joined = stage.joins.map((name) => {
    const other = sectionOf(merged[name]);
    return [name, { ...other.settings, mode: other.own.mode ?? mode, onFault: other.own.onFault ?? "closed" }] as const;
  });
  const rolloutMode = own.mode ?? mode;
  const onFault = own.onFault ?? "closed";
  if (joined.length === 0) return stage.bind(settings, { mode: rolloutMode, onFault });
  const rules = rolloutMode === "off" && stage.additive ? { rules: [] } : {};
  const known = { ...Object.fromEntries(joined), [stage.name]: { mode: rolloutMode } };
  return stage.bind({ ...settings, ...rules, joined: known }, { mode: rolloutMode, onFault });
}
function sectionOf(raw: Json | undefined) {
  const settings = Object.fromEntries(entriesOf(raw).filter(([key]) => key !== "mode" && key !== "onFault"));
  return { own: rollout.parse(raw ?? {}), settings };
}
