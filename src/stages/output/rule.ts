import type { AnswerGuard, GuardEvidence, LaneReader, Stop, TextEdit } from "../../core/guard.ts";
import type { LaneId } from "../../core/view.ts";
import type { RuleAction } from "./section.ts";

/** What one rule found. */
export interface Hit {
  readonly start: number;
  readonly end: number;
}
/** Looks for what a rule is about, in text that is still coming, the same for every cut. */
export interface Search {
  push(piece: string): readonly Hit[];
  end(): readonly Hit[];
  /** Up to here nothing more will be found; never inside a hit, given or not. */
  readonly decided: number;
}
export interface Rule {
  readonly name: string;
  readonly action: RuleAction;
  readonly replaceWith: string;
  /** It is about addresses of files too. */
  readonly readsAddresses?: true;
  /** Lanes that it is about; absent: all but echoes. */
  reads?(lane: LaneId): boolean;
  open(): Search;
}

/** Units of a block that are read again before the next one, which callers put behind it without a break. No phrase is longer. */
const JOINED_CHARS = 256;

/** The end of what a choice said last. */
interface Tail {
  readonly channel: LaneId["channel"];
  text: string;
}

/** A rule as a guard: what it finds is put out of the text, or ends the answer. */
export function ruleGuard(rule: Rule): AnswerGuard {
  const counts = new Map<string, number>();
  // Of texts that repeat others, or stand beside them: what counts where nothing else broke the rule.
  const beside = new Map<string, number>();
  const tails = new Map<number, Tail>();
  return {
    ...(rule.readsAddresses === true ? { readsAddresses: true } : {}),
    openLane: (lane, _tool, repeats) => {
      const { choice, channel } = lane;
      if (channel === "echo") return undefined;
      const count = (): void => {
        const of = repeats ? beside : counts;
        of.set(channel, (of.get(channel) ?? 0) + 1);
      };
      if (repeats) return rule.reads?.(lane) === false ? undefined : new RuleReader(rule, count, { channel, text: "" });
      const before = tails.get(choice);
      const goesOn = before?.channel === channel && channel !== "tool_arguments";
      const tail = { channel, text: goesOn ? before.text : "" };
      tails.set(choice, tail);
      return rule.reads?.(lane) === false ? undefined : new RuleReader(rule, count, tail);
    },
    evidence: (): GuardEvidence | undefined => {
      const hits = counts.size === 0 ? beside : counts;
      if (hits.size === 0) return undefined;
      const found = [...hits].map(([place, count]) => ({ entity: rule.name, place, action: rule.action, count }));
      return rule.action === "redact"
        ? { verdict: "allow", evidence: { found } }
        : { verdict: "deny", denial: denialOf(rule.name), evidence: { found } };
    },
  };
}

export const denialOf = (name: string) => ({ code: "content_blocked" as const, detail: `The answer breaks the rule ${name}.` });

export function stopOf(name: string, then: Exclude<RuleAction, "redact">, replaceWith: string): Stop {
  const denial = denialOf(name);
  if (then === "refuse") return { kind: "refuse", denial };
  return then === "cut" ? { kind: "filtered", denial } : { kind: "filtered", denial, text: replaceWith };
}

const NO_EDITS: readonly TextEdit[] = [];

class RuleReader implements LaneReader {
  readonly #rule: Rule;
  readonly #search: Search;
  readonly #count: () => void;
  readonly #tail: Tail;
  /** Units of the block before, which the search has read first. */
  readonly #before: number;

  constructor(rule: Rule, count: () => void, tail: Tail) {
    this.#rule = rule;
    this.#search = rule.open();
    this.#count = count;
    this.#tail = tail;
    this.#before = tail.text.length;
    // What lies in it was found there.
    if (this.#before > 0) this.#search.push(tail.text);
  }

  push(text: string) {
    this.#tail.text = text.length < JOINED_CHARS ? (this.#tail.text + text).slice(-JOINED_CHARS) : text.slice(-JOINED_CHARS);
    return this.#step(this.#own(this.#search.push(text)), Math.max(0, this.#search.decided - this.#before));
  }
  end() {
    return this.#step(this.#own(this.#search.end()), Number.POSITIVE_INFINITY);
  }

  /** What reaches into this block, in its offsets. */
  #own(hits: readonly Hit[]): readonly Hit[] {
    const by = this.#before;
    if (by === 0 || hits.length === 0) return hits;
    return hits.filter(({ end }) => end > by).map(({ start, end }) => ({ start: Math.max(0, start - by), end: end - by }));
  }

  #step(hits: readonly Hit[], decided: number) {
    if (hits.length === 0) return { decided, edits: NO_EDITS };
    const { name, action, replaceWith } = this.#rule;
    for (const _hit of hits) this.#count();
    if (action === "redact") return { decided, edits: hits.map(({ start, end }) => ({ start, end, text: `<${name.toUpperCase()}>` })) };
    const first = hits[0];
    return first === undefined
      ? { decided, edits: NO_EDITS }
      : { decided, edits: NO_EDITS, stop: { at: first.start, stop: stopOf(name, action, replaceWith) } };
  }
}

/** Lanes that callers show to people; arguments go to programs. */
export const isShown = ({ channel }: LaneId): boolean => channel !== "tool_arguments";
