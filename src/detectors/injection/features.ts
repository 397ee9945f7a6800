import { CUES } from "./cues.ts";
import { lexiconEntries } from "./lexicon.ts";
import { MARK_STRANGE, MARKS, RULES } from "./rules.ts";
import { sentenceMarks } from "./sentences.ts";
import type { Tokens } from "./tokens.ts";

/**
 * What the model weighs. Words, their stems, pairs of words, shapes and pairs of ideas are hashed into `BUCKETS`: many weak signs, whose
 * sum over a window is divided by the root of its words. Rules and single marks are strong signs with a weight each, counted once in
 * `REPEAT_WORDS` words, not divided: an attack may be one sentence.
 */
export const BUCKETS = 524_288;
/** The same signs for the whole text: the lower bits of the bucket. Most of both tables is zero. */
export const WHOLE_BUCKETS = 262_144;
export const wholeBucket = (bucket: number): number => bucket & (WHOLE_BUCKETS - 1);
/** Strong signs: first the rules, then the marks. */
export const STRONG = RULES.length + MARKS;
/** The same rule met again within so many words adds nothing. */
const REPEAT_WORDS = 40;
/** Words between two ideas that make a pair, and how many earlier ideas a new one is paired with. */
const PAIR_WORDS = 8;
const PAIRS = 4;

/**
 * A number that changes with the rules, the cues, the lexicon and the tables' sizes: weights belong to one. `SCHEME` is to be raised by hand
 * when signs are made in another way.
 */
export function featuresVersion(): number {
  const rules = RULES.map(({ family, marks, span }) => [family, marks, span]);
  const cues = CUES.map(({ name, pattern, needs }) => [name, pattern.source, pattern.flags, needs]);
  const written = JSON.stringify([SCHEME, BUCKETS, WHOLE_BUCKETS, STRONG, REPEAT_WORDS, PAIR_WORDS, PAIRS, rules, cues, lexiconEntries()]);
  let hash = 0x811c9dc5;
  for (let index = 0; index < written.length; index += 1) hash = Math.imul(hash ^ written.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
const SCHEME = 7;

export interface FeatureSink {
  /** A word by itself: its signs are those of `eachWordBucket`. */
  word(token: number, hash: number, stem: number): void;
  weak(token: number, bucket: number): void;
  /** `from`: the first word that belongs to the sign. */
  strong(token: number, sign: number, from: number): void;
  /** Of the whole text, a user's only. */
  whole(bucket: number): void;
}

const saltOf = (untrusted: boolean): number => (untrusted ? 0x5bd1e995 : 0x27d4eb2f);

/** The weak signs of a word by itself. */
export function eachWordBucket(hash: number, stem: number, untrusted: boolean, visit: (bucket: number) => void): void {
  visit(bucket(hash, 1));
  visit(bucket(stem, 2));
  visit(bucket(stem, saltOf(untrusted)));
}

/** Tells `sink` every sign, in the order of the words. `untrusted` texts have weights of their own for some signs beside the shared ones. */
export function eachFeature(tokens: Tokens, byMark: readonly (readonly number[])[], untrusted: boolean, sink: FeatureSink): void {
  const salt = saltOf(untrusted);
  const lastMark = new Int32Array(MARKS).fill(-10_000);
  const lastSign = new Int32Array(STRONG).fill(-10_000);
  const recent: { mark: number; token: number }[] = [];
  const kinds = untrusted ? sentenceMarks(tokens) : [];
  const { count, hashes, stems, shapes, breaks } = tokens;
  let previous = 1;
  for (let token = 0; token < count; token += 1) {
    const hash = hashes[token] ?? 0;
    const stem = stems[token] ?? 0;
    sink.word(token, hash, stem);
    sink.weak(token, bucket(previous ^ Math.imul(hash, 0x9e3779b1), 3));
    sink.weak(token, bucket(shapes[token] ?? 0, 4));
    previous = hash;
    if (breaks[token] === 1) {
      sink.weak(token, bucket(hash, 9));
      sink.weak(token, bucket(hash, salt ^ 10));
      for (const mark of kinds[token] ?? []) noteStrong(RULES.length + mark, token, token, lastSign, sink);
    }
    const marks = tokens.marks[token];
    if (marks === undefined) continue;
    for (const mark of marks) lastMark[mark] = token;
    for (const mark of marks) {
      sink.weak(token, bucket(mark, 5));
      sink.weak(token, bucket(mark, salt ^ 6));
      for (const other of recent)
        if (token - other.token <= PAIR_WORDS) {
          const pair = other.mark * 1024 + mark;
          sink.weak(token, bucket(pair, 7));
          sink.weak(token, bucket(pair, salt ^ 8));
        }
      noteStrong(RULES.length + mark, token, token, lastSign, sink);
      for (const rule of byMark[mark] ?? []) {
        // Told a few words ago: looked at no further, since a text may be one word again and again.
        if (token - (lastSign[rule] ?? 0) < REPEAT_WORDS) continue;
        const from = firstMark(rule, token, lastMark);
        if (from >= 0) noteStrong(rule, token, from, lastSign, sink);
      }
    }
    for (const mark of marks) {
      recent.push({ mark, token });
      if (recent.length > PAIRS) recent.shift();
    }
  }
  if (!untrusted) wholePairs(lastMark, sink);
}

/** Every two ideas that the text has, however far apart. */
function wholePairs(lastMark: Int32Array, sink: FeatureSink): void {
  const met: number[] = [];
  for (const [mark, at] of lastMark.entries()) if (at >= 0) met.push(mark);
  for (const [index, first] of met.entries())
    for (let other = index + 1; other < met.length; other += 1) sink.whole(bucket(first * 1024 + (met[other] ?? 0), 11));
}

function noteStrong(sign: number, token: number, from: number, last: Int32Array, sink: FeatureSink): void {
  if (token - (last[sign] ?? 0) < (sign >= RULES.length + MARK_STRANGE ? 1 : REPEAT_WORDS)) return;
  last[sign] = token;
  sink.strong(token, sign, from);
}

/** Where the rule's earliest mark stands; -1 where one is missing or too far. One word may be several marks. */
function firstMark(rule: number, token: number, lastMark: Int32Array): number {
  const { marks, span } = RULES[rule] ?? { marks: [], span: 0 };
  let first = token;
  for (const mark of marks) {
    const at = lastMark[mark] ?? -10_000;
    if (token - at >= span) return -1;
    if (at < first) first = at;
  }
  // All in one word is one idea with two names, unless it is the rule's only mark.
  return first === token && marks.length > 1 ? -1 : first;
}

function bucket(value: number, salt: number): number {
  let hash = Math.imul(value ^ Math.imul(salt, 0x85ebca6b), 0xc2b2ae35);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  hash ^= hash >>> 13;
  return hash & (BUCKETS - 1);
}
