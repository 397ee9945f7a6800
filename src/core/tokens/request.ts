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
 * only where the bound would refuse.
 */
export function overInput(
  view: RequestView,
  families: readonly ModelFamily[],
  { tokensMax, exact }: { readonly tokensMax: number; readonly exact: ExactTokens | undefined },
): number | undefined {
  let most = 0;
  for (const family of new Set(families)) {
    if (requestBound(view, family) > tokensMax) most = Math.max(most, requestTokens(view, family, exact));
  }
  return most > tokensMax ? most : undefined;
}
