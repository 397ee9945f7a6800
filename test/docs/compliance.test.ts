/** The page of risks and controls names what there is: each row a stage or part, and a test by file and title. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { STAGES } from "../../src/stages/index.ts";
import { ROOT } from "./blocks.ts";

const PAGE = readFileSync(join(ROOT, "docs/compliance.md"), "utf8");
const NAMES: ReadonlySet<string> = new Set(STAGES.map(({ name }) => name));

interface Row {
  readonly risk: string;
  readonly parts: readonly string[];
  readonly tests: readonly { readonly file: string; readonly title: string }[];
  readonly line: string;
}

function rowsOf(page: string): readonly Row[] {
  const rows = page.split("\n").filter((line) => /^\| (?!Risk|Function)/.test(line));
  return rows.map((line) => {
    const [risk = "", control = "", parts = "", tests = "", ...more] = line.slice(2, -2).split(" | ");
    assert.deepEqual(more, [], line);
    assert.notEqual(control.trim(), "", line);
    return {
      risk,
      parts: [...parts.matchAll(/`([^`]+)`/g)].map(([, part = ""]) => part),
      tests: tests.split(/; (?=`)/).map((one) => {
        const [, file = "", title = ""] = /^`([^`]+)`: "(.+)"$/.exec(one) ?? assert.fail(`no file and title: ${one}`);
        return { file, title };
      }),
      line,
    };
  });
}

/** Is there such a test? What a title is given at run time must stand in the file too, and its fixed words must say something. */
function hasTest(file: string, title: string): boolean {
  const source = readFileSync(join(ROOT, file), "utf8");
  if (file.endsWith(".yaml"))
    return [...source.matchAll(/^ {2}- name: (?:"(.*)"|(.*))$/gm)].some(([, quoted, plain]) => (quoted ?? plain) === title);
  const titles = source.matchAll(/(?<![.\w])(?:test|property|describe)\(\s*(?:"((?:[^"\\\n]|\\.)*)"|`([^`]*)`)/g);
  return [...titles].some(([, plain, template = ""]) => {
    if (plain !== undefined) return plain === title;
    const fixed = template.split(/\$\{[^}]*\}/);
    const given = new RegExp(`^${fixed.map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("(.+)")}$`).exec(title);
    return given !== null && fixed.join("").length > 8 && given.slice(1).every((word) => source.includes(word));
  });
}

const rows = rowsOf(PAGE);

test("every row names a stage or part that there is, and a test that there is", () => {
  const wrong: string[] = [];
  for (const { parts, tests, line } of rows) {
    if (parts.length === 0) wrong.push(`no stage or part: ${line}`);
    for (const part of parts) if (!NAMES.has(part) && !(part.startsWith("src/") && existsSync(join(ROOT, part)))) wrong.push(`no ${part}`);
    for (const { file, title } of tests) {
      if (!existsSync(join(ROOT, file))) wrong.push(`no file ${file}`);
      else if (!hasTest(file, title)) wrong.push(`${file} has no test "${title}"`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("every risk of the ten and every function has a row, or is said not to be covered", () => {
  const [owasp = "", nist = ""] = PAGE.split("## NIST");
  for (let number = 1; number <= 10; number += 1) {
    const name = `LLM${String(number).padStart(2, "0")}`;
    const covered = rows.some(({ risk }) => risk.startsWith(name));
    const limits = owasp.includes(`- **${name}`);
    assert.ok(limits, `${name}: what is not covered is not said`);
    assert.ok(covered || new RegExp(`\\*\\*${name} [^*]+\\*\\* Not covered`).test(owasp), `${name} has neither row nor word`);
  }
  for (const name of ["GOVERN", "MAP", "MEASURE", "MANAGE"])
    assert.ok(
      rows.some(({ risk }) => risk.startsWith(name)),
      name,
    );
  assert.match(nist, /^Not covered: /m);
});

test("every stage stands in a row", () => {
  const named = new Set(rows.flatMap(({ parts }) => parts));
  assert.deepEqual(
    [...NAMES].filter((name) => !named.has(name)),
    [],
  );
});

test("a title that no test has is found out, and so is one that only resembles", () => {
  assert.ok(hasTest("test/docs/compliance.test.ts", "every stage stands in a row"));
  assert.ok(!hasTest("test/docs/compliance.test.ts", "every stage stands in a"));
  assert.ok(hasTest("test/chaos/remote.test.ts", "silent: refused where the policy says closed, recorded where it says open"));
  assert.ok(!hasTest("test/chaos/remote.test.ts", "drowned: refused where the policy says closed, recorded where it says open"));
  assert.ok(!hasTest("test/cases/redact.yaml", "an embedding"));
});
