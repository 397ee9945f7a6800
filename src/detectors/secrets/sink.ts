import type { Finding, Found } from "../../core/detector.ts";
import type { SecretEntity } from "./entities.ts";
import { type NamePromise, promiseOf } from "./names.ts";
import { Sentence } from "./sentence.ts";

/** A stretch that a rule took for a secret. Where two begin at one place, the higher `rank` stands, then the longer. */
export interface Candidate {
  readonly entity: SecretEntity;
  readonly start: number;
  readonly end: number;
  readonly score: number;
  readonly rank: number;
}
export const RANK_SHAPE = 2;
export const RANK_CONTEXT = 1;
/** Names, and values with names, that one scan remembers its judgement of. */
const PROMISES_MAX = 512;

/**
 * Gathers what the rules say of one text. The contract of streams hangs on one thing: a rule that looked at the end of a text that
 * has not ended must say from where its answer may change (`pending`). What begins before all of those places is decided.
 */
export class Sink {
  readonly text: string;
  readonly ended: boolean;
  readonly from: number;
  readonly sentence = new Sentence();
  /** What names promise, so that one that stands a thousand times is read once. Made when it is asked for, as the next: most texts have none. */
  #promises: Map<string, NamePromise | undefined> | undefined;
  #scores: Map<string, number> | undefined;
  readonly #candidates: Candidate[] = [];
  #open: number;

  constructor(text: string, ended: boolean, from: number) {
    this.text = text;
    this.ended = ended;
    this.from = from;
    this.#open = text.length;
  }

  promiseOf(name: string): NamePromise | undefined {
    this.#promises ??= new Map();
    const known = this.#promises.get(name);
    if (known !== undefined || this.#promises.has(name)) return known;
    const promise = promiseOf(name);
    if (this.#promises.size < PROMISES_MAX) this.#promises.set(name, promise);
    return promise;
  }

  /** The score of a value with its name, judged once a scan. */
  scoreOf(key: string, judge: () => number): number {
    this.#scores ??= new Map();
    const known = this.#scores.get(key);
    if (known !== undefined) return known;
    const score = judge();
    if (this.#scores.size < PROMISES_MAX) this.#scores.set(key, score);
    return score;
  }

  take(candidate: Candidate): void {
    if (candidate.start >= this.from && candidate.end > candidate.start) this.#candidates.push(candidate);
  }

  /** What begins at `start` depends on text that has not come. */
  pending(start: number): void {
    if (!this.ended && start >= this.from) this.#open = Math.min(this.#open, start);
  }

  /** Whether a look at `at` is a look beyond the end: then it says `pending(start)`. */
  isBeyond(at: number, start: number): boolean {
    if (at < this.text.length) return false;
    this.pending(start);
    return true;
  }

  /** From left to right: what begins first stands; the next begins at or after its end. */
  decide(): Found {
    this.#candidates.sort((a, b) => a.start - b.start || b.rank - a.rank || b.end - a.end);
    const findings: Finding[] = [];
    let free = this.from;
    for (const { entity, start, end, score } of this.#candidates) {
      if (start < free) continue;
      if (start >= this.#open) break;
      if (end > this.#open) {
        this.#open = start;
        break;
      }
      findings.push({ entity, start, end, score });
      free = end;
    }
    return { findings, open: this.#open };
  }
}
