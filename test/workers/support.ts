import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { workerSockets } from "../../src/cli/worker-names.ts";
import { envoyPlan } from "../../src/config/envoy-plan.ts";
import { loadPolicy } from "../../src/config/load.ts";
import type { ExchangeRecord } from "../../src/core/record.ts";
import type { StatusView } from "../../src/server/status.ts";
import { type Simulator, startSimulator } from "../../src/simulator/server.ts";
import { STAGES } from "../../src/stages/index.ts";
import { freePort, startEnvoy, type TestEnvoy } from "../support/envoy.ts";
import { BASIC_POLICY, KeyRing } from "../support/gateway.ts";

export const MAIN = join(import.meta.dirname, "../../src/main.ts");

/** `sluice serve` as an operator starts it: processes of their own. */
export interface Served {
  readonly process: ChildProcess;
  readonly adminUrl: string;
  /** All that it and its workers logged. */
  readonly said: () => string;
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
  status(): Promise<StatusView>;
}

/** Simulator, a real Envoy, and whatever `serve` starts. */
export interface Site {
  readonly dir: string;
  readonly data: string;
  readonly socket: string;
  readonly simulator: Simulator;
  readonly envoy: TestEnvoy;
  readonly key: string;
  serve(more?: readonly string[], env?: Readonly<Record<string, string>>): Promise<Served>;
  rewrite(policy: string): Promise<void>;
  call(body: object): Promise<Answer>;
  records(): readonly ExchangeRecord[];
}
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** `workers` says how many sockets Envoy knows. All of it ends with the test. */
export async function makeSite(
  t: TestContext,
  options: { readonly workers: number; readonly data?: string; readonly policy?: string },
): Promise<Site> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-wk-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const simulator = await startSimulator({ port: 0, requestsKept: 100_000 });
  t.after(() => simulator.close());
  const keys = new KeyRing();
  const policy = join(dir, "policy.yaml");
  await writeFile(policy, keys.fill(options.policy ?? BASIC_POLICY, simulator.url));
  const loaded = await loadPolicy(policy, STAGES);
  assert.ok(loaded.ok);
  const socket = join(dir, "s.sock");
  const data = options.data ?? join(dir, "data");
  const dynamicDir = join(dir, "dynamic");
  const address = "127.0.0.1";
  const envoyAdmin = await freePort();
  const sockets = workerSockets(socket, options.workers);
  const plan = envoyPlan(loaded.value, STAGES, {
    ...{ nodeId: "test", sockets, dynamicDir, accessLog: join(dir, "access.log"), concurrency: 1 },
    listen: { address, port: 0 },
    admin: { address, port: envoyAdmin },
  });
  const { policyHash, bodyBytesMax, requestMsMax } = plan;
  const envoy = await startEnvoy({
    clusters: plan.clusters,
    env: { SIM_KEY: "sk-sim-provider-key" },
    plan: { sockets, dynamicDir, policyHash, bodyBytesMax, requestMsMax, admin: { address, port: envoyAdmin } },
  });
  t.after(async () => {
    await envoy.stop();
    await envoy.removeFiles();
  });
  const key = keys.key();
  return {
    ...{ dir, data, socket, simulator, envoy, key },
    serve: async (more = [], env = {}) => {
      const places = [
        "--policy",
        policy,
        "--data",
        data,
        "--socket",
        socket,
        "--envoy-dir",
        dynamicDir,
        "--envoy-admin",
        `${address}:${envoyAdmin}`,
      ];
      const workers = options.workers === 1 ? [] : ["--workers", String(options.workers)];
      return startServe(t, [...places, ...workers, ...more], env);
    },
    rewrite: async (text) => {
      await writeFile(`${policy}.new`, keys.fill(text, simulator.url));
      await rename(`${policy}.new`, policy);
    },
    call: (body) => call(envoy.url, key, body),
    records: () => readRecords(data),
  };
}

/** Any `sluice serve`, on a free admin port. */
export async function startServe(
  t: TestContext,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  user: { readonly uid?: number; readonly gid?: number } = {},
): Promise<Served> {
  const adminPort = await freePort();
  const child = spawn(process.execPath, [MAIN, "serve", "--admin", `127.0.0.1:${adminPort}`, ...args], {
    env: { PATH: process.env["PATH"], ...env },
    ...user,
    stdio: ["ignore", "inherit", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = once(child, "exit").then(() => child.exitCode ?? child.signalCode ?? "gone");
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  return {
    process: child,
    adminUrl,
    said: () => said,
    ended,
    status: async () => {
      const answer = await fetch(`${adminUrl}/status`);
      const view: StatusView = JSON.parse(await answer.text());
      return view;
    },
  };
}

/** Waits end when what is waited for is there; these bound them on a machine that has much else to do. */
export const START_MS = 60_000;
const UNTIL_MS = 20_000;

/** Ready, and found by Envoy's health check: all sockets. */
export async function inService(site: Site, served: Served): Promise<void> {
  await until("ready", () => answersOk(`${served.adminUrl}/readyz`), START_MS, served);
  await until("found by Envoy", async () => (await healthySockets(site)) === site.envoy.plan.sockets.length, START_MS, served);
}

/** How many processes Envoy would send to. */
export async function healthySockets(site: Site): Promise<number> {
  return (await site.envoy.stats()).get("cluster.sluice.membership_healthy") ?? 0;
}

const answersOk = (url: string): Promise<boolean> =>
  fetch(url).then(
    (answer) => answer.ok,
    () => false,
  );

export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  withinMs = UNTIL_MS,
  served?: Served,
): Promise<number> {
  const began = performance.now();
  while (performance.now() - began < withinMs) {
    if (await condition()) return performance.now() - began;
    await sleep(20);
  }
  throw new Error(`not within ${withinMs} ms: ${what}\n${served?.said() ?? ""}`);
}

export async function call(url: string, key: string, body: object): Promise<Answer> {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-4o-mini", max_tokens: 8, messages: [{ role: "user", content: "hi" }], ...body }),
  });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

/** Unary and streamed calls in turn, without pause, until told to stop. */
export function load(
  site: Site,
  connections = 4,
): { stop(): Promise<{ readonly ids: readonly string[]; readonly failed: readonly string[] }> } {
  let running = true;
  const ids: string[] = [];
  const failed: string[] = [];
  const one = async (stream: boolean): Promise<void> => {
    try {
      const answer = await site.call({ stream });
      const whole = answer.status === 200 && (!stream || answer.text.trimEnd().endsWith("data: [DONE]"));
      if (whole) ids.push(answer.headers.get("x-ai-request-id") ?? "none");
      else failed.push(`${answer.status} ${answer.headers.get("x-ai-error")} ${answer.text.slice(-200)}`);
    } catch (cause) {
      failed.push(String(cause));
    }
    // An Envoy that is gone would make this a busy loop.
    if (failed.length > 1_000) running = false;
  };
  const all = Promise.all(
    Array.from({ length: connections }, async (_none, index) => {
      for (let turn = index; running; turn++) await one(turn % 2 === 0);
    }),
  );
  return {
    stop: async () => {
      running = false;
      await all;
      return { ids, failed };
    },
  };
}

export function readRecords(data: string): readonly ExchangeRecord[] {
  const files = readdirSync(data).filter((name) => name.startsWith("records-"));
  const lines = files.flatMap((name) => readFileSync(join(data, name), "utf8").split("\n").slice(0, -1));
  return lines.map((line): ExchangeRecord => JSON.parse(line));
}

/** Every call has one record, and no record is there twice. */
export function assertRecorded(site: Site, ids: readonly string[]): void {
  const records = site.records();
  const known = new Set(records.map(({ id }) => id));
  assert.equal(known.size, records.length, "no record twice");
  const missing = ids.filter((id) => !known.has(id));
  assert.deepEqual(missing, [], "every call has its record");
}

/** A signal to one process. Never to 0, which would be the whole group, this test included. */
export function signal(pid: number | undefined, name: NodeJS.Signals): void {
  assert.ok(pid !== undefined && pid > 1, "no such worker");
  process.kill(pid, name);
}

/** Is there a process of this number? */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}
