import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { test } from "node:test";
import { checkCommand } from "./check.ts";

async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number; out: string; err: string }> {
  const text = { out: "", err: "" };
  const into = (name: "out" | "err") =>
    new Writable({
      write: (chunk, _encoding, done) => {
        text[name] += String(chunk);
        done();
      },
    });
  const code = await checkCommand.run(args, { stdout: into("out"), stderr: into("err"), env, cwd: "/" });
  return { code, ...text };
}
async function policyAt(t: { after(fn: () => Promise<void>): void }, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-check-"));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "policy.yaml"), text);
  return join(folder, "policy.yaml");
}

const POLICY = `apiVersion: sluice/v1
version: "3"
defaults: { caps: { outputTokensMax: 100 }, mode: shadow }
tenants:
  acme:
    caps: { outputTokensMax: 300 }
    apps:
      bot:
        useCases: [reply]
        route: { mode: enforce }
useCases:
  reply:
    access: { families: [] }
    caps: { outputTokensMax: 200, latencyMsMax: 9000 }
`;

test("docs/policy.schema.json is what `sluice check --schema` prints", async () => {
  const { code, out } = await run(["--schema"]);
  assert.equal(code, 0);
  const file = await readFile(new URL("../../docs/policy.schema.json", import.meta.url), "utf8");
  assert.equal(file, out, "make it again: sluice check --schema > docs/policy.schema.json");
  const schema = JSON.parse(out);
  assert.deepEqual(schema.required, ["apiVersion", "version"]);
  assert.equal(schema.additionalProperties, false);
  for (const stage of ["contract", "access", "route", "caps"]) {
    assert.deepEqual(schema.properties.useCases.additionalProperties.properties[stage], { $ref: `#/$defs/${stage}` });
    const section = schema.$defs[stage];
    assert.deepEqual(section.properties.mode.enum, ["off", "shadow", "warn", "enforce"], stage);
    assert.deepEqual(section.required, undefined, `${stage}: a layer may say as little as it likes`);
  }
});

test("a valid policy is one line on stdout, its warnings on stderr; --json says the same", async (t) => {
  const policy = await policyAt(t, POLICY);
  const plain = await run([], { SLUICE_POLICY: policy });
  assert.equal(plain.code, 0);
  assert.match(plain.out, /^policy@3 is valid \(sha256 [0-9a-f]{12}, 1 file, 1 warning\)\n$/);
  assert.match(plain.err, /^\S+policy\.yaml:12:\d+: warning: useCases\.reply: this use case may call no model\. Remedy: .*\n$/);
  const json = JSON.parse((await run(["--policy", policy, "--json"])).out);
  assert.deepEqual([json.valid, json.version, json.problems.length], [true, "3", 1]);
});

test("an invalid policy is one line a mistake, exit code 1", async (t) => {
  const policy = await policyAt(t, POLICY.replace("families", "familys").replace("latencyMsMax: 9000", "latencyMsMax: 9s"));
  const plain = await run(["--policy", policy]);
  assert.deepEqual([plain.code, plain.out], [1, ""]);
  assert.deepEqual(
    plain.err.split("\n").map((line) => line.replace(policy, "P")),
    [
      'P:13:15: error: useCases.reply.access.familys: unknown key "familys". Remedy: did you mean families?',
      "P:14:49: error: useCases.reply.caps.latencyMsMax: must be whole milliseconds, without a unit. Remedy: write latencyMsMax: 9000",
      "sluice check: the policy is not valid: 2 errors",
      "",
    ],
  );
  const json = await run(["--policy", policy, "--json"]);
  assert.deepEqual([json.code, JSON.parse(json.out).problems.map(({ line }: { line: number }) => line)], [1, [13, 14]]);
  assert.equal((await run(["--policy", "/nowhere.yaml"])).code, 1);
});

test("--explain says for every setting what holds, and who said so where", async (t) => {
  const policy = await policyAt(t, POLICY);
  const { code, out } = await run(["--policy", policy, "--explain", "acme/bot/reply", "--json"]);
  assert.equal(code, 0);
  const { subject, settings } = JSON.parse(out).explanation;
  assert.equal(subject, "acme/bot/reply");
  const said = Object.fromEntries(
    settings.map(({ setting, value, layer, place }: Record<string, unknown>) => [setting, [value, layer, place]]),
  );
  assert.deepEqual(said["caps.outputTokensMax"], [300, "tenant", `${policy}:6`]);
  assert.deepEqual(said["caps.latencyMsMax"], [9000, "use case", `${policy}:14`]);
  assert.deepEqual(said["caps.mode"], ["shadow", "defaults", `${policy}:3`], "a section without a mode has the mode of the whole");
  assert.deepEqual(said["route.mode"], ["enforce", "app", `${policy}:10`]);
  assert.deepEqual(said["timeouts.perTryMs"], [60000, "built in", undefined]);
  const plain = await run(["--policy", policy, "--explain", "acme/bot"]);
  assert.match(plain.out, /^acme\/bot\/-: setting, value, layer, place.*\n(?: {2}\S.*\n)+$/);
  assert.match(plain.out, /\n {2}caps\.outputTokensMax +300 +tenant +\S+policy\.yaml:6\n/);
  for (const [who, remedy] of [
    ["acme/bott/reply", "did you mean bot?"],
    ["acme", "tenant/app/use-case"],
    ["acme/bot/repli", "did you mean reply?"],
    ["constructor/x", "there is acme"],
  ] as const) {
    const wrong = await run(["--policy", policy, "--explain", who]);
    assert.equal(wrong.code, 1);
    assert.ok(wrong.err.includes(remedy), wrong.err);
  }
});

test("the policy may be named without an option; wrong usage is exit code 2 and says what is wrong", async (t) => {
  const path = await policyAt(t, POLICY);
  assert.deepEqual((await run([path])).out, (await run(["--policy", path])).out);
  const table: readonly (readonly [string[], RegExp])[] = [
    [["--nonsense"], /Unknown option '--nonsense'/],
    [[path, path], /one policy at a time/],
    [["--policy", path, path], /one policy at a time/],
    [["--policy"], /argument missing/],
  ];
  for (const [args, why] of table) {
    const { code, err } = await run(args);
    assert.equal(code, 2);
    assert.match(err, why);
  }
});
