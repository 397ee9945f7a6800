import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openLog } from "../../src/adapters/log/pino.ts";
import { type Sluice, startSluice } from "../../src/cli/compose.ts";
import { envoyPlan } from "../../src/config/envoy-plan.ts";
import type { ExchangeRecord } from "../../src/core/record.ts";
import { type Simulator, startSimulator } from "../../src/simulator/server.ts";
import { STAGES } from "../../src/stages/index.ts";
import { startEnvoy, type TestEnvoy } from "./envoy.ts";

/** The whole path on loopback: simulator, Sluice with the real stores, a real Envoy; one policy. */
export interface Gateway {
  readonly url: string;
  readonly envoy: TestEnvoy;
  readonly sluice: Sluice;
  readonly simulator: Simulator;
  /** API keys by app name, as `tenant/app`. */
  readonly key: (app?: string) => string;
  /** Records so far, after everything taken was written; waits until at least `count` are there. */
  records(count?: number): Promise<readonly ExchangeRecord[]>;
  /** The record of the exchange with this id (`x-ai-request-id`); fails when it is not written within five seconds. */
  record(id: string): Promise<ExchangeRecord>;
  /** Ends everything, checks Envoy's counters, removes the files. */
  stop(options?: { readonly clean?: boolean }): Promise<void>;
}

export interface GatewayOptions {
  /** YAML of tenants' apps and use cases and whatever else; `${SIM}` and `${KEY:app}` (SHA-256 of the app's key) are filled in. */
  readonly policy: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts the gateway with a policy. Provider keys of the simulator come from the environment of Envoy. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-gw-"));
  const simulator = await startSimulator({ port: 0 });
  const keys = new Map<string, string>();
  const keyOf = (app: string): string => {
    const known = keys.get(app);
    if (known !== undefined) return known;
    const made = `slk_${app.replaceAll(/[^a-z0-9]/g, "")}_${randomBytes(32).toString("base64url")}`;
    keys.set(app, made);
    return made;
  };
  const text = options.policy
    .replaceAll("${SIM}", simulator.url)
    .replaceAll(/\$\{KEY:([\w./-]+)\}/g, (_all, app: string) => createHash("sha256").update(keyOf(app)).digest("hex"));
  const policyPath = join(dir, "policy.yaml");
  await writeFile(policyPath, text);
  const socket = join(dir, "s.sock");
  const data = join(dir, "data");
  const log = openLog({ level: process.env["SLUICE_LOG_LEVEL"] ?? "warn", stream: process.stderr, color: false });
  const started = await startSluice({ policy: policyPath, data, socket, admin: { host: "127.0.0.1", port: 0 }, writerId: "t", log });
  if (!started.ok) throw new Error(started.error);
  const sluice = started.value;
  const plan = envoyPlan(sluice.policy, STAGES, {
    nodeId: "test",
    sockets: [socket],
    dynamicDir: join(dir, "dynamic"),
    accessLog: join(dir, "access.log"),
    listen: { address: "127.0.0.1", port: 0 },
    admin: { address: "127.0.0.1", port: 0 },
    concurrency: 1,
  });
  const envoy = await startEnvoy({
    clusters: plan.clusters,
    env: { SIM_KEY: "sk-sim-provider-key", ...options.env },
    plan: { sockets: [socket], policyHash: plan.policyHash, bodyBytesMax: plan.bodyBytesMax, requestMsMax: plan.requestMsMax },
  });
  const readRecords = async (): Promise<readonly ExchangeRecord[]> => {
    const lines = await readFile(join(data, "records-t.jsonl"), "utf8").catch(() => "");
    return lines
      .split("\n")
      .filter((line) => line !== "")
      .map((line): ExchangeRecord => JSON.parse(line));
  };
  return {
    url: envoy.url,
    envoy,
    sluice,
    simulator,
    key: (app = "acme/bot") => keyOf(app),
    records: async (count = 0) => {
      for (let waited = 0; waited < 5_000; waited += 20) {
        const records = await readRecords();
        if (records.length >= count && waited >= 20) return records;
        await sleep(20);
      }
      return readRecords();
    },
    record: async (id) => {
      for (let waited = 0; waited < 5_000; waited += 10) {
        const found = (await readRecords()).find((record) => record.id === id);
        if (found !== undefined) return found;
        await sleep(10);
      }
      throw new Error(`no record of exchange ${id}`);
    },
    stop: async ({ clean = true } = {}) => {
      try {
        if (clean) await envoy.assertClean();
      } finally {
        await envoy.stop();
        await sluice.stop(2_000);
        await simulator.close();
        await envoy.removeFiles();
        await rm(dir, { recursive: true, force: true });
      }
    },
  };
}

/** A policy that most tests start from: one tenant, one app, one use case, all three formats on the simulator. */
export const BASIC_POLICY = `
apiVersion: sluice/v1
version: "test.1"
providers:
  openai: { format: openai, baseUrl: "\${SIM}/v1", credential: { env: SIM_KEY }, regions: [us], residency: [us, eu] }
  anthropic: { format: anthropic, baseUrl: "\${SIM}", credential: { env: SIM_KEY }, regions: [us], residency: [us] }
  gemini: { format: gemini, baseUrl: "\${SIM}", credential: { env: SIM_KEY }, regions: [us], residency: [us] }
models:
  gpt-4o-mini: { family: gpt-4o, targets: [{ provider: openai, model: gpt-4o-mini }], price: { input: "0.15", output: "0.6", cachedInput: "0.075" } }
  renamed: { targets: [{ provider: openai, model: gpt-4o-mini-2024-07-18 }], price: { input: "0.15", output: "0.6" } }
  claude-haiku-4-5: { family: claude, targets: [{ provider: anthropic, model: claude-haiku-4-5 }], price: { input: "1", output: "5" } }
  gemini-2.5-flash: { family: gemini, targets: [{ provider: gemini, model: gemini-2.5-flash }], price: { input: "0.3", output: "2.5" } }
  text-embedding-3-small: { targets: [{ provider: openai, model: text-embedding-3-small }], price: { input: "0.02" } }
  secret-model: { targets: [{ provider: openai, model: secret-model }] }
tiers:
  standard: [{ model: gpt-4o-mini, params: { temperature: 0.2 } }, { model: claude-haiku-4-5 }, { model: gemini-2.5-flash }]
tenants:
  acme:
    apps:
      bot:
        credentials: [{ apiKey: { id: k1, sha256: "\${KEY:acme/bot}" } }]
        useCases: [chat]
useCases:
  chat:
    access: { models: [gpt-4o-mini, renamed, claude-haiku-4-5, gemini-2.5-flash, text-embedding-3-small], tiers: [standard], tools: { allow: ["get_*"] } }
    caps: { outputTokensMax: 500 }
`;
