import { writeFileSync } from "node:fs";
import { type Model, packModel } from "../../../src/detectors/injection/model.ts";
import { composedSamples } from "./compose.ts";
import { type FitOptions, fit, type Prepared, prepare, strongestWindow } from "./fit.ts";
import { FOLDS, freshSamples, mixedSamples, ownSamples, type Sample, sharedSamples, writtenSamples } from "./samples.ts";

/**
 * Makes src/detectors/injection/weights.ts: `train.ts [--corpora=FOLDER] [--write] [--sources] [--mistakes] [--unread] [FIXTURES]`. The corpora of
 * corpora.ts are read from FOLDER; without it the weights are fitted on the project's own texts alone. FIXTURES may hold
 * injection/labelled.jsonl, which is only measured. `--sources` counts by source, `--mistakes` prints what goes wrong in the half that may
 * be read.
 */
const [folder = "fixtures"] = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const flag = (name: string): boolean => process.argv.includes(`--${name}`);
const corporaFolder = process.argv.find((word) => word.startsWith("--corpora="))?.slice("--corpora=".length);

const OPTIONS: FitOptions = {
  epochs: 8,
  rate: 0.25,
  weakDecay: 5e-3,
  wholeDecay: 1e-3,
  strongDecay: 5e-3,
  drop: 0.5,
  weightOf: ({ attack, position, weight = 1 }) => weight * (attack ? 1 : position === "untrusted" ? 4 : 2),
};
/**
 * Shares of ordinary texts, unknown to the model, that may pass a score of one half. A document left out is stranger to the model than one that a
 * tool brings elsewhere, a request is about as strange: the half that may be read tells.
 */
const FALSE_SHARE: Readonly<Record<Sample["position"], number>> = { user: 0.02, untrusted: 0.03 };
/** Fewer texts of a source and position tell nothing of it. */
const SOURCE_TEXTS_MIN = 40;

interface Scored {
  readonly sample: Sample;
  readonly logit: number;
}
const scoreWith = (data: readonly Prepared[], model: Model): readonly Scored[] =>
  data.map((item) => ({ sample: item.sample, logit: strongestWindow(item, model).logit }));

/**
 * Where the score's half stands for the user's words and for untrusted text: what few ordinary texts pass, each scored by a model that did not learn
 * from its part of the own set, or from its corpus. Their false positives are thus chosen, not measured. Each source counts alike.
 */
function halves(unknown: readonly Scored[]): readonly [user: number, untrusted: number] {
  const ordinary = unknown.filter(({ sample }) => !sample.attack && !sample.hard);
  const of = (position: Sample["position"]): number => {
    const texts = ordinary.filter(({ sample }) => sample.position === position);
    const bySource = Map.groupBy(texts, ({ sample }) => (sample.weight === undefined ? "own" : sample.source)).values();
    const sources = [...bySource].filter((list) => list.length >= SOURCE_TEXTS_MIN);
    const shares = sources.flatMap(sharesOf).sort(([a], [b]) => b.logit - a.logit);
    let left = FALSE_SHARE[position] * sources.length;
    for (const [one, share] of shares) {
      left -= share;
      if (left < 0) return one.logit;
    }
    return 0;
  };
  return [of("user"), of("untrusted")];
}

/** Which share of its source each text is; lines of one template count as one. */
function sharesOf(scored: readonly Scored[]): readonly (readonly [Scored, number])[] {
  const kin = [...Map.groupBy(scored, ({ sample }) => sample.group ?? sample.text).values()];
  return kin.flatMap((list) => list.map((one) => [one, 1 / list.length / kin.length] as const));
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

const measured = [...sharedSamples(folder), ...freshSamples()];
const composed = corporaFolder === undefined ? { samples: [], counts: [] } : composedSamples(corporaFolder, measured);
if (composed.counts.length === 0) console.log("no corpora: fitted on the project's own texts alone");
for (const { corpus, taken, dropped } of composed.counts)
  console.log(
    `${corpus.repository} at ${corpus.commit} (${corpus.licence}): ${taken} texts, ${dropped} left out as nearly one that is measured`,
  );
const foldOf = new Map(composed.counts.map(({ corpus }, index) => [corpus.repository, index % FOLDS]));
const corpora = prepare(composed.samples);
const written = prepare(writtenSamples());
/** Each part of the own set and each corpus, scored by a model that did not learn from it. */
const unknown = Array.from({ length: FOLDS }, (_, fold) => {
  const own = prepare(ownSamples(fold));
  const [left = [], taken = []] = [true, false].map((is) => corpora.filter(({ sample }) => (foldOf.get(sample.source) === fold) === is));
  const others = [...own.filter(({ sample }) => sample.half === "develop"), ...prepare(mixedSamples(fold)), ...written, ...taken];
  const heldOut = [...own.filter(({ sample }) => sample.half === "held-out"), ...left];
  return scoreWith(heldOut, fit(others, OPTIONS));
}).flat();
const [user, untrusted] = halves(unknown);
console.log(`halves at logits of ${user.toFixed(2)} and ${untrusted.toFixed(2)}`);
const barred = ({ sample, logit }: Scored): Scored => ({ sample, logit: logit - (sample.position === "user" ? user : untrusted) });
for (const isOwn of [true, false]) {
  const scored = unknown.filter(({ sample }) => foldOf.has(sample.source) !== isOwn).map(barred);
  report(`${isOwn ? "own, each part" : "corpora, each"} by a model that did not learn from it`, scored);
  if (flag("sources")) bySource(scored);
}
const all = [...prepare(ownSamples()), ...prepare(mixedSamples()), ...written, ...corpora];
const fitted = fit(all, OPTIONS);
const model: Model = { ...fitted, bias: fitted.bias.map((bias, index) => bias - (index < fitted.bias.length / 2 ? user : untrusted)) };
report("trained", scoreWith(all, model));
report("own, never trained", scoreWith(prepare(freshSamples()), model));
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
