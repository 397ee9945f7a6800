import type { Finding } from "../../core/detector.ts";

/**
 * Makes of findings of many detectors, which may overlap, findings that do not. Nothing that any detector found is lost: where two
 * overlap, the surer one keeps its place (then the longer, then the one named first), and the other keeps what is left of it.
 *
 * It goes from left to right with one champion at a time, so that it can be decided in a stream: a champion stands when every finding
 * that starts before its end is known.
 */
export class Overlaps {
  readonly #rank: ReadonlyMap<string, number>;
  readonly #isWorth: (start: number, end: number) => boolean;
  /** In order of start, then of who would win. */
  #waiting: Finding[] = [];
  #champion: Finding | undefined;

  /**
   * @param ranks of entities; the lower settles draws
   * @param isWorth whether a rest of a finding says anything (not only blanks and signs)
   */
  constructor(ranks: ReadonlyMap<string, number>, isWorth: (start: number, end: number) => boolean) {
    this.#rank = ranks;
    this.#isWorth = isWorth;
  }

  /** New findings, in any order. None may start before the `open` of an earlier `settle`. */
  add(findings: readonly Finding[]): void {
    if (findings.length === 0) return;
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
    const first = this.#waiting[0];
    return first === undefined || first.start >= open ? undefined : this.#waiting.shift();
  }

  #requeue(finding: Finding, start: number): void {
    if (finding.end <= start || !this.#isWorth(start, finding.end)) return;
    this.add([{ ...finding, start }]);
  }

  #compare(a: Finding, b: Finding): number {
    return a.start - b.start || (this.#beats(a, b) ? -1 : 1);
  }

  #beats(a: Finding, b: Finding): boolean {
    const [length, other] = [a.end - a.start, b.end - b.start];
    if (a.score !== b.score) return a.score > b.score;
    if (length !== other) return length > other;
    return (this.#rank.get(a.entity) ?? 0) < (this.#rank.get(b.entity) ?? 0);
  }
}

/** Findings of several finders of one whole text, made to not overlap; those of `first` stand where both are equally sure and long. */
export function merged(text: string, first: readonly Finding[], second: readonly Finding[]): readonly Finding[] {
  if (second.length === 0) return first;
  const entities = [...new Set([...first, ...second].map(({ entity }) => entity))];
  const overlaps = new Overlaps(ranksOf(entities), (start, end) => /[\p{L}\p{N}]/u.test(text.slice(start, end)));
  overlaps.add([...first, ...second]);
  return overlaps.settle(Number.POSITIVE_INFINITY);
}

/** The rank of each entity: its place in the list. */
export const ranksOf = (entities: readonly string[]): ReadonlyMap<string, number> =>
  new Map(entities.map((entity, index) => [entity, index]));
