/**
 * The gateway with Sluice as a process of its own, which tests may kill and start again: simulator and Envoy stay. The policy is
 * a test's; keys and places are filled in as in `test/support/gateway.ts`.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { envoyPlan } from "../../src/config/envoy-plan.ts";
import { loadPolicy } from "../../src/config/load.ts";
import type { ExchangeRecord } from "../../src/core/record.ts";
import { type Simulator, startSimulator } from "../../src/simulator/server.ts";
import { STAGES } from "../../src/stages/index.ts";
import { freePort, startEnvoy, type TestEnvoy } from "../support/envoy.ts";
import { KeyRing } from "../support/gateway.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");
const NODE = join(REPOSITORY, ".tools/node/bin/node");

export interface ChildGateway {
  readonly url: string;
  readonly envoy: TestEnvoy;
  readonly simulator: Simulator;
  readonly key: string;
  /** Starts Sluice, and waits until it is ready. */
  startSluice(): Promise<void>;
  /** Sends the signal and waits for the end; gives the exit code, or the signal's name where that ended it. */
  endSluice(signal: "SIGKILL" | "SIGTERM"): Promise<number | string>;
  /** All records of all files, once nothing more is written. */
  records(): Promise<readonly ExchangeRecord[]>;
  /** Ids of entries in the journal of exchanges that left. */
  opened(): Promise<readonly string[]>;
  metric(name: string): Promise<number>;
  /** The records' folder as this process sees it. */
  dataDir(): string;
  /** What Sluice wrote to stderr. */
  log(): string;
  stop(): Promise<void>;
}

export interface ChildGatewayOptions {
  readonly policy: string;
  /** A command that runs its arguments with `$1` as the records' folder, instead of running them itself. */
  readonly wrap?: (dataDir: string) => readonly [string, ...string[]];
}

export async function startChildGateway(options: ChildGatewayOptions): Promise<ChildGateway> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-ch-"));
  const undo: (() => Promise<unknown>)[] = [() => rm(dir, { recursive: true, force: true })];
  let child: ChildProcess | undefined;
  let log = "";
  const end = async (signal: NodeJS.Signals): Promise<number | string> => {
    if (child === undefined) return "none";
    const running = child;
    child = undefined;
    if (running.exitCode === null && running.signalCode === null) {
      const exited = once(running, "exit");
      running.kill(signal);
      await exited;
    }
    return running.exitCode ?? running.signalCode ?? "unknown";
  };
  const stop = async (): Promise<void> => {
    await end("SIGKILL");
    for (const step of undo.reverse()) await step();
  };
  try {
    const simulator = await startSimulator({ requestsKept: 100_000 });
    undo.push(() => simulator.close());
    const keys = new KeyRing();
    const policyPath = join(dir, "policy.yaml");
    await writeFile(policyPath, keys.fill(options.policy, simulator.url));
    const loaded = await loadPolicy(policyPath, STAGES);
    assert.ok(loaded.ok, JSON.stringify(loaded));
    const socket = join(dir, "s.sock");
    const data = join(dir, "data");
    await mkdir(data);
    const plan = envoyPlan(loaded.value, STAGES, {
      nodeId: "test",
      sockets: [socket],
      dynamicDir: join(dir, "dynamic"),
      accessLog: join(dir, "access.log"),
      listen: { address: "127.0.0.1", port: 0 },
      admin: { address: "127.0.0.1", port: 0 },
      concurrency: 1,
    });
    const { clusters, policyHash, bodyBytesMax, requestMsMax } = plan;
    const adminUrl = `http://127.0.0.1:${await freePort()}`;
    const startSluice = async (): Promise<void> => {
      const serve = ["src/main.ts", "serve", "--policy", policyPath, "--data", data, "--socket", socket, "--admin", new URL(adminUrl).host];
      const [command, ...before] = options.wrap?.(data) ?? [NODE];
      const started = spawn(command, [...before, ...(options.wrap === undefined ? [] : [NODE]), ...serve], {
        cwd: REPOSITORY,
        env: { PATH: process.env["PATH"] ?? "", SLUICE_LOG_LEVEL: "warn", NO_COLOR: "1" },
        stdio: ["ignore", "ignore", "pipe"],
      });
      started.stderr.setEncoding("utf8").on("data", (text: string) => {
        log = (log + text).slice(-10_000);
      });
      child = started;
      for (const until = Date.now() + 15_000; Date.now() < until && started.exitCode === null; await sleep(30)) {
        const ready = await fetch(`${adminUrl}/readyz`).catch(() => undefined);
        if (ready?.ok === true) return;
      }
      throw new Error(`Sluice is not ready: ${log}`);
    };
    await startSluice();
    const envoy = await startEnvoy({
      clusters,
      env: { SIM_KEY: "sk-sim-provider-key" },
      plan: { sockets: [socket], policyHash, bodyBytesMax, requestMsMax },
    });
    undo.push(async () => {
      await envoy.stop();
      await envoy.removeFiles();
    });
    const dataDir = (): string => (options.wrap === undefined || child?.pid === undefined ? data : `/proc/${child.pid}/root${data}`);
    const lines = async (prefix: string): Promise<readonly unknown[]> => {
      const files = (await readdir(dataDir())).filter((name) => name.startsWith(prefix) && name.endsWith(".jsonl"));
      const texts = await Promise.all(files.map((name) => readFile(join(dataDir(), name), "utf8")));
      return texts.flatMap((text) => text.split("\n").slice(0, -1)).flatMap(parsed);
    };
    return {
      url: envoy.url,
      envoy,
      simulator,
      key: keys.key("acme/bot"),
      startSluice,
      endSluice: end,
      records: async () => {
        let before = -1;
        for (;;) {
          const records = (await lines("records-")).filter(isRecord);
          if (records.length === before) return records;
          before = records.length;
          await sleep(100);
        }
      },
      opened: async () =>
        (await lines("open-"))
          .filter((entry): entry is { id: string } => typeof entry === "object" && entry !== null && "id" in entry)
          .map(({ id }) => id),
      metric: async (name) => {
        const text = await (await fetch(`${adminUrl}/metrics`)).text();
        return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
      },
      dataDir,
      log: () => log,
      stop,
    };
  } catch (cause) {
    await stop();
    throw cause;
  }
}

/** A line of JSON; one that a crash cut off is nothing. */
function parsed(text: string): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch {
    return [];
  }
}

const isRecord = (value: unknown): value is ExchangeRecord => typeof value === "object" && value !== null && "ending" in value;
