import { randomFillSync } from "node:crypto";

const POOL_BYTES = 4096;

/** Random ids of W3C Trace Context in lower-case hex; the system's randomness is asked for in bulk. */
export class TraceIds {
  readonly #pool = Buffer.allocUnsafe(POOL_BYTES);
  #used = POOL_BYTES;

  traceId(): string {
    return this.#hex(16);
  }
  spanId(): string {
    return this.#hex(8);
  }

  /** Never all zeros, which would be no id. */
  #hex(bytes: number): string {
    if (this.#used + bytes > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const text = this.#pool.toString("hex", this.#used, this.#used + bytes);
    this.#used += bytes;
    return /[^0]/.test(text) ? text : this.#hex(bytes);
  }
}
