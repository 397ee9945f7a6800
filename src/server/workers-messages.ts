import type { PolicyFile } from "../config/load.ts";
import type { MetricFamily } from "../ports/telemetry.ts";
import type { StatusView } from "./status.ts";

/** The policy as the supervisor read it: all workers compile these bytes, whatever the files say meanwhile. */
export interface PolicyBytes {
  readonly files: readonly PolicyFile[];
  readonly folder: string;
  readonly hash: string;
}

/** What one worker is, for as long as it lives. */
export interface WorkerPlace {
  readonly socket: string;
  readonly data: string;
  readonly writerId: string;
  readonly rotateBytes: number;
  /** What the command line says of the ledger; the environment is the worker's own too. */
  readonly ledger: { readonly url?: string; readonly allowance?: string };
  /** Longest wait for running exchanges when the supervisor is gone, milliseconds. */
  readonly drainMs: number;
}

/** One worker's figures at a moment. */
export interface WorkerFigures {
  readonly status: StatusView;
  readonly families: readonly MetricFamily[];
}

/** Supervisor to worker. */
export type ToWorker =
  | { readonly do: "start"; readonly place: WorkerPlace; readonly policy: PolicyBytes }
  | { readonly do: "swap"; readonly swap: number; readonly policy: PolicyBytes }
  | { readonly do: "figures"; readonly ask: number }
  /** Running exchanges get `deadlineMs`; then the worker writes its records and ends. */
  | { readonly do: "drain"; readonly deadlineMs: number };

/** Worker to supervisor. */
export type FromWorker =
  | { readonly say: "ready"; readonly recovered: number }
  /** It cannot serve, and ends. */
  | { readonly say: "failed"; readonly problem: string }
  /** Envoy's health check has found it. */
  | { readonly say: "found" }
  | { readonly say: "in_force"; readonly swap: number }
  /** Its last exchange under the policy before is over. */
  | { readonly say: "over"; readonly swap: number }
  | { readonly say: "refused"; readonly swap: number; readonly problem: string }
  | { readonly say: "figures"; readonly ask: number; readonly figures: WorkerFigures }
  | { readonly say: "draining" }
  /** Its last words: everything is written. */
  | { readonly say: "ended"; readonly figures: WorkerFigures };

/** Both ends are this program at one version, so the tag is enough. */
export const isToWorker = (message: unknown): message is ToWorker => typeof message === "object" && message !== null && "do" in message;
export const isFromWorker = (message: unknown): message is FromWorker =>
  typeof message === "object" && message !== null && "say" in message;
