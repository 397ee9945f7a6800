import { setTimeout as sleep } from "node:timers/promises";
import { openLog } from "../adapters/log/pino.ts";
import { checkPolicy, type LoadedPolicy } from "../config/load.ts";
import { formatProblem } from "../config/problems.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Log } from "../ports/log.ts";
import { statusOf } from "../server/status.ts";
import {
  type FromWorker,
  isToWorker,
  type PolicyBytes,
  type ToWorker,
  type WorkerFigures,
  type WorkerPlace,
} from "../server/workers-messages.ts";
import { plainFamilies } from "../server/workers-metrics.ts";
import { STAGES } from "../stages/index.ts";
import type { CommandIo } from "./command.ts";
import { type Engine, startEngine } from "./engine.ts";
import type { PolicyState } from "./keeper.ts";
import { readLedgerSettings } from "./ledger-settings.ts";

/** Envoy asks every half second after a process that was gone; a process that nobody asks for is no less ready. */
const FOUND_WAIT_MS = 60_000;
/** A process whose work is done ends, whatever a library still holds open. */
const LINGER_MS = 2_000;

/**
 * One worker of a supervisor that speaks over Node's IPC channel. It ends when told, on SIGTERM, and when the supervisor is gone:
 * each time after running exchanges, at most the drain's time. Ctrl-C reaches it too and is the supervisor's to act on.
 */
export async function runWorker(io: CommandIo): Promise<number> {
  if (process.send === undefined) {
    io.stderr.write("sluice serve: --as-worker is for sluice serve itself; use --workers N\n");
    return 2;
  }
  const log = openLog({ level: io.env["SLUICE_LOG_LEVEL"] ?? "info", stream: io.stderr, color: io.env["NO_COLOR"] === undefined });
  const worker = new Worker(log, io.env);
  const code = await worker.run();
  setTimeout(() => process.exit(code), LINGER_MS).unref();
  return code;
}

class Worker {
  readonly #log: Log;
  readonly #env: CommandIo["env"];
  readonly #over = Promise.withResolvers<number>();
  #engine: Engine | undefined;
  #place: WorkerPlace | undefined;
  #state: PolicyState | undefined;
  /** What was told is done in order; questions are answered in between. */
  #doing: Promise<void> = Promise.resolve();
  #leaving = false;

  constructor(log: Log, env: CommandIo["env"]) {
    this.#log = log;
    this.#env = env;
  }

  async run(): Promise<number> {
    process.on("message", (message) => {
      if (isToWorker(message)) this.#hear(message);
    });
    process.once("disconnect", () => {
      if (!this.#leaving) this.#log.warn("supervisor_gone", {});
      this.#then(() => this.#leave(this.#place?.drainMs ?? 0));
    });
    process.on("SIGINT", () => {});
    process.on("SIGHUP", () => {});
    process.once("SIGTERM", () => {
      this.#then(() => this.#leave(this.#place?.drainMs ?? 0));
      process.once("SIGTERM", () => process.exit(1));
    });
    const code = await this.#over.promise;
    this.#leaving = true;
    if (process.connected) process.disconnect?.();
    return code;
  }

  #hear(message: ToWorker): void {
    if (message.do === "figures") {
      const figures = this.#figures();
      if (figures !== undefined) void this.#say({ say: "figures", ask: message.ask, figures });
      return;
    }
    this.#then(() => {
      switch (message.do) {
        case "start":
          return this.#start(message.place, message.policy);
        case "swap":
          return this.#swap(message.swap, message.policy);
        case "drain":
          return this.#leave(message.deadlineMs);
      }
    });
  }

  #then(step: () => Promise<void>): void {
    this.#doing = this.#doing.then(step).catch((cause: unknown) => {
      this.#log.error("worker_fault", { cause });
      this.#over.resolve(1);
    });
  }

  async #start(place: WorkerPlace, policy: PolicyBytes): Promise<void> {
    this.#place = place;
    const checked = check(policy);
    if (!checked.ok) return this.#fail(checked.error);
    this.#state = { loaded: checked.value, loadedAtMs: Date.now(), reloads: 0, rejected: 0, lastError: undefined };
    const first = this.#state;
    const { socket, data, writerId, rotateBytes } = place;
    const ledger = readLedgerSettings(place.ledger, this.#env);
    if (!ledger.ok) return this.#fail(ledger.error);
    const started = await startEngine({
      ...{ loaded: checked.value, socket, data, writerId, rotateBytes, log: this.#log, env: this.#env, ledger: ledger.value },
      state: () => this.#state ?? first,
    });
    if (!started.ok) return this.#fail(started.error);
    this.#engine = started.value;
    await this.#say({ say: "ready", recovered: started.value.recovered });
    started.value
      .found(FOUND_WAIT_MS)
      .then((found) => (found ? this.#say({ say: "found" }) : undefined))
      .catch(() => {});
  }

  async #fail(problem: string): Promise<void> {
    await this.#say({ say: "failed", problem });
    this.#over.resolve(1);
  }

  async #swap(swap: number, policy: PolicyBytes): Promise<void> {
    const { hash } = this.#state?.loaded ?? {};
    const engine = this.#engine;
    if (engine === undefined) return;
    if (hash === policy.hash) {
      await this.#say({ say: "in_force", swap });
      return this.#say({ say: "over", swap });
    }
    const checked = check(policy);
    if (!checked.ok) return this.#say({ say: "refused", swap, problem: checked.error });
    const over = engine.swap(checked.value);
    this.#state = {
      loaded: checked.value,
      loadedAtMs: Date.now(),
      reloads: (this.#state?.reloads ?? 0) + 1,
      rejected: 0,
      lastError: undefined,
    };
    await this.#say({ say: "in_force", swap });
    over.then(() => this.#say({ say: "over", swap })).catch(() => {});
  }

  async #leave(deadlineMs: number): Promise<void> {
    if (this.#leaving) return;
    this.#leaving = true;
    await this.#say({ say: "draining" });
    const stopped = this.#engine?.stop(deadlineMs);
    // The policy may change, and the old one end, while the last exchanges run: what comes meanwhile is heard.
    const rest = async (): Promise<void> => {
      await stopped;
      await this.#doing;
      const figures = this.#figures();
      if (figures !== undefined) await this.#say({ say: "ended", figures });
      this.#over.resolve(0);
    };
    rest().catch((cause: unknown) => {
      this.#log.error("worker_fault", { cause });
      this.#over.resolve(1);
    });
  }

  #figures(): WorkerFigures | undefined {
    const observation = this.#engine?.observation;
    if (observation === undefined) return undefined;
    return { status: statusOf(observation.sources), families: plainFamilies(observation.metrics.families()) };
  }

  /** Lost when the supervisor is gone. */
  async #say(message: FromWorker): Promise<void> {
    const said = new Promise<void>((resolve) => {
      if (process.send === undefined || !process.connected) return resolve();
      process.send(message, undefined, undefined, () => resolve());
    });
    await Promise.race([said, sleep(LINGER_MS, undefined, { ref: false })]);
  }
}

function check(policy: PolicyBytes): Result<LoadedPolicy, string> {
  const checked = checkPolicy(policy.files, STAGES, { folder: policy.folder });
  if (!checked.ok) return err(checked.error.map(formatProblem).join("\n"));
  if (checked.value.hash !== policy.hash) return err("the policy did not arrive whole");
  return ok(checked.value);
}
