import { z } from "zod";
import type { Presented, Proof } from "../../core/credentials.ts";
import type { Principal } from "../../core/policy.ts";
import { formatPath, type Path } from "../problems.ts";
import { at, memberOf } from "../tree.ts";
import { facts, isValid, type Validity, validityOf } from "./facts.ts";
import { type AddProblem, type Authenticator, type CredentialEntry, defineKind, type PlacedCredential } from "./kind.ts";

const setting = z
  .strictObject({
    id: z.string().optional().describe("What records call it; mtls:<name> where absent."),
    spiffe: z
      .string()
      .max(2048)
      // SPIFFE ID specification, section 2: trust domain in lower case, no port, query or fragment.
      .regex(
        /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)+$/,
        "must be a SPIFFE id -> write spiffe://TRUST-DOMAIN/PATH, as it stands in the certificate",
      )
      .optional()
      .describe("The certificate's SPIFFE id."),
    subject: z
      .string()
      .max(1024)
      .regex(
        /^[A-Za-z0-9.]{1,64}=[^,]/,
        "must be a certificate's subject -> write it as `openssl x509 -subject -nameopt RFC2253` prints it: CN=bot,O=Acme",
      )
      .optional()
      .describe("The certificate's whole subject in RFC 2253 form, most specific part first: CN=support-bot,O=Acme."),
    ...facts,
  })
  .refine(
    (value) => (value.spiffe === undefined) !== (value.subject === undefined),
    "must have either spiffe or subject -> write { spiffe: spiffe://TRUST-DOMAIN/PATH } or { subject: CN=NAME,O=COMPANY }",
  )
  .describe("A client certificate. Envoy verifies it (`listen.tls.clientCa`), Sluice maps its name.");

/** Client certificates: Envoy verifies the chain, the policy says whose name it is. */
export const mtlsKind = defineKind({ name: "mtls", setting, compile, problems });

interface Name extends Validity {
  readonly proof: Proof;
}

function compile(entries: readonly CredentialEntry[]): Authenticator {
  const uris = new Map<string, Name>();
  const subjects = new Map<string, Name>();
  for (const { tenant, app, setting: raw } of entries) {
    const entry = setting.parse(raw);
    const name = entry.spiffe?.slice("spiffe://".length) ?? plain(entry.subject ?? "");
    const principal: Principal = Object.freeze({
      tenant,
      app,
      useCase: entry.useCase,
      user: entry.user,
      credentialId: entry.id ?? `mtls:${name}`.slice(0, 128),
      credentialKind: "mtls",
    });
    const known: Name = { proof: { ok: true, value: principal }, ...validityOf(entry) };
    if (entry.spiffe !== undefined) uris.set(entry.spiffe, known);
    if (entry.subject !== undefined) subjects.set(plain(entry.subject), known);
  }
  return {
    keySources: [],
    identify: ({ peer }: Presented, { now }): readonly Proof[] => {
      if (peer === undefined) return NONE;
      const found = [
        peer.uri === undefined ? undefined : uris.get(peer.uri),
        subjects.size === 0 || peer.subject === undefined ? undefined : subjects.get(plain(peer.subject)),
      ].filter((name) => name !== undefined);
      const nowMs = now();
      if (found.length > 0 && peer.expiresMs !== undefined && nowMs >= peer.expiresMs) return EXPIRED;
      return found.map((name) => (isValid(name, nowMs) ? name.proof : INVALID));
    },
  };
}
const NONE: readonly Proof[] = [];
const INVALID: Proof = { ok: false, error: { code: "unauthenticated" } };
const EXPIRED: readonly Proof[] = [{ ok: false, error: { code: "unauthenticated", detail: "The client certificate has expired." } }];

/** A subject without the blanks that people put after commas. */
const plain = (subject: string): string => subject.replaceAll(/(?<!\\), +/g, ",");

function problems(entries: readonly PlacedCredential[], root: Parameters<typeof at>[0], add: AddProblem): void {
  const seen = new Map<string, Path>();
  for (const { path, setting: raw } of entries) {
    for (const key of ["spiffe", "subject"]) {
      const value = memberOf(raw, key);
      if (typeof value !== "string") continue;
      const name = plain(value);
      const first = seen.get(name);
      if (first === undefined) seen.set(name, path);
      else add([...path, key], `this certificate is already ${formatPath(first)}`, "remove one of the two: a certificate proves one app");
    }
  }
  const [entry] = entries;
  if (entry !== undefined && at(root, ["listen", "tls", "clientCa"]) === undefined)
    add(
      entry.path,
      "Envoy asks no caller for a certificate, so that nobody can prove this",
      "set listen: { tls: { cert, key, clientCa } }; where your own Envoy has the listener, see docs/credentials.md",
      { severity: "warning" },
    );
}
