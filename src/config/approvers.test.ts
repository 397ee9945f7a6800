import assert from "node:assert/strict";
import { test } from "node:test";
import type { IdentityDeps, Presented } from "../core/credentials.ts";
import { approvalsSection, compileApprovers } from "./approvers.ts";

const deps: IdentityDeps = { now: () => 0, keySets: { current: () => undefined, refresh: async () => {} } };
const shown: Presented = {
  head: { get: () => undefined },
  query: new URLSearchParams(),
  secrets: [],
  peer: { uri: "spiffe://acme/people/ada", subject: "CN=ada", expiresMs: undefined },
};
const identify = (users: readonly [string, string]) => {
  const approvers = [
    { mtls: { spiffe: "spiffe://acme/people/ada", user: users[0] }, tenants: ["acme"] },
    { mtls: { subject: "CN=ada", user: users[1] }, tenants: ["beta"] },
  ];
  return compileApprovers({ approvals: approvalsSection.parse({ approvers }) }, ".").identify(shown, deps);
};

test("a person with two credentials is one, in whichever case they write the name; two people are nobody", async () => {
  assert.deepEqual(await identify(["Ada@acme.example", "ada@acme.example"]), {
    ok: true,
    value: { name: "Ada@acme.example", tenants: ["acme", "beta"] },
  });
  assert.deepEqual(await identify(["ada", "bob"]), { ok: false, error: "the credentials are of two different people" });
});
