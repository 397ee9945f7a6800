/**
 * Several processes on one host: this one watches the policy, writes Envoy's files and shows one view; the workers serve.
 */
import { fork } from "node:child_process";
import { join } from "node:path";
import { acquireLock } from "../adapters/audit/lock.ts";
import { makeFolder } from "../config/make-folder.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { AuditStats } from "../ports/audit.ts";
import { serveAdmin } from "../server/admin.ts";
import { Capacity } from "../server/capacity.ts";
import { METRICS } from "../server/metrics/definitions.ts";
import { metricsText } from "../server/metrics/prometheus.ts";
import { RuntimeMetrics } from "../server/metrics/runtime.ts";
import { Metrics, type Watched } from "../server/metrics.ts";
import { servingNodeFlags } from "../server/node-flags.ts";
import { type StatusSources, type StatusView, statusOf, watchedStatus } from "../server/status.ts";
import { Workers } from "../server/workers.ts";
import { isFromWorker, type PolicyBytes, type WorkerFigures } from "../server/workers-messages.ts";
import { mergeFamilies } from "../server/workers-metrics.ts";
import type { WorkerEvents, WorkerProcess } from "../server/workers-slot.ts";
import { effectivePolicy, readPolicy, type Sluice, type SluiceOptions } from "./compose.ts";
import { openDesk } from "./desk.ts";
import { type CheckedPolicy, Keeper } from "./keeper.ts";
import { packageVersion } from "./observe.ts";
import { describeAudit } from "./stores.ts";
import { workerNames, workerSockets } from "./worker-names.ts";

export interface SupervisorOptions extends SluiceOptions {
  /** Two or more. */
  readonly workers: number;
  /** Longest wait for running exchanges when a worker is renewed, or when this process dies. */
  readonly drainMs: number;
  /** What the command line says of the ledger. */
  readonly ledgerWords?: { readonly url?: string; readonly allowance?: string };
}

export interface Supervisor extends Sluice {
  /** A new process in each place, one after the other. False: it ended early, which the log explains. */
  renew(): Promise<boolean>;
  /** Ends the workers at once. */
  kill(): void;
}

const MAIN = join(import.meta.dirname, "../main.ts");

const bytesOf = ({ loaded, files }: CheckedPolicy): PolicyBytes => ({ files, folder: loaded.folder, hash: loaded.hash });

/** Starts the workers and what stands above them. An error is one clear line, or one for each cause. */
export async function startSupervisor(options: SupervisorOptions): Promise<Result<Supervisor, string>> {
  const { log, data, writerId, rotateBytes, drainMs } = options;
  const first = await readPolicy(options.policy, log);
  if (!first.ok) return first;
  const lock = await lockData(data, writerId);
  if (!lock.ok) return lock;
  const names = workerNames(writerId, options.workers);
  const workers = new Workers({
    places: workerSockets(options.socket, options.workers).map((socket, index) => ({
      ...{ socket, data, drainMs },
      writerId: names[index] ?? String(index),
      rotateBytes: rotateBytes ?? DEFAULT_ROTATE_BYTES,
      ledger: options.ledgerWords ?? {},
    })),
    policy: bytesOf(first.value),
    spawn: (_index, events) => spawnWorker(events),
    log,
  });
  const keeper = new Keeper({
    path: options.policy,
    first: first.value.loaded,
    envoy: options.envoy,
    log,
    swap: (next) => workers.swap(bytesOf(next)),
  });
  const view = new View(`${writerId}-supervisor`, workers, keeper);
  const desk = await openDesk({ data, writerId, policy: () => keeper.state.loaded, env: options.env ?? {}, log });
  if (!desk.ok) {
    view.close();
    lock.value.release();
    return desk;
  }
  const admin = await serveAdmin(options.admin, {
    desk: desk.value.answer,
    ready: () => workers.ready,
    policy: () => effectivePolicy(keeper.state.loaded),
    metrics: async (format) => metricsText(await view.families(), format),
    status: () => view.status(),
  });
  const published = admin.ok ? await keeper.publish() : admin;
  const serving = published.ok ? await workers.start() : published;
  if (!admin.ok || !serving.ok) {
    if (admin.ok) await admin.value.close();
    await desk.value.close();
    view.close();
    lock.value.release();
    return serving.ok ? err("not started") : serving;
  }
  keeper.start();
  return ok({
    adminPort: admin.value.port,
    policy: () => keeper.state,
    recovered: (await workers.figures()).reduce((sum, { status }) => sum + status.audit.recovered, 0),
    renew: () => workers.rollingRestart(drainMs),
    kill: () => workers.kill(),
    stop: async (deadlineMs) => {
      await keeper.stop();
      await workers.stop(deadlineMs);
      await admin.value.close();
      await desk.value.close();
      view.close();
      lock.value.release();
    },
  });
}

const DEFAULT_ROTATE_BYTES = 256 * 1024 * 1024;

/** So that a second supervisor by mistake stops before it writes Envoy's files. */
async function lockData(data: string, name: string): Promise<Result<{ release(): void }, string>> {
  try {
    await makeFolder(data, 0o700);
    const lock = acquireLock(data, `${name}-supervisor`);
    if (lock !== undefined) return ok(lock);
    return err(`another sluice serve --workers keeps its records in ${data} as ${name}; stop it, or give each its own --data or --name`);
  } catch (cause) {
    return err(describeAudit(cause, data));
  }
}

function spawnWorker(events: WorkerEvents): WorkerProcess {
  const child = fork(MAIN, ["serve", "--as-worker"], {
    execArgv: servingNodeFlags(),
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  let over = false;
  const ended = (how: string): void => {
    if (!over) events.ended(how);
    over = true;
  };
  child.on("message", (message) => {
    if (isFromWorker(message)) events.said(message);
  });
  child.once("error", (cause) => ended(cause.message));
  // Not `exit`: the last words may come after it.
  child.once("close", (code, signal) => ended(signal ?? `exit code ${code}`));
  return {
    pid: child.pid,
    send: (message) => {
      // The end of the process is told by its own event.
      if (child.connected) child.send(message, undefined, undefined, () => {});
    },
    kill: () => void child.kill("SIGKILL"),
  };
}

/** Metrics that the one above the workers knows best; what the workers say of them is left out. */
const OWN: readonly string[] = [
  METRICS.ready,
  METRICS.policyInfo,
  METRICS.policyLoaded,
  METRICS.policyReloads,
  METRICS.policyFailing,
  METRICS.uptime,
].map(({ name }) => name);

/** What all processes together show. */
class View {
  readonly #workers: Workers;
  readonly #sources: StatusSources;
  readonly #own = new Metrics();
  readonly #runtime = new RuntimeMetrics();

  constructor(name: string, workers: Workers, keeper: Keeper) {
    this.#workers = workers;
    this.#sources = {
      name,
      version: packageVersion(),
      startedWallMs: this.#own.startedWallMs,
      policy: () => {
        const { loaded, ...state } = keeper.state;
        return { name: loaded.name, version: loaded.version, hash: loaded.hash, ...state };
      },
      capacity: new Capacity(),
      audit: () => NO_AUDIT,
      kept: () => ({ pending: 0, lost: 0 }),
      keySets: () => [],
      telemetry: undefined,
    };
    const known = watchedStatus(this.#sources).filter(({ metric }) => OWN.includes(metric.name) && metric.name !== METRICS.ready.name);
    this.#own.watch(...known, ...this.#workersWatched(), ...this.#runtime.watched());
  }

  close(): void {
    this.#runtime.close();
  }

  async families() {
    const all = await this.#workers.figures();
    const theirs = all.map(({ families }) => families.filter(({ name }) => !OWN.includes(name)));
    return mergeFamilies([this.#own.families(), this.#workers.gone.filter(({ name }) => !OWN.includes(name)), ...theirs]);
  }

  async status(): Promise<StatusView> {
    const all = await this.#workers.figures();
    const statuses = all.map(({ status }) => status);
    const sum = (read: (status: StatusView) => number): number => statuses.reduce((total, status) => total + read(status), 0);
    const telemetry = joinTelemetry(all);
    return {
      ...statusOf(this.#sources),
      ready: this.#workers.ready,
      draining: this.#workers.stopping,
      inFlight: sum(({ inFlight }) => inFlight),
      heldBytes: sum(({ heldBytes }) => heldBytes),
      audit: {
        written: sum(({ audit }) => audit.written),
        dropped: sum(({ audit }) => audit.dropped),
        pendingBytes: sum(({ audit }) => audit.pendingBytes),
        recovered: sum(({ audit }) => audit.recovered),
        failing: statuses.some(({ audit }) => audit.failing),
      },
      ...(telemetry === undefined ? {} : { telemetry }),
      workers: this.#workers.status(all),
    };
  }

  #workersWatched(): readonly Watched[] {
    const states = () => this.#workers.status([]);
    return [
      { metric: METRICS.ready, read: () => (this.#workers.ready ? 1 : 0) },
      {
        metric: METRICS.workers,
        read: () =>
          (["starting", "serving", "draining", "waiting"] as const).map((state) => ({
            labels: { "sluice.state": state },
            value: states().filter((worker) => worker.state === state).length,
          })),
      },
      { metric: METRICS.workerRestarts, read: () => states().reduce((sum, { restarts }) => sum + restarts, 0) },
    ];
  }
}

const NO_AUDIT: AuditStats = { written: 0, dropped: 0, pendingBytes: 0, recovered: 0, failing: false };

function joinTelemetry(all: readonly WorkerFigures[]): StatusView["telemetry"] {
  const given = all.flatMap(({ status }) => (status.telemetry === undefined ? [] : [status.telemetry]));
  if (given.length === 0) return undefined;
  return given.reduce((a, b) => ({
    exported: a.exported + b.exported,
    dropped: a.dropped + b.dropped,
    failed: a.failed + b.failed,
    queued: a.queued + b.queued,
    failing: a.failing || b.failing,
  }));
}
