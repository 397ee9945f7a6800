import { eachFeature, wholeBucket } from "./features.ts";
import type { ByteModel } from "./model.ts";
import { OVERRIDES } from "./rules.ts";
import { isCommanded } from "./sentences.ts";
import type { Tokens } from "./tokens.ts";
import type { WordWeights } from "./word-weights.ts";

/** Sizes of the windows that are weighed beside single sentences: a paragraph and a page. Words. */
const WINDOW_WORDS = [40, 160] as const;
/** Sizes of windows, sentences included: each has its own bias. */
export const WINDOW_SIZES = WINDOW_WORDS.length + 1;
/** A sentence is weighed as one up to here, words; longer runs are cut. */
const SENTENCE_WORDS_MAX = 40;
/** Shorter ones are weighed with what follows. */
const SENTENCE_WORDS_MIN = 3;

/** Every window of a text: sentences, then windows of each size that overlap by half. Their words together are a multiple of the text's. */
export function eachWindow(tokens: Pick<Tokens, "count" | "breaks">, visit: (from: number, to: number, size: number) => void): void {
  const { count, breaks } = tokens;
  for (let from = 0; from < count; ) {
    let to = from + 1;
    while (to < count && to - from < SENTENCE_WORDS_MAX && (breaks[to] !== 1 || to - from < SENTENCE_WORDS_MIN)) to += 1;
    visit(from, to, 0);
    from = to;
  }
  for (const [index, words] of WINDOW_WORDS.entries()) {
    if (index > 0 && count <= (WINDOW_WORDS[index - 1] ?? 0)) return;
    for (let from = 0; from === 0 || from + words / 2 < count; from += words / 2) visit(from, Math.min(count, from + words), index + 1);
  }
}

/** At least so much has a text in which the model's instructions are commanded away: 0.73 as a score. */
const COMMANDED_LOGIT = 1;

/** A strong sign in a text. */
export interface Sign {
  readonly sign: number;
  readonly from: number;
  readonly token: number;
  readonly weight: number;
}
/** The window with the highest logit; for a user's own words, what the whole text says is added. */
export interface BestWindow {
  readonly logit: number;
  /** Index of the bias that it was weighed with. */
  readonly bias: number;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  readonly signs: readonly Sign[];
  /** The sentence in it that speaks most for an attack: its first word, and the one past its last. */
  readonly sentence: readonly [from: number, to: number];
}

/** Weighs every window of the text, overlapping by half; linear in the words. `words`: of the text's position. */
export function bestWindow(
  tokens: Tokens,
  byMark: readonly (readonly number[])[],
  untrusted: boolean,
  model: ByteModel,
  words: WordWeights,
): BestWindow | undefined {
  const { count } = tokens;
  if (count === 0) return undefined;
  const weak = new Float64Array(count + 1);
  const strong = new Float64Array(count + 1);
  const signs: Sign[] = [];
  const { weak: weakTable, whole: wholeTable } = model;
  let whole = 0;
  let command: Sign | undefined;
  const offset = untrusted ? model.strong.length / 2 : 0;
  eachFeature(tokens, byMark, untrusted, {
    word(token, hash, stem) {
      words.of(hash, stem);
      weak[token + 1] = (weak[token + 1] ?? 0) + words.weak;
      whole += words.whole;
    },
    weak(token, bucket) {
      weak[token + 1] = (weak[token + 1] ?? 0) + (weakTable[bucket] ?? 0);
      if (!untrusted) whole += wholeTable[wholeBucket(bucket)] ?? 0;
    },
    whole(bucket) {
      whole += wholeTable[wholeBucket(bucket)] ?? 0;
    },
    strong(token, sign, from) {
      const weight = model.strong[offset + sign] ?? 0;
      strong[token + 1] = (strong[token + 1] ?? 0) + weight;
      signs.push({ sign, from, token, weight });
      if (command === undefined && OVERRIDES.has(sign) && isCommanded(tokens, from, token)) command = { sign, from, token, weight: 1 };
    },
  });
  for (let index = 1; index <= count; index += 1) {
    weak[index] = (weak[index] ?? 0) * model.weakScale + (weak[index - 1] ?? 0);
    strong[index] = (strong[index] ?? 0) + (strong[index - 1] ?? 0);
  }
  let best = { logit: Number.NEGATIVE_INFINITY, bias: 0, from: 0, to: 0 };
  eachWindow(tokens, (from, to, size) => {
    const bias = (untrusted ? WINDOW_SIZES : 0) + size;
    const logit = logitOf(weak, strong, from, to, model.bias[bias] ?? 0);
    if (logit > best.logit) best = { logit, bias, from, to };
  });
  let sentence = { logit: Number.NEGATIVE_INFINITY, from: best.from, to: best.to };
  eachWindow(tokens, (from, to, size) => {
    if (size > 0 || to <= best.from || from >= best.to) return;
    const logit = logitOf(weak, strong, from, to, 0);
    if (logit > sentence.logit) sentence = { logit, from, to };
  });
  const within = signs.filter(({ token }) => token >= best.from && token < best.to);
  // An attack in a document is a small part of it: there the rest of the text says nothing.
  const logit = untrusted ? best.logit : best.logit + wholeLogit(whole * model.wholeScale, count);
  if (command !== undefined && logit < COMMANDED_LOGIT) {
    const [from, to] = [command.from, command.token + 1];
    return { logit: COMMANDED_LOGIT, bias: best.bias, from, to, signs: [command], sentence: [from, to] };
  }
  return { ...best, logit, signs: within, sentence: [sentence.from, sentence.to] };
}

/** `weak` and `strong`: sums of the weights of all words before each. */
export function logitOf(weak: Float64Array, strong: Float64Array, from: number, to: number, bias: number): number {
  return (
    bias + ((weak[to] ?? 0) - (weak[from] ?? 0)) / Math.sqrt(Math.max(WORDS_LEAST, to - from)) + (strong[to] ?? 0) - (strong[from] ?? 0)
  );
}
/** `sum`: of the weights of a whole text's words. What stands around an attack talks it down, or up, by so much and no more. */
export const wholeLogit = (sum: number, words: number): number => Math.min(WHOLE_MOST, Math.max(WHOLE_LEAST, sum * wholeShare(words)));
/** What one word's weight counts for in a whole text. A short text is one window, which has said it already. */
export const wholeShare = (words: number): number => Math.min(1, words / WHOLE_WORDS) / Math.sqrt(Math.max(WORDS_LEAST, words));
/** From so many words on the whole counts in full. */
const WHOLE_WORDS = 80;
/** Chosen by leaving corpora out: without bounds the rest of a long text decided alone. */
const WHOLE_LEAST = -2;
const WHOLE_MOST = 3;
/** -1 where the whole text says the least that it may, 1 where the most, 0 between. */
export const wholeBound = (logit: number): -1 | 0 | 1 => (logit <= WHOLE_LEAST ? -1 : logit >= WHOLE_MOST ? 1 : 0);
/** Shorter windows are divided as if they had so many words: three words are no proof. */
const WORDS_LEAST = 6;
