import type { ExactTokens } from "../core/tokens/exact.ts";
import type { Encoding } from "../core/tokens/families.ts";

/**
 * The exact tokenizers. Synchronous: they are computation. Loading one takes time and memory once (the adapter says how much), at its
 * first use, or before: `prepare` is for the start, when nobody waits.
 */
export interface TokensPort extends ExactTokens {
  prepare(encodings: Iterable<Encoding>): void;
}

declare module "../core/stage.ts" {
  interface StageStores {
    readonly tokens?: TokensPort;
  }
}
