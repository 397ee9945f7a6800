/**
 * The caller's contract, version 1: the fields that an application may send with a call, as headers (`x-ai-use-case`)
 * or, for SDKs that cannot set headers, as members of the body's `metadata` object (`ai_use_case`). Headers win; the
 * credential beats both. Versions are additive.
 */
export const CONTRACT_VERSIONS = ["1"] as const;

interface FieldRow {
  readonly header: string;
  /** Member of the body's `metadata` object. */
  readonly member: string;
  /** A regular expression that every valid value matches whole (linear-time: no nested repeats). */
  readonly pattern: RegExp;
  /** For error texts and the reference. */
  readonly expects: string;
  /** Limiting fields tighten what the call may do; a near-miss of their name is refused, never ignored. */
  readonly limiting: boolean;
}
const name = /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}$/;
const row = (field: string, pattern: RegExp, expects: string, limiting = false): FieldRow => ({
  header: `x-ai-${field}`,
  member: `ai_${field.replaceAll("-", "_")}`,
  pattern,
  expects,
  limiting,
});

export const CONTRACT_FIELDS = {
  contract: row("contract", /^[0-9]{1,4}$/, "a contract version", true),
  tenant: row("tenant", name, "a name of at most 128 letters, digits and . _ : @ / -"),
  app: row("app", name, "a name of at most 128 letters, digits and . _ : @ / -"),
  user: row("user", /^[\x21-\x7e]{1,256}$/, "an id of at most 256 visible ASCII characters"),
  channel: row("channel", name, "a name of at most 128 letters, digits and . _ : @ / -"),
  useCase: row("use-case", name, "a use case of the policy"),
  conversation: row("conversation", /^[\x21-\x7e]{1,256}$/, "an id of at most 256 visible ASCII characters"),
  dataClass: row("data-class", /^(?:public|internal|confidential|restricted)$/, "public, internal, confidential or restricted", true),
  maxTokens: row("max-tokens", /^[1-9][0-9]{0,8}$/, "a whole number of output tokens, at least 1", true),
  maxCostUsd: row("max-cost-usd", /^[0-9]{1,6}(?:\.[0-9]{1,9})?$/, "dollars with at most 9 decimals", true),
  maxLatencyMs: row("max-latency-ms", /^[1-9][0-9]{0,7}$/, "whole milliseconds, at least 1", true),
  modelFamily: row("model-family", name, "a family of the policy"),
  qualityTier: row("quality-tier", /^(?:high|standard|cheap)$/, "high, standard or cheap"),
  region: row("region", name, "a region of the policy", true),
  redactionProfile: row("redaction-profile", name, "a redaction profile of the policy", true),
  retention: row("retention", name, "a retention class of the policy", true),
  untrusted: row("untrusted", /^(?:true|false)$/, "true or false", true),
  piiMode: row("pii-mode", name, "a PII mode of the policy", true),
} as const satisfies Record<string, FieldRow>;

export type ContractField = keyof typeof CONTRACT_FIELDS;
export const CONTRACT_FIELD_NAMES = Object.keys(CONTRACT_FIELDS) as readonly ContractField[];

/** The fields of one call, after headers, body and credential were merged. */
export interface Contract {
  readonly values: Readonly<Partial<Record<ContractField, string>>>;
  /** Names (never values) of `x-ai-*` fields that the table does not know, at most `UNKNOWN_FIELDS_MAX`. */
  readonly unknown: readonly string[];
  /** What is wrong with them: written by us, field names and rules only. The contract stage refuses on any. */
  readonly problems: readonly string[];
}

/** Classes of data, from the least to the most protected. */
export const DATA_CLASSES = ["public", "internal", "confidential", "restricted"] as const;
export type DataClass = (typeof DATA_CLASSES)[number];

/** The more protected of two classes; undefined is below all. */
export function higherClass(one: DataClass | undefined, other: DataClass | undefined): DataClass | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return DATA_CLASSES.indexOf(one) >= DATA_CLASSES.indexOf(other) ? one : other;
}

/** The class that a caller declared; undefined: none. */
export function declaredClass(contract: Contract): DataClass | undefined {
  return DATA_CLASSES.find((known) => known === contract.values.dataClass);
}
