import type { WorkerStatus } from "./status.ts";
import type { FromWorker, ToWorker, WorkerFigures } from "./workers-messages.ts";

/** A process as the pool needs it. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  /** Lost when the process is gone. */
  send(message: ToWorker): void;
  kill(): void;
}
export interface WorkerEvents {
  said(message: FromWorker): void;
  /** Once: `exit code 1`, `SIGKILL`. */
  ended(how: string): void;
}

/** Milliseconds. */
export interface WorkerTimes {
  readonly startMax: number;
  readonly backoffMin: number;
  readonly backoffMax: number;
  /** Having served this long, a process that ends is followed by the next at `backoffMin`. */
  readonly servedWhole: number;
  readonly askEvery: number;
  readonly hangMax: number;
  /** Longest wait of a rolling restart for Envoy's health check. */
  readonly foundMax: number;
  /** Least time that a new process serves before the next place drains: a second Envoy's check may come later. */
  readonly settle: number;
  /** Beyond its own deadline, until a draining process is killed: the notice to Envoy and the last writes. */
  readonly drainSlack: number;
}
/** What `Workers` keeps to unless told otherwise. */
export const TIMES: WorkerTimes = {
  startMax: 30_000,
  backoffMin: 200,
  backoffMax: 30_000,
  servedWhole: 30_000,
  askEvery: 10_000,
  hangMax: 30_000,
  foundMax: 5_000,
  settle: 1_200,
  drainSlack: 15_000,
};

interface Swap {
  readonly inForce: () => void;
  readonly over: () => void;
}
/** One place and whoever holds it. */
export class Slot {
  readonly index: number;
  state: WorkerStatus["state"] = "stopped";
  process: WorkerProcess | undefined;
  restarts = 0;
  /** Starts in a row that did not serve long. */
  failures = 0;
  problem: string | undefined;
  /** `performance.now()` of the last word to any question, and of the moment when it began to serve. */
  heardMs = 0;
  servingSinceMs = 0;
  nextStartMs: number | undefined;
  /** On its way out, whoever asked; and asked by the pool itself. */
  leaving = false;
  asked = false;
  /** Questions in a row without an answer. */
  unanswered = 0;
  last: WorkerFigures | undefined;
  timer: NodeJS.Timeout | undefined;
  readonly swaps = new Map<number, Swap>();
  readonly asks = new Map<number, (figures: WorkerFigures | undefined) => void>();
  started = Promise.withResolvers<boolean>();
  found = Promise.withResolvers<void>();
  ended = Promise.withResolvers<void>();

  constructor(index: number) {
    this.index = index;
  }
}
