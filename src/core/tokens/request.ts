import { COUNTED_CHARS_MAX, YIELD_CHARS } from "../limits.ts";
import type { RequestView } from "../view.ts";
import { type ExactTokens, exactCount } from "./exact.ts";
import type { ModelFamily } from "./families.ts";
import { type CountText, inputBound, inputEstimate } from "./input.ts";
import { textTokens } from "./text.ts";

/** Input as it will be billed for a model of this family, tokens. `exact` absent: estimated also where a public tokenizer exists. */
export function requestTokens(view: RequestView, family: ModelFamily, exact: ExactTokens | undefined): number {
  const parts = view.inputParts?.();
  // Fields that nobody knows: a provider may well put them into its prompt.
  const others: string[] = [];
  for (const { place, node } of view.texts()) if (parts === undefined || place === "other") others.push(node.value);
  const estimate: CountText = (text) => textTokens(text, family.rates);
  const other = sum(others, spread(exactCount(family, exact) ?? estimate, charsOf(others)));
  if (parts === undefined) return Math.ceil(other);
  const chars = charsOf(parts.texts);
  const count = exactCount(family, exact);
  return Math.ceil(other) + inputEstimate(parts, family, chars > COUNTED_CHARS_MAX ? spread(count ?? estimate, chars) : count);
}

const sum = (texts: readonly string[], count: CountText): number => texts.reduce((tokens, text) => tokens + count(text), 0);
const charsOf = (texts: readonly string[]): number => texts.reduce((chars, text) => chars + text.length, 0);

/** Text that is counted or passed by at once, UTF-16 units. */
const SPREAD_CHARS = 4_096;

/** `count` for texts of so many characters in all: of more than `COUNTED_CHARS_MAX` pieces are counted, spread evenly, and those behind each are taken at its ratio. */
function spread(count: CountText, chars: number): CountText {
  if (chars <= COUNTED_CHARS_MAX) return count;
  const every = chars / COUNTED_CHARS_MAX;
  let seen = 0;
  let counted = 0;
  /** Of the latest piece that was counted. */
  let ratio = 0;
  return (text) => {
    let of = 0;
    for (let from = 0; from < text.length; from += SPREAD_CHARS) {
      const piece = text.slice(from, from + SPREAD_CHARS);
      if (counted * every <= seen) {
        const found = count(piece);
        of += found;
        counted += piece.length;
        ratio = found / piece.length;
      } else of += piece.length * ratio;
      seen += piece.length;
    }
    return of;
  };
}

/** A bound of the same, cheap and never too low for what the request itself holds: the UTF-8 bytes of its texts, and its format's share. */
export function requestBound(view: RequestView, family: ModelFamily): number {
  const parts = view.inputParts?.();
  let other = 0;
  for (const { place, node } of view.texts()) if (parts === undefined || place === "other") other += Buffer.byteLength(node.value);
  return other + (parts === undefined ? 0 : inputBound(parts, family));
}

/**
 * By how much a request is over a limit of input, tokens of the family that makes most of it; undefined where it fits. Tokens are counted
 * only where the bound would refuse, and of a long request that is far over no further than that shows (`more`): so the work is bounded
 * by the limit, not by the body.
 */
export function overInput(
  view: RequestView,
  families: readonly ModelFamily[],
  { tokensMax, exact }: { readonly tokensMax: number; readonly exact: ExactTokens | undefined },
): { readonly tokens: number; readonly more: boolean } | undefined {
  let most = 0;
  for (const family of new Set(families)) {
    const bound = requestBound(view, family);
    if (bound <= tokensMax) continue;
    const least = bound <= YIELD_CHARS ? undefined : farOver(view, family, { tokensMax, exact });
    if (least !== undefined) return { tokens: least, more: true };
    most = Math.max(most, requestTokens(view, family, exact));
  }
  return most > tokensMax ? { tokens: most, more: false } : undefined;
}

/** Characters that are counted at once. Each border between two pieces may add a token. */
const PIECE_CHARS = 16_384;
/** Well above what the borders add. */
const FAR = 1.05;

/** Tokens of the first texts as soon as they are far over the limit; undefined: all of them together are not. */
function farOver(
  view: RequestView,
  family: ModelFamily,
  { tokensMax, exact }: { readonly tokensMax: number; readonly exact: ExactTokens | undefined },
): number | undefined {
  const count = exactCount(family, exact) ?? ((text: string) => textTokens(text, family.rates));
  const parts = view.inputParts?.();
  let tokens = 0;
  const isFar = (text: string): boolean => {
    for (let from = 0; from < text.length; from += PIECE_CHARS) {
      tokens += count(text.slice(from, from + PIECE_CHARS));
      if (tokens > tokensMax * FAR) return true;
    }
    return false;
  };
  for (const text of parts?.texts ?? []) if (isFar(text)) return Math.floor(tokens);
  for (const { place, node } of view.texts())
    if ((parts === undefined || place === "other") && isFar(node.value)) return Math.floor(tokens);
  return undefined;
}
