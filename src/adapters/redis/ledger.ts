/**
 * The ledger in Redis 7 or Valkey, for processes on many hosts: each step is one Lua script that reaches one slot, by the
 * server's clock.
 *
 * No step waits longer than `deadlineMs`. One that failed may have been done all the same: what it may have claimed is released
 * when the store is back, and until then (or if this process dies first) it lapses with its lease. Settles and releases are kept
 * and brought later. Replication to replicas is asynchronous: a failover may lose the last moments before it, which shows as
 * spend that is not counted, never as holds that stay.
 */
import { LEDGER_CLOSED_KEPT_MS, LEDGER_WINDOW_KEPT_MS } from "../../core/limits.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type {
  Claimant,
  EnterRequest,
  HoldAnswer,
  HoldRequest,
  LedgerAdmin,
  LedgerError,
  LedgerPort,
  LedgerStats,
  Partition,
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
  partitionId,
  rateTerms,
  renewProblem,
  settleProblem,
  windowId,
  windowProblem,
} from "../../ports/ledger-terms.ts";
import { Breaker } from "./breaker.ts";
import { connectRedis, type RedisClient, type RedisConnection } from "./connect.ts";
import { enterAnswer, holdAnswer, pageOf } from "./replies.ts";
import { type ScriptName, Scripts } from "./scripts.ts";

export interface RedisLedgerOptions {
  readonly connection: RedisConnection;
  /** Before every key: `sluice:`. No braces, which are for the hash tag. */
  readonly keyPrefix: string;
  /** Longest that a step waits, milliseconds. */
  readonly deadlineMs: number;
  /** Told when the store is given up, and when it is back. */
  readonly onChange: (change: { readonly up: boolean; readonly cause: unknown }) => void;
  /** For tests alone: the time instead of the server's. */
  readonly testClockMs?: () => number;
}

const ROUND_MS = 1_000;
const LATER_AT_ONCE = 100;
/** Partitions used lately are swept in turn, so that holds of processes that died lapse without waiting for the next call. */
const SWEPT_AT_ONCE = 50;
const PARTITIONS_MAX = 10_000;
const FLUSH_MS = 5_000;
/** The probe's key goes by itself. */
const PROBE_KEPT_MS = 1_000;

/** A settle or release that waits for the store. */
interface Later {
  readonly key: string;
  readonly args: readonly (string | number)[];
  /** When it may have been done for the first time (monotonic); undefined: it was never sent. */
  readonly sentAt: number | undefined;
}

/** Connects in the background: the first steps may find the store unavailable. Throws for a prefix with braces. */
export async function openRedisLedger(options: RedisLedgerOptions): Promise<LedgerPort> {
  if (/[{}]/.test(options.keyPrefix)) throw new Error("the key prefix may hold no braces");
  const ledger = new RedisLedger(options);
  await ledger.ready();
  return ledger;
}

class RedisLedger implements LedgerPort {
  readonly #options: RedisLedgerOptions;
  readonly #client: RedisClient;
  readonly #scripts = new Scripts();
  readonly #breaker: Breaker;
  /** What the connection last failed with; undefined while it stands. */
  #fault: unknown;
  readonly #later = new LaterQueue<Later>();
  readonly #touched = new Map<string, number>();
  readonly #round: NodeJS.Timeout;
  #flushing: Promise<void> | undefined;
  #lapsed = 0;
  #closed = false;

  constructor(options: RedisLedgerOptions) {
    this.#options = options;
    // A failure of a command shows in the step that meets it; why there is no connection shows here alone.
    this.#client = connectRedis(options.connection, (cause) => {
      this.#fault = cause;
    });
    this.#client.on("ready", () => {
      this.#fault = undefined;
    });
    // A write: a server that is full, or a replica by now, answers and is of no use.
    this.#breaker = new Breaker(
      async () => (await this.#race(this.#client.set(`${options.keyPrefix}probe`, "1", "PX", PROBE_KEPT_MS))).ok,
      (up, cause) => {
        options.onChange({ up, cause });
        if (up) void this.#bring();
      },
    );
    this.#round = setInterval(() => void this.#keepHouse(), ROUND_MS);
    this.#round.unref();
  }

  /** Waits for the first connection, as long as a step may take. */
  async ready(): Promise<void> {
    if (this.#client.status === "ready") return;
    await this.#race(new Promise((resolve) => this.#client.once("ready", resolve)));
  }

  get stats(): LedgerStats {
    return { up: this.#breaker.up, queued: this.#later.size, lost: this.#later.lost, lapsed: this.#lapsed };
  }

  async enter(request: EnterRequest): Promise<Result<StepAnswer, LedgerError>> {
    const problem = enterProblem(request);
    if (problem !== undefined) return invalid(problem);
    const args = request.scopes.flatMap((scope) => {
      if (scope.kind === "concurrent") return ["c", scope.key, scope.limit, "", ""];
      const { costUs, toleranceUs } = rateTerms(scope);
      return ["r", scope.key, costUs, toleranceUs, scope.burst];
    });
    const reply = await this.#claim("enter", request, [request.leaseMs, ...args]);
    return reply.ok ? enterAnswer(request, reply.value) : reply;
  }

  async hold(request: HoldRequest): Promise<Result<HoldAnswer, LedgerError>> {
    const problem = holdProblem(request);
    if (problem !== undefined) return invalid(problem);
    const args = request.scopes.flatMap((scope) => [
      ...[windowId(scope), scope.key, scope.amount, scope.limit, scope.window.startMs, scope.window.endMs, scope.soft === true ? 1 : 0],
    ]);
    const reply = await this.#claim("hold", request, [request.leaseMs, request.onLapse, ...args]);
    return reply.ok ? holdAnswer(request, reply.value) : reply;
  }

  async renew(request: RenewRequest): Promise<Result<RenewAnswer, LedgerError>> {
    const problem = renewProblem(request);
    if (problem !== undefined) return invalid(problem);
    const { key, base } = this.#keys(request);
    const reply = await this.#run("renew", base, key, [request.exchange, request.leaseMs]);
    if (!reply.ok) return reply;
    const [answer] = reply.value;
    return answer === "renewed" || answer === "lapsed" || answer === "closed" ? ok(answer) : ok("unknown");
  }

  settle(request: SettleRequest): Promise<Result<SettleAnswer, LedgerError>> {
    const charges = request.charges.flatMap((charge) => [windowId(charge), charge.amount]);
    return this.#end(settleProblem(request), request, ["settle", ...charges]);
  }
  release(claimant: Claimant): Promise<Result<SettleAnswer, LedgerError>> {
    return this.#end(claimantProblem(claimant), claimant, ["release"]);
  }

  readonly admin: LedgerAdmin = {
    list: async (partition, page) => {
      const problem = pageProblem(partition, page.limit);
      if (problem !== undefined) return invalid(problem);
      const base = this.#base(partition);
      const first = Number(page.cursor ?? 0);
      if (!Number.isSafeInteger(first) || first < 0) return invalid("the cursor is none of this ledger's");
      const reply = await this.#run("list", base, `${base}i`, [first, page.limit]);
      return reply.ok ? pageOf(reply.value, { first, limit: page.limit }) : reply;
    },
    grant: (partition, window, amount) => {
      const sound = Number.isSafeInteger(amount) ? undefined : "the amount is no whole number";
      const id = windowId(window);
      const problem = keyProblem(partition, window.key) ?? windowProblem(window) ?? sound;
      return this.#admin(problem, partition, `w:${id}`, ["grant", id, amount]);
    },
    reset: (partition, scope) =>
      "rate" in scope
        ? this.#admin(keyProblem(partition, scope.rate), partition, `r:${scope.rate}`, ["reset-rate"])
        : this.#admin(keyProblem(partition, scope.key), partition, `w:${windowId(scope)}`, ["reset-window"]),
    freeze: (partition, key, frozen) => this.#admin(keyProblem(partition, key), partition, "f", [frozen ? "freeze" : "thaw", key]),
  };

  async flush(): Promise<boolean> {
    const until = performance.now() + FLUSH_MS;
    while (this.#later.size > 0 && this.#breaker.up && performance.now() < until) await this.#bring();
    return this.#later.size === 0;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    clearInterval(this.#round);
    await this.flush();
    this.#closed = true;
    this.#breaker.close();
    this.#client.disconnect();
  }

  /** A step that claims. Whether a failed one did is not known, so it is released later. */
  async #claim(name: ScriptName, claimant: Claimant, args: readonly (string | number)[]): Promise<Result<readonly string[], LedgerError>> {
    const { key, base } = this.#keys(claimant);
    const asked = this.#breaker.up;
    const reply = await this.#run(name, base, key, [claimant.exchange, ...args]);
    if (!reply.ok && asked) this.#later.add({ key, args: [base, claimant.exchange, LEDGER_CLOSED_KEPT_MS, "release"], sentAt: undefined });
    return reply;
  }

  async #end(
    problem: string | undefined,
    claimant: Claimant,
    args: readonly (string | number)[],
  ): Promise<Result<SettleAnswer, LedgerError>> {
    if (problem !== undefined) return invalid(problem);
    const { key, base } = this.#keys(claimant);
    const [asked, sentAt] = [this.#breaker.up, performance.now()];
    const all = [claimant.exchange, LEDGER_CLOSED_KEPT_MS, ...args];
    const reply = await this.#run("settle", base, key, all);
    if (reply.ok) return ok(reply.value[0] === "already" ? "already" : "settled");
    this.#later.add({ key, args: [base, ...all], sentAt: asked ? sentAt : undefined });
    return ok("queued");
  }

  async #admin(
    problem: string | undefined,
    partition: Partition,
    key: string,
    args: readonly (string | number)[],
  ): Promise<Result<void, LedgerError>> {
    if (problem !== undefined) return invalid(problem);
    const base = this.#base(partition);
    const reply = await this.#run("admin", base, `${base}${key}`, args);
    return reply.ok ? ok(undefined) : reply;
  }

  async #run(
    name: ScriptName,
    base: string,
    key: string,
    args: readonly (string | number)[],
  ): Promise<Result<readonly string[], LedgerError>> {
    if (this.#closed) return err({ code: "unavailable", cause: new Error("the ledger is closed") });
    if (!this.#breaker.up) return err({ code: "unavailable", cause: new Error("the store was given up") });
    this.#touch(base);
    const clock = this.#options.testClockMs === undefined ? "" : Math.floor(this.#options.testClockMs());
    const reply = await this.#race(this.#scripts.run(this.#client, name, key, [base, clock, LEDGER_WINDOW_KEPT_MS, ...args]));
    if (reply.ok) {
      this.#breaker.succeeded();
      this.#lapsed += Number(reply.value[2] ?? 0);
    } else this.#breaker.failed(reply.error.cause);
    return reply;
  }

  /** The answer, or an error when it takes longer than a step may. */
  #race<T>(running: Promise<T>): Promise<Result<T, LedgerError>> {
    return new Promise((resolve) => {
      const late = setTimeout(() => resolve(err({ code: "timeout", cause: new Error("the store is slow") })), this.#options.deadlineMs);
      running.then(
        (value) => {
          clearTimeout(late);
          resolve(ok(value));
        },
        (cause: unknown) => {
          clearTimeout(late);
          resolve(err({ code: "unavailable", cause: this.#client.status === "ready" ? cause : (this.#fault ?? cause) }));
        },
      );
    });
  }

  #base(partition: Partition): string {
    return `${this.#options.keyPrefix}{${partitionId(partition)}}:`;
  }
  #keys({ partition, exchange }: Claimant): { readonly base: string; readonly key: string } {
    const base = this.#base(partition);
    return { base, key: `${base}x:${exchange}` };
  }

  #touch(base: string): void {
    if (this.#touched.size >= PARTITIONS_MAX && !this.#touched.has(base)) return;
    this.#touched.set(base, performance.now());
  }

  /** Brings what waits, until nothing does or the store fails again. */
  #bring(): Promise<void> {
    this.#flushing ??= this.#bringAll().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }
  async #bringAll(): Promise<void> {
    while (this.#later.size > 0 && this.#breaker.up) {
      const failed = await Promise.all(this.#later.take(LATER_AT_ONCE).map((item) => this.#bringOne(item)));
      if (failed.includes(true)) return;
    }
  }
  async #bringOne({ key, args, sentAt }: Later): Promise<boolean> {
    const now = performance.now();
    // By now the store may have forgotten that it was done: rather not counted than counted twice. A hold lapses by its rule.
    if (sentAt !== undefined && now - sentAt > LEDGER_CLOSED_KEPT_MS) {
      this.#later.lost++;
      return false;
    }
    const [base, ...rest] = args;
    const asked = this.#breaker.up;
    const reply = await this.#run("settle", String(base), key, rest);
    if (!reply.ok) this.#later.add({ key, args, sentAt: sentAt ?? (asked ? now : undefined) });
    return !reply.ok;
  }

  async #keepHouse(): Promise<void> {
    if (!this.#breaker.up) return;
    await this.#bring();
    const used = [...this.#touched].slice(0, SWEPT_AT_ONCE);
    for (const [base, usedAt] of used) {
      this.#touched.delete(base);
      await this.#run("sweep", base, `${base}i`, []);
      // To the end of the line, as long as one of its leases may still run out.
      this.#touched.set(base, usedAt);
      if (performance.now() - usedAt > LEDGER_CLOSED_KEPT_MS) this.#touched.delete(base);
    }
  }
}

const invalid = (problem: string): { readonly ok: false; readonly error: LedgerError } =>
  err({ code: "invalid", cause: new Error(problem) });
