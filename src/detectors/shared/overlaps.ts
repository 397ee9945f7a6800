import type { Finding } from "../../core/detector.ts";

/** How much a finding counts against others that overlap it, by what becomes of it: one that is left as it is takes no other's place. */
export type Weigh = (finding: Finding) => number;

/**
 * Makes of findings of many detectors, which may overlap, findings that do not. Nothing that any detector found is lost: where two
 * overlap, the one of more weight keeps its place (then the surer, the longer, the one named first), and the other keeps what is left of it.
 *
 * It goes from left to right with one champion at a time, so that it can be decided in a stream: a champion stands when every finding
 * that starts before its end is known.
 */
export class Overlaps {
  readonly #rank: ReadonlyMap<string, number>;
  readonly #isWorth: (start: number, end: number) => boolean;
  readonly #weigh: Weigh | undefined;
  /** From `#first` on in order of start, then of who would win. */
  #waiting: Finding[] = [];
  #first = 0;
  #champion: Finding | undefined;

  /**
   * @param ranks of entities; the lower settles draws
   * @param isWorth whether a rest of a finding says anything (not only blanks and signs)
   * @param weigh absent: all weigh the same
   */
  constructor(ranks: ReadonlyMap<string, number>, isWorth: (start: number, end: number) => boolean, weigh?: Weigh) {
    this.#rank = ranks;
    this.#isWorth = isWorth;
    this.#weigh = weigh;
  }

  /** New findings, in any order. None may start before the `open` of an earlier `settle`. */
  add(findings: readonly Finding[]): void {
    if (findings.length === 0) return;
    if (this.#first > 0) this.#waiting = this.#waiting.slice(this.#first);
    this.#first = 0;
    this.#waiting.push(...findings);
    this.#waiting.sort((a, b) => this.#compare(a, b));
  }

  /** What stands once every finding that starts before `open` was added; in order. */
  settle(open: number): Finding[] {
    const settled: Finding[] = [];
    let next = this.#next(open);
    for (; next !== undefined; next = this.#next(open)) {
      const champion = this.#champion;
      if (champion === undefined) this.#champion = next;
      else if (next.start >= champion.end) {
        settled.push(champion);
        this.#champion = next;
      } else if (this.#beats(next, champion)) {
        if (next.start > champion.start && this.#isWorth(champion.start, next.start)) settled.push({ ...champion, end: next.start });
        this.#requeue(champion, next.end);
        this.#champion = next;
      } else this.#requeue(next, champion.end);
    }
    if (this.#champion !== undefined && this.#champion.end <= open) {
      settled.push(this.#champion);
      this.#champion = undefined;
    }
    return settled;
  }

  /** First place of a finding that may still lose to one that is not known yet. */
  get heldFrom(): number {
    return this.#champion?.start ?? Number.POSITIVE_INFINITY;
  }

  #next(open: number): Finding | undefined {
    const next = this.#waiting[this.#first];
    if (next === undefined || next.start >= open) return undefined;
    this.#first += 1;
    return next;
  }

  /** What is left of a finding: it stands a few places behind those at hand. */
  #requeue({ entity, end, score }: Finding, start: number): void {
    if (end <= start || !this.#isWorth(start, end)) return;
    const rest = { entity, start, end, score };
    let at = this.#first;
    for (let next = this.#waiting[at]; next !== undefined && this.#compare(next, rest) < 0; next = this.#waiting[at]) at += 1;
    // Of those in front of it each moves one place to the left: the place of the one that was taken last is free.
    this.#first -= 1;
    for (let to = this.#first; to < at - 1; to += 1) this.#waiting[to] = this.#waiting[to + 1] ?? rest;
    this.#waiting[at - 1] = rest;
  }

  #compare(a: Finding, b: Finding): number {
    return a.start - b.start || (this.#beats(a, b) ? -1 : 1);
  }

  #beats(a: Finding, b: Finding): boolean {
    if (this.#weigh !== undefined) {
      const [weight, otherWeight] = [this.#weigh(a), this.#weigh(b)];
      if (weight !== otherWeight) return weight > otherWeight;
    }
    const [length, other] = [a.end - a.start, b.end - b.start];
    if (a.score !== b.score) return a.score > b.score;
    if (length !== other) return length > other;
    return (this.#rank.get(a.entity) ?? 0) < (this.#rank.get(b.entity) ?? 0);
  }
}

/**
 * Findings of several finders of one whole text, made to not overlap; those of `first` stand where both weigh the same and are equally
 * sure and long.
 */
export function merged(text: string, first: readonly Finding[], second: readonly Finding[], weigh?: Weigh): readonly Finding[] {
  if (second.length === 0) return first;
  const entities = [...new Set([...first, ...second].map(({ entity }) => entity))];
  const overlaps = new Overlaps(ranksOf(entities), (start, end) => /[\p{L}\p{N}]/u.test(text.slice(start, end)), weigh);
  overlaps.add([...first, ...second]);
  return overlaps.settle(Number.POSITIVE_INFINITY);
}

/** The rank of each entity: its place in the list. */
export const ranksOf = (entities: readonly string[]): ReadonlyMap<string, number> =>
  new Map(entities.map((entity, index) => [entity, index]));
