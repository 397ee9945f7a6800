import { z } from "zod";
import type { Json } from "../core/json.ts";
import type { StageDefinition } from "../core/stage.ts";
import { documentSchema } from "./schema.ts";

/** The JSON Schema (2020-12) of the policy document, for editors. References between names are `sluice check`'s to verify. */
export function policyJsonSchema(stages: readonly StageDefinition[]): Json {
  const schema: Json = JSON.parse(JSON.stringify(z.toJSONSchema(documentSchema(stages), { io: "input" })));
  return typeof schema === "object" && schema !== null && !Array.isArray(schema) ? { ...schema, title: "Sluice policy" } : schema;
}
