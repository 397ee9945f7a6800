import assert from "node:assert/strict";
import { test } from "node:test";
import { Validator } from "@cfworker/json-schema";
import fc from "fast-check";
import { property } from "../../../test/support/property.ts";
import type { Json } from "../../core/json.ts";
import { compileSchema, jsonSchema } from "./json-schema.ts";

test("keywords whose work nobody bounds are refused with a remedy, wherever they stand; properties may have their names", () => {
  for (const keyword of ["pattern", "format", "uniqueItems"]) {
    const refused = jsonSchema.safeParse({ properties: { a: { items: { [keyword]: keyword === "uniqueItems" ? true : "x" } } } });
    assert.match(refused.error?.issues[0]?.message ?? "", new RegExp(`^uses ${keyword}, which is not taken here -> use .*maxItems`));
    assert.ok(jsonSchema.safeParse({ properties: { [keyword]: { type: "string" } } }).success);
  }
});

/** A tree as a filter or an expression has it: both branches know the same child. */
const TREE: Readonly<Record<string, Json>> = {
  $ref: "#/$defs/node",
  $defs: {
    node: {
      anyOf: [
        { type: "object", properties: { of: { $ref: "#/$defs/node" }, kind: { const: "and" } }, required: ["kind", "of"] },
        { type: "object", properties: { of: { $ref: "#/$defs/node" }, kind: { enum: ["not", { deep: [1] }] } }, required: ["kind"] },
        { type: "number", minimum: 5 },
      ],
    },
  },
};
const nested = (depth: number, leaf: Json): Json =>
  Array.from({ length: depth }).reduce<Json>((of, _, level) => ({ kind: level % 2 === 0 ? "and" : "not", of }), leaf);

test("a schema that refers to itself: what fits passes, what would be tried twice a level is given up", () => {
  const check = compileSchema(TREE);
  assert.equal(check(nested(6, 7)), undefined);
  assert.equal(check(nested(6, 1)), "#/$ref");
  // 2^60 tries without a bound. The next value has the whole bound again.
  assert.match(check(nested(60, 1)) ?? "", /^bound of \d+ steps$/);
  assert.equal(check(nested(6, 7)), undefined);
});

test("what a subschema compares and measures is counted: long lists, many members, long texts", () => {
  const many = (length: number, make: (index: number) => Json): Json[] => Array.from({ length }, (_, index) => make(index));
  const table: readonly (readonly [schema: Record<string, Json>, value: Json])[] = [
    [{ items: { enum: many(9_000, (index) => index) } }, many(9_000, () => 8_999)],
    [{ items: { enum: many(900, (index) => ({ a: [index] })) } }, many(900, () => ({ a: [899] }))],
    [{ allOf: many(3_000, () => ({ additionalProperties: { type: "number" } })) }, Object.fromEntries(many(3_000, () => 0).entries())],
    [{ items: { allOf: many(9, () => ({ maxLength: 2_000_000 })) } }, ["x".repeat(1_000_000), ...many(900, () => "x")]],
  ];
  for (const [schema, value] of table) assert.match(compileSchema(schema)(value) ?? "", /^bound of/, JSON.stringify(schema).slice(0, 80));
  // A list as long as is checked, of plain objects, is well within.
  const rows = {
    items: { type: "object", properties: { a: { type: "string", maxLength: 9 } }, required: ["a"], additionalProperties: false },
  };
  assert.equal(compileSchema(rows)(many(5_000, (index) => ({ a: `n${index}` }))), undefined);
});

const SCHEMAS: readonly Record<string, Json>[] = [
  TREE,
  { properties: { $ref: { type: "string" }, enum: { type: "null" } }, additionalProperties: false },
  { const: { $ref: "#/a", enum: [1] } },
  { enum: [{ $ref: "#" }, [1], "a"] },
  {
    $defs: { a: { type: "array", items: { $ref: "#" } } },
    anyOf: [{ $ref: "#/$defs/a" }, { type: ["string", "null"] }, { properties: { a: { $ref: "#" } } }],
  },
  { oneOf: [{ required: ["a"], propertyNames: { maxLength: 1 } }, { not: { type: "object" } }] },
];
const key = fc.constantFrom("a", "b", "$ref", "enum", "kind", "of");
const leaf = fc.constantFrom<Json>(null, 1, 7, "a", "#", "#/a", "and", "not", true);
const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof({ depthSize: "small" }, leaf, fc.array(tie("value"), { maxLength: 3 }), fc.dictionary(key, tie("value"), { maxKeys: 3 })),
}));
property("counting changes no verdict", fc.tuple(fc.constantFrom(...SCHEMAS), value), ([schema, value]) => {
  const plain = new Validator(JSON.parse(JSON.stringify(schema)), "2020-12", true).validate(value).valid;
  assert.equal(compileSchema(schema)(value) === undefined, plain);
});
