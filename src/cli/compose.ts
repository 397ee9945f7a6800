import { randomUUID } from "node:crypto";
import { openJsonlAudit } from "../adapters/audit/jsonl.ts";
import { DIALECTS } from "../codecs/dialects.ts";
import { findCodec } from "../codecs/index.ts";
import { type LoadedPolicy, loadPolicy } from "../config/load.ts";
import { formatProblem, type PolicyProblem } from "../config/problems.ts";
import { compileSnapshot } from "../config/snapshot.ts";
import { AUDIT_PENDING_BYTES_MAX, MIB } from "../core/limits.ts";
import { err, ok, type Result } from "../core/result.ts";
import { systemClock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { serveAdmin } from "../server/admin.ts";
import { Capacity } from "../server/capacity.ts";
import { Generations } from "../server/generations.ts";
import { serveGrpc } from "../server/grpc.ts";
import { Metrics } from "../server/metrics.ts";
import { statusOf } from "../server/status.ts";
import { STAGES } from "../stages/index.ts";
import { type EnvoyAttachment, Keeper, type PolicyState } from "./keeper.ts";
import { observe } from "./observe.ts";

export interface SluiceOptions {
  /** Policy file or folder. */
  readonly policy: string;
  /** Unix socket for Envoy. */
  readonly socket: string;
  /** Folder for records and journals. */
  readonly data: string;
  /** Names this process's files. */
  readonly writerId: string;
  readonly admin: { readonly host: string; readonly port: number };
  /** A records file is rotated at this size. */
  readonly rotateBytes?: number;
  /** Envoy's watched files, which then follow the policy's providers. Absent: someone else renders them. */
  readonly envoy?: EnvoyAttachment;
  readonly log: Log;
}

export interface Sluice {
  readonly adminPort: number;
  /** The policy in force now. */
  readonly policy: () => PolicyState;
  /** Records that end `crashed`, made from what a previous process left open. */
  readonly recovered: number;
  /** No new exchange; running ones go on; then everything is written. `deadlineMs` bounds the wait for running ones. */
  stop(deadlineMs: number): Promise<void>;
}

/** Envoy's health check asks every second: after this it sends no new exchange to a drained process. */
const DRAIN_NOTICE_MS = 1_200;

/** Puts one process together: policy, evidence, gRPC, admin. An error is one clear line, or the problems of the policy. */
export async function startSluice(options: SluiceOptions): Promise<Result<Sluice, string>> {
  const loaded = await loadPolicy(options.policy, STAGES);
  if (!loaded.ok) return err(describe(loaded.error));
  for (const warning of loaded.value.warnings) options.log.warn("policy_warning", { problem: formatProblem(warning) });
  const generations = new Generations(compileSnapshot(loaded.value, STAGES));
  const audit = await openJsonlAudit({
    dir: options.data,
    writerId: options.writerId,
    rotateBytes: options.rotateBytes ?? 256 * MIB,
    pendingBytesMax: AUDIT_PENDING_BYTES_MAX,
    clock: systemClock,
    onError: (fault) => options.log.error("audit_fault", { doing: fault.doing, lost: fault.lost, cause: fault.cause }),
  });
  if (!audit.ok) return err(`records cannot be kept in ${options.data}: ${messageOf(audit.error.cause)}`);
  const capacity = new Capacity();
  const metrics = new Metrics();
  const grpc = await serveGrpc(
    options.socket,
    {
      clock: systemClock,
      audit: audit.value,
      snapshots: generations,
      findCodec,
      dialects: DIALECTS,
      newId: randomUUID,
      overloaded: (current) => capacity.full(current),
      capacity,
      metrics,
      log: options.log,
    },
    generations.current.limits.bodyBytesMax,
  );
  if (!grpc.ok) {
    await audit.value.close();
    return grpc;
  }
  const keeper = new Keeper({
    path: options.policy,
    first: loaded.value,
    envoy: options.envoy,
    log: options.log,
    swap: (next) => generations.swap(next),
  });
  const observation = observe({
    name: options.writerId,
    metrics,
    capacity,
    state: () => keeper.state,
    audit: () => audit.value.stats,
    telemetry: undefined,
  });
  const admin = await serveAdmin(options.admin, {
    ready: () => !capacity.draining,
    policy: () => effectivePolicy(keeper.state.loaded),
    metrics: (format) => metrics.text(format),
    status: () => statusOf(observation.sources),
  });
  const watching = admin.ok ? await keeper.start() : admin;
  if (!admin.ok || !watching.ok) {
    if (admin.ok) await admin.value.close();
    await observation.close();
    await grpc.value.close(0);
    await audit.value.close();
    return err(watching.ok ? "not started" : watching.error);
  }
  return ok({
    adminPort: admin.value.port,
    policy: () => keeper.state,
    recovered: audit.value.stats.recovered,
    stop: async (deadlineMs) => {
      await keeper.stop();
      grpc.value.drain();
      await new Promise((resolve) => setTimeout(resolve, Math.min(DRAIN_NOTICE_MS, deadlineMs)));
      await grpc.value.close(deadlineMs);
      await admin.value.close();
      await audit.value.close();
      await observation.close();
    },
  });
}

/** The document in force; it names secrets' places and keys' hashes only, and the hashes are left out too. */
function effectivePolicy(loaded: LoadedPolicy): unknown {
  const document: unknown = JSON.parse(JSON.stringify(loaded.document, (key, value: unknown) => (key === "sha256" ? undefined : value)));
  return { name: loaded.name, version: loaded.version, hash: loaded.hash, files: loaded.files, document };
}

const describe = (problems: readonly PolicyProblem[]): string => problems.map(formatProblem).join("\n");
const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
