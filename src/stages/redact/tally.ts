import type { FoundCount } from "../../core/record.ts";

/** What was found and what became of it, for the record: by entity, place and action, with a keyed digest of the values. */
export class Tally {
  readonly #counts = new Map<string, { entity: string; place: string; action: string; count: number; values: string[] }>();

  note(entity: string, place: string, action: string, value: string): void {
    const key = `${entity} ${place} ${action}`;
    let entry = this.#counts.get(key);
    if (entry === undefined) {
      entry = { entity, place, action, count: 0, values: [] };
      this.#counts.set(key, entry);
    }
    entry.count += 1;
    if (entry.values.length < VALUES_MAX) entry.values.push(value);
  }

  /** Notes what another has, but for values that are here already. */
  noteMissing(other: Tally): void {
    const known = new Set([...this.#counts.values()].flatMap(({ entity, values }) => values.map((value) => `${entity} ${value}`)));
    for (const { entity, place, action, values } of other.#counts.values())
      for (const value of values) {
        if (known.has(`${entity} ${value}`)) continue;
        known.add(`${entity} ${value}`);
        this.note(entity, place, action, value);
      }
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }
  get entities(): readonly string[] {
    return [...new Set([...this.#counts.values()].map(({ entity }) => entity))];
  }

  /** Kinds of what one of these actions was done with. */
  entitiesOf(actions: readonly string[]): readonly string[] {
    return [...new Set([...this.#counts.values()].filter(({ action }) => actions.includes(action)).map(({ entity }) => entity))];
  }

  /** Kinds of what was found, but for what only had this done with it. */
  entitiesBut(action: string): readonly string[] {
    return [...new Set([...this.#counts.values()].filter((entry) => entry.action !== action).map(({ entity }) => entity))];
  }

  found(digest: (text: string) => string): readonly FoundCount[] {
    return [...this.#counts.values()].map(({ values, ...entry }) => ({
      ...entry,
      digest: digest(values.join("\0")).slice(0, DIGEST_CHARS),
    }));
  }
}

/** Values that one digest covers; more are counted. */
const VALUES_MAX = 1_000;
/** Hex digits of a digest in a record: 128 bits. */
const DIGEST_CHARS = 32;
