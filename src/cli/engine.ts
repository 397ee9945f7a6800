import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { openJsonlAudit } from "../adapters/audit/jsonl.ts";
import { openKeySets } from "../adapters/jwks/store.ts";
import { openFileKeyring } from "../adapters/keyring/file.ts";
import { openSqliteApprovals } from "../adapters/sqlite/approvals.ts";
import { openSqliteState } from "../adapters/sqlite/state.ts";
import { openGptTokens } from "../adapters/tokens/gpt.ts";
import { DIALECTS } from "../codecs/dialects.ts";
import { findCodec } from "../codecs/index.ts";
import type { LoadedPolicy } from "../config/load.ts";
import { makeFolder } from "../config/make-folder.ts";
import { compileSnapshot } from "../config/snapshot.ts";
import { AUDIT_PENDING_BYTES_MAX, MIB } from "../core/limits.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { PortError } from "../core/stage.ts";
import { systemClock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { Capacity } from "../server/capacity.ts";
import { Generations } from "../server/generations.ts";
import { serveGrpc } from "../server/grpc.ts";
import { Metrics } from "../server/metrics.ts";
import { STAGES } from "../stages/index.ts";
import { approvalEvent } from "./approval-event.ts";
import type { PolicyState } from "./keeper.ts";
import { openLedger } from "./ledger.ts";
import { LEDGER_DEFAULTS, type LedgerSettings } from "./ledger-settings.ts";
import { type Observation, observe, openExports } from "./observe.ts";

export interface EngineOptions {
  readonly loaded: LoadedPolicy;
  /** Unix socket for Envoy. */
  readonly socket: string;
  /** Folder for records and journals. */
  readonly data: string;
  /** Names this process's files. */
  readonly writerId: string;
  /** A records file is rotated at this size. */
  readonly rotateBytes?: number | undefined;
  /** Where limits and budgets are kept; `LEDGER_DEFAULTS` where absent. */
  readonly ledger?: LedgerSettings | undefined;
  /** The policy in force, for status and metrics. */
  readonly state: () => PolicyState;
  /** OpenTelemetry's standard variables, absent: nothing is exported; and `SLUICE_KEY_FILE`. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** After this process has its name for itself, before anything is served. */
  readonly beforeServing?: () => Promise<Result<void, string>>;
  readonly log: Log;
}

/** What serves exchanges: one a process. Who decides on the policy and who shows the figures stand outside. */
export interface Engine {
  readonly observation: Observation;
  /** Records that end `crashed`, made from what a previous process left open. */
  readonly recovered: number;
  readonly draining: () => boolean;
  /** Puts another policy in force at once; resolves when the last exchange under the one before is over. */
  swap(next: LoadedPolicy): Promise<void>;
  /** True once Envoy's health check has found this process. */
  found(waitMs: number): Promise<boolean>;
  /** Envoy is told; running exchanges go on; then everything is written. `deadlineMs` bounds the wait for running ones. */
  stop(deadlineMs: number): Promise<void>;
}

/** The installation's secret: in the data folder, where no other place is named. */
export const keyFileOf = (data: string, env: Readonly<Record<string, string | undefined>>): string =>
  env["SLUICE_KEY_FILE"] ?? join(data, "sluice.key");
/** Longest wait for the public keys of token issuers at the start, milliseconds. */
const KEYS_WAIT_MS = 3_000;

/** Evidence, gRPC and figures of one process. An error is one clear line. */
export async function startEngine(options: EngineOptions): Promise<Result<Engine, string>> {
  const { log, data, writerId } = options;
  const generations = new Generations(compileSnapshot(options.loaded, STAGES));
  try {
    await makeFolder(data, 0o700);
  } catch (cause) {
    return err(describeAudit(cause, data));
  }
  const audit = await openJsonlAudit({
    dir: data,
    writerId,
    rotateBytes: options.rotateBytes ?? 256 * MIB,
    pendingBytesMax: AUDIT_PENDING_BYTES_MAX,
    clock: systemClock,
    onError: (fault) => log.error("audit_fault", { doing: fault.doing, lost: fault.lost, cause: fault.cause }),
  });
  if (!audit.ok) return err(describeAudit(audit.error.cause, data));
  const keyring = await openFileKeyring(keyFileOf(data, options.env ?? {}));
  if (!keyring.ok) {
    await audit.value.close();
    return keyring;
  }
  const approvals = await openSqliteApprovals({
    dir: data,
    clock: systemClock,
    keyring: keyring.value,
    onStep: (step) => void audit.value.event(approvalEvent(step)),
  });
  if (!approvals.ok) {
    await audit.value.close();
    return err(`approvals cannot be kept in ${data}: ${causeOf(approvals.error)}`);
  }
  const state = await openSqliteState({
    dir: data,
    clock: systemClock,
    onError: (fault) => log.error("state_fault", { doing: fault.doing, lost: fault.lost, cause: fault.cause }),
  });
  if (!state.ok) {
    approvals.value.close();
    await audit.value.close();
    return err(`what callers made at providers cannot be kept in ${data}: ${causeOf(state.error)}`);
  }
  const ledger = await openLedger(options.ledger ?? LEDGER_DEFAULTS, data, log);
  if (!ledger.ok) {
    approvals.value.close();
    await audit.value.close();
    await state.value.close();
    return ledger;
  }
  // The environment has the proxy settings.
  const keySets = openKeySets({ clock: systemClock, log, env: process.env });
  keySets.keep(generations.current.keySources);
  // So that the first calls find the keys of their tokens; an issuer that is down must not keep the rest from being served.
  await keySets.settled(KEYS_WAIT_MS);
  const capacity = new Capacity();
  const metrics = new Metrics();
  const exports = await openExports(options.env ?? {}, metrics, log);
  const prepared = (await options.beforeServing?.()) ?? ok(undefined);
  const grpc = prepared.ok
    ? await serveGrpc(
        options.socket,
        {
          clock: systemClock,
          audit: audit.value,
          snapshots: generations,
          findCodec,
          dialects: DIALECTS,
          newId: randomUUID,
          keySets,
          state: state.value,
          stores: { keyring: keyring.value, tokens: openGptTokens(), approvals: approvals.value, ledger: ledger.value.desk },
          overloaded: (current) => capacity.full(current),
          capacity,
          metrics,
          telemetry: exports?.port,
          log,
        },
        generations.current.limits.bodyBytesMax,
      )
    : prepared;
  if (!grpc.ok) {
    keySets.close();
    approvals.value.close();
    await audit.value.close();
    await state.value.close();
    await ledger.value.close();
    await exports?.close(0);
    return grpc;
  }
  const observation = observe({
    name: writerId,
    metrics,
    capacity,
    state: options.state,
    audit: () => audit.value.stats,
    kept: () => state.value.stats,
    keySets: () => keySets.status(),
    exports,
  });
  return ok({
    observation,
    recovered: audit.value.stats.recovered,
    draining: () => capacity.draining,
    swap: (next) => {
      const snapshot = compileSnapshot(next, STAGES);
      keySets.keep(snapshot.keySources);
      return generations.swap(snapshot);
    },
    found: (waitMs) => grpc.value.found(waitMs),
    stop: async (deadlineMs) => {
      await grpc.value.drain(deadlineMs);
      await grpc.value.close(deadlineMs);
      keySets.close();
      approvals.value.close();
      await ledger.value.close();
      await audit.value.close();
      await state.value.close();
      await observation.close();
    },
  });
}

const causeOf = ({ cause }: PortError): string => (cause instanceof Error ? cause.message : "unusable");

const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: "this user may not write there; change its owner or mode, or choose another folder with --data",
  EROFS: "it is read-only; choose another folder with --data",
  ENOSPC: "the disk is full; free some of it, or choose another folder with --data",
  EDQUOT: "this user's share of the disk is used up; free some of it, or choose another folder with --data",
  ENOTDIR: "a part of the path is no folder; choose another with --data",
  ENOENT: "no folder can be made there; choose another with --data",
  EEXIST: "it is no folder; choose another with --data",
};

/** Why records cannot be kept, and what to do, as one line. */
export function describeAudit(cause: unknown, data: string): string {
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "";
  const message = cause instanceof Error ? cause.message : String(cause);
  const busy = message.includes("in use by another process") ? "stop it, or give each process its own --name" : undefined;
  const remedy = busy ?? REMEDIES[code];
  return `records cannot be kept in ${data}: ${message}${remedy === undefined ? "" : `; ${remedy}`}`;
}
