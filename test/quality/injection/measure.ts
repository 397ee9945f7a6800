import { createInjectionScorer } from "../../../src/detectors/injection/score.ts";
import type { Section } from "../section.ts";
import { freshSamples, pairSamples, type Sample, sharedSamples } from "./samples.ts";

/** From which score on a text counts as flagged. */
export const FLAGGED_FROM = 0.5;

export interface Measured {
  readonly attacks: number;
  /** Shares that were flagged. */
  readonly recall: number;
  readonly falsePositives: number;
  readonly lookAlikes: number;
}

interface Scored extends Sample {
  readonly flagged: boolean;
}

export function scored(samples: readonly Sample[]): readonly Scored[] {
  const scorer = createInjectionScorer();
  return samples.map((sample) => ({ ...sample, flagged: scorer.score(sample.text, sample.position).score >= FLAGGED_FROM }));
}

export function measure(samples: readonly Scored[]): Measured {
  const share = (list: readonly Scored[]): number => list.filter(({ flagged }) => flagged).length / Math.max(1, list.length);
  const attacks = samples.filter(({ attack }) => attack);
  return {
    attacks: attacks.length,
    recall: share(attacks),
    falsePositives: share(samples.filter(({ attack, hard }) => !attack && !hard)),
    lookAlikes: share(samples.filter(({ attack, hard }) => !attack && hard)),
  };
}

/** The built-in score alone, on what it was not trained on; with the shared set also by source, position and language. */
export function injectionSections(folder: string): readonly Section[] {
  const shared = scored(sharedSamples(folder));
  const held = (samples: readonly Scored[]): readonly Scored[] => samples.filter(({ half }) => half === "held-out");
  const pairs = scored(pairSamples());
  const sections = [
    section("Injection, the project's own texts that never train", scored(freshSamples()), []),
    section("Injection, attacks with ordinary texts of the same words, which never train", pairs, [
      ...flaggedBy(pairs, "kind", ({ source }) => source),
      ...flaggedBy(pairs, "position", ({ position }) => position),
    ]),
  ];
  if (shared.length === 0) return sections;
  const rest = held(shared);
  return [
    section("Injection, shared set, held out", rest, [
      ...flaggedBy(rest, "source", ({ source }) => source),
      ...flaggedBy(rest, "position", ({ position }) => position),
      ...flaggedBy(rest, "language", ({ language }) => language),
    ]),
    section(
      "Injection, shared set, the half that may be read",
      shared.filter(({ half }) => half === "develop"),
      [],
    ),
    ...sections,
  ];
}

function section(name: string, samples: readonly Scored[], notes: readonly string[]): Section {
  const { attacks, recall, falsePositives, lookAlikes } = measure(samples);
  const flagged = samples.filter((sample) => sample.flagged);
  const precision = flagged.filter(({ attack }) => attack).length / Math.max(1, flagged.length);
  const f1 = (2 * precision * recall) / Math.max(precision + recall, Number.EPSILON);
  const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
  return {
    name,
    texts: samples.length,
    rows: [{ name: "injection", labels: attacks, precision, recall, f1 }],
    notes: [`flagged: ${percent(falsePositives)} of ordinary texts, ${percent(lookAlikes)} of look-alikes`, ...notes],
    // Held-out texts are judged by figures alone: whoever reads them fits to them.
    mistakes: samples.filter(({ half, attack, flagged: is }) => half === "develop" && attack !== is).map(({ text }) => text.slice(0, 200)),
  };
}

function flaggedBy(samples: readonly Scored[], what: string, keyOf: (sample: Scored) => string): readonly string[] {
  const groups = Map.groupBy(
    samples,
    (sample) => `${sample.attack ? "attack" : sample.hard ? "look-alike" : "ordinary"}, ${keyOf(sample)}`,
  );
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, list]) => `by ${what}: ${key}: ${list.filter(({ flagged }) => flagged).length} of ${list.length} flagged`);
}
