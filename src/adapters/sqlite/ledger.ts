/**
 * The embedded ledger: one SQLite file (WAL) that the processes of a host share. What was answered survives `kill -9` of any of
 * them; a power cut may lose the last moments (no fsync on each commit).
 *
 * All steps of one turn of the event loop go into one transaction. An enter is answered inside it, so that the hold of the same
 * exchange, which mostly follows in the same turn, needs no second one: other processes see both or neither. (What is so answered and
 * not yet written is lost with the process, or where the commit fails; its exchange is then as good as never entered.) Under load a
 * turn waits a moment for more to come, for a transaction costs the same with one step and with ten; who comes alone does not wait.
 *
 * Where another process holds the file, the turn is tried again a little later: nothing blocks, and a step that waited `deadlineMs`
 * is given up, not done. Settles and releases are kept and tried until they work. Limits of one host only: processes on other hosts
 * need the Redis ledger.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { LEDGER_QUEUED_MAX, MIB } from "../../core/limits.ts";
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
import { codeOf, isBusy, openDatabase } from "./database.ts";
import { LedgerAdminBooks } from "./ledger-admin.ts";
import { LedgerBooks } from "./ledger-books.ts";
import { COMPANY_MS, Company } from "./ledger-company.ts";
import { SCHEMA, UPGRADES } from "./ledger-schema.ts";
import { type How, type Job, nothing, queued, Step } from "./ledger-step.ts";

/** In the data folder. */
export const LEDGER_FILE = "ledger.db";

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
/**
 * Pages of the log after which they are brought into the file, which waits for the disk: 16 MB of log, several thousand calls. SQLite's own
 * 1,000 would wait four times as often.
 */
const CHECKPOINT_PAGES = 4_000;
/**
 * Bytes that the log keeps of the disk once it is brought into the file: twice what it has then. It grows as long as somebody reads one
 * state of the file, a backup that hangs say: some 5 KB a transaction; it stayed as long as it had grown.
 */
const LOG_KEPT_BYTES = 32 * MIB;
/** Longest that a transaction may stay open for holds to come, milliseconds; where it took longer, none is kept open for a while. */
const OPEN_MS = 4;
const OPEN_PAUSE_MS = 25;
/** Between two rounds of pruning, and of trying what could not be written. */
const ROUND_MS = 1_000;
const FLUSH_MS = 5_000;

/** Opens the ledger; an error says why the file cannot be used. */
export async function openSqliteLedger(options: SqliteLedgerOptions): Promise<Result<LedgerPort, PortError>> {
  try {
    const schema = { schema: SCHEMA, upgrades: UPGRADES };
    const database = await openDatabase({ dir: options.dir, name: LEDGER_FILE, ...schema, synchronous: "normal", busyMs: 0 });
    database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA journal_size_limit = ${LOG_KEPT_BYTES}`);
    return ok(new SqliteLedger(database, options));
  } catch (cause) {
    return err({ code: "unavailable", cause });
  }
}

const invalid = (problem: string): Promise<Result<never, LedgerError>> =>
  Promise.resolve(err({ code: "invalid", cause: new Error(problem) }));

/** A transaction that has begun. */
interface Turn {
  /** Milliseconds of work so far. */
  spentMs: number;
  readonly done: Job[];
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
  #turn: "none" | "later" | "soon" | "open" | "waiting" = "none";
  /** No transaction stays open for holds until then (monotonic). */
  #promptUntil = 0;
  readonly #company = new Company();
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
    return this.#step(enterProblem(request), (nowMs) => this.#books.enter(request, nowMs), "early");
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
      return this.#change(problem ?? (sound ? undefined : "the amount is no whole number"), (people, nowMs) =>
        people.grant(partition, window, amount, nowMs),
      );
    },
    reset: (partition, scope) =>
      this.#change(keyProblem(partition, "rate" in scope ? scope.rate : scope.key), (people) => people.reset(partition, scope)),
    freeze: (partition, key, frozen) => this.#change(keyProblem(partition, key), (people) => people.freeze(partition, key, frozen)),
  };

  /** People read and write the tables themselves. */
  #people<T>(problem: string | undefined, work: (people: LedgerAdminBooks, nowMs: number) => T): Promise<Result<T, LedgerError>> {
    return this.#step(problem, (nowMs) => {
      this.#books.fold();
      return work(this.#adminBooks, nowMs);
    });
  }
  #change(problem: string | undefined, work: (people: LedgerAdminBooks, nowMs: number) => void): Promise<Result<void, LedgerError>> {
    return this.#people(problem, (people, nowMs) => {
      work(people, nowMs);
      this.#books.mark();
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

  #step<T>(problem: string | undefined, work: (nowMs: number) => T, how: How = "plain"): Promise<Result<T, LedgerError>> {
    return problem === undefined ? this.#ask(work, err, how) : invalid(problem);
  }

  #end(problem: string | undefined, work: (nowMs: number) => SettleAnswer): Promise<Result<SettleAnswer, LedgerError>> {
    return problem === undefined ? this.#ask(work, queued, "kept") : invalid(problem);
  }

  #ask<T>(work: (nowMs: number) => T, failed: (error: LedgerError) => Result<T, LedgerError>, how: How): Promise<Result<T, LedgerError>> {
    const step = new Step(work, failed, how, performance.now() + this.#options.deadlineMs);
    this.#take(step);
    return step.answer;
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
    if (this.#turn === "soon" || this.#turn === "open" || this.#turn === "waiting") return;
    if (!job.kept) {
      this.#turn = "soon";
      if (this.#company.expected) setTimeout(this.#workNow, COMPANY_MS);
      else setImmediate(this.#workNow);
    } else if (this.#turn === "none") {
      this.#turn = "later";
      setTimeout(this.#lateWork, SETTLE_JOIN_MS);
    }
  }

  readonly #workNow = (): void => this.#work();
  readonly #lateWork = (): void => {
    if (this.#turn === "later") this.#work();
  };

  #again(delayMs: number): void {
    this.#turn = this.#jobs.length === 0 ? "none" : "waiting";
    if (this.#turn === "none") return;
    if (delayMs === 0) setImmediate(this.#workNow);
    else setTimeout(this.#workNow, delayMs);
  }

  /** One transaction with what waits, or as much of it as fits into `TURN_MS`. */
  #work(): void {
    if (this.#closed) return;
    const turn: Turn = { spentMs: 0, done: [] };
    if (!this.#attempt(turn, () => this.#open(turn))) return;
    this.#company.came(turn.done);
    const early = turn.done.some((job) => job.early) && !this.#failing && performance.now() >= this.#promptUntil;
    if (early) this.#stayOpen(turn);
    else if (this.#attempt(turn, () => this.#commit(turn))) this.#again(0);
  }

  /** Answers what may be answered already, and goes on when whoever was answered has come as far as it can. */
  #stayOpen(turn: Turn): void {
    this.#turn = "open";
    for (const job of turn.done) if (job.early) job.deliver();
    const openedAt = performance.now();
    // A tick comes when no microtask is left.
    queueMicrotask(() =>
      process.nextTick(() => {
        const now = performance.now();
        if (now - openedAt > OPEN_MS) this.#promptUntil = now + OPEN_PAUSE_MS;
        const through = this.#attempt(turn, () => {
          this.#run(turn);
          this.#commit(turn);
        });
        if (through) this.#again(0);
      }),
    );
  }

  /** Does a part of a turn; false: it failed, nothing of the turn is done, and its steps are seen to. */
  #attempt(turn: Turn, part: () => void): boolean {
    try {
      part();
      return true;
    } catch (cause) {
      this.#rollBack();
      // Where it did not even begin, it is all who wait.
      const batch = turn.done.length > 0 ? turn.done : this.#jobs.splice(0);
      if (isBusy(cause)) this.#putOff(batch);
      else if (batch.length > 1) this.#oneByOne(batch);
      else this.#giveUp(batch, cause);
      this.#again(BUSY_RETRY_MS + Math.random() * BUSY_JITTER_MS);
      return false;
    }
  }

  #open(turn: Turn): void {
    this.#begin.run();
    this.#books.begin(Math.floor(this.#options.clock.wallMs()));
    this.#run(turn);
  }

  /** Takes of the steps that wait as many as fit into the turn. */
  #run(turn: Turn): void {
    const begun = performance.now();
    const nowMs = Math.floor(this.#options.clock.wallMs());
    const waiting = this.#jobs;
    let taken = 0;
    try {
      this.#books.lapse(nowMs);
      for (const job of waiting) {
        taken += 1;
        turn.done.push(job);
        job.run(nowMs);
        if (turn.spentMs + performance.now() - begun > TURN_MS) break;
      }
    } finally {
      this.#jobs = waiting.slice(taken);
      turn.spentMs += performance.now() - begun;
    }
  }

  #commit(turn: Turn): void {
    this.#books.write();
    this.#finish.run();
    this.#failing = false;
    for (const job of turn.done) job.deliver();
  }
  #rollBack(): void {
    this.#books.forget();
    if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
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
        this.#begin.run();
        const nowMs = Math.floor(this.#options.clock.wallMs());
        this.#books.begin(nowMs);
        job.run(nowMs);
        this.#commit({ spentMs: 0, done: [job] });
      } catch (cause) {
        this.#rollBack();
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
      run: (nowMs) => this.#books.prune(nowMs),
      deliver: nothing,
      fail: nothing,
      kept: false,
      early: false,
      untilMs: performance.now() + this.#options.deadlineMs,
    });
  }
}
