import { join } from "node:path";
import { openAnalysers } from "../adapters/analyser/open.ts";
import { openJsonlAudit } from "../adapters/audit/jsonl.ts";
import { openClassifier } from "../adapters/classifier/open.ts";
import { RemoteFigures } from "../adapters/http/remote-figures.ts";
import { openFileKeyring } from "../adapters/keyring/file.ts";
import { openSqliteApprovals } from "../adapters/sqlite/approvals.ts";
import { openSqliteState } from "../adapters/sqlite/state.ts";
import { openGptTokens } from "../adapters/tokens/gpt.ts";
import type { LoadedPolicy } from "../config/load.ts";
import { compileRemotes } from "../config/remotes.ts";
import { AUDIT_PENDING_BYTES_MAX } from "../core/limits.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { PortError, StageStores } from "../core/stage.ts";
import type { AuditPort } from "../ports/audit.ts";
import { systemClock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { StatePort } from "../ports/state.ts";
import { METRICS } from "../server/metrics/definitions.ts";
import type { Watched } from "../server/metrics.ts";
import { approvalEvent } from "./approval-event.ts";
import { openLedger, watchedLedger } from "./ledger.ts";
import type { LedgerSettings } from "./ledger-settings.ts";

export interface StoresOptions {
  /** Folder for records, journals and what is kept beside them. Made before. */
  readonly data: string;
  /** Names this process's files. */
  readonly writerId: string;
  /** A records file is rotated at this size. */
  readonly rotateBytes: number;
  readonly ledger: LedgerSettings;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}

/** All that one process keeps. */
export interface Stores {
  readonly audit: AuditPort;
  readonly state: StatePort;
  /** What stages may ask. */
  readonly stages: StageStores;
  /** Figures that they keep. */
  readonly watched: readonly Watched[];
  /** Services that the policy names are asked as it says from now on. Gives what lets go of those of the policy before, once it is over. */
  follow(policy: LoadedPolicy): () => void;
  /** Writes what waits, and lets go. */
  close(): Promise<void>;
}

/** The installation's secret: in the data folder, where no other place is named. */
export const keyFileOf = (data: string, env: Readonly<Record<string, string | undefined>>): string =>
  env["SLUICE_KEY_FILE"] ?? join(data, "sluice.key");

/** Opens all of them, or none; an error is one clear line. */
export async function openStores(options: StoresOptions): Promise<Result<Stores, string>> {
  const opened: (() => void | Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (let last = opened.pop(); last !== undefined; last = opened.pop()) await last();
  };
  const stores = await openEach(options, opened);
  if (!stores.ok) await close();
  return stores.ok ? ok({ ...stores.value, close }) : stores;
}

/** `opened`: how to close what is open, in the order in which it was opened. */
async function openEach(
  { data, writerId, rotateBytes, ledger: settings, env, log }: StoresOptions,
  opened: (() => void | Promise<void>)[],
): Promise<Result<Omit<Stores, "close">, string>> {
  const audit = await openJsonlAudit({
    dir: data,
    writerId,
    rotateBytes,
    pendingBytesMax: AUDIT_PENDING_BYTES_MAX,
    clock: systemClock,
    onError: (fault) => log.error("audit_fault", { doing: fault.doing, lost: fault.lost, cause: fault.cause }),
  });
  if (!audit.ok) return err(describeAudit(audit.error.cause, data));
  opened.push(() => audit.value.close());
  const keyring = await openFileKeyring(keyFileOf(data, env));
  if (!keyring.ok) return keyring;
  const approvals = await openSqliteApprovals({
    dir: data,
    clock: systemClock,
    keyring: keyring.value,
    onStep: (step) => void audit.value.event(approvalEvent(step)),
  });
  if (!approvals.ok) return err(`approvals cannot be kept in ${data}: ${causeOf(approvals.error)}`);
  opened.push(() => approvals.value.close());
  const state = await openSqliteState({
    dir: data,
    clock: systemClock,
    onError: (fault) => log.error("state_fault", { doing: fault.doing, lost: fault.lost, cause: fault.cause }),
  });
  if (!state.ok) return err(`what callers made at providers cannot be kept in ${data}: ${causeOf(state.error)}`);
  opened.push(() => state.value.close());
  const ledger = await openLedger(settings, data, log);
  if (!ledger.ok) return ledger;
  opened.push(() => ledger.value.close());
  // The environment has the proxy settings too.
  const remote = { clock: systemClock, log, env: { ...process.env, ...env }, figures: new RemoteFigures() };
  const analysers = openAnalysers(remote);
  const classifier = openClassifier(remote);
  opened.push(() => {
    analysers.close();
    classifier.close();
  });
  const stages = {
    ...{ keyring: keyring.value, tokens: openGptTokens(), approvals: approvals.value, ledger: ledger.value.desk },
    ...{ analysers, classifier },
  };
  const follow = ({ document, folder }: LoadedPolicy): (() => void) => {
    const remotes = compileRemotes(document, folder);
    classifier.keep(remotes.classifier);
    return analysers.keep(remotes.analysers);
  };
  return ok({
    audit: audit.value,
    state: state.value,
    stages,
    watched: [...watchedLedger(ledger.value), ...watchedRemotes(remote.figures)],
    follow,
  });
}

function watchedRemotes(figures: RemoteFigures): readonly Watched[] {
  const labels = (name: string) => ({ "sluice.remote": name });
  return [
    {
      metric: METRICS.remoteCalls,
      read: () =>
        figures.counts.map(({ name, outcome, count }) => ({ labels: { ...labels(name), "sluice.outcome": outcome }, value: count })),
    },
    {
      metric: METRICS.remoteFailing,
      read: () => figures.failing.map(({ name, failing }) => ({ labels: labels(name), value: failing ? 1 : 0 })),
    },
  ];
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
