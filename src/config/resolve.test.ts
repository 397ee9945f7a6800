import assert from "node:assert/strict";
import fc from "fast-check";
import { property } from "../../test/support/property.ts";
import type { Json } from "../core/json.ts";
import { mergeLayers } from "./resolve.ts";
import { at, isJsonMap, type JsonMap } from "./tree.ts";
import { placeKey } from "./yaml-source.ts";

const names = ["defaults", "use case", "tenant", "app"] as const;
const key = fc.constantFrom("a", "b", "c");
const value: fc.Arbitrary<Json> = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { depthSize: "small" },
    fc.nat(9),
    fc.constant("x"),
    fc.array(fc.nat(3), { maxLength: 2 }),
    fc.dictionary(key, tie("json"), { maxKeys: 3, noNullPrototype: true }),
  ),
})).json;
const layer = fc.dictionary(key, value, { maxKeys: 3, noNullPrototype: true });

/** The rule in its shortest form, two layers at a time. */
function over(low: JsonMap, high: JsonMap): JsonMap {
  const result: Record<string, Json> = { ...low };
  for (const [name, member] of Object.entries(high)) {
    const below = result[name];
    result[name] = isJsonMap(member) && isJsonMap(below) ? over(below, member) : member;
  }
  return result;
}

property(
  "layers merge as if laid over each other one by one, and each leaf is traced to the layer that has it",
  fc.tuple(layer, layer, layer, layer),
  (values) => {
    const layers = names.map((name, index) => ({ name, path: [name], value: values[index] ?? {} }));
    const merged = mergeLayers(layers);
    assert.deepEqual(merged.value, values.reduce<JsonMap>(over, {}));
    const leaves = (node: Json, path: readonly string[]): void => {
      if (isJsonMap(node)) for (const [name, member] of Object.entries(node)) leaves(member, [...path, name]);
      else {
        const origin = merged.origins.get(placeKey(path));
        assert.ok(origin !== undefined);
        const source = layers.find(({ name }) => name === origin.layer);
        assert.deepEqual([at(source?.value, path), origin.path], [node, [origin.layer, ...path]]);
      }
    };
    leaves(merged.value, []);
  },
);
