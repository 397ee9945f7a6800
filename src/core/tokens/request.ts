import { YIELD_CHARS } from "../limits.ts";
import type { RequestView } from "../view.ts";
import { type ExactTokens, exactCount } from "./exact.ts";
import type { ModelFamily } from "./families.ts";
import { inputBound, inputEstimate } from "./input.ts";
import { textTokens } from "./text.ts";

/** Input as it will be billed for a model of this family, tokens. `exact` absent: estimated also where a public tokenizer exists. */
export function requestTokens(view: RequestView, family: ModelFamily, exact: ExactTokens | undefined): number {
  const parts = view.inputParts?.();
  const count = exactCount(family, exact) ?? ((text: string) => textTokens(text, family.rates));
  // Fields that nobody knows: a provider may well put them into its prompt.
  let other = 0;
  for (const { place, node } of view.texts()) if (parts === undefined || place === "other") other += count(node.value);
  return Math.ceil(other) + (parts === undefined ? 0 : inputEstimate(parts, family, exactCount(family, exact)));
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
