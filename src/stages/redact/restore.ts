import type { Pair } from "./pseudonyms.ts";

/** A stand-in that was found, and what it stands for. */
export interface Restored {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}
interface Node {
  readonly next: Map<number, Node>;
  pair?: Pair;
}

/** Signs that may stand between the letters and digits of a code, at most so many in a row. */
const SEPARATORS = new Set([..." -./()\u00a0\u2010\u2011\u2013"].map((sign) => sign.charCodeAt(0)));
const SEPARATORS_MAX = 2;

/** All stand-ins of an exchange, to be looked for. Made once, used for every lane. */
export class StandIns {
  readonly exact: Node = { next: new Map() };
  readonly code: Node = { next: new Map() };
  readonly isEmpty: boolean;

  constructor(pairs: readonly Pair[]) {
    this.isEmpty = pairs.length === 0;
    for (const pair of pairs) {
      let node = pair.spelling === "exact" ? this.exact : this.code;
      for (let at = 0; at < pair.standIn.length; at++) {
        const code = lower(pair.standIn.charCodeAt(at));
        if (pair.spelling === "code" && !isAlnum(code)) continue;
        let next = node.next.get(code);
        if (next === undefined) {
          next = { next: new Map() };
          node.next.set(code, next);
        }
        node = next;
      }
      node.pair = pair;
    }
  }
}

/**
 * Finds stand-ins in text that is still coming, for every cut the same: spelled as they were given but for case, and codes however they
 * are grouped, each with no letter or digit beside it. Holds back what may still become one.
 */
export class RestoreScan {
  readonly #standIns: StandIns;
  #buffer = "";
  #base = 0;
  #from = 0;

  constructor(standIns: StandIns) {
    this.#standIns = standIns;
  }

  /** Up to here it is known what is a stand-in. */
  get decided(): number {
    return this.#from;
  }

  push(piece: string): readonly Restored[] {
    this.#buffer += piece;
    return this.#step(false);
  }
  end(): readonly Restored[] {
    return this.#step(true);
  }

  #step(ended: boolean): readonly Restored[] {
    const found: Restored[] = [];
    const text = this.#buffer;
    let at = this.#from - this.#base;
    while (at < text.length) {
      const seen = this.#at(text, at, ended);
      if (seen === "open") break;
      if (seen === undefined) {
        at += 1;
        continue;
      }
      found.push({ ...seen, start: seen.start + this.#base, end: seen.end + this.#base });
      at = seen.end;
    }
    this.#from = this.#base + at;
    const keep = Math.max(0, at - 1);
    this.#buffer = text.slice(keep);
    this.#base += keep;
    return found;
  }

  #at(text: string, at: number, ended: boolean): Restored | "open" | undefined {
    const first = text.charCodeAt(at);
    const before = at === 0 ? 32 : text.charCodeAt(at - 1);
    // A number's plus or bracket belongs to it.
    const lead = first === 43 || first === 40 ? 1 : 0;
    if (lead === 0 && (!isAlnum(lower(first)) || isAlnum(lower(before)))) return undefined;
    if (lead === 1 && at + 1 === text.length && !ended) return "open";
    const exact = lead === 1 ? undefined : walk(this.#standIns.exact, text, at, { ended, skips: false });
    const code = walk(this.#standIns.code, text, at + lead, { ended, skips: true });
    if (exact === "open" || code === "open") return "open";
    const best = exact ?? code;
    return best === undefined ? undefined : { start: at, end: best.end, text: spelled(text.slice(at, best.end), best.pair) };
  }
}

/** The longest stand-in that begins here. `open`: more text can tell. */
function walk(
  root: Node,
  text: string,
  from: number,
  { ended, skips }: { readonly ended: boolean; readonly skips: boolean },
): { readonly pair: Pair; readonly end: number } | "open" | undefined {
  let node = root;
  let best: { readonly pair: Pair; readonly end: number } | undefined;
  let skipped = 0;
  for (let at = from; ; at++) {
    const { pair } = node;
    if (at === text.length && !ended && (node.next.size > 0 || (pair !== undefined && skipped === 0)))
      return at === from ? undefined : "open";
    const code = at === text.length ? 32 : lower(text.charCodeAt(at));
    if (pair !== undefined && skipped === 0 && !isAlnum(code)) best = { pair, end: at };
    if (at === text.length) return best;
    if (skips && at > from && skipped < SEPARATORS_MAX && SEPARATORS.has(code)) {
      skipped += 1;
      continue;
    }
    const next = node.next.get(code);
    if (next === undefined) return best;
    node = next;
    skipped = 0;
  }
}

/** The value as the caller spelled it; its digits alone where the stand-in came as digits alone. */
function spelled(found: string, { value, spelling }: Pair): string {
  if (spelling === "exact") return value;
  if (/^[0-9]+$/.test(found)) return value.normalize("NFKC").replaceAll(/[^\p{L}\p{N}]/gu, "");
  const lead = /^[+(]/.exec(found)?.[0];
  return lead === "+" && !value.startsWith("+") ? `+${value}` : value;
}

const isAlnum = (code: number): boolean => (code >= 48 && code <= 57) || (code >= 97 && code <= 122);
const lower = (code: number): number => (code >= 65 && code <= 90 ? code + 32 : code);
