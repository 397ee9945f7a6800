import type { KeySets, Presented } from "../../src/core/credentials.ts";
import type { DenialCode } from "../../src/core/denials.ts";
import type { Principal } from "../../src/core/policy.ts";
import type { PolicySnapshot } from "../../src/core/snapshot.ts";

export const NO_KEY_SETS: KeySets = { current: () => undefined, refresh: () => Promise.resolve() };

/** A call that shows these keys or tokens, and nothing else. */
export const presented = (secrets: readonly string[], more: Partial<Presented> = {}): Presented => ({
  head: { get: () => undefined },
  query: new URLSearchParams(),
  secrets,
  peer: undefined,
  ...more,
});

/** The principal behind an API key, or the code of the refusal. */
export function byKey(snapshot: PolicySnapshot, key: string, nowMs: number): Principal | DenialCode {
  const proof = snapshot.authenticate(presented([key]), { now: () => nowMs, keySets: NO_KEY_SETS });
  if (proof instanceof Promise) throw new Error("an API key needs no waiting");
  return proof.ok ? proof.value : proof.error.code;
}
