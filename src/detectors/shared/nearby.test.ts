import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../../test/support/property.ts";
import { BEFORE_CHARS, isWordUnit, words, wordsOf } from "./context.ts";
import { Beginnings, Nearby } from "./nearby.ts";

const LISTS = [words("bsn", "citizen service number"), undefined, words("TIN", "ss no", "nº fiscal"), words("身份证", "เลขบัตร")];
const BEGINNINGS = new Beginnings(LISTS);
const BEHIND = 12;
const PIECES = [
  "bsn",
  "BSN ",
  "citizen-service number ",
  "martin ",
  "TIN",
  "ss no ",
  "Nº fiscal",
  "身份证",
  "เลขบัตร",
  "x",
  "ns",
  "née",
  " ",
  "1",
  "é",
  ". ",
];
const text = fc
  .array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: "binary", maxLength: 3 })), { maxLength: 30 })
  .map((parts) => parts.join(""));

const isWithin = (folded: string, at: number): boolean => isWordUnit(folded.charCodeAt(at - 1)) && isWordUnit(folded.charCodeAt(at));
/** Whether a code may begin there, so that words before it end: not behind a letter of ASCII. */
const mayBegin = (folded: string, at: number): boolean => !isWithin(folded, at) || folded.charCodeAt(at - 1) > 127;
/** Whether a code may end there, so that words behind it begin: not before one. */
const mayEnd = (folded: string, at: number): boolean =>
  !isWithin(folded, at) || (folded.charCodeAt(at - 1) < 128 && folded.charCodeAt(at) > 127);

/** Numbers of the lists that may have a word near. */
const listsOf = (bits: Int32Array | undefined): readonly number[] =>
  LISTS.flatMap((_, list) => (((bits?.[0] ?? 0) >>> list) & 1 ? [list] : []));

property("a list with a word near a place, whole or cut, is never said to have none", fc.tuple(text, fc.boolean()), ([folded, ended]) => {
  const nearby = new Nearby({ folded, ended }, BEGINNINGS, { cuts: [BEFORE_CHARS, 7], behind: BEHIND });
  for (let start = 0; start <= folded.length; start += 1) {
    if (!mayBegin(folded, start)) continue;
    const said = nearby.at(start);
    assert.equal(said === undefined, !ended && start + BEHIND > folded.length);
    const windows = [BEFORE_CHARS, 7].map((back) => folded.slice(Math.max(0, start - back), start));
    for (let from = start; from < start + BEHIND; from += 1)
      for (let end = from; end <= start + BEHIND && mayEnd(folded, from); end += 1)
        if (!isWithin(folded, end)) windows.push(folded.slice(from, end));
    const near = LISTS.flatMap((list, index) => (windows.some((window) => list?.in(wordsOf(window))) ? [index] : []));
    if (said !== undefined)
      assert(
        near.every((list) => listsOf(said).includes(list)),
        `${near.join()} at ${start} of ${JSON.stringify(folded)}`,
      );
  }
});

test("a place with other words near has none", () => {
  const nearby = new Nearby({ folded: "Order 4711 of 12 May; bsn".padEnd(200, "."), ended: true }, BEGINNINGS, {
    cuts: [BEFORE_CHARS],
    behind: BEHIND,
  });
  assert.deepEqual(listsOf(nearby.at(6)), []);
  assert.deepEqual(listsOf(nearby.at(14)), [0]);
  assert.deepEqual(listsOf(nearby.at(120)), []);
});
