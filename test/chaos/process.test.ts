/** Processes that die under load: Sluice by SIGKILL and SIGTERM, Envoy by SIGKILL. What callers see meanwhile, and what the records say after. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ExchangeRecord } from "../../src/core/record.ts";
import { startEnvoy } from "../support/envoy.ts";
import { BASIC_POLICY, startGateway } from "../support/gateway.ts";
import { assertError, call, isWhole, type Outcome, STREAMS, UNARY, until } from "./calls.ts";
import { type ChildGateway, startChildGateway } from "./child.ts";

const SHAPES = [...STREAMS, ...UNARY];
const CALLERS = 16;

/** Callers that go on calling, each as soon as its last call ended, in all shapes in turn. */
class Load {
  readonly outcomes: Outcome[] = [];
  readonly #running: readonly Promise<void>[];
  #over = false;

  constructor(gateway: { readonly url: string; readonly key: string }, words: string) {
    this.#running = Array.from({ length: CALLERS }, async (_value, caller) => {
      for (let turn = 0; !this.#over; turn++) {
        const shape = SHAPES[(caller + turn) % SHAPES.length];
        if (shape !== undefined) this.outcomes.push(await call(shape, `call ${caller}/${turn} ${words}`, gateway));
      }
    });
  }

  /** Waits until so many calls that began after `since` have ended like this. */
  ended(what: string, count: number, since: number, like: (outcome: Outcome) => boolean): Promise<void> {
    return until(`${count} ${what}`, () => this.outcomes.filter((outcome) => outcome.startedAt >= since && like(outcome)).length >= count);
  }

  /** No new calls; gives all outcomes once the running ones have ended. */
  async end(): Promise<readonly Outcome[]> {
    this.#over = true;
    await Promise.all(this.#running);
    return this.outcomes;
  }
}

const idOf = (outcome: Outcome): string => String(outcome.headers["x-ai-request-id"]);
const idsOf = (records: readonly ExchangeRecord[]): readonly string[] => records.map(({ id }) => id);

/** Every id once. */
function assertOnce(records: readonly ExchangeRecord[]): void {
  const ids = idsOf(records);
  assert.equal(new Set(ids).size, ids.length, "an exchange has two records");
}

/** Every whole answer that Sluice saw has its record, served. */
function assertRecorded(outcomes: readonly Outcome[], records: readonly ExchangeRecord[]): void {
  const byId = new Map(records.map((record) => [record.id, record]));
  for (const outcome of outcomes.filter(isWhole)) {
    const record = byId.get(idOf(outcome));
    assert.ok(record !== undefined, `an answer without a record (${outcome.shape.name})`);
    assert.ok(record.ending === "served" || record.ending === "crashed", record.ending);
  }
}

/** Streams fail while Sluice is away; none of them may have let anything through, and no message was out of turn. */
async function assertNoBypass(gateway: ChildGateway): Promise<void> {
  const counters = [...(await gateway.envoy.stats())].filter(([name]) =>
    /ext_proc\..*(?:failure_mode_allowed|rejected_header_mutations|spurious_msgs_received)$/.test(name),
  );
  assert.ok(counters.length >= 3, "the ext_proc filter's counters are there");
  assert.deepEqual(
    counters.filter(([, value]) => value !== 0),
    [],
  );
}

describe("Sluice killed under load", () => {
  let gateway: ChildGateway;
  before(async () => {
    gateway = await startChildGateway({ policy: BASIC_POLICY });
  });
  after(() => gateway.stop());

  test("Envoy fails closed at once, recovers without help, and every exchange has one record", async (t) => {
    const load = new Load(gateway, "[[sim tokens=20 token-delay=10]]");
    t.after(() => load.end());
    await load.ended("answers", 40, 0, isWhole);
    assert.equal(await gateway.endSluice("SIGKILL"), "SIGKILL");
    const killedAt = Date.now();
    const left = await gateway.opened();
    const recordedBefore = new Set(idsOf(await gateway.records()));

    // What was under way may break; what begins from now on reads a refusal.
    await load.ended("refusals", 200, killedAt, () => true);
    const refused = load.outcomes.filter(({ startedAt }) => startedAt >= killedAt);
    for (const outcome of refused) {
      assert.equal(outcome.status, 503);
      assertError(outcome, "overloaded");
      assert.equal(outcome.headers["x-should-retry"], "true");
      assert.ok(outcome.endedAt - outcome.startedAt < 3000, `a caller waited ${outcome.endedAt - outcome.startedAt} ms`);
    }
    for (const shape of SHAPES)
      assert.ok(
        refused.some((outcome) => outcome.shape === shape),
        `${shape.name} was not refused`,
      );
    // Those that Sluice let go before it died may still be on their way.
    const late = gateway.simulator.requests.filter(({ startedAt }) => startedAt > killedAt + 200);
    assert.equal(late.length, 0, `${late.length} requests reached the provider without Sluice`);

    await gateway.startSluice();
    const restartedAt = Date.now();
    await load.ended("answers", 40, restartedAt, isWhole);
    const outcomes = await load.end();
    assert.equal(await gateway.endSluice("SIGTERM"), 0, gateway.log());

    const records = await gateway.records();
    assertOnce(records);
    assertRecorded(outcomes, records);
    const byId = new Map(records.map((record) => [record.id, record]));
    const open = left.filter((id) => !recordedBefore.has(id));
    assert.ok(open.length > 0, "nothing was under way when Sluice was killed");
    for (const id of open) assert.equal(byId.get(id)?.ending, "crashed");
    assert.equal(records.filter(({ ending }) => ending === "crashed").length, open.length);
    const forwarded = records.filter(({ target }) => target !== undefined);
    assert.ok(
      gateway.simulator.requests.length <= forwarded.length,
      `${gateway.simulator.requests.length} requests, ${forwarded.length} records of forwarded exchanges`,
    );
    await assertNoBypass(gateway);
  });
});

describe("Sluice stopped under load", () => {
  let gateway: ChildGateway;
  before(async () => {
    gateway = await startChildGateway({ policy: BASIC_POLICY });
  });
  after(() => gateway.stop());

  test("running exchanges end whole, the exit code is 0, every record is written", async (t) => {
    const load = new Load(gateway, "[[sim tokens=40 token-delay=15]]");
    t.after(() => load.end());
    await load.ended("answers", 40, 0, isWhole);
    const stoppedAt = Date.now();
    const exit = gateway.endSluice("SIGTERM");
    await load.ended("refusals", 50, stoppedAt, ({ status }) => status === 503);
    const outcomes = await load.end();
    assert.equal(await exit, 0, gateway.log());
    const underWay = outcomes.filter(({ startedAt, endedAt }) => startedAt < stoppedAt - 50 && endedAt > stoppedAt);
    assert.ok(underWay.length > 0, "nothing was under way when Sluice was stopped");
    for (const outcome of outcomes) {
      if (outcome.startedAt < stoppedAt - 50)
        assert.ok(isWhole(outcome), `${outcome.shape.name} ended with ${outcome.status}: ${outcome.text.slice(-200)}`);
      else if (!isWhole(outcome)) assertError(outcome, "overloaded");
    }
    const records = await gateway.records();
    assertOnce(records);
    assertRecorded(outcomes, records);
    assert.deepEqual(
      [...new Set(records.map(({ ending }) => ending))].filter((ending) => ending !== "served" && ending !== "refused"),
      [],
    );
    assert.equal(records.filter(({ ending }) => ending === "served").length, outcomes.filter(isWhole).length);
    await assertNoBypass(gateway);
  });
});

describe("Envoy killed under load", () => {
  test("what was under way is recorded as aborted, nothing is held, and a new Envoy serves at once", async () => {
    const gateway = await startGateway({ policy: BASIC_POLICY });
    const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${gateway.sluice.adminPort}/metrics`)).text();
    try {
      const streams = STREAMS.map((shape) => call(shape, "[[sim tokens=400 token-delay=20]]", { url: gateway.url, key: gateway.key() }));
      await until("all streams run", () => gateway.simulator.requests.filter(({ tokensSent }) => tokensSent > 5).length === STREAMS.length);
      process.kill(gateway.envoy.pid, "SIGKILL");
      for (const outcome of await Promise.all(streams)) assert.ok(outcome.broken);
      const records = await gateway.records(STREAMS.length);
      assert.deepEqual(
        records.map(({ ending, cost }) => [ending, cost?.estimated]),
        STREAMS.map(() => ["aborted", true]),
      );
      await until("nothing is under way", async () => /^sluice_exchanges_in_flight 0$/m.test(await metrics()));

      const { clusters, sockets, policyHash, bodyBytesMax, requestMsMax } = gateway.envoy.plan;
      const second = await startEnvoy({
        clusters,
        env: { SIM_KEY: "sk-sim-provider-key" },
        plan: { sockets, policyHash, bodyBytesMax, requestMsMax },
      });
      try {
        for (const shape of SHAPES) assert.ok(isWhole(await call(shape, "hello", { url: second.url, key: gateway.key() })), shape.name);
        assert.equal((await gateway.records(STREAMS.length + SHAPES.length)).length, STREAMS.length + SHAPES.length);
        await second.assertClean();
      } finally {
        await second.stop();
        await second.removeFiles();
      }
    } finally {
      await gateway.stop({ clean: false });
    }
  });
});
