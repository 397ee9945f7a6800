import type { Denial } from "../core/denials.ts";
import type { Work } from "../pipeline/work.ts";

/** Total and latency timer for the whole answer, idle timer between its chunks; each ends the answer well formed. */
export class AnswerTimers {
  #total: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;

  /** `elapsedMs` since the request's arrival. */
  start(work: Work, elapsedMs: number, expire: (denial: Denial) => void): void {
    const timeouts = work.policy?.timeouts;
    if (timeouts === undefined) return;
    const capped = work.latencyCapMs !== undefined && work.latencyCapMs <= timeouts.requestMs;
    const totalMs = capped ? (work.latencyCapMs ?? timeouts.requestMs) : timeouts.requestMs;
    this.#total = setTimeout(() => expire({ code: capped ? "latency_cap" : "upstream_timeout" }), Math.max(1, totalMs - elapsedMs));
    this.#idle = setTimeout(() => expire({ code: "upstream_timeout", detail: "The provider stopped sending." }), timeouts.idleMs);
  }

  /** Something came. */
  refresh(): void {
    this.#idle?.refresh();
  }

  stop(): void {
    clearTimeout(this.#total);
    clearTimeout(this.#idle);
  }
}
