/** What became of the requests of this process to one service: `ok`, a fault's code, or `left`: the caller waited no longer. */
export type RemoteOutcome = "ok" | "timeout" | "unavailable" | "corrupt" | "left";

/** Names of services that are counted apart; policies that come and go may have more, which count together. */
const NAMES_MAX = 200;

/** Figures of the services that texts are sent to, kept as long as the process lives, whatever becomes of the policy. */
export class RemoteFigures {
  readonly #counts = new Map<string, Map<RemoteOutcome, number>>();
  readonly #left = new Set<string>();

  note(name: string, outcome: RemoteOutcome): void {
    const known = this.#counts.has(name) || this.#counts.size < NAMES_MAX ? name : "other";
    const counts = this.#counts.get(known) ?? new Map<RemoteOutcome, number>();
    this.#counts.set(known, counts);
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  /** It is left alone after failures, or works again. */
  noteUp(name: string, up: boolean): void {
    if (up) this.#left.delete(name);
    else this.#left.add(name);
  }

  get counts(): readonly { readonly name: string; readonly outcome: RemoteOutcome; readonly count: number }[] {
    return [...this.#counts].flatMap(([name, counts]) => [...counts].map(([outcome, count]) => ({ name, outcome, count })));
  }
  get failing(): readonly { readonly name: string; readonly failing: boolean }[] {
    return [...this.#counts.keys()].map((name) => ({ name, failing: this.#left.has(name) }));
  }
}
