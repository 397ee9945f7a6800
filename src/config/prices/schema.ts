import { z } from "zod";
import { nanoUsdPerMillion } from "./price.ts";

/** Dollars for one million units, as decimal text or number; at most nine decimals, so that nano-dollars hold it exactly. */
const usd = z
  .union([z.number(), z.string()])
  .refine(
    (value) => nanoUsdPerMillion(value) !== undefined,
    "must be dollars, at most seven digits before and nine after the point -> write for example 0.15",
  )
  .describe("US dollars per million units.");
/** Nano-dollars of a million of them must stay below 2^53. */
const eachUsd = usd.refine((value) => Number(value) <= 9, "must be at most 9 dollars each -> write for example 0.04");
const rates = {
  input: usd.optional().describe("US dollars per million input tokens; 0 where another unit has the price."),
  output: usd.optional().describe("US dollars per million output tokens; 0 where absent."),
  cachedInput: usd.optional().describe("Input read from the provider's prompt cache; the input price where absent."),
  cacheWrite: usd.optional().describe("Input written to the prompt cache; the input price where absent."),
  cacheWrite1h: usd.optional().describe("Input written to the prompt cache for an hour; cacheWrite where absent."),
  reasoning: usd.optional().describe("Hidden reasoning; the output price where absent."),
  audioInput: usd.optional(),
  audioOutput: usd.optional(),
  imageInput: usd.optional(),
  imageOutput: usd.optional(),
  image: eachUsd.optional().describe("US dollars for each image made, for models that are not priced by tokens (DALL-E)."),
  second: eachUsd.optional().describe("US dollars for each second of audio (Whisper: 0.0001)."),
  character: usd.optional().describe("US dollars per million characters spoken (tts-1: 15)."),
  query: eachUsd
    .optional()
    .describe("US dollars for each search that the provider runs for the call: on the web (Anthropic: 0.01), or a unit of a rerank."),
  call: eachUsd.optional().describe("US dollars for each answered call."),
};
const above = z
  .array(z.strictObject({ tokens: z.int().min(1), ...rates }))
  .max(8)
  .optional()
  .describe("Prices for the whole call once its input is longer than `tokens`.");
const amounts = ({ input, image, second, character, query, call }: Readonly<Partial<Record<keyof typeof rates, unknown>>>): boolean =>
  [input, image, second, character, query, call].some((amount) => amount !== undefined);
const NO_AMOUNT = "has no amount -> write input: 0.15, or image, second, character, query or call";
const inlinePrice = z
  .strictObject({
    base: z
      .literal("catalog")
      .optional()
      .describe("The bundled list has the kinds that are not written here; an error where it has no price."),
    ...rates,
    above,
    tiers: z
      .record(z.string().regex(/^[a-z][a-z_]{0,31}$/), z.strictObject({ ...rates, above }).refine(amounts, NO_AMOUNT))
      .optional()
      .describe(
        "Prices of calls in another service tier, by the provider's name of it (priority, flex, batch, fast): whole, in place of the others. Without one a dearer tier (priority, fast, ultrafast, and optimized, a low latency of Bedrock) has no price, and every other is charged as the usual one.",
      ),
  })
  .refine((price) => price.base !== undefined || amounts(price), NO_AMOUNT);
export const price = z
  .union([z.literal("catalog"), inlinePrice])
  .describe(
    "`catalog`: the bundled price list, an error where it has none. Or prices of your own. Absent: the list's price if it has one.",
  );
export type InlinePrice = z.infer<typeof inlinePrice>;
export type PriceSetting = z.infer<typeof price>;
