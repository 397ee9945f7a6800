import assert from "node:assert/strict";
import { test } from "node:test";
import { assertCuts, assertLinear, detectorSuite, findIn } from "../../../test/support/detectors.ts";
import type { Detector } from "../../core/detector.ts";
import type { Result } from "../../core/result.ts";
import { email } from "../email.ts";
import { customPatternDetector, except, oneOf, wordDetector } from "./index.ts";
import { patternLength } from "./pattern-length.ts";

const made = (result: Result<Detector, string>): Detector => (result.ok ? result.value : assert.fail(result.error));
const pattern = (source: string, ignoreCase = false): Result<Detector, string> =>
  customPatternDetector({ entity: "ticket", class: "personal", pattern: source, ignoreCase });

detectorSuite(
  made(wordDetector({ entity: "project", class: "personal", words: ["Blue Heron", "heron", "HERON IV", "苍鹭", "ΣΊΣΥΦΟΣ", "c++"] })),
  {
    samples: [
      ["The blue heron and HERON IV, a heron.", "blue heron", "HERON IV", "heron"],
      ["herons heroni aheron blueheron heron_x heron-x", "heron", "heron"],
      ["苍鹭项目与ｈｅｒｏｎ", "苍鹭", "ｈｅｒｏｎ"],
      ["σίσυφος İ heron c++, c+", "σίσυφος", "heron", "c++"],
      ["blue her"],
    ],
  },
);

detectorSuite(made(pattern("\\bTCK-[0-9]{4,8}(?:-[a-z]{1,3})?\\b", true)), {
  samples: [
    ["see TCK-12345 and tck-1234-ab.", "TCK-12345", "tck-1234-ab"],
    ["ＴＣＫ－１２３４", "ＴＣＫ－１２３４"],
    ["TCK-123 XTCK-1234 TCK-123456789"],
  ],
});

test("a word is found however its accents and apostrophes are written, and is allowed so", () => {
  const list = made(wordDetector({ entity: "person", class: "personal", words: ["Zoë O'Neil", "Cafe\u0301 Noir"] }));
  const text = "ZOË O’NEIL, zoe\u0308 o'neil; café noir, CAFE\u0301 NOIR; cafe noir, Zoë O’Neill";
  const values = ["ZOË O’NEIL", "zoe\u0308 o'neil", "café noir", "CAFE\u0301 NOIR"];
  const said = (detector: Detector): readonly string[] => findIn(detector, text).map(({ start, end }) => text.slice(start, end));
  assert.deepEqual(said(list), values);
  assertCuts([list], text);
  assert.deepEqual(said(except(list, oneOf(["zoë o'neil"]))), values.slice(2));
});

test("a pattern's own full-width signs, dashes and digits are what the text's are, and no syntax", () => {
  const table: readonly (readonly [pattern: string, text: string, ...values: string[]])[] = [
    ["工号：[0-9]{6}", "我的工号：123456，工号:654321。", "工号：123456", "工号:654321"],
    ["（机密）[0-9]{3}", "见（机密）123，机密123", "（机密）123"],
    ["AB–[0-9]{3}", "AB–123 AB-456", "AB–123", "AB-456"],
    ["[０-９—]{6}", "code 123456 12–456", "123456", "12–456"],
    ["\\：x\\＊", "a：x＊ :xx", "：x＊"],
    ["甲＼乙＿丙", "甲＼乙＿丙 甲\\乙_丙", "甲＼乙＿丙", "甲\\乙_丙"],
  ];
  for (const [source, text, ...values] of table) {
    const detector = made(pattern(source));
    assert.deepEqual(
      findIn(detector, text).map(({ start, end }) => text.slice(start, end)),
      values,
      source,
    );
    assertCuts([detector], text);
  }
});

test("a pattern that backtracks elsewhere is linear", () => {
  const detector = made(pattern("(?:a|aa|a?){1,60}b"));
  assertLinear([detector], "a");
  assertLinear([made(pattern("(?:[a-z]{1,10} ?){1,9}!"))], "abc ", 3);
});

test("a large list takes no longer than a short one", () => {
  const words = Array.from({ length: 20_000 }, (_, index) => `word${index}`);
  assertLinear([made(wordDetector({ entity: "w", class: "personal", words }))], "word19999 word2x ");
  assertLinear([made(wordDetector({ entity: "w", class: "personal", words: ["苍".repeat(127)] }))], "苍", 2);
});

test("what cannot be bounded or read is refused with a reason", () => {
  for (const source of [
    "a*",
    "a+b",
    "a{2,}",
    "(?=a)b",
    "(a",
    "a)",
    "[a",
    "a{300}",
    "a?",
    "(?:ab){200}",
    "\\1",
    "x".repeat(513),
    "a{1001}",
    "\\Qa*\\E",
  ]) {
    const result = pattern(source);
    assert(!result.ok && result.error.length > 5, source);
  }
  assert(!wordDetector({ entity: "w", class: "personal", words: [] }).ok);
  assert(!wordDetector({ entity: "w", class: "personal", words: [" "] }).ok);
});

test("the longest match of a pattern is never less than what it matches", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["a{2,5}(?:bc|d{3}){2}", "aaaaadddddd"],
    ["[^a]{4}", "😀😀😀😀"],
    ["(?i:x{1,3})|yyyy?", "yyyy"],
    ["\\p{L}{3}\\x{41}[[:alpha:]\\]]", "äöüA]"],
    ["(?P<n>a){2}(?<m>b)?", "aab"],
  ];
  for (const [source, text] of cases) {
    const length = patternLength(source);
    assert(length.ok && length.value >= text.length && length.value <= 4 * text.length, `${source}: ${JSON.stringify(length)}`);
    assert.deepEqual(
      findIn(made(pattern(source)), text).map(({ start, end }) => [start, end]),
      [[0, text.length]],
    );
  }
});

test("allowed values are not reported, whole and in any case", () => {
  const detector = except(email, oneOf(["help@example.com"]));
  const text = "HELP@example.com, ｈelp@example.com, ann.help@example.com";
  assert.deepEqual(
    findIn(detector, text).map(({ start, end }) => text.slice(start, end)),
    ["ann.help@example.com"],
  );
  assertCuts([detector], text);
});

test("a phrase of a list is found over line ends, several blanks and signs that are not seen", () => {
  const list = made(wordDetector({ entity: "project", class: "personal", words: ["Project  Falcon", "Falcon", "項目 鷹"] }));
  const table: readonly (readonly [string, readonly string[]])[] = [
    ["on project\n  FALCON.", ["project\n  FALCON"]],
    ["Project\u00a0Falcon\r\nproject falcons", ["Project\u00a0Falcon"]],
    ["pro\u200bject fal\u00adcon\u200b ok, xproject falcon", ["pro\u200bject fal\u00adcon", "falcon"]],
    ["\u200b\n falcon", ["falcon"]],
    ["項目　鷹隼", ["項目　鷹"]],
    [`project${" ".repeat(300)}falcon`, ["falcon"]],
  ];
  for (const [text, words] of table) {
    assert.deepEqual(
      findIn(list, text).map(({ start, end }) => text.slice(start, end)),
      words,
      JSON.stringify(text),
    );
    assertCuts([list], text);
  }
});
