import type { AuditEvent, ExchangeRecord, OpenEntry } from "../core/record.ts";
import type { Result } from "../core/result.ts";
import type { PortError } from "../core/stage.ts";

/** Where evidence goes. Batched; bounded by `AUDIT_PENDING_BYTES_MAX`; nothing is lost on `close`. */
export interface AuditPort {
  /**
   * Writes the open entry. Resolves when it is in the hands of the operating system (no fsync), so that a crash of this
   * process cannot lose it. An error means the disk is full, failing or too slow: the policy says refuse or drop.
   */
  open(entry: OpenEntry): Promise<Result<void, PortError>>;
  /** Takes a finished record; written in the background. False: it was dropped (the buffer is full) and counted. */
  record(record: ExchangeRecord): boolean;
  /** Takes an event, like a record. */
  event(event: AuditEvent): boolean;
  readonly stats: AuditStats;
  /** Everything taken so far is written and synced. */
  flush(): Promise<void>;
  close(): Promise<void>;
}
export interface AuditStats {
  readonly written: number;
  readonly dropped: number;
  readonly pendingBytes: number;
  /** Records that end `crashed`, made at start from a previous process's open entries. */
  readonly recovered: number;
  /** The last write failed; cleared by the next that works. */
  readonly failing: boolean;
}
