import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { Watched } from "../metrics.ts";
import { METRICS } from "./definitions.ts";

/** Least time that a figure of the event loop covers, so that two scrapers do not empty it for each other. */
const WINDOW_MS = 10_000;
/** How often the loop's delay is sampled; also the least delay that shows. */
const RESOLUTION_MS = 10;
const NS = 1e-9;

/** Figures of this Node process. `close` ends the sampling. */
export class RuntimeMetrics {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #since = performance.now();
  #usedBefore = performance.eventLoopUtilization();
  #last = { p50: 0, p99: 0, max: 0, utilization: 0 };
  #measured = false;

  constructor() {
    this.#delay.enable();
  }

  watched(): readonly Watched[] {
    const loop = (read: (last: { p50: number; p99: number; max: number; utilization: number }) => number) => (): number =>
      read(this.#loop());
    return [
      { metric: METRICS.loopDelayP50, read: loop(({ p50 }) => p50) },
      { metric: METRICS.loopDelayP99, read: loop(({ p99 }) => p99) },
      { metric: METRICS.loopDelayMax, read: loop(({ max }) => max) },
      { metric: METRICS.loopUtilization, read: loop(({ utilization }) => utilization) },
      { metric: METRICS.memory, read: () => process.memoryUsage.rss() },
      { metric: METRICS.heapUsed, read: () => process.memoryUsage().heapUsed },
      { metric: METRICS.cpu, read: cpuTimes },
      { metric: METRICS.uptime, read: () => process.uptime() },
    ];
  }

  close(): void {
    this.#delay.disable();
  }

  #loop(): { p50: number; p99: number; max: number; utilization: number } {
    const now = performance.now();
    if (this.#measured && now - this.#since < WINDOW_MS) return this.#last;
    const used = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(used, this.#usedBefore);
    const beyond = (ns: number): number => Math.max(0, ns * NS - RESOLUTION_MS / 1000);
    const seen = this.#delay.count > 0;
    this.#last = {
      p50: seen ? beyond(this.#delay.percentile(50)) : 0,
      p99: seen ? beyond(this.#delay.percentile(99)) : 0,
      max: seen ? beyond(this.#delay.max) : 0,
      utilization,
    };
    this.#delay.reset();
    this.#usedBefore = used;
    this.#since = now;
    this.#measured = true;
    return this.#last;
  }
}

const cpuTimes = () => {
  const { user, system } = process.cpuUsage();
  return [
    { labels: { "cpu.mode": "user" }, value: user / 1e6 },
    { labels: { "cpu.mode": "system" }, value: system / 1e6 },
  ];
};
