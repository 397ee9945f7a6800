import assert from "node:assert/strict";
import { test } from "node:test";
import { usualName } from "./wire-names.ts";

test("a usual name is found wherever its bytes stand, and nothing that only looks like one", () => {
  for (const name of ["content-type", ":path", "x-ai-user", "xds.cluster_name", "envoy.filters.http.ext_proc"]) {
    const bytes = Buffer.from(`ab${name}cd`);
    assert.equal(usualName(bytes, 2, name.length), name);
    assert.equal(usualName(bytes, 1, name.length), undefined);
    assert.equal(usualName(bytes, 2, name.length - 1), undefined);
  }
  assert.equal(usualName(Buffer.alloc(0), 0, 0), undefined);
  assert.equal(usualName(Buffer.from("Content-Type"), 0, 12), undefined);
});
