/**
 * The workers of one supervisor: N places, each with a socket and a name of its own, each held by one process at a time.
 *
 * A process that ends unasked is started anew after a back-off that doubles up to a cap and starts over once one has served a
 * while; the other places serve on. A process that hangs (no answer to a question for half a minute) is killed and counts as
 * crashed. Policies are sent as bytes; a process that dies in between holds nobody up, because it holds no exchange either.
 *
 * A rolling restart takes one place after the other: drain, end, start, wait until Envoy has found the new process. It
 * never begins with a place while no other one serves, and stops at the first that does not come back.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { err, ok, type Result } from "../core/result.ts";
import type { Log } from "../ports/log.ts";
import type { MetricFamily } from "../ports/telemetry.ts";
import type { WorkerStatus } from "./status.ts";
import type { FromWorker, PolicyBytes, WorkerFigures, WorkerPlace } from "./workers-messages.ts";
import { lasting, mergeFamilies } from "./workers-metrics.ts";
import { Slot, TIMES, type WorkerEvents, type WorkerProcess, type WorkerTimes } from "./workers-slot.ts";

export interface WorkersOptions {
  readonly places: readonly WorkerPlace[];
  readonly policy: PolicyBytes;
  spawn(index: number, events: WorkerEvents): WorkerProcess;
  readonly log: Log;
  readonly times?: Partial<WorkerTimes>;
}

/** Longest wait of a scrape for a busy process. */
const ANSWER_MS = 2_000;
const HANG_QUESTIONS = 3;
const nothing = (): void => {};

export class Workers {
  readonly #options: WorkersOptions;
  readonly #times: WorkerTimes;
  readonly #slots: readonly Slot[];
  #policy: PolicyBytes;
  #number = 0;
  #stopping = false;
  #rolling = false;
  /** Counters and histograms of processes that are gone, so that sums never fall. */
  #gone: readonly MetricFamily[] = [];
  #asking: NodeJS.Timeout | undefined;

  constructor(options: WorkersOptions) {
    this.#options = options;
    this.#times = { ...TIMES, ...options.times };
    this.#policy = options.policy;
    this.#slots = options.places.map((_place, index) => new Slot(index));
  }

  /** Starts all; resolves when each either serves or has failed once. An error when none serves: the causes, one a line. */
  async start(): Promise<Result<void, string>> {
    for (const slot of this.#slots) this.#spawn(slot);
    const came = await Promise.all(this.#slots.map((slot) => slot.started.promise));
    if (!came.includes(true) && !this.#stopping) {
      const problems = new Set(this.#slots.map(({ problem }) => problem ?? "it ended without a word"));
      this.kill();
      return err([...problems].join("\n"));
    }
    this.#asking = setInterval(() => void this.figures(), this.#times.askEvery);
    this.#asking.unref();
    return ok(undefined);
  }

  /** Half of them or more serve: what a rolling restart of two or more leaves, and a load balancer should still send to. */
  get ready(): boolean {
    const serving = this.#slots.filter(({ state }) => state === "serving").length;
    return !this.#stopping && serving > 0 && serving * 2 >= this.#slots.length;
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /** Puts a policy in force in all processes, and in those to come. */
  swap(policy: PolicyBytes): { readonly inForce: Promise<void>; readonly over: Promise<void> } {
    this.#policy = policy;
    const swap = ++this.#number;
    const waits = this.#slots.flatMap((slot) => {
      if (slot.process === undefined) return [];
      const [inForce, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      slot.swaps.set(swap, { inForce: inForce.resolve, over: over.resolve });
      slot.process.send({ do: "swap", swap, policy });
      return [{ inForce: inForce.promise, over: over.promise }];
    });
    return {
      inForce: Promise.all(waits.map(({ inForce }) => inForce)).then(nothing),
      over: Promise.all(waits.map(({ over }) => over)).then(nothing),
    };
  }

  /** One place after the other gets a new process. False: it ended early, which the log explains. */
  async rollingRestart(drainMs: number): Promise<boolean> {
    const { log } = this.#options;
    if (this.#rolling || this.#stopping) {
      log.warn("rolling_restart_refused", { why: this.#stopping ? "stopping" : "one is under way" });
      return false;
    }
    this.#rolling = true;
    try {
      log.info("rolling_restart", { workers: this.#slots.length });
      for (const slot of this.#slots) {
        const problem = await this.#renew(slot, drainMs);
        if (this.#stopping) return false;
        if (problem === undefined) continue;
        log.error("rolling_restart_ended", { worker: slot.index, problem });
        return false;
      }
      log.info("rolling_restart_done", {});
      return true;
    } finally {
      this.#rolling = false;
    }
  }

  async #renew(slot: Slot, drainMs: number): Promise<string | undefined> {
    // A place without a process gets a new one by itself.
    if (slot.state !== "serving") return undefined;
    if (!this.#slots.some((other) => other !== slot && other.state === "serving")) return "no other worker serves";
    await this.#drain(slot, drainMs);
    if (this.#stopping) return undefined;
    slot.restarts += 1;
    slot.failures = 0;
    this.#spawn(slot);
    if (!(await slot.started.promise)) return slot.problem ?? "it did not start";
    const { settle, foundMax } = this.#times;
    const found = slot.found.promise.then(() => true);
    const settled = sleep(settle, undefined, { ref: false });
    if (!(await Promise.race([found, sleep(foundMax, false, { ref: false })])))
      this.#options.log.warn("worker_not_found", { worker: slot.index, why: "no health check of Envoy's came", waitedMs: foundMax });
    await settled;
    return undefined;
  }

  /** All at once: running exchanges end, records are written. */
  async stop(drainMs: number): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#asking);
    await Promise.all(this.#slots.map((slot) => this.#drain(slot, drainMs)));
  }

  /** At once, whatever runs. */
  kill(): void {
    this.#stopping = true;
    clearInterval(this.#asking);
    for (const slot of this.#slots) {
      clearTimeout(slot.timer);
      slot.process?.kill();
    }
  }

  async #drain(slot: Slot, drainMs: number): Promise<void> {
    clearTimeout(slot.timer);
    const { process } = slot;
    if (process === undefined) {
      slot.state = "stopped";
      return;
    }
    slot.leaving = true;
    slot.asked = true;
    slot.state = "draining";
    process.send({ do: "drain", deadlineMs: drainMs });
    slot.timer = setTimeout(() => {
      this.#options.log.error("worker_not_drained", { worker: slot.index, afterMs: drainMs + this.#times.drainSlack });
      process.kill();
    }, drainMs + this.#times.drainSlack);
    await slot.ended.promise;
  }

  #spawn(slot: Slot): void {
    const place = this.#options.places[slot.index];
    if (place === undefined || this.#stopping) {
      slot.started.resolve(false);
      return;
    }
    slot.state = "starting";
    slot.leaving = false;
    slot.asked = false;
    slot.unanswered = 0;
    slot.nextStartMs = undefined;
    slot.servingSinceMs = 0;
    slot.heardMs = performance.now();
    slot.started = Promise.withResolvers();
    slot.found = Promise.withResolvers();
    slot.ended = Promise.withResolvers();
    const process = this.#options.spawn(slot.index, {
      said: (message) => this.#said(slot, message),
      ended: (how) => this.#ended(slot, how),
    });
    slot.process = process;
    process.send({ do: "start", place, policy: this.#policy });
    slot.timer = setTimeout(() => {
      slot.problem = `not ready within ${this.#times.startMax / 1000} s`;
      process.kill();
    }, this.#times.startMax);
  }

  #said(slot: Slot, message: FromWorker): void {
    const { log } = this.#options;
    const worker = slot.index;
    slot.heardMs = performance.now();
    slot.unanswered = 0;
    switch (message.say) {
      case "ready":
        // Of one that is asked to end already, the timer is that of its end.
        if (!slot.asked) clearTimeout(slot.timer);
        slot.servingSinceMs = slot.heardMs;
        slot.problem = undefined;
        if (!slot.leaving) slot.state = "serving";
        log.info("worker_ready", { worker, workerPid: slot.process?.pid, recovered: message.recovered });
        slot.started.resolve(true);
        return;
      case "failed":
        slot.problem = message.problem;
        return;
      case "found":
        slot.found.resolve();
        return;
      case "in_force":
        slot.swaps.get(message.swap)?.inForce();
        return;
      case "over":
        slot.swaps.get(message.swap)?.over();
        slot.swaps.delete(message.swap);
        return;
      case "refused":
        // What the supervisor could use, this process could not: a new one gets the policy at its start.
        log.error("worker_refused_policy", { worker, problem: message.problem });
        slot.problem = message.problem;
        slot.process?.kill();
        return;
      case "figures":
        slot.last = message.figures;
        slot.asks.get(message.ask)?.(message.figures);
        slot.asks.delete(message.ask);
        return;
      case "draining":
        slot.leaving = true;
        slot.state = "draining";
        return;
      case "ended":
        slot.last = message.figures;
        return;
    }
  }

  #ended(slot: Slot, how: string): void {
    const { log } = this.#options;
    clearTimeout(slot.timer);
    if (slot.last !== undefined) this.#gone = mergeFamilies([this.#gone, lasting(slot.last.families)]);
    slot.last = undefined;
    slot.process = undefined;
    for (const { inForce, over } of slot.swaps.values()) {
      inForce();
      over();
    }
    slot.swaps.clear();
    for (const answer of slot.asks.values()) answer(undefined);
    slot.asks.clear();
    slot.state = "stopped";
    if (!slot.asked && !this.#stopping) {
      const servedMs = slot.servingSinceMs === 0 ? 0 : performance.now() - slot.servingSinceMs;
      slot.failures = servedMs >= this.#times.servedWhole ? 1 : slot.failures + 1;
      const { backoffMin, backoffMax } = this.#times;
      // Somebody's SIGTERM to one worker asks for a fresh one, and is no failure.
      if (slot.leaving) slot.failures = 0;
      const waitMs = slot.leaving ? 0 : Math.min(backoffMax, backoffMin * 2 ** (slot.failures - 1));
      if (!slot.leaving) {
        slot.problem ??= how;
        log.error("worker_ended", { worker: slot.index, how, problem: slot.problem, servedMs: Math.round(servedMs), restartInMs: waitMs });
      }
      slot.state = "waiting";
      slot.nextStartMs = Date.now() + waitMs;
      slot.timer = setTimeout(() => {
        slot.restarts += 1;
        this.#spawn(slot);
      }, waitMs);
    }
    slot.started.resolve(false);
    slot.ended.resolve();
  }

  /** Figures of all that answer, asked now; a process that answers nothing for long is killed. */
  async figures(): Promise<readonly WorkerFigures[]> {
    const asked = this.#slots.map((slot) => this.#ask(slot));
    const all = await Promise.all(asked);
    return all.flatMap((figures) => (figures === undefined ? [] : [figures]));
  }

  async #ask(slot: Slot): Promise<WorkerFigures | undefined> {
    const { process } = slot;
    if (process === undefined || slot.state === "starting") return undefined;
    const silentMs = performance.now() - slot.heardMs;
    // Time alone would not do: all may have been stopped together, and have just gone on.
    if (silentMs > this.#times.hangMax && slot.unanswered >= HANG_QUESTIONS && !slot.leaving) {
      this.#options.log.error("worker_hangs", { worker: slot.index, silentMs: Math.round(silentMs) });
      slot.problem = `no answer for ${Math.round(silentMs / 1000)} s`;
      process.kill();
      return slot.last;
    }
    const ask = ++this.#number;
    const answer = Promise.withResolvers<WorkerFigures | undefined>();
    slot.asks.set(ask, answer.resolve);
    process.send({ do: "figures", ask });
    // A busy process must not keep a scrape waiting: its last figures will do.
    const figures = await Promise.race([answer.promise, sleep(ANSWER_MS, undefined, { ref: false })]);
    if (slot.asks.delete(ask)) slot.unanswered += 1;
    return figures ?? slot.last;
  }

  /** Counters and histograms of the processes before, which still count. */
  get gone(): readonly MetricFamily[] {
    return this.#gone;
  }

  /** Each place, with the figures of `figures` where its process gave some. */
  status(figures: readonly WorkerFigures[]): readonly WorkerStatus[] {
    return this.#slots.map((slot) => {
      const { index, state, restarts, problem, process, nextStartMs } = slot;
      const own = figures.find(({ status }) => status.pid === process?.pid)?.status;
      return {
        worker: index,
        state,
        restarts,
        ...(process?.pid === undefined ? {} : { pid: process.pid }),
        ...(problem === undefined ? {} : { problem: problem.slice(0, 1_000) }),
        ...(nextStartMs === undefined ? {} : { nextStartAt: new Date(nextStartMs).toISOString() }),
        ...(own === undefined ? {} : { status: own }),
      };
    });
  }
}
