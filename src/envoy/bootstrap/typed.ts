import type { Json } from "../../core/json.ts";

export type JsonRecord = Readonly<Record<string, Json>>;

/** An Envoy extension as configuration names it: `typed_config` is an Any, its type under `@type`. */
export const extension = (name: string, type: string, config: JsonRecord = {}): JsonRecord => ({ name, typed_config: typed(type, config) });

/** A message inside an Any, in Envoy's JSON spelling. */
export const typed = (type: string, config: JsonRecord = {}): JsonRecord => ({ "@type": `type.googleapis.com/${type}`, ...config });

/** A duration in proto JSON: seconds, at most nine decimals, unit `s`. */
export const durationMs = (ms: number): string => `${ms / 1000}s`;

/** `%` starts a command in Envoy's format strings; a literal one is doubled. */
export const literal = (text: string): string => text.replaceAll("%", "%%");
