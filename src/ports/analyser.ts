/**
 * A service that finds entities in text, beside the built-in detectors: Presidio, or any that speaks the shape of docs/analysers.md.
 * Texts leave this process, so policies name it on purpose. Adapters bound queue, sizes and time.
 */
import type { Finding } from "../core/detector.ts";
import type { Result } from "../core/result.ts";
import type { PortError } from "../core/stage.ts";
import type { RemoteSettings } from "./remote.ts";

export interface AnalyseAsk {
  /** ISO 639-1, as the service names it: `en`. */
  readonly language: string;
  /** Entities to look for, by the policy's names; others that are found are left out. */
  readonly entities: ReadonlySet<string>;
}
export interface AnalyserPort {
  /** What it may report, by the policy's names. */
  readonly entities: readonly string[];
  /**
   * Findings of each text, in order of texts and of `start`, UTF-16 offsets; two of different entities may overlap. Errors: `timeout`,
   * `unavailable` (dead, refused, too much to ask for), `corrupt` for an answer that cannot be true.
   */
  analyse(texts: readonly string[], ask: AnalyseAsk, signal: AbortSignal): Promise<Result<readonly (readonly Finding[])[], PortError>>;
}
/** The analysers of the policy in force. */
export interface AnalysersPort {
  find(name: string): AnalyserPort | undefined;
}

export interface AnalyserSettings extends RemoteSettings {
  /** Whose shape it speaks: Presidio's, or the one of docs/analysers.md. */
  readonly kind: "presidio" | "generic";
  /** Its names for entities, and ours. */
  readonly entities: ReadonlyMap<string, string>;
  /** Several texts in one call. */
  readonly batch: boolean;
  /** Less sure findings are not asked for, 0 to 1. */
  readonly minScore: number;
}

declare module "../core/stage.ts" {
  interface StageStores {
    readonly analysers?: AnalysersPort;
  }
}
