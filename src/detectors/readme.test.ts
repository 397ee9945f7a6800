import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { DETECTORS } from "./index.ts";

test("the table of the README has a row for every entity, and no other", () => {
  const page = readFileSync(new URL("README.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `([a-z0-9_*]+)` \|/gm)].map((row) => row[1]);
  const entities = DETECTORS.flatMap((detector) => detector.entities).map((entity) => (entity.startsWith("secret_") ? "secret_*" : entity));
  assert.deepEqual([...rows].sort(), [...new Set(entities)].sort());
});
