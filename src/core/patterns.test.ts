import assert from "node:assert/strict";
import { test } from "node:test";
import { allowsName, matchesAny, matchesPattern } from "./patterns.ts";

test("a pattern is an exact name, a prefix with a star, or a star", () => {
  assert.equal(matchesPattern("gpt-4o*", "gpt-4o-mini"), true);
  assert.equal(matchesPattern("gpt-4o*", "gpt-4"), false);
  assert.equal(matchesPattern("*", ""), true);
  assert.equal(matchesPattern("gpt-4.", "gpt-4o"), false, "a dot is a dot");
  assert.equal(matchesPattern("Search", "search"), false, "case counts");
  assert.equal(matchesAny([], "x"), false);
});

test("the most specific pattern decides, deny wins a tie, and what nothing matches is denied", () => {
  assert.equal(allowsName({ allow: ["search_kb"], deny: ["*"] }, "search_kb"), true);
  assert.equal(allowsName({ allow: ["search_kb"], deny: ["*"] }, "shell"), false);
  assert.equal(allowsName({ allow: ["*"], deny: ["shell*"] }, "shell_exec"), false);
  assert.equal(allowsName({ allow: ["shell_ls", "*"], deny: ["shell*"] }, "shell_ls"), true);
  assert.equal(allowsName({ allow: ["a"], deny: ["a"] }, "a"), false);
  assert.equal(allowsName({ allow: ["a*"], deny: ["a*"] }, "ab"), false);
  assert.equal(allowsName({ allow: [], deny: [] }, "a"), false);
});
