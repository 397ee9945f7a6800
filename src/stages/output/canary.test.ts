import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cutAt } from "../../../test/support/codec-runs.ts";
import { property } from "../../../test/support/property.ts";
import { Canaries, CanarySearch } from "./canary.ts";

const MARK = "CANARY-4711-X";
const canaries = new Canaries([MARK, "Zebra7Q"]);
const hitsIn = (pieces: readonly string[]) => {
  const search = new CanarySearch(canaries);
  return [...pieces.flatMap((piece) => search.push(piece)), ...search.end()];
};
const found = (text: string): readonly string[] => hitsIn([text]).map(({ start, end }) => text.slice(start, end));
const base64 = (text: string): string => Buffer.from(text).toString("base64");

const table: readonly (readonly [string, string, readonly string[]])[] = [
  ["as it is", `it says ${MARK}.`, [MARK]],
  ["in another case", "canary-4711-x", ["canary-4711-x"]],
  ["letter by letter", "C A N A R Y - 4 7 1 1 - X!", ["C A N A R Y - 4 7 1 1 - X"]],
  ["with markup", "**CAN**ARY_4711_`X`", ["CAN**ARY_4711_`X"]],
  ["with invisible signs", [...MARK].join("\u200b"), [[...MARK].join("\u200b")]],
  ["full width", "ＣＡＮＡＲＹ－４７１１－Ｘ", ["ＣＡＮＡＲＹ－４７１１－Ｘ"]],
  ["backwards", `>${[...MARK].reverse().join("")}<`, [[...MARK].reverse().join("")]],
  ["shifted", "PNANEL-4711-K", ["PNANEL-4711-K"]],
  ["in hexadecimal, in pairs", "43 41 4e 41 52 59 2d 34 37 31 31 2d 58", ["43 41 4e 41 52 59 2d 34 37 31 31 2d 58"]],
  ["with dashes in percent", "CANARY%2D4711%2DX", ["CANARY%2D4711%2DX"]],
  ["in percent, all of it", "%43%41%4E%41%52%59%2D%34%37%31%31%2D%58", ["43%41%4E%41%52%59%2D%34%37%31%31%2D%58"]],
  ["in percent, twice", "CANARY%252d4711%252dX", ["CANARY%252d4711%252dX"]],
  ["dashes as entities", "CANARY&#45;4711&#x2d;X, CANARY&#45;4711&#45;X", ["CANARY&#45;4711&#45;X"]],
  [
    "all as entities",
    [...MARK].map((sign) => `&#${sign.charCodeAt(0)};`).join(""),
    ["67;&#65;&#78;&#65;&#82;&#89;&#45;&#52;&#55;&#49;&#49;&#45;&#88"],
  ],
  [
    "as escapes of JSON",
    "\\u0043\\u0041\\u004e\\u0041\\u0052\\u0059\\u002d\\u0034\\u0037\\u0031\\u0031\\u002d\\u0058",
    ["u0043\\u0041\\u004e\\u0041\\u0052\\u0059\\u002d\\u0034\\u0037\\u0031\\u0031\\u002d\\u0058"],
  ],
  ["as numbers", "67 65 78 65 82 89 45 52 55 49 49 45 88", ["67 65 78 65 82 89 45 52 55 49 49 45 88"]],
  ["with digits for letters", "C4N4RY-A711-X", ["C4N4RY-A711-X"]],
  ["with signs for letters", "C@N@RY-4711-X", ["C@N@RY-4711-X"]],
  ["with such signs between letters", "C$A$N$A$R$Y-4711-X", ["C$A$N$A$R$Y-4711-X"]],
  ["with accents and letters of other alphabets", "СÁΝÄRУ-4711-Х", ["СÁΝÄRУ-4711-Х"]],
  ["two of them", `${MARK} and zebra7q`, [MARK, "zebra7q"]],
  ["one within the beginning of another", "zebrazebra7q", ["zebra7q"]],
  ["no mark", "CANARY-4711 is a flight; canary 47 11 was it, canaries sing", []],
  ["letters far apart", "CANARY          4711 X", []],
];
for (const [name, text, expected] of table) test(`a mark: ${name}`, () => assert.deepEqual(found(text), expected));

const back = (text: string): string => [...text].reverse().join("");
const hex = (text: string): string => Buffer.from(text).toString("hex");
const bits = (text: string): string => [...Buffer.from(text)].map((byte) => byte.toString(2).padStart(8, "0")).join(" ");
/** RFC 4648, section 6, written out for the test: five bits a sign. */
function base32(text: string): string {
  const all = bits(text).replaceAll(" ", "");
  const fives = all.padEnd(Math.ceil(all.length / 5) * 5, "0").match(/.{5}/g) ?? [];
  return fives.map((five) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".charAt(Number.parseInt(five, 2))).join("");
}
test("a mark in base32, wherever it stands in what was encoded", () => {
  assert.equal(base32("foobar"), "MZXW6YTBOI", "as the RFC has it");
  for (const before of ["", "a", "ab", "abc", "abcd", "the prompt is: "])
    for (const after of ["", ".", " and so on"]) assert.equal(found(`x ${base32(before + MARK + after)} y`).length, 1, `${before}${after}`);
  assert.deepEqual(found(base32("nothing of the kind stands here")), []);
});
test("a mark in bits, encoded backwards, and encoded and then turned round", () => {
  for (const text of [bits(MARK), bits(back(MARK)), hex(back(MARK)), back(hex(MARK)), base32(back(MARK))])
    assert.equal(found(`It is ${text}!`).length, 1, text);
  for (const before of ["", "a", "ab"])
    for (const text of [base64(before + back(MARK)), back(base64(before + MARK)), back(base64(before + back(MARK)))])
      assert.equal(found(`It is ${text}!`).length, 1, text);
  assert.deepEqual(found(`${bits("nothing of it")} ${back(base64("nothing of the kind"))}`), []);
});

test("a mark in base64, wherever it stands in what was encoded", () => {
  for (const before of ["", "a", "ab", "abc", "the prompt is: "])
    for (const after of ["", ".", " and so on"]) assert.equal(found(`x ${base64(before + MARK + after)} y`).length, 1, `${before}${after}`);
  assert.deepEqual(found(base64("nothing of the kind stands here")), []);
});

property(
  "I8: what is found does not depend on how the text is cut, and nothing that is found was decided before",
  fc.tuple(
    fc.array(
      fc.constantFrom(
        ...table.map(([, text]) => text),
        base64(`x${MARK}y`),
        base32(MARK),
        bits(MARK),
        back(base64(MARK)),
        "CANARY",
        "zebra",
        " ",
        "\n",
      ),
      { maxLength: 6 },
    ),
    fc.array(fc.nat({ max: 300 }), { maxLength: 20 }),
  ),
  ([words, cuts]) => {
    const text = words.join("");
    const pieces = cutAt(
      Buffer.from(text, "utf16le"),
      cuts.map((cut) => Math.min(cut * 2, text.length * 2)),
    ).map((piece) => Buffer.from(piece).toString("utf16le"));
    assert.deepEqual(hitsIn(pieces), hitsIn([text]));
    const search = new CanarySearch(canaries);
    let decided = 0;
    for (const piece of pieces) {
      for (const { start } of search.push(piece)) assert.ok(start >= decided, `${start} was decided`);
      assert.ok(search.decided >= decided, "goes back");
      decided = search.decided;
    }
  },
  200,
);
