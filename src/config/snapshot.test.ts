import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { byKey } from "../../test/support/credentials.ts";
import { assertSubset } from "../../test/support/subset.ts";
import type { PolicySnapshot } from "../core/snapshot.ts";
import { STAGES } from "../stages/index.ts";
import { checkPolicy } from "./load.ts";
import { formatProblem } from "./problems.ts";
import { compileSnapshot } from "./snapshot.ts";

const hashOf = (key: string): string => createHash("sha256").update(key).digest("hex");
const POLICY = `
apiVersion: sluice/v1
version: "2026-11-23.1"
name: example
providers:
  openai:    { format: openai, baseUrl: https://api.openai.com/v1, credential: { env: OPENAI_API_KEY }, regions: [us], residency: [us] }
  openai-eu: { format: openai, baseUrl: https://eu.api.openai.com/v1/, credential: { file: /run/secrets/openai-eu }, regions: [eu], residency: [eu, us] }
  anthropic: { format: anthropic, baseUrl: https://api.anthropic.com, credential: { env: ANTHROPIC_API_KEY }, regions: [us], residency: [us] }
  private:   { format: openai, baseUrl: "http://[::1]:8000/v1", regions: [eu, us], residency: [eu, us], private: true }
models:
  gpt-4o-mini: { family: gpt-4o, targets: [{ provider: openai, model: gpt-4o-mini }, { provider: openai-eu, model: gpt-4o-mini }], price: catalog }
  claude-haiku: { family: claude, targets: [{ provider: anthropic, model: claude-haiku-4-5 }], price: catalog }
  llama-private: { targets: [{ provider: private, model: llama-3, region: eu, price: { input: 0.05, output: "0.123456789" } }] }
tiers: { standard: [{ model: gpt-4o-mini, params: { temperature: 0.2 } }, claude-haiku], cheap: [llama-private] }
defaults: { contract: { user: required }, timeouts: { requestMs: 50000 }, access: { models: ["*"], tools: { allow: [a, b] } }, unknownSurface: deny }
keys:
  k-free: { tenant: acme, app: support-bot, sha256: ${hashOf("free")} }
  k-bound: { tenant: acme, app: two, sha256: ${hashOf("bound")}, useCase: support-reply, user: u1 }
  k-late: { tenant: acme, app: two, sha256: ${hashOf("late")}, notBefore: 2027-01-01, expires: 2027-01-02T00:00:00Z }
  k-revoked: { tenant: acme, app: two, sha256: ${hashOf("revoked")}, revoked: 2030-01-01 }
tenants:
  acme:
    residency: eu
    providerCredentials: { openai: { file: acme-openai } }
    mode: warn
    caps: { outputTokensMax: 700 }
    apps:
      support-bot:
        credentials: [{ apiKey: { id: k-inline, sha256: ${hashOf("inline")} } }]
        useCases: [support-reply]
        caps: { outputTokensMax: 600 }
      two: { useCases: [support-reply, summary] }
  plain: { apps: { one: { useCases: [support-reply] }, strict: { useCases: [support-reply], contract: { useCase: required } } } }
useCases:
  support-reply:
    mode: shadow
    access: { mode: enforce, tools: { allow: [search_kb] } }
    caps: { outputTokensMax: 800, outputTokensDefault: 200, onExceeded: refuse }
    route: { retry: { on: [rate_limited, 5xx], attempts: 3 }, onFault: open }
    timeouts: { perTryMs: 9000 }
  summary: {}
`;

function snapshotOf(text: string): PolicySnapshot {
  const loaded = checkPolicy([{ file: "policy.yaml", bytes: new TextEncoder().encode(text) }], STAGES, { folder: "/" });
  assert.ok(loaded.ok, loaded.ok ? "" : loaded.error.map(formatProblem).join("\n"));
  return compileSnapshot(loaded.value, STAGES);
}
const principalOf = (snapshot: PolicySnapshot, key: string) => {
  const principal = byKey(snapshot, key, Date.parse("2026-12-01"));
  assert.ok(typeof principal === "object", `key ${key} is valid`);
  return principal;
};

test("the catalogue holds accounts, models with prices, and tiers with parameters", () => {
  const { catalog, hash, version, limits } = snapshotOf(POLICY);
  assert.equal(hash, hashOf(POLICY));
  assert.equal(version, "2026-11-23.1");
  assert.equal(limits.bodyBytesMax, 32 * 1024 * 1024);
  const openai = catalog.providers.get("openai");
  assert.deepEqual([openai?.scheme, openai?.host, openai?.port, openai?.basePath], ["https", "api.openai.com", 443, "/v1"]);
  assert.match(openai?.cluster ?? "", /^p\.openai-[0-9a-f]{8}$/);
  assert.match(openai?.tenantClusters.get("acme") ?? "", /^p\.openai\.acme-[0-9a-f]{8}$/);
  assert.equal(catalog.providers.get("openai-eu")?.basePath, "/v1", "a trailing slash is cut");
  assert.deepEqual([catalog.providers.get("private")?.host, catalog.providers.get("private")?.port], ["::1", 8000]);
  const mini = catalog.models.get("gpt-4o-mini");
  assert.deepEqual(
    mini?.targets.map((target) => [target.provider.name, target.region, target.price?.input, target.price?.source]),
    [
      ["openai", "us", 150_000_000, "catalog:openai/gpt-4o-mini@2026-08-06"],
      ["openai-eu", "eu", 150_000_000, "catalog:openai/gpt-4o-mini@2026-08-06"],
    ],
  );
  const llama = catalog.models.get("llama-private")?.targets[0];
  assert.deepEqual(llama?.price, { input: 50_000_000, output: 123_456_789, source: "policy" });
  assert.deepEqual(
    catalog.tiers.get("standard")?.map((choice) => [choice.model.name, choice.parameters, choice.tier]),
    [
      ["gpt-4o-mini", { temperature: 0.2 }, "standard"],
      ["claude-haiku", {}, "standard"],
    ],
  );
});

test("rules merge: defaults, then use case, then tenant, then app; maps by member, lists whole", () => {
  const snapshot = snapshotOf(POLICY);
  const rules = snapshot.resolve(principalOf(snapshot, "free"), "support-reply");
  const stage = (name: string) => rules.stages.find((one) => one.name === name);
  assert.equal(rules.name, "acme/support-bot/support-reply");
  assert.deepEqual(
    ["contract", "access", "route", "caps"].map((name) => [name, stage(name)?.mode, stage(name)?.onFault]),
    [
      ["contract", "warn", "closed"],
      ["access", "enforce", "closed"],
      ["route", "warn", "open"],
      ["caps", "warn", "closed"],
    ],
    "the tenant's mode beats the use case's; a section's own beats both",
  );
  assert.deepEqual(stage("caps")?.settings, {
    ...{ outputTokensMax: 600, outputTokensDefault: 200, onExceeded: "refuse" },
    degradeTo: "cheap",
  });
  assertSubset(stage("access")?.settings, {
    operations: ["chat", "embed", "list"],
    models: ["*"],
    tiers: [],
    families: [],
    tools: { allow: ["search_kb"], deny: [] },
    providerState: "own",
  });
  assert.deepEqual(rules.timeouts, { requestMs: 50_000, perTryMs: 9000, idleMs: 50_000 });
  assert.deepEqual(rules.retry, { on: ["rate_limited", "5xx"], attempts: 3 });
  assert.deepEqual([rules.errors, rules.evidenceFault], ["passthrough", "refuse"]);

  const without = snapshot.resolve(principalOf(snapshot, "free"), undefined);
  assert.equal(without.name, "acme/support-bot/-");
  assert.equal(without.mode, "warn");
  assert.deepEqual(without.stages.find((one) => one.name === "caps")?.settings, {
    ...{ outputTokensMax: 600, onExceeded: "clamp", degradeTo: "cheap" },
  });
  assert.equal(snapshot.resolve(principalOf(snapshot, "free"), "constructor").name, "acme/support-bot/-");
  assert.equal(snapshot.resolve(principalOf(snapshot, "free"), "support-reply"), rules, "resolved once");
});

test("keys: valid, bound, not yet, no longer, revoked, unknown", () => {
  const snapshot = snapshotOf(POLICY);
  const nowMs = Date.parse("2026-12-01");
  assert.deepEqual(byKey(snapshot, "inline", nowMs), {
    tenant: "acme",
    app: "support-bot",
    useCase: undefined,
    user: undefined,
    credentialId: "k-inline",
    credentialKind: "api_key",
  });
  assert.deepEqual(byKey(snapshot, "bound", nowMs), {
    tenant: "acme",
    app: "two",
    useCase: "support-reply",
    user: "u1",
    credentialId: "k-bound",
    credentialKind: "api_key",
  });
  assert.equal(byKey(snapshot, "late", Date.parse("2026-12-31T23:59:59.999Z")), "unauthenticated");
  assert.equal(typeof byKey(snapshot, "late", Date.parse("2027-01-01")), "object");
  assert.equal(byKey(snapshot, "late", Date.parse("2027-01-02")), "unauthenticated", "the end is not part of it");
  assert.equal(byKey(snapshot, "revoked", nowMs), "unauthenticated", "a revoked key is revoked, whatever the date says");
  for (const key of ["", "unknown", hashOf("inline"), "inline ", "x".repeat(100_000)])
    assert.equal(byKey(snapshot, key, nowMs), "unauthenticated");
});

test("the use case: the app's only one, the key's own, or the caller's to name", () => {
  const snapshot = snapshotOf(POLICY);
  const free = principalOf(snapshot, "free");
  const bound = principalOf(snapshot, "bound");
  assert.equal(snapshot.defaultUseCase(free), "support-reply");
  assert.equal(snapshot.defaultUseCase({ ...free, app: "two" }), undefined, "several");
  assert.equal(snapshot.defaultUseCase(bound), "support-reply");
  assert.equal(snapshot.defaultUseCase({ ...free, tenant: "plain", app: "one" }), "support-reply");
  assert.equal(
    snapshot.defaultUseCase({ ...free, tenant: "plain", app: "strict" }),
    "support-reply",
    "required but only in shadow: it refuses nothing",
  );
  const enforced = snapshotOf(POLICY.replace("    mode: shadow\n", "    mode: enforce\n"));
  assert.equal(enforced.defaultUseCase({ ...free, tenant: "plain", app: "strict" }), undefined, "the contract makes the caller name it");
  assert.equal(snapshot.allowsUseCase(free, "summary"), false);
  assert.equal(snapshot.allowsUseCase({ ...free, app: "two" }, "summary"), true);
  assert.equal(snapshot.allowsUseCase(bound, "summary"), false, "a bound key cannot widen itself");
  assert.equal(snapshot.residencyOf("acme"), "eu");
  assert.equal(snapshot.residencyOf("constructor"), undefined);
});
