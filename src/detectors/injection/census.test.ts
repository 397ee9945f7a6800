import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../../test/support/property.ts";
import { takeCensus } from "./census.ts";
import { codesOf } from "./codes.ts";

/** Runs of a to f within a word of small letters are no hexadecimal digits. */
const hexOf = (text: string): string =>
  text.replaceAll(/[a-z]+/g, (word) => word.replace(/^([a-fx]*)([g-wyz].*[g-wyz]|[g-wyz])([a-fx]*)$/, "$1g$3"));
const longestOf = (text: string, pattern: RegExp): number => Math.max(0, ...Array.from(text.matchAll(pattern), ([{ length }]) => length));
const sign = fc.constantFrom(
  "a",
  "b",
  "B",
  "f",
  "x",
  "w",
  "z",
  "0",
  "7",
  " ",
  " ",
  "-",
  "+",
  "_",
  ":",
  ",",
  "%",
  "\n",
  "é",
  "\u200b",
  "\u0001",
);

property("counts what expressions would find", fc.string({ unit: sign, maxLength: 120 }), (text) => {
  const census = takeCensus(codesOf(text));
  assert.equal(census.plain, !/[^\t\n\r -~]/.test(text));
  assert.equal(census.hex, longestOf(hexOf(text), /[0-9a-fx ,:]+/gi));
  assert.equal(census.signs, longestOf(text, /[^\s\w]+/g));
  assert.equal(census.digits, longestOf(text.replaceAll(/\D/g, ""), /\d+/g));
  assert.equal(census.stretched, Array.from(text.matchAll(/([a-vx-z])\1{2,}/gi)).length);
  assert.equal(census.count("%-"), Array.from(text.matchAll(/[%-]/g)).length);
});

test("signs that stand alone between blanks are counted", () => {
  assert.equal(takeCensus(codesOf("a b c dd e f")).singles, 3);
});
