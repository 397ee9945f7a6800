import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { EnvoyPlan, UpstreamCluster } from "../../src/core/upstream.ts";
import { envoyArguments, type RenderedEnvoy, renderEnvoy } from "../../src/envoy/bootstrap/render.ts";
import { writeDynamic } from "../../src/envoy/bootstrap/write.ts";

/** A real Envoy on loopback with the configuration that Sluice renders. */
export interface TestEnvoy {
  readonly plan: EnvoyPlan;
  readonly pid: number;
  readonly port: number;
  readonly adminPort: number;
  /** `http://127.0.0.1:PORT`, where callers go. */
  readonly url: string;
  readonly adminUrl: string;
  /** Folder of everything this Envoy reads and writes. */
  readonly dir: string;
  /** Counters and gauges, by full name. */
  stats(): Promise<ReadonlyMap<string, number>>;
  /** Text values, such as `cluster_manager.cds.version_text`. */
  textStats(): Promise<ReadonlyMap<string, string>>;
  /** Fails unless no ext_proc stream failed, no header mutation was rejected and no answer was out of turn. */
  assertClean(): Promise<void>;
  /** Replaces clusters and secrets as Sluice does on a policy change; resolves when Envoy has them. */
  reload(clusters: readonly UpstreamCluster[], policyHash: string): Promise<void>;
  /** Lines of the access log, parsed; Envoy flushes it every 10 s, and on stop. */
  accessLog(): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Ends Envoy. The folder stays for reading what happened: `removeFiles` takes it away. */
  stop(): Promise<void>;
  removeFiles(): Promise<void>;
}

export interface TestEnvoyOptions {
  readonly clusters: readonly UpstreamCluster[];
  /** Whatever else than the defaults; port 0 means any free one. */
  readonly plan?: Partial<EnvoyPlan>;
  /** Environment of Envoy beside PATH: provider keys. */
  readonly env?: Readonly<Record<string, string>>;
  /** A change to the rendering before it is written. */
  readonly edit?: (rendered: RenderedEnvoy) => RenderedEnvoy;
}

const ATTEMPTS = 5;
const READY_MS = 20_000;
const REPOSITORY = resolve(import.meta.dirname, "../..");

/** The binary under test: `ENVOY_BIN`, else the project's own, else the PATH's. */
export function envoyBinary(): string {
  const own = join(REPOSITORY, ".tools/envoy/envoy");
  return process.env["ENVOY_BIN"] ?? (existsSync(own) ? own : "envoy");
}

/** An upstream cluster for a server on loopback; what a test does not say is made up here. */
export function loopbackCluster(name: string, port: number, more: Partial<UpstreamCluster> = {}): UpstreamCluster {
  return {
    name,
    provider: name,
    scheme: "http",
    host: "127.0.0.1",
    port,
    connectTimeoutMs: 1000,
    maxRequests: 1024,
    maxConnections: 1024,
    ...more,
  };
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === "object" ? done(address.port) : failed(new Error("no port"))));
    });
  });
}

const withPort = async (at: EnvoyPlan["listen"]): Promise<EnvoyPlan["listen"]> => (at.port === 0 ? { ...at, port: await freePort() } : at);

/** Starts Envoy and waits until it is ready. A port taken in between is tried again with others. */
export async function startEnvoy(options: TestEnvoyOptions): Promise<TestEnvoy> {
  let last = "";
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const started = await tryStart(options);
    if (typeof started !== "string") return started;
    last = started;
    if (!last.includes("Address already in use") && !last.includes("cannot bind")) break;
  }
  throw new Error(`Envoy did not start:\n${last}`);
}

async function tryStart(options: TestEnvoyOptions): Promise<TestEnvoy | string> {
  // Short, because the path of a unix socket may have 107 bytes at most.
  const dir = await mkdtemp(join(tmpdir(), "sluice-"));
  const asked: EnvoyPlan = {
    nodeId: "test",
    policyHash: "0",
    listen: { address: "127.0.0.1", port: 0 },
    admin: { address: "127.0.0.1", port: 0 },
    sockets: [join(dir, "sluice.sock")],
    dynamicDir: join(dir, "dynamic"),
    accessLog: join(dir, "access.log"),
    bodyBytesMax: 32 * 1024 * 1024,
    requestMsMax: 60_000,
    concurrency: 1,
    ...options.plan,
    clusters: options.clusters,
  };
  const plan: EnvoyPlan = { ...asked, listen: await withPort(asked.listen), admin: await withPort(asked.admin) };
  const render = (of: EnvoyPlan): RenderedEnvoy => (options.edit === undefined ? renderEnvoy(of) : options.edit(renderEnvoy(of)));
  const rendered = render(plan);
  const env = options.env ?? {};
  await mkdir(plan.dynamicDir, { recursive: true });
  await writeRendered(rendered, plan);
  const bootstrapPath = join(dir, "bootstrap.json");
  await writeFile(bootstrapPath, JSON.stringify(rendered.bootstrap));
  const logPath = join(dir, "envoy.log");
  const child = spawnTied(
    envoyBinary(),
    [...envoyArguments(plan, bootstrapPath), "--log-level", process.env["ENVOY_LOG_LEVEL"] ?? "warning"],
    env,
    logPath,
  );
  const adminUrl = `http://127.0.0.1:${plan.admin.port}`;
  if (!(await waitReady(adminUrl, child))) {
    await end(child);
    return readFile(logPath, "utf8");
  }
  const stats = async (): Promise<ReadonlyMap<string, number>> => parseStats(await text(`${adminUrl}/stats?format=text`), Number);
  return {
    plan,
    dir,
    adminUrl,
    // setpriv replaces itself by Envoy, so this is Envoy's own.
    pid: child.pid ?? 0,
    port: plan.listen.port,
    adminPort: plan.admin.port,
    url: `http://127.0.0.1:${plan.listen.port}`,
    stats,
    textStats: async () => parseStats(await text(`${adminUrl}/stats?type=TextReadouts`), (value) => value.replace(/^"|"$/g, "")),
    assertClean: async () => assertClean(await stats()),
    reload: async (clusters, policyHash) => {
      const next = { ...plan, clusters, policyHash };
      await writeRendered(render(next), next);
      await waitVersion(adminUrl, policyHash);
    },
    accessLog: async () => {
      const lines = (await readFile(plan.accessLog, "utf8")).split("\n").filter((line) => line !== "");
      return lines.map((line) => JSON.parse(line));
    },
    stop: () => end(child),
    removeFiles: () => rm(dir, { recursive: true, force: true }),
  };
}

async function writeRendered(rendered: RenderedEnvoy, plan: EnvoyPlan): Promise<void> {
  const written = await writeDynamic(rendered, plan.dynamicDir);
  if (!written.ok) throw new Error(`${written.error.path}: ${written.error.reason}`);
}

/** Envoy ends with this process, however that ends: by the kernel where `setpriv` (util-linux) is there, and on a normal exit. */
function spawnTied(binary: string, args: readonly string[], env: Readonly<Record<string, string>>, logPath: string): ChildProcess {
  const log = openSync(logPath, "w");
  const setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => existsSync(path));
  const [command, words] = setpriv === undefined ? [binary, args] : [setpriv, ["--pdeathsig", "KILL", binary, ...args]];
  const child = spawn(command, words, { env: { PATH: process.env["PATH"] ?? "", ...env }, stdio: ["ignore", log, log] });
  closeSync(log);
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
  return child;
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

/** SIGTERM, so that the access log is flushed; SIGKILL after two seconds. */
async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 2000);
  await exited;
  clearTimeout(timer);
}

async function waitReady(adminUrl: string, child: ChildProcess): Promise<boolean> {
  const deadline = Date.now() + READY_MS;
  while (Date.now() < deadline && !hasEnded(child)) {
    const ready = await text(`${adminUrl}/ready`).catch(() => "");
    if (ready.startsWith("LIVE")) return true;
    await sleep(50);
  }
  return false;
}

async function waitVersion(adminUrl: string, version: string): Promise<void> {
  const deadline = Date.now() + 5000;
  while (Date.now() < deadline) {
    if ((await text(`${adminUrl}/stats?filter=cds.version_text`)).includes(`"${version}"`)) return;
    await sleep(20);
  }
  throw new Error(`Envoy did not take the clusters of version ${version}`);
}

async function text(url: string): Promise<string> {
  const answer = await fetch(url);
  return answer.text();
}

function parseStats<T>(page: string, read: (value: string) => T): ReadonlyMap<string, T> {
  const out = new Map<string, T>();
  for (const line of page.split("\n")) {
    const at = line.indexOf(": ");
    if (at > 0) out.set(line.slice(0, at), read(line.slice(at + 2)));
  }
  return out;
}

/** Counters of the ext_proc filter that stand for a failed exchange or a broken rule of the protocol. */
const DIRTY = /ext_proc\..*(?:streams_failed|rejected_header_mutations|spurious_msgs_received|message_timeouts|failure_mode_allowed)$/;

function assertClean(stats: ReadonlyMap<string, number>): void {
  const counted = [...stats].filter(([name]) => DIRTY.test(name));
  assert.ok(counted.length >= 5, "the ext_proc filter's counters are there");
  const dirty = counted.filter(([, value]) => value !== 0);
  assert.deepEqual(dirty, [], "ext_proc counters of failure are zero");
}
