import { z } from "zod";
import type { Json } from "../core/json.ts";
import type { StageDefinition } from "../core/stage.ts";
import { documentSchema } from "./schema.ts";
import { at, entriesOf, isJsonMap } from "./tree.ts";

/** The JSON Schema (2020-12) of the policy document, for editors. References between names are `sluice check`'s to verify. */
export function policyJsonSchema(stages: readonly StageDefinition[]): Json {
  const schema: Json = JSON.parse(JSON.stringify(z.toJSONSchema(documentSchema(stages), { io: "input" })));
  // Each of the four layers holds every section: written once, they are a quarter of the text.
  const sections = new Map(
    stages.map(({ name }): [string, Json | undefined] => [name, at(schema, ["properties", "defaults", "properties", name])]),
  );
  const shared = (node: Json): Json => {
    if (Array.isArray(node)) return node.map(shared);
    if (!isJsonMap(node)) return node;
    return Object.fromEntries(
      entriesOf(node).map(([key, value]) => {
        const section = sections.get(key);
        const same = section !== undefined && JSON.stringify(section) === JSON.stringify(value);
        return [key, same ? { $ref: `#/$defs/${key}` } : shared(value)];
      }),
    );
  };
  const body = shared(schema);
  const definitions = Object.fromEntries([...sections].map(([name, section]) => [name, section ?? {}]));
  return isJsonMap(body) ? { title: "Sluice policy", ...body, $defs: definitions } : body;
}
