import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { injectionSections } from "./injection/measure.ts";
import { qualityPage } from "./page.ts";
import { personalSections } from "./personal.ts";
import { secretsSections } from "./secrets-section.ts";
import type { Section } from "./section.ts";
import { tokensSections } from "./tokens-section.ts";

/**
 * How well detection and estimates do: precision, recall and F1 by entity, errors of estimates. `--json` prints it for machines,
 * `--mistakes` also what went wrong; `--page` writes docs/quality.md, with the day. A new kind adds a line here.
 */
const SECTIONS: readonly (() => readonly Section[])[] = [
  personalSections,
  secretsSections,
  () => injectionSections(process.env["SLUICE_FIXTURES"] ?? resolve(import.meta.dirname, "../../../shared/fixtures")),
  tokensSections,
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
} else if (process.argv.includes("--page")) {
  writeFileSync(resolve(import.meta.dirname, "../../docs/quality.md"), qualityPage(sections, new Date().toISOString().slice(0, 10)));
} else {
  for (const section of sections) print(section);
}

function print({ name, texts, rows, estimates, notes, mistakes }: Section): void {
  process.stdout.write(`\n${name} (${texts} texts)\n`);
  if (rows.length > 0) process.stdout.write(`${"".padEnd(24)}labels  precision  recall     F1\n`);
  for (const row of rows) {
    const figures = [row.precision, row.recall, row.f1].map((value) => value.toFixed(3).padStart(8)).join("");
    process.stdout.write(`${row.name.padEnd(24)}${String(row.labels).padStart(6)}   ${figures}\n`);
  }
  if (estimates !== undefined) process.stdout.write(`${"".padEnd(28)}number   median      p95  too low, p95\n`);
  for (const row of estimates ?? []) {
    const errors = [row.median, row.p95, row.tooLowP95].map((share) => `${(share * 100).toFixed(1)} %`.padStart(9)).join("");
    process.stdout.write(`${row.name.padEnd(28)}${String(row.count).padStart(6)}${errors}\n`);
  }
  for (const note of notes ?? []) process.stdout.write(`  ${note}\n`);
  if (process.argv.includes("--mistakes")) for (const mistake of mistakes) process.stdout.write(`  ${JSON.stringify(mistake)}\n`);
}
