import { BUCKETS, eachFeature, eachWordBucket, STRONG, WHOLE_BUCKETS, wholeBucket } from "../../../src/detectors/injection/features.ts";
import type { Model } from "../../../src/detectors/injection/model.ts";
import { rulesByMark } from "../../../src/detectors/injection/rules.ts";
import { createWords, readPart } from "../../../src/detectors/injection/score.ts";
import { eachWindow, logitOf, WINDOW_SIZES, wholeBound, wholeLogit, wholeShare } from "../../../src/detectors/injection/windows.ts";
import type { Sample } from "./samples.ts";

/** A sample's signs as columns: of which word, and which. */
export interface Prepared {
  readonly sample: Sample;
  readonly words: number;
  readonly breaks: Uint8Array;
  readonly weakToken: Int32Array;
  readonly weakBucket: Int32Array;
  /** Signs of the whole text beside the weak ones. */
  readonly wholeBucket: Int32Array;
  readonly strongToken: Int32Array;
  readonly strongSign: Int32Array;
  /** Words of the inserted attack, where known. */
  readonly place: readonly [from: number, to: number] | undefined;
}

/** Characters of a sample that are looked at. */
const CHARS_MAX = 16_384;

export function prepare(samples: readonly Sample[]): readonly Prepared[] {
  const words = createWords();
  const byMark = rulesByMark();
  return samples.map((sample) => {
    const { tokens } = readPart(words, sample.text, 0, Math.min(CHARS_MAX, sample.text.length));
    const [weakToken, weakBucket, strongToken, strongSign]: [number[], number[], number[], number[]] = [[], [], [], []];
    const whole: number[] = [];
    const offset = sample.position === "untrusted" ? STRONG : 0;
    eachFeature(tokens, byMark, sample.position === "untrusted", {
      word(token, hash, stem) {
        eachWordBucket(hash, stem, sample.position === "untrusted", (bucket) => {
          weakToken.push(token);
          weakBucket.push(bucket);
        });
      },
      weak(token, bucket) {
        weakToken.push(token);
        weakBucket.push(bucket);
      },
      whole(bucket) {
        whole.push(bucket);
      },
      strong(token, sign) {
        strongToken.push(token);
        strongSign.push(offset + sign);
      },
    });
    const columns = [weakToken, weakBucket, strongToken, strongSign].map((column) => Int32Array.from(column));
    const [a, b, c, d] = columns;
    if (a === undefined || b === undefined || c === undefined || d === undefined) throw new Error("no columns");
    const [start, end] = sample.place ?? [-1, -1];
    const place: [number, number] | undefined =
      sample.place === undefined
        ? undefined
        : [tokens.ends.findIndex((at) => at > start), tokens.starts.findLastIndex((at) => at < end) + 1];
    const common = { sample, place, words: tokens.count, breaks: tokens.breaks.slice(), wholeBucket: Int32Array.from(whole) };
    return { ...common, weakToken: a, weakBucket: b, strongToken: c, strongSign: d };
  });
}

export interface FitOptions {
  readonly epochs: number;
  readonly rate: number;
  /** Pull of weights to zero, weak and strong. */
  readonly weakDecay: number;
  readonly strongDecay: number;
  readonly wholeDecay: number;
  /** Share of the weak signs that a step leaves out. */
  readonly drop: number;
  /** Weight of a sample. */
  weightOf(sample: Sample): number;
}

interface Window {
  readonly from: number;
  readonly to: number;
  readonly bias: number;
  readonly logit: number;
  /** What the whole text adds to it. */
  readonly whole: number;
}

/**
 * Logistic regression over each text's strongest window (multiple-instance learning), by AdaGrad with a decay of the weights. Repeatable:
 * the order is fixed by a small generator.
 */
export function fit(data: readonly Prepared[], options: FitOptions): Model {
  const model: Model = {
    weak: new Float32Array(BUCKETS),
    whole: new Float32Array(WHOLE_BUCKETS),
    strong: new Float32Array(2 * STRONG),
    bias: [],
  };
  const bias = new Array<number>(2 * WINDOW_SIZES).fill(-1);
  const [wholeSquares, weakSquares, strongSquares, biasSquares] = [
    new Float32Array(WHOLE_BUCKETS).fill(1),
    new Float32Array(BUCKETS).fill(1),
    new Float32Array(2 * STRONG).fill(1),
    new Array<number>(2 * WINDOW_SIZES).fill(1),
  ];
  const order = data.map((_, index) => index);
  let seed = 12_345;
  const mean: Model = {
    weak: new Float32Array(BUCKETS),
    whole: new Float32Array(WHOLE_BUCKETS),
    strong: new Float32Array(2 * STRONG),
    bias: [],
  };
  const meanBias = new Array<number>(bias.length).fill(0);
  const settled = Math.floor(options.epochs / 2);
  const dropped = (): boolean => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return seed >>> 8 < options.drop * 2 ** 24;
  };
  for (let epoch = 0; epoch < options.epochs; epoch += 1) {
    for (let index = order.length - 1; index > 0; index -= 1) {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      const other = seed % (index + 1);
      [order[index], order[other]] = [order[other] ?? 0, order[index] ?? 0];
    }
    for (const index of order) {
      const item = data[index];
      if (item === undefined || item.words === 0) continue;
      const window = strongestWindow(item, { ...model, bias }, item.place);
      const { logit, from, to } = window;
      const gradient = (1 / (1 + Math.exp(-logit)) - (item.sample.attack ? 1 : 0)) * options.weightOf(item.sample);
      const share = gradient / Math.sqrt(Math.max(6, to - from));
      // At a bound only the way back is learned.
      const isWhole = item.sample.position === "user" && wholeBound(window.whole) * gradient >= 0;
      const wholeSlope = isWhole ? gradient * wholeShare(item.words) : 0;
      const step = (table: Float32Array, squares: Float32Array, at: number, slope: number, decay: number): void => {
        const full = slope + decay * (table[at] ?? 0);
        squares[at] = (squares[at] ?? 1) + full * full;
        table[at] = (table[at] ?? 0) - (options.rate * full) / Math.sqrt(squares[at] ?? 1);
      };
      for (let entry = 0; entry < item.weakToken.length; entry += 1) {
        const token = item.weakToken[entry] ?? 0;
        if (wholeSlope !== 0 && !dropped())
          step(model.whole, wholeSquares, wholeBucket(item.weakBucket[entry] ?? 0), wholeSlope, options.wholeDecay);
        if (token >= from && token < to && !dropped()) step(model.weak, weakSquares, item.weakBucket[entry] ?? 0, share, options.weakDecay);
      }
      if (wholeSlope !== 0)
        for (const bucket of item.wholeBucket)
          if (!dropped()) step(model.whole, wholeSquares, wholeBucket(bucket), wholeSlope, options.wholeDecay);
      for (let entry = 0; entry < item.strongToken.length; entry += 1) {
        const token = item.strongToken[entry] ?? 0;
        if (token >= from && token < to) step(model.strong, strongSquares, item.strongSign[entry] ?? 0, gradient, options.strongDecay);
      }
      biasSquares[window.bias] = (biasSquares[window.bias] ?? 1) + gradient * gradient;
      bias[window.bias] = (bias[window.bias] ?? 0) - (options.rate * gradient) / Math.sqrt(biasSquares[window.bias] ?? 1);
    }
    if (epoch < settled) continue;
    // The mean of the later rounds forgets the accidents of the last steps.
    const share = 1 / (options.epochs - settled);
    for (let at = 0; at < WHOLE_BUCKETS; at += 1) mean.whole[at] = (mean.whole[at] ?? 0) + share * (model.whole[at] ?? 0);
    for (let at = 0; at < BUCKETS; at += 1) mean.weak[at] = (mean.weak[at] ?? 0) + share * (model.weak[at] ?? 0);
    for (let at = 0; at < 2 * STRONG; at += 1) mean.strong[at] = (mean.strong[at] ?? 0) + share * (model.strong[at] ?? 0);
    for (let at = 0; at < bias.length; at += 1) meanBias[at] = (meanBias[at] ?? 0) + share * (bias[at] ?? 0);
  }
  return { ...mean, bias: meanBias };
}

/** As `bestWindow` in src, over prepared columns. */
export function strongestWindow(item: Prepared, model: Model, place?: readonly [number, number]): Window {
  const weak = new Float64Array(item.words + 1);
  const strong = new Float64Array(item.words + 1);
  for (let entry = 0; entry < item.weakToken.length; entry += 1) {
    const at = (item.weakToken[entry] ?? 0) + 1;
    weak[at] = (weak[at] ?? 0) + (model.weak[item.weakBucket[entry] ?? 0] ?? 0);
  }
  for (let entry = 0; entry < item.strongToken.length; entry += 1) {
    const at = (item.strongToken[entry] ?? 0) + 1;
    strong[at] = (strong[at] ?? 0) + (model.strong[item.strongSign[entry] ?? 0] ?? 0);
  }
  for (let index = 1; index <= item.words; index += 1) {
    weak[index] = (weak[index] ?? 0) + (weak[index - 1] ?? 0);
    strong[index] = (strong[index] ?? 0) + (strong[index - 1] ?? 0);
  }
  let best: Window = { from: 0, to: 0, bias: 0, logit: Number.NEGATIVE_INFINITY, whole: 0 };
  eachWindow({ count: item.words, breaks: item.breaks }, (from, to, size) => {
    if (place !== undefined && Math.min(to, place[1]) - Math.max(from, place[0]) < Math.min((to - from) / 2, place[1] - place[0])) return;
    const bias = (item.sample.position === "untrusted" ? WINDOW_SIZES : 0) + size;
    const logit = logitOf(weak, strong, from, to, model.bias[bias] ?? 0);
    if (logit > best.logit) best = { from, to, bias, logit, whole: 0 };
  });
  if (item.sample.position !== "user") return best;
  let whole = 0;
  for (const bucket of item.wholeBucket) whole += model.whole[wholeBucket(bucket)] ?? 0;
  for (const bucket of item.weakBucket) whole += model.whole[wholeBucket(bucket)] ?? 0;
  const added = wholeLogit(whole, item.words);
  return { ...best, logit: best.logit + added, whole: added };
}
