import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { StatusView } from "./status.ts";
import { Workers } from "./workers.ts";
import type { FromWorker, ToWorker, WorkerFigures } from "./workers-messages.ts";
import type { WorkerEvents, WorkerTimes } from "./workers-slot.ts";

/** A process that does what the test says. */
interface Fake {
  readonly index: number;
  readonly events: WorkerEvents;
  readonly heard: ToWorker[];
  killed: boolean;
}

const STATUS: StatusView = {
  ...{ name: "0", pid: 1, version: "1", startedAt: "", uptimeSeconds: 0, ready: true, draining: false, inFlight: 0, heldBytes: 0 },
  policy: { name: "p", version: "1", hash: "", loadedAt: "", reloads: 0, rejected: 0 },
  audit: { written: 0, dropped: 0, pendingBytes: 0, recovered: 0, failing: false },
};
const figures = (count: number): WorkerFigures => ({
  status: STATUS,
  families: [{ name: "sluice.exchanges", unit: "", help: "", kind: "counter", points: [{ labels: {}, value: count }] }],
});
const POLICY = { files: [], folder: "/", hash: "1" };

/** Workers whose processes answer `start` by `onStart`. */
function pool(count: number, onStart: (fake: Fake, say: (message: FromWorker) => void) => void, times: Partial<WorkerTimes> = {}) {
  const fakes: Fake[] = [];
  const logged: string[] = [];
  const at = (event: string): void => void logged.push(event);
  const workers = new Workers({
    places: Array.from({ length: count }, (_none, index) => ({
      ...{ socket: `${index}`, data: "", writerId: String(index), rotateBytes: 1, drainMs: 1, ledger: {} },
    })),
    policy: POLICY,
    spawn: (index, events) => {
      const fake: Fake = { index, events, heard: [], killed: false };
      fakes.push(fake);
      return {
        pid: fakes.length,
        send: (message) => {
          fake.heard.push(message);
          if (message.do === "start") queueMicrotask(() => onStart(fake, (said) => events.said(said)));
          if (message.do === "drain") queueMicrotask(() => events.ended("exit code 0"));
        },
        kill: () => {
          fake.killed = true;
          queueMicrotask(() => events.ended("SIGKILL"));
        },
      };
    },
    log: { debug: at, info: at, warn: at, error: at },
    times: { startMax: 1_000, backoffMin: 100, backoffMax: 400, servedWhole: 10_000, foundMax: 50, settle: 10, ...times },
  });
  return { workers, fakes, logged };
}
const ready = (_fake: Fake, say: (message: FromWorker) => void): void => {
  say({ say: "ready", recovered: 0 });
  say({ say: "found" });
};
const turn = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise<void>((resolve) => queueMicrotask(resolve));
};

test("back-off doubles to its cap, and begins anew once a process has served a while", async (t) => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const now = mock.method(performance, "now", () => Date.now());
  t.after(() => {
    mock.timers.reset();
    now.mock.restore();
  });
  const { workers, fakes } = pool(2, ready);
  assert.ok((await workers.start()).ok);
  const startsAfter = async (ms: number): Promise<void> => {
    const before = fakes.length;
    fakes.at(-1)?.events.ended("exit code 1");
    mock.timers.tick(ms - 1);
    assert.equal(fakes.length, before, `not before ${ms} ms`);
    mock.timers.tick(1);
    assert.equal(fakes.length, before + 1, `after ${ms} ms`);
    await turn();
  };
  for (const ms of [100, 200, 400, 400]) await startsAfter(ms);
  mock.timers.tick(10_000);
  await startsAfter(100);
  workers.kill();
});

test("a policy is over when every process says so, and a process that ends holds nobody up", async () => {
  const { workers, fakes } = pool(2, ready);
  assert.ok((await workers.start()).ok);
  const swap = workers.swap({ ...POLICY, hash: "2" });
  const steps: string[] = [];
  void swap.inForce.then(() => steps.push("in force"));
  void swap.over.then(() => steps.push("over"));
  const sent = fakes[0]?.heard.find((message) => message.do === "swap");
  assert.ok(sent?.do === "swap");
  fakes[0]?.events.said({ say: "in_force", swap: sent.swap });
  await turn();
  assert.deepEqual(steps, []);
  fakes[1]?.events.ended("SIGKILL");
  await turn();
  assert.deepEqual(steps, ["in force"]);
  fakes[0]?.events.said({ say: "over", swap: sent.swap });
  await turn();
  assert.deepEqual(steps, ["in force", "over"]);
  workers.kill();
});

test("none that can start is an error with each cause once", async () => {
  const { workers } = pool(3, (fake, say) => {
    say({ say: "failed", problem: fake.index === 0 ? "no room" : "no socket" });
    fake.events.ended("exit code 1");
  });
  const started = await workers.start();
  assert.deepEqual(started, { ok: false, error: "no room\nno socket" });
});

test("a rolling restart stops at the first place that does not come back, and never takes the last one that serves", async () => {
  let broken = false;
  const { workers, fakes, logged } = pool(3, (fake, say) => {
    if (!broken) return ready(fake, say);
    say({ say: "failed", problem: "broken" });
    fake.events.ended("exit code 1");
  });
  assert.ok((await workers.start()).ok);
  broken = true;
  assert.equal(await workers.rollingRestart(10), false);
  assert.ok(logged.includes("rolling_restart_ended"));
  assert.equal(fakes.filter(({ heard }) => heard.some((message) => message.do === "drain")).length, 1);
  assert.equal(workers.ready, true, "two of three serve on");
  fakes[1]?.events.ended("SIGKILL");
  assert.equal(workers.ready, false);
  assert.equal(await workers.rollingRestart(10), false);
  assert.equal(
    fakes[2]?.heard.some((message) => message.do === "drain"),
    false,
  );
  workers.kill();
});

test("sums do not fall when a process ends, and what it counted last is kept", async () => {
  const { workers, fakes } = pool(2, ready);
  assert.ok((await workers.start()).ok);
  const asked = workers.figures();
  for (const [index, fake] of fakes.entries()) {
    const ask = fake.heard.find((message) => message.do === "figures");
    assert.ok(ask?.do === "figures");
    fake.events.said({ say: "figures", ask: ask.ask, figures: figures(index + 5) });
  }
  assert.equal((await asked).length, 2);
  fakes[0]?.events.ended("SIGKILL");
  fakes[1]?.events.said({ say: "ended", figures: figures(9) });
  fakes[1]?.events.ended("exit code 0");
  assert.deepEqual(workers.gone, [{ name: "sluice.exchanges", unit: "", help: "", kind: "counter", points: [{ labels: {}, value: 14 }] }]);
  workers.kill();
});

test("a process that answers nothing is killed, one that answers now and then is not", async () => {
  const { workers, fakes } = pool(2, ready, { askEvery: 20, hangMax: 100, backoffMin: 60_000 });
  assert.ok((await workers.start()).ok);
  const lively = fakes[1];
  const speak = setInterval(() => {
    const ask = lively?.heard.findLast((message) => message.do === "figures");
    if (ask?.do === "figures") lively?.events.said({ say: "figures", ask: ask.ask, figures: figures(1) });
  }, 50);
  for (let waited = 0; waited < 5_000 && fakes[0]?.killed !== true; waited += 20) await new Promise((resolve) => setTimeout(resolve, 20));
  clearInterval(speak);
  assert.deepEqual([fakes[0]?.killed, lively?.killed], [true, false]);
  assert.match(workers.status([])[0]?.problem ?? "", /no answer for/);
  workers.kill();
});
