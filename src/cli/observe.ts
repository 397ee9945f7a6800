import { readFileSync } from "node:fs";
import type { OpenTelemetry } from "../adapters/otel/open.ts";
import { type Environment, readTelemetrySettings } from "../adapters/otel/settings.ts";
import type { Log } from "../ports/log.ts";
import { RuntimeMetrics } from "../server/metrics/runtime.ts";
import type { Metrics } from "../server/metrics.ts";
import { type StatusSources, watchedStatus } from "../server/status.ts";
import type { PolicyState } from "./keeper.ts";

/** Longest wait for the collector when the process stops, milliseconds. */
const EXPORT_CLOSE_MS = 3_000;

/** This package's version. */
export function packageVersion(): string {
  const found: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return typeof found === "object" && found !== null && "version" in found ? String(found.version) : "unknown";
}

/** Telemetry as the environment asks for it; undefined when it asks for none. The SDK is loaded only then: it takes half a second. */
export async function openExports(env: Environment, metrics: Metrics, log: Log): Promise<OpenTelemetry | undefined> {
  const { settings, warnings } = readTelemetrySettings(env);
  for (const problem of warnings) log.warn("telemetry_setting", { problem });
  if (settings === undefined) return undefined;
  const { openTelemetry } = await import("../adapters/otel/open.ts");
  return openTelemetry({ settings, source: metrics, version: packageVersion(), log });
}

/** Joins what keeps figures to what shows them. */
export interface Observation {
  readonly metrics: Metrics;
  readonly sources: StatusSources;
  close(): Promise<void>;
}

export function observe(
  given: Pick<StatusSources, "name" | "capacity" | "audit" | "kept" | "keySets"> & {
    readonly metrics: Metrics;
    readonly state: () => PolicyState;
    readonly exports: OpenTelemetry | undefined;
  },
): Observation {
  const { metrics, state, exports, ...rest } = given;
  const port = exports?.port;
  const sources: StatusSources = {
    ...rest,
    version: packageVersion(),
    startedWallMs: metrics.startedWallMs,
    policy: () => {
      const { loaded, loadedAtMs, reloads, rejected, lastError } = state();
      return { name: loaded.name, version: loaded.version, hash: loaded.hash, loadedAtMs, reloads, rejected, lastError };
    },
    telemetry: port === undefined ? undefined : () => port.stats,
  };
  const runtime = new RuntimeMetrics();
  metrics.watch(...watchedStatus(sources), ...runtime.watched());
  return {
    metrics,
    sources,
    close: async () => {
      await exports?.close(EXPORT_CLOSE_MS);
      runtime.close();
    },
  };
}
