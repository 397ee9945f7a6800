import { resolve } from "node:path";
import { measureSecrets, ownSecrets, recordedSecrets, type SecretsMeasured } from "./secrets.ts";
import type { Section } from "./section.ts";

const FIXTURES = resolve(
  process.env["SLUICE_FIXTURES"] ?? resolve(import.meta.dirname, "../../../shared/fixtures"),
  "secrets/labelled.jsonl",
);

/** Secrets by text, on the recorded set where it is there, and on the project's own. */
export function secretsSections(): readonly Section[] {
  const recorded = recordedSecrets(FIXTURES);
  const own = sectionOf(measureSecrets("own", ownSecrets(2)), "Secrets, the project's own set");
  return recorded.length === 0 ? [own] : [sectionOf(measureSecrets("recorded", recorded), "Secrets, recorded set"), own];
}

function sectionOf({ texts, recall, precision, missed, falselyFound }: SecretsMeasured, name: string): Section {
  const f1 = (2 * precision * recall) / Math.max(precision + recall, Number.EPSILON);
  const mistakes = [...missed.map((text) => `missed: ${text}`), ...falselyFound.map((text) => `none: ${text}`)];
  return { name, texts, rows: [{ name: "secret", labels: texts, precision, recall, f1 }], mistakes };
}
