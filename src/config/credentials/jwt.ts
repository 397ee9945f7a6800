/**
 * Tokens of an identity provider (RFC 7519), verified with its public keys.
 *
 * Steps: read the token unverified -> find the entries that its issuer, audience and claims fit (none: it is no token of
 * ours, and costs nothing more) -> the issuer's keys, from memory -> verify signature and times -> remember until it expires.
 *
 * What is remembered belongs to one policy snapshot and one key set: a new policy or a rotated key asks every token again.
 * Known miss: a token that its issuer revoked before its time is valid here until `exp`; `maxAgeSeconds` bounds that.
 */
import { hash } from "node:crypto";
import { basename, resolve } from "node:path";
import { createLocalJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import { LRUCache } from "lru-cache";
import { z } from "zod";
import type { IdentityDeps, KeySet, KeySource, Presented, Proof } from "../../core/credentials.ts";
import type { Denial } from "../../core/denials.ts";
import { TOKENS_CACHED_MAX } from "../../core/limits.ts";
import { facts, isValid, USER_ID, type Validity, validityOf } from "./facts.ts";
import { ambiguities, keyUrlProblem } from "./jwt-checks.ts";
import { type Authenticator, type CredentialEntry, defineKind } from "./kind.ts";
import { claimsMatch, readToken, type UnverifiedToken } from "./token.ts";

/** Signatures with a key pair. Shared secrets and `none` are not here, so that no policy can allow them. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"] as const;
/** `typ` of tokens for APIs: none, RFC 7519's and RFC 9068's. Tokens for another purpose (`dpop+jwt`, `logout+jwt`) are not. */
const TYPES = new Set(["jwt", "at+jwt", "application/jwt", "application/at+jwt"]);
/** Keys tried for a token that names none; RFC 7517 lets issuers leave `kid` out. */
const KEYS_TRIED_MAX = 8;

const scalar = z.union([z.string().max(1024), z.number(), z.boolean()]);
const leaf = z.union([scalar, z.array(scalar).min(1).max(256)]);
const rule = z.union([leaf, z.record(z.string(), z.union([leaf, z.record(z.string(), leaf)]))]);
const nonEmpty = z.string().min(1).max(2048);

const setting = z
  .strictObject({
    id: z.string().optional().describe("What records call it; jwt:<the issuer's host> where absent."),
    issuer: nonEmpty.describe("The token's iss, letter by letter."),
    audience: z.union([nonEmpty, z.array(nonEmpty).min(1).max(32)]).describe("The token's aud must have one of these."),
    jwks: z
      .strictObject({
        file: z.string().min(1).max(4096).optional().describe("File with the key set; read again when it changes."),
        url: nonEmpty.optional().describe("Where the key set is."),
        caFile: z.string().min(1).max(4096).optional().describe("PEM file with the authorities to trust for it; Node's where absent."),
        refreshSeconds: z.int().min(30).max(86_400).default(300).describe("How often a key set is fetched again."),
      })
      .refine((value) => value.file === undefined || value.url === undefined, "must have file or url, not both -> remove one")
      .prefault({})
      .describe("The issuer's public keys. Absent: from its /.well-known/openid-configuration, else its /.well-known/jwks.json."),
    algorithms: z
      .array(z.enum(ALGORITHMS))
      .min(1)
      .default([...ALGORITHMS])
      .describe("Signatures taken; all with key pairs where absent. HS256 and none are never taken."),
    claims: z
      .record(z.string(), rule)
      .default({})
      .describe("Values that claims must have: one, or one of a list; a map for the members of a claim that is an object."),
    map: z
      .strictObject({
        user: z.string().min(1).max(256).optional().describe("The claim that names the user: sub."),
        useCase: z.string().min(1).max(256).optional().describe("The claim that names the use case; it must be one of the app's."),
      })
      .prefault({})
      .describe("What calls are bound to by their token. A token without such a claim is refused."),
    clockSkewSeconds: z
      .int()
      .min(0)
      .max(300)
      .default(10)
      .describe("How far the issuer's clock may be ahead of ours. exp is never stretched."),
    maxAgeSeconds: z.int().min(1).max(31_536_000).optional().describe("Longest time since iat, whatever exp says."),
    ...facts,
  })
  .describe("Tokens of an identity provider.");
type Setting = z.infer<typeof setting>;

/** Tokens of an identity provider, wherever an SDK puts its key. */
export const jwtKind = defineKind({
  name: "jwt",
  setting,
  compile,
  problems: (entries, _root, add) => {
    for (const { path, setting: raw } of entries) keyUrlProblem(path, raw, add);
    ambiguities(entries, add);
  },
});

interface Entry extends Validity {
  readonly tenant: string;
  readonly app: string;
  readonly id: string;
  readonly setting: Setting;
  readonly source: KeySource;
}
/** A verified token: whom it proves, from when to when, by which keys. */
interface Verified extends Validity {
  readonly entry: Entry;
  readonly keys: KeySet;
  readonly proof: Proof;
}

function compile(entries: readonly CredentialEntry[], options: { readonly folder: string }): Authenticator {
  const byIssuer = new Map<string, Entry[]>();
  const sources = new Map<string, KeySource>();
  for (const { tenant, app, setting: raw } of entries) {
    const parsed = setting.parse(raw);
    const made = sourceOf(parsed, options.folder);
    const source = sources.get(made.id) ?? made;
    sources.set(source.id, source);
    const list = byIssuer.get(parsed.issuer) ?? [];
    list.push({ tenant, app, id: parsed.id ?? `jwt:${hostOf(parsed.issuer)}`, setting: parsed, source, ...validityOf(parsed) });
    byIssuer.set(parsed.issuer, list);
  }
  const tokens = new Tokens(byIssuer);
  return {
    keySources: [...sources.values()],
    identify: (shown: Presented, deps) => (byIssuer.size === 0 ? NOTHING : tokens.identify(shown.secrets, deps)),
  };
}
const NOTHING: readonly Proof[] = [];

const hostOf = (issuer: string): string => (URL.canParse(issuer) ? new URL(issuer).host : issuer).slice(0, 100);

function sourceOf({ issuer, jwks }: Setting, folder: string): KeySource {
  const from: KeySource["from"] =
    jwks.file !== undefined
      ? { kind: "file", path: resolve(folder, jwks.file) }
      : jwks.url !== undefined
        ? { kind: "url", url: jwks.url }
        : { kind: "discovery", url: issuer };
  const caFile = jwks.caFile === undefined ? undefined : resolve(folder, jwks.caFile);
  const refreshMs = jwks.refreshSeconds * 1000;
  const name = from.kind === "file" ? basename(from.path) : hostOf(from.url);
  return { id: JSON.stringify([from, caFile, refreshMs]), name, from, caFile, refreshMs };
}

class Tokens {
  readonly #byIssuer: ReadonlyMap<string, readonly Entry[]>;
  /** By the SHA-256 of the whole token: a part of it would let another token with the same beginning in. */
  readonly #known = new LRUCache<string, Verified>({ max: TOKENS_CACHED_MAX });
  /** Verifications under way, so that a burst with one token verifies it once. Bounded by the exchanges of a process. */
  readonly #running = new Map<string, Promise<Proof>>();
  readonly #resolvers = new WeakMap<KeySet, JWTVerifyGetKey>();

  constructor(byIssuer: ReadonlyMap<string, readonly Entry[]>) {
    this.#byIssuer = byIssuer;
  }

  identify(secrets: readonly string[], deps: IdentityDeps): readonly Proof[] | Promise<readonly Proof[]> {
    const found: Proof[] = [];
    let waiting: Promise<Proof>[] | undefined;
    for (const secret of secrets) {
      // Header and claims are JSON objects, so that both begin with `{"` in base64url, or with white space.
      if (secret.indexOf(".") < 2) continue;
      const proof = this.#proofOf(secret, deps);
      if (proof === undefined) continue;
      if (proof instanceof Promise) {
        waiting ??= [];
        waiting.push(proof);
      } else found.push(proof);
    }
    return waiting === undefined ? found : Promise.all(waiting).then((proofs) => [...found, ...proofs]);
  }

  /** undefined: no token that an entry of this policy is for. */
  #proofOf(token: string, deps: IdentityDeps): Proof | Promise<Proof> | undefined {
    const digest = hash("sha256", token, "base64url");
    const known = this.#known.get(digest);
    if (known !== undefined && known.keys === deps.keySets.current(known.entry.source)) {
      const nowMs = deps.now();
      if (isValid(known, nowMs)) return isValid(known.entry, nowMs) ? known.proof : refuse(NOT_VALID);
    }
    const unverified = readToken(token);
    const { iss } = unverified?.claims ?? {};
    const issued = typeof iss === "string" ? this.#byIssuer.get(iss) : undefined;
    if (unverified === undefined || issued === undefined) return undefined;
    const nowMs = deps.now();
    const fitting = issued.filter((entry) => isValid(entry, nowMs) && fits(unverified, entry.setting));
    const [entry] = fitting;
    if (entry === undefined) return refuse(NO_ENTRY);
    // `sluice check` refuses entries that are bound to meet; claims may still make a token fit two.
    if (fitting.some((other) => other.tenant !== entry.tenant || other.app !== entry.app)) return refuse(TWO_APPS);
    const running = this.#running.get(digest);
    if (running !== undefined) return running;
    const made = this.#verify(token, entry, deps)
      .then((verified) => {
        if ("code" in verified) return refuse(verified);
        this.#known.set(digest, verified);
        return isValid(verified, deps.now()) ? verified.proof : refuse(EXPIRED);
      })
      .finally(() => this.#running.delete(digest));
    this.#running.set(digest, made);
    return made;
  }

  /** With the keys at hand; once more with newer ones where the token's key is not among them. */
  async #verify(token: string, entry: Entry, deps: IdentityDeps): Promise<Verified | Denial> {
    const keys = deps.keySets.current(entry.source);
    const first = keys === undefined ? "unknown_key" : await this.#attempt(token, entry, keys, deps);
    if (first !== "unknown_key") return first;
    await deps.keySets.refresh(entry.source);
    const newer = deps.keySets.current(entry.source);
    if (newer === undefined) return NO_KEYS;
    const second = newer === keys ? "unknown_key" : await this.#attempt(token, entry, newer, deps);
    return second === "unknown_key" ? UNKNOWN_KEY : second;
  }

  async #attempt(token: string, entry: Entry, keys: KeySet, deps: IdentityDeps): Promise<Verified | Denial | "unknown_key"> {
    const { issuer, audience, algorithms, clockSkewSeconds, maxAgeSeconds, claims } = entry.setting;
    const options = {
      issuer,
      audience,
      algorithms,
      clockTolerance: clockSkewSeconds,
      currentDate: new Date(deps.now()),
      requiredClaims: ["exp"],
      ...(maxAgeSeconds === undefined ? {} : { maxTokenAge: maxAgeSeconds }),
    };
    try {
      const payload = await this.#payloadOf(token, keys, options);
      if (!claimsMatch(JSON.parse(JSON.stringify(payload)), claims)) return NOT_VALID;
      return verifiedBy(payload, entry, keys, deps.now());
    } catch (cause) {
      if (cause instanceof errors.JWKSNoMatchingKey) return "unknown_key";
      if (cause instanceof errors.JWTExpired) return EXPIRED;
      if (cause instanceof errors.JWTClaimValidationFailed && (cause.claim === "nbf" || cause.claim === "iat")) return NOT_YET;
      return NOT_VALID;
    }
  }

  /** Throws jose's errors. */
  async #payloadOf(token: string, keys: KeySet, options: Parameters<typeof jwtVerify>[2]): Promise<JWTPayload> {
    const known = this.#resolvers.get(keys);
    const resolver = known ?? createLocalJWKSet({ keys: keys.keys.map((key) => ({ ...key, kty: String(key["kty"]) })) });
    if (known === undefined) this.#resolvers.set(keys, resolver);
    try {
      return (await jwtVerify(token, resolver, options)).payload;
    } catch (cause) {
      if (!(cause instanceof errors.JWKSMultipleMatchingKeys)) throw cause;
      let tried = 0;
      for await (const key of cause) {
        tried += 1;
        if (tried > KEYS_TRIED_MAX) break;
        try {
          return (await jwtVerify(token, key, options)).payload;
        } catch (failed) {
          if (!(failed instanceof errors.JWSSignatureVerificationFailed)) throw failed;
        }
      }
      // None of the keys that could have signed it did: like a key that is not known.
      throw new errors.JWKSNoMatchingKey();
    }
  }
}

/** Does the token claim to be for this entry? Cheap, and before any key is looked at or asked for. */
function fits({ header, claims }: UnverifiedToken, entry: Setting): boolean {
  const { alg, typ } = header;
  if (!entry.algorithms.some((known) => known === alg)) return false;
  if (typ !== undefined && (typeof typ !== "string" || !TYPES.has(typ.toLowerCase()))) return false;
  const wanted = typeof entry.audience === "string" ? [entry.audience] : entry.audience;
  const { aud } = claims;
  const given: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  return given.some((one) => typeof one === "string" && wanted.includes(one)) && claimsMatch(claims, entry.claims);
}

/** Whom a verified token proves, and how long. */
function verifiedBy(payload: JWTPayload, entry: Entry, keys: KeySet, nowMs: number): Verified | Denial {
  const { map, clockSkewSeconds, maxAgeSeconds } = entry.setting;
  const { exp = 0, iat, nbf } = payload;
  const bound = { user: entry.setting.user, useCase: entry.setting.useCase };
  for (const field of ["user", "useCase"] as const) {
    const claim = map[field];
    if (claim === undefined) continue;
    const value = Object.hasOwn(payload, claim) ? payload[claim] : undefined;
    if (typeof value !== "string" || !USER_ID.test(value))
      return { ...NOT_VALID, detail: `The token names no ${field === "user" ? "user" : "use case"}.` };
    if (bound[field] !== undefined && bound[field] !== value) return NOT_VALID;
    bound[field] = value;
  }
  const fromMs = Math.max(nbf ?? Number.NEGATIVE_INFINITY, iat ?? Number.NEGATIVE_INFINITY) * 1000 - clockSkewSeconds * 1000;
  const untilMs = Math.min(exp, maxAgeSeconds === undefined || iat === undefined ? exp : iat + maxAgeSeconds) * 1000;
  if (nowMs < fromMs) return NOT_YET;
  const principal = Object.freeze({
    tenant: entry.tenant,
    app: entry.app,
    ...bound,
    credentialId: entry.id,
    credentialKind: "jwt" as const,
  });
  return { entry, keys, fromMs, untilMs, proof: { ok: true, value: principal } };
}

const refuse = (denial: Denial): Proof => ({ ok: false, error: denial });
const NOT_VALID: Denial = { code: "unauthenticated", detail: "The token is not valid." };
const NO_ENTRY: Denial = { code: "unauthenticated", detail: "The token's audience or claims are not those of an app." };
const TWO_APPS: Denial = { code: "unauthenticated", detail: "The token fits more than one app." };
const EXPIRED: Denial = { code: "unauthenticated", detail: "The token has expired." };
const NOT_YET: Denial = { code: "unauthenticated", detail: "The token is not valid yet." };
const UNKNOWN_KEY: Denial = {
  code: "unauthenticated",
  detail: "The token's key is not among its issuer's. If the issuer has just changed its keys, try again in 30 seconds.",
};
const NO_KEYS: Denial = { code: "store_unavailable", detail: "The issuer's keys could not be read yet. Try again.", retryAfterMs: 1000 };
