import { readFileSync } from "node:fs";
import { RuntimeMetrics } from "../server/metrics/runtime.ts";
import type { Metrics } from "../server/metrics.ts";
import type { StatusSources } from "../server/status.ts";
import { watchedStatus } from "../server/status.ts";
import type { PolicyState } from "./keeper.ts";

/** This package's version. */
export function packageVersion(): string {
  const found: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return typeof found === "object" && found !== null && "version" in found ? String(found.version) : "unknown";
}

/** Metrics with the figures of this process in them. */
export interface Observation {
  readonly metrics: Metrics;
  readonly sources: StatusSources;
  close(): Promise<void>;
}

/** Joins what keeps figures to what shows them. */
export function observe(
  given: Omit<StatusSources, "version" | "startedWallMs" | "policy"> & { readonly metrics: Metrics; readonly state: () => PolicyState },
): Observation {
  const { metrics, state, ...rest } = given;
  const sources: StatusSources = {
    ...rest,
    version: packageVersion(),
    startedWallMs: metrics.startedWallMs,
    policy: () => {
      const { loaded, loadedAtMs, reloads, rejected, lastError } = state();
      return { name: loaded.name, version: loaded.version, hash: loaded.hash, loadedAtMs, reloads, rejected, lastError };
    },
  };
  const runtime = new RuntimeMetrics();
  metrics.watch(...watchedStatus(sources), ...runtime.watched());
  return {
    metrics,
    sources,
    close: async () => runtime.close(),
  };
}
