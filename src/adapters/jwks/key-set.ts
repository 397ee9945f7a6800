import { createHash } from "node:crypto";
import type { KeySet } from "../../core/credentials.ts";
import { KEY_SET_KEYS_MAX } from "../../core/limits.ts";

/** Key types with a public half (RFC 7518 section 6.1, RFC 8037). `oct` is a shared secret: never taken. */
const PUBLIC_TYPES = new Set(["RSA", "EC", "OKP"]);
/** Members of those keys that verification needs; all others, certificates and private halves too, are left behind. */
const MEMBERS = ["kty", "kid", "use", "key_ops", "alg", "crv", "n", "e", "x", "y"];
const MEMBER_CHARS_MAX = 4096;

/**
 * The usable keys of a JSON Web Key Set (RFC 7517 section 5); undefined: it is none. A set without a usable key is one all the
 * same: an issuer that takes its keys back must not be overheard.
 */
export function readKeySet(value: unknown): { readonly set: KeySet; readonly digest: string } | undefined {
  if (!isRecord(value) || !Array.isArray(value["keys"])) return undefined;
  const keys: { [member: string]: unknown }[] = [];
  for (const candidate of value["keys"]) {
    const key = usable(candidate);
    if (key !== undefined && keys.length < KEY_SET_KEYS_MAX) keys.push(key);
  }
  return { set: { keys }, digest: createHash("sha256").update(JSON.stringify(keys)).digest("hex") };
}

/** An unusable key is passed over, as RFC 7517 asks, so that one new kind of key does not stop the others. */
function usable(candidate: unknown): { [member: string]: unknown } | undefined {
  if (!isRecord(candidate)) return undefined;
  const { kty, kid, use, key_ops } = candidate;
  if (typeof kty !== "string" || !PUBLIC_TYPES.has(kty)) return undefined;
  if (kid !== undefined && typeof kid !== "string") return undefined;
  if (use !== undefined && use !== "sig") return undefined;
  if (key_ops !== undefined && !(Array.isArray(key_ops) && key_ops.includes("verify"))) return undefined;
  const key: { [member: string]: unknown } = {};
  for (const name of MEMBERS) {
    const member = candidate[name];
    if (member === undefined) continue;
    if (name !== "key_ops" && (typeof member !== "string" || member.length > MEMBER_CHARS_MAX)) return undefined;
    key[name] = name === "key_ops" ? ["verify"] : member;
  }
  return key;
}

export const isRecord = (value: unknown): value is { readonly [member: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
