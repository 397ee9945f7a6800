/**
 * Whether the store is worth asking. After `FAILURES_MAX` failures in a row (a timeout is one) it is not, until a probe in the
 * background succeeds: callers fail at once and never pay for finding out.
 */
const FAILURES_MAX = 3;
const PROBE_MS = 100;

export class Breaker {
  readonly #probe: () => Promise<boolean>;
  readonly #onChange: (up: boolean, cause: unknown) => void;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(probe: () => Promise<boolean>, onChange: (up: boolean, cause: unknown) => void) {
    this.#probe = probe;
    this.#onChange = onChange;
  }

  get up(): boolean {
    return this.#timer === undefined;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  failed(cause: unknown): void {
    this.#failures++;
    if (this.#failures < FAILURES_MAX || this.#timer !== undefined || this.#closed) return;
    this.#look();
    this.#onChange(false, cause);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #look(): void {
    this.#timer = setTimeout(() => {
      this.#probe().then(
        (works) => this.#looked(works),
        () => this.#looked(false),
      );
    }, PROBE_MS);
    this.#timer.unref();
  }

  #looked(works: boolean): void {
    if (this.#closed) return;
    if (!works) {
      this.#look();
      return;
    }
    this.#timer = undefined;
    this.#failures = 0;
    this.#onChange(true, undefined);
  }
}
