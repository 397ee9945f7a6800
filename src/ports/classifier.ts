/**
 * A classifier of prompts beside the built-in score: a moderation endpoint, a Prompt-Guard-like server, a model as a judge.
 * Texts leave this process, so policies name it on purpose. Adapters bound their queue and their answers' size.
 */

import type { Result } from "../core/result.ts";
import type { PortError } from "../core/stage.ts";

export interface ClassifierText {
  readonly text: string;
  /** Whose words they are: `untrusted` came from tools or documents, which have nothing to command. */
  readonly position: "user" | "untrusted";
}
export interface Classified {
  /** How likely an attack, 0 to 1. */
  readonly score: number;
  /** The classifier's own name for it: a plain name of at most 64 characters, never content. */
  readonly label: string;
}
export interface ClassifierPort {
  /** One answer a text, in order. Errors: `timeout` when `signal` ended it, `unavailable`, `corrupt` for an answer that is none. */
  classify(texts: readonly ClassifierText[], signal: AbortSignal): Promise<Result<readonly Classified[], PortError>>;
}

declare module "../core/stage.ts" {
  interface StageStores {
    readonly classifier?: ClassifierPort;
  }
}
