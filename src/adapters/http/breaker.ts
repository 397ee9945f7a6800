import { REMOTE_FAILURES_MAX, REMOTE_REST_MS, REMOTE_REST_MS_MAX } from "../../core/limits.ts";

/**
 * Whether a service is worth asking. After `REMOTE_FAILURES_MAX` failures in a row it is left alone for `REMOTE_REST_MS`, so that
 * callers fail at once; then one call tries it: a success ends the rest, a failure doubles the next one, up to `REMOTE_REST_MS_MAX`.
 */
export class Breaker {
  readonly #nowMs: () => number;
  readonly #onChange: (up: boolean, why: string) => void;
  #failures = 0;
  #restMs = REMOTE_REST_MS;
  /** Set while it is left alone. */
  #untilMs: number | undefined;
  #trying = false;

  /** `nowMs` is monotonic. */
  constructor(nowMs: () => number, onChange: (up: boolean, why: string) => void) {
    this.#nowMs = nowMs;
    this.#onChange = onChange;
  }

  /** May a call be made? Whoever is told yes says what became of it. */
  admits(): boolean {
    if (this.#untilMs === undefined) return true;
    if (this.#trying || this.#nowMs() < this.#untilMs) return false;
    this.#trying = true;
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#restMs = REMOTE_REST_MS;
    this.#trying = false;
    if (this.#untilMs === undefined) return;
    this.#untilMs = undefined;
    this.#onChange(true, "");
  }

  failed(why: string): void {
    this.#failures += 1;
    this.#trying = false;
    const resting = this.#untilMs !== undefined;
    if (!resting && this.#failures < REMOTE_FAILURES_MAX) return;
    this.#untilMs = this.#nowMs() + this.#restMs;
    this.#restMs = Math.min(REMOTE_REST_MS_MAX, this.#restMs * 2);
    if (!resting) this.#onChange(false, why);
  }

  /** The caller left: nothing was learnt. */
  forgone(): void {
    this.#trying = false;
  }
}
