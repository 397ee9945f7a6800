/** Callers that leave, and providers that break off: nobody works on for them, and the evidence is whole. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ExchangeRecord } from "../../src/core/record.ts";
import { BASIC_POLICY, type Gateway, startGateway } from "../support/gateway.ts";
import { assertError, call, type Outcome, type Shape, STREAMS, UNARY, until } from "./calls.ts";

const SLOW = "hello [[sim tokens=400 token-delay=20]]";
const POLICY = BASIC_POLICY.replace("outputTokensMax: 500", "outputTokensMax: 5000000")
  .replace(/^providers:/m, "limits: { bodyBytesMax: 300000 }\nproviders:")
  .replace("  chat:\n", "  chat:\n    route: { retry: { attempts: 1 } }\n    timeouts: { requestMs: 20000, idleMs: 400 }\n");

let gateway: Gateway;
before(async () => {
  gateway = await startGateway({ policy: POLICY });
});
after(() => gateway.stop());

/** One call, and the record of its exchange. */
async function observed(
  shape: Shape,
  text: string,
  more: object = {},
): Promise<{ readonly outcome: Outcome; readonly record: ExchangeRecord }> {
  const written = (await gateway.records()).length;
  const outcome = await call(shape, text, { url: gateway.url, key: gateway.key(), ...more });
  const record = (await gateway.records(written + 1))[written];
  assert.ok(record !== undefined, "no record");
  return { outcome, record };
}

async function assertIdle(): Promise<void> {
  const gauges = ["sluice_exchanges_in_flight", "sluice_held_bytes"];
  await until("nothing is under way", async () => {
    const text = await (await fetch(`http://127.0.0.1:${gateway.sluice.adminPort}/metrics`)).text();
    return gauges.every((name) => new RegExp(`^${name} 0$`, "m").test(text));
  });
}

describe("a caller that leaves in the middle of a stream", () => {
  for (const shape of STREAMS) {
    test(shape.name, async () => {
      let leftAt = 0;
      let pieces = 0;
      const { record } = await observed(shape, SLOW, {
        onPiece: (_piece: string, leave: () => void) => {
          pieces += 1;
          if (pieces < 8 || leftAt > 0) return;
          leftAt = Date.now();
          leave();
        },
      });
      await until("the provider's connection is closed", () => gateway.simulator.requests.at(-1)?.endedAt !== undefined);
      const request = gateway.simulator.requests.at(-1);
      assert.ok(request?.closedEarly, "the provider went on");
      assert.ok((request.endedAt ?? 0) - leftAt < 1000, `closed after ${(request.endedAt ?? 0) - leftAt} ms`);
      assert.ok(request.tokensSent < 100, `${request.tokensSent} tokens were made for nobody`);
      assert.equal(record.ending, "aborted");
      assert.equal(record.cost?.estimated, true);
      assert.ok((record.usage?.inputTokens ?? 0) > 0 && (record.usage?.outputTokens ?? 0) > 0, JSON.stringify(record.usage));
      await assertIdle();
    });
  }
});

describe("a provider that keeps the line open after the last event", () => {
  /** What the provider sends for this call when Sluice asks for it, then silence; and what the caller gets of it. */
  async function linger(shape: Shape): Promise<string> {
    const { outcome } = await observed(shape, "hello");
    const sent = gateway.simulator.requests.at(-1);
    assert.ok(sent !== undefined);
    const whole = await fetch(gateway.simulator.url + sent.path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: sent.body,
    });
    const chunks = [await whole.text(), ""];
    gateway.simulator.respondWith(() => ({
      status: 200,
      headers: { "content-type": whole.headers.get("content-type") ?? "" },
      chunks,
      chunkDelayMs: 5000,
    }));
    return outcome.text;
  }
  const assertServed = (record: ExchangeRecord): void =>
    assert.deepEqual(
      [record.ending, record.answer?.complete, record.cost?.estimated, record.code],
      ["served", true, false, undefined],
      JSON.stringify(record),
    );

  for (const shape of STREAMS) {
    test(`the caller hangs up on it, as SDKs do: ${shape.name}`, async () => {
      const { length } = await linger(shape);
      let received = 0;
      const { record } = await observed(shape, "hello", {
        onPiece: (piece: string, leave: () => void) => {
          received += piece.length;
          if (received >= length) leave();
        },
      }).finally(() => gateway.simulator.respondWith(undefined));
      assertServed(record);
    });
    test(`the caller waits, and gets the end when the provider's patience is used up: ${shape.name}`, async () => {
      const text = await linger(shape);
      const { outcome, record } = await observed(shape, "hello").finally(() => gateway.simulator.respondWith(undefined));
      assert.deepEqual([outcome.status, outcome.broken, outcome.text.length], [200, false, text.length]);
      assertServed(record);
    });
  }
});

describe("a caller that leaves before its answer", () => {
  for (const shape of UNARY) {
    test(shape.name, async () => {
      const written = (await gateway.records()).length;
      const sent = gateway.simulator.requests.length;
      let leave = (): void => undefined;
      const gone = call(shape, "hello [[sim delay=8000]]", { url: gateway.url, key: gateway.key(), onSent: (close) => (leave = close) });
      await until("the provider has the request", () => gateway.simulator.requests.length > sent);
      leave();
      assert.equal((await gone).broken, true);
      await until("the provider's connection is closed", () => gateway.simulator.requests.at(-1)?.closedEarly === true, 1000);
      const record = (await gateway.records(written + 1))[written];
      assert.equal(record?.ending, "aborted");
      // It left, so the provider may bill it: its input, and as much output as the call allowed.
      assert.equal(record?.cost?.estimated, true);
      assert.ok((record?.usage?.outputTokens ?? 0) > 0);
      await assertIdle();
    });
  }
});

describe("a provider that breaks off", () => {
  for (const shape of STREAMS) {
    test(`in the middle of a stream: ${shape.name}`, async () => {
      const { outcome, record } = await observed(shape, "hello [[sim tokens=40 cut=10]]");
      assert.ok(outcome.broken || /"error"/.test(outcome.text), "the caller takes a part for the whole");
      assert.equal(record.ending, "aborted");
      assert.equal(record.cost?.estimated, true);
      assert.equal(record.answer?.complete, false);
    });
  }
  for (const shape of UNARY) {
    test(`in the middle of a body: ${shape.name}`, async () => {
      const { outcome, record } = await observed(shape, "hello [[sim tokens=40 cut=1]]");
      assert.ok(outcome.broken || (outcome.status ?? 0) >= 500, "the caller takes a part for the whole");
      assert.notEqual(record.ending, "served");
      // The caller got no 200: Envoy told it something of its own.
      assert.deepEqual([record.status, record.upstreamStatus], [undefined, 200]);
      await assertIdle();
    });
  }
});

describe("a provider that answers with something else", () => {
  for (const shape of UNARY) {
    test(`a page instead of an answer passes, and the record says so: ${shape.name}`, async () => {
      const { outcome, record } = await observed(shape, "hello [[sim garbage]]");
      assert.deepEqual([outcome.status, outcome.broken], [200, false]);
      assert.match(outcome.text, /^<html>/);
      assert.deepEqual([record.answer?.complete, record.cost?.estimated], [false, true]);
    });
    test(`nothing at all: ${shape.name}`, async () => {
      const { outcome, record } = await observed(shape, "hello [[sim empty]]");
      assert.deepEqual([outcome.status, outcome.text, outcome.broken], [200, "", false]);
      assert.deepEqual([record.answer?.complete, record.cost?.estimated], [false, true]);
    });
    test(`a body over the cap is refused in the caller's dialect: ${shape.name}`, async () => {
      const { outcome, record } = await observed(shape, "hello [[sim big=2000000]]");
      assert.equal(outcome.status, 502);
      assertError(outcome, "upstream_invalid");
      assert.deepEqual([record.code, record.ending], ["upstream_invalid", "cut"]);
      await assertIdle();
    });
    test(`headers and then silence: ${shape.name}`, async () => {
      gateway.simulator.respondWith(() => ({
        status: 200,
        headers: { "content-type": "application/json" },
        chunks: ["", "{}"],
        chunkDelayMs: 5000,
      }));
      const { outcome, record } = await observed(shape, "hello").finally(() => gateway.simulator.respondWith(undefined));
      assert.equal(outcome.status, 504);
      assertError(outcome, "upstream_timeout");
      assert.deepEqual([record.code, record.ending], ["upstream_timeout", "cut"]);
    });
  }
  for (const shape of STREAMS) {
    test(`a page instead of a stream passes, and the record says so: ${shape.name}`, async () => {
      const { outcome, record } = await observed(shape, "hello [[sim garbage]]");
      assert.match(outcome.text, /^<html>/);
      assert.deepEqual([record.answer?.complete, record.cost?.estimated], [false, true]);
    });
    test(`an empty stream: ${shape.name}`, async () => {
      const { outcome, record } = await observed(shape, "hello [[sim empty]]");
      assert.deepEqual([outcome.status, outcome.text, outcome.broken], [200, "", false]);
      assert.equal(record.answer?.complete, false);
    });
    test(`a stream over the cap of bodies passes: ${shape.name}`, async () => {
      const { outcome, record } = await observed(shape, "hello [[sim big=2000000]]");
      assert.ok(outcome.text.length > 2_000_000);
      assert.deepEqual([record.ending, record.answer?.complete], ["served", true]);
    });
    test(`headers and then silence: ${shape.name}`, async () => {
      gateway.simulator.respondWith(() => ({
        status: 200,
        headers: { "content-type": "text/event-stream" },
        chunks: ["", "data: {}\n\n"],
        chunkDelayMs: 5000,
      }));
      const { outcome, record } = await observed(shape, "hello").finally(() => gateway.simulator.respondWith(undefined));
      assert.equal(outcome.status, 504);
      assertError(outcome, "upstream_timeout");
      assert.deepEqual([record.code, record.ending, record.status], ["upstream_timeout", "cut", 504]);
    });
  }
});
