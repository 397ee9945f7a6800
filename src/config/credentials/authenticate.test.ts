import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { NO_KEY_SETS, presented } from "../../../test/support/credentials.ts";
import type { PeerCertificate, Proof } from "../../core/credentials.ts";
import { STAGES } from "../../stages/index.ts";
import { checkPolicy } from "../load.ts";
import { formatProblem } from "../problems.ts";
import { compileSnapshot } from "../snapshot.ts";

const NOW_MS = Date.parse("2026-12-01T00:00:00Z");
const hashOf = (key: string): string => createHash("sha256").update(key).digest("hex");
const POLICY = `
apiVersion: sluice/v1
version: "1"
listen: { tls: { cert: c.pem, key: c.key, clientCa: ca.pem } }
tenants:
  acme:
    apps:
      bot:
        useCases: [chat, mail]
        credentials:
          - apiKey: { id: k1, sha256: ${hashOf("free")} }
          - apiKey: { id: k2, sha256: ${hashOf("chat")}, useCase: chat }
          - apiKey: { id: k3, sha256: ${hashOf("mail")}, useCase: mail }
          - apiKey: { id: k4, sha256: ${hashOf("ada")}, user: ada }
          - apiKey: { id: k5, sha256: ${hashOf("old")}, expires: 2026-11-30 }
          - mtls: { spiffe: spiffe://acme/bot, user: robot }
          - mtls: { id: gone, spiffe: spiffe://acme/gone, revoked: 2026-01-01 }
          - mtls: { spiffe: spiffe://acme/late, notBefore: 2026-12-02 }
      other:
        useCases: [chat]
        credentials:
          - apiKey: { id: k6, sha256: ${hashOf("other")} }
          - mtls: { id: dn, subject: "CN=other, O=Acme" }
useCases: { chat: {}, mail: {} }
`;
const loaded = checkPolicy([{ file: "p.yaml", bytes: Buffer.from(POLICY) }], STAGES, { folder: "/" });
assert.ok(loaded.ok, loaded.ok ? "" : loaded.error.map(formatProblem).join("\n"));
const snapshot = compileSnapshot(loaded.value, STAGES);

function ask(secrets: readonly string[], peer?: Partial<PeerCertificate>, nowMs = NOW_MS): Proof {
  const full = peer === undefined ? undefined : { uri: undefined, subject: undefined, expiresMs: undefined, ...peer };
  const proof = snapshot.authenticate(presented(secrets, { peer: full }), { now: () => nowMs, keySets: NO_KEY_SETS });
  assert.ok(!(proof instanceof Promise), "keys and certificates need no waiting");
  return proof;
}
/** `bot k1 ada chat`: app, credential, user and use case; or the refusal. */
function shown(...of: Parameters<typeof ask>): string {
  const proof = ask(...of);
  if (!proof.ok) return `${proof.error.code}${proof.error.detail === undefined ? "" : `: ${proof.error.detail}`}`;
  const { app, credentialKind, credentialId, user, useCase } = proof.value;
  return [app, credentialKind, credentialId, user ?? "-", useCase ?? "-"].join(" ");
}

test("a certificate proves its app by SPIFFE id or by its whole subject", () => {
  assert.equal(shown([], { uri: "spiffe://acme/bot", subject: "CN=whatever" }), "bot mtls mtls:acme/bot robot -");
  assert.equal(shown([], { subject: "CN=other,O=Acme" }), "other mtls dn - -");
  for (const peer of [
    { uri: "spiffe://acme/bot/" },
    { uri: "spiffe://ACME/bot" },
    { uri: "spiffe://acme/bot,spiffe://acme/x" },
    { uri: "" },
    { subject: "CN=other" },
    { subject: "CN=other,O=Acme,O=More" },
    { subject: "O=Acme,CN=other" },
    {},
  ])
    assert.equal(shown([], peer), "unauthenticated", JSON.stringify(peer));
});

test("revoked, early and expired certificates prove nobody", () => {
  assert.equal(shown([], { uri: "spiffe://acme/gone" }), "unauthenticated");
  assert.equal(shown([], { uri: "spiffe://acme/late" }), "unauthenticated");
  assert.match(shown([], { uri: "spiffe://acme/late" }, Date.parse("2026-12-02")), /^bot mtls/);
  assert.match(shown([], { uri: "spiffe://acme/bot", expiresMs: NOW_MS + 1 }), /^bot/);
  assert.match(shown([], { uri: "spiffe://acme/bot", expiresMs: NOW_MS }), /expired/);
});

test("several credentials of one app bind the call to all that each is bound to", () => {
  assert.equal(shown(["free", "chat"]), "bot api_key k1 - chat");
  assert.equal(shown(["chat", "ada"]), "bot api_key k2 ada chat");
  assert.equal(shown(["chat"], { uri: "spiffe://acme/bot" }), "bot api_key k2 robot chat");
});

test("credentials that cannot all be true make the call nobody's", () => {
  const two = "unauthenticated: The call carries credentials of two different callers. Send one.";
  assert.equal(shown(["free", "other"]), two);
  assert.equal(shown(["other"], { uri: "spiffe://acme/bot" }), two);
  assert.equal(shown(["chat", "mail"]), two);
  assert.equal(shown(["ada"], { uri: "spiffe://acme/bot" }), two);
  assert.equal(shown([], { uri: "spiffe://acme/bot", subject: "CN=other,O=Acme" }), two, "one certificate of two apps");
});

test("a credential that proves nobody does not harm one that does", () => {
  assert.equal(shown(["nonsense", "free"]), "bot api_key k1 - -");
  assert.equal(shown(["old", "free"], { uri: "spiffe://mesh/sidecar" }), "bot api_key k1 - -");
  assert.equal(shown(["old"]), "unauthenticated");
  assert.equal(shown([]), "unauthenticated");
});
