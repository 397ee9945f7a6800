import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { AnswerTimers } from "./answer-timers.ts";

interface Limits {
  readonly requestMs: number;
  readonly idleMs: number;
  readonly latencyCapMs?: number;
}

/** Timers on a clock of the test's own; `expired` holds the codes of what they said, and when. */
function started(t: TestContext, { latencyCapMs, ...timeouts }: Limits, elapsedMs = 0) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let nowMs = 1_000;
  const timers = new AnswerTimers({ monotonicMs: () => nowMs, wallMs: () => nowMs });
  const expired: string[] = [];
  timers.start({ policy: { timeouts }, latencyCapMs }, elapsedMs, ({ code }) => expired.push(`${code} at ${nowMs - 1_000}`));
  const pass = (ms: number): void => {
    for (let passed = 0; passed < ms; passed++) {
      nowMs += 1;
      t.mock.timers.tick(1);
    }
  };
  const chunk = (): void => timers.refresh(nowMs);
  return { timers, expired, pass, chunk };
}

test("an answer that stands still ends after the idle limit, counted from its last chunk", (t) => {
  const { expired, pass, chunk } = started(t, { requestMs: 60_000, idleMs: 60 });
  for (let count = 0; count < 4; count++) {
    pass(50);
    chunk();
  }
  pass(55);
  assert.deepEqual(expired, []);
  pass(100);
  assert.deepEqual(expired, ["upstream_timeout at 260"]);
});

test("an answer that goes on and on ends at the total limit, counted from the request's arrival", (t) => {
  const { expired, pass, chunk } = started(t, { requestMs: 1_000, idleMs: 80 }, 880);
  for (let count = 0; count < 12; count++) {
    pass(20);
    chunk();
  }
  assert.equal(expired[0], "upstream_timeout at 120");
});

test("a latency cap below the total limit says so, also when it is over already", (t) => {
  const { expired, pass } = started(t, { requestMs: 60_000, idleMs: 60_000, latencyCapMs: 50 }, 70);
  pass(5);
  assert.deepEqual(expired, ["latency_cap at 1"]);
});

test("a stopped timer stays still", (t) => {
  const { timers, expired, pass } = started(t, { requestMs: 20, idleMs: 20 });
  timers.stop();
  pass(50);
  assert.deepEqual(expired, []);
});
