/** What callers said of their exchanges, added up without any ledger. */
export class Tally {
  readonly #exchanges = new Map<string, { state: string; held: number; actual: number }>();

  /** `holding ID AMOUNT`, `held ID`, `refused ID`, `settling ID AMOUNT`, `settled ID`. */
  hear([what = "", exchange = "", amount = "0"]: readonly string[]): void {
    if (!["holding", "held", "refused", "settling", "settled"].includes(what)) return;
    const known = this.#exchanges.get(exchange) ?? { state: "", held: 0, actual: 0 };
    this.#exchanges.set(exchange, known);
    known.state = what;
    if (what === "holding") known.held = Number(amount);
    if (what === "settling") known.actual = Number(amount);
  }

  /** After a kill: what was settled counts, what was held counts as held, and what was under way is one thing or the other. */
  bounds(): { readonly least: number; readonly most: number; readonly exchanges: number; readonly unsure: number } {
    let [least, most, unsure] = [0, 0, 0];
    for (const { state, held, actual } of this.#exchanges.values()) {
      if (state === "refused") continue;
      if (state === "holding" || state === "settling") unsure++;
      least += state === "holding" ? 0 : state === "held" ? held : actual;
      most += state === "settled" ? actual : held;
    }
    return { least, most, exchanges: this.#exchanges.size, unsure };
  }

  /** Where the callers lived and everything they told was brought in the end: exactly what was settled. */
  brought(): { readonly exact: number; readonly exchanges: number; readonly refused: number } {
    const all = [...this.#exchanges.values()];
    const settled = all.filter(({ state }) => state === "settled" || state === "settling");
    return {
      exact: settled.reduce((sum, { actual }) => sum + actual, 0),
      exchanges: settled.length,
      refused: all.filter(({ state }) => state === "refused").length,
    };
  }
}
