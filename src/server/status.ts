import type { AuditStats } from "../ports/audit.ts";
import type { KeySetStatus } from "../ports/key-sets.ts";
import type { StateStats } from "../ports/state.ts";
import type { NumberPoint, TelemetryStats } from "../ports/telemetry.ts";
import type { Capacity } from "./capacity.ts";
import { METRICS } from "./metrics/definitions.ts";
import type { Watched } from "./metrics.ts";

/** The policy in force, and how its last edit fared. */
export interface PolicyStatus {
  readonly name: string;
  readonly version: string;
  /** SHA-256 of the files, lower-case hex. */
  readonly hash: string;
  readonly loadedAtMs: number;
  /** Edits taken over, and refused, since the start. */
  readonly reloads: number;
  readonly rejected: number;
  /** Why the last edit was not taken over, one problem a line; undefined when it was. */
  readonly lastError: string | undefined;
}

/** What `GET /status` says of one process: all of it safe to show. */
export interface StatusView {
  readonly name: string;
  readonly pid: number;
  readonly version: string;
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  readonly ready: boolean;
  readonly draining: boolean;
  readonly policy: { readonly name: string; readonly version: string; readonly hash: string; readonly loadedAt: string } & {
    readonly reloads: number;
    readonly rejected: number;
    readonly lastError?: string;
  };
  readonly inFlight: number;
  readonly heldBytes: number;
  readonly audit: AuditStats;
  /** Absent where no collector is configured. */
  readonly telemetry?: TelemetryStats;
  /** The processes that serve, where this one only watches over them and speaks for all. */
  readonly workers?: readonly WorkerStatus[];
}

/** One of several processes, as the one that watches over them sees it. */
export interface WorkerStatus {
  /** From 0. */
  readonly worker: number;
  /** `waiting`: it ended, and is started again at `nextStartAt`. */
  readonly state: "starting" | "serving" | "draining" | "waiting" | "stopped";
  readonly pid?: number;
  /** Processes that this place has had before. */
  readonly restarts: number;
  /** Why it does not serve, or why the process before ended. */
  readonly problem?: string;
  readonly nextStartAt?: string;
  /** What it says of itself. */
  readonly status?: StatusView;
}

export interface StatusSources {
  readonly name: string;
  /** Of the package. */
  readonly version: string;
  readonly startedWallMs: number;
  readonly policy: () => PolicyStatus;
  readonly capacity: Capacity;
  readonly audit: () => AuditStats;
  /** What is known of things kept at providers. */
  readonly kept: () => StateStats;
  readonly keySets: () => readonly KeySetStatus[];
  readonly telemetry: (() => TelemetryStats) | undefined;
}

const LAST_ERROR_CHARS_MAX = 4_000;

export function statusOf(sources: StatusSources): StatusView {
  const { capacity } = sources;
  const { loadedAtMs, lastError, ...policy } = sources.policy();
  const { written, dropped, pendingBytes, recovered, failing } = sources.audit();
  return {
    name: sources.name,
    pid: process.pid,
    version: sources.version,
    startedAt: new Date(sources.startedWallMs).toISOString(),
    uptimeSeconds: Math.round(process.uptime()),
    ready: !capacity.draining,
    draining: capacity.draining,
    policy: {
      ...policy,
      loadedAt: new Date(loadedAtMs).toISOString(),
      ...(lastError === undefined ? {} : { lastError: lastError.slice(0, LAST_ERROR_CHARS_MAX) }),
    },
    inFlight: capacity.exchanges,
    heldBytes: capacity.bytes,
    audit: { written, dropped, pendingBytes, recovered, failing },
    ...(sources.telemetry === undefined ? {} : { telemetry: { ...sources.telemetry() } }),
  };
}

/** The same figures as metrics. */
export function watchedStatus({ capacity, audit, policy, kept, keySets, telemetry }: StatusSources): readonly Watched[] {
  const flag = (set: boolean): number => (set ? 1 : 0);
  const spans: readonly Watched[] =
    telemetry === undefined
      ? []
      : [
          { metric: METRICS.spansExported, read: () => telemetry().exported },
          { metric: METRICS.spansDropped, read: () => telemetry().dropped },
          { metric: METRICS.spansFailed, read: () => telemetry().failed },
          { metric: METRICS.spansQueued, read: () => telemetry().queued },
          { metric: METRICS.telemetryFailing, read: () => flag(telemetry().failing) },
        ];
  return [
    { metric: METRICS.ready, read: () => flag(!capacity.draining) },
    { metric: METRICS.inFlight, read: () => capacity.exchanges },
    { metric: METRICS.heldBytes, read: () => capacity.bytes },
    { metric: METRICS.recordsWritten, read: () => audit().written },
    { metric: METRICS.recordsDropped, read: () => audit().dropped },
    { metric: METRICS.recordsPending, read: () => audit().pendingBytes },
    { metric: METRICS.recordsFailing, read: () => flag(audit().failing) },
    { metric: METRICS.recordsRecovered, read: () => audit().recovered },
    { metric: METRICS.statePending, read: () => kept().pending },
    { metric: METRICS.stateLost, read: () => kept().lost },
    {
      metric: METRICS.keySetKeys,
      read: () => worstByName(keySets(), ({ keys }) => -keys).map(({ labels, value }) => ({ labels, value: 0 - value })),
    },
    { metric: METRICS.keySetAge, read: () => worstByName(keySets(), ({ ageMs }) => (ageMs === undefined ? undefined : ageMs / 1000)) },
    { metric: METRICS.keySetFailing, read: () => worstByName(keySets(), ({ failing }) => flag(failing !== undefined)) },
    {
      metric: METRICS.policyInfo,
      read: () => {
        const { name, version, hash } = policy();
        return [{ labels: { "sluice.policy.name": name, "sluice.policy.version": version, "sluice.policy.hash": hash }, value: 1 }];
      },
    },
    { metric: METRICS.policyLoaded, read: () => policy().loadedAtMs / 1000 },
    { metric: METRICS.policyReloads, read: () => policyReloads(policy()) },
    { metric: METRICS.policyFailing, read: () => flag(policy().lastError !== undefined) },
    ...spans,
  ];
}

const policyReloads = ({ reloads, rejected }: PolicyStatus) => [
  { labels: { "sluice.result": "taken" }, value: reloads },
  { labels: { "sluice.result": "rejected" }, value: rejected },
];

/** One point a name: several sources of one host share theirs, and the highest value counts. */
function worstByName(sets: readonly KeySetStatus[], read: (set: KeySetStatus) => number | undefined): NumberPoint[] {
  const worst = new Map<string, number>();
  for (const set of sets) {
    const value = read(set);
    if (value !== undefined) worst.set(set.name, Math.max(value, worst.get(set.name) ?? value));
  }
  return [...worst].map(([name, value]) => ({ labels: { "sluice.key_set": name }, value }));
}
