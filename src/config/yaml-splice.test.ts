import assert from "node:assert/strict";
import { test } from "node:test";
import { setInYaml } from "./yaml-splice.ts";

const CASES: readonly (readonly [why: string, before: string, set: Parameters<typeof setInYaml>[1][number], after: string])[] = [
  [
    "a block grows at its end, before what follows",
    "keys:\n    a:\n        x: 1 # one\n\n# next\nb: []\n",
    { path: ["keys"], name: "n", value: { y: "2" } },
    'keys:\n    a:\n        x: 1 # one\n    n:\n        y: "2"\n\n# next\nb: []\n',
  ],
  [
    "a fact of a block",
    "keys:\n  a:\n    x: 1 # one\n  b: { x: 2 }\n",
    { path: ["keys", "a"], name: "r", value: "2026-01-01T00:00:00Z" },
    "keys:\n  a:\n    x: 1 # one\n    r: 2026-01-01T00:00:00Z\n  b: { x: 2 }\n",
  ],
  ["a fact of a one-line map", "k: {a: {x: 1}} # here\n", { path: ["k", "a"], name: "r", value: "v" }, 'k: {a: {x: 1, r: "v"}} # here\n'],
  [
    "a fact that is there is replaced",
    "k:\n  a: { r: 'old', s: 1 }\n",
    { path: ["k", "a"], name: "r", value: "new" },
    'k:\n  a: { r: "new", s: 1 }\n',
  ],
  [
    "a list's map that begins behind its dash",
    "c:\n- k:\n    x: 1\n- k:\n    x: 2\n",
    { path: ["c", 0, "k"], name: "r", value: "v" },
    "c:\n- k:\n    x: 1\n    r: v\n- k:\n    x: 2\n",
  ],
  ["no newline at the end", "a: 1", { path: ["keys"], name: "n", value: { x: "y" } }, "a: 1\nkeys:\n  n:\n    x: y\n"],
  ["an empty map", "keys: {}\nb: 1\n", { path: ["keys"], name: "n", value: { x: "y" } }, "keys:\n  n:\n    x: y\nb: 1\n"],
  ["only a comment", "# hello\n", { path: ["keys"], name: "n", value: { x: "y" } }, "# hello\nkeys:\n  n:\n    x: y\n"],
  [
    "a document in one line is written out",
    "{ a: 1 }\n",
    { path: ["keys"], name: "n", value: { x: "y" } },
    "{ a: 1, keys: { n: { x: y } } }\n",
  ],
];
for (const [why, before, set, after] of CASES) test(`YAML edit: ${why}`, () => assert.equal(setInYaml(before, [set]), after));
