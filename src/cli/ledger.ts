import { stat } from "node:fs/promises";
import { join } from "node:path";
import { LocalAllowance } from "../adapters/redis/allowance.ts";
import { openRedisLedger } from "../adapters/redis/ledger.ts";
import { LEDGER_FILE, openSqliteLedger } from "../adapters/sqlite/ledger.ts";
import { err, ok, type Result } from "../core/result.ts";
import { systemClock } from "../ports/clock.ts";
import type { LedgerPort } from "../ports/ledger.ts";
import type { Log } from "../ports/log.ts";
import { Desk } from "../server/ledger-desk.ts";
import { METRICS } from "../server/metrics/definitions.ts";
import type { Watched } from "../server/metrics.ts";
import type { LedgerSettings } from "./ledger-settings.ts";

/** The ledger of a process, and the desk where its stages claim. */
export interface OpenLedger {
  readonly ledger: LedgerPort;
  readonly desk: Desk;
  close(): Promise<void>;
}

/** Figures of store and desk. */
export function watchedLedger({ ledger, desk }: Pick<OpenLedger, "ledger" | "desk">): readonly Watched[] {
  return [
    { metric: METRICS.ledgerFailing, read: () => (ledger.stats.up ? 0 : 1) },
    { metric: METRICS.ledgerQueued, read: () => ledger.stats.queued },
    { metric: METRICS.ledgerLost, read: () => ledger.stats.lost },
    { metric: METRICS.ledgerLapsed, read: () => ledger.stats.lapsed },
    { metric: METRICS.ledgerClaims, read: () => desk.stats.open },
    { metric: METRICS.ledgerAllowed, read: () => desk.stats.allowed },
  ];
}

/** The store alone, for commands: one that a server has made. A new file would show everything as unspent. */
export async function openKept(settings: LedgerSettings, data: string, log: Log): Promise<Result<LedgerPort, string>> {
  if (settings.redis === undefined && (await isMissing(join(data, LEDGER_FILE))))
    return err(
      `there is no ${LEDGER_FILE} in ${data}: name the folder that is --data of sluice serve (make run has .run/records), or the store with --ledger; a server makes its ledger when it starts`,
    );
  return openStore(settings, data, log);
}
const isMissing = (path: string): Promise<boolean> =>
  stat(path).then(
    () => false,
    // Other faults are told better when it is opened.
    (cause: unknown) => cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ENOTDIR"),
  );

async function openStore(settings: LedgerSettings, data: string, log: Log): Promise<Result<LedgerPort, string>> {
  const { redis, keyPrefix, deadlineMs } = settings;
  if (redis !== undefined) {
    const onChange = ({ up, cause }: { readonly up: boolean; readonly cause: unknown }): void => {
      if (up) log.info("ledger_back", {});
      else log.error("ledger_lost", { cause });
    };
    return ok(await openRedisLedger({ connection: redis, keyPrefix, deadlineMs, onChange }));
  }
  const onError = ({ cause }: { readonly cause: unknown }): void => log.error("ledger_fault", { cause });
  const opened = await openSqliteLedger({ dir: data, clock: systemClock, deadlineMs, onError });
  if (opened.ok) return opened;
  const { cause } = opened.error;
  return err(`limits and budgets cannot be kept in ${data}: ${cause instanceof Error ? cause.message : "unusable"}`);
}

export async function openLedger(settings: LedgerSettings, data: string, log: Log): Promise<Result<OpenLedger, string>> {
  const store = await openStore(settings, data, log);
  if (!store.ok) return store;
  const ledger = store.value;
  const { allowancePercent: sharePercent, leaseMs } = settings;
  const allowance = new LocalAllowance({ ledger, sharePercent, wallMs: () => systemClock.wallMs() });
  const desk = new Desk({ ledger, allowance, clock: systemClock, leaseMs, log });
  return ok({
    ledger,
    desk,
    close: async () => {
      await desk.close();
      await ledger.close();
    },
  });
}
