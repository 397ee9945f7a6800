import { closeSync, openSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { envoyPlan } from "../../config/envoy-plan.ts";
import { type LoadedPolicy, loadPolicy } from "../../config/load.ts";
import { makeFolder } from "../../config/make-folder.ts";
import { formatProblem } from "../../config/problems.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { EnvoyPlan } from "../../core/upstream.ts";
import { envoyArguments, renderEnvoy } from "../../envoy/bootstrap/render.ts";
import { findSystemCa } from "../../envoy/bootstrap/system-ca.ts";
import { writeJsonFile } from "../../envoy/bootstrap/write.ts";
import { servingNodeFlags } from "../../server/node-flags.ts";
import { STAGES } from "../../stages/index.ts";
import type { CommandIo } from "../command.ts";
import { workerSockets } from "../worker-names.ts";
import { type Address, freeNear, showAddress, tryBind } from "./address.ts";
import { answersOk, type Child, type ChildOptions, startChild, waitUntil } from "./children.ts";
import { type Demo, demoPolicyPath, fits, makeDemo, providersAtHand, readDemo } from "./demo.ts";
import { firstCall } from "./first-call.ts";
import { upPage } from "./page.ts";

export interface UpOptions {
  readonly listen: Address;
  readonly admin: Address;
  readonly envoyAdmin: Address;
  readonly workers: number;
  /** undefined: the demo's. */
  readonly policy: string | undefined;
  readonly dir: string;
  readonly envoy: string;
  readonly io: CommandIo;
}

const START_WAIT_MS = 20_000;
/** Running exchanges have this long to end once the listener is closed. */
const DRAIN_WAIT_MS = 10_000;
const DRAIN_STEP_MS = 50;
/** So long without a request, a connection that a caller keeps open is taken for idle. */
const DRAIN_QUIET_MS = 500;
const ENVOY_STOP_MS = 3_000;
/** When Sluice is stopped its Envoy is gone, and with it all that could still send calls: there are records to write and nothing to wait for. */
const SLUICE_DRAIN_SECONDS = "0.1";
/** It writes every record before it ends. */
const SLUICE_STOP_MS = 30_000;
const SIMULATOR_STOP_MS = 2_000;
/** sun_path of unix(7) holds 108 bytes, the last of them zero. */
const SOCKET_BYTES_MAX = 107;
const MAIN = join(import.meta.dirname, "../../main.ts");
const SIMULATOR = join(import.meta.dirname, "../../simulator/main.ts");

/** Simulator, Sluice and Envoy: brought up in this order, taken down in the other. */
export class Stack {
  readonly #options: UpOptions;
  readonly #children: Child[] = [];
  readonly #died = Promise.withResolvers<string>();
  #lowering = false;
  #simulator: Child | undefined;
  #sluice: Child | undefined;
  #envoy: Child | undefined;
  #envoyAdmin = "";
  #socketDir: string | undefined;

  constructor(options: UpOptions) {
    this.#options = options;
  }

  /** Resolves with a line when one of them ends unasked after all were up. */
  get died(): Promise<string> {
    return this.#died.promise;
  }

  /** Starts everything and makes a first call; gives the page to print. Error: a line, or "" when it was said already. */
  async raise(): Promise<Result<string, string>> {
    const { listen, dir, io, workers } = this.#options;
    const bound = await tryBind(listen);
    if (typeof bound === "string") return err(describeBind(listen, bound));
    const logs = join(dir, "logs");
    try {
      await makeFolder(logs, 0o700);
    } catch (cause) {
      return err(`cannot write to ${dir} (${codeOf(cause)}): choose another folder with --dir`);
    }
    const chosen = await this.#choosePolicy();
    if (!chosen.ok) return chosen;
    const { policy, demo } = chosen.value;
    const loaded = await loadPolicy(policy, STAGES);
    if (!loaded.ok) return err(`the policy has mistakes:\n${loaded.error.map((problem) => `  ${formatProblem(problem)}`).join("\n")}`);
    const socket = await this.#socket();
    const admin = await freeNear(this.#options.admin);
    const plan = await this.#plan(loaded.value, { ...listen, port: bound }, socket);
    const unset = unsetCredentials(plan, io.env);
    if (unset.length > 0)
      return err(`the policy ${policy} takes credentials from ${unset.join(", ")}, which is not set: set it, or change the policy`);
    const served = await this.#serve({ policy, socket, admin, plan });
    if (!served.ok) return served;
    const started = await this.#startEnvoy(plan, logs);
    if (!started.ok) return started;
    const tls = plan.listen.tls !== undefined;
    const url = `${tls ? "https" : "http"}://${showAddress({ host: plan.listen.address, port: plan.listen.port })}`;
    // A call over TLS would have to trust the gateway's own certificate, and may need one of a client's.
    const called = tls ? ok("no first call: TLS is on") : await firstCall(url, demo, (ask) => waitUntil(started.value, START_WAIT_MS, ask));
    if (!called.ok) return called;
    return ok(
      upPage({
        url,
        adminUrl: `http://${showAddress(admin)}`,
        demo,
        policy,
        policyName: `${loaded.value.name}@${loaded.value.version}`,
        records: join(dir, "records", workers === 1 ? "records-0.jsonl" : "records-*.jsonl"),
        envoyLog: join(logs, "envoy.log"),
        accessLog: plan.accessLog,
        cwd: io.cwd,
        firstCall: called.value,
      }),
    );
  }

  /** Envoy first, so that nobody is cut off; then Sluice, which writes every record; then the simulator. */
  async lower(): Promise<void> {
    this.#lowering = true;
    if (this.#envoy?.running() === true) {
      await this.#drain();
      await this.#envoy.stop(ENVOY_STOP_MS);
    }
    await this.#sluice?.stop(SLUICE_STOP_MS);
    await this.#simulator?.stop(SIMULATOR_STOP_MS);
    await Promise.all(this.#children.map((child) => child.stop(0)));
    if (this.#socketDir !== undefined) await rm(this.#socketDir, { recursive: true, force: true });
  }

  kill(): void {
    this.#lowering = true;
    for (const child of this.#children) child.process.kill("SIGKILL");
  }

  async #choosePolicy(): Promise<Result<{ readonly policy: string; readonly demo: Demo | undefined }, string>> {
    const { policy, dir, io } = this.#options;
    if (policy !== undefined) return ok({ policy, demo: undefined });
    const kept = await readDemo(dir);
    const simulated = kept?.edited === true ? kept.simulated : providersAtHand(io.env).length === 0;
    const port = simulated ? await this.#simulate(kept) : ok(0);
    if (!port.ok) return port;
    const usable = kept !== undefined && fits(kept, io.env) && (!simulated || kept.simulatorPort === port.value);
    const demo = usable ? ok(kept) : await makeDemo(dir, io.env, port.value, Date.now());
    return demo.ok ? ok({ policy: demoPolicyPath(dir), demo: demo.value }) : demo;
  }

  /** At the port that the policy names; elsewhere only while the policy may be written anew. */
  async #simulate(kept: Demo | undefined): Promise<Result<number, string>> {
    const wanted = kept?.simulated === true ? kept.simulatorPort : 0;
    const address = { host: "127.0.0.1", port: wanted };
    if (kept?.edited === true && typeof (await tryBind(address)) === "string") {
      return err(
        `port ${wanted}, where ${kept.policy} expects the simulator, is taken: free it, or change the port in the policy and in demo.json`,
      );
    }
    const { port } = await freeNear(address);
    const child = this.#start({
      name: "the simulator",
      command: process.execPath,
      args: [SIMULATOR, "--port", String(port)],
      stdout: "pipe",
      stderr: "inherit",
      env: this.#plainEnv([]),
    });
    this.#simulator = child;
    // It prints one line when it listens.
    const said = { line: false };
    child.process.stdout?.on("data", () => {
      said.line = true;
    });
    const up = await waitUntil(child, START_WAIT_MS, async () => said.line);
    return up ? ok(port) : err("the simulator did not start");
  }

  async #socket(): Promise<string> {
    const near = join(this.#options.dir, "s.sock");
    if (workerSockets(near, this.#options.workers).every((path) => Buffer.byteLength(path) <= SOCKET_BYTES_MAX)) return near;
    this.#socketDir = await mkdtemp(join(tmpdir(), "sluice-"));
    return join(this.#socketDir, "s.sock");
  }

  async #plan(loaded: LoadedPolicy, listen: Address, socket: string): Promise<EnvoyPlan> {
    const { dir, io } = this.#options;
    const { host, port } = await freeNear(this.#options.envoyAdmin);
    const systemCaFile = findSystemCa(io.env);
    return envoyPlan(loaded, STAGES, {
      nodeId: "sluice-up",
      listen: { address: listen.host, port: listen.port },
      admin: { address: host, port },
      sockets: workerSockets(socket, this.#options.workers),
      dynamicDir: join(dir, "envoy", "dynamic"),
      accessLog: join(dir, "logs", "access.log"),
      ...(systemCaFile === undefined ? {} : { systemCaFile }),
    });
  }

  async #serve(given: {
    readonly policy: string;
    readonly socket: string;
    readonly admin: Address;
    readonly plan: EnvoyPlan;
  }): Promise<Result<void, string>> {
    const { dir } = this.#options;
    const args = [
      ...servingNodeFlags(),
      MAIN,
      "serve",
      "--policy",
      given.policy,
      "--data",
      join(dir, "records"),
      "--socket",
      given.socket,
      "--admin",
      showAddress(given.admin),
      "--envoy-dir",
      given.plan.dynamicDir,
      "--envoy-admin",
      showAddress({ host: given.plan.admin.address, port: given.plan.admin.port }),
      "--workers",
      String(this.#options.workers),
      "--drain-seconds",
      SLUICE_DRAIN_SECONDS,
    ];
    // Sluice needs no provider's key, so it gets none.
    const env = { SLUICE_LOG_LEVEL: "warn", ...this.#plainEnv(credentialNames(given.plan)) };
    const child = this.#start({ name: "Sluice", command: process.execPath, args, stdout: "ignore", stderr: "inherit", env });
    this.#sluice = child;
    const up = await waitUntil(child, START_WAIT_MS, () => answersOk(`http://${showAddress(given.admin)}/readyz`));
    if (up) return ok(undefined);
    return err(child.running() ? `Sluice was not ready within ${START_WAIT_MS / 1000} s` : "");
  }

  async #startEnvoy(plan: EnvoyPlan, logs: string): Promise<Result<Child, string>> {
    const { dir, envoy, io } = this.#options;
    const rendered = renderEnvoy(plan);
    const bootstrap = join(dir, "envoy", "bootstrap.json");
    // Sluice has written the clusters' files, and goes on doing so.
    const written = await writeJsonFile(bootstrap, rendered.bootstrap);
    if (!written.ok) return err(`cannot write ${written.error.path}: ${written.error.reason}`);
    const log = openSync(join(logs, "envoy.log"), "w", 0o600);
    const args = [...envoyArguments(plan, bootstrap), "--log-level", "warning"];
    const child = this.#start({ name: "Envoy", command: envoy, args, stdout: log, stderr: log, env: io.env });
    closeSync(log);
    this.#envoy = child;
    this.#envoyAdmin = `http://${showAddress({ host: plan.admin.address, port: plan.admin.port })}`;
    if (await waitUntil(child, START_WAIT_MS, () => answersOk(`${this.#envoyAdmin}/ready`))) return ok(child);
    const last = (await readFile(join(logs, "envoy.log"), "utf8").catch(() => "")).trimEnd().split("\n").at(-1) ?? "";
    return err(
      `Envoy (${envoy}) did not start: ${last || (await Promise.race([child.ended, "no word from it"]))}; its log is ${join(logs, "envoy.log")}`,
    );
  }

  /**
   * No new connection, and the next answer on an old one is its last; waits for what is running. Kept-alive connections that are
   * silent for a moment are let go.
   */
  async #drain(): Promise<void> {
    const ask = (path: string, method: string): Promise<string> =>
      fetch(`${this.#envoyAdmin}${path}`, { method, signal: AbortSignal.timeout(2_000) }).then((answer) => answer.text());
    const count = (page: string, name: string): number => {
      const found = new RegExp(`^http\\.sluice\\.${name}: (\\d+)$`, "m").exec(page);
      return Number(found?.[1] ?? 0);
    };
    try {
      await ask("/healthcheck/fail", "POST");
      await ask("/drain_listeners", "POST");
      for (let [waited, quiet] = [0, 0]; waited < DRAIN_WAIT_MS && quiet < DRAIN_QUIET_MS; waited += DRAIN_STEP_MS) {
        const page = await ask("/stats?filter=downstream_(rq|cx)_active$", "GET");
        if (count(page, "downstream_cx_active") === 0) return;
        const running = count(page, "downstream_rq_active");
        if (waited === 0 && running > 0) this.#options.io.stdout.write(waitingFor(running));
        quiet = running === 0 ? quiet + DRAIN_STEP_MS : 0;
        await sleep(DRAIN_STEP_MS);
      }
    } catch {
      // An Envoy that does not answer is stopped as it is.
    }
  }

  #start(options: ChildOptions): Child {
    const child = startChild(options);
    this.#children.push(child);
    if (this.#lowering) child.process.kill("SIGKILL");
    void child.ended.then((how) => {
      if (!this.#lowering) this.#died.resolve(`${child.name} ended by itself (${how}); stopping the rest`);
    });
    return child;
  }

  #plainEnv(without: readonly string[]): Record<string, string | undefined> {
    return Object.fromEntries(Object.entries(this.#options.io.env).filter(([name]) => !without.includes(name)));
  }
}

const waitingFor = (calls: number): string =>
  `stopping: waiting for ${calls} running ${calls === 1 ? "call" : "calls"}, at most ${DRAIN_WAIT_MS / 1000} s; Ctrl-C once more ends at once\n`;

function credentialNames(plan: EnvoyPlan): readonly string[] {
  return plan.clusters.flatMap(({ credential }) => (credential?.secret.kind === "env" ? [credential.secret.name] : []));
}

const unsetCredentials = (plan: EnvoyPlan, env: CommandIo["env"]): readonly string[] =>
  [...new Set(credentialNames(plan))].filter((name) => (env[name] ?? "") === "");

const codeOf = (cause: unknown): string => (cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error");

function describeBind(address: Address, code: string): string {
  const where = showAddress(address);
  if (code === "EADDRINUSE")
    return `${where} is taken; choose another: make run ARGS="--listen ${showAddress({ host: address.host, port: address.port + 1 })}"`;
  if (code === "EACCES") return `${where} may not be used by this user; choose a port above 1023 with --listen`;
  return `${where} cannot be listened on (${code}); choose another with --listen`;
}
