import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const SERVE = join(import.meta.dirname, "../../src/cli/serve.ts");
/** V8's own word on whether methods of these are found by a constant place, so that compiled code has them inlined. */
const ASK = `
  const all = { String, Array, Object, Map, Set, RegExp, Promise, Function, Number, Uint8Array, Buffer, Error, Date };
  const slow = () => Object.keys(all).filter((name) => !%HasFastProperties(all[name].prototype));
  const before = slow();
  await import(${JSON.stringify(SERVE)});
  console.log(JSON.stringify({ before, behind: slow() }));
`;

test("no package that serving loads leaves the methods of strings, lists or buffers slow", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--allow-natives-syntax", "--input-type=module", "-e", ASK]);
  assert.deepEqual(JSON.parse(stdout), { before: [], behind: [] });
});
