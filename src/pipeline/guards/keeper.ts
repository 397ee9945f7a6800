import type { CallVerdict, Stop } from "../../core/guard.ts";
import type { Spoken } from "./part.ts";

type Withhold = Extract<CallVerdict, { readonly kind: "withhold" }>;
/** How the caller's answer ends, and what each choice had said in the frame that it ended with. */
export interface Ended {
  readonly stop: Stop;
  readonly said: readonly Spoken[];
}

/**
 * The answer as the caller would have got it, where a guard may want it withheld and kept. Up to its cap: a larger answer is not kept,
 * which nobody misses unless it is to be withheld; then the caller's answer ends at once.
 */
export class Keeper {
  readonly #contentType: string;
  readonly #bytesMax: number;
  #pieces: Uint8Array[] | undefined = [];
  #bytes = 0;
  #withhold: Withhold | undefined;
  #said: readonly Spoken[] = [];
  #complete = false;
  /** For calls that are withheld with the rest. */
  readonly #giveBacks: (() => void)[] = [];

  constructor(contentType: string, bytesMax: number) {
    this.#contentType = contentType;
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }
  get isWithheld(): boolean {
    return this.#withhold !== undefined;
  }
  /** It is to be withheld and is larger than may be kept: nothing is left to wait for. */
  get isFull(): boolean {
    return this.#withhold !== undefined && this.#pieces === undefined;
  }

  withhold(verdict: Withhold, said: readonly Spoken[]): void {
    if (this.#withhold !== undefined) return;
    this.#withhold = verdict;
    this.#said = said;
  }

  /** Bytes that may leave. True: they are withheld. */
  take(bytes: Uint8Array): boolean {
    if (this.#pieces !== undefined) {
      this.#pieces.push(bytes);
      this.#bytes += bytes.length;
      if (this.#bytes > this.#bytesMax) this.#drop();
    }
    return this.#withhold !== undefined;
  }

  /** Calls of bytes that are withheld. */
  owes(giveBacks: readonly (() => void)[]): void {
    this.#giveBacks.push(...giveBacks);
  }

  ends(complete: boolean): void {
    this.#complete = complete;
  }

  /** The answer has been read to its end, or as far as it is read. undefined: it is not withheld. */
  finish(): Ended | undefined {
    const [pieces, withhold] = [this.#pieces, this.#withhold];
    this.#drop();
    if (withhold === undefined) return undefined;
    this.#withhold = undefined;
    const answer = pieces !== undefined && this.#complete ? { contentType: this.#contentType, body: Buffer.concat(pieces) } : undefined;
    const { stop, kept } = withhold.end(answer);
    // What is kept has its grants with it.
    if (kept) this.#giveBacks.length = 0;
    return { stop, said: this.#said };
  }

  close(): void {
    this.#drop();
    for (const giveBack of this.#giveBacks.splice(0)) giveBack();
  }

  #drop(): void {
    this.#pieces = undefined;
    this.#bytes = 0;
  }
}
