import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { DETECTORS, scan } from "../../src/detectors/index.ts";
import { type Section, scoreOf } from "./section.ts";

/** A text and what is in it. */
export interface Labelled {
  readonly text: string;
  readonly spans: readonly Span[];
}
export interface Span {
  readonly entity: string;
  readonly start: number;
  readonly end: number;
}

const ROOT = resolve(import.meta.dirname, "../..");
const FIXTURES = resolve(ROOT, process.env["SLUICE_FIXTURES"] ?? "../shared/fixtures", "pii/labelled.jsonl");

/** The project's own set: numbers are `[[entity|value]]` in the text. Made for this project; every checksum was computed apart from the detectors. */
export function ownSet(): readonly Labelled[] {
  return lines(resolve(import.meta.dirname, "data/pii.jsonl")).map((line: { readonly text: string }) => {
    const spans: Span[] = [];
    let text = "";
    let from = 0;
    for (const mark of line.text.matchAll(/\[\[([a-z_]+)\|(.*?)\]\]/gs)) {
      text += line.text.slice(from, mark.index);
      spans.push({ entity: mark[1] ?? "", start: text.length, end: text.length + (mark[2] ?? "").length });
      text += mark[2];
      from = mark.index + mark[0].length;
    }
    return { text: text + line.text.slice(from), spans };
  });
}

/** Names of the recorded set for what Sluice finds; what it has no name for here is not judged. */
const RECORDED: Readonly<Record<string, string>> = {
  PHONE_NUMBER: "phone",
  US_SSN: "us_ssn",
  CREDIT_CARD: "payment_card",
  IBAN_CODE: "iban",
  IP_ADDRESS: "ip_address",
  EMAIL_ADDRESS: "email",
  DOMAIN_NAME: "url",
  US_DRIVER_LICENSE: "driving_licence",
};

interface Recorded {
  readonly text: string;
  readonly spans: readonly { readonly start: number; readonly end: number; readonly type: string }[];
}

/** The recorded set, where it is there. Its offsets are code points. */
export function recordedSet(): readonly Labelled[] {
  if (!existsSync(FIXTURES)) return [];
  return lines(FIXTURES).map(({ text, spans }: Recorded) => {
    const points = [...text];
    const unitAt = (point: number): number => points.slice(0, point).join("").length;
    return {
      text,
      spans: spans.flatMap(({ start, end, type }) => {
        const entity = RECORDED[type];
        return entity === undefined ? [] : [{ entity, start: unitAt(start), end: unitAt(end) }];
      }),
    };
  });
}

/** By entity: a label counts as found where a finding of its entity overlaps it, a finding as right where it overlaps a label of its entity. */
export function measurePersonal(name: string, set: readonly Labelled[], entities?: readonly string[]): Section {
  const tallies = new Map<string, { found: number; missed: number; wrong: number }>();
  const tally = (entity: string): { found: number; missed: number; wrong: number } => {
    const known = tallies.get(entity) ?? { found: 0, missed: 0, wrong: 0 };
    tallies.set(entity, known);
    return known;
  };
  const mistakes: string[] = [];
  for (const { text, spans } of set) {
    const findings = scan(text, DETECTORS);
    for (const span of spans) {
      const hit = findings.some((finding) => finding.entity === span.entity && finding.start < span.end && span.start < finding.end);
      tally(span.entity)[hit ? "found" : "missed"] += 1;
      if (!hit) mistakes.push(`missed ${span.entity}: ${text}`);
    }
    for (const finding of findings) {
      if (entities !== undefined && !entities.includes(finding.entity)) continue;
      if (spans.some((span) => finding.entity === span.entity && finding.start < span.end && span.start < finding.end)) continue;
      tally(finding.entity).wrong += 1;
      mistakes.push(`${finding.entity} is none: ${text.slice(finding.start, finding.end)} in ${text}`);
    }
  }
  const rows = [...tallies].map(([entity, { found, missed, wrong }]) => ({ name: entity, ...scoreOf(found, missed, wrong) }));
  return { name, texts: set.length, rows: rows.sort((a, b) => b.labels - a.labels), mistakes };
}

/** Personal data, on the recorded set where it is there, and on the project's own. */
export function personalSections(): readonly Section[] {
  const recorded = recordedSet();
  const own = measurePersonal("Personal data, the project's own set", ownSet());
  if (recorded.length === 0) return [own];
  return [measurePersonal("Personal data, recorded set", recorded, Object.values(RECORDED)), own];
}

const lines = (file: string) =>
  readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
