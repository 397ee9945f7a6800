import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../../test/support/property.ts";
import { type Shape, ShapeTable, separatorsOf } from "./shape-table.ts";
import { isFreeAt, ShapeWalk } from "./shape-walk.ts";

const LEAD = 2;
/** Forms with their separators. */
const FORMS: readonly (readonly [form: string, separators: string])[] = [
  ["9999", " -."],
  ["99 99", " -."],
  ["9 999", "-"],
  ["99 9 9", ". "],
  ["A99X", ""],
  ["AA 99 X", " "],
  ["XX 99", "- "],
  ["9999999", "/"],
  ["A9(X)", ""],
];
const SHAPES: readonly Shape[] = FORMS.map(([form, separators]) => ({ form, separators: separatorsOf(separators), lead: LEAD }));
const UNITS: Readonly<Record<string, string>> = { "9": "[0-9]", A: "[A-Za-z]", X: "[0-9A-Za-z]", "(": "\\(", ")": "\\)" };
const FREE_BEHIND = "(?![0-9A-Za-z%])(?![-.\u200b][0-9])";

/** What a form is in a text, as an expression that takes it from its start. `sign`: written digit by digit with it. */
function formOf(form: string, separators: string, sign: string | undefined): RegExp {
  const isIn = [...separators].map((one) => `\\${one}`).join("");
  const between = sign === undefined ? "\u200b?" : `\u200b?\\${sign}`;
  const border =
    sign !== undefined ? `\u200b{0,2}\\${sign}` : separators === "" ? "\u200b{0,2}" : `(?:\u200b{0,2}|\u200b?[${isIn}]\u200b?)`;
  let [source, isBorder] = ["", false];
  for (const unit of form) {
    if (unit !== " ") source += `${source === "" ? "" : isBorder ? border : between}${UNITS[unit]}`;
    isBorder = unit === " ";
  }
  return new RegExp(`^${source}${FREE_BEHIND}`);
}

/** The shapes that begin at a place, by expressions. */
function expectedAt(text: string, start: number): readonly string[] {
  const rest = text.slice(start);
  const sign = /^[0-9A-Za-z]([ -/:-?])[0-9A-Za-z](?![0-9A-Za-z])/.exec(rest)?.[1];
  const isInner = sign !== undefined && new RegExp(`(?<![0-9A-Za-z])[0-9]\u200b{0,2}\\${sign}$`).test(text.slice(0, start));
  const between = isInner ? undefined : sign;
  return FORMS.filter(
    ([form, separators]) => (between === undefined || separators.includes(between)) && formOf(form, separators, between).test(rest),
  ).map(([form]) => form);
}

const TABLE = new ShapeTable(SHAPES);
const namesOf = (bits: Int32Array): readonly string[] => FORMS.filter((_, shape) => ((bits[0] ?? 0) >>> shape) & 1).map(([form]) => form);
const units = fc.constantFrom(..."0123456789aBZ", ...[" ", "-", ".", "/", "\u200b", "\u200b", "(", ")", "%", "é"]);
const gap = fc.constantFrom(
  "",
  "",
  "",
  "",
  "\u200b",
  "\u200b\u200b",
  " ",
  "-",
  ".",
  "/",
  " \u200b",
  "\u200b-",
  "\u200b.\u200b",
  "\u200b\u200b ",
);
/** A form as people may write it, and what does not belong to it on both sides. */
const written = fc
  .tuple(
    fc.constantFrom(...FORMS),
    fc.array(gap, { minLength: 9, maxLength: 9 }),
    fc.constantFrom("", "x ", "1.", "\u200b"),
    fc.array(units, { maxLength: 3 }),
  )
  .map(([[form], gaps, ahead, behind]) => {
    const code = [...form.replaceAll(" ", "")].map((unit, index) => (gaps[index] ?? "") + (unit === "9" ? index : unit));
    return ahead + code.join("") + behind.join("");
  });
const texts = fc.oneof(
  { weight: 4, arbitrary: written },
  fc.array(units, { maxLength: 24 }).map((parts) => parts.join("")),
  // Digit by digit.
  fc.tuple(fc.array(units, { minLength: 3, maxLength: 10 }), fc.constantFrom(" ", "-", ".", "/")).map(([parts, sign]) => parts.join(sign)),
);

/** They are short. */
const RUNS = 2_000;

property(
  "all shapes at once are what an expression says of each",
  texts,
  (text) => {
    const walk = new ShapeWalk(TABLE);
    walk.open(text, true);
    for (let start = 0; start < text.length; start += 1) {
      if (!isFreeAt(text, start)) continue;
      walk.read(start, 0);
      assert.deepEqual(namesOf(walk.hits), expectedAt(text, start), `${JSON.stringify(text)} at ${start}`);
    }
  },
  RUNS,
);

property(
  "a shape that the rest of a text makes or undoes waits for it",
  fc.tuple(texts, fc.nat()),
  ([text, at]) => {
    const cut = at % (text.length + 1);
    const [part, whole] = [new ShapeWalk(TABLE), new ShapeWalk(TABLE)];
    part.open(text.slice(0, cut), false);
    whole.open(text, true);
    for (let start = 0; start < cut; start += 1) {
      if (!isFreeAt(text, start)) continue;
      part.read(start, 0);
      whole.read(start, 0);
      const waiting = namesOf(part.more);
      const decided = (bits: Int32Array): readonly string[] => namesOf(bits).filter((form) => !waiting.includes(form));
      assert.deepEqual(decided(part.hits), decided(whole.hits), `${JSON.stringify(text)} at ${start}, cut at ${cut}`);
    }
  },
  RUNS,
);

test("a code begins with no more capitals than its finder looks at", () => {
  const walk = new ShapeWalk(TABLE);
  walk.open("AB 12 C", true);
  assert(walk.read(0, LEAD));
  assert.equal(walk.compact(5), "AB12C");
  assert(!walk.read(0, LEAD + 1));
});
