import { Validator } from "@cfworker/json-schema";
import { z } from "zod";
import { field, type Json, parseValueSteps } from "../../core/json.ts";
import { CALL_CHARS_MAX, CALL_CHECK_STEPS_MAX, CALL_VALUES_MAX } from "../../core/limits.ts";
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
    'A JSON Schema (draft 2020-12), without pattern, patternProperties, format and uniqueItems, and with references into itself only: { type: object, properties: { amount: { type: number, maximum: 50 } }, required: [amount] }. A keyword holds for values of its type alone: without type: number the text "5000" keeps to maximum: 50.',
  );

/** Keywords that hold for values of one type, and pass all others. */
const BOUNDS: ReadonlyMap<string, string> = new Map([
  ...["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"].map((key) => [key, "number"] as const),
  ...["minLength", "maxLength"].map((key) => [key, "string"] as const),
]);

/** The same, of what a program will do: a bound must say the type of what it bounds, since a text passes a bound of numbers. */
export const boundsSchema = jsonSchema.superRefine((schema, check) => {
  const work: Json[] = [schema];
  for (let at = work.pop(); at !== undefined; at = work.pop()) {
    if (typeof at !== "object" || at === null) continue;
    const typed = ["type", "enum", "const"].some((key) => field(at ?? null, key) !== undefined);
    const [bound] = [...BOUNDS].filter(([key]) => typeof field(at ?? null, key) === "number");
    if (bound !== undefined && !typed) {
      const [key, type] = bound;
      const message = `has ${key} without a type, which values of every other type keep to -> write type: ${type} beside it`;
      check.addIssue({ code: "custom", message });
      return;
    }
    work.push(...Object.values(at));
  }
});

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

/** What a check answers that took more than `CALL_CHECK_STEPS_MAX` steps: the value counts as one that breaks the schema. */
const TOO_MUCH = `bound of ${CALL_CHECK_STEPS_MAX} steps`;
class TooMuch extends Error {}

/**
 * The schema has been through `jsonSchema`. A check ends after `CALL_CHECK_STEPS_MAX` steps: one whose branches refer to itself would else
 * try each branch at each level, which doubles with every level of a value that the model chose.
 */
export function compileSchema(schema: Readonly<Record<string, Json>>): CheckValue {
  const own: Record<string, Json> = JSON.parse(JSON.stringify(schema));
  const validator = new Validator(own, "2020-12", true);
  const work = new Work();
  work.watch(own);
  return (value) => {
    work.begin(value);
    try {
      const { valid, errors } = validator.validate(value);
      if (valid) return undefined;
      // Some locations of this package name a member of the value, which is content: what does not stand in the schema is left out.
      const known = errors.map(({ keywordLocation }) => keywordLocation).findLast((location) => standsIn(schema, location));
      return (known ?? errors.at(-1)?.keyword ?? "#").slice(0, 200);
    } catch (error) {
      if (error instanceof TooMuch) return TOO_MUCH;
      throw error;
    }
  };
}

/** What costs as much as one step, which is a subschema held against a value (measured, 1 us): characters that are counted, names that are compared, plain values of an `enum`. */
const CHARS_A_STEP = 500;
const NAMES_A_STEP = 10;
const PLAIN_A_STEP = 50;

/**
 * Counts the work of the validator, which has no bound of its own: it reads `$ref` of each subschema that it holds against a value, so
 * `$ref` is an accessor that counts, by what else the subschema walks through.
 */
class Work {
  #left = 0;
  /** Of the value under check: members of its largest object, length of its longest text. */
  #members = 0;
  #chars = 0;

  begin(value: Json): void {
    this.#left = CALL_CHECK_STEPS_MAX;
    this.#members = 0;
    this.#chars = 0;
    this.#measure(value);
  }

  watch(schema: Json): void {
    if (typeof schema !== "object" || schema === null) return;
    const inner = Object.values(schema);
    const $ref = field(schema, "$ref");
    // Below `properties` a member may be called so, and is a schema itself.
    if (!Array.isArray(schema) && typeof $ref !== "object") {
      const has = (name: string): boolean => field(schema, name) !== undefined;
      const listed = ["enum", "const", "required", "dependentRequired"].reduce((sum, name) => sum + stepsOf(field(schema, name)), 0);
      const own = 1 + listed + Object.keys(field(schema, "properties") ?? {}).length / NAMES_A_STEP;
      const byMembers = ["propertyNames", "additionalProperties", "unevaluatedProperties"].some(has);
      const byChars = ["minLength", "maxLength"].some(has);
      Object.defineProperty(schema, "$ref", {
        // What the validator and its index list is what stands in the schema.
        enumerable: $ref !== undefined,
        get: () => {
          this.#left -= own + (byMembers ? this.#members / NAMES_A_STEP : 0) + (byChars ? this.#chars / CHARS_A_STEP : 0);
          if (this.#left < 0) throw new TooMuch();
          return $ref;
        },
      });
    }
    for (const one of inner) this.watch(one);
  }

  #measure(value: Json): void {
    if (typeof value === "string") this.#chars = Math.max(this.#chars, value.length);
    if (typeof value !== "object" || value === null) return;
    const inner = Object.values(value);
    if (!Array.isArray(value)) this.#members = Math.max(this.#members, inner.length);
    for (const one of inner) this.#measure(one);
  }
}

/** Of comparing something with all of a value. */
function stepsOf(value: Json | undefined): number {
  if (value === undefined) return 0;
  if (typeof value !== "object" || value === null) return 1 / PLAIN_A_STEP;
  return Object.values(value).reduce((sum: number, inner) => sum + stepsOf(inner), 1);
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
