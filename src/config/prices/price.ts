import { type NanoUsdPerMillion, type Price, parseUsd } from "../../core/money.ts";
import type { InlinePrice } from "./schema.ts";

/**
 * Dollars per million units as nano-dollars per million units, exactly: decimal text is shifted, not multiplied.
 * undefined where nine decimals do not hold it, or it is no amount.
 */
export const nanoUsdPerMillion = (usd: number | string): NanoUsdPerMillion | undefined => parseUsd(usd);

type Rates = Omit<Price, "above" | "source">;
const KINDS = [
  ...(["cachedInput", "cacheWrite", "cacheWrite1h", "reasoning"] as const),
  ...(["audioInput", "audioOutput", "imageInput", "imageOutput", "character"] as const),
] as const;
/** Written in dollars for one. */
const EACH = ["image", "second", "call"] as const;
const MILLION = 1_000_000;

/** A price written in the policy, which its schema has checked. */
export function inlinePrice(price: InlinePrice): Price {
  const steps = price.above?.map((step) => ({ tokens: step.tokens, price: ratesOf(step) })).sort((a, b) => a.tokens - b.tokens);
  return { ...ratesOf(price), ...(steps === undefined ? {} : { above: steps }), source: "policy" };
}

function ratesOf(price: Omit<InlinePrice, "above">): Rates {
  const optional: { [Kind in (typeof KINDS)[number] | (typeof EACH)[number]]?: NanoUsdPerMillion } = {};
  for (const kind of KINDS) {
    const usd = price[kind];
    if (usd !== undefined) optional[kind] = exact(usd);
  }
  for (const kind of EACH) {
    const usd = price[kind];
    if (usd !== undefined) optional[kind] = exact(usd) * MILLION;
  }
  return { input: exact(price.input ?? 0), output: exact(price.output), ...optional };
}

function exact(usd: number | string): NanoUsdPerMillion {
  const nano = nanoUsdPerMillion(usd);
  if (nano === undefined) throw new RangeError("price was not checked by the schema");
  return nano;
}
