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
const SEPARATORS = new Set(
  [..." -_\\./(),;:\u00a0\u2007\u2009\u200b\u2010\u2011\u2013\u202f\u2060\u2212\u3000"].map((sign) => sign.charCodeAt(0)),
);
const SEPARATORS_MAX = 3;

/** Words that stand before an extension are in many scripts. */
const LETTER = /\p{L}/u;

/** All stand-ins of an exchange, to be looked for. Made once, used for every lane. */
export class StandIns {
  readonly exact: Node = { next: new Map() };
  readonly code: Node = { next: new Map() };
  readonly isEmpty: boolean;

  constructor(pairs: readonly Pair[]) {
    this.isEmpty = pairs.length === 0;
    for (const pair of pairs) {
      this.#add(pair, pair.standIn);
      for (const encoded of inUrl(pair)) this.#add(encoded, encoded.standIn);
    }
  }

  #add(pair: Pair, standIn: string): void {
    let node = pair.spelling === "exact" ? this.exact : this.code;
    for (let at = 0; at < standIn.length; at++) {
      const code = folded(standIn.charCodeAt(at));
      if (pair.spelling === "code" && !isAlnum(code) && !LETTER.test(standIn.charAt(at))) continue;
      let next = node.next.get(code);
      if (next === undefined) {
        next = { next: new Map() };
        node.next.set(code, next);
      }
      node = next;
    }
    node.pair ??= pair;
  }
}

/** Both as they stand in a URL that the model makes (`?to=k7m2%40example.com`, `?tel=%2B1...`, `?card=4000%200012...`), where that is otherwise than elsewhere. */
function inUrl({ value, standIn, spelling }: Pair): readonly Pair[] {
  // Half of a surrogate pair has no encoding, and no value of such entities has one.
  if (!value.isWellFormed()) return [];
  const forms = spelling === "exact" ? [same] : standIn.startsWith("+") ? [bare, same] : [same];
  const pairs: Pair[] = [];
  for (const form of forms) {
    const encoded = encodeURIComponent(form(standIn));
    if (encoded !== standIn && encoded !== pairs[0]?.standIn)
      pairs.push({ value: encodeURIComponent(form(value)), standIn: encoded, spelling: "exact" });
  }
  return pairs;
}
const same = (text: string): string => text;
/** A number without what parts it. */
const bare = (text: string): string => text.normalize("NFKC").replaceAll(/[^+\p{L}\p{N}]/gu, "");

/**
 * Finds stand-ins in text that is still coming, for every cut the same: spelled as they were given but for case, full-width forms and
 * the digits of other scripts, and codes however they are grouped, each with no letter or digit beside it. Holds back what may still
 * become one.
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
    const first = folded(text.charCodeAt(at));
    const before = at === 0 ? 32 : folded(text.charCodeAt(at - 1));
    // A number's plus or bracket belongs to it.
    const lead = first === 43 || first === 40 ? 1 : 0;
    if (lead === 0 && first !== PERCENT && (!isAlnum(first) || isAlnum(before))) return undefined;
    if (lead === 1 && at + 1 === text.length && !ended) return "open";
    const exact = lead === 1 ? undefined : walk(this.#standIns.exact, text, at, { ended, skips: false });
    const code = first === PERCENT ? undefined : walk(this.#standIns.code, text, at + lead, { ended, skips: true });
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
    const code = at === text.length ? 32 : folded(text.charCodeAt(at));
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
  if (/^\p{Nd}+$/u.test(found)) return value.normalize("NFKC").replaceAll(/[^\p{L}\p{N}]/gu, "");
  const lead = /^[+(\uff0b\uff08]/.exec(found)?.[0];
  return (lead === "+" || lead === "\uff0b") && !value.startsWith("+") ? `+${value}` : value;
}

const isAlnum = (code: number): boolean => (code >= 48 && code <= 57) || (code >= 97 && code <= 122);
/** In small letters, of plain form: full-width signs, and digits of other scripts, which a model uses in their languages. */
function folded(code: number): number {
  if (code < 128) return code >= 65 && code <= 90 ? code + 32 : code;
  if (code >= 0xff01 && code <= 0xff5e) return folded(code - 0xfee0);
  for (const zero of DIGIT_ZEROS) if (code >= zero && code <= zero + 9) return code - zero + 48;
  return code;
}
/** Arabic, Persian, Devanagari, Bengali and Thai (Unicode 17, Nd). */
const DIGIT_ZEROS = [0x660, 0x6f0, 0x966, 0x9e6, 0xe50];
const PERCENT = 37;
