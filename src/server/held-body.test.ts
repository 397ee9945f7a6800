import assert from "node:assert/strict";
import { hash } from "node:crypto";
import fc from "fast-check";
import { property } from "../../test/support/property.ts";
import { HeldBody } from "./held-body.ts";

const piece = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 50 }), fc.uint8Array({ minLength: 9000, maxLength: 40_000, size: "max" }));

property("a held body is what came, and so is its digest", fc.array(piece, { maxLength: 8 }), (pieces) => {
  const held = new HeldBody();
  for (const bytes of pieces) held.add(Buffer.from(bytes));
  const { body, digest } = held.take();
  const whole = Buffer.concat(pieces);
  assert(body.equals(whole));
  assert.equal(digest, whole.length === 0 ? undefined : hash("sha256", whole, "hex"));
});
