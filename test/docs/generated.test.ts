import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CONTRACT_FIELD_NAMES, type ContractField } from "../../src/core/contract.ts";
import { DENIAL_CODES } from "../../src/core/denials.ts";
import { contractStage } from "../../src/stages/contract/stage.ts";
import { context } from "../support/context.ts";
import { WHEN } from "./pages/codes.ts";
import { ANSWER_HEADERS, MEANING, NOT_KEPT } from "./pages/headers.ts";
import { generatedPages } from "./pages/index.ts";
import { fieldsOf } from "./pages/source-fields.ts";

const ROOT = join(import.meta.dirname, "../..");
const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !file.startsWith("simulator/"))
  .map((file) => ({ file, text: readFileSync(join(ROOT, "src", file), "utf8") }));

for (const { path, text } of generatedPages()) {
  test(`${path} says what the code says: \`make docs\` writes it anew`, () => {
    assert.equal(readFileSync(join(ROOT, path), "utf8"), text);
  });
}

test("a code that the table calls reserved is raised nowhere, every other somewhere", () => {
  const raising = (code: string): readonly string[] =>
    sources
      .filter(({ file, text }) => file !== "core/denials.ts" && new RegExp(`(?:code: |return |[?:] )"${code}"`).test(text))
      .map(({ file }) => file);
  for (const code of DENIAL_CODES) {
    if (WHEN[code] === "reserved") assert.deepEqual(raising(code), [], `${code} is in use: say when in test/docs/pages/codes.ts`);
    else assert.notDeepEqual(raising(code), [], `${code} is not in use: mark it as reserved`);
  }
});

test("every x-ai-* header that the code sends is in the list, and none that it does not", () => {
  const request = new Set(readFileSync(join(ROOT, "docs/headers.md"), "utf8").match(/`x-ai-[a-z-]+`/g));
  const sent = new Set(
    sources
      .filter(({ file }) => /^(?:pipeline|server|envoy|exchange|stages\/budgets|stages\/injection)\//.test(file))
      .flatMap(({ text }) => text.match(/(?<=["'`])x-ai-[a-z-]*[a-z](?=["'`])/g) ?? []),
  );
  for (const name of sent) assert.ok(request.has(`\`${name}\``), `${name} is not in docs/headers.md: add it to test/docs/pages/headers.ts`);
  for (const [name] of ANSWER_HEADERS.filter(([listed]) => listed.startsWith("x-ai-")))
    assert.ok(sent.has(name), `${name} is sent nowhere`);
});

test("fields of an interface are read with what is nested in them", () => {
  const source = `
export interface Thing {
  /** One; with a semicolon. */
  readonly a: string;
  readonly b?: { readonly c: number; readonly d?: readonly string[] };
  /**
   * Two
   * lines.
   */
  readonly e: {
    readonly f?: "x" | "y";
  };
}
export interface Other { readonly z: number }`;
  assert.deepEqual(
    fieldsOf(source, "Thing").map(({ path, optional, comment }) => [path, optional, comment]),
    [
      ["a", false, "One; with a semicolon."],
      ["b", true, ""],
      ["b.c", false, ""],
      ["b.d", true, ""],
      ["e", false, "Two lines."],
      ["e.f", true, ""],
    ],
  );
});

test("the fields that the page calls refused are those that the contract stage refuses", () => {
  const stage = contractStage.bind({}, { mode: "enforce", onFault: "closed" });
  const samples: Partial<Record<ContractField, string>> = { contract: "1", qualityTier: "high", dataClass: "public" };
  for (const field of CONTRACT_FIELD_NAMES) {
    const values = { [field]: samples[field] ?? "1" };
    const verdict = stage.evaluate(context({ contract: { values, unknown: [], problems: [] } }), new AbortController().signal);
    assert.ok("kind" in verdict);
    assert.equal(verdict.kind === "deny", MEANING[field] === NOT_KEPT, field);
  }
});
