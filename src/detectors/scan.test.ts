import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { assertCuts, assertLinear, assertSameWhenCut, HOSTILE, textOf } from "../../test/support/detectors.ts";
import { property } from "../../test/support/property.ts";
import type { Detector, Finding } from "../core/detector.ts";
import { SLICE_MS } from "../core/limits.ts";
import { DETECTORS, detectorsOf, entitiesOf, StreamScan, scan, scanSliced } from "./index.ts";
import { hiddenSecrets } from "./secrets/hidden.ts";
import { Overlaps, ranksOf } from "./shared/overlaps.ts";

/** Findings of every kind, and what looks like one, as people write them. */
const TEXTS: readonly string[] = [
  "Call me on +44 20 7946 0958 or mail ann@example.com, card 4242 4242 4242 4242 (12/29).",
  "我的身份证号是11010519491231002X，电话１３８００１３８０００，邮箱zhang.wei@example.cn。",
  "SSN 536-90-4399, born March 3, 1985, passport C01X00T47.",
  "postgres://app:s3cret@10.0.0.1:5432/app?user=ann@example.com&card=4242424242424242",
  "GB29 NWBK 6016 1331 9268 19 / 00:1A:2B:3C:4D:5E / 2001:db8::1 / 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
  "AB 12 34 56 C; RSSMRA 85T10 A562S; 529.982.247-25; 943 476 5919 is my NHS number",
  "Order 4155552671 of 2024-01-15 10:30:00, v10.0.19045.3803, 550e8400-e29b-41d4-a716-446655440000, $1,299.00 😀",
  "https://www.example.com/a?b=4242424242424242#c www.example.org",
  "driver's license A1234567 NHS 943 476 5919 4 1 5 5 5 5 2 6 7 1 BSN 111222333 TFN 123456782",
];

test("every text cut at every place, all detectors at once", () => {
  for (const text of TEXTS) assertCuts(DETECTORS, text);
});

property("findings do not depend on how a text is cut, all detectors at once", textOf(TEXTS), ([text, cuts]) => {
  assertSameWhenCut(DETECTORS, text, cuts);
  assertSameWhenCut(
    DETECTORS,
    text,
    Array.from({ length: text.length }, (_, index) => index),
  );
});

test("hostile texts take linear time and bounded memory", () => {
  for (const piece of HOSTILE) assertLinear(DETECTORS, piece, DETECTORS.length / 4);
});

test("ordinary prose is held no further back than the word it ends in", () => {
  const prose =
    "The quick brown fox, as they say, jumps over 13 lazy dogs and then it rests for a while; nobody minds that. 我们今天去公园。Ein Satz mehr.";
  const stream = new StreamScan(DETECTORS);
  for (let at = 0; at < prose.length; at += 1) {
    const { released } = stream.push(prose.charAt(at));
    const held = prose.slice(released, at + 1);
    assert(/^[^\s]*$|^[0-9]{1,2} \p{L}?$|^\p{Lu}+ \S*$/u.test(held.trimStart()) && held.length <= 14, `held ${JSON.stringify(held)}`);
  }
});

test("what no detector finds any more is not kept", () => {
  const stream = new StreamScan(DETECTORS);
  let released = 0;
  for (let piece = 0; piece < 2000; piece += 1) released = stream.push("x".repeat(64)).released;
  assert(released > 2000 * 64 - 3000, `released ${released}`);
});

test("a long text in slices gives what the whole gives, and gives way", async () => {
  const text = TEXTS.join("\n").repeat(600);
  let [turns, done] = [0, false];
  const count = (): void => {
    turns += 1;
    if (!done) setImmediate(count);
  };
  setImmediate(count);
  const found = await scanSliced(text, DETECTORS);
  done = true;
  assert.deepEqual(found, scan(text, DETECTORS));
  assert(turns > 3, `${turns} turns of the event loop in slices of ${SLICE_MS} ms`);
});

test("a scan that is aborted stops", async () => {
  const found = await scanSliced("ann@example.com ".repeat(50_000), DETECTORS, AbortSignal.abort());
  assert.deepEqual(found, []);
});

test("detectors are chosen by entity and by profile", () => {
  assert.deepEqual(
    detectorsOf(new Set(["email", "iban"])).flatMap(({ entities }) => entities),
    ["email", "iban"],
  );
  const [standard, strict] = [entitiesOf("standard"), entitiesOf("strict")];
  assert(standard.includes("email") && !standard.includes("ip_address") && strict.includes("ip_address") && !strict.includes("url"));
  assert(standard.every((entity) => strict.includes(entity)));
});

test("entities have one detector each and names that fit a policy", () => {
  // Secrets are looked for once more where signs are hidden in them.
  const all = DETECTORS.filter((detector) => detector !== hiddenSecrets).flatMap(({ entities }) => entities);
  assert.equal(new Set(all).size, all.length);
  for (const entity of all) assert.match(entity, /^[a-z][a-z0-9_]{1,40}$/);
});

const finding = (entity: string, start: number, end: number, score: number): Finding => ({ entity, start, end, score });
const settled = (findings: readonly Finding[]): readonly Finding[] => {
  const overlaps = new Overlaps(ranksOf(["a", "b", "c"]), (start, end) => end > start);
  overlaps.add(findings);
  return overlaps.settle(Number.POSITIVE_INFINITY);
};

test("of overlapping findings the surer stands whole, the other keeps its rest", () => {
  const cases: readonly (readonly [readonly Finding[], readonly Finding[]])[] = [
    [[finding("a", 0, 5, 0.5), finding("b", 0, 5, 1)], [finding("b", 0, 5, 1)]],
    [[finding("a", 0, 5, 1), finding("b", 0, 7, 1)], [finding("b", 0, 7, 1)]],
    [[finding("b", 0, 5, 1), finding("a", 0, 5, 1)], [finding("a", 0, 5, 1)]],
    [
      [finding("a", 0, 5, 1), finding("b", 3, 8, 0.5)],
      [finding("a", 0, 5, 1), finding("b", 5, 8, 0.5)],
    ],
    [
      [finding("a", 0, 5, 0.5), finding("b", 3, 8, 1)],
      [finding("a", 0, 3, 0.5), finding("b", 3, 8, 1)],
    ],
    [
      [finding("a", 0, 9, 0.5), finding("b", 3, 6, 1)],
      [finding("a", 0, 3, 0.5), finding("b", 3, 6, 1), finding("a", 6, 9, 0.5)],
    ],
    [
      [finding("a", 0, 9, 0.5), finding("b", 3, 6, 1), finding("c", 5, 8, 0.7)],
      [finding("a", 0, 3, 0.5), finding("b", 3, 6, 1), finding("c", 6, 8, 0.7), finding("a", 8, 9, 0.5)],
    ],
    [
      [finding("a", 0, 2, 1), finding("b", 2, 4, 1)],
      [finding("a", 0, 2, 1), finding("b", 2, 4, 1)],
    ],
  ];
  for (const [given, expected] of cases) assert.deepEqual(settled(given), expected);
});

const spans = fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), fc.nat(40), fc.integer({ min: 1, max: 9 }), fc.constantFrom(0.5, 0.8, 1)), {
  maxLength: 12,
});
property("overlaps: nothing that was found is lost, nothing is added, nothing overlaps", spans, (list) => {
  const given = list.map(([entity, start, length, score]) => finding(entity, start, start + length, score));
  const result = settled(given);
  const covered = (findings: readonly Finding[]): string =>
    Array.from({ length: 60 }, (_, at) => (findings.some(({ start, end }) => start <= at && at < end) ? "x" : ".")).join("");
  assert.equal(covered(result), covered(given));
  for (let index = 1; index < result.length; index += 1) assert((result[index]?.start ?? 0) >= (result[index - 1]?.end ?? 0));
});

test("a detector that says too little is open does not pass the suite", () => {
  const hasty: Detector = {
    entities: ["email"],
    class: "personal",
    profile: "standard",
    lookBehind: 1,
    lengthMax: 3,
    find: (text, from) => {
      const at = text.folded.indexOf("@", from);
      return { findings: at > from ? [finding("email", at - 1, at + 1, 1)] : [], open: text.folded.length };
    },
  };
  assert.throws(() => assertCuts([hasty], "a@b"));
});
