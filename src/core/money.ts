import type { Usage } from "./usage.ts";

/** Nano-dollars (1e-9 USD) for one million units. Whole, so that a sum is exact. */
export type NanoUsdPerMillion = number;

/** Prices of one target. A kind that is absent is charged as the kind it is part of. */
export interface Price {
  readonly input: NanoUsdPerMillion;
  readonly output: NanoUsdPerMillion;
  readonly cachedInput?: NanoUsdPerMillion;
  readonly cacheWrite?: NanoUsdPerMillion;
  readonly cacheWrite1h?: NanoUsdPerMillion;
  readonly reasoning?: NanoUsdPerMillion;
  readonly audioInput?: NanoUsdPerMillion;
  readonly audioOutput?: NanoUsdPerMillion;
  readonly imageInput?: NanoUsdPerMillion;
  readonly imageOutput?: NanoUsdPerMillion;
  /** Million images, seconds of audio, characters spoken, searches, answered calls: charged beside tokens, nothing where absent. */
  readonly image?: NanoUsdPerMillion;
  readonly second?: NanoUsdPerMillion;
  readonly character?: NanoUsdPerMillion;
  readonly query?: NanoUsdPerMillion;
  readonly call?: NanoUsdPerMillion;
  /** Prices once the prompt is longer than `tokens`; they replace the ones above for the whole exchange. */
  readonly above?: readonly { readonly tokens: number; readonly price: Rates }[];
  /** Prices of calls that are served in another way than the usual, by the provider's name of it (`priority`, `flex`); whole, in place of the others. */
  readonly tiers?: ReadonlyMap<string, Omit<Price, "tiers">>;
  /** Where the price is from, for the record: `catalog:openai/gpt-4o-mini@2026-08-06` or `policy`. */
  readonly source: string;
}

/** Kinds and what they cost. */
export type Rates = Omit<Price, "above" | "source" | "tiers">;

const MILLION = 1_000_000n;

/** Names of what the price is of. */
const USUAL_TIERS: ReadonlySet<string> = new Set(["default", "standard", "standard_only", "auto", "on_demand", "unspecified"]);
/** What costs more than the usual at every provider that has it; `optimized`: Bedrock's word for a low latency. */
const DEARER_TIERS: ReadonlySet<string> = new Set(["priority", "fast", "ultrafast", "optimized"]);

/**
 * The price in a service tier. undefined: it costs more than the usual, and nobody says how much. A tier that costs less (`flex`, `batch`)
 * without a price of its own is charged as the usual one.
 */
export function priceInTier(price: Price, tier: string | undefined): Price | undefined {
  if (tier === undefined) return price;
  const name = tier.toLowerCase();
  const own = price.tiers?.get(name);
  if (own !== undefined) return own;
  return USUAL_TIERS.has(name) || !DEARER_TIERS.has(name) ? price : undefined;
}

/**
 * Cost of a usage in whole nano-dollars: each kind at its own price, summed in BigInt, rounded up once at the end.
 * Never throws and never leaves 0 to 2^53 (nine million dollars an exchange), whatever a provider reports: parts are cut to
 * what is left of their total, fractions count as a whole unit, what is no count (negative, infinite) counts as none, and
 * past 2^53 the cost stands still.
 */
export function costNanoUsd(usage: Usage, price: Price): number {
  const input = count(usage.inputTokens);
  const rates = ratesFor(price, input);
  // What is billed apart from the totals has no parts: kinds are of the totals.
  const parts: Partial<Usage> = usage.billedInputTokens === undefined && usage.billedOutputTokens === undefined ? usage : {};
  let inputLeft = usage.billedInputTokens === undefined ? input : count(usage.billedInputTokens);
  const takeInput = (tokens: number | undefined): number => {
    const taken = Math.min(inputLeft, count(tokens));
    inputLeft -= taken;
    return taken;
  };
  let outputLeft = count(usage.billedOutputTokens ?? usage.outputTokens);
  const takeOutput = (tokens: number | undefined): number => {
    const taken = Math.min(outputLeft, count(tokens));
    outputLeft -= taken;
    return taken;
  };
  const total = new Total();
  const add = (tokens: number, rate: number): void => {
    if (tokens > 0) total.add(tokens, rate);
  };
  add(takeInput(parts.cachedInputTokens), rates.cachedInput ?? rates.input);
  add(takeInput(parts.cacheWrite1hTokens), rates.cacheWrite1h ?? rates.cacheWrite ?? rates.input);
  add(takeInput(parts.cacheWriteTokens), rates.cacheWrite ?? rates.input);
  if (rates.audioInput !== undefined) add(takeInput(parts.audioInputTokens), rates.audioInput);
  if (rates.imageInput !== undefined) add(takeInput(parts.imageInputTokens), rates.imageInput);
  add(inputLeft, rates.input);
  if (rates.reasoning !== undefined) add(takeOutput(parts.reasoningTokens), rates.reasoning);
  if (rates.audioOutput !== undefined) add(takeOutput(parts.audioOutputTokens), rates.audioOutput);
  if (rates.imageOutput !== undefined) add(takeOutput(parts.imageOutputTokens), rates.imageOutput);
  add(outputLeft, rates.output);
  addApart(usage, price, add);
  add(count(usage.images), rates.image ?? 0);
  add(count(usage.seconds), rates.second ?? 0);
  add(count(usage.characters), rates.character ?? 0);
  add(count(usage.queries), rates.query ?? 0);
  add(1, rates.call ?? 0);
  return total.nanoUsd();
}

/** By the length of the prompt. */
function ratesFor(price: Price, input: number): Rates {
  let rates: Rates = price;
  for (const step of price.above ?? []) if (input > step.tokens) rates = step.price;
  return rates;
}

/** What passes beside the answer took. */
function addApart(usage: Usage, price: Price, add: (tokens: number, rate: number) => void): void {
  const input = count(usage.apartInputTokens);
  if (input === 0) return;
  const rates = ratesFor(price, input);
  const cached = Math.min(input, count(usage.apartCachedInputTokens));
  add(cached, rates.cachedInput ?? rates.input);
  add(input - cached, rates.input);
  add(count(usage.apartOutputTokens), rates.output);
}

/** A sum of tokens times rates, whole: in numbers as long as they hold it exactly, which is for nearly every call, then in BigInt. */
class Total {
  #small = 0;
  #large = 0n;

  add(tokens: number, rate: number): void {
    const part = tokens * rate;
    // Below 2^53 neither product nor sum was rounded.
    if (this.#small + part <= Number.MAX_SAFE_INTEGER) this.#small += part;
    else this.#large += BigInt(tokens) * BigInt(rate);
  }

  /** Rounded up once, and no more than 2^53 - 1. */
  nanoUsd(): number {
    if (this.#large === 0n) {
      const rest = this.#small % 1_000_000;
      return (this.#small - rest) / 1_000_000 + (rest > 0 ? 1 : 0);
    }
    const nano = (this.#large + BigInt(this.#small) + MILLION - 1n) / MILLION;
    return nano > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(nano);
  }
}

/**
 * Does the usage hold what the price charges for: tokens where tokens cost something, else the images, seconds or characters
 * that do? A usage that does not must be estimated. Without a price anything measured will do.
 */
export function isMeasured(usage: Usage, price: Price | undefined): boolean {
  const counted = { image: usage.images, second: usage.seconds, character: usage.characters, query: usage.queries };
  const hasTokens = usage.inputTokens !== undefined;
  if (price === undefined) return hasTokens || Object.values(counted).some((figure) => figure !== undefined);
  const tokensCost = price.input > 0 || price.output > 0;
  // Searches beside tokens come or do not come; where they are all that is priced, they must be counted.
  const units = (["image", "second", "character", "query"] as const).filter(
    (kind) => price[kind] !== undefined && (kind !== "query" || !tokensCost),
  );
  if (units.length === 0) return hasTokens || (price.call !== undefined && !tokensCost);
  return (hasTokens && tokensCost) || units.every((kind) => counted[kind] !== undefined);
}

/** A reported figure as a count of whole units. */
function count(tokens: number | undefined): number {
  return tokens === undefined || !Number.isFinite(tokens) || tokens <= 0 ? 0 : Math.ceil(tokens);
}

/** `0.000123456` for 123456 nano-dollars: exact decimal, no exponent, no trailing zeros beyond the first. */
export function formatUsd(nanoUsd: number): string {
  if (nanoUsd < 0) return `-${formatUsd(-nanoUsd)}`;
  const rest = nanoUsd % NANO;
  const whole = String((nanoUsd - rest) / NANO);
  if (rest === 0) return whole;
  const digits = String(NANO + rest);
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === ZERO) end -= 1;
  return `${whole}.${digits.slice(1, end)}`;
}
const NANO = 1_000_000_000;
const ZERO = 48;

/** Dollars in decimal text, at most nine decimals, as whole nano-dollars; undefined: no such amount, or 2^53 and more (nine million dollars). */
export function parseUsd(usd: string | number): number | undefined {
  const text = typeof usd === "number" ? plainDecimal(usd) : usd;
  const match = /^([0-9]{1,7})(?:\.([0-9]{1,9}))?$/.exec(text);
  if (match === null) return undefined;
  const [, whole = "0", fraction = ""] = match;
  const nano = BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
  return nano > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(nano);
}

/** The shortest decimal that reads back as this number, without an exponent. */
function plainDecimal(value: number): string {
  const text = String(value);
  const match = /^([0-9])(?:\.([0-9]+))?e-([0-9]+)$/.exec(text);
  if (match === null) return text;
  const [, lead = "", rest = "", exponent = ""] = match;
  return `0.${"0".repeat(Number(exponent) - 1)}${lead}${rest}`;
}
