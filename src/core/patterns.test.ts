import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeName, matchesAny, matchesPattern } from "./patterns.ts";

test("a pattern is an exact name, a prefix with a star, or a star", () => {
  assert.equal(matchesPattern("gpt-4o*", "gpt-4o-mini"), true);
  assert.equal(matchesPattern("gpt-4o*", "gpt-4"), false);
  assert.equal(matchesPattern("*", ""), true);
  assert.equal(matchesPattern("gpt-4.", "gpt-4o"), false, "a dot is a dot");
  assert.equal(matchesPattern("Search", "search"), false, "case counts");
  assert.equal(matchesAny([], "x"), false);
});

test("the most specific pattern decides, deny wins a tie and approve the next, and what nothing matches is denied", () => {
  const table: readonly [lists: { allow?: string[]; approve?: string[]; deny?: string[] }, name: string, verdict: string][] = [
    [{ allow: ["search_kb"], deny: ["*"] }, "search_kb", "allow"],
    [{ allow: ["search_kb"], deny: ["*"] }, "shell", "deny"],
    [{ allow: ["*"], deny: ["shell*"] }, "shell_exec", "deny"],
    [{ allow: ["shell_ls", "*"], deny: ["shell*"] }, "shell_ls", "allow"],
    [{ allow: ["a"], deny: ["a"] }, "a", "deny"],
    [{ allow: ["a*"], deny: ["a*"] }, "ab", "deny"],
    [{}, "a", "deny"],
    [{ allow: ["*"], approve: ["refund"] }, "refund", "approve"],
    [{ allow: ["refund"], approve: ["refund"] }, "refund", "approve"],
    [{ allow: ["refund_small"], approve: ["refund*"] }, "refund_small", "allow"],
    [{ approve: ["refund"], deny: ["*"] }, "refund", "approve"],
    [{ approve: ["refund"], deny: ["refund"] }, "refund", "deny"],
    [{ allow: ["*"], deny: ["shell"] }, "Shell", "deny"],
    [{ allow: ["*"], deny: ["Shell_*"] }, " ｓhell_exec", "deny"],
    [{ allow: ["*"], approve: ["refund"] }, "REFUND", "approve"],
    [{ allow: ["refund"] }, "Refund", "deny"],
    [{ allow: ["shell"], deny: ["Shell"] }, "shell", "allow"],
  ];
  for (const [{ allow = [], approve = [], deny = [] }, name, verdict] of table)
    assert.equal(judgeName({ allow, approve, deny }, name), verdict, JSON.stringify([allow, approve, deny, name]));
});
