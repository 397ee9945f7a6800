import type { Json } from "../core/json.ts";
import { formatPath, type Path, type PolicyProblem } from "./problems.ts";
import { type Place, placeKey, type YamlSource } from "./yaml-source.ts";

export type JsonMap = { readonly [key: string]: Json };

export function isJsonMap(value: Json | undefined): value is JsonMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
/** Own members of a map; none where the value is something else. */
export function entriesOf(value: Json | undefined): [string, Json][] {
  return isJsonMap(value) ? Object.entries(value) : [];
}
export function memberOf(value: Json | undefined, key: string | number): Json | undefined {
  if (Array.isArray(value)) return typeof key === "number" ? value[key] : undefined;
  return isJsonMap(value) && typeof key === "string" && Object.hasOwn(value, key) ? value[key] : undefined;
}
export function at(value: Json | undefined, path: Path): Json | undefined {
  let here = value;
  for (const part of path) here = memberOf(here, part);
  return here;
}

/** The whole policy as plain data, whichever files it came from, and where each of its values stands. */
export class SourceTree {
  readonly root: JsonMap;
  readonly #sources: readonly YamlSource[];

  private constructor(root: JsonMap, sources: readonly YamlSource[]) {
    this.root = root;
    this.#sources = sources;
  }

  /** Merges files by their top-level maps. A name in two files is a problem that names both. */
  static merge(sources: readonly YamlSource[]): { readonly tree: SourceTree; readonly problems: readonly PolicyProblem[] } {
    const root: Record<string, Json> = {};
    const problems: PolicyProblem[] = [];
    const tree = new SourceTree(root, sources);
    const owner = new Map<string, YamlSource>();
    const conflict = (source: YamlSource, path: Path, first: YamlSource): void => {
      const place = placeIn(source, path, "key");
      const other = placeIn(first, path, "key");
      problems.push({
        severity: "error",
        ...place,
        path: formatPath(path),
        message: `this name stands in two files, here and in ${other.file}:${other.line}`,
        remedy: "keep one of the two, or rename one",
      });
    };
    for (const source of sources) {
      if (!isJsonMap(source.value)) {
        problems.push({
          severity: "error",
          ...placeIn(source, [], "value"),
          path: "",
          message: "a policy file is a map",
          remedy: "begin with lines such as `version: ...` and `providers:`",
        });
        continue;
      }
      for (const [key, value] of Object.entries(source.value)) {
        const there = Object.hasOwn(root, key) ? root[key] : undefined;
        if (there === undefined) {
          root[key] = isJsonMap(value) ? { ...value } : value;
          owner.set(key, source);
          for (const name of isJsonMap(value) ? Object.keys(value) : []) owner.set(placeKey([key, name]), source);
        } else if (isJsonMap(there) && isJsonMap(value)) {
          const joined: Record<string, Json> = { ...there };
          for (const [name, member] of Object.entries(value)) {
            const first = owner.get(placeKey([key, name]));
            if (first !== undefined) conflict(source, [key, name], first);
            else {
              joined[name] = member;
              owner.set(placeKey([key, name]), source);
            }
          }
          root[key] = joined;
        } else {
          // `apiVersion` may head every file; anything else that is said twice is a conflict.
          const first = owner.get(key);
          if (first !== undefined && !(key === "apiVersion" && there === value)) conflict(source, [key], first);
        }
      }
    }
    return { tree, problems };
  }

  /** Where the value stands (`what: "key"`: its name), or the nearest place above it that is known. */
  place(path: Path, what: "key" | "value" = "value"): Place {
    for (let length = path.length; length >= 0; length--) {
      const shorter = path.slice(0, length);
      for (const source of this.#sources) {
        if (source.places.has(placeKey(shorter)) && (length > 0 || this.#sources.length === 1))
          return placeIn(source, shorter, length === path.length ? what : "key");
      }
    }
    return { file: this.#sources[0]?.file ?? "", line: 1, column: 1 };
  }
}

function placeIn(source: YamlSource, path: Path, what: "key" | "value"): Place {
  const entry = source.places.get(placeKey(path));
  if (entry === undefined) return { file: source.file, line: 1, column: 1 };
  return what === "key" ? (entry.key ?? entry.value) : entry.value;
}
