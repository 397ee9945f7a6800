import type { Denial } from "../core/denials.ts";
import type { Clock } from "../ports/clock.ts";

/** What of an exchange's work sets the limits. */
interface Limited {
  readonly policy: { readonly timeouts: { readonly requestMs: number; readonly idleMs: number } } | undefined;
  readonly latencyCapMs: number | undefined;
}

/** A wait of many of these is cut to whole ones, and the rest waited for then: timers of one length share a list, others need one each. */
const COARSE_MS = 1_000;
/** Timers of Node may be early by the fraction that they cut off. */
const EARLY_MS = 1;

/**
 * Total and latency limit for the whole answer, idle limit between its chunks; each ends the answer well formed. Both share one
 * timer, set to what comes first and set anew when it fires too soon: a chunk only notes its time.
 */
export class AnswerTimers {
  readonly #clock: Clock;
  #timer: NodeJS.Timeout | undefined;
  #totalAtMs = 0;
  #idleMs = 0;
  #lastMs = 0;
  #capped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `elapsedMs` since the request's arrival. */
  start(work: Limited, elapsedMs: number, expire: (denial: Denial) => void): void {
    const timeouts = work.policy?.timeouts;
    if (timeouts === undefined) return;
    this.#capped = work.latencyCapMs !== undefined && work.latencyCapMs <= timeouts.requestMs;
    const totalMs = this.#capped ? (work.latencyCapMs ?? timeouts.requestMs) : timeouts.requestMs;
    const now = this.#clock.monotonicMs();
    this.#totalAtMs = now + totalMs - elapsedMs;
    this.#idleMs = timeouts.idleMs;
    this.#lastMs = now;
    this.#arm(now, expire);
  }

  /** Something came, at that time of the clock. */
  refresh(nowMs: number): void {
    this.#lastMs = nowMs;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #arm(now: number, expire: (denial: Denial) => void): void {
    const dueMs = Math.min(this.#totalAtMs, this.#lastMs + this.#idleMs) - now;
    this.#timer = setTimeout(
      () => this.#fired(expire),
      dueMs > 2 * COARSE_MS ? dueMs - (dueMs % COARSE_MS) : Math.max(1, Math.ceil(dueMs)),
    );
  }

  #fired(expire: (denial: Denial) => void): void {
    const now = this.#clock.monotonicMs();
    if (now >= this.#totalAtMs - EARLY_MS) expire({ code: this.#capped ? "latency_cap" : "upstream_timeout" });
    else if (now >= this.#lastMs + this.#idleMs - EARLY_MS) expire({ code: "upstream_timeout", detail: "The provider stopped sending." });
    else this.#arm(now, expire);
  }
}
