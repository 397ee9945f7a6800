import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder } from "./make-folder.ts";

test("makes what is missing, twice as well as once, at the same time as another", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "sluice-mk-"));
  t.after(() => rmSync(root, { recursive: true }));
  const deep = join(root, "a/b/c");
  await Promise.all([makeFolder(deep, 0o700), makeFolder(deep, 0o700), makeFolder(join(root, "a/b/d"))]);
  await makeFolder(deep);
  assert.equal(statSync(deep).mode & 0o777, 0o700);
  const plain = join(root, "plain");
  writeFileSync(plain, "");
  await assert.rejects(makeFolder(plain), { code: "EEXIST" });
  await assert.rejects(makeFolder(join(plain, "x")), { code: "ENOTDIR" });
});

test("a place where no folder can be made is an error, and no endless try", { timeout: 5_000 }, async () => {
  await assert.rejects(makeFolder("/proc/sluice/data"), { code: "ENOENT" });
});
