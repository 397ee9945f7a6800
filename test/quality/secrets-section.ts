import { resolve } from "node:path";
import { type LabelledText, measureSecrets, ownSecrets, recordedSecrets } from "./secrets.ts";
import { type Section, scoreOf } from "./section.ts";

const FIXTURES = resolve(
  process.env["SLUICE_FIXTURES"] ?? resolve(import.meta.dirname, "../../../shared/fixtures"),
  "secrets/labelled.jsonl",
);

/** Secrets by text, on the recorded set where it is there, and on the project's own. */
export function secretsSections(): readonly Section[] {
  const recorded = recordedSecrets(FIXTURES);
  const own = sectionOf("Secrets, the project's own set", ownSecrets(2));
  return recorded.length === 0 ? [own] : [sectionOf("Secrets, recorded set", recorded), own];
}

function sectionOf(name: string, texts: readonly LabelledText[]): Section {
  const { missed, falselyFound } = measureSecrets(name, texts);
  const labels = texts.filter(({ secret }) => secret).length;
  const mistakes = [...missed.map((text) => `missed: ${text}`), ...falselyFound.map((text) => `none: ${text}`)];
  const row = { name: "secret", ...scoreOf(labels - missed.length, missed.length, falselyFound.length) };
  return { name, texts: texts.length, rows: [row], mistakes };
}
