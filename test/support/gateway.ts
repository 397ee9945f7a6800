import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openLog } from "../../src/adapters/log/pino.ts";
import { type Sluice, startSluice } from "../../src/cli/compose.ts";
import { envoyPlan } from "../../src/config/envoy-plan.ts";
import type { ExchangeRecord } from "../../src/core/record.ts";
import { type Simulator, startSimulator } from "../../src/simulator/server.ts";
import { STAGES } from "../../src/stages/index.ts";
import { freePort, startEnvoy, type TestEnvoy } from "./envoy.ts";

/** The whole path on loopback: simulator, Sluice with the real stores, a real Envoy; one policy. */
export interface Gateway {
  readonly url: string;
  /** Folder of the records. */
  readonly data: string;
  readonly envoy: TestEnvoy;
  readonly sluice: Sluice;
  /** Stops Sluice and starts it again with the same data; its admin port is another then. */
  restart(): Promise<void>;
  readonly simulator: Simulator;
  /** Writes another policy (same placeholders) in place of the one on disk. */
  rewrite(policy: string): Promise<void>;
  /** API keys by app name, as `tenant/app`. */
  readonly key: (app?: string) => string;
  /** Records so far, after everything taken was written; waits until at least `count` are there. */
  records(count?: number, withinMs?: number): Promise<readonly ExchangeRecord[]>;
  /** The record of the exchange with this id (`x-ai-request-id`); fails when it is not written within five seconds. */
  record(id: string): Promise<ExchangeRecord>;
  /** Ends everything, checks Envoy's counters, removes the files. */
  stop(options?: { readonly clean?: boolean }): Promise<void>;
}

export interface GatewayOptions {
  /** YAML of tenants' apps and use cases and whatever else; `${SIM}` and `${KEY:app}` (SHA-256 of the app's key) are filled in. */
  readonly policy: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Files beside the policy, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** Envoy's clusters follow the policy file: `rewrite` edits it. */
  readonly live?: boolean;
}

/** Keys of a test's apps, made up as they are asked for, and policies with the places for them filled in. */
export class KeyRing {
  readonly #keys = new Map<string, string>();

  key(app = "acme/bot"): string {
    const known = this.#keys.get(app);
    if (known !== undefined) return known;
    const made = `slk_${app.replaceAll(/[^a-z0-9]/g, "")}_${randomBytes(32).toString("base64url")}`;
    this.#keys.set(app, made);
    return made;
  }

  fill(policy: string, simulatorUrl: string): string {
    return policy
      .replaceAll(/\$\{SIM\}/g, simulatorUrl)
      .replaceAll(/\$\{KEY:([\w./-]+)\}/g, (_all, app: string) => createHash("sha256").update(this.key(app)).digest("hex"));
  }
}

/** Starts the gateway with a policy. Provider keys of the simulator come from the environment of Envoy. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  for (let attempt = 1; ; attempt++) {
    const undo: (() => Promise<unknown>)[] = [];
    try {
      return await start(options, undo);
    } catch (cause) {
      // A simulator left behind would keep the test's process from ending.
      for (const step of undo.reverse()) await step();
      // A port that was free when Sluice was told of it may be taken when Envoy begins.
      if (attempt === ATTEMPTS || !String(cause).includes("cannot bind")) throw cause;
    }
  }
}
const ATTEMPTS = 3;

async function start(options: GatewayOptions, undo: (() => Promise<unknown>)[]): Promise<Gateway> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-gw-"));
  undo.push(() => rm(dir, { recursive: true, force: true }));
  const simulator = await startSimulator({ port: 0 });
  undo.push(() => simulator.close());
  const keys = new KeyRing();
  const policyPath = join(dir, "policy.yaml");
  await writeFile(policyPath, keys.fill(options.policy, simulator.url));
  for (const [name, content] of Object.entries(options.files ?? {})) await writeFile(join(dir, name), content);
  const socket = join(dir, "s.sock");
  const data = join(dir, "data");
  const log = openLog({ level: process.env["SLUICE_LOG_LEVEL"] ?? "warn", stream: process.stderr, color: false });
  const dynamicDir = join(dir, "dynamic");
  const adminPort = await freePort();
  const live = options.live === true ? { envoy: { dynamicDir, admin: `127.0.0.1:${adminPort}` } } : {};
  const start = async (): Promise<Sluice> => {
    const admin = { host: "127.0.0.1", port: 0 };
    const started = await startSluice({ policy: policyPath, data, socket, admin, writerId: "t", log, ...live });
    if (!started.ok) throw new Error(started.error);
    return started.value;
  };
  let sluice = await start();
  undo.push(() => sluice.stop(0));
  const plan = envoyPlan(sluice.policy().loaded, STAGES, {
    nodeId: "test",
    sockets: [socket],
    dynamicDir,
    accessLog: join(dir, "access.log"),
    listen: { address: "127.0.0.1", port: 0 },
    admin: { address: "127.0.0.1", port: 0 },
    concurrency: 1,
  });
  const envoy = await startEnvoy({
    clusters: plan.clusters,
    env: { SIM_KEY: "sk-sim-provider-key", AWS_ACCESS_KEY_ID: "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY: "simulated-secret", ...options.env },
    plan: {
      // Never a real token, on whichever machine the tests run.
      googleMetadata: { host: "127.0.0.1", port: 1 },
      sockets: [socket],
      dynamicDir,
      // Only where Sluice must know it before.
      admin: { address: "127.0.0.1", port: options.live === true ? adminPort : 0 },
      policyHash: plan.policyHash,
      bodyBytesMax: plan.bodyBytesMax,
      requestMsMax: plan.requestMsMax,
      ...(plan.observe === undefined ? {} : { observe: plan.observe }),
      listen: plan.listen,
    },
  });
  const readRecords = async (): Promise<readonly ExchangeRecord[]> => {
    const lines = await readFile(join(data, "records-t.jsonl"), "utf8").catch(() => "");
    // What follows the last line's end is a line that is just being written.
    return lines
      .split("\n")
      .slice(0, -1)
      .filter((line) => !line.startsWith('{"v":1,"event":"'))
      .map((line): ExchangeRecord => JSON.parse(line));
  };
  return {
    url: envoy.url,
    data,
    envoy,
    get sluice() {
      return sluice;
    },
    restart: async () => {
      await sluice.stop(2_000);
      sluice = await start();
    },
    simulator,
    rewrite: async (policy) => {
      await writeFile(`${policyPath}.new`, keys.fill(policy, simulator.url));
      await rename(`${policyPath}.new`, policyPath);
    },
    key: (app) => keys.key(app),
    records: async (count = 0, withinMs = 5_000) => {
      for (let waited = 0; waited < withinMs; waited += 20) {
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
      const metrics = await fetch(`http://127.0.0.1:${sluice.adminPort}/metrics`).then((answer) => answer.text());
      const state = metrics.match(/^sluice_(?:records|exchanges_in_flight)\S* .*$/gm)?.join(", ");
      throw new Error(`no record of exchange ${id}; ${(await readRecords()).length} lines; ${state}`);
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
