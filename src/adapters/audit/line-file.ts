import { write, writeSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";

/**
 * Appends bytes at the end of an open file. `fs.write` in earnest; tests put a full, slow or dying disk in its place.
 * A short count is legal: the rest is written next.
 */
export type WriteBytes = (
  fd: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  done: (error: NodeJS.ErrnoException | null, written: number) => void,
) => void;

/** A write that takes longer than this says that the disk, or the page cache above it, is slow. */
const SLOW_WRITE_MS = 10;
/** How long writes then stay off the event loop. */
const SLOW_FOR_MS = 30_000;

/**
 * Writes on the spot, because a few hundred bytes into the page cache take some 5 us, and handing them to a thread and back
 * 30 to 60 us of CPU. Once a write was slow, the following ones go to a thread, so that a bad disk costs the event loop one
 * hiccup in `SLOW_FOR_MS`, not one a batch.
 */
export function makeWriteBytes(now: () => number = () => performance.now()): WriteBytes {
  let slowUntilMs = Number.NEGATIVE_INFINITY;
  return (fd, bytes, offset, length, done) => {
    const began = now();
    if (began < slowUntilMs) return write(fd, bytes, offset, length, null, done);
    let written: number;
    try {
      written = writeSync(fd, bytes, offset, length);
    } catch (cause) {
      return done(cause instanceof Error ? cause : new Error("the write failed"), 0);
    }
    const ended = now();
    if (ended - began > SLOW_WRITE_MS) slowUntilMs = ended + SLOW_FOR_MS;
    done(null, written);
  };
}

/** One write never carries more than this, so that a backlog is not copied in one piece. */
const BATCH_BYTES_MAX = 1024 * 1024;
const RETRY_FIRST_MS = 50;
const RETRY_LONGEST_MS = 2_000;

/** A line without its newline; one whose text was taken back before its write began is skipped. */
export interface Line {
  readonly text: string | undefined;
}

/** A file open for appending, and the bytes it holds. */
export interface OpenedFile {
  readonly file: FileHandle;
  readonly size: number;
}

interface LineFileOptions<L extends Line> {
  readonly start: OpenedFile;
  readonly write: WriteBytes;
  /**
   * What a failing write does to its lines. `keep`: they stay and are tried again, with growing pauses, until they are
   * written. `fail`: they are given up and told so, and the file takes no new line until the pause is over.
   */
  readonly onFailure: "keep" | "fail";
  /**
   * A write begins at the end of the event loop's turn, but not sooner than this after the one before: at load, lines must
   * share one.
   */
  readonly spacingMs: number;
  /** A batch was taken: lines appended from now on go into the next one. */
  begun?(): void;
  /** Called once for each batch, in order. */
  settled(lines: readonly L[], error: Error | undefined): void;
  /** The first failure of a run of failures. */
  failed(error: Error): void;
  /** Runs between two writes, when no write is under way: rotation, compaction. */
  afterBatch?(): Promise<void> | undefined;
}

/**
 * An append-only file of lines. Lines are joined into batches; at most one write is under way. A line is never mixed with
 * another: after a write that ended in the middle of one, the next starts on a line of its own.
 */
export class LineFile<L extends Line> {
  readonly #options: LineFileOptions<L>;
  #file: FileHandle;
  #size: number;
  #lines: L[] = [];
  #running = false;
  #failing = false;
  #stopped = false;
  /** The file ends inside a line that was given up. */
  #torn = false;
  #retryMs = RETRY_FIRST_MS;
  #blockedUntilMs = 0;
  #begunMs = Number.NEGATIVE_INFINITY;
  #wake: (() => void) | undefined;
  readonly #quiet: (() => void)[] = [];
  #taken = 0;
  #done = 0;
  #waiters: { readonly at: number; readonly resolve: () => void }[] = [];

  constructor(options: LineFileOptions<L>) {
    this.#options = options;
    this.#file = options.start.file;
    this.#size = options.start.size;
  }

  get size(): number {
    return this.#size;
  }
  get failing(): boolean {
    return this.#failing;
  }
  /** A `fail` file that pauses after a failed write: a line appended now would only fail too. */
  get blocked(): boolean {
    return this.#stopped || (this.#failing && performance.now() < this.#blockedUntilMs);
  }

  append(line: L): void {
    this.#lines.push(line);
    this.#taken += 1;
    this.kick();
  }

  /** Runs the queue and `afterBatch`, soon. */
  kick(): void {
    if (this.#running || (this.#stopped && this.#lines.length === 0)) return;
    this.#running = true;
    const run = (): void => void this.#run();
    const waitMs = this.#stopped ? 0 : this.#begunMs + this.#options.spacingMs - performance.now();
    if (waitMs > 0.5) setTimeout(run, waitMs);
    // Not the next tick, which would save a turn and make nearly every line a write of its own: some 40 us a call, measured.
    else setImmediate(run);
  }

  /** Resolves when every line taken so far is written (or given up). */
  idle(): Promise<void> {
    if (this.#done >= this.#taken) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ at: this.#taken, resolve }));
  }

  /** The file as it is now, for syncing and closing. */
  get file(): FileHandle {
    return this.#file;
  }

  /** Goes on in another file; only from `afterBatch`. Gives the old one. */
  replace(next: OpenedFile): FileHandle {
    const old = this.#file;
    this.#file = next.file;
    this.#size = next.size;
    this.#torn = false;
    this.#failing = false;
    return old;
  }

  /** Tries no more; lines not yet written are given up. Resolves when no write and no `afterBatch` is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    if (this.#running) await new Promise<void>((resolve) => this.#quiet.push(resolve));
  }

  async #run(): Promise<void> {
    if (this.#lines.length > 0) await this.#writeBatch();
    const after = this.#stopped ? undefined : this.#options.afterBatch?.();
    if (after !== undefined) await after;
    this.#running = false;
    if (this.#lines.length > 0) this.kick();
    else for (const resolve of this.#quiet.splice(0)) resolve();
  }

  async #writeBatch(): Promise<void> {
    this.#begunMs = performance.now();
    const lines = this.#takeBatch();
    this.#options.begun?.();
    let text = this.#torn ? "\n" : "";
    for (const line of lines) if (line.text !== undefined) text += `${line.text}\n`;
    const bytes = Buffer.from(text, "utf8");
    let offset = 0;
    let error: Error | undefined = this.#stopped ? new Error("stopped") : undefined;
    while (error === undefined && offset < bytes.length) {
      const writing = this.#writeOnce(bytes, offset);
      const outcome = writing instanceof Promise ? await writing : writing;
      if (typeof outcome === "number") {
        offset += outcome;
        continue;
      }
      this.#fail(outcome);
      if (this.#options.onFailure === "fail") error = outcome;
      else {
        await this.#pause();
        if (this.#stopped) error = outcome;
      }
    }
    if (error === undefined) {
      this.#failing = false;
      this.#torn = false;
      this.#retryMs = RETRY_FIRST_MS;
    } else if (offset > 0) this.#torn = true;
    this.#done += lines.length;
    this.#options.settled(lines, error);
    this.#release();
  }

  #takeBatch(): readonly L[] {
    let units = 0;
    let count = 0;
    for (const { text } of this.#lines) {
      units += text?.length ?? 0;
      if (count > 0 && units > BATCH_BYTES_MAX) return this.#lines.splice(0, count);
      count += 1;
    }
    const all = this.#lines;
    this.#lines = [];
    return all;
  }

  /** Bytes written, or why none were; at once where the write was. A count of 0 is a full disk by another name. */
  #writeOnce(bytes: Uint8Array, offset: number): number | Error | Promise<number | Error> {
    let outcome: number | Error | undefined;
    let resolve: ((outcome: number | Error) => void) | undefined;
    this.#options.write(this.#file.fd, bytes, offset, bytes.length - offset, (error, written) => {
      if (error === null) this.#size += written;
      outcome = error ?? (written === 0 ? new Error("no byte was written") : written);
      resolve?.(outcome);
    });
    return (
      outcome ??
      new Promise((done) => {
        resolve = done;
      })
    );
  }

  #fail(error: Error): void {
    if (!this.#failing) this.#options.failed(error);
    this.#failing = true;
    this.#blockedUntilMs = performance.now() + this.#retryMs;
  }

  async #pause(): Promise<void> {
    const ms = this.#retryMs;
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_LONGEST_MS);
    if (this.#stopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  #release(): void {
    if (this.#waiters.length === 0) return;
    const [due, later] = [this.#waiters.filter((w) => w.at <= this.#done), this.#waiters.filter((w) => w.at > this.#done)];
    this.#waiters = later;
    for (const waiter of due) waiter.resolve();
  }
}
