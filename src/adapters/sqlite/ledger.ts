/**
 * The embedded ledger: one SQLite file (WAL) that the processes of a host share. What was answered survives `kill -9` of any of
 * them; a power cut may lose the last moments (no fsync on each commit).
 *
 * All steps of one turn of the event loop go into one transaction. Where another process holds the file, the turn is tried again
 * a little later: nothing blocks, and a step that waited `deadlineMs` is given up, not done. Settles and releases are kept and
 * tried until they work. Limits of one host only: processes on other hosts need the Redis ledger.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { LEDGER_QUEUED_MAX } from "../../core/limits.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { PortError } from "../../core/stage.ts";
import type { Clock } from "../../ports/clock.ts";
import type {
  Claimant,
  EnterRequest,
  HoldAnswer,
  HoldRequest,
  LedgerAdmin,
  LedgerError,
  LedgerPort,
  LedgerStats,
  RenewAnswer,
  RenewRequest,
  SettleAnswer,
  SettleRequest,
  StepAnswer,
} from "../../ports/ledger.ts";
import {
  claimantProblem,
  enterProblem,
  holdProblem,
  keyProblem,
  LaterQueue,
  pageProblem,
  renewProblem,
  settleProblem,
  windowProblem,
} from "../../ports/ledger-terms.ts";
import { openDatabase } from "./database.ts";
import { LedgerAdminBooks } from "./ledger-admin.ts";
import { LedgerBooks } from "./ledger-books.ts";
import { SCHEMA, UPGRADES } from "./ledger-schema.ts";

export interface SqliteLedgerOptions {
  /** Folder of `ledger.db`; made where it is not there. */
  readonly dir: string;
  /** The store's clock is that of the host. */
  readonly clock: Clock;
  /** Longest that a step waits for the file, milliseconds. */
  readonly deadlineMs: number;
  /** Told once when the file begins to fail, and again after it has worked in between. */
  readonly onError: (fault: { readonly cause: unknown }) => void;
}

/** A turn that found the file locked comes again after one to three milliseconds: others' turns are shorter than one. */
const BUSY_RETRY_MS = 1;
const BUSY_JITTER_MS = 2;
/** Nobody waits for a settle: it joins the transaction of whoever comes within so many milliseconds. */
const SETTLE_JOIN_MS = 2;
/** Work of one transaction, milliseconds: the event loop stands still so long, and other processes wait. */
const TURN_MS = 4;
/** Between two rounds of pruning, and of trying what could not be written. */
const ROUND_MS = 1_000;
const FLUSH_MS = 5_000;

/** Opens the ledger; an error says why the file cannot be used. */
export async function openSqliteLedger(options: SqliteLedgerOptions): Promise<Result<LedgerPort, PortError>> {
  try {
    const schema = { schema: SCHEMA, upgrades: UPGRADES };
    const database = await openDatabase({ dir: options.dir, name: "ledger.db", ...schema, synchronous: "normal", busyMs: 0 });
    return ok(new SqliteLedger(database, options));
  } catch (cause) {
    return err({ code: "unavailable", cause });
  }
}

/** One step that waits for its turn. `run` gives the answer to be delivered once the transaction is through. */
interface Job {
  readonly run: (nowMs: number) => () => void;
  readonly fail: (error: LedgerError) => void;
  /** Settles and releases: done whatever it takes. `fail` then only tells the caller that it waits. */
  readonly kept: boolean;
  readonly untilMs: number;
}

class SqliteLedger implements LedgerPort {
  readonly #database: DatabaseSync;
  readonly #options: SqliteLedgerOptions;
  readonly #books: LedgerBooks;
  readonly #adminBooks: LedgerAdminBooks;
  readonly #begin: StatementSync;
  readonly #finish: StatementSync;
  readonly #later = new LaterQueue<Job>();
  readonly #round: NodeJS.Timeout;
  #jobs: Job[] = [];
  #turn: "none" | "later" | "soon" | "waiting" = "none";
  #failing = false;
  #closed = false;

  constructor(database: DatabaseSync, options: SqliteLedgerOptions) {
    this.#database = database;
    this.#options = options;
    this.#books = new LedgerBooks(database);
    this.#adminBooks = new LedgerAdminBooks(database);
    this.#begin = database.prepare("BEGIN IMMEDIATE");
    this.#finish = database.prepare("COMMIT");
    this.#round = setInterval(() => this.#keepHouse(), ROUND_MS);
    this.#round.unref();
  }

  get stats(): LedgerStats {
    const waiting = this.#jobs.reduce((count, { kept }) => count + (kept ? 1 : 0), 0);
    return { up: !this.#failing, queued: this.#later.size + waiting, lost: this.#later.lost, lapsed: this.#books.lapsed };
  }

  enter(request: EnterRequest): Promise<Result<StepAnswer, LedgerError>> {
    return this.#step(enterProblem(request), (nowMs) => this.#books.enter(request, nowMs));
  }
  hold(request: HoldRequest): Promise<Result<HoldAnswer, LedgerError>> {
    return this.#step(holdProblem(request), (nowMs) => this.#books.hold(request, nowMs));
  }
  renew(request: RenewRequest): Promise<Result<RenewAnswer, LedgerError>> {
    return this.#step(renewProblem(request), (nowMs) => this.#books.renew(request, nowMs));
  }
  settle(request: SettleRequest): Promise<Result<SettleAnswer, LedgerError>> {
    return this.#end(settleProblem(request), (nowMs) => this.#books.settle(request, nowMs));
  }
  release(claimant: Claimant): Promise<Result<SettleAnswer, LedgerError>> {
    return this.#end(claimantProblem(claimant), (nowMs) => this.#books.release(claimant, nowMs));
  }

  readonly admin: LedgerAdmin = {
    list: (partition, page) => this.#people(pageProblem(partition, page.limit), (people, nowMs) => people.list(partition, page, nowMs)),
    grant: (partition, window, amount) => {
      const problem = keyProblem(partition, window.key) ?? windowProblem(window);
      const sound = Number.isSafeInteger(amount);
      return this.#people(problem ?? (sound ? undefined : "the amount is no whole number"), (people, nowMs) =>
        people.grant(partition, window, amount, nowMs),
      );
    },
    reset: (partition, scope) =>
      this.#people(keyProblem(partition, "rate" in scope ? scope.rate : scope.key), (people) => people.reset(partition, scope)),
    freeze: (partition, key, frozen) => this.#people(keyProblem(partition, key), (people) => people.freeze(partition, key, frozen)),
  };

  /** People read and write the tables themselves. */
  #people<T>(problem: string | undefined, work: (people: LedgerAdminBooks, nowMs: number) => T): Promise<Result<T, LedgerError>> {
    return this.#step(problem, (nowMs) => {
      this.#books.write();
      const answer = work(this.#adminBooks, nowMs);
      this.#books.forget();
      return answer;
    });
  }

  async flush(): Promise<boolean> {
    const until = performance.now() + FLUSH_MS;
    this.#takeLater();
    while ((this.#jobs.length > 0 || this.#turn !== "none") && performance.now() < until) await sleep(1);
    return this.#jobs.length === 0 && this.#later.size === 0;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    clearInterval(this.#round);
    await this.flush();
    this.#closed = true;
    for (const job of this.#jobs) job.fail({ code: "unavailable", cause: new Error("the ledger is closed") });
    this.#database.close();
  }

  #step<T>(problem: string | undefined, work: (nowMs: number) => T): Promise<Result<T, LedgerError>> {
    if (problem !== undefined) return Promise.resolve(err({ code: "invalid", cause: new Error(problem) }));
    return new Promise((resolve) => {
      this.#take({
        run: (nowMs) => {
          const answer = ok(work(nowMs));
          return () => resolve(answer);
        },
        fail: (error) => resolve(err(error)),
        kept: false,
        untilMs: performance.now() + this.#options.deadlineMs,
      });
    });
  }

  #end(problem: string | undefined, work: (nowMs: number) => SettleAnswer): Promise<Result<SettleAnswer, LedgerError>> {
    if (problem !== undefined) return Promise.resolve(err({ code: "invalid", cause: new Error(problem) }));
    return new Promise((resolve) => {
      this.#take({
        run: (nowMs) => {
          const answer = ok(work(nowMs));
          return () => resolve(answer);
        },
        fail: () => resolve(ok("queued")),
        kept: true,
        untilMs: performance.now() + this.#options.deadlineMs,
      });
    });
  }

  #take(job: Job): void {
    if (this.#closed) {
      job.fail({ code: "unavailable", cause: new Error("the ledger is closed") });
      return;
    }
    if (this.#jobs.length >= LEDGER_QUEUED_MAX) {
      if (job.kept) this.#later.add(job);
      job.fail({ code: "unavailable", cause: new Error("too many steps wait for the ledger's file") });
      return;
    }
    this.#jobs.push(job);
    if (this.#turn === "soon" || this.#turn === "waiting") return;
    if (!job.kept) {
      this.#turn = "soon";
      setImmediate(() => this.#work());
    } else if (this.#turn === "none") {
      this.#turn = "later";
      setTimeout(() => {
        if (this.#turn === "later") this.#work();
      }, SETTLE_JOIN_MS);
    }
  }

  #again(delayMs: number): void {
    this.#turn = this.#jobs.length === 0 ? "none" : "waiting";
    if (this.#turn === "none") return;
    if (delayMs === 0) setImmediate(() => this.#work());
    else setTimeout(() => this.#work(), delayMs);
  }

  /** One transaction with what waits, or as much of it as fits into `TURN_MS`. */
  #work(): void {
    if (this.#closed) return;
    const batch = this.#jobs;
    this.#jobs = [];
    let done = 0;
    try {
      done = this.#commit(batch);
    } catch (cause) {
      if (isBusy(cause)) this.#putOff(batch);
      else if (batch.length > 1) this.#oneByOne(batch);
      else this.#giveUp(batch, cause);
      this.#again(BUSY_RETRY_MS + Math.random() * BUSY_JITTER_MS);
      return;
    }
    this.#jobs = [...batch.slice(done), ...this.#jobs];
    this.#again(0);
  }

  #commit(batch: readonly Job[]): number {
    const deliveries: (() => void)[] = [];
    const begun = performance.now();
    this.#begin.run();
    try {
      const nowMs = Math.floor(this.#options.clock.wallMs());
      this.#books.begin(nowMs);
      for (const job of batch) {
        deliveries.push(job.run(nowMs));
        if (performance.now() - begun > TURN_MS) break;
      }
      this.#books.write();
      this.#finish.run();
    } catch (cause) {
      this.#books.forget();
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw cause;
    }
    this.#failing = false;
    for (const deliver of deliveries) deliver();
    return deliveries.length;
  }

  /** The file is another process's for a moment: who has waited long enough is told, the others come again. */
  #putOff(batch: readonly Job[]): void {
    const now = performance.now();
    const late = batch.filter((job) => now >= job.untilMs);
    this.#jobs = [...batch.filter((job) => now < job.untilMs || job.kept), ...this.#jobs];
    for (const job of late) job.fail({ code: "timeout", cause: new Error("the ledger's file is locked") });
  }

  /** One step broke the transaction of all: each gets its own, so that it breaks alone. */
  #oneByOne(batch: readonly Job[]): void {
    for (const job of batch) {
      try {
        this.#commit([job]);
      } catch (cause) {
        if (isBusy(cause)) this.#putOff([job]);
        else this.#giveUp([job], cause);
      }
    }
  }

  #giveUp(batch: readonly Job[], cause: unknown): void {
    if (!this.#failing) this.#options.onError({ cause });
    this.#failing = true;
    for (const job of batch) {
      if (job.kept) this.#later.add(job);
      job.fail({ code: codeOf(cause), cause });
    }
  }

  #takeLater(): void {
    for (const job of this.#later.take(this.#later.size)) this.#take(job);
  }

  #keepHouse(): void {
    this.#takeLater();
    this.#take({
      run: (nowMs) => {
        this.#books.prune(nowMs);
        return () => {};
      },
      fail: () => {},
      kept: false,
      untilMs: performance.now() + this.#options.deadlineMs,
    });
  }
}

/** SQLite's result codes: https://www.sqlite.org/rescode.html; the lower byte is the primary code. */
const primaryCode = (cause: unknown): number | undefined =>
  cause instanceof Error && "errcode" in cause && typeof cause.errcode === "number" ? cause.errcode & 0xff : undefined;
const isBusy = (cause: unknown): boolean => [5, 6].includes(primaryCode(cause) ?? 0);
const codeOf = (cause: unknown): PortError["code"] => ([11, 26].includes(primaryCode(cause) ?? 0) ? "corrupt" : "unavailable");
