/**
 * Throughput of one process of Sluice against several behind one Envoy (aim: 1.8 times from one to two, where cores
 * are free). Interleaved rounds, medians. `node test/bench/bench.ts --only scale` calls it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { workerSockets } from "../../src/cli/worker-names.ts";
import { envoyPlan } from "../../src/config/envoy-plan.ts";
import { loadPolicy } from "../../src/config/load.ts";
import { STAGES } from "../../src/stages/index.ts";
import { freePort, startEnvoy, type TestEnvoy } from "../support/envoy.ts";

const KEY = "slk_bench_key";
const CONNECTIONS = 16;
/** Cores that one caller, one Envoy and one upstream keep busy beside each process of Sluice. */
const CORES_BESIDE = 3;
const MAIN = join(import.meta.dirname, "../../src/main.ts");
const BAR = 1.8;

interface Subject {
  readonly workers: number;
  readonly envoy: TestEnvoy;
  readonly rates: number[];
}
interface Load {
  readonly calls: number;
  readonly failed: number;
  readonly elapsedMs: number;
}

/** Prints calls a second with one and with two processes. False: a call failed. */
export async function scale(options: {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmSeconds: number;
}): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-sc-"));
  const children: ChildProcess[] = [];
  const subjects: Subject[] = [];
  let failed = 0;
  try {
    const simulator = spawn(process.execPath, [join(import.meta.dirname, "../../src/simulator/main.ts"), "--port", "0"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(simulator);
    const [line] = await once(simulator.stdout, "data");
    const port = Number(/"port":\s*(\d+)/.exec(String(line))?.[1]);
    for (const workers of [1, 2]) subjects.push(await makeSubject(join(dir, String(workers)), workers, port, children));
    for (const { envoy } of subjects) await load(envoy, options.warmSeconds);
    for (let round = 0; round < options.rounds; round++) {
      for (const { envoy, rates } of round % 2 === 0 ? subjects : subjects.toReversed()) {
        const { calls, failed: lost, elapsedMs } = await load(envoy, options.seconds);
        failed += lost;
        rates.push((calls / elapsedMs) * 1000);
      }
    }
    report(subjects, failed);
    return failed === 0;
  } finally {
    for (const { envoy } of subjects) await envoy.stop();
    for (const child of children.toReversed()) {
      child.kill("SIGTERM");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    }
    for (const { envoy } of subjects) await envoy.removeFiles();
    await rm(dir, { recursive: true, force: true });
  }
}

async function makeSubject(stem: string, workers: number, simulatorPort: number, children: ChildProcess[]): Promise<Subject> {
  const policy = `${stem}.yaml`;
  const text = readFileSync(join(import.meta.dirname, "policy.yaml"), "utf8")
    .replaceAll("${SIM}", `http://127.0.0.1:${simulatorPort}`)
    .replaceAll("${KEY}", createHash("sha256").update(KEY).digest("hex"));
  await writeFile(policy, text);
  const loaded = await loadPolicy(policy, STAGES);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  const sockets = workerSockets(`${stem}.sock`, workers);
  const address = "127.0.0.1";
  const { clusters } = envoyPlan(loaded.value, STAGES, {
    ...{ nodeId: "bench", admin: { address, port: 0 }, sockets, dynamicDir: stem, accessLog: "/dev/null" },
  });
  const admin = `${address}:${await freePort()}`;
  const words = ["--policy", policy, "--data", `${stem}-data`, "--socket", `${stem}.sock`, "--admin", admin, "--workers", String(workers)];
  children.push(spawn(process.execPath, [MAIN, "serve", ...words], { stdio: ["ignore", "ignore", "ignore"] }));
  for (let waited = 0; waited < 20_000; waited += 100) {
    const ready = await fetch(`http://${admin}/readyz`).catch(() => undefined);
    if (ready?.ok === true) break;
    await sleep(100);
  }
  const envoy = await startEnvoy({ clusters, env: { SIM_KEY: "sk-sim" }, plan: { sockets } });
  return { workers, envoy, rates: [] };
}

async function load(envoy: TestEnvoy, seconds: number): Promise<Load> {
  const args = [join(import.meta.dirname, "load.ts"), envoy.url, KEY, String(CONNECTIONS), String(seconds), "unary"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(child, "close");
  const result: Load = JSON.parse(text);
  return result;
}

function report(subjects: readonly Subject[], failed: number): void {
  const rate = ({ rates }: Subject): number => rates.toSorted((a, b) => a - b)[Math.floor(rates.length / 2)] ?? 0;
  const [one, two] = subjects.map(rate);
  for (const subject of subjects)
    process.stdout.write(`calls a second at ${CONNECTIONS} connections, ${subject.workers} process(es)  ${rate(subject).toFixed(0)}\n`);
  process.stdout.write(`two processes against one  ${((two ?? 0) / (one ?? 1)).toFixed(2)} x  (bar ${BAR} x where cores are free)\n`);
  const cores = availableParallelism();
  const needed = CORES_BESIDE + 2;
  if (cores < needed)
    process.stdout.write(
      `This machine has ${cores} cores for caller, Envoy, upstream and two processes, which want ${needed}: the ratio says nothing here.\n`,
    );
  process.stdout.write(`failed calls  ${failed}\n`);
}
