import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../test/support/property.ts";
import { STAGES } from "../stages/index.ts";
import { checkPolicy, loadPolicy } from "./load.ts";
import { formatProblem, type PolicyProblem } from "./problems.ts";

const FIXTURES = new URL("../../test/fixtures/policies/", import.meta.url).pathname;

/**
 * Broken policies. A line that ends in `# !! TEXT` must have an error, and TEXT must be part of a remedy there; a line
 * without must have none.
 */
for (const name of (await readdir(FIXTURES)).sort()) {
  test(`broken policy ${name}: every mistake at its line, with its remedy`, async () => {
    const path = join(FIXTURES, name);
    const loaded = await loadPolicy(path, STAGES);
    assert.ok(!loaded.ok, "it must not load");
    const files = name.endsWith(".yaml") ? [path] : (await readdir(path)).map((file) => join(path, file));
    const expected = new Map<string, string>();
    for (const file of files) {
      for (const [index, line] of (await readFile(file, "utf8")).split("\n").entries()) {
        const remedy = / # !! (.*)$/.exec(line)?.[1];
        if (remedy !== undefined) expected.set(`${file}:${index + 1}`, remedy);
      }
    }
    assert.ok(expected.size > 0, "the fixture expects something");
    const errors = loaded.error.filter((problem) => problem.severity === "error");
    const all = errors.map(formatProblem).join("\n");
    const placeOf = (problem: PolicyProblem): string => `${problem.file}:${problem.line}`;
    for (const [place, remedy] of expected) {
      const here = errors.filter((problem) => placeOf(problem) === place).map((problem) => problem.remedy);
      assert.ok(
        here.some((text) => text.includes(remedy)),
        `${place} wants the remedy "${remedy}", has ${JSON.stringify(here)}\n${all}`,
      );
    }
    assert.deepEqual(
      [...new Set(errors.map(placeOf))].filter((place) => !expected.has(place)),
      [],
      `errors where none are expected\n${all}`,
    );
    assert.ok(!all.includes("not-a-real-secret"), "a secret in the wrong place is not repeated");
  });
}

const HEAD = 'apiVersion: sluice/v1\nversion: "7"\n';

test("a folder is one policy: files in name order, hidden files and other kinds left out, links followed", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sluice-policy-"));
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, "..data"));
  await writeFile(join(folder, "..data", "10-head.yaml"), HEAD);
  await symlink(join("..data", "10-head.yaml"), join(folder, "10-head.yaml"));
  await writeFile(join(folder, "20-more.yml"), "apiVersion: sluice/v1\nuseCases: { a: {} }\n");
  await writeFile(join(folder, ".hidden.yaml"), "nonsense: true\n");
  await writeFile(join(folder, "notes.txt"), "nonsense\n");
  const loaded = await loadPolicy(folder, STAGES);
  assert.ok(loaded.ok, loaded.ok ? "" : loaded.error.map(formatProblem).join("\n"));
  assert.deepEqual(loaded.value.files, [join(folder, "10-head.yaml"), join(folder, "20-more.yml")]);
  assert.equal(loaded.value.hash, createHash("sha256").update(`${HEAD}apiVersion: sluice/v1\nuseCases: { a: {} }\n`).digest("hex"));
  assert.deepEqual([loaded.value.name, loaded.value.version, loaded.value.folder], ["policy", "7", folder]);
});

test("what cannot be read is one problem with a remedy", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sluice-policy-"));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "latin.yaml"), Buffer.from([0x61, 0x3a, 0x20, 0xe9]));
  await writeFile(join(folder, "big.yaml"), Buffer.alloc(9 * 1024 * 1024, "# comment\n"));
  await mkdir(join(folder, "empty"));
  for (const [name, remedy] of [
    ["missing.yaml", "check the path and its permissions"],
    ["latin.yaml", "save it as UTF-8"],
    ["big.yaml", "split the policy into a folder of files"],
    ["empty", "put the policy into it, or name the file itself"],
  ] as const) {
    const loaded = await loadPolicy(join(folder, name), STAGES);
    assert.ok(!loaded.ok);
    assert.deepEqual(
      loaded.error.map((problem) => problem.remedy),
      [remedy],
      name,
    );
  }
});

test("what looks wrong and is allowed comes as a warning", () => {
  const text = `${HEAD}
providers: { far: { format: openai, baseUrl: "http://models.example/v1", credential: { env: KEY } }, unused: { format: openai, baseUrl: "https://eu.example/v1", residency: [eu] } }
models: { m: { targets: [{ provider: far, model: x }] } }
tenants: { a: { apps: { b: { useCases: [none, late] } } }, e: { residency: eu, apps: { b: { useCases: [late] } } } }
useCases: { none: {}, late: { access: { models: [m] }, route: { retry: { on: [timeout] } }, classification: { map: { email: restricted } } } }
`;
  const loaded = checkPolicy([{ file: "p", bytes: new TextEncoder().encode(text) }], STAGES, { folder: "/" });
  assert.ok(loaded.ok, loaded.ok ? "" : loaded.error.map(formatProblem).join("\n"));
  assert.deepEqual(
    loaded.value.warnings.map((warning) => [warning.severity, warning.path]),
    [
      ["warning", "providers.far.baseUrl"],
      ["warning", "models.m.targets[0]"],
      ["warning", "tenants.e.residency"],
      ["warning", "useCases.none"],
      ["warning", "useCases.late.route.retry.on"],
      ["warning", "useCases.late.classification.map.email"],
    ],
  );
});

// Whatever stands in a policy file: an answer, no exception; and each problem points into the file.
const yamlish = fc.oneof(
  fc.string({ unit: fc.constantFrom(..."{}[]:,-&*!|>#'\"\n \tab1<?%@`"), maxLength: 60 }),
  fc
    .json({ maxDepth: 4 })
    .map(
      (json) =>
        `${HEAD}tenants: ${json}\nuseCases: ${json}\nproviders: ${json}\nmodels: ${json}\nkeys: ${json}\ntiers: ${json}\ndefaults: ${json}\n`,
    ),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
);
property("no content makes the loader throw, and every problem has a place and a remedy", yamlish, (text) => {
  const lines = text.split(/\r\n|\n|\r/).length;
  const loaded = checkPolicy([{ file: "p", bytes: new TextEncoder().encode(text) }], STAGES, { folder: "/" });
  if (loaded.ok) return;
  assert.ok(loaded.error.length > 0);
  for (const problem of loaded.error) {
    assert.ok(problem.line >= 0 && problem.line <= lines + 1, `line ${problem.line} of ${lines}`);
    assert.ok(problem.remedy !== "" && problem.message !== "");
  }
});
