/**
 * The one desk of a process at the ledger: gives each claim its lease and renews it while the exchange runs, turns to the local
 * allowance while the store is gone, and settles once what several stages have claimed.
 *
 * One timer for all: claims stand in the order in which their leases were given, so each round looks at the oldest alone, and renews
 * at most `RENEWED_AT_ONCE` of them at the same time.
 */
import { LEDGER_CLAIMS_MAX } from "../core/limits.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Clock } from "../ports/clock.ts";
import type {
  Charge,
  Claimant,
  EnterRequest,
  HoldAnswer,
  HoldRequest,
  LedgerError,
  LedgerPort,
  SettleAnswer,
  SettleRequest,
  StepAnswer,
} from "../ports/ledger.ts";
import type { LedgerDesk, StoreLost } from "../ports/ledger-desk.ts";
import type { Log } from "../ports/log.ts";

/** What may be spent while the store is gone. */
export interface Allowance {
  observe(request: HoldRequest, answer: HoldAnswer): void;
  observeFreezes(request: EnterRequest, answer: StepAnswer): void;
  enter(request: EnterRequest): StepAnswer;
  hold(request: HoldRequest): HoldAnswer;
  has(claimant: Claimant): boolean;
  settle(request: SettleRequest): Promise<Result<SettleAnswer, LedgerError>>;
  release(claimant: Claimant): void;
}

export interface DeskOptions {
  readonly ledger: LedgerPort;
  readonly allowance: Allowance;
  readonly clock: Clock;
  /** Claims lapse so long after their process has died. */
  readonly leaseMs: number;
  readonly log: Log;
}

const RENEWED_AT_ONCE = 256;
/** Renewed when a third of the lease is over, looked at four times in that. */
const RENEW_PART = 3;
const LOOKS = 4;
/** Longest wait for settles under way when the process stops, milliseconds. */
const CLOSE_MS = 5_000;

interface Open {
  readonly claimant: Claimant;
  renewAtMs: number;
  holds: boolean;
  lapsed: boolean;
}

/** What the desk counts, since the process began. */
export interface DeskStats {
  /** Claims under way. */
  readonly open: number;
  /** Leases that had ended before they could be renewed: this process was too slow, or its store was gone. */
  readonly lapsed: number;
  /** Steps that the local allowance decided. */
  readonly allowed: number;
  /** Settles that the ledger refused as malformed. */
  readonly failed: number;
}

export class Desk implements LedgerDesk {
  readonly #options: DeskOptions;
  readonly #open = new Map<string, Open>();
  readonly #timer: NodeJS.Timeout;
  /** Exchanges that the allowance holds for. */
  readonly #local = new Set<string>();
  /** Settles under way, and who waits for the last of them. Counted, not kept: a set that changes with each call holds on to what has left it. */
  #pending = 0;
  #settled: (() => void) | undefined;
  #renewing = false;
  #lapsed = 0;
  #allowed = 0;
  #failed = 0;

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#renew(), Math.max(50, options.leaseMs / RENEW_PART / LOOKS));
    this.#timer.unref();
  }

  get stats(): DeskStats {
    return { open: this.#open.size, lapsed: this.#lapsed, allowed: this.#allowed, failed: this.#failed };
  }

  wallMs(): number {
    return this.#options.clock.wallMs();
  }

  enter(request: Omit<EnterRequest, "leaseMs">, lost: StoreLost): Promise<Result<StepAnswer, LedgerError>> {
    if (this.#full(request)) return Promise.resolve(TOO_MANY);
    const whole = { ...request, leaseMs: this.#options.leaseMs };
    return this.#options.ledger.enter(whole).then((answer) => {
      if (answer.ok) {
        if (answer.value.kind === "admitted") this.#track(request, false);
        if (lost === "allowance") this.#options.allowance.observeFreezes(whole, answer.value);
        return answer;
      }
      if (lost === "reject" || answer.error.code === "invalid") return answer;
      this.#allowed += 1;
      return ok(this.#options.allowance.enter(whole));
    });
  }

  hold(request: Omit<HoldRequest, "leaseMs">, lost: StoreLost): Promise<Result<HoldAnswer, LedgerError>> {
    if (this.#full(request)) return Promise.resolve(TOO_MANY);
    const whole = { ...request, leaseMs: this.#options.leaseMs };
    return this.#options.ledger.hold(whole).then((answer) => {
      const { allowance } = this.#options;
      if (answer.ok) {
        if (answer.value.kind === "admitted") this.#track(request, true);
        if (lost === "allowance") allowance.observe(whole, answer.value);
        return answer;
      }
      if (lost === "reject" || answer.error.code === "invalid") return answer;
      this.#allowed += 1;
      const local = allowance.hold(whole);
      if (local.kind === "admitted") this.#local.add(keyOf(request));
      return ok(local);
    });
  }

  settle(claimant: Claimant, charges: readonly Charge[]): Promise<void> {
    const { ledger, allowance } = this.#options;
    const { partition, exchange } = claimant;
    const entered = this.#forget(claimant);
    if (!allowance.has(claimant)) return this.#end(ledger.settle({ partition, exchange, charges }));
    const local = this.#end(allowance.settle({ partition, exchange, charges }));
    // It entered while the store was there, and held by the allowance.
    return entered ? local.then(() => this.#end(ledger.settle({ partition, exchange, charges: [] }))) : local;
  }

  release(claimant: Claimant): Promise<void> {
    const { ledger, allowance } = this.#options;
    this.#forget(claimant);
    if (allowance.has(claimant)) allowance.release(claimant);
    return this.#end(ledger.release(claimant));
  }

  leave(claimant: Claimant, used: boolean): Promise<void> {
    const key = keyOf(claimant);
    if (this.#open.get(key)?.holds === true || this.#local.has(key)) return Promise.resolve();
    return used ? this.settle(claimant, []) : this.release(claimant);
  }

  /** Waits for what is being settled. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    const late = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS).unref());
    if (this.#pending === 0) return;
    await Promise.race([new Promise<void>((resolve) => (this.#settled = resolve)), late]);
  }

  #full(claimant: Claimant): boolean {
    return this.#open.size >= LEDGER_CLAIMS_MAX && !this.#open.has(keyOf(claimant));
  }

  #track({ partition, exchange }: Claimant, holds: boolean): void {
    const claimant = { partition, exchange };
    const key = keyOf(claimant);
    const before = this.#open.get(key);
    if (before !== undefined && !before.lapsed) {
      // Its lease was given anew just now; to renew it a little early does no harm, and it keeps its place.
      before.holds ||= holds;
      return;
    }
    this.#open.delete(key);
    this.#open.set(key, { claimant, renewAtMs: this.#nextMs(), holds: holds || before?.holds === true, lapsed: false });
  }
  #nextMs(): number {
    return this.#options.clock.monotonicMs() + this.#options.leaseMs / RENEW_PART;
  }
  #forget(claimant: Claimant): boolean {
    const key = keyOf(claimant);
    if (this.#local.size > 0) this.#local.delete(key);
    return this.#open.delete(key);
  }

  #end(ending: Promise<Result<SettleAnswer, LedgerError>>): Promise<void> {
    this.#pending += 1;
    return ending.then(this.#ended, this.#broken);
  }
  /** Made once, not for each call. */
  readonly #ended = (answer: Result<SettleAnswer, LedgerError>): void => {
    this.#endedOne();
    if (answer.ok) return;
    this.#failed += 1;
    this.#options.log.error("ledger_settle_fault", { code: answer.error.code, cause: answer.error.cause });
  };
  readonly #broken = (cause: unknown): never => {
    this.#endedOne();
    throw cause;
  };
  #endedOne(): void {
    this.#pending -= 1;
    if (this.#pending === 0) this.#settled?.();
  }

  async #renew(): Promise<void> {
    if (this.#renewing) return;
    this.#renewing = true;
    try {
      const now = this.#options.clock.monotonicMs();
      const due: [string, Open][] = [];
      for (const entry of this.#open) {
        if (entry[1].renewAtMs > now || due.length >= RENEWED_AT_ONCE) break;
        due.push(entry);
      }
      await Promise.all(due.map(([key, open]) => this.#renewOne(key, open)));
    } finally {
      this.#renewing = false;
    }
  }

  async #renewOne(key: string, open: Open): Promise<void> {
    // To the end of the line before anything is waited for: the rounds go on meanwhile.
    this.#open.delete(key);
    open.renewAtMs = this.#nextMs();
    this.#open.set(key, open);
    const answer = await this.#options.ledger.renew({ ...open.claimant, leaseMs: this.#options.leaseMs });
    // A store that is gone is asked again in the next round; a settle puts right what lapsed meanwhile.
    if (!answer.ok || answer.value !== "lapsed" || open.lapsed) return;
    open.lapsed = true;
    this.#lapsed += 1;
  }
}

const TOO_MANY: Result<never, LedgerError> = err({ code: "unavailable", cause: new Error("too many claims are open") });

/** An exchange has one tenant, and its id, which has no space in it, is of one piece: nothing is put together for each step of a call. */
const keyOf = ({ partition: { kind, name }, exchange }: Claimant): string => (kind === "tenant" ? exchange : `${kind} ${name} ${exchange}`);
