/**
 * Where each of many finders goes on in a text, in UTF-16 units. Most of the time all wait at one place (a stream of prose has no digit),
 * and then only that one is moved.
 */
export class Places {
  readonly #count: number;
  /** Good while they are not at one place; empty until then. */
  readonly #each: number[] = [];
  #least: number;
  #areTogether = true;

  constructor(count: number) {
    this.#count = count;
    this.#least = count === 0 ? Number.POSITIVE_INFINITY : 0;
  }

  /** The first of them; infinite where there are none. */
  get least(): number {
    return this.#least;
  }

  /** Moves those before `place` there. */
  moveTo(place: number): void {
    if (this.#areTogether) this.#least = Math.max(this.#least, place);
    else
      this.moveEach((each) => {
        for (let finder = 0; finder < each.length; finder += 1) each[finder] = Math.max(each[finder] ?? 0, place);
      });
  }

  /** Moves each to a place of its own: `move` changes the list that it gets. */
  moveEach<Result>(move: (each: number[]) => Result): Result {
    if (this.#areTogether) for (let finder = 0; finder < this.#count; finder += 1) this.#each[finder] = this.#least;
    const result = move(this.#each);
    this.#least = leastOf(this.#each, Number.POSITIVE_INFINITY);
    this.#areTogether = this.#each.every((from) => from === this.#least);
    return result;
  }

  /** The text lost so many units at its beginning. */
  shift(units: number): void {
    this.#least -= units;
    if (!this.#areTogether)
      for (let finder = 0; finder < this.#each.length; finder += 1) this.#each[finder] = (this.#each[finder] ?? 0) - units;
  }
}

/** The least of some offsets and `offset`. */
export function leastOf(offsets: readonly number[], offset: number): number {
  let least = offset;
  for (let index = 0; index < offsets.length; index += 1) least = Math.min(least, offsets[index] ?? least);
  return least;
}
