import { randomUUIDv7 } from "node:crypto";
import { openKeySets } from "../adapters/jwks/store.ts";
import { DIALECTS } from "../codecs/dialects.ts";
import { findCodec } from "../codecs/index.ts";
import type { LoadedPolicy } from "../config/load.ts";
import { makeFolder } from "../config/make-folder.ts";
import { compileSnapshot } from "../config/snapshot.ts";
import { MIB } from "../core/limits.ts";
import { err, ok, type Result } from "../core/result.ts";
import { encodingsOf } from "../core/tokens/families.ts";
import { systemClock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { Capacity } from "../server/capacity.ts";
import { Generations } from "../server/generations.ts";
import { serveGrpc } from "../server/grpc.ts";
import { Metrics } from "../server/metrics.ts";
import { STAGES } from "../stages/index.ts";
import type { PolicyState } from "./keeper.ts";
import { LEDGER_DEFAULTS, type LedgerSettings } from "./ledger-settings.ts";
import { type Observation, observe, openExports } from "./observe.ts";
import { describeAudit, openStores } from "./stores.ts";

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
  const stores = await openStores({
    ...{ data, writerId, log },
    rotateBytes: options.rotateBytes ?? 256 * MIB,
    ledger: options.ledger ?? LEDGER_DEFAULTS,
    env: options.env ?? {},
  });
  if (!stores.ok) return stores;
  const { audit, state } = stores.value;
  // Loading a tokenizer takes longer than anyone may wait for another's exchange.
  stores.value.stages.tokens?.prepare(encodingsOf(generations.current.catalog));
  stores.value.follow(options.loaded);
  // The environment has the proxy settings.
  const keySets = openKeySets({ clock: systemClock, log, env: process.env });
  keySets.keep(generations.current.keySources);
  // So that the first calls find the keys of their tokens; an issuer that is down must not keep the rest from being served.
  await keySets.settled(KEYS_WAIT_MS);
  const capacity = new Capacity();
  const metrics = new Metrics();
  metrics.watch(...stores.value.watched);
  const exports = await openExports(options.env ?? {}, metrics, log);
  const prepared = (await options.beforeServing?.()) ?? ok(undefined);
  const grpc = prepared.ok
    ? await serveGrpc(
        options.socket,
        {
          clock: systemClock,
          audit,
          snapshots: generations,
          findCodec,
          dialects: DIALECTS,
          // Ids that begin with the time stand side by side in the ledger's file: a commit writes few pages of it.
          newId: randomUUIDv7,
          keySets,
          state,
          stores: stores.value.stages,
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
    await stores.value.close();
    await exports?.close(0);
    return grpc;
  }
  const observation = observe({
    name: writerId,
    metrics,
    capacity,
    state: options.state,
    audit: () => audit.stats,
    kept: () => state.stats,
    keySets: () => keySets.status(),
    exports,
  });
  return ok({
    observation,
    recovered: audit.stats.recovered,
    draining: () => capacity.draining,
    swap: (next) => {
      const snapshot = compileSnapshot(next, STAGES);
      stores.value.stages.tokens?.prepare(encodingsOf(snapshot.catalog));
      keySets.keep(snapshot.keySources);
      const letGo = stores.value.follow(next);
      return generations.swap(snapshot).then(letGo);
    },
    found: (waitMs) => grpc.value.found(waitMs),
    stop: async (deadlineMs) => {
      await grpc.value.drain(deadlineMs);
      await grpc.value.close(deadlineMs);
      keySets.close();
      await stores.value.close();
      await observation.close();
    },
  });
}
