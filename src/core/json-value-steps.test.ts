import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../test/support/property.ts";
import { parseJsonValue } from "./json.ts";
import { parseValueSteps } from "./json-value-steps.ts";
import { finish } from "./slice.ts";

const same = (text: string): void => assert.deepStrictEqual(finish(parseValueSteps(text)), parseJsonValue(text), text.slice(0, 200));

property("any JSON reads as JSON.parse reads it", fc.json({ maxDepth: 8 }), same, 500);
/**
 * JSON.parse of Node 26 takes the name `a"` for `a\` where it has made an object with that name at that place before: it compares the
 * bytes, escapes and all, with the name. Names that need no escapes have it give what it should.
 */
const plainNames = (json: string): string =>
  JSON.stringify(JSON.parse(json), (_name, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name.replace(/["\\]/g, "/"), inner]))
      : value,
  );
property(
  "so does JSON with blanks between, and with a character put in, taken out or changed",
  fc.tuple(fc.json().map(plainNames), fc.nat(), fc.nat(2), fc.constantFrom(...'"\\[]{},:0-1.eE+tnu \n\t\u0001x', "__proto__", ",,", "[]")),
  ([json, place, cut, put]) => {
    same(JSON.stringify(JSON.parse(json), null, "\t"));
    const at = place % (json.length + 1);
    same(json.slice(0, at) + put + json.slice(at + cut));
  },
  2_000,
);
property(
  "so do long arrays of numbers, whatever stands among them",
  fc.tuple(
    fc.array(fc.oneof({ weight: 40, arbitrary: fc.integer() }, fc.double({ noNaN: true }), fc.json(), fc.constantFrom(true, null))),
    fc.nat(9),
  ),
  ([values, times]) => same(JSON.stringify(Array.from({ length: 50 * times }, () => values).flat())),
  60,
);

test("what parsers get wrong", () => {
  for (const text of [
    "",
    " ",
    "[",
    "]",
    "[1,]",
    "[,1]",
    "[1,,2]",
    "[1 2]",
    "[1]]",
    "{}{}",
    '{"a":1,"a":2}',
    '{"__proto__":{"x":1},"constructor":2}',
    '{"a":1,}',
    "{,}",
    '{"a"}',
    '{"a":}',
    "01",
    "-",
    "-0",
    "1e400",
    "1.",
    ".5",
    "nul",
    "[01,2]",
    "[1,\u00a02]",
    "[1,\u000b2]",
    '"\\',
    '"\\"',
    '"\\\\"',
    '"\\u12"',
    '"a\nb"',
    "\ufeff1",
    '["a",1,2,"b",[3,4],5]',
    "[1, 2 ,3\n]",
    "1\u0000",
  ])
    same(text);
});

test("depth has no end, values have", () => {
  let value = finish(parseValueSteps(`${"[".repeat(200_000)}${"]".repeat(200_000)}`));
  for (let depth = 1; depth < 200_000; depth++) value = Array.isArray(value) ? value[0] : undefined;
  assert.deepEqual(value, []);
  for (const [count, given] of [
    [10, true],
    [11, false],
  ] as const)
    for (const item of ["0", '""', "[]", '{"a":1}'])
      assert.equal(
        finish(parseValueSteps(`[${Array.from({ length: count }, () => item).join()}]`, item === '{"a":1}' ? 21 : 11)) !== undefined,
        given,
        item,
      );
});

property(
  "so do long strings, whatever stands where their pieces meet",
  fc.tuple(
    fc.array(fc.constantFrom("\\u00e9", "\\ud83d\\ude00", "\\\\", '\\"', "\\n", "x", "é", "😀", "\\\\u0041", "\\x", "\n"), {
      minLength: 1,
      maxLength: 9,
    }),
    fc.nat(12),
  ),
  ([parts, shift]) => same(`["${"y".repeat(shift)}${parts.join("").repeat(Math.ceil(600_000 / parts.join("").length))}",1]`),
  40,
);
test("a long string of backslashes", () => {
  for (const more of [0, 1, 2, 3]) for (const shift of ["", "y", "yy"]) same(`["${shift}${"\\".repeat(600_000 + more)}"]`);
});

test("a long string of escaped quotes is neither searched nor decoded at once", () => {
  const text = JSON.stringify(`"${'{"b":1},'.repeat(400_000)}`);
  same(text);
  same(`{"a":${text},"b":[${text}]}`);
  const steps = parseValueSteps(text);
  let count = 0;
  while (steps.next().done !== true) count++;
  // As many for the search as for the decoding of pieces, and more.
  assert.ok(count > 200, String(count));
});

test("it gives way about every 16,384 characters", () => {
  const steps = parseValueSteps(`{"a":[${"0,".repeat(500_000)}0],"b":[${'{"c":""},'.repeat(50_000)}1]}`);
  let count = 0;
  while (steps.next().done !== true) count++;
  assert.ok(count > 50 && count < 400, String(count));
});
