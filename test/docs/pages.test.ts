import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { parse, parseAllDocuments, stringify } from "yaml";
import { loadPolicy } from "../../src/config/load.ts";
import { formatProblem } from "../../src/config/problems.ts";
import { STAGES } from "../../src/stages/index.ts";
import { allBlocks, blocksOf, firstPolicy, PAGES, ROOT } from "./blocks.ts";

type Map = Readonly<Record<string, unknown>>;
const isMap = (value: unknown): value is Map => typeof value === "object" && value !== null && !Array.isArray(value);

/** Maps member by member; everything else is replaced. */
function merged(below: unknown, above: unknown): unknown {
  if (!isMap(below) || !isMap(above)) return above;
  return {
    ...below,
    ...Object.fromEntries(Object.entries(above).map(([key, value]) => [key, key in below ? merged(below[key], value) : value])),
  };
}

async function problemsOf(text: string): Promise<readonly string[]> {
  const dir = mkdtempSync(join(tmpdir(), "sluice-docs-"));
  try {
    writeFileSync(join(dir, "policy.yaml"), text);
    const loaded = await loadPolicy(join(dir, "policy.yaml"), STAGES);
    return (loaded.ok ? loaded.value.warnings : loaded.error).map(formatProblem);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test("every policy of the docs loads without a warning, and every piece of one does beside the README's", async () => {
  let policies = 0;
  for (const block of allBlocks().filter(({ info }) => /^ya?ml\b/.test(info))) {
    const whole = /^apiVersion: sluice\//m.test(block.text);
    const piece = block.info === "yaml fragment";
    if (!whole && !piece) {
      for (const document of parseAllDocuments(block.text)) assert.deepEqual(document.errors, [], block.place);
      continue;
    }
    policies += 1;
    const text = whole ? block.text : stringify(merged(parse(firstPolicy()), parse(block.text)));
    assert.deepEqual(await problemsOf(text), [], block.place);
  }
  assert.ok(policies > 5, "the policies were found");
});

test("every JSON block of the docs is JSON", () => {
  for (const { info, text, place } of allBlocks()) if (info === "json") assert.doesNotThrow(() => JSON.parse(text), place);
});

/** As GitHub makes them. */
const anchorOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");

test("every link of the docs leads to a file, and to a heading where it names one", () => {
  const broken: string[] = [];
  for (const page of PAGES) {
    const text = readFileSync(join(ROOT, page), "utf8").replaceAll(/^\s*```[\s\S]*?^\s*```/gm, "");
    for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : join(dirname(page), path);
      if (!existsSync(join(ROOT, file))) broken.push(`${page}: ${target}`);
      else if (anchor !== undefined) {
        const headings = readFileSync(join(ROOT, file), "utf8").matchAll(/^#+ (.*)$/gm);
        if (![...headings].some(([, heading = ""]) => anchorOf(heading) === anchor)) broken.push(`${page}: ${target}`);
      }
    }
  }
  assert.deepEqual(broken, []);
});

test("every make target that the docs name is there", () => {
  const targets = new Set(readFileSync(join(ROOT, "Makefile"), "utf8").match(/^[a-z-]+(?=:)/gm));
  for (const page of PAGES)
    for (const [, name = ""] of readFileSync(join(ROOT, page), "utf8").matchAll(/(?:`|^\s*)(?:[A-Z_]+=\S+ )?make ([a-z][a-z-]*)/gm))
      assert.ok(targets.has(name), `${page}: make ${name}`);
});

test("the README is short, and its pictures and tables fit a terminal", () => {
  const lines = readFileSync(join(ROOT, "README.md"), "utf8").split("\n");
  assert.ok(lines.length < 250, String(lines.length));
  for (const block of blocksOf("README.md").filter(({ info }) => info === ""))
    for (const line of block.text.split("\n")) assert.ok(line.length <= 100, line);
});
