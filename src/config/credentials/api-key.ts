import { hash } from "node:crypto";
import { z } from "zod";
import type { Presented, Proof } from "../../core/credentials.ts";
import type { Principal } from "../../core/policy.ts";
import { facts, isValid, timestamp, type Validity, validityOf } from "./facts.ts";
import { type Authenticator, type CredentialEntry, defineKind } from "./kind.ts";

/** Longest API key looked at, in characters; Sluice's own have about sixty. */
const API_KEY_CHARS_MAX = 512;

const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in 64 lower-case hex digits -> let `sluice keys new` make the key and write its hash");

/** Facts of a key, whichever place of the policy lists it. */
export const keyFacts = {
  sha256: sha256.describe("SHA-256 of the key. The key itself is shown once, by `sluice keys new`."),
  prefix: z.string().max(80).optional().describe("The key's visible beginning, to recognise it by."),
  created: timestamp.optional(),
  ...facts,
};
const setting = z.strictObject({ id: z.string(), ...keyFacts }).describe("An API key that Sluice issued; `sluice keys new` makes one.");
export type KeyFacts = Omit<z.infer<typeof setting>, "id">;

/** API keys, wherever an SDK puts them. The policy knows their hashes only. */
export const apiKeyKind = defineKind({ name: "apiKey", setting, compile });

interface Key extends Validity {
  readonly proof: Proof;
}

function compile(entries: readonly CredentialEntry[]): Authenticator {
  const keys = new Map<string, Key>();
  for (const { tenant, app, setting: raw } of entries) {
    const key = setting.parse(raw);
    const principal: Principal = Object.freeze({
      tenant,
      app,
      useCase: key.useCase,
      user: key.user,
      credentialId: key.id,
      credentialKind: "api_key",
    });
    keys.set(key.sha256, { proof: { ok: true, value: principal }, ...validityOf(key) });
  }
  return {
    keySources: [],
    identify: (shown: Presented, { now }): readonly Proof[] => {
      const proofs: Proof[] = [];
      for (const secret of shown.secrets) {
        if (secret.length > API_KEY_CHARS_MAX) continue;
        const key = keys.get(hash("sha256", secret, "hex"));
        if (key !== undefined) proofs.push(isValid(key, now()) ? key.proof : INVALID);
      }
      return proofs;
    },
  };
}
/** A key that was revoked reads like one that never was. */
const INVALID: Proof = { ok: false, error: { code: "unauthenticated" } };
