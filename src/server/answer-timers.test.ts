import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Denial } from "../core/denials.ts";
import { AnswerTimers } from "./answer-timers.ts";

/** Starts timers; `expired` holds what they said, with the time since the start. */
function started({ requestMs, idleMs, latencyCapMs }: { requestMs: number; idleMs: number; latencyCapMs?: number }, elapsedMs = 0) {
  const timers = new AnswerTimers();
  const expired: { readonly denial: Denial; readonly ms: number }[] = [];
  const began = performance.now();
  timers.start({ policy: { timeouts: { requestMs, idleMs } }, latencyCapMs }, elapsedMs, (denial) =>
    expired.push({ denial, ms: performance.now() - began }),
  );
  return { timers, expired };
}

test("an answer that stands still ends after the idle limit, counted from its last chunk", async () => {
  const { timers, expired } = started({ requestMs: 60_000, idleMs: 60 });
  for (let chunk = 0; chunk < 4; chunk++) {
    await sleep(30);
    timers.refresh();
  }
  assert.equal(expired.length, 0);
  await sleep(150);
  assert.equal(expired.length, 1);
  assert.equal(expired[0]?.denial.code, "upstream_timeout");
  assert((expired[0]?.ms ?? 0) >= 4 * 30 + 59);
});

test("an answer that goes on and on ends at the total limit, counted from the request's arrival", async () => {
  const { timers, expired } = started({ requestMs: 1_000, idleMs: 80 }, 880);
  for (let chunk = 0; chunk < 10; chunk++) {
    await sleep(20);
    timers.refresh();
  }
  timers.stop();
  assert.equal(expired.length, 1);
  assert.equal(expired[0]?.denial.code, "upstream_timeout");
  assert((expired[0]?.ms ?? 0) >= 119);
});

test("a latency cap below the total limit says so, also when it is over already", async () => {
  const { expired } = started({ requestMs: 60_000, idleMs: 60_000, latencyCapMs: 50 }, 70);
  await sleep(20);
  assert.deepEqual(
    expired.map(({ denial }) => denial.code),
    ["latency_cap"],
  );
});

test("a stopped timer stays still", async () => {
  const { timers, expired } = started({ requestMs: 20, idleMs: 20 });
  timers.stop();
  await sleep(50);
  assert.deepEqual(expired, []);
});
