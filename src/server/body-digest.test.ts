import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { property } from "../../test/support/property.ts";
import { BodyDigest } from "./body-digest.ts";

const piece = fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.uint8Array({ minLength: 4000, maxLength: 9000, size: "max" }));

property("the digest of pieces is that of the whole, however it was cut", fc.array(piece, { maxLength: 40 }), (pieces) => {
  const digest = new BodyDigest();
  for (const bytes of pieces) digest.add(bytes);
  const whole = Buffer.concat(pieces);
  assert.equal(digest.hex(), whole.length === 0 ? undefined : hash("sha256", whole, "hex"));
});

test("what the caller does to a piece afterwards changes nothing", () => {
  const digest = new BodyDigest();
  const bytes = Buffer.from("abc");
  digest.add(bytes);
  bytes.fill(0);
  assert.equal(digest.hex(), hash("sha256", "abc", "hex"));
});
