import type { AnswerGuard, GuardEvidence, LaneReader, LaneStep, Stop } from "../../core/guard.ts";
import type { ModelFamily } from "../../core/tokens/families.ts";
import { OutputCounter } from "../../core/tokens/output.ts";
import type { LaneId } from "../../core/view.ts";

/** No tokenizer makes more tokens of text than this, for each UTF-16 unit: while the cap is further off, a piece is counted whole. */
const TOKENS_PER_UNIT_MAX = 3;

/**
 * Ends an answer once it has `tokensMax` output tokens, all channels and choices together. Text passes as it comes: what is counted is
 * decided. The place of the end follows from the text alone, whatever its cuts.
 */
export class OutputCap implements AnswerGuard {
  readonly #tokensMax: number;
  readonly #counter: OutputCounter;
  readonly #stop: Stop;
  #met = false;

  constructor(tokensMax: number, family: ModelFamily) {
    this.#tokensMax = tokensMax;
    this.#counter = new OutputCounter(family);
    this.#stop = { kind: "length", denial: { code: "cost_cap", detail: `The answer was ended at its cap of ${tokensMax} output tokens.` } };
  }

  openLane(lane: LaneId, _tool: string | undefined, repeats: boolean): LaneReader | undefined {
    // What an API says again (Responses: each text three times), an error's words, the caller's own: none of it is output.
    if (repeats || lane.channel === "echo") return undefined;
    let length = 0;
    const step = (at: number | undefined): LaneStep => ({
      decided: length,
      edits: [],
      ...(at === undefined ? {} : { stop: { at, stop: this.#stop } }),
    });
    return {
      push: (text) => {
        const begin = length;
        length += text.length;
        const at = this.#count(lane, text);
        return step(at === undefined ? undefined : begin + at);
      },
      end: () => step(undefined),
    };
  }

  /** Counts a piece; gives the place within it where the cap is met. */
  #count(lane: LaneId, text: string): number | undefined {
    if (this.#met) return 0;
    if (this.#counter.tokens() + text.length * TOKENS_PER_UNIT_MAX < this.#tokensMax) {
      this.#counter.add({ ...lane, text });
      return undefined;
    }
    let at = 0;
    for (const symbol of text) {
      this.#counter.add({ ...lane, text: symbol });
      at += symbol.length;
      if (this.#counter.tokens() < this.#tokensMax) continue;
      this.#met = true;
      return at;
    }
    return undefined;
  }

  evidence(): GuardEvidence | undefined {
    if (!this.#met) return undefined;
    return { verdict: "deny", denial: this.#stop.denial };
  }
}
