import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { byKey } from "../../test/support/credentials.ts";
import { STAGES } from "../stages/index.ts";
import { issueKey, listKeys, parseLifetimeMs, revokeKey, rotateKey } from "./keys.ts";
import { loadPolicy } from "./load.ts";
import { formatProblem } from "./problems.ts";
import { compileSnapshot } from "./snapshot.ts";

const POLICY = `# The policy of the test.
apiVersion: sluice/v1
version: "1"   # raised by hand

tenants:
  acme:
    # The bot that answers.
    apps:
      bot: { useCases: [reply], credentials: [{ apiKey: { id: "77", sha256: ${"a".repeat(64)} } }] }
useCases:
  reply: {}   # nothing special
`;
const OWNER = { tenant: "acme", app: "bot", useCase: undefined, user: undefined, note: undefined, expiresMs: undefined };
const NOW_MS = Date.parse("2026-11-24T10:00:00Z");
const DAY_MS = 86_400_000;

async function folderWith(t: { after(fn: () => Promise<void>): void }, name = "policy.yaml", text = POLICY): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-keys-"));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, name), text);
  return folder;
}
async function policyOf(path: string) {
  const loaded = await loadPolicy(path, STAGES);
  assert.ok(loaded.ok, loaded.ok ? "" : loaded.error.map(formatProblem).join("\n"));
  return loaded.value;
}

test("a new key works, is nowhere but in the answer, and leaves comments, order and mode of the file alone", async (t) => {
  const policy = join(await folderWith(t), "policy.yaml");
  await chmod(policy, 0o640);
  const issued = await issueKey(
    policy,
    STAGES,
    { ...OWNER, useCase: "reply", user: "u1", note: "for the test: #1", expiresMs: NOW_MS + DAY_MS },
    NOW_MS,
  );
  assert.ok(issued.ok, issued.ok ? "" : issued.error);
  const { id, key, prefix } = issued.value;
  assert.match(key, /^slk_[a-z][a-z0-9]{7}_[A-Za-z0-9_-]{43}$/);
  assert.ok(key.startsWith(prefix));
  const text = await readFile(policy, "utf8");
  assert.ok(text.startsWith(POLICY.trimEnd()), `what was there stays as it was:\n${text}`);
  assert.ok(!text.includes(key.slice(prefix.length)), "the secret part is not stored");
  assert.equal((await stat(policy)).mode & 0o777, 0o640);
  assert.deepEqual(await readdir(join(policy, "..")), ["policy.yaml"], "no lock, no temporary file");
  const snapshot = compileSnapshot(await policyOf(policy), STAGES);
  assert.deepEqual(byKey(snapshot, key, NOW_MS), {
    tenant: "acme",
    app: "bot",
    useCase: "reply",
    user: "u1",
    credentialId: id,
    credentialKind: "api_key",
  });
  assert.equal(byKey(snapshot, key, NOW_MS + DAY_MS), "unauthenticated");
  assert.equal(byKey(snapshot, `${key.slice(0, -1)}!`, NOW_MS), "unauthenticated");
});

test("in a folder, keys live in keys.yaml", async (t) => {
  const folder = await folderWith(t);
  for (let count = 0; count < 2; count++) assert.ok((await issueKey(folder, STAGES, OWNER, NOW_MS)).ok);
  assert.equal(await readFile(join(folder, "policy.yaml"), "utf8"), POLICY);
  const text = await readFile(join(folder, "keys.yaml"), "utf8");
  assert.match(text, /^# API keys, kept by `sluice keys`/);
  assert.equal(Object.keys((await policyOf(folder)).document.keys).length, 2);
});

test("keys made at the same time all arrive", async (t) => {
  const folder = await folderWith(t);
  const issued = await Promise.all(Array.from({ length: 8 }, () => issueKey(folder, STAGES, OWNER, NOW_MS)));
  assert.deepEqual(
    issued.map((one) => one.ok),
    Array.from({ length: 8 }, () => true),
  );
  const snapshot = compileSnapshot(await policyOf(folder), STAGES);
  for (const one of issued) assert.equal(typeof (one.ok ? byKey(snapshot, one.value.key, NOW_MS) : undefined), "object");
});

test("revoke: refused from then on, wherever the key stands; a second time says so", async (t) => {
  const policy = join(await folderWith(t), "policy.yaml");
  const issued = await issueKey(policy, STAGES, OWNER, NOW_MS);
  assert.ok(issued.ok);
  assert.ok((await revokeKey(policy, STAGES, issued.value.id, NOW_MS)).ok);
  assert.ok((await revokeKey(policy, STAGES, "77", NOW_MS)).ok, "a key that was written by hand, with a number for an id");
  const loaded = await policyOf(policy);
  assert.equal(byKey(compileSnapshot(loaded, STAGES), issued.value.key, NOW_MS), "unauthenticated");
  assert.deepEqual(
    listKeys(loaded, NOW_MS).map((key) => key.status),
    ["revoked", "revoked"],
  );
  assert.deepEqual(await revokeKey(policy, STAGES, "77", NOW_MS), { ok: false, error: "key 77 is revoked already" });
  assert.deepEqual(await revokeKey(policy, STAGES, "78", NOW_MS), { ok: false, error: 'there is no key "78": did you mean 77?' });
});

test("rotate: old and new work during the overlap, then only the new one, for as long as the old was meant to", async (t) => {
  const policy = join(await folderWith(t), "policy.yaml");
  const old = await issueKey(policy, STAGES, { ...OWNER, useCase: "reply", expiresMs: NOW_MS + 90 * DAY_MS }, NOW_MS);
  assert.ok(old.ok);
  const laterMs = NOW_MS + 80 * DAY_MS;
  const rotated = await rotateKey(policy, STAGES, old.value.id, { overlapMs: DAY_MS, expiresMs: undefined, nowMs: laterMs });
  assert.ok(rotated.ok, rotated.ok ? "" : rotated.error);
  const snapshot = compileSnapshot(await policyOf(policy), STAGES);
  const works = (key: string, ms: number): boolean => typeof byKey(snapshot, key, ms) === "object";
  assert.deepEqual([works(old.value.key, laterMs + DAY_MS - 1000), works(rotated.value.key, laterMs)], [true, true]);
  assert.deepEqual(
    [
      works(old.value.key, laterMs + DAY_MS),
      works(rotated.value.key, laterMs + 90 * DAY_MS - 1000),
      works(rotated.value.key, laterMs + 90 * DAY_MS),
    ],
    [false, true, false],
  );
  assert.equal(rotated.value.useCase, "reply");
  const near = await rotateKey(policy, STAGES, rotated.value.id, { overlapMs: 1000 * DAY_MS, expiresMs: undefined, nowMs: laterMs });
  assert.ok(near.ok && near.value.oldExpires === rotated.value.expires, "an overlap never makes the old key live longer");
});

test("nothing is written for owners that do not exist, or over a broken policy", async (t) => {
  const policy = join(await folderWith(t), "policy.yaml");
  const tries = [
    [{ ...OWNER, tenant: "amce" }, 'the policy has no tenant "amce": did you mean acme?'],
    [{ ...OWNER, app: "web" }, 'tenant acme has no app "web": add it first; there is bot'],
    [{ ...OWNER, useCase: "other" }, 'app bot may not declare the use case "other": add it to the app\'s useCases first; there is reply'],
  ] as const;
  for (const [owner, error] of tries) assert.deepEqual(await issueKey(policy, STAGES, owner, NOW_MS), { ok: false, error });
  assert.equal(await readFile(policy, "utf8"), POLICY);
  await writeFile(policy, `${POLICY}nonsense: 1\n`);
  const broken = await issueKey(policy, STAGES, OWNER, NOW_MS);
  assert.match(broken.ok ? "" : broken.error, /^the policy has mistakes, correct them first: .*policy\.yaml:12:1/);
});

test("lifetimes", () => {
  assert.deepEqual(["90d", "24h", "30m", "1y", "0d", "d", "1w", "", "1.5h"].map(parseLifetimeMs), [
    90 * DAY_MS,
    DAY_MS,
    1_800_000,
    365 * DAY_MS,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
