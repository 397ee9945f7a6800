import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../../test/support/property.ts";
import { type JsonNode, parseJson } from "../../core/json.ts";
import { finish } from "../../core/slice.ts";
import { eachMember } from "./each-member.ts";

const rootOf = (text: string): JsonNode => {
  const parsed = parseJson(Buffer.from(text));
  assert.ok(parsed.ok);
  return parsed.value.root;
};

property("visits what a recursion visits, in its order", fc.jsonValue({ maxDepth: 5 }), (value) => {
  const root = rootOf(JSON.stringify(value).replaceAll("__proto__", "p"));
  const descends = (key: string): boolean => key.length !== 2;
  const expected: string[] = [];
  const walk = (node: JsonNode): void => {
    if (node.kind === "array") for (const item of node.items) walk(item);
    if (node.kind !== "object") return;
    for (const { key, value: inner } of node.members) {
      expected.push(`${key}@${inner.start}`);
      if (descends(key)) walk(inner);
    }
  };
  walk(root);
  const visited: string[] = [];
  finish(eachMember(root, (key, inner) => visited.push(`${key}@${inner.start}`) > 0 && descends(key)));
  assert.deepEqual(visited, expected);
});

test("gives way between many members", () => {
  const steps = eachMember(rootOf(`[${Array.from({ length: 5_000 }, () => '{"a":1}').join()}]`), () => true);
  let turns = 0;
  while (steps.next().done !== true) turns += 1;
  assert.ok(turns >= 4, `${turns} turns`);
});
