import type { EstimateRow, Row, Section } from "./section.ts";

/** docs/quality.md: the figures of a day. Notes by source, position and language are left to the command. */
export function qualityPage(sections: readonly Section[], day: string): string {
  return `# What it finds, measured

Printed by \`make quality\` on ${day}; \`make quality ARGS=--page\` writes this page again. Precision: how much of what is found is one. Recall: how
much of what there is is found. F1: their harmonic mean. A finding counts for the entity and place of its label; a secret and an injection count by text.

Where the data is from: the project's own sets are \`test/quality/data/\`, one JSON line a text, written for it and filled with made-up values.
The recorded and shared sets are samples of public ones (named by source in \`make quality\`), which the project does not carry: without them the
figures of the own sets are printed alone. What the injection score learned from or its makers read says little; "held out" is what it never saw.
Detectors of personal data and secrets were written with their sets at hand, so expect less on texts of another kind.

${sections.map(sectionOf).join("\n\n")}
`;
}

function sectionOf({ name, texts, rows, estimates, notes }: Section): string {
  const told = (notes ?? []).filter((note) => !note.startsWith("by "));
  const parts = [`## ${name} (${texts} texts)`];
  if (rows.length > 0)
    parts.push(["| entity | labels | precision | recall | F1 |", "|---|---:|---:|---:|---:|", ...rows.map(rowOf)].join("\n"));
  if (estimates !== undefined)
    parts.push(
      [
        "| what | number | median error | 95th percentile | too low, 95th percentile |",
        "|---|---:|---:|---:|---:|",
        ...estimates.map(estimateOf),
      ].join("\n"),
    );
  if (told.length > 0) parts.push(told.map((note) => `${note.charAt(0).toUpperCase()}${note.slice(1)}.`).join("\n"));
  return parts.join("\n\n");
}

const rowOf = ({ name, labels, precision, recall, f1 }: Row): string =>
  `| ${name} | ${labels} | ${[precision, recall, f1].map((share) => share.toFixed(3)).join(" | ")} |`;

const estimateOf = ({ name, count, median, p95, tooLowP95 }: EstimateRow): string =>
  `| ${name} | ${count} | ${[median, p95, tooLowP95].map((share) => `${(share * 100).toFixed(1)} %`).join(" | ")} |`;
