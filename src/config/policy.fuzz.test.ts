/** Policies that are nearly right: whatever is wrong with one is said at its place, and what is not said to be wrong can be served. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { property } from "../../test/support/property.ts";
import { STAGES } from "../stages/index.ts";
import { checkPolicy } from "./load.ts";
import { compileSnapshot } from "./snapshot.ts";

const POLICY = readFileSync(new URL("../../test/bench/policy.yaml", import.meta.url), "utf8").split("\n");

/** What people and templates put in the place of a value, a key or a line. */
const ODD = [
  ...["", "null", "~", "0", "-1", "1e999", "0x10", "01", "true", "yes", "[]", "{}", "[[[]]]", '""', "!!binary x", "&a", "*a", "<<: *a"],
  ...[
    "__proto__",
    "constructor",
    "${ENV}",
    "{{ .Values.x }}",
    "\t",
    "\u0000",
    "\u2028",
    "é",
    "\ud800",
    "a".repeat(5_000),
    "acme",
    "gpt-4o-mini",
  ],
];
const odd = fc.constantFrom(...ODD);
const edit = fc.record({
  line: fc.nat({ max: POLICY.length - 1 }),
  kind: fc.constantFrom("value", "key", "drop", "twice", "indent", "word"),
  odd,
  at: fc.nat({ max: 40 }),
});
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

function apply(lines: string[], { line, kind, odd, at }: Edit): void {
  const text = lines[line] ?? "";
  const colon = text.indexOf(":");
  if (kind === "drop") lines[line] = "";
  else if (kind === "twice") lines[line] = `${text}\n${text}`;
  else if (kind === "indent") lines[line] = ` ${text}`;
  else if (kind === "word") {
    const words = text.split(/(?<=[^\w])(?=\w)/);
    words[at % words.length] = odd;
    lines[line] = words.join("");
  } else if (colon >= 0)
    lines[line] = kind === "value" ? `${text.slice(0, colon)}: ${odd}` : `${/^ */.exec(text)?.[0] ?? ""}${odd}${text.slice(colon)}`;
}

property(
  "a policy with a few odd places is refused with place and remedy, or can be served",
  fc.array(edit, { minLength: 1, maxLength: 4 }),
  (edits) => {
    const lines = [...POLICY];
    for (const one of edits) apply(lines, one);
    const checked = checkPolicy([{ file: "p.yaml", bytes: Buffer.from(lines.join("\n")) }], STAGES, { folder: "/" });
    if (checked.ok) {
      const snapshot = compileSnapshot(checked.value, STAGES);
      assert.equal(snapshot.version, checked.value.version);
      assert.equal(Object.getPrototypeOf({}), Object.prototype);
      return;
    }
    assert.ok(checked.error.length > 0);
    for (const problem of checked.error)
      assert.ok(problem.line >= 0 && problem.message !== "" && problem.remedy !== "", JSON.stringify(problem));
  },
  150,
);
