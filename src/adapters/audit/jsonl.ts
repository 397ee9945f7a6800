/**
 * Evidence as JSON Lines files.
 *
 * Records go to `records-<writer>.jsonl`, rotated by size. Before an exchange leaves, its open entry goes to the journal
 * `open-<writer>.jsonl`; the entry's end is its record, so nothing is written twice. At a start, entries of dead writers
 * that have no record become records that end `crashed`.
 *
 * Writes are batched: what came in one turn of the event loop or, at load, in a few milliseconds. An open entry counts
 * when the operating system has it, so a crash of the process loses none; a power cut may lose the last moments, for
 * nothing is synced until `flush`. A crash may lose the last few milliseconds of records: those of exchanges that left
 * show as `crashed`, those of refusals are gone.
 *
 * The journal starts anew when the records rotate and when it has grown: entries still open are carried over.
 */
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MIB } from "../../core/limits.ts";
import type { AuditEvent, ExchangeRecord, OpenEntry } from "../../core/record.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { PortError } from "../../core/stage.ts";
import type { AuditPort, AuditStats } from "../../ports/audit.ts";
import type { Clock } from "../../ports/clock.ts";
import { LineFile, makeWriteBytes, type OpenedFile, type WriteBytes } from "./line-file.ts";
import { type AcquireLock, acquireLock, type WriterLock } from "./lock.ts";
import { isWriterId, journalName, journalWriters, lockName, recordsName, rotatedName, rotatedStamps, stampOf, wallMsOf } from "./names.ts";
import { OpenBatch, type OpenResult } from "./open-batch.ts";
import { openAppend, recoverWriter, repairTail, startJournal } from "./recover.ts";

/** What went wrong with the files, for the log. Never content. */
export interface AuditFault {
  readonly doing: "write_records" | "write_open" | "rotate" | "compact" | "recover" | "flush";
  readonly cause: unknown;
  /** `flush` only: records given up at `close` because the disk did not take them. */
  readonly lost?: number;
}

export interface JsonlAuditOptions {
  readonly dir: string;
  /** Names this writer's files: letters, digits, `.`, `_`, `-`. No two processes may share one. */
  readonly writerId: string;
  /** The records file is rotated once it is at least this large. */
  readonly rotateBytes: number;
  /** Rotated files kept; undefined: all. */
  readonly rotateKeep?: number | undefined;
  /** Bytes that may wait for the disk. The last quarter is kept for records of exchanges that left. */
  readonly pendingBytesMax: number;
  readonly clock: Clock;
  onError(fault: AuditFault): void;
  /** Longest wait of `open` for the disk. */
  readonly openWaitMsMax?: number;
  /** Longest wait of `flush` and `close` for the disk. */
  readonly flushWaitMsMax?: number;
  /** Longest wait for the writer's name at the start. */
  readonly lockWaitMsMax?: number;
  /** Least time between the beginnings of two writes of records, and of open entries. */
  readonly recordSpacingMs?: number;
  readonly openSpacingMs?: number;
  /** The journal starts anew past this size. */
  readonly journalBytesMax?: number;
  /** For tests: another disk. */
  readonly write?: WriteBytes;
  readonly lock?: AcquireLock;
}

const OPEN_WAIT_MS_MAX = 1_000;
const FLUSH_WAIT_MS_MAX = 10_000;
const RECORD_SPACING_MS = 5;
const OPEN_SPACING_MS = 0;
const JOURNAL_BYTES_MAX = 8 * MIB;
/** A start waits this long for its name: a neighbour may just be recovering it, or the process before be closing. */
const LOCK_WAIT_MS_MAX = 3_000;
const LOCK_STEP_MS = 50;
/** `close` waits this long for a write under way after it gave up on the rest. */
const STOP_WAIT_MS = 200;
/** Part of the buffer that open entries and records of exchanges that never left may fill. */
const UNOWED_SHARE = 0.75;

/** Opens the files of one writer, after what it and other dead writers left open was recovered. */
export async function openJsonlAudit(options: JsonlAuditOptions): Promise<Result<AuditPort, PortError>> {
  if (!isWriterId(options.writerId)) return err({ code: "unavailable", cause: new Error("not a name for a writer of audit files") });
  const acquire = options.lock ?? acquireLock;
  let lock: WriterLock | undefined;
  try {
    await mkdir(options.dir, { recursive: true, mode: 0o700 });
    lock = await waitForLock(acquire, options);
    if (lock === undefined)
      return err({
        code: "unavailable",
        cause: new Error(
          `audit writer ${options.writerId} is in use by another process (${join(options.dir, lockName(options.writerId))})`,
        ),
      });
    const recovered = (await recoverWriter(options.dir, options.writerId)) + (await recoverOthers(acquire, options));
    return ok(new JsonlAudit(options, lock, recovered, await openFiles(options)));
  } catch (cause) {
    lock?.release();
    return err({ code: "unavailable", cause });
  }
}

async function waitForLock(acquire: AcquireLock, options: JsonlAuditOptions): Promise<WriterLock | undefined> {
  for (let waited = 0; ; waited += LOCK_STEP_MS) {
    const lock = acquire(options.dir, options.writerId);
    if (lock !== undefined || waited >= (options.lockWaitMsMax ?? LOCK_WAIT_MS_MAX)) return lock;
    await sleep(LOCK_STEP_MS);
  }
}

/** Entries of other writers whose process is gone. One that cannot be read is reported and left for the next start. */
async function recoverOthers(acquire: AcquireLock, options: JsonlAuditOptions): Promise<number> {
  let recovered = 0;
  for (const writerId of journalWriters(await readdir(options.dir))) {
    if (writerId === options.writerId) continue;
    const lock = acquire(options.dir, writerId);
    if (lock === undefined) continue;
    try {
      recovered += await recoverWriter(options.dir, writerId);
    } catch (cause) {
      options.onError({ doing: "recover", cause });
    } finally {
      lock.release();
    }
  }
  return recovered;
}

interface StartFiles {
  readonly records: OpenedFile;
  readonly journal: OpenedFile;
  /** Newest stamp in use. */
  readonly stampMs: number;
}

async function openFiles(options: JsonlAuditOptions): Promise<StartFiles> {
  const { dir, writerId, clock } = options;
  const newest = rotatedStamps(await readdir(dir), writerId).at(-1);
  const stampMs = Math.max(clock.wallMs(), newest === undefined ? 0 : wallMsOf(newest) + 1);
  const file = await openAppend(join(dir, recordsName(writerId)));
  try {
    const records = { file, size: await repairTail(file) };
    return { records, journal: await startJournal(dir, writerId, stampOf(stampMs), []), stampMs };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** An exchange that leaves, until its record is written. */
interface OpenLine {
  readonly id: string;
  readonly bytes: number;
  readonly batch: OpenBatch;
  /** Taken back when the record came before the entry was written. */
  text: string | undefined;
  written: boolean;
}
interface RecordLine {
  readonly id: string;
  readonly bytes: number;
  readonly text: string;
}

class JsonlAudit implements AuditPort {
  readonly #options: JsonlAuditOptions;
  readonly #lock: WriterLock;
  readonly #recovered: number;
  readonly #records: LineFile<RecordLine>;
  readonly #journal: LineFile<OpenLine>;
  readonly #open = new Map<string, OpenLine>();
  /** What open entries join now; undefined when the write of the last one has begun. */
  #batch: OpenBatch | undefined;
  #pendingBytes = 0;
  #written = 0;
  #dropped = 0;
  #closed = false;
  #compactDue = false;
  #journalBytesMax: number;
  #stampMs: number;
  #rotateAtBytes: number;
  #closing: Promise<void> | undefined;

  constructor(options: JsonlAuditOptions, lock: WriterLock, recovered: number, files: StartFiles) {
    this.#options = options;
    this.#lock = lock;
    this.#recovered = recovered;
    this.#stampMs = files.stampMs;
    this.#rotateAtBytes = options.rotateBytes;
    this.#journalBytesMax = options.journalBytesMax ?? JOURNAL_BYTES_MAX;
    const write = options.write ?? makeWriteBytes();
    this.#records = new LineFile<RecordLine>({
      start: files.records,
      write,
      onFailure: "keep",
      spacingMs: options.recordSpacingMs ?? RECORD_SPACING_MS,
      settled: (lines, error) => this.#recordsSettled(lines, error),
      failed: (cause) => options.onError({ doing: "write_records", cause }),
      afterBatch: () => (this.#records.size >= this.#rotateAtBytes ? this.#rotate() : undefined),
    });
    this.#journal = new LineFile<OpenLine>({
      start: files.journal,
      write,
      onFailure: "fail",
      spacingMs: options.openSpacingMs ?? OPEN_SPACING_MS,
      begun: () => {
        this.#batch = undefined;
      },
      settled: (lines, error) => this.#opensSettled(lines, error),
      failed: (cause) => options.onError({ doing: "write_open", cause }),
      afterBatch: () => (this.#compactDue || this.#journal.size > this.#journalBytesMax ? this.#compact() : undefined),
    });
  }

  get stats(): AuditStats {
    return {
      written: this.#written,
      dropped: this.#dropped,
      pendingBytes: this.#pendingBytes,
      recovered: this.#recovered,
      failing: this.#records.failing || this.#journal.failing,
    };
  }

  open(entry: OpenEntry): Promise<OpenResult> {
    const text = JSON.stringify(entry);
    const bytes = Buffer.byteLength(text) + 1;
    if (this.#closed || this.#journal.blocked || !this.#fits(bytes, { owed: false })) {
      return Promise.resolve(err({ code: "unavailable" }));
    }
    this.#batch ??= new OpenBatch(this.#options.openWaitMsMax ?? OPEN_WAIT_MS_MAX);
    this.#batch.join();
    const line: OpenLine = { id: entry.id, bytes, batch: this.#batch, text, written: false };
    this.#open.set(entry.id, line);
    this.#pendingBytes += bytes;
    this.#journal.append(line);
    return line.batch.result;
  }

  record(record: ExchangeRecord): boolean {
    const text = JSON.stringify(record);
    const bytes = Buffer.byteLength(text) + 1;
    const opened = this.#open.get(record.id);
    if (this.#closed || !this.#fits(bytes, { owed: opened !== undefined })) {
      this.#dropped += 1;
      return false;
    }
    if (opened !== undefined && !opened.written) opened.text = undefined;
    this.#pendingBytes += bytes;
    this.#records.append({ id: record.id, bytes, text });
    return true;
  }

  event(event: AuditEvent): boolean {
    const text = JSON.stringify(event);
    const bytes = Buffer.byteLength(text) + 1;
    if (this.#closed || !this.#fits(bytes, { owed: true })) {
      this.#dropped += 1;
      return false;
    }
    this.#pendingBytes += bytes;
    this.#records.append({ id: event.id, bytes, text });
    return true;
  }

  async flush(): Promise<void> {
    const work = Promise.all([this.#records.idle(), this.#journal.idle()]).then(() =>
      Promise.all([this.#records.file.datasync(), this.#journal.file.datasync()]),
    );
    const outcome = await within(this.#options.flushWaitMsMax ?? FLUSH_WAIT_MS_MAX, work);
    if (!outcome.ok) this.#options.onError({ doing: "flush", cause: outcome.error });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#closed = true;
    await this.flush();
    const before = this.#dropped;
    const stopped = this.#records.stop().then(() => this.#journal.stop());
    const quiet = await within(STOP_WAIT_MS, stopped);
    if (!quiet.ok || this.#dropped > before) {
      this.#options.onError({ doing: "flush", cause: new Error("records were given up at the end"), lost: this.#dropped - before });
    }
    // A write that hangs in the kernel still uses its file: the rest is for when it comes back.
    if (quiet.ok) await this.#letGo();
    else void stopped.then(() => this.#letGo());
  }

  async #letGo(): Promise<void> {
    await Promise.all([this.#records.file.close(), this.#journal.file.close()]);
    if (this.#open.size === 0) await rm(join(this.#options.dir, journalName(this.#options.writerId)), { force: true });
    this.#lock.release();
  }

  #fits(bytes: number, { owed }: { readonly owed: boolean }): boolean {
    const max = this.#options.pendingBytesMax;
    return this.#pendingBytes + bytes <= (owed ? max : max * UNOWED_SHARE);
  }

  #recordsSettled(lines: readonly RecordLine[], error: Error | undefined): void {
    for (const line of lines) {
      this.#pendingBytes -= line.bytes;
      if (error === undefined) this.#open.delete(line.id);
    }
    if (error === undefined) this.#written += lines.length;
    else this.#dropped += lines.length;
    if (error === undefined && this.#journal.failing) this.#compactSoon();
  }

  #opensSettled(lines: readonly OpenLine[], error: Error | undefined): void {
    for (const line of lines) {
      this.#pendingBytes -= line.bytes;
      if (error === undefined) line.written = line.text !== undefined;
      else if (this.#open.get(line.id) === line) this.#open.delete(line.id);
      line.batch.settleOne(error);
    }
  }

  #nextStamp(): string {
    this.#stampMs = Math.max(this.#options.clock.wallMs(), this.#stampMs + 1);
    return stampOf(this.#stampMs);
  }

  /** A journal anew also heals one whose last write failed, as soon as the disk takes records again. */
  #compactSoon(): void {
    this.#compactDue = true;
    this.#journal.kick();
  }

  /** Between two writes of records. When it fails, the file grows on and rotation is tried again later. */
  async #rotate(): Promise<void> {
    const { dir, writerId, rotateBytes } = this.#options;
    const current = join(dir, recordsName(writerId));
    try {
      await rename(current, join(dir, rotatedName(writerId, this.#nextStamp()))).catch(ignoreMissing);
      const old = this.#records.replace({ file: await openAppend(current), size: 0 });
      this.#rotateAtBytes = rotateBytes;
      this.#compactSoon();
      await old.datasync().finally(() => old.close());
    } catch (cause) {
      this.#rotateAtBytes = this.#records.size + rotateBytes;
      this.#options.onError({ doing: "rotate", cause });
    }
  }

  /**
   * Between two writes of the journal. The stamp is taken before the entries: a record written later stands in a file
   * that is rotated later, so the new journal's reader finds it.
   */
  async #compact(): Promise<void> {
    const { dir, writerId } = this.#options;
    const least = this.#options.journalBytesMax ?? JOURNAL_BYTES_MAX;
    this.#compactDue = false;
    try {
      const began = this.#nextStamp();
      const lines = [...this.#open.values()].flatMap((line) => (line.written && line.text !== undefined ? [line.text] : []));
      const next = await startJournal(dir, writerId, began, lines);
      await this.#journal.replace(next).close();
      this.#journalBytesMax = least + 2 * next.size;
      await this.#prune();
    } catch (cause) {
      this.#journalBytesMax = this.#journal.size + least;
      this.#options.onError({ doing: "compact", cause });
    }
  }

  /** Only after the journal began anew: no record that it needs is removed. */
  async #prune(): Promise<void> {
    const { dir, writerId, rotateKeep } = this.#options;
    if (rotateKeep === undefined) return;
    const stamps = rotatedStamps(await readdir(dir), writerId);
    for (const stamp of stamps.slice(0, Math.max(0, stamps.length - rotateKeep)))
      await rm(join(dir, rotatedName(writerId, stamp)), { force: true });
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
}

async function within(ms: number, work: Promise<unknown>): Promise<Result<void, unknown>> {
  const abort = new AbortController();
  const limit = sleep(ms, err(new Error(`not done within ${ms} ms`)), { signal: abort.signal }).catch(() => ok(undefined));
  const done = work.then(
    () => ok(undefined),
    (cause: unknown) => err(cause),
  );
  const outcome = await Promise.race([done, limit]);
  abort.abort();
  return outcome;
}
