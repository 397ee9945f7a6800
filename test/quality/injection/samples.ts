import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Position } from "../../../src/detectors/injection/score.ts";
import { writtenTexts } from "./grammar.ts";

/** One labelled text. */
export interface Sample {
  readonly text: string;
  readonly attack: boolean;
  readonly position: Position;
  /** A benign look-alike. */
  readonly hard: boolean;
  readonly source: string;
  readonly language: string;
  readonly half: "develop" | "held-out";
  /** Lines of one template. */
  readonly group?: number;
  /** Where an inserted attack stands, where known. */
  readonly place?: readonly [start: number, end: number];
  /** What it weighs in training beside what its kind weighs; 1 where nothing is told. */
  readonly weight?: number;
}

/** The own set in so many parts: each is left out once where a bar is set. */
export const FOLDS = 4;
/** A fold that is none: nothing of the own set is left out. */
export const NO_FOLD = -1;
const FRESH = new URL("../data/injection-fresh.jsonl", import.meta.url).pathname;
const OWN = new URL("../data/injection.jsonl", import.meta.url).pathname;
const PAIRS = new URL("../data/injection-pairs.jsonl", import.meta.url).pathname;
const WRITTEN = new URL("../data/injection", import.meta.url).pathname;

/** Texts that never train and set no bar: written before the patterns of the same day, and no mistake in them was looked at. */
export function freshSamples(): readonly Sample[] {
  return readLines(FRESH).map((line) => ({ ...labelled(line), half: "held-out" }));
}

/**
 * Attacks, each with ordinary texts of the same topic and words (`group`); no pattern, and nothing of them trains. A line that is to be inserted, an
 * attack or a harmless remark, stands in the document of its own group.
 */
export function pairSamples(): readonly Sample[] {
  const lines = readLines(PAIRS);
  const documents = Map.groupBy(
    lines.filter(({ position }) => position === "document" || position === "tool_result"),
    ({ group }) => group,
  );
  return lines.map((line) => {
    const base = { ...labelled(line), half: "held-out" as const };
    if (line.position !== "insert") return base;
    const seed = digest(line.text);
    const kin = documents.get(line.group) ?? [];
    const { text, start } = insert(kin[seed % kin.length]?.text ?? "", line.text, seed >>> 8);
    return { ...base, text, place: [start, start + line.text.length] as const };
  });
}

/**
 * The project's own set. A line that is to be inserted stands in two documents of its own half, at the start, in the middle or at the
 * end; lines made of one template are in one half, so that the held-out half is new wording.
 */
export function ownSamples(fold = NO_FOLD): readonly Sample[] {
  const lines = readLines(OWN);
  const halfOf = (line: Line): Sample["half"] => (digest(`group ${line.group}`) % FOLDS === fold ? "held-out" : "develop");
  const samples: Sample[] = [];
  const documents = lines.filter(({ label, position }) => label === "benign" && position !== "user" && position !== "tool_definition");
  for (const line of lines) {
    const half = halfOf(line);
    const base = {
      attack: line.label !== "benign",
      hard: line.hard === true,
      source: line.source,
      language: line.language ?? "en",
      half,
      ...(line.group === undefined ? {} : { group: line.group }),
    };
    if (line.position !== "insert") {
      samples.push({ ...base, text: line.text, position: positionOf(line.position) });
      continue;
    }
    const fitting = documents.filter(
      (document) => halfOf(document) === half && document.text.includes("```") === line.text.includes("```"),
    );
    for (let copy = 0; copy < 4; copy += 1) {
      const seed = digest(`${line.text} ${copy}`);
      const document = fitting[seed % fitting.length]?.text ?? "";
      const { text, start } = insert(document, line.text, seed >>> 8);
      samples.push({ ...base, text, position: "untrusted", place: [start, start + line.text.length] });
    }
  }
  return samples;
}

/** Texts made of patterns: for training alone, since patterns share their words. An insert stands in one document. */
export function writtenSamples(): readonly Sample[] {
  const texts = writtenTexts(WRITTEN);
  const documents = texts.filter(({ label, position }) => label === "benign" && position !== "user");
  return texts.map((line) => {
    const base = {
      attack: line.label !== "benign",
      hard: line.source.includes("look-alike"),
      source: line.source,
      language: line.language,
      half: "develop" as const,
      group: line.group,
    };
    if (line.position !== "insert") return { ...base, text: line.text, position: positionOf(line.position) };
    const seed = digest(line.text);
    const code = line.text.includes("```");
    const fitting = documents.filter(({ text }) => text.includes("```") === code);
    const { text, start } = insert(fitting[seed % fitting.length]?.text ?? "", line.text, seed >>> 8);
    return { ...base, text, position: "untrusted", place: [start, start + line.text.length] };
  });
}

/** More of the own set for training: two benign documents in one, and an attack behind an ordinary question. */
export function mixedSamples(fold = NO_FOLD): readonly Sample[] {
  const own = ownSamples(fold).filter(({ half, place }) => half === "develop" && place === undefined);
  const documents = own.filter(({ attack, position }) => !attack && position === "untrusted");
  const questions = own.filter(({ attack, position, hard }) => !attack && position === "user" && !hard);
  const attacks = own.filter(({ attack, position, text }) => attack && position === "user" && text.length < 200);
  const pick = (list: readonly Sample[], seed: number): Sample | undefined => list[seed % list.length];
  const mixed: Sample[] = [];
  for (const [index, first] of documents.entries())
    for (let copy = 0; copy < 3; copy += 1) {
      const second = pick(documents, digest(`${index} ${copy}`));
      if (second !== undefined) mixed.push({ ...first, text: `${first.text}\n${second.text}` });
    }
  for (const [index, first] of questions.entries()) {
    const second = pick(questions, digest(`question ${index}`));
    if (second !== undefined) mixed.push({ ...first, text: `${first.text} ${second.text}` });
  }
  // Long prompts of users: several questions in a row, and a document with a question about it.
  for (const [index, first] of questions.entries()) {
    const more = [1, 2, 3].map((step) => pick(questions, digest(`long ${index} ${step}`))?.text ?? "");
    if (index % 3 === 0) mixed.push({ ...first, text: [first.text, ...more].join(index % 2 === 0 ? " " : "\n") });
  }
  for (const [index, document] of documents.entries())
    for (let copy = 0; copy < 2; copy += 1) {
      const question = pick(questions, digest(`about ${index} ${copy}`))?.text ?? "";
      const text = copy === 0 ? `${document.text}\n\n${question}` : `Article: ${document.text} ${question}`;
      mixed.push({ ...document, position: "user", text });
    }
  for (const [index, attack] of attacks.entries()) {
    const question = pick(questions, digest(`attack ${index}`));
    if (question === undefined) continue;
    const text = `${question.text} ${attack.text}`;
    mixed.push({ ...attack, text, place: [question.text.length + 1, text.length] });
  }
  for (const [index, attack] of attacks.entries()) {
    const document = pick(documents, digest(`into ${index}`));
    if (document !== undefined) {
      const { text, start } = insert(document.text, attack.text, digest(attack.text));
      mixed.push({ ...attack, text, position: "untrusted", place: [start, start + attack.text.length] });
    }
    mixed.push({ ...attack, position: "untrusted" });
    const disguise = DISGUISES[index % DISGUISES.length];
    if (disguise === undefined || attack.language !== "en") continue;
    for (const position of ["user", "untrusted"] as const) mixed.push({ ...attack, text: disguise(attack.text), position });
  }
  return mixed;
}

const each = (text: string, turn: (char: string) => string): string => Array.from(text, turn).join("");
const shifted = (base: number) => (text: string) =>
  each(text, (char) => (/[a-z]/.test(char) ? String.fromCodePoint(base + char.charCodeAt(0) - 97) : char));
const DISGUISES: readonly ((text: string) => string)[] = [
  shifted(0xff41),
  shifted(0x1d41a),
  (text) => text.replaceAll(/[aeo]/g, "$&\u200b"),
  (text) => text.replaceAll(/[aeiou]/g, "$&\u0336"),
  (text) => text.replaceAll("a", "\u0430").replaceAll("e", "\u0435").replaceAll("o", "\u043e"),
  (text) => each(text, (char) => ({ a: "4", e: "3", i: "1", o: "0" })[char] ?? char),
  (text) =>
    text
      .split(" ")
      .map((word) => word.split("").join(" "))
      .join("  "),
  (text) =>
    text
      .split(" ")
      .map((word) => word.split("").join("-"))
      .join(" "),
  (text) => text.toUpperCase(),
];

export function insert(document: string, piece: string, seed: number): { readonly text: string; readonly start: number } {
  const place = seed % 3;
  if (place === 0) return { text: `${piece}\n${document}`, start: 0 };
  if (place === 1) return { text: `${document}\n${piece}`, start: document.length + 1 };
  const breaks = [...document.matchAll(/\n|\. /g)].map(({ index }) => index + 1);
  const at = breaks[(seed >>> 4) % Math.max(1, breaks.length)] ?? document.length;
  return { text: `${document.slice(0, at)} ${piece} ${document.slice(at)}`, start: at + 1 };
}

/** Labelled samples from public sets, where they are there; halves by a digest of the id. */
export function sharedSamples(folder: string): readonly Sample[] {
  const file = join(folder, "injection", "labelled.jsonl");
  if (!existsSync(file)) return [];
  return readLines(file).map((line) => ({
    ...labelled(line),
    half: digest(line.id ?? line.text) % 2 === 0 ? "develop" : "held-out",
  }));
}

const labelled = (line: Line): Omit<Sample, "half"> => ({
  text: line.text,
  attack: line.label !== "benign",
  position: positionOf(line.position),
  hard: line.hard === true,
  source: line.source,
  language: line.language ?? "not told",
});

interface Line {
  readonly text: string;
  readonly label: string;
  readonly position: string;
  readonly source: string;
  readonly language?: string;
  readonly hard?: boolean | null;
  readonly group?: number;
  readonly id?: string;
}

const readLines = (file: string): readonly Line[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line): Line => JSON.parse(line));

const positionOf = (position: string): Position => (position === "user" ? "user" : "untrusted");

/** The first byte of a digest decides: sha256, so that other tools can make the same halves. */
export function digest(text: string): number {
  return createHash("sha256").update(text).digest().readUInt32LE(0) >>> 0;
}
