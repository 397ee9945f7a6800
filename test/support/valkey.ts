import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";

/** A real Valkey or Redis on loopback, with no persistence unless its arguments say so. */
export interface TestValkey {
  readonly host: string;
  readonly port: number;
  readonly dir: string;
  readonly process: ChildProcess;
  /** One command on a connection of its own. */
  ask(...command: readonly [string, ...string[]]): Promise<unknown>;
  /** SIGKILL, then the same port and folder again when `start` is called. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

const REPOSITORY = resolve(import.meta.dirname, "../..");
const READY_MS = 15_000;
const HOST = "127.0.0.1";

/** A test that dies leaves no server behind. */
const begunServers = new Set<ChildProcess>();
const killAll = (): void => {
  for (const server of begunServers) server.kill("SIGKILL");
};

/** `VALKEY_BIN`, else the project's own, else the PATH's; undefined: there is none. */
export function valkeyBinary(): string | undefined {
  const own = join(REPOSITORY, ".tools/valkey/valkey-server");
  const said = process.env["VALKEY_BIN"] ?? (existsSync(own) ? own : undefined);
  if (said !== undefined) return said;
  for (const name of ["valkey-server", "redis-server"]) {
    try {
      return execFileSync("/bin/sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch {}
  }
  return undefined;
}

/** Starts a server; without `credentials` it answers everyone. */
export async function startValkey(
  options: {
    readonly arguments?: readonly string[];
    readonly config?: readonly string[];
    readonly sentinel?: boolean;
    readonly credentials?: { readonly username: string; readonly password: string };
  } = {},
): Promise<TestValkey> {
  const binary = valkeyBinary();
  if (binary === undefined) throw new Error("no valkey-server: run `make setup`, or put valkey-server or redis-server on the PATH");
  const dir = await mkdtemp(join(tmpdir(), "sluice-valkey-"));
  const [port, busPort] = [await freePort(), await freePort()];
  const file = join(dir, "server.conf");
  const lines = [
    ...[`port ${port}`, `bind ${HOST}`, `dir ${dir}`, "protected-mode no", ...(options.config ?? [])],
    ...(options.sentinel === true ? [] : ['save ""', `cluster-port ${busPort}`]),
  ];
  await writeFile(file, `${lines.join("\n")}\n`);
  let child: ChildProcess | undefined;
  let said = "";
  const running = (): ChildProcess => {
    if (child === undefined) throw new Error("the server was not started");
    return child;
  };
  const client = (): Redis =>
    new Redis({ host: HOST, port, lazyConnect: true, retryStrategy: () => null, connectTimeout: 1_000, ...options.credentials });
  const ask = async (...command: readonly [string, ...string[]]): Promise<unknown> => {
    const connection = client();
    connection.on("error", () => {});
    try {
      await connection.connect();
      return await connection.call(...command);
    } finally {
      connection.disconnect();
    }
  };
  const start = async (): Promise<void> => {
    const begun = spawn(binary, [file, ...(options.sentinel === true ? ["--sentinel"] : []), ...(options.arguments ?? [])], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    child = begun;
    for (const stream of [begun.stdout, begun.stderr])
      stream.on("data", (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-4_000);
      });
    process.removeListener("exit", killAll).once("exit", killAll);
    begunServers.add(begun);
    begun.once("close", () => begunServers.delete(begun));
    for (let waited = 0; ; waited += 20) {
      if (
        await ask("PING").then(
          () => true,
          () => false,
        )
      )
        return;
      if (begun.exitCode !== null || waited > READY_MS) throw new Error(`the server is not ready: ${said}`);
      await sleep(20);
    }
  };
  const kill = async (): Promise<void> => {
    const ended = running();
    if (ended.exitCode !== null || ended.signalCode !== null) return;
    const closed = once(ended, "close");
    ended.kill("SIGKILL");
    await closed;
  };
  await start();
  return {
    ...{ host: HOST, port, dir, ask, kill, start },
    get process() {
      return running();
    },
    stop: async () => {
      await kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Three masters with a replica each, all slots served. */
export async function startCluster(): Promise<{
  readonly masters: readonly TestValkey[];
  readonly replicas: readonly TestValkey[];
  stop(): Promise<void>;
}> {
  const config = ["cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-node-timeout 1500", "repl-diskless-sync-delay 0"];
  const nodes = await Promise.all(Array.from({ length: 6 }, () => startValkey({ config })));
  const [masters, replicas] = [nodes.slice(0, 3), nodes.slice(3)];
  const bounds = [0, 5_461, 10_923, 16_384];
  for (const [at, master] of masters.entries()) {
    await master.ask("CLUSTER", "ADDSLOTSRANGE", String(bounds[at]), String((bounds[at + 1] ?? 0) - 1));
    await master.ask("CLUSTER", "SET-CONFIG-EPOCH", String(at + 1));
  }
  const first = nodes[0];
  for (const node of nodes.slice(1)) {
    // The bus port is told, since it is not the port and 10,000.
    const bus = String(await node.ask("CONFIG", "GET", "cluster-port")).split(",")[1] ?? "0";
    await first?.ask("CLUSTER", "MEET", node.host, String(node.port), bus);
  }
  await until(async () =>
    (
      await Promise.all(
        nodes.map(
          async (node) =>
            String(await node.ask("CLUSTER", "NODES"))
              .trim()
              .split("\n").length,
        ),
      )
    ).every((count) => count === 6),
  );
  for (const [at, replica] of replicas.entries()) {
    const id = String(await masters[at]?.ask("CLUSTER", "MYID"));
    await until(async () =>
      replica.ask("CLUSTER", "REPLICATE", id).then(
        () => true,
        () => false,
      ),
    );
  }
  await until(async () => {
    const states = await Promise.all(nodes.map(async (node) => String(await node.ask("CLUSTER", "INFO"))));
    const links = await Promise.all(replicas.map(async (node) => String(await node.ask("INFO", "replication"))));
    return states.every((text) => text.includes("cluster_state:ok")) && links.every((text) => text.includes("master_link_status:up"));
  });
  return { masters, replicas, stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))) };
}

/** A master, a replica, and three sentinels that watch them under the name `books`. */
export async function startSentinel(): Promise<{
  readonly master: TestValkey;
  readonly replica: TestValkey;
  readonly sentinels: readonly TestValkey[];
  stop(): Promise<void>;
}> {
  const master = await startValkey({ config: ["repl-diskless-sync-delay 0"] });
  const replica = await startValkey({ config: [`replicaof ${master.host} ${master.port}`, "repl-diskless-sync-delay 0"] });
  await until(async () => String(await replica.ask("INFO", "replication")).includes("master_link_status:up"));
  const config = [
    ...[`sentinel monitor books ${master.host} ${master.port} 2`, "sentinel down-after-milliseconds books 700"],
    ...["sentinel failover-timeout books 3000"],
  ];
  const sentinels = await Promise.all(Array.from({ length: 3 }, () => startValkey({ config, sentinel: true })));
  await until(async () =>
    (await Promise.all(sentinels.map(async (one) => String(await one.ask("SENTINEL", "MASTER", "books"))))).every(
      (text) => text.includes("num-other-sentinels,2") && text.includes("num-slaves,1"),
    ),
  );
  const all = [...sentinels, replica, master];
  return { master, replica, sentinels, stop: async () => void (await Promise.all(all.map((one) => one.stop()))) };
}

/** Resolves when `holds`; fails after 20 seconds. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 20_000; waited += 50) {
    if (await holds()) return;
    await sleep(50);
  }
  throw new Error("it did not come about within 20 seconds");
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, HOST);
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}
