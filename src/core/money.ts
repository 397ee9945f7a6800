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
  /** Prices once the prompt is longer than `tokens`; they replace the ones above for the whole exchange. */
  readonly above?: readonly { readonly tokens: number; readonly price: Omit<Price, "above" | "source"> }[];
  /** Where the price is from, for the record: `catalog:openai/gpt-4o-mini@2026-08-06` or `policy`. */
  readonly source: string;
}

const MILLION = 1_000_000n;

/**
 * Cost of a usage in whole nano-dollars: each kind at its own price, summed in BigInt, rounded up once at the end.
 * Never negative; safe as a number below 2^53 (nine million dollars an exchange), else it throws RangeError.
 */
export function costNanoUsd(usage: Usage, price: Price): number {
  const input = usage.inputTokens ?? 0;
  let rates: Omit<Price, "above" | "source"> = price;
  for (const step of price.above ?? []) if (input > step.tokens) rates = step.price;
  // Each part is clamped to what is left of its total, so that a provider that reports nonsense cannot go below zero.
  let inputLeft = input;
  const takeInput = (tokens: number | undefined): number => {
    const taken = Math.min(inputLeft, Math.max(0, tokens ?? 0));
    inputLeft -= taken;
    return taken;
  };
  let outputLeft = usage.outputTokens ?? 0;
  const takeOutput = (tokens: number | undefined): number => {
    const taken = Math.min(outputLeft, Math.max(0, tokens ?? 0));
    outputLeft -= taken;
    return taken;
  };
  let total = 0n;
  const add = (tokens: number, rate: number): void => {
    if (tokens > 0) total += BigInt(tokens) * BigInt(rate);
  };
  add(takeInput(usage.cachedInputTokens), rates.cachedInput ?? rates.input);
  add(takeInput(usage.cacheWrite1hTokens), rates.cacheWrite1h ?? rates.cacheWrite ?? rates.input);
  add(takeInput(usage.cacheWriteTokens), rates.cacheWrite ?? rates.input);
  if (rates.audioInput !== undefined) add(takeInput(usage.audioInputTokens), rates.audioInput);
  if (rates.imageInput !== undefined) add(takeInput(usage.imageInputTokens), rates.imageInput);
  add(inputLeft, rates.input);
  if (rates.reasoning !== undefined) add(takeOutput(usage.reasoningTokens), rates.reasoning);
  if (rates.audioOutput !== undefined) add(takeOutput(usage.audioOutputTokens), rates.audioOutput);
  if (rates.imageOutput !== undefined) add(takeOutput(usage.imageOutputTokens), rates.imageOutput);
  add(outputLeft, rates.output);
  const nano = (total + MILLION - 1n) / MILLION;
  if (nano > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError("cost exceeds 2^53 nano-dollars");
  return Number(nano);
}

/** `0.000123456` for 123456 nano-dollars: exact decimal, no exponent, no trailing zeros beyond the first. */
export function formatUsd(nanoUsd: number): string {
  const digits = String(nanoUsd).padStart(10, "0");
  const fraction = digits.slice(-9).replace(/0+$/, "");
  return fraction === "" ? digits.slice(0, -9) : `${digits.slice(0, -9)}.${fraction}`;
}
