import type { Ending, ExchangeRecord } from "../core/record.ts";
import { makeRecord, spanFacts } from "../pipeline/record.ts";
import { settleClaims } from "../pipeline/settle.ts";
import type { Work } from "../pipeline/work.ts";
import type { DriverDeps } from "./driver.ts";

/** The end of an exchange, once: usage and cost are fixed, claims settled, record, figures and span made. `digest`: of the answer. */
export function closeExchange(
  work: Work,
  deps: DriverDeps,
  { ending, digest, more }: { readonly ending: Ending; readonly digest: string | undefined; readonly more?: Partial<ExchangeRecord> },
): void {
  const { snapshots, metrics, telemetry, audit, log } = deps;
  snapshots.release(work.snapshot);
  const made = makeRecord(work, ending, digest, deps);
  const record = more === undefined ? made : { ...made, ...more };
  settleClaims(work, ending, (stage, cause) => log.error("settle_fault", { id: work.id, stage, cause }));
  metrics.observe(record, work.snapshot.catalog);
  if (work.trace !== undefined) telemetry?.end(record, work.trace, spanFacts(work));
  if (!audit.record(record)) log.warn("record_dropped", { id: work.id });
}
