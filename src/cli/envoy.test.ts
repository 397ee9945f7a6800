import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Writable } from "node:stream";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { envoyCommand } from "./envoy.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");
const POLICY = join(REPOSITORY, "envoy/policy.yaml");
const CA = ["--ca", "/etc/ssl/certs/ca-certificates.crt"];

async function run(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const texts = { stdout: "", stderr: "" };
  const into = (name: keyof typeof texts): Writable =>
    new Writable({
      write: (chunk, _encoding, done) => {
        texts[name] += String(chunk);
        done();
      },
    });
  const code = await envoyCommand.run(args, { stdout: into("stdout"), stderr: into("stderr"), env: {}, cwd: REPOSITORY });
  return { code, ...texts };
}

test("the example that we publish is what the command prints", async () => {
  const { code, stdout } = await run("--policy", POLICY, ...CA);
  assert.equal(code, 0);
  assert.equal(stdout, readFileSync(join(REPOSITORY, "envoy/rendered.yaml"), "utf8"), "after a change: see envoy/README.md, last section");
});

test("YAML and JSON say the same", async () => {
  const yaml = parseAllDocuments((await run("--policy", POLICY, ...CA)).stdout);
  const json: unknown = JSON.parse((await run("--policy", POLICY, "--json", ...CA)).stdout);
  assert.ok(typeof json === "object" && json !== null);
  assert.deepEqual(Object.keys(json).map(withoutDigest), [
    "bootstrap.json",
    "dynamic/cds.json",
    "dynamic/sds-p.openai.json",
    "dynamic/sds-p.openai.acme.json",
  ]);
  assert.deepEqual(
    yaml.map((document) => document.toJS()),
    Object.values(json),
  );
});

test("--out writes the files, replaces them and removes what no longer applies", async (t) => {
  const out = mkdtempSync(join(tmpdir(), "sluice-"));
  t.after(() => rmSync(out, { recursive: true }));
  const first = await run("--policy", POLICY, "--out", out);
  assert.equal(first.code, 0);
  assert.equal(first.stdout, `${join(out, "bootstrap.json")}\n`);
  assert.match(first.stderr, /Envoy's environment must hold: OPENAI_API_KEY/);
  assert.deepEqual(readdirSync(join(out, "dynamic")).map(withoutDigest).sort(), [
    "cds.json",
    "sds-p.openai.acme.json",
    "sds-p.openai.json",
  ]);
  assert.match(readFileSync(join(out, "bootstrap.json"), "utf8"), new RegExp(`"path": "${join(out, "dynamic")}/cds.json"`));
  assert.equal((await run("--policy", join(REPOSITORY, "src/cli/fixtures/no-keys.yaml"), "--out", out)).code, 0);
  assert.deepEqual(readdirSync(join(out, "dynamic")), ["cds.json"]);
});

test("wrong words end with 2, a bad policy or folder with 1, each with what to do", async () => {
  for (const args of [
    [],
    ["--policy"],
    ["--policy", POLICY, "--what"],
    ["--policy", POLICY, "--listen", "example.com:80"],
    ["--policy", POLICY, "--admin", "9902"],
    ["--policy", POLICY, "--yaml", "--json"],
    ["--policy", POLICY, "--concurrency", "0"],
    ["--policy", POLICY, "--socket", `/${"x".repeat(107)}`],
  ]) {
    const { code, stderr, stdout } = await run(...args);
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, /^sluice envoy: .+; see sluice envoy --help\n$/);
    assert.equal(stdout, "");
  }
  const missing = await run("--policy", "/nowhere/policy.yaml");
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /\/nowhere\/policy\.yaml: error: .+ Remedy: /);
  const blocked = await run("--policy", POLICY, "--out", join(POLICY, "sub"));
  assert.equal(blocked.code, 1);
  assert.match(blocked.stderr, /^sluice envoy: .+ cannot be written: /);
});

/** A cluster's name ends in a digest of what it dials. */
const withoutDigest = (name: string): string => name.replace(/-[0-9a-f]{8}\.json$/, ".json");
