import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Keyring } from "../../ports/keyring.ts";
import { openFileKeyring } from "./file.ts";

function place(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "sluice-key-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, "data", "sluice.key");
}
async function opened(path: string): Promise<Keyring> {
  const keyring = await openFileKeyring(path);
  assert.ok(keyring.ok);
  return keyring.value;
}

test("a key file is made once, for this user alone, and is the same for all who start at once", async (t) => {
  const path = place(t);
  const rings = await Promise.all(Array.from({ length: 8 }, () => opened(path)));
  const [first] = rings;
  assert.ok(first !== undefined);
  for (const ring of rings) assert.equal(ring.digest("p", "acme", "text"), first.digest("p", "acme", "text"));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(path, "..")), ["sluice.key"]);
  assert.equal((await opened(path)).digest("p", "acme", "text"), first.digest("p", "acme", "text"));
});

test("keys and digests differ by tenant, purpose and installation", async (t) => {
  const [one, other] = [await opened(place(t)), await opened(place(t))];
  const digests = [
    one.digest("p", "acme", "text"),
    one.digest("q", "acme", "text"),
    one.digest("p", "beta", "text"),
    one.digest("p", "acme", "texts"),
    other.digest("p", "acme", "text"),
  ];
  assert.equal(new Set(digests).size, digests.length);
  assert.notDeepEqual(one.keyOf('a","b', "c"), one.keyOf("a", 'b","c'));
});

test("what is sealed opens with the same words only, and not when a bit has changed", async (t) => {
  const ring = await opened(place(t));
  const sealed = ring.seal("approvals", "acme", Buffer.from("a refund of 40"));
  assert.ok(!Buffer.from(sealed).includes("refund"));
  assert.notDeepEqual(ring.seal("approvals", "acme", Buffer.from("a refund of 40")), sealed);
  assert.deepEqual(ring.open("approvals", "acme", sealed), { ok: true, value: Buffer.from("a refund of 40") });
  assert.equal(ring.open("approvals", "beta", sealed).ok, false);
  assert.equal(ring.open("others", "acme", sealed).ok, false);
  for (let at = 0; at < sealed.length; at++) {
    const changed = Uint8Array.from(sealed, (byte, index) => (index === at ? byte ^ 1 : byte));
    assert.equal(ring.open("approvals", "acme", changed).ok, false);
  }
  assert.equal(ring.open("approvals", "acme", new Uint8Array(5)).ok, false);
});

test("a file that is no key is refused with what to do, and never repeated", async (t) => {
  const path = place(t);
  await opened(path);
  for (const content of ["", "short", "not base64 !!".repeat(9)]) {
    writeFileSync(path, content);
    const refused = await openFileKeyring(path);
    assert.ok(!refused.ok);
    assert.match(refused.error, /is no key.*remove it/);
  }
  assert.equal(readFileSync(path, "utf8").length > 0, true);
});
