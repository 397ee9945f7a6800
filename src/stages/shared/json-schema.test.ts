import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonSchema } from "./json-schema.ts";

test("keywords whose work nobody bounds are refused with a remedy, wherever they stand; properties may have their names", () => {
  for (const keyword of ["pattern", "format", "uniqueItems"]) {
    const refused = jsonSchema.safeParse({ properties: { a: { items: { [keyword]: keyword === "uniqueItems" ? true : "x" } } } });
    assert.match(refused.error?.issues[0]?.message ?? "", new RegExp(`^uses ${keyword}, which is not taken here -> use .*maxItems`));
    assert.ok(jsonSchema.safeParse({ properties: { [keyword]: { type: "string" } } }).success);
  }
});
