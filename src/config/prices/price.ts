import { type NanoUsdPerMillion, type Price, parseUsd, type Rates } from "../../core/money.ts";
import type { InlinePrice } from "./schema.ts";

/**
 * Dollars per million units as nano-dollars per million units, exactly: decimal text is shifted, not multiplied.
 * undefined where nine decimals do not hold it, or it is no amount.
 */
export const nanoUsdPerMillion = (usd: number | string): NanoUsdPerMillion | undefined => parseUsd(usd);

const KINDS = [
  ...(["cachedInput", "cacheWrite", "cacheWrite1h", "reasoning"] as const),
  ...(["audioInput", "audioOutput", "imageInput", "imageOutput", "character"] as const),
] as const;
/** Written in dollars for one. */
const EACH = ["image", "second", "query", "call"] as const;
const MILLION = 1_000_000;

type Written = Pick<InlinePrice, (typeof KINDS)[number] | (typeof EACH)[number] | "above"> & {
  readonly input?: InlinePrice["input"];
  readonly output?: InlinePrice["output"];
};

/** A price written in the policy, which its schema has checked; `base`: the list's, for the kinds that it does not write. */
export function inlinePrice(price: InlinePrice, base: Price | undefined): Price {
  const tiers = Object.entries(price.tiers ?? {}).map(([name, own]) => [name, stepped(own)] as const);
  const whole = base === undefined ? stepped(price) : onTop(price, base);
  return tiers.length === 0 ? whole : { ...whole, tiers: new Map(tiers) };
}

function stepped(price: Written): Omit<Price, "tiers"> {
  const steps = price.above?.map((step) => ({ tokens: step.tokens, price: ratesOf(step) })).sort((a, b) => a.tokens - b.tokens);
  return { ...ratesOf(price), ...(steps === undefined ? {} : { above: steps }), source: "policy" };
}

/** The list's price with what the policy writes in place of its kinds, also for long prompts unless it has steps of its own. */
function onTop(price: InlinePrice, base: Price): Price {
  const { input, output, ...others } = stepped(price);
  const { above, source: _policy, ...kinds } = others;
  const own = { ...kinds, ...(price.input === undefined ? {} : { input }), ...(price.output === undefined ? {} : { output }) };
  const steps = above ?? base.above?.map((step) => ({ tokens: step.tokens, price: { ...step.price, ...own } }));
  return { ...base, ...own, ...(steps === undefined ? {} : { above: steps }), source: `${base.source}, policy` };
}

function ratesOf(price: Written): Rates {
  const optional: { [Kind in (typeof KINDS)[number] | (typeof EACH)[number]]?: NanoUsdPerMillion } = {};
  for (const kind of KINDS) {
    const usd = price[kind];
    if (usd !== undefined) optional[kind] = exact(usd);
  }
  for (const kind of EACH) {
    const usd = price[kind];
    if (usd !== undefined) optional[kind] = exact(usd) * MILLION;
  }
  return { input: exact(price.input ?? 0), output: exact(price.output ?? 0), ...optional };
}

function exact(usd: number | string): NanoUsdPerMillion {
  const nano = nanoUsdPerMillion(usd);
  if (nano === undefined) throw new RangeError("price was not checked by the schema");
  return nano;
}
