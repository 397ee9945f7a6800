/**
 * What a call may take at most, before it is made: for holds and for caps of cost. Built to be too high rather than too low; what is
 * too much comes back when the call is settled.
 */
import type { ParsedRequest } from "./codec.ts";
import { memoized } from "./memo.ts";
import { costNanoUsd, type Price } from "./money.ts";
import type { Target } from "./policy.ts";
import type { Usage } from "./usage.ts";
import type { RequestView } from "./view.ts";

/** Context of a model whose policy does not say, tokens: what server-side history may bring along. */
export const CONTEXT_TOKENS_DEFAULT = 200_000;

/** References that bring text along which the request does not show; what only asks to keep the answer does not. */
export function bringsHistory(view: RequestView): boolean {
  return view.providerState.some(
    ({ kind, subject }) => kind !== "store" && kind !== "background" && kind !== "container" && subject !== true,
  );
}

/** What of a request changes the prices of its tokens, told from its text without a walk: it may say yes too often. */
export interface PriceHints {
  readonly writesCache: boolean;
  readonly audio: boolean;
  readonly images: boolean;
}
export const NO_HINTS: PriceHints = { writesCache: false, audio: false, images: false };
export function priceHints({ doc }: ParsedRequest): PriceHints {
  const { text } = doc;
  return {
    writesCache: text.includes("cache_control") || text.includes("cachePoint"),
    audio: /"audio"|"AUDIO"|"input_audio"|"audio\//.test(text),
    images: /"IMAGE"|"image_generation"/.test(text),
  };
}

/** Most that a token of each side may cost: parts of a total are not known before the call. */
function dearest(rates: Omit<Price, "above" | "source">, hints: PriceHints): { readonly input: number; readonly output: number } {
  return {
    input: Math.max(
      rates.input,
      hints.writesCache ? Math.max(rates.cacheWrite ?? 0, rates.cacheWrite1h ?? 0) : 0,
      hints.audio ? (rates.audioInput ?? 0) : 0,
      rates.imageInput ?? 0,
    ),
    output: Math.max(
      rates.output,
      rates.reasoning ?? 0,
      hints.audio ? (rates.audioOutput ?? 0) : 0,
      hints.images ? (rates.imageOutput ?? 0) : 0,
    ),
  };
}

/** `worstPrice` and the same without what each call costs, made once for a price and hints. */
const worstOf = memoized((price: Price) => {
  const made = new Map<number, { readonly whole: Price; readonly inputOnly: Price }>();
  return (hints: PriceHints): { readonly whole: Price; readonly inputOnly: Price } => {
    const key = Number(hints.writesCache) + 2 * Number(hints.audio) + 4 * Number(hints.images);
    const known = made.get(key);
    if (known !== undefined) return known;
    const whole = worstPrice(price, hints);
    const { call: _call, ...inputOnly } = whole;
    const worst = { whole, inputOnly };
    made.set(key, worst);
    return worst;
  };
});

/** The price with the dearest kind of each side in its place, so that a usage of totals costs the most it may. */
export function worstPrice(price: Price, hints: PriceHints): Price {
  const plain = (rates: Omit<Price, "above" | "source">): Omit<Price, "above" | "source"> => ({
    ...dearest(rates, hints),
    ...(rates.image === undefined ? {} : { image: rates.image }),
    ...(rates.second === undefined ? {} : { second: rates.second }),
    ...(rates.character === undefined ? {} : { character: rates.character }),
    ...(rates.call === undefined ? {} : { call: rates.call }),
  });
  const above = price.above?.map(({ tokens, price: rates }) => ({ tokens, price: plain(rates) }));
  return { ...plain(price), ...(above === undefined ? {} : { above }), source: price.source };
}

/** The most of one attempt. */
export interface CallSize {
  readonly inputTokens: number;
  /** Over all choices. */
  readonly outputTokens: number;
  readonly expected: RequestView["expected"];
}
export const usageOf = ({ inputTokens, outputTokens, expected }: CallSize): Usage => ({
  ...expected,
  inputTokens: Math.max(inputTokens, expected?.inputTokens ?? 0),
  outputTokens: Math.max(outputTokens, expected?.outputTokens ?? 0),
  reported: {},
});

export interface Forecast {
  readonly usage: Usage;
  readonly tokens: number;
  /** undefined: a target of the chain has no price. */
  readonly nanoUsd: number | undefined;
}

/** The dearest of the chain, with the input of attempts that may be billed without an answer. Sums stop at 2^53 - 1. */
export function forecast(
  size: CallSize,
  chain: readonly Target[],
  options: { readonly hints: PriceHints; readonly lostAttempts: number },
): Forecast {
  const usage = usageOf(size);
  const { inputTokens = 0, outputTokens = 0 } = usage;
  const { hints, lostAttempts } = options;
  let nanoUsd: number | undefined = 0;
  for (const { price } of chain) {
    if (price === undefined) {
      nanoUsd = undefined;
      break;
    }
    const worst = worstOf(price)(hints);
    const lost = lostAttempts === 0 ? 0 : lostAttempts * costNanoUsd({ inputTokens, reported: {} }, worst.inputOnly);
    nanoUsd = Math.max(nanoUsd, costNanoUsd(usage, worst.whole) + lost);
  }
  return {
    usage,
    tokens: Math.min(Number.MAX_SAFE_INTEGER, inputTokens * (1 + lostAttempts) + outputTokens),
    nanoUsd: nanoUsd === undefined ? undefined : Math.min(Number.MAX_SAFE_INTEGER, nanoUsd),
  };
}
