import { err, ok, type Result } from "../../core/result.ts";
import type { PortError } from "../../core/stage.ts";

export type OpenResult = Result<void, PortError>;

/** Open entries that are written together and answered together, so that they cost one promise and one timer. */
export class OpenBatch {
  readonly result: Promise<OpenResult>;
  #resolve: (result: OpenResult) => void = () => undefined;
  readonly #timer: NodeJS.Timeout;
  #left = 0;
  #error: Error | undefined;

  constructor(waitMsMax: number) {
    this.result = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#timer = setTimeout(() => this.#resolve(err({ code: "timeout" })), waitMsMax);
    this.#timer.unref();
  }

  /** One more entry belongs to the batch. */
  join(): void {
    this.#left += 1;
  }

  /** The fate of one entry. The batch is answered when all are known; one that failed fails it. */
  settleOne(error: Error | undefined): void {
    this.#left -= 1;
    this.#error ??= error;
    if (this.#left > 0) return;
    clearTimeout(this.#timer);
    this.#resolve(this.#error === undefined ? ok(undefined) : err({ code: "unavailable", cause: this.#error }));
  }
}
