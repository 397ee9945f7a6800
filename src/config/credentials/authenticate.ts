import type { IdentityDeps, KeySource, Presented, Proof } from "../../core/credentials.ts";
import type { Denial } from "../../core/denials.ts";
import type { Principal } from "../../core/policy.ts";
import type { PolicyDocument } from "../schema.ts";
import { CREDENTIAL_KINDS } from "./index.ts";
import type { CredentialEntry } from "./kind.ts";

/** All credentials of one policy. */
export interface Credentials {
  readonly keySources: readonly KeySource[];
  authenticate(shown: Presented, deps: IdentityDeps): Proof | Promise<Proof>;
}

export function compileCredentials(document: PolicyDocument, folder: string): Credentials {
  const authenticators = CREDENTIAL_KINDS.map((kind) => kind.compile(entriesOfKind(document, kind.name), { folder }));
  return {
    keySources: authenticators.flatMap(({ keySources }) => keySources),
    authenticate: (shown, deps) => {
      const found: Proof[] = [];
      let waiting: Promise<readonly Proof[]>[] | undefined;
      for (const authenticator of authenticators) {
        const proofs = authenticator.identify(shown, deps);
        if (proofs instanceof Promise) {
          waiting ??= [];
          waiting.push(proofs);
        } else found.push(...proofs);
      }
      return waiting === undefined ? decide(found) : Promise.all(waiting).then((more) => decide([...found, ...more.flat()]));
    },
  };
}

function entriesOfKind(document: PolicyDocument, name: (typeof CREDENTIAL_KINDS)[number]["name"]): readonly CredentialEntry[] {
  const entries: CredentialEntry[] = [];
  if (name === "apiKey") {
    for (const [id, { tenant, app, ...facts }] of Object.entries(document.keys)) entries.push({ tenant, app, setting: { id, ...facts } });
  }
  for (const [tenant, settings] of Object.entries(document.tenants)) {
    for (const [app, { credentials }] of Object.entries(settings.apps)) {
      for (const { [name]: setting } of credentials) if (setting !== undefined) entries.push({ tenant, app, setting });
    }
  }
  return entries;
}

/** One principal, or nobody: credentials that prove nobody do not harm one that does, two that differ harm each other. */
function decide(proofs: readonly Proof[]): Proof {
  let proven: Principal | undefined;
  let refused: Denial | undefined;
  for (const proof of proofs) {
    if (!proof.ok) {
      if (refused?.detail === undefined) refused = proof.error;
      continue;
    }
    proven = proven === undefined ? proof.value : join(proven, proof.value);
    if (proven === undefined) return TWO_PRINCIPALS;
  }
  if (proven !== undefined) return { ok: true, value: proven };
  return refused === undefined ? NOBODY : { ok: false, error: refused };
}

/** Two proofs of one app bind the call to what either is bound to. undefined: they cannot both be true. */
function join(a: Principal, b: Principal): Principal | undefined {
  if (a === b) return a;
  if (a.tenant !== b.tenant || a.app !== b.app) return undefined;
  if (a.user !== undefined && b.user !== undefined && a.user !== b.user) return undefined;
  if (a.useCase !== undefined && b.useCase !== undefined && a.useCase !== b.useCase) return undefined;
  return { ...a, user: a.user ?? b.user, useCase: a.useCase ?? b.useCase };
}

const NOBODY: Proof = { ok: false, error: { code: "unauthenticated" } };
const TWO_PRINCIPALS: Proof = {
  ok: false,
  error: { code: "unauthenticated", detail: "The call carries credentials of two different callers. Send one." },
};
