import assert from "node:assert/strict";
import fc from "fast-check";
import { Calendar, type WindowSpec } from "../../src/core/windows.ts";
import type { BudgetScope, EnterScope, LedgerPort, Partition } from "../../src/ports/ledger.ts";
import { property } from "../support/property.ts";
import { ReferenceLedger, seen } from "./reference.ts";
import { must, type TestStore } from "./stores.ts";

/** Shortly before the clocks of Berlin go forward and back, a month ends, and a leap day; far in the future for the server's own expiry. */
const STARTS = ["2035-03-25T00:58:00Z", "2035-10-28T00:58:00Z", "2035-10-27T21:58:00Z", "2035-12-31T22:59:00Z", "2036-02-29T22:58:00Z"].map(
  (text) => Date.parse(text),
);
const SPECS: readonly WindowSpec[] = [{ unit: "minute" }, { unit: "hour" }, { unit: "day" }, { unit: "month" }];
const LEASE = 20_000;
const partition: Partition = { kind: "tenant", name: "acme" };

type Step =
  | { readonly do: "enter"; readonly exchange: number; readonly rates: readonly number[]; readonly slots: readonly number[] }
  | {
      readonly do: "hold";
      readonly exchange: number;
      readonly amounts: readonly (readonly [scope: number, amount: number])[];
      /** Scopes that are soft. */
      readonly soft: readonly number[];
      readonly charge: boolean;
      readonly lateMs: number;
    }
  | { readonly do: "settle"; readonly exchange: number; readonly amounts: readonly (readonly [scope: number, amount: number])[] }
  | { readonly do: "release" | "renew"; readonly exchange: number }
  | { readonly do: "clock"; readonly byMs: number }
  | { readonly do: "policy"; readonly limits: readonly number[] }
  /** The process dies and another opens the store; what was under way is forgotten by everybody but the store. */
  | { readonly do: "crash" };

const EXCHANGES = 6;
const exchange = fc.nat(EXCHANGES - 1);
const amounts = fc.uniqueArray(fc.tuple(fc.nat(3), fc.nat(60)), { maxLength: 4, selector: ([scope]) => scope });
const subset = fc.uniqueArray(fc.nat(1), { maxLength: 2 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("enter" as const), exchange, rates: subset, slots: subset }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("hold" as const),
      exchange,
      amounts,
      soft: fc.oneof(fc.constant([]), fc.subarray([0, 1, 2, 3])),
      charge: fc.boolean(),
      lateMs: fc.constantFrom(0, 0, 0, -2_000, 2_000, 61_000),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("settle" as const), exchange, amounts }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("release" as const, "renew" as const), exchange }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("clock" as const),
      byMs: fc.constantFrom(1, 400, 5_000, 19_999, 30_000, 61_000, -500, -10_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("policy" as const), limits: fc.array(fc.nat(150), { minLength: 4, maxLength: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const) }) },
);

/** Random lives of a ledger against the reference: each answer alike, and at the end the same books and no hold left. */
export function modelProperty(name: string, storeOf: () => TestStore, runs: number): void {
  const lives = fc.record({ startMs: fc.constantFrom(...STARTS), steps: fc.array(step, { maxLength: 60, size: "max" }) });
  property(
    `${name} answers as the reference ledger, whatever happens in whatever order`,
    lives,
    async ({ startMs, steps }) => {
      const store = storeOf();
      await store.wipe();
      const life = new Life(startMs, store);
      try {
        await life.begin();
        for (const one of steps) await life.step(one);
        await life.end();
      } finally {
        await life.stop();
      }
    },
    runs,
  );
}

class Life {
  readonly #calendar = new Calendar("Europe/Berlin");
  readonly #model = new ReferenceLedger();
  readonly #store: TestStore;
  #nowMs: number;
  #latestMs: number;
  #limits: readonly number[] = [100, 100, 100, 100];
  #ledger: LedgerPort | undefined;
  readonly #windows = new Map<string, BudgetScope>();
  constructor(startMs: number, store: TestStore) {
    this.#nowMs = startMs;
    this.#latestMs = startMs;
    this.#store = store;
  }

  async begin(): Promise<void> {
    this.#ledger = await this.#store.open(() => this.#nowMs);
  }
  async stop(): Promise<void> {
    await this.#ledger?.close();
  }
  get #port(): LedgerPort {
    assert.ok(this.#ledger !== undefined);
    return this.#ledger;
  }

  #scope(at: number, amount: number, skewMs: number): BudgetScope {
    const window = this.#calendar.windowAt(SPECS[at] ?? { unit: "day" }, this.#nowMs + skewMs);
    const scope: BudgetScope = { key: `b${at}`, unit: at % 2 === 0 ? "tokens" : "nanoUsd", window, limit: this.#limits[at] ?? 0, amount };
    this.#windows.set(nameOf(scope), scope);
    return scope;
  }

  async step(one: Step): Promise<void> {
    const at = `${JSON.stringify(one)} at ${new Date(this.#nowMs).toISOString()}`;
    if (one.do === "clock") {
      this.#nowMs += one.byMs;
      this.#latestMs = Math.max(this.#latestMs, this.#nowMs);
    } else if (one.do === "policy") this.#limits = one.limits;
    else if (one.do === "crash") {
      await this.stop();
      await this.begin();
    } else await this.#ask(one, `e${one.exchange}`, at);
  }

  async #ask(one: Exclude<Step, { readonly do: "clock" | "policy" | "crash" }>, exchange: string, at: string): Promise<void> {
    const [nowMs, leaseMs] = [this.#nowMs, LEASE];
    if (one.do === "enter") {
      const scopes: EnterScope[] = [
        ...one.rates.map((key): EnterScope => ({ kind: "rate", key: `r${key}`, requests: 3, windowMs: 1_000 * (key + 1), burst: 2 + key })),
        ...one.slots.map((key): EnterScope => ({ kind: "concurrent", key: `c${key}`, limit: 2 + key })),
      ];
      const answer = must(await this.#port.enter({ partition, exchange, leaseMs, scopes }));
      assert.deepEqual(seen(answer), this.#model.enter(exchange, scopes, { nowMs, leaseMs }), at);
    } else if (one.do === "hold") {
      const scopes = one.amounts.map(([scope, amount]): BudgetScope => {
        const made = this.#scope(scope, amount, one.lateMs);
        return one.soft.includes(scope) ? { ...made, soft: true } : made;
      });
      const request = { partition, exchange, leaseMs, scopes, onLapse: one.charge ? ("charge" as const) : ("release" as const) };
      assert.deepEqual(seen(must(await this.#port.hold(request))), this.#model.hold(request, nameOf, nowMs), at);
    } else if (one.do === "settle") {
      const charges = one.amounts.map(([scope, amount]) => this.#scope(scope, amount, 0));
      const told = charges.map((charge) => ({ window: nameOf(charge), amount: charge.amount }));
      assert.equal(must(await this.#port.settle({ partition, exchange, charges })), this.#model.end(exchange, told, nowMs), at);
    } else if (one.do === "release") {
      assert.equal(must(await this.#port.release({ partition, exchange })), this.#model.release(exchange, nowMs), at);
    } else
      assert.equal(must(await this.#port.renew({ partition, exchange, leaseMs })), this.#model.renew(exchange, { nowMs, leaseMs }), at);
    await this.#compare(at);
  }

  async end(): Promise<void> {
    this.#nowMs = this.#latestMs + LEASE;
    await this.#compare("in the end");
    this.#model.lapse(this.#nowMs);
    for (const row of await this.#rows()) if (row.kind === "budget") assert.equal(row.held, 0, `${row.key} holds something for ever`);
  }

  async #rows() {
    return must(await this.#port.admin.list(partition, { limit: 1_000 })).rows;
  }

  /** Every running window: what it has spent and what it holds. */
  async #compare(at: string): Promise<void> {
    this.#model.lapse(this.#nowMs);
    const stored = new Map<string, readonly [number, number]>();
    for (const row of await this.#rows()) if (row.kind === "budget") stored.set(nameOf(row), [row.spent, row.held]);
    for (const [name, { window }] of this.#windows) {
      if (window.endMs <= this.#nowMs) continue;
      assert.deepEqual(stored.get(name) ?? [0, 0], [this.#model.spent(name), this.#model.held(name)], `${name} after ${at}`);
    }
  }
}

const nameOf = ({ key, unit, window }: Pick<BudgetScope, "key" | "unit" | "window">): string =>
  `${key} ${unit} ${window.startMs} ${window.endMs}`;
