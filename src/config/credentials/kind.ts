import type { z } from "zod";
import type { IdentityDeps, KeySource, Presented, Proof } from "../../core/credentials.ts";
import type { Json } from "../../core/json.ts";
import type { Path } from "../problems.ts";

/** An app's credential as the policy holds it. */
export interface CredentialEntry {
  readonly tenant: string;
  readonly app: string;
  readonly setting: unknown;
}
/** The same before the document was checked, with its place. */
export interface PlacedCredential {
  readonly tenant: string;
  readonly app: string;
  readonly path: Path;
  readonly setting: Json;
}

/** All entries of one kind, compiled. Lives as long as its policy snapshot, and so does all that it remembers. */
export interface Authenticator {
  /**
   * The credentials of this kind in a call; none where the call shows none of this gateway's. A promise only where something
   * must be computed or waited for that is not in memory.
   */
  identify(shown: Presented, deps: IdentityDeps): readonly Proof[] | Promise<readonly Proof[]>;
  /** Public keys that it needs in the background. */
  readonly keySources: readonly KeySource[];
}

/** Says what is wrong at a place of the policy, and what to do. */
export type AddProblem = (path: Path, message: string, remedy: string, options?: { readonly severity?: "warning" }) => void;

/**
 * A kind of credential: one file, and one line in index.ts. Its section becomes part of the policy's schema and of its
 * checks, and its authenticator is asked at every call.
 */
export interface CredentialKind<Name extends string = string, Setting extends z.ZodType = z.ZodType> {
  /** The key in an app's `credentials`: `{ apiKey: ... }`. */
  readonly name: Name;
  readonly setting: Setting;
  /** What a schema of shapes cannot say. `root` is the whole document, of whatever shape. */
  problems?(entries: readonly PlacedCredential[], root: Json, add: AddProblem): void;
  /** `folder`: where relative paths of the policy start. */
  compile(entries: readonly CredentialEntry[], options: { readonly folder: string }): Authenticator;
}

/** Keeps the literal type of the name, from which the policy's type is made. */
export const defineKind = <Name extends string, Setting extends z.ZodType>(
  kind: CredentialKind<Name, Setting>,
): CredentialKind<Name, Setting> => kind;
