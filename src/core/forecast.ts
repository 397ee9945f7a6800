/**
 * What a call may take at most, before it is made: for holds and for caps of cost. Built to be too high rather than too low; what is
 * too much comes back when the call is settled.
 */
import type { ParsedRequest } from "./codec.ts";
import { type JsonDoc, type JsonNode, member } from "./json.ts";
import { memoized } from "./memo.ts";
import { costNanoUsd, type Price, priceInTier, type Rates } from "./money.ts";
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
  /** Searches that it may have the provider run; 0 where it offers none. */
  readonly queries: number;
  /** The service tier that it asks for, in the provider's words. */
  readonly tier: string | undefined;
}
export const NO_HINTS: PriceHints = { writesCache: false, audio: false, images: false, queries: 0, tier: undefined };
/** Searches held for a call whose tool says no most of its own. */
const QUERIES_ASSUMED = 5;
const AUDIO = /"audio"|"AUDIO"|"input_audio"|"audio\//;
const IMAGES = /"IMAGE"|"image_generation"/;
/** In the names of OpenAI's models that search once in each call (`gpt-4o-search-preview-2025-03-11`, `gpt-5-search-api`). */
export const SEARCHING_MODEL: RegExp = /-search-(?:preview|api)\b/;
const SEARCHES = new RegExp(`"(?:web_search[a-z0-9_]*|google_?search[a-z_]*|search_parameters)"|${SEARCHING_MODEL.source}`, "i");
const TIER = /^[a-z_]{1,32}$/i;

/** Each is looked for when it is first asked for: most prices have no kind that it would change. */
export const priceHints = (request: ParsedRequest): PriceHints => new TextHints(request);

class TextHints implements PriceHints {
  readonly #doc: JsonDoc;
  #writesCache: boolean | undefined;
  #audio: boolean | undefined;
  #images: boolean | undefined;
  #queries: number | undefined;
  readonly tier: string | undefined;
  constructor(request: ParsedRequest) {
    this.#doc = request.doc;
    this.tier = tierAsked(request);
  }
  get writesCache(): boolean {
    const { text } = this.#doc;
    this.#writesCache ??= text.includes("cache_control") || text.includes("cachePoint");
    return this.#writesCache;
  }
  get audio(): boolean {
    this.#audio ??= AUDIO.test(this.#doc.text);
    return this.#audio;
  }
  get images(): boolean {
    this.#images ??= IMAGES.test(this.#doc.text);
    return this.#images;
  }
  get queries(): number {
    const { text } = this.#doc;
    this.#queries ??= text.includes("earch") && SEARCHES.test(text) ? queriesIn(text) : 0;
    return this.#queries;
  }
}

/** Which hints change what a price comes to. */
interface Kinds {
  readonly writesCache: boolean;
  readonly audio: boolean;
  readonly images: boolean;
  readonly queries: boolean;
}
const kindsOf = memoized((price: Price): Kinds => {
  const all: readonly Rates[] = [price, ...(price.above ?? []).map((step) => step.price)];
  const some = (...kinds: readonly (keyof Rates)[]): boolean => all.some((rates) => kinds.some((kind) => rates[kind] !== undefined));
  return {
    writesCache: some("cacheWrite", "cacheWrite1h"),
    audio: some("audioInput", "audioOutput"),
    images: some("imageOutput"),
    queries: some("query"),
  };
});

/** The service tier that a request asks for: by a header, else each dialect says it at the top of its body. */
export function tierAsked({ doc: { root }, facts }: Pick<ParsedRequest, "doc" | "facts">): string | undefined {
  if (facts.tier !== undefined) return facts.tier;
  if (textOf(member(root, "speed")) === "fast") return "fast";
  if (textOf(member(member(root, "performanceConfig"), "latency")) === "optimized") return "optimized";
  const tier = member(root, "service_tier") ?? member(root, "serviceTier");
  const name = textOf(tier) ?? textOf(member(tier, "type"));
  return name !== undefined && TIER.test(name) ? name.toLowerCase() : undefined;
}
const textOf = (node: JsonNode | undefined): string | undefined => (node?.kind === "string" ? node.value : undefined);

function queriesIn(text: string): number {
  let most: number | undefined;
  for (const [, uses] of text.matchAll(/"max_uses"\s*:\s*(\d{1,6})/g)) most = (most ?? 0) + Number(uses);
  return most ?? QUERIES_ASSUMED;
}

/** Most that a token of each side may cost: parts of a total are not known before the call. */
function dearest(rates: Rates, hints: PriceHints): { readonly input: number; readonly output: number } {
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

/** `worstPrice` and the same without what each call costs, made once for a price and the hints that change it. */
const worstOf = memoized((price: Price) => {
  const kinds = kindsOf(price);
  const made = new Map<number, { readonly whole: Price; readonly inputOnly: Price }>();
  return (hints: PriceHints): { readonly whole: Price; readonly inputOnly: Price } => {
    const key =
      Number(kinds.writesCache && hints.writesCache) + 2 * Number(kinds.audio && hints.audio) + 4 * Number(kinds.images && hints.images);
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
  const plain = (rates: Rates): Rates => ({
    ...dearest(rates, hints),
    ...(rates.image === undefined ? {} : { image: rates.image }),
    ...(rates.second === undefined ? {} : { second: rates.second }),
    ...(rates.character === undefined ? {} : { character: rates.character }),
    ...(rates.query === undefined ? {} : { query: rates.query }),
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
  const { hints, lostAttempts } = options;
  const known = usageOf(size);
  const prices = chain.flatMap(({ price: usual }) => (usual === undefined ? [] : (priceInTier(usual, hints.tier) ?? [])));
  const queries = prices.some((price) => kindsOf(price).queries) ? hints.queries : 0;
  const usage = queries === 0 ? known : { ...known, queries: Math.max(queries, known.queries ?? 0) };
  const { inputTokens = 0, outputTokens = 0 } = usage;
  let nanoUsd = 0;
  for (const price of prices) {
    const worst = worstOf(price)(hints);
    const lost = lostAttempts === 0 ? 0 : lostAttempts * costNanoUsd({ inputTokens, reported: {} }, worst.inputOnly);
    nanoUsd = Math.max(nanoUsd, costNanoUsd(usage, worst.whole) + lost);
  }
  return {
    usage,
    tokens: Math.min(Number.MAX_SAFE_INTEGER, inputTokens * (1 + lostAttempts) + outputTokens),
    nanoUsd: prices.length < chain.length ? undefined : Math.min(Number.MAX_SAFE_INTEGER, nanoUsd),
  };
}
