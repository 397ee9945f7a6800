/** A step of the embedded ledger on its way through a transaction, and its answer. */
import { ok, type Result } from "../../core/result.ts";
import type { LedgerError, SettleAnswer } from "../../ports/ledger.ts";

/** One step that waits for its turn. */
export interface Job {
  /** Does it, inside a transaction; the answer is kept for `deliver`. */
  run(nowMs: number): void;
  deliver(): void;
  fail(error: LedgerError): void;
  /** Settles and releases: done whatever it takes. `fail` then only tells the caller that it waits. */
  readonly kept: boolean;
  /** Answered before the commit: a hold may follow at once. */
  readonly early: boolean;
  readonly untilMs: number;
}

/** A step with its answer; an object for all of it, since each call has three. */
export class Step<T> implements Job {
  readonly #work: (nowMs: number) => T;
  readonly #failed: (error: LedgerError) => Result<T, LedgerError>;
  readonly kept: boolean;
  readonly early: boolean;
  readonly untilMs: number;
  readonly answer: Promise<Result<T, LedgerError>>;
  #resolve: (answer: Result<T, LedgerError>) => void = nothing;
  #made: Result<T, LedgerError> | undefined;

  constructor(work: (nowMs: number) => T, failed: (error: LedgerError) => Result<T, LedgerError>, how: How, untilMs: number) {
    this.#work = work;
    this.#failed = failed;
    this.kept = how === "kept";
    this.early = how === "early";
    this.untilMs = untilMs;
    this.answer = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  run(nowMs: number): void {
    this.#made = ok(this.#work(nowMs));
  }
  deliver(): void {
    if (this.#made !== undefined) this.#resolve(this.#made);
  }
  fail(error: LedgerError): void {
    this.#resolve(this.#failed(error));
  }
}
/** kept: a settle or release. early: an enter. */
export type How = "plain" | "early" | "kept";
/** For what needs no answer. */
export const nothing = (): void => {};
/** What a settle is told that waits for the store. */
export const queued = (): Result<SettleAnswer, LedgerError> => ok("queued");
