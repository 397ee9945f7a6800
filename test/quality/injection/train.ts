import { writeFileSync } from "node:fs";
import { packModel } from "../../../src/detectors/injection/model.ts";
import { type FitOptions, fit, type Prepared, prepare, strongestWindow } from "./fit.ts";
import { digest, mixedSamples, ownSamples, type Sample, sharedSamples } from "./samples.ts";

/**
 * Makes src/detectors/injection/weights.ts. `train.ts [--write] [--cross] FOLDER`: FOLDER holds injection/labelled.jsonl.
 * Trained on the develop halves only; texts whose licence is not MIT or Apache-2.0 (BIPIA's contexts) are left out.
 */
const [folder = "fixtures"] = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const flag = (name: string): boolean => process.argv.includes(`--${name}`);

const OPTIONS: FitOptions = {
  epochs: Number(process.env["EPOCHS"] ?? 14),
  rate: Number(process.env["RATE"] ?? 0.25),
  weakDecay: Number(process.env["WEAK"] ?? 3e-3),
  strongDecay: Number(process.env["STRONG"] ?? 1e-3),
  drop: Number(process.env["DROP"] ?? 0.5),
  weightOf: (sample) =>
    (sample.source.startsWith("own") ? 1 : Number(process.env["SHARED"] ?? 2)) *
    (sample.attack ? 1 : sample.position === "untrusted" ? Number(process.env["DOCS"] ?? 4) : Number(process.env["BENIGN"] ?? 2)),
};

const all = prepare([...ownSamples(), ...sharedSamples(folder)]);
const isOwn = (sample: Sample): boolean => sample.source.startsWith("own");
const develop = [...all.filter(({ sample }) => sample.half === "develop" && !/BIPIA/.test(sample.source)), ...prepare(mixedSamples())];
const heldOut = all.filter(({ sample }) => sample.half === "held-out");

interface Scored {
  readonly sample: Sample;
  readonly logit: number;
}
const scoreWith = (data: readonly Prepared[], model: ReturnType<typeof fit>): readonly Scored[] =>
  data.map((item) => ({ sample: item.sample, logit: strongestWindow(item, model).logit }));

function report(name: string, scored: readonly Scored[], shift: number): void {
  const rate = (list: readonly Scored[]): string =>
    `${((100 * list.filter(({ logit }) => logit > shift).length) / Math.max(1, list.length)).toFixed(1)}% of ${list.length}`;
  const attacks = scored.filter(({ sample }) => sample.attack);
  const plain = scored.filter(({ sample }) => !sample.attack && !sample.hard);
  const hard = scored.filter(({ sample }) => !sample.attack && sample.hard);
  console.log(
    `${name}: recall ${rate(attacks)}, false positives ${rate(plain)}, look-alikes ${rate(hard)}, AUC ${auc(scored).toFixed(3)}, recall at 2% false positives ${recallAt(scored, 0.02)}`,
  );
}
/** Share of attacks above the logit that so many ordinary texts pass. */
function recallAt(scored: readonly Scored[], share: number): string {
  const plain = scored
    .filter(({ sample }) => !sample.attack && !sample.hard)
    .map(({ logit }) => logit)
    .sort((a, b) => b - a);
  const bar = plain[Math.floor(plain.length * share)] ?? 0;
  const attacks = scored.filter(({ sample }) => sample.attack);
  return `${((100 * attacks.filter(({ logit }) => logit > bar).length) / Math.max(1, attacks.length)).toFixed(1)}% (logit > ${bar.toFixed(1)})`;
}
function auc(scored: readonly Scored[]): number {
  const sorted = [...scored].sort((a, b) => a.logit - b.logit);
  let below = 0;
  let wins = 0;
  for (const { sample } of sorted) {
    if (sample.attack) wins += below;
    else below += 1;
  }
  return wins / Math.max(1, below * (sorted.length - below));
}
function bySource(scored: readonly Scored[], shift: number): void {
  const groups = new Map<string, Scored[]>();
  for (const item of scored) {
    const key = `${item.sample.attack ? "attack" : item.sample.hard ? "look-alike" : "benign"} ${item.sample.source}`;
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  for (const [key, list] of [...groups].sort())
    console.log(`  ${key}: ${list.filter(({ logit }) => logit > shift).length} of ${list.length} flagged`);
}

const model = fit(develop, OPTIONS);
const trained = scoreWith(develop, model);
report(
  "own develop (trained)",
  trained.filter(({ sample }) => isOwn(sample)),
  0,
);
report(
  "shared develop (trained)",
  trained.filter(({ sample }) => !isOwn(sample)),
  0,
);
const held = scoreWith(heldOut, model);
report(
  "own held out",
  held.filter(({ sample }) => isOwn(sample)),
  0,
);
const shared = held.filter(({ sample }) => !isOwn(sample));
for (const shift of [-0.5, 0, 0.5, 1]) report(`shared held out, logit > ${shift}`, shared, shift);
if (flag("sources")) bySource(shared, 0);

if (flag("cross")) {
  const family = (sample: Sample): string => sample.source.replace(/[ /].*/, "");
  const families = [
    ...new Set(
      develop
        .map(({ sample }) => sample)
        .filter((sample) => !isOwn(sample))
        .map(family),
    ),
  ];
  const crossed: Scored[] = [];
  for (const left of families) {
    const without = fit(
      develop.filter(({ sample }) => isOwn(sample) || family(sample) !== left),
      OPTIONS,
    );
    const scored = scoreWith(
      develop.filter(({ sample }) => !isOwn(sample) && family(sample) === left),
      without,
    );
    report(`  without ${left}`, scored, 0);
    crossed.push(...scored);
  }
  crossed.push(
    ...scoreWith(
      all.filter(({ sample }) => /BIPIA/.test(sample.source) && sample.half === "develop"),
      model,
    ),
  );
  for (const position of ["user", "untrusted"] as const)
    for (const share of [0.01, 0.02, 0.03]) {
      const of = ({ sample }: Scored): boolean => sample.position === position;
      console.log(
        `${position} at ${100 * share}%: left out ${recallAt(crossed.filter(of), share)}, own held out ${recallAt(
          held.filter((one) => of(one) && isOwn(one.sample)),
          share,
        )}, shared held out ${recallAt(shared.filter(of), share)}`,
      );
    }
  for (const shift of [-0.5, 0, 0.5, 1]) report(`each source left out, logit > ${shift}`, crossed, shift);
}

if (flag("errors")) {
  const folds = Number(process.env["FOLDS"] ?? 6);
  for (let fold = 0; fold < folds; fold += 1) {
    const inFold = (sample: Sample): boolean => digest(`fold ${sample.group ?? sample.text}`) % folds === fold;
    const without = fit(
      develop.filter(({ sample }) => !inFold(sample)),
      OPTIONS,
    );
    for (const { sample, logit } of scoreWith(
      all.filter(({ sample }) => sample.half === "develop" && inFold(sample)),
      without,
    ))
      if (sample.attack !== logit > 0)
        console.log(
          `${sample.attack ? "MISS" : "FALSE"} ${logit.toFixed(1)} ${sample.source} | ${sample.text.slice(0, 200).replaceAll("\n", "/")}`,
        );
  }
}

if (flag("write")) {
  // The score's half stands where few ordinary texts of sources left out pass: the user's own words, then untrusted ones.
  const shifts = [Number(process.env["SHIFT_USER"] ?? 1.2), Number(process.env["SHIFT_UNTRUSTED"] ?? 1.8)];
  const packed = packModel({
    ...model,
    bias: model.bias.map((bias, index) => bias - (shifts[index < model.bias.length / 2 ? 0 : 1] ?? 0)),
  });
  writeFileSync(
    new URL("../../../src/detectors/injection/weights.ts", import.meta.url),
    `import type { PackedModel } from "./model.ts";\n\n/** Made by test/quality/injection/train.ts; see the README there for the data. */\nexport const WEIGHTS: PackedModel = ${JSON.stringify(packed)};\n`,
  );
}
