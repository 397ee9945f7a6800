import { Validator } from "@cfworker/json-schema";
import { z } from "zod";
import { field, type Json, parseValueSteps } from "../../core/json.ts";
import { CALL_CHARS_MAX, CALL_VALUES_MAX } from "../../core/limits.ts";
import { finish } from "../../core/slice.ts";

/** Deepest nesting of a schema in a policy, and most values in it. */
const SCHEMA_DEPTH_MAX = 32;
const SCHEMA_VALUES_MAX = 10_000;
/** Keywords whose work no one bounds (regular expressions of the policy on text of the model, each item with each other), or that reach outside. */
const REFUSED = new Set(["pattern", "patternProperties", "format", "uniqueItems", "$dynamicRef", "$recursiveRef"]);

/** A JSON Schema (draft 2020-12) as a policy may hold it. */
export const jsonSchema = z
  .record(z.string(), z.json())
  .superRefine((schema, check) => {
    const problem = schemaProblem(schema);
    if (problem !== undefined) check.addIssue({ code: "custom", message: problem });
  })
  .describe(
    "A JSON Schema (draft 2020-12), without pattern, patternProperties, format and uniqueItems, and with references into itself only: { type: object, properties: { amount: { maximum: 50 } }, required: [amount] }.",
  );

function schemaProblem(schema: Json): string | undefined {
  let level: Json[] = [schema];
  let values = 0;
  for (let depth = 0; level.length > 0; depth++) {
    values += level.length;
    if (depth > SCHEMA_DEPTH_MAX || values > SCHEMA_VALUES_MAX) return "is too large a schema -> make it simpler";
    const next: Json[] = [];
    for (const value of level) {
      if (typeof value !== "object" || value === null) continue;
      if (Array.isArray(value)) {
        next.push(...value);
        continue;
      }
      for (const [key, inner] of Object.entries(value)) {
        // A property may have any name: below `properties` these are no keywords.
        if (REFUSED.has(key) && (typeof inner !== "object" || key === "patternProperties"))
          return `uses ${key}, which is not taken here -> use enum, const, minimum, maximum, minLength, maxLength, maxItems or required`;
        if (key === "$ref" && !(typeof inner === "string" && inner.startsWith("#")))
          return "refers to another document -> write that schema here, in $defs";
        next.push(inner);
      }
    }
    level = next;
  }
  return undefined;
}

/** The value of a text that is to be checked; undefined where it is no JSON, or longer (`CALL_CHARS_MAX`) or of more values (`CALL_VALUES_MAX`) than is. */
export const checkable = (text: string): Json | undefined =>
  text.length > CALL_CHARS_MAX ? undefined : finish(parseValueSteps(text, CALL_VALUES_MAX));

/** Checks values: undefined, or where and by which keyword the value fails, in words of the schema alone. */
export type CheckValue = (value: Json) => string | undefined;

/** The schema has been through `jsonSchema`. */
export function compileSchema(schema: Readonly<Record<string, Json>>): CheckValue {
  const validator = new Validator(JSON.parse(JSON.stringify(schema)), "2020-12", true);
  return (value) => {
    const { valid, errors } = validator.validate(value);
    if (valid) return undefined;
    // Some locations of this package name a member of the value, which is content: what does not stand in the schema is left out.
    const known = errors.map(({ keywordLocation }) => keywordLocation).findLast((location) => standsIn(schema, location));
    return (known ?? errors.at(-1)?.keyword ?? "#").slice(0, 200);
  };
}

function standsIn(schema: Json, location: string): boolean {
  let at: Json | undefined = schema;
  for (const part of location.split("/").slice(1)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(at)) at = at[Number(key)];
    else at = field(at, key);
    if (at === undefined) return false;
  }
  return location !== "#";
}
