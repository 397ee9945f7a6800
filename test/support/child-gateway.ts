import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { envoyPlan } from "../../src/config/envoy-plan.ts";
import { loadPolicy } from "../../src/config/load.ts";
import type { ExchangeRecord } from "../../src/core/record.ts";
import { NODE_FLAGS } from "../../src/server/node-flags.ts";
import { type Simulator, startSimulator } from "../../src/simulator/server.ts";
import { STAGES } from "../../src/stages/index.ts";
import { freePort, startEnvoy, type TestEnvoy } from "./envoy.ts";
import { KeyRing } from "./gateway.ts";
import type { Probed } from "./probe.ts";

/** The whole path with Sluice as the process that operators run: `sluice serve`. */
export interface ChildGateway {
  readonly url: string;
  readonly adminUrl: string;
  readonly envoy: TestEnvoy;
  readonly simulator: Simulator;
  /** Folder of policy, records, socket and logs. */
  readonly dir: string;
  readonly dataDir: string;
  readonly process: ChildProcess;
  key(app?: string): string;
  /** What the process has written to stdout and stderr. */
  said(): string;
  records(count?: number): Promise<readonly ExchangeRecord[]>;
  /** Another policy in the place of the one on disk. Providers stay: Envoy's clusters are those of the first. */
  rewrite(policy: string): Promise<void>;
  /** Only with `probe`: see `probe.ts`. */
  probe(): Promise<Probed>;
  /** SIGTERM; gives exit code and milliseconds. */
  end(): Promise<{ readonly code: number | null; readonly ms: number }>;
  stop(): Promise<void>;
}

const MAIN = join(import.meta.dirname, "../../src/main.ts");
const PROBE = join(import.meta.dirname, "probe.ts");
const READY_MS = 20_000;

export async function startChildGateway(options: {
  readonly policy: string;
  /** Of Sluice: OpenTelemetry's variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of Envoy: provider keys. */
  readonly envoyEnv?: Readonly<Record<string, string>>;
  /** The process says how long it ran without a turn, and what memory it uses. */
  readonly probe?: boolean;
  /** Requests that the simulator remembers. */
  readonly requestsKept?: number;
}): Promise<ChildGateway> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-cg-"));
  const simulator = await startSimulator({
    port: 0,
    ...(options.requestsKept === undefined ? {} : { requestsKept: options.requestsKept }),
  });
  const keys = new KeyRing();
  const policy = join(dir, "policy.yaml");
  await writeFile(policy, keys.fill(options.policy, simulator.url));
  const loaded = await loadPolicy(policy, STAGES);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  const [socket, dataDir] = [join(dir, "s.sock"), join(dir, "data")];
  const adminUrl = `http://127.0.0.1:${await freePort()}`;
  const probePort = options.probe === true ? await freePort() : 0;
  const probing = probePort === 0 ? [] : ["--expose-gc", "--import", PROBE];
  const child = spawn(
    process.execPath,
    [
      ...NODE_FLAGS,
      ...probing,
      MAIN,
      "serve",
      "--policy",
      policy,
      "--data",
      dataDir,
      "--socket",
      socket,
      "--admin",
      adminUrl.slice("http://".length),
      "--name",
      "t",
    ],
    {
      env: { PATH: process.env["PATH"], SLUICE_LOG_LEVEL: "debug", SLUICE_TEST_PROBE_PORT: String(probePort), ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
  const closed = once(child, "close");
  const end = async (): Promise<{ readonly code: number | null; readonly ms: number }> => {
    const begun = performance.now();
    child.kill("SIGTERM");
    await closed;
    return { code: child.exitCode, ms: performance.now() - begun };
  };
  for (let waited = 0; ; waited += 50) {
    const ready = await fetch(`${adminUrl}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ready) break;
    if (child.exitCode !== null || waited > READY_MS) {
      await end();
      await simulator.close();
      throw new Error(`sluice serve is not ready: ${said}`);
    }
    await sleep(50);
  }
  const plan = envoyPlan(loaded.value, STAGES, {
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
    env: { SIM_KEY: "sk-sim-provider-key", ...options.envoyEnv },
    plan: {
      ...{ sockets: [socket], policyHash: plan.policyHash, bodyBytesMax: plan.bodyBytesMax, requestMsMax: plan.requestMsMax },
      accessLog: join(dir, "access.log"),
      ...(plan.observe === undefined ? {} : { observe: plan.observe }),
    },
  });
  const readRecords = async (): Promise<readonly ExchangeRecord[]> => {
    const names = (await readdir(dataDir)).filter((name) => name.startsWith("records-"));
    const texts = await Promise.all(names.map((name) => readFile(join(dataDir, name), "utf8")));
    return texts.flatMap((text) =>
      text
        .split("\n")
        .slice(0, -1)
        .map((line): ExchangeRecord => JSON.parse(line)),
    );
  };
  return {
    ...{ url: envoy.url, adminUrl, envoy, simulator, dir, dataDir, process: child, end },
    key: (app) => keys.key(app),
    said: () => said,
    rewrite: async (text) => {
      await writeFile(`${policy}.new`, keys.fill(text, simulator.url));
      await rename(`${policy}.new`, policy);
    },
    probe: async () => {
      const answer = await fetch(`http://127.0.0.1:${probePort}/`);
      const probed: Probed = JSON.parse(await answer.text());
      return probed;
    },
    records: async (count = 0) => {
      for (let waited = 0; waited < 5_000; waited += 20) {
        const records = await readRecords();
        if (records.length >= count && waited >= 40) return records;
        await sleep(20);
      }
      return readRecords();
    },
    stop: async () => {
      await envoy.stop();
      if (child.exitCode === null) await end();
      await simulator.close();
      await envoy.removeFiles();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
