import type { HeaderView } from "./codec.ts";
import type { Denial } from "./denials.ts";
import type { Principal } from "./policy.ts";
import type { Result } from "./result.ts";

/** The client certificate of a connection, as Envoy verified it. Never made from a header that a caller could write. */
export interface PeerCertificate {
  /** Its first URI name: `spiffe://acme/support-bot`. */
  readonly uri: string | undefined;
  /** Its subject as Envoy writes it (RFC 2253): `CN=support-bot,O=Acme`. */
  readonly subject: string | undefined;
  /** End of its validity, wall milliseconds: the connection may live longer than the certificate. */
  readonly expiresMs: number | undefined;
}

/** What a call shows of who is calling. */
export interface Presented {
  readonly head: HeaderView;
  readonly query: URLSearchParams;
  /** API keys and tokens from every place where an SDK puts them, the usual place first, each once. */
  readonly secrets: readonly string[];
  readonly peer: PeerCertificate | undefined;
}

/** One credential of a call: whom it proves, or why it proves nobody. */
export type Proof = Result<Principal, Denial>;

/** Where an issuer's public keys come from. Equal `id`s are the same source. */
export interface KeySource {
  readonly id: string;
  /** For logs: a host or a file's name. */
  readonly name: string;
  /** discovery: `jwks_uri` of `<url>/.well-known/openid-configuration`, else `<url>/.well-known/jwks.json`. */
  readonly from: { readonly kind: "file"; readonly path: string } | { readonly kind: "url" | "discovery"; readonly url: string };
  /** PEM file with the authorities to trust for the fetch; undefined: Node's. */
  readonly caFile: string | undefined;
  /** A fetched set is asked for again after this time. */
  readonly refreshMs: number;
}

/** Public keys as last read from their source. The same object for as long as the keys are the same. */
export interface KeySet {
  /** Members of a JSON Web Key Set (RFC 7517 section 5): public, for signatures. */
  readonly keys: readonly { readonly [member: string]: unknown }[];
}

/** Public keys of token issuers, kept fresh in the background. */
export interface KeySets {
  /** The keys in memory; undefined: none could be read yet, or they are too old to trust. */
  current(source: KeySource): KeySet | undefined;
  /**
   * Asks for newer keys because a token names one that is not known. Resolves when they are there, and within
   * `KEY_WAIT_MS` whatever happens; at once where keys were asked for this reason less than `KEY_ASK_GAP_MS` ago, so that
   * invented key ids make no caller wait and no issuer work.
   */
  refresh(source: KeySource): Promise<void>;
}

/** What identification needs from outside. */
export interface IdentityDeps {
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
  readonly keySets: KeySets;
}

/** The form in which names of people are compared: callers and identity providers write one name in either case (addresses above all), and no two people are told apart by it. */
export const plainName = (name: string): string => name.trim().normalize("NFKC").toLowerCase();
