import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Detector, Finding } from "../../src/core/detector.ts";
import { StreamScan, scan } from "../../src/detectors/shared/scan.ts";
import { Scanned } from "../../src/detectors/shared/text.ts";
import { property } from "./property.ts";

/** A text with what must be found in it, in order: `[text]` nothing, `[text, value]`, `[text, value, value]`; of several entities `entity=value`. */
export type Sample = readonly [text: string, ...values: string[]];

export interface SuiteOptions {
  /** Texts with findings, texts that look like some, and nothing in them. Every one is also cut at every place. */
  readonly samples: readonly Sample[];
  /** Pieces that hostile texts are made of by repeating, beside the usual ones and the samples themselves. */
  readonly hostile?: readonly string[];
}

/** What every detector must do: its samples, the stream contract at every cut, linear time on hostile text. */
export function detectorSuite(detector: Detector, { samples, hostile = [] }: SuiteOptions): void {
  const name = detector.entities.join(", ");
  test(`${name}: samples`, () => {
    const found = samples.map(([text]) => [text, ...valuesOf(detector, text)]);
    assert.deepEqual(found, samples);
  });
  test(`${name}: each sample cut at every place, and unit by unit`, () => {
    for (const [text] of samples) assertCuts([detector], text);
  });
  property(`${name}: the findings of a text do not depend on how it is cut`, textOf(samples.map(([text]) => text)), ([text, cuts]) =>
    assertSameWhenCut([detector], text, cuts),
  );
  test(`${name}: linear time on hostile text`, () => {
    for (const piece of [...hostile, ...samples.map(([text]) => text)]) assertLinear([detector], piece);
  });
}

export const HOSTILE: readonly string[] = [
  ...["1", "a", "A", "@", "-", ".", ":", "/", "=", "+", " ", "\n", "(", "%", "é", "中", "１", "😀", "\ud83d", "\u200b"],
  ...[
    "1 ",
    "1-",
    "1.",
    "a1",
    "1a",
    "a@",
    "@a.",
    "a:",
    "1:",
    "::",
    "//",
    "://",
    "a://",
    "a.b@",
    "1234 ",
    "12-34-",
    "+1",
    "(1)",
    "AB 12 ",
    "sk-",
    "eyJ",
  ],
];

/** Findings in the whole text, by the detector itself. */
export function findIn(detector: Detector, text: string): readonly Finding[] {
  const found = detector.find(new Scanned(text, true), 0);
  assert.equal(found.open, text.length, "nothing is open in a text that has ended");
  return found.findings;
}

function valuesOf(detector: Detector, text: string): string[] {
  const several = detector.entities.length > 1;
  return findIn(detector, text).map(({ entity, start, end }) => (several ? `${entity}=` : "") + text.slice(start, end));
}

/** Every single cut, and unit by unit. */
export function assertCuts(detectors: readonly Detector[], text: string): void {
  for (let cut = 0; cut <= text.length; cut += 1) assertSameWhenCut(detectors, text, [cut]);
  assertSameWhenCut(
    detectors,
    text,
    Array.from({ length: text.length }, (_, index) => index),
  );
}

/** `whole`: what must come out; by default what the detectors say of the whole text at once. */
export function assertSameWhenCut(detectors: readonly Detector[], text: string, cuts: readonly number[]): void {
  const stream = new StreamScan(detectors);
  const findings: Finding[] = [];
  let [from, released] = [0, 0];
  for (const cut of [...cuts, text.length]) {
    const decided = stream.push(text.slice(from, cut));
    assert(decided.released <= cut && decided.released >= released, "released text stays released");
    for (const finding of decided.findings) {
      assert(
        finding.start >= released,
        `a finding in text that was already released: ${JSON.stringify(finding)} of ${JSON.stringify(text)}`,
      );
      assert(finding.end <= decided.released, "a finding is given when its text is released");
    }
    findings.push(...decided.findings);
    released = decided.released;
    from = cut;
  }
  const last = stream.end();
  assert(last.findings.every(({ start }) => start >= released));
  findings.push(...last.findings);
  assert.equal(last.released, text.length);
  assert.deepEqual(findings, wholeOf(detectors, text), `cut at ${cuts.join()}: ${JSON.stringify(text)}`);
}

/** What a scan of the whole text finds, or for one detector what it says itself. */
function wholeOf(detectors: readonly Detector[], text: string): readonly Finding[] {
  const [only, more] = detectors;
  return only !== undefined && more === undefined ? findIn(only, text) : scan(text, detectors);
}

/** Texts put together from samples, pieces of them and noise, with places to cut. */
export function textOf(samples: readonly string[]): fc.Arbitrary<readonly [text: string, cuts: readonly number[]]> {
  const sample = fc.constantFrom(...samples);
  const part = fc
    .tuple(sample, fc.nat(), fc.nat())
    .map(([text, a, b]) =>
      text.slice(Math.min(a % (text.length + 1), b % (text.length + 1)), Math.max(a % (text.length + 1), b % (text.length + 1))),
    );
  const noise = fc.oneof(
    fc.constantFrom(...HOSTILE, ", ", ". ", "\n", "电话", "，", "。"),
    fc.string({ unit: "binary", maxLength: 4 }),
    fc.string({ maxLength: 6 }),
  );
  return fc
    .array(fc.oneof({ weight: 2, arbitrary: sample }, { weight: 2, arbitrary: part }, { weight: 3, arbitrary: noise }), { maxLength: 8 })
    .map((parts) => parts.join(""))
    .chain((text) =>
      fc.tuple(
        fc.constant(text),
        fc.array(fc.nat(text.length), { maxLength: 12 }).map((cuts) => cuts.sort((a, b) => a - b)),
      ),
    );
}

const HOSTILE_CHARS = 32_768;
/** Quadratic work on that many characters takes many seconds; linear work a few milliseconds for each detector. CPU time, so that a busy machine does not fail it. */
const HOSTILE_CPU_MS_MAX = 400;

/** Whole and in pieces of a stream's size. `times`: how many detectors' worth of time it may take. */
export function assertLinear(detectors: readonly Detector[], piece: string, times = 1): void {
  const text = piece.repeat(Math.ceil(HOSTILE_CHARS / piece.length));
  const before = process.cpuUsage();
  for (const detector of detectors) findIn(detector, text);
  const stream = new StreamScan(detectors);
  for (let at = 0; at < text.length; at += 512) stream.push(text.slice(at, at + 512));
  stream.end();
  const { user, system } = process.cpuUsage(before);
  const milliseconds = (user + system) / 1000;
  assert(milliseconds < HOSTILE_CPU_MS_MAX * times, `${milliseconds} ms for ${JSON.stringify(piece.slice(0, 40))} repeated`);
}
