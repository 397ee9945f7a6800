import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { test } from "node:test";
import { keysCommand } from "./keys.ts";

const HASH = "a".repeat(64);
const POLICY = `apiVersion: sluice/v1
version: "1"
tenants:
  acme: { apps: { bot: { useCases: [reply], credentials: [{ apiKey: { id: k1, sha256: ${HASH} } }] } } }
useCases: { reply: {} }
`;

async function run(args: readonly string[], cwd: string): Promise<{ code: number; out: string; err: string }> {
  const text = { out: "", err: "" };
  const into = (name: "out" | "err") =>
    new Writable({
      write: (chunk, _encoding, done) => {
        text[name] += String(chunk);
        done();
      },
    });
  const code = await keysCommand.run(args, { stdout: into("out"), stderr: into("err"), env: { SLUICE_POLICY: cwd }, cwd });
  return { code, ...text };
}

test("sluice keys: the key alone on stdout, words on stderr, a table of all, wrong words are 2", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sluice-keys-"));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "policy.yaml"), POLICY);
  const made = await run(["new", "--tenant", "acme", "--app", "bot", "--expires", "90d"], folder);
  assert.equal(made.code, 0, made.err);
  assert.match(made.out, /^slk_\S{52}\n$/);
  assert.ok(!made.err.includes(made.out.trim()));
  const id = made.out.slice(4, 12);
  const rotated = await run(["rotate", id, "--overlap", "1h", "--json"], folder);
  assert.equal(rotated.code, 0, rotated.err);
  assert.equal(JSON.parse(rotated.out).tenant, "acme");
  assert.equal((await run(["revoke", id], folder)).code, 0);
  const list = await run(["list"], folder);
  assert.match(list.out, new RegExp(`^ID .*STATUS .*OWNER .*EXPIRES +NOTE\\n(?:.*\\n)*${id} +revoked +acme/bot +20`));
  assert.ok(!list.out.includes(HASH), "hashes are not shown");
  for (const args of [
    [],
    ["make"],
    ["new"],
    ["new", "--tenant", "acme"],
    ["new", "--tenant", "acme", "--app", "bot", "--expires", "soon"],
    ["new", "--tenant", "acme", "--app", "bot", "--expires", "2020-01-01"],
    ["revoke"],
    ["list", "--user", "x"],
    ["rotate", id, "--overlap", "x"],
    ["new", "--nonsense"],
  ]) {
    const wrong = await run(args, folder);
    assert.equal(wrong.code, 2, args.join(" "));
    assert.match(wrong.err, /^sluice keys: [^\n]+ Try: sluice keys --help\n$/);
  }
  const failed = await run(["revoke", "nobody"], folder);
  assert.deepEqual([failed.code, failed.out], [1, ""]);
});
