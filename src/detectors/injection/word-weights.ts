import { eachWordBucket, wholeBucket } from "./features.ts";
import type { ByteModel } from "./model.ts";

/** What a word weighs by itself, in steps of the tables' scales: in its window, and in the whole text. */
export interface WordWeights {
  /** Finds the word; its weights are then in `weak` and `whole`. */
  of(hash: number, stem: number): void;
  weak: number;
  whole: number;
}

/** Words whose weights are kept: some thousand words are nearly all that is written. A power of two. */
const KEPT = 4_096;

/**
 * Adds up a word's signs, and keeps the sums of the last words: texts say the same ones again and again, and each sign is a look-up in a
 * table that is larger than the processor's near memory. What is kept follows from the hashes alone.
 */
export function createWordWeights({ weak, whole }: ByteModel, untrusted: boolean): WordWeights {
  const keys = new Int32Array(2 * KEPT);
  const sums = new Int32Array(2 * KEPT);
  const found: WordWeights = { of, weak: 0, whole: 0 };
  const add = (bucket: number): void => {
    found.weak += weak[bucket] ?? 0;
    found.whole += whole[wholeBucket(bucket)] ?? 0;
  };
  function of(hash: number, stem: number): void {
    const at = 2 * ((hash ^ (hash >>> 15)) & (KEPT - 1));
    // No word hashes to zeros alone, with which the tables begin.
    if (keys[at] === hash && keys[at + 1] === stem) {
      found.weak = sums[at] ?? 0;
      found.whole = sums[at + 1] ?? 0;
      return;
    }
    found.weak = 0;
    found.whole = 0;
    eachWordBucket(hash, stem, untrusted, add);
    keys[at] = hash;
    keys[at + 1] = stem;
    sums[at] = found.weak;
    sums[at + 1] = found.whole;
  }
  return found;
}
