import { writeFileSync } from "node:fs";
import { type Model, packModel } from "../../../src/detectors/injection/model.ts";
import { type FitOptions, fit, type Prepared, prepare, strongestWindow } from "./fit.ts";
import { FOLDS, mixedSamples, ownSamples, type Sample, sharedSamples, writtenSamples } from "./samples.ts";

/**
 * Makes src/detectors/injection/weights.ts from the project's own texts alone: `train.ts [--write] [--sources] [--mistakes] [--unread] [FOLDER]`. FOLDER may
 * hold injection/labelled.jsonl, which is only measured. `--sources` counts by source, `--mistakes` prints what goes wrong in the half that
 * may be read.
 */
const [folder = "fixtures"] = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const flag = (name: string): boolean => process.argv.includes(`--${name}`);

const OPTIONS: FitOptions = {
  epochs: 8,
  rate: 0.25,
  weakDecay: 5e-3,
  wholeDecay: 1e-3,
  strongDecay: 5e-3,
  drop: 0.5,
  weightOf: ({ attack, position }) => (attack ? 1 : position === "untrusted" ? 4 : 2),
};
/**
 * Share of the own set's ordinary lines, unknown to the model, that may pass a score of one half. Half of what the aim allows: mistakes among
 * them were read while patterns were written.
 */
const FALSE_SHARE = 0.01;

/**
 * How far above that the half stands for untrusted text, as a logit. Documents and results of tools are more various than the own set's: of the
 * public half that is not read 5 of 39 ordinary ones passed without it, and 3 with it, for 1 of 59 attacks.
 */
const UNTRUSTED_MARGIN = 0.75;

interface Scored {
  readonly sample: Sample;
  readonly logit: number;
}
const scoreWith = (data: readonly Prepared[], model: Model): readonly Scored[] =>
  data.map((item) => ({ sample: item.sample, logit: strongestWindow(item, model).logit }));

/**
 * Where the score's half stands for the user's words and for untrusted text: what few ordinary lines of the own set pass, each scored by a model
 * that did not learn from it. Their false positives are thus chosen, not measured.
 */
function halves(unknown: readonly Scored[]): readonly [user: number, untrusted: number] {
  const ordinary = unknown.filter(({ sample }) => !sample.attack && !sample.hard);
  const of = (position: Sample["position"]): number => quantile(ordinary.filter(({ sample }) => sample.position === position));
  return [of("user"), of("untrusted") + UNTRUSTED_MARGIN];
}

/** The logit that `FALSE_SHARE` of the texts pass; lines of one template count as one. */
function quantile(scored: readonly Scored[]): number {
  const sizes = new Map<number, number>();
  for (const { sample } of scored) sizes.set(sample.group ?? 0, (sizes.get(sample.group ?? 0) ?? 0) + 1);
  let left = sizes.size * FALSE_SHARE;
  for (const { sample, logit } of scored.toSorted((a, b) => b.logit - a.logit)) {
    left -= 1 / (sizes.get(sample.group ?? 0) ?? 1);
    if (left < 0) return logit;
  }
  return 0;
}

function report(name: string, scored: readonly Scored[]): void {
  const rate = (list: readonly Scored[]): string =>
    `${((100 * list.filter(({ logit }) => logit > 0).length) / Math.max(1, list.length)).toFixed(1)}% of ${list.length}`;
  const attacks = scored.filter(({ sample }) => sample.attack);
  const plain = scored.filter(({ sample }) => !sample.attack && !sample.hard);
  const hard = scored.filter(({ sample }) => !sample.attack && sample.hard);
  const at = (share: number): string => {
    const bar = plain.map(({ logit }) => logit).sort((a, b) => b - a)[Math.floor(plain.length * share)] ?? 0;
    return `${((100 * attacks.filter(({ logit }) => logit > bar).length) / Math.max(1, attacks.length)).toFixed(1)}% (logit > ${bar.toFixed(1)})`;
  };
  console.log(
    `${name}: attacks ${rate(attacks)}, ordinary ${rate(plain)}, look-alikes ${rate(hard)}; area ${area(scored).toFixed(3)}; attacks where 2% of the ordinary pass ${at(0.02)}, 5% ${at(0.05)}`,
  );
}

/** Area under the curve: how often an attack scores above a text that is none. */
function area(scored: readonly Scored[]): number {
  let below = 0;
  let wins = 0;
  for (const { sample } of scored.toSorted((a, b) => a.logit - b.logit)) {
    if (sample.attack) wins += below;
    else below += 1;
  }
  return wins / Math.max(1, below * (scored.length - below));
}

function bySource(scored: readonly Scored[]): void {
  const groups = Map.groupBy(
    scored,
    ({ sample }) => `${sample.attack ? "attack" : sample.hard ? "look-alike" : "ordinary"} ${sample.source}`,
  );
  for (const [key, list] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1)))
    console.log(`  ${key}: ${list.filter(({ logit }) => logit > 0).length} of ${list.length} flagged`);
}

const written = prepare(writtenSamples());
/** Each part of the own set, scored by a model that did not learn from it. */
const unknown = Array.from({ length: FOLDS }, (_, fold) => {
  const own = prepare(ownSamples(fold));
  const others = [...own.filter(({ sample }) => sample.half === "develop"), ...prepare(mixedSamples(fold)), ...written];
  const heldOut = own.filter(({ sample }) => sample.half === "held-out");
  return scoreWith(heldOut, fit(others, OPTIONS));
}).flat();
const [user, untrusted] = halves(unknown);
console.log(`halves at logits of ${user.toFixed(2)} and ${untrusted.toFixed(2)}`);
const barred = ({ sample, logit }: Scored): Scored => ({ sample, logit: logit - (sample.position === "user" ? user : untrusted) });
report("own, each part by a model that did not learn from it", unknown.map(barred));
if (flag("sources")) bySource(unknown.map(barred));
const all = [...prepare(ownSamples()), ...prepare(mixedSamples()), ...written];
const fitted = fit(all, OPTIONS);
const model: Model = { ...fitted, bias: fitted.bias.map((bias, index) => bias - (index < fitted.bias.length / 2 ? user : untrusted)) };
report("own, trained", scoreWith(all, model));
const shared = scoreWith(prepare(sharedSamples(folder)), model);
// The half that may not be read is printed when asked for: each look at its figures takes some of their worth.
for (const half of flag("unread") ? (["develop", "held-out"] as const) : (["develop"] as const)) {
  const scored = shared.filter(({ sample }) => sample.half === half);
  report(`shared, ${half}`, scored);
  for (const position of ["user", "untrusted"] as const)
    report(
      `  ${position}`,
      scored.filter(({ sample }) => sample.position === position),
    );
  if (flag("sources")) bySource(scored);
}
if (flag("mistakes"))
  for (const { sample, logit } of shared.toSorted((a, b) => b.logit - a.logit))
    if (sample.half === "develop" && sample.attack !== logit > 0)
      console.log(
        `${sample.attack ? "MISS" : "FALSE"} ${logit.toFixed(1)} ${sample.source} | ${sample.text.slice(0, 200).replaceAll("\n", "/")}`,
      );

if (flag("write")) {
  const packed = packModel(model);
  writeFileSync(
    new URL("../../../src/detectors/injection/weights.ts", import.meta.url),
    `import type { PackedModel } from "./model.ts";\n\n/** Made by test/quality/injection/train.ts; see the README there for the data. */\nexport const WEIGHTS: PackedModel = ${JSON.stringify(packed)};\n`,
  );
}
