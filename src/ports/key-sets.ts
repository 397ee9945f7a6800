import type { KeySets, KeySource } from "../core/credentials.ts";

/** Public keys of token issuers: read in the background, never by a call. */
export interface KeySetPort extends KeySets {
  /** Reads these sources from now on, and no others. What is known of a source that stays is kept. */
  keep(sources: readonly KeySource[]): void;
  /** Resolves when each source was read or has failed once, or after `waitMs`. */
  settled(waitMs: number): Promise<void>;
  /** How each source stands, for status and metrics. */
  status(): readonly KeySetStatus[];
  close(): void;
}
export interface KeySetStatus {
  readonly name: string;
  readonly keys: number;
  /** Age of the keys in use since they were last confirmed, milliseconds; undefined: there are none. */
  readonly ageMs: number | undefined;
  /** Why the last attempt failed; undefined: it did not. */
  readonly failing: string | undefined;
}
