import type { ExactTokens } from "../core/tokens/exact.ts";

/**
 * The exact tokenizers. Synchronous: they are computation. Loading one takes time and memory once, at its first use (`load` of the
 * adapter says how much), so ask only where an estimate will not do.
 */
export type TokensPort = ExactTokens;

declare module "../core/stage.ts" {
  interface StageStores {
    readonly tokens?: TokensPort;
  }
}
