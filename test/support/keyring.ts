import { createHmac } from "node:crypto";
import type { Keyring } from "../../src/ports/keyring.ts";

/** A keyring whose secret everybody knows. It seals nothing. */
export function testKeyring(secret = "test"): Keyring {
  const mac = (words: readonly string[]): Buffer => createHmac("sha256", secret).update(JSON.stringify(words)).digest();
  return {
    keyOf: (purpose, tenant) => mac([purpose, tenant]),
    digest: (purpose, tenant, text) => mac([purpose, tenant, text]).toString("hex"),
    seal: (_purpose, _tenant, plain) => plain,
    open: (_purpose, _tenant, sealed) => ({ ok: true, value: sealed }),
  };
}
