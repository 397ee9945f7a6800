import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { qualityPage } from "./page.ts";
import { personalSections } from "./personal.ts";
import { secretsSections } from "./secrets-section.ts";

test("docs/quality.md has the figures of the project's own sets as they are now; make quality ARGS=--page writes it", () => {
  const page = readFileSync(new URL("../../docs/quality.md", import.meta.url), "utf8");
  const own = [...personalSections(), ...secretsSections()].filter(({ name }) => name.endsWith("own set"));
  assert.equal(own.length, 2);
  for (const section of own) {
    const told = qualityPage([section], "").split("\n## ")[1] ?? "";
    assert(page.includes(told.trimEnd()), `not as in the page:\n${told}`);
  }
});
