import { resolve } from "node:path";
import { injectionSections } from "./injection/measure.ts";
import { personalSections } from "./personal.ts";
import { secretsSections } from "./secrets-section.ts";
import type { Section } from "./section.ts";

/**
 * How well detection does: precision, recall and F1 by entity. `--json` prints it for machines, `--mistakes` also what went wrong.
 * A new kind of detection adds a line here.
 */
const SECTIONS: readonly (() => readonly Section[])[] = [
  personalSections,
  secretsSections,
  () => injectionSections(process.env["SLUICE_FIXTURES"] ?? resolve(import.meta.dirname, "../../../shared/fixtures")),
];

const sections = SECTIONS.flatMap((measure) => measure());
if (process.argv.includes("--json")) {
  process.stdout.write(
    `${JSON.stringify(
      sections.map(({ mistakes: _, ...section }) => section),
      undefined,
      2,
    )}\n`,
  );
} else {
  for (const { name, texts, rows, notes, mistakes } of sections) {
    process.stdout.write(`\n${name} (${texts} texts)\n${"".padEnd(24)}labels  precision  recall     F1\n`);
    for (const row of rows) {
      const figures = [row.precision, row.recall, row.f1].map((value) => value.toFixed(3).padStart(8)).join("");
      process.stdout.write(`${row.name.padEnd(24)}${String(row.labels).padStart(6)}   ${figures}\n`);
    }
    for (const note of notes ?? []) process.stdout.write(`  ${note}\n`);
    if (process.argv.includes("--mistakes")) for (const mistake of mistakes) process.stdout.write(`  ${JSON.stringify(mistake)}\n`);
  }
}
