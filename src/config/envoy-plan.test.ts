import assert from "node:assert/strict";
import { test } from "node:test";
import { STAGES } from "../stages/index.ts";
import { envoyPlan } from "./envoy-plan.ts";
import { checkPolicy } from "./load.ts";
import { formatProblem } from "./problems.ts";

const POLICY = `
apiVersion: sluice/v1
version: "1"
providers:
  openai: { format: openai, baseUrl: https://api.openai.com/v1, credential: { env: OPENAI_API_KEY }, caFile: ca.pem }
  anthropic: { format: anthropic, baseUrl: https://api.anthropic.com, credential: { file: secrets/anthropic } }
  gemini: { format: gemini, baseUrl: https://generativelanguage.googleapis.com, credential: { env: GEMINI_API_KEY }, maxRequests: 7 }
  local: { format: openai, baseUrl: "http://[::1]:8000/v1" }
tenants:
  acme: { providerCredentials: { openai: { file: /run/secrets/acme } }, apps: { one: { useCases: [slow] } } }
useCases: { slow: { timeouts: { requestMs: 600000 } }, unused: { timeouts: { requestMs: 900000 } } }
limits: { bodyBytesMax: 1048576 }
listen: { port: 9000 }
`;

test("a cluster for each account and each tenant's own credential, dialled and credentialed as its format wants", () => {
  const loaded = checkPolicy([{ file: "policy.yaml", bytes: new TextEncoder().encode(POLICY) }], STAGES, { folder: "/etc/sluice" });
  assert.ok(loaded.ok, loaded.ok ? "" : loaded.error.map(formatProblem).join("\n"));
  const placement = {
    nodeId: "n1",
    admin: { address: "127.0.0.1", port: 9901 },
    sockets: ["/run/s.sock"],
    dynamicDir: "/run/dynamic",
    accessLog: "/dev/stdout",
  };
  const plan = envoyPlan(loaded.value, STAGES, placement);
  assert.equal(plan.policyHash, loaded.value.hash);
  assert.deepEqual(plan.listen, { address: "127.0.0.1", port: 9000 });
  assert.equal(plan.bodyBytesMax, 1_048_576);
  assert.equal(plan.requestMsMax, 600_000, "the longest of those that an app may use");
  assert.equal(plan.concurrency, undefined);
  const limits = { connectTimeoutMs: 5000, maxRequests: 1024, maxConnections: 1024 };
  const openai = { provider: "openai", scheme: "https", host: "api.openai.com", port: 443, caFile: "/etc/sluice/ca.pem", ...limits };
  for (const { name, label } of plan.clusters) assert.match(name, new RegExp(`^${label}-[0-9a-f]{8}$`));
  const clusters = plan.clusters.map(({ name: _name, ...rest }) => rest);
  assert.deepEqual(clusters, [
    {
      label: "p.openai",
      ...openai,
      credential: { header: "authorization", prefix: "Bearer ", secret: { kind: "env", name: "OPENAI_API_KEY" } },
    },
    {
      label: "p.openai.acme",
      ...openai,
      credential: { header: "authorization", prefix: "Bearer ", secret: { kind: "file", path: "/run/secrets/acme" } },
    },
    {
      label: "p.anthropic",
      provider: "anthropic",
      scheme: "https",
      host: "api.anthropic.com",
      port: 443,
      ...limits,
      credential: { header: "x-api-key", prefix: "", secret: { kind: "file", path: "/etc/sluice/secrets/anthropic" } },
    },
    {
      label: "p.gemini",
      provider: "gemini",
      scheme: "https",
      host: "generativelanguage.googleapis.com",
      port: 443,
      ...limits,
      maxRequests: 7,
      credential: { header: "x-goog-api-key", prefix: "", secret: { kind: "env", name: "GEMINI_API_KEY" } },
    },
    { label: "p.local", provider: "local", scheme: "http", host: "::1", port: 8000, ...limits },
  ]);
  assert.deepEqual(envoyPlan(loaded.value, STAGES, { ...placement, listen: { address: "0.0.0.0", port: 80 } }).listen, {
    address: "0.0.0.0",
    port: 80,
  });
});
