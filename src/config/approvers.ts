import { z } from "zod";
import { type IdentityDeps, type KeySource, type Presented, plainName } from "../core/credentials.ts";
import { err, ok, type Result } from "../core/result.ts";
import { jwtKind } from "./credentials/jwt.ts";
import type { Authenticator } from "./credentials/kind.ts";
import { mtlsKind } from "./credentials/mtls.ts";
import type { PolicyDocument } from "./schema.ts";

/** Kinds of credential that prove a person: an API key proves an application. */
const KINDS = [jwtKind, mtlsKind] as const;

const secretSource = z
  .strictObject({
    env: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "must be the name of an environment variable -> write its name")
      .optional(),
    file: z.string().min(1).max(4096).optional(),
  })
  .refine(
    (value) => (value.env === undefined) !== (value.file === undefined),
    "must have either env or file -> write { env: NAME } or { file: PATH }",
  );

/** The `approvals` part of a policy: who may decide on tool calls, and how they hear of them. */
export const approvalsSection = z
  .strictObject({
    approvers: z
      .array(
        z
          .strictObject({
            jwt: jwtKind.setting.optional(),
            mtls: mtlsKind.setting.optional(),
            tenants: z.array(z.string().min(1).max(64)).min(1).max(1000).describe('Tenants for whose calls they decide; "*" for all.'),
          })
          .refine((value) => (value.jwt === undefined) !== (value.mtls === undefined), "must be either jwt or mtls -> keep one of them"),
      )
      .max(1000)
      .default([])
      .describe(
        "People who decide, by token (claims tell the role, map.user names the person) or by client certificate. None: nothing can be approved.",
      ),
    webhook: z
      .strictObject({
        url: z
          .string()
          .max(2048)
          .regex(/^https?:\/\//, "must be a URL -> write https://HOST/PATH")
          .describe("Told of each call that waits, with a POST: who, which tool, until when; never its arguments."),
        secret: secretSource.optional().describe("Signs what is sent: x-sluice-signature is its HMAC-SHA256 over time stamp and body."),
        caFile: z.string().min(1).max(4096).optional().describe("PEM file with the authorities to trust for it; Node's where absent."),
      })
      .optional(),
    listen: z
      .strictObject({
        address: z.string().min(1).max(64).default("127.0.0.1"),
        port: z.int().min(1).max(65535),
        cert: z.string().min(1).max(4096).describe("PEM file with the server's certificate."),
        key: z.string().min(1).max(4096).describe("PEM file with its private key."),
        clientCa: z
          .string()
          .min(1)
          .max(4096)
          .optional()
          .describe("PEM file with the authorities of approvers' certificates, where they prove themselves so."),
      })
      .optional()
      .describe("A port with TLS for approvers of other machines, and for certificates. Absent: the admin port alone. Read at the start."),
  })
  .describe("Approvals of tool calls: who decides, and how they hear of it.");

/** A person, as the credential proves it. */
export interface Approver {
  /** The token's user, or the name in the certificate. */
  readonly name: string;
  /** "*": all. */
  readonly tenants: readonly string[];
}
export interface Approvers {
  readonly keySources: readonly KeySource[];
  /** The person that a call proves; an error says why nobody, in words that are safe to show. */
  identify(shown: Presented, deps: IdentityDeps): Promise<Result<Approver, string>>;
}

/** `folder`: where relative paths of the policy start. */
export function compileApprovers(document: Pick<PolicyDocument, "approvals">, folder: string): Approvers {
  const { approvers } = document.approvals;
  const authenticators = KINDS.map(
    (kind): Authenticator =>
      kind.compile(
        approvers.flatMap((entry, index) => {
          const setting = entry[kind.name];
          return setting === undefined ? [] : [{ tenant: "-", app: String(index), setting }];
        }),
        { folder },
      ),
  );
  return {
    keySources: authenticators.flatMap(({ keySources }) => keySources),
    identify: async (shown, deps) => {
      const proofs = (await Promise.all(authenticators.map((one) => one.identify(shown, deps)))).flat();
      let refused: string | undefined;
      const found = new Map<string, Approver>();
      for (const proof of proofs) {
        if (!proof.ok) {
          refused ??= proof.error.detail;
          continue;
        }
        const { app, user, credentialId, credentialKind } = proof.value;
        const name = user ?? (credentialKind === "mtls" ? credentialId.replace(/^mtls:/, "") : undefined);
        if (name === undefined) continue;
        const before = found.get(plainName(name));
        const tenants = [...(before?.tenants ?? []), ...(approvers[Number(app)]?.tenants ?? [])];
        found.set(plainName(name), { name: before?.name ?? name, tenants });
      }
      const [only, ...others] = found.values();
      if (only === undefined) return err(refused ?? "no valid credential of an approver was sent");
      if (others.length > 0) return err("the credentials are of two different people");
      return ok(only);
    },
  };
}
