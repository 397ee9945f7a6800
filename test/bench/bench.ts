/**
 * Ratios, taken in one run on one machine: Sluice against two controls on the same Envoy configuration:
 * `alone` (Envoy without ext_proc) and `control` (an ext_proc server that sends the same messages and decides nothing).
 * Rounds are interleaved, so that a machine that slows down slows all alike; medians over rounds are printed.
 *
 * Usage: node test/bench/bench.ts [--rounds N] [--seconds S] [--warm S] [--json] [--only unary|stream|memory|detection|scale] [--subjects control,sluice]
 * BENCH_POLICY=policy-ledger.yaml: limits and budgets too, six scopes a call, in the embedded store (the bar is 2.0 x control).
 * BENCH_POLICY=policy-guards.yaml: data protection on requests and answers too (the bar is 3.0 x control).
 * BENCH_NODE_FLAGS replaces Node's flags, BENCH_PROFILE=DIR writes a CPU profile of Sluice, BENCH_VERBOSE shows what it logs.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { envoyPlan } from "../../src/config/envoy-plan.ts";
import { loadPolicy } from "../../src/config/load.ts";
import type { RenderedEnvoy } from "../../src/envoy/bootstrap/render.ts";
import { NODE_FLAGS } from "../../src/server/node-flags.ts";
import { STAGES } from "../../src/stages/index.ts";
import { startEnvoy, type TestEnvoy } from "../support/envoy.ts";
import { detectionShares } from "./detection.ts";
import { scale } from "./scale.ts";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string" },
    seconds: { type: "string" },
    json: { type: "boolean" },
    only: { type: "string" },
    subjects: { type: "string" },
    warm: { type: "string" },
  },
});
const rounds = Number(flags.rounds ?? 5);
const seconds = Number(flags.seconds ?? 3);
/** V8 goes on compiling for thirty thousand calls; what is measured is the price after that, which a gateway pays for days. */
const warmSeconds = Number(flags.warm ?? 30);
const wanted = (flags.subjects ?? "alone,control,sluice").split(",");
const profile = process.env["BENCH_PROFILE"];
/** BENCH_NODE_FLAGS="" takes Node as it is. The control gets what Sluice gets. */
const nodeFlags = process.env["BENCH_NODE_FLAGS"]?.split(" ").filter((flag) => flag !== "") ?? NODE_FLAGS;
const KEY = "slk_bench_key";
const policyFile = process.env["BENCH_POLICY"] ?? "policy.yaml";
/** Node's CPU a call as a multiple of the control's, by what the policy asks for. */
const CPU_BARS: Readonly<Record<string, number>> = { "policy-ledger.yaml": 2, "policy-guards.yaml": 3 };
const here = import.meta.dirname;

interface Subject {
  readonly name: "alone" | "control" | "sluice";
  readonly envoy: TestEnvoy;
  readonly envoyPid: number;
  readonly sidecarPid: number | undefined;
}
interface Sample {
  readonly sidecarUs: number;
  readonly mainThreadUs: number;
  readonly envoyUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly perSecond: number;
  readonly failed: number;
  readonly eventsPerCall: number;
}

const children: ChildProcess[] = [];
const loads = new Set<ChildProcess>();
let stopped = false;
class Stopped extends Error {}

/** A child that prints a line when it is ready. */
async function start(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  ready: "stdout" | "stderr" = "stdout",
): Promise<{ readonly child: ChildProcess; readonly line: string }> {
  const child = spawn(process.execPath, [...nodeFlags, ...args], { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  children.push(child);
  const stream = ready === "stdout" ? child.stdout : child.stderr;
  child.stderr.on("data", (chunk: Buffer) => {
    if (process.env["BENCH_VERBOSE"] !== undefined) process.stderr.write(chunk);
  });
  const [chunk] = (await Promise.race([
    once(stream, "data"),
    once(child, "exit").then(() => Promise.reject(new Error(`${args[0]} ended at once`))),
  ])) as [Buffer];
  return { child, line: chunk.toString() };
}

/** CPU time of a process's first thread so far, microseconds: what runs JavaScript; the others collect garbage and compile. */
function mainThreadUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/task/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** CPU time of a process so far, microseconds (utime and stime of proc(5), in ticks of 10 ms). */
function cpuUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}
const rssMb = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;

async function load(subject: Subject, connections: number, forSeconds: number, kind: "unary" | "stream"): Promise<Sample> {
  const spent = () => ({
    envoy: cpuUs(subject.envoyPid),
    sidecar: subject.sidecarPid === undefined ? 0 : cpuUs(subject.sidecarPid),
    main: subject.sidecarPid === undefined ? 0 : mainThreadUs(subject.sidecarPid),
  });
  const before = spent();
  const child = spawn(process.execPath, [join(here, "load.ts"), subject.envoy.url, KEY, String(connections), String(forSeconds), kind], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  loads.add(child);
  await once(child, "exit");
  loads.delete(child);
  if (stopped) throw new Stopped();
  const result: { calls: number; failed: number; events: number; elapsedMs: number; p50Ms: number; p99Ms: number } = JSON.parse(text);
  const after = spent();
  return {
    sidecarUs: (after.sidecar - before.sidecar) / result.calls,
    mainThreadUs: (after.main - before.main) / result.calls,
    envoyUs: (after.envoy - before.envoy) / result.calls,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    perSecond: (result.calls / result.elapsedMs) * 1000,
    failed: result.failed,
    eventsPerCall: result.events / result.calls,
  };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
type Name = Subject["name"];
const pick = (samples: ReadonlyMap<Name, readonly Sample[]>, name: Name, field: keyof Sample): number =>
  median((samples.get(name) ?? []).map((sample) => sample[field]));

/** Envoy without ext_proc: the same listener, straight to the one cluster. */
function alone(rendered: RenderedEnvoy, cluster: string): RenderedEnvoy {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value))
      return value
        .filter(
          (item) => !(typeof item === "object" && item !== null && "name" in item && item.name === "sluice" && "typed_config" in item),
        )
        .map(walk);
    if (typeof value !== "object" || value === null) return value;
    const lazy = "virtual_hosts" in value ? [["validate_clusters", false]] : [];
    return Object.fromEntries([
      ...lazy,
      ...Object.entries(value).map(([key, inner]) =>
        key === "inline_cluster_specifier_plugin" ? ["cluster", cluster] : [key, walk(inner)],
      ),
    ]);
  };
  return { ...rendered, bootstrap: JSON.parse(JSON.stringify(walk(rendered.bootstrap))) };
}

async function subjects(dir: string): Promise<readonly Subject[]> {
  const simulator = await start([join(here, "../../src/simulator/main.ts"), "--port", "0"]);
  const simulatorPort = Number(/"port":\s*(\d+)/.exec(simulator.line)?.[1]);
  const policyText = readFileSync(join(here, policyFile), "utf8")
    .replaceAll("${SIM}", `http://127.0.0.1:${simulatorPort}`)
    .replaceAll("${KEY}", createHash("sha256").update(KEY).digest("hex"));
  await writeFile(join(dir, "policy.yaml"), policyText);
  const loaded = await loadPolicy(join(dir, "policy.yaml"), STAGES);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  const [cluster] = envoyPlan(loaded.value, STAGES, {
    nodeId: "bench",
    admin: { address: "127.0.0.1", port: 0 },
    sockets: [],
    dynamicDir: dir,
    accessLog: "/dev/null",
  }).clusters;
  if (cluster === undefined) throw new Error("the policy has no provider");
  const envoyFor = (socket: string, edit?: (rendered: RenderedEnvoy) => RenderedEnvoy) =>
    startEnvoy({ clusters: [cluster], env: { SIM_KEY: "sk-sim" }, plan: { sockets: [socket] }, ...(edit === undefined ? {} : { edit }) });
  const sockets = { control: join(dir, "c.sock"), sluice: join(dir, "s.sock"), none: join(dir, "n.sock") };
  const control = await start([join(here, "control.ts"), sockets.control, cluster.name]);
  const sluice = await start(
    // BENCH_PROFILE=DIR writes a V8 CPU profile of Sluice there.
    [
      ...(profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`]),
      join(here, "../../src/main.ts"),
      "serve",
      "--policy",
      join(dir, "policy.yaml"),
      "--data",
      join(dir, "data"),
      "--socket",
      sockets.sluice,
      "--admin",
      "127.0.0.1:0",
    ],
    {},
    "stderr",
  );
  const [plain, controlled, governed] = [
    await envoyFor(sockets.none, (rendered) => alone(rendered, cluster.name)),
    await envoyFor(sockets.control),
    await envoyFor(sockets.sluice),
  ];
  return [
    { name: "alone", envoy: plain, envoyPid: plain.pid, sidecarPid: undefined },
    { name: "control", envoy: controlled, envoyPid: controlled.pid, sidecarPid: control.child.pid },
    { name: "sluice", envoy: governed, envoyPid: governed.pid, sidecarPid: sluice.child.pid },
  ];
}

async function measure(
  list: readonly Subject[],
  connections: number,
  kind: "unary" | "stream",
): Promise<ReadonlyMap<Name, readonly Sample[]>> {
  const samples = new Map<Name, Sample[]>(list.map((subject) => [subject.name, []]));
  for (const subject of list) {
    progress(`${kind}, ${connections} connections: warming up ${subject.name}`);
    // One connection walks the paths that sixteen have warmed; Envoy needs no warming.
    await load(subject, connections, connections === 1 || subject.sidecarPid === undefined ? 1 : warmSeconds, kind);
  }
  for (let round = 0; round < rounds; round++) {
    progress(`${kind}, ${connections} connections: round ${round + 1} of ${rounds}`);
    // Another order each round, so that none is always first after a pause.
    for (let index = 0; index < list.length; index++) {
      const subject = list[(index + round) % list.length];
      if (subject !== undefined) samples.get(subject.name)?.push(await load(subject, connections, seconds, kind));
    }
  }
  return samples;
}

/** Resident memory with 500 streams open at once. */
async function openStreams(
  subject: Subject,
  count: number,
): Promise<{ readonly before: number; readonly during: number; readonly after: number }> {
  if (subject.sidecarPid === undefined) return { before: 0, during: 0, after: 0 };
  const before = rssMb(subject.sidecarPid);
  const agent = new Agent({ keepAlive: false, maxSockets: count });
  const body = JSON.stringify({
    model: "gpt-4o-mini",
    max_tokens: 500,
    stream: true,
    messages: [{ role: "user", content: "[[sim tokens=300 token-delay=50]]" }],
  });
  let open = 0;
  const all = Array.from({ length: count }, () => {
    const sent = request(`${subject.envoy.url}/v1/chat/completions`, {
      method: "POST",
      agent,
      headers: { "content-type": "application/json", authorization: `Bearer ${KEY}`, "x-ai-user": "u" },
    });
    sent.on("response", (response) => {
      open += 1;
      response.resume();
      response.on("error", () => {});
    });
    sent.on("error", () => {});
    sent.end(body);
    return sent;
  });
  for (let waited = 0; open < count && waited < 15_000; waited += 100) await sleep(100);
  await sleep(2_000);
  const during = rssMb(subject.sidecarPid);
  for (const sent of all) sent.destroy();
  agent.destroy();
  await sleep(3_000);
  return { before, during, after: rssMb(subject.sidecarPid) };
}

function progress(text: string): void {
  if (process.stderr.isTTY === true) process.stderr.write(`\r\x1b[K${text}`);
}

/** Ends them and waits until they are gone. */
async function endChildren(): Promise<void> {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = once(child, "exit");
    child.kill("SIGTERM");
    await Promise.race([gone, sleep(5_000).then(() => child.kill("SIGKILL"))]);
  }
}

/** Ctrl-C: whoever waits for a load that was cut short fails, and `main` tidies up. */
function stopOnSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      stopped = true;
      process.exitCode = 130;
      for (const child of loads) child.kill("SIGTERM");
    });
  }
}

async function main(): Promise<void> {
  stopOnSignals();
  const dir = await mkdtemp(join(tmpdir(), "sluice-b-"));
  const list: Subject[] = [];
  let started: readonly Subject[] = [];
  const rows: { readonly what: string; readonly got: number; readonly budget: number | undefined; readonly unit: string }[] = [];
  const row = (what: string, got: number, unit: string, budget?: number): void => void rows.push({ what, got, unit, budget });
  const only = flags.only;
  let failed = 0;
  const countFailed = (samples: ReadonlyMap<Name, readonly Sample[]>): void => {
    for (const of of samples.values()) for (const sample of of) failed += sample.failed;
  };
  try {
    started = await subjects(dir);
    list.push(...started.filter(({ name }) => wanted.includes(name)));
    if (only === undefined || only === "unary") {
      const unary = await measure(list, 16, "unary");
      countFailed(unary);
      row(
        "unary, Node CPU: Sluice / control",
        pick(unary, "sluice", "sidecarUs") / pick(unary, "control", "sidecarUs"),
        "x",
        CPU_BARS[policyFile] ?? 1.5,
      );
      row("unary, Envoy CPU: with Sluice / with control", pick(unary, "sluice", "envoyUs") / pick(unary, "control", "envoyUs"), "x", 1.15);
      for (const name of ["control", "sluice"] as const) row(`unary, Node CPU a call, ${name}`, pick(unary, name, "sidecarUs"), "us");
      for (const name of ["control", "sluice"] as const)
        row(
          `  of it in helper threads (garbage, compiler), ${name}`,
          pick(unary, name, "sidecarUs") - pick(unary, name, "mainThreadUs"),
          "us",
        );
      for (const name of ["alone", "control", "sluice"] as const)
        row(`unary, Envoy CPU a call, ${name}`, pick(unary, name, "envoyUs"), "us");
      for (const name of ["alone", "control", "sluice"] as const)
        row(`unary, calls a second at 16 connections, ${name}`, pick(unary, name, "perSecond"), "/s");
      const one = await measure(list, 1, "unary");
      countFailed(one);
      row("one connection, p50 added over control", pick(one, "sluice", "p50Ms") - pick(one, "control", "p50Ms"), "ms", 0.5);
      for (const name of ["alone", "control", "sluice"] as const) row(`one connection, p50, ${name}`, pick(one, name, "p50Ms"), "ms");
    }
    if (only === undefined || only === "stream") {
      const stream = await measure(list, 16, "stream");
      countFailed(stream);
      const perEvent = (name: Name): number => pick(stream, name, "sidecarUs") / pick(stream, name, "eventsPerCall");
      row("stream, Node CPU an SSE event: Sluice / control", perEvent("sluice") / perEvent("control"), "x", 1.5);
      for (const name of ["control", "sluice"] as const) row(`stream, Node CPU an SSE event, ${name}`, perEvent(name), "us");
    }
    if (only === undefined || only === "memory") {
      const governed = list.find((subject) => subject.name === "sluice");
      if (governed !== undefined && !stopped) {
        const memory = await openStreams(governed, 500);
        row("memory with 500 open streams", memory.during, "MB", 300);
        row("memory before", memory.before, "MB");
        row("memory after", memory.after, "MB");
      }
    }
    if (only === undefined || only === "detection") {
      const { promptUs, answerUs, eventUs, injectionUs } = detectionShares();
      row("data protection alone, a prompt of 2 KB", promptUs, "us");
      row("injection's score alone, a prompt of 2 KB seen first", injectionUs, "us");
      row("data protection alone, an answer of 2 KB", answerUs, "us");
      row("data protection alone, an SSE event", eventUs, "us");
    }
    row("failed calls", failed, "", 0);
    for (const subject of list) if (subject.name !== "alone") await subject.envoy.assertClean();
  } finally {
    for (const subject of started) await subject.envoy.stop().then(() => subject.envoy.removeFiles());
    await endChildren();
    await rm(dir, { recursive: true, force: true });
  }
  const machine = `${availableParallelism()} cores, ${cpus()[0]?.model ?? "unknown"}, Node ${process.versions.node}, ${rounds} rounds of ${seconds} s, medians`;
  progress("");
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ machine, rows })}\n`);
  else {
    process.stdout.write(`${machine}\n`);
    for (const { what, got, unit, budget } of rows) {
      const verdict = budget === undefined ? "" : `   budget ${budget}${unit}: ${got <= budget ? "met" : "MISSED"}`;
      process.stdout.write(
        `${what.padEnd(58)} ${got.toFixed(unit === "x" || unit === "ms" ? 2 : 0).padStart(8)} ${unit.padEnd(3)}${verdict}\n`,
      );
    }
  }
}

try {
  if (flags.only === "scale") process.exitCode = (await scale({ rounds, seconds, warmSeconds })) ? 0 : 1;
  else await main();
} catch (error) {
  if (!(error instanceof Stopped)) throw error;
}
