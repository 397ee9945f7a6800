import { PSEUDONYMS_MAX } from "../../core/limits.ts";
import type { KeptPair, KeptStandIns } from "../../core/state.ts";
import { Draw } from "./draw.ts";
import { plainForm } from "./plain-form.ts";
import { canonical, type Spelling, type StandIn, spellingOf, standInFor } from "./stand-in.ts";

/** A value and what stands for it, as they are spelled in this exchange. */
export interface Pair {
  readonly value: string;
  readonly standIn: string;
  readonly spelling: Spelling;
}

/** A tenant's key and a conversation's name or digest. */
export interface Seed {
  readonly key: Uint8Array;
  readonly conversation: string;
}

/** Draws of one value, until one is free. */
const DRAWS_MAX = 32;

/**
 * The stand-ins of one exchange. They follow from the tenant's key, the conversation and the value, so that every turn of a conversation
 * has the same ones and nothing needs to be kept; what they stand for is known from the request, which brings its whole history along,
 * or from the note beside the response that it refers to.
 * Where two values would have one stand-in, the one that comes first in the request has it, and the other draws again.
 */
export class Pseudonyms {
  readonly #seed: () => Seed;
  readonly #isTaken: (standIn: StandIn) => boolean;
  readonly #byValue = new Map<string, Pair>();
  readonly #byStandIn = new Map<string, Pair>();

  readonly #kept: KeptPair[] = [];
  #known: Seed | undefined;

  /**
   * `seed`: what they follow from; asked once, where there is one to draw, as most requests have none.
   * `isTaken`: the caller's own text holds what a stand-in would be. Asked of scarce ones alone.
   * `before`: those that the provider knows from the part of the conversation that it keeps and this request does not repeat.
   */
  constructor(seed: () => Seed, isTaken: (standIn: StandIn) => boolean, before: readonly KeptPair[] = []) {
    this.#seed = seed;
    this.#isTaken = isTaken;
    for (const { entity, value, standIn, spelling } of before)
      this.#keep(entity, canonical(value, spellingOf(entity)), { value, standIn, spelling });
  }

  /** For calls that refer to what the provider keeps; undefined: there are none. */
  get kept(): KeptStandIns | undefined {
    if (this.#kept.length === 0) return undefined;
    this.#known ??= this.#seed();
    return { conversation: this.#known.conversation, pairs: this.#kept };
  }

  #keep(entity: string, form: string, pair: Pair): void {
    this.#byValue.set(`${entity} ${form}`, pair);
    this.#byStandIn.set(`${pair.spelling} ${canonical(pair.standIn, pair.spelling)}`, pair);
    this.#kept.push({ entity, ...pair });
  }

  get pairs(): readonly Pair[] {
    return [...this.#byStandIn.values()];
  }

  /** What stands for the value; undefined: there are too many, or none is free. A stand-in that came back stays as it is. */
  of(entity: string, value: string): string | undefined {
    const { plain, write } = plainForm(entity, value);
    if (plain !== value) {
      const standIn = this.of(entity, plain);
      return standIn === undefined ? undefined : write(standIn);
    }
    const spelling = spellingOf(entity);
    const form = canonical(value, spelling);
    const known = this.#byValue.get(`${entity} ${form}`);
    if (known !== undefined) return known.standIn;
    if (this.#byStandIn.has(`exact ${canonical(value, "exact")}`) || this.#byStandIn.has(`code ${canonical(value, "code")}`)) return value;
    if (this.#byStandIn.size >= PSEUDONYMS_MAX) return undefined;
    this.#known ??= this.#seed();
    const { key: secret, conversation } = this.#known;
    for (let nth = 0; nth < DRAWS_MAX; nth++) {
      const made = standInFor(entity, value, new Draw(secret, [conversation, entity, form, String(nth)]));
      const place = `${made.spelling} ${canonical(made.text, made.spelling)}`;
      if (this.#byStandIn.has(place) || canonical(made.text, spelling) === form) continue;
      if (made.scarce === true && this.#isTaken(made)) continue;
      this.#keep(entity, form, { value, standIn: made.text, spelling: made.spelling });
      return made.text;
    }
    return undefined;
  }

  /** Does a text of the answer say one of the request's own values? */
  knows(entity: string, value: string): boolean {
    return this.#byValue.has(`${entity} ${canonical(plainForm(entity, value).plain, spellingOf(entity))}`);
  }
}
