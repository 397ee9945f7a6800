/** What the SDK tests share: one policy, and a look at what one call of an SDK came to at the provider and in the records. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { ExchangeRecord } from "../../src/core/record.ts";
import type { SimulatedRequest } from "../../src/simulator/server.ts";
import type { Gateway } from "../support/gateway.ts";
import { assertSubset } from "../support/subset.ts";

/**
 * Apps of tenant acme, each with one use case: `bot` is the usual one, `capped` has a latency cap, `idle` a short patience with
 * silent streams, `hasty` a short request timeout and error bodies of Sluice's own, `small` a small input. `globex/bot` must stay in the EU.
 */
export const SDK_POLICY = `
apiVersion: sluice/v1
version: "sdk.1"
providers:
  openai: { format: openai, baseUrl: "\${SIM}/v1", credential: { env: SIM_KEY }, regions: [us], residency: [us] }
  openai-eu: { format: openai, baseUrl: "\${SIM}/v1", credential: { env: SIM_KEY }, regions: [eu], residency: [eu] }
  anthropic: { format: anthropic, baseUrl: "\${SIM}", credential: { env: SIM_KEY }, regions: [us], residency: [us] }
  gemini: { format: gemini, baseUrl: "\${SIM}", credential: { env: SIM_KEY }, regions: [us], residency: [us] }
models:
  gpt-4o-mini: { targets: [{ provider: openai, model: gpt-4o-mini }], price: { input: "0.15", output: "0.6", cachedInput: "0.075" } }
  o4-mini: { targets: [{ provider: openai, model: o4-mini }], price: { input: "1.1", output: "4.4" } }
  claude-haiku-4-5: { targets: [{ provider: anthropic, model: claude-haiku-4-5 }], price: { input: "1", output: "5" } }
  gemini-2.5-flash: { targets: [{ provider: gemini, model: gemini-2.5-flash }], price: { input: "0.3", output: "2.5" } }
  text-embedding-3-small: { targets: [{ provider: openai, model: text-embedding-3-small }], price: { input: "0.02" } }
  secret-model: { targets: [{ provider: openai-eu, model: secret-model }, { provider: anthropic, model: secret-model }, { provider: gemini, model: secret-model }], price: { input: "1" } }
tiers:
  standard: [gpt-4o-mini, claude-haiku-4-5, gemini-2.5-flash]
defaults:
  access: { models: [gpt-4o-mini, o4-mini, claude-haiku-4-5, gemini-2.5-flash, text-embedding-3-small], tiers: [standard], tools: { allow: ["get_*"] } }
  caps: { outputTokensMax: 3000 }
  route: { retry: { attempts: 1 } }
tenants:
  acme:
    apps:
      bot: { credentials: [{ apiKey: { id: bot, sha256: "\${KEY:acme/bot}" } }, { apiKey: { id: old, sha256: "\${KEY:expired}", expires: "2020-01-01" } }], useCases: [chat] }
      capped: { credentials: [{ apiKey: { id: capped, sha256: "\${KEY:acme/capped}" } }], useCases: [capped] }
      idle: { credentials: [{ apiKey: { id: idle, sha256: "\${KEY:acme/idle}" } }], useCases: [idle] }
      hasty: { credentials: [{ apiKey: { id: hasty, sha256: "\${KEY:acme/hasty}" } }], useCases: [hasty] }
      small: { credentials: [{ apiKey: { id: small, sha256: "\${KEY:acme/small}" } }], useCases: [small] }
  globex:
    residency: eu
    apps:
      bot: { credentials: [{ apiKey: { id: globex, sha256: "\${KEY:globex/bot}" } }], useCases: [chat] }
useCases:
  chat: {}
  capped: { caps: { latencyMsMax: 500 } }
  idle: { timeouts: { idleMs: 300, requestMs: 20000 } }
  hasty: { timeouts: { requestMs: 400 }, errors: normalised }
  small: { access: { inputBytesMax: 200 } }
`;

/** What one piece of SDK use came to. */
export interface Observed<T> {
  readonly result: T;
  /** The exchanges' records, in the order of their ends. */
  readonly records: readonly ExchangeRecord[];
  /** What arrived at the provider. */
  readonly sent: readonly SimulatedRequest[];
}

/** Runs it, waits until `exchanges` records are written, and fails when there are more or fewer, or other calls at the provider. */
export async function observe<T>(
  gateway: Gateway,
  expected: { readonly exchanges: number; readonly sent: number },
  use: () => Promise<T>,
): Promise<Observed<T>> {
  const sentBefore = gateway.simulator.requests.length;
  const recordsBefore = (await gateway.records()).length;
  const result = await use();
  const records = (await gateway.records(recordsBefore + expected.exchanges)).slice(recordsBefore);
  const sent = gateway.simulator.requests.slice(sentBefore);
  assert.equal(
    records.length,
    expected.exchanges,
    `${records.length} exchanges: ${JSON.stringify(records.map(({ code, ending }) => ({ code, ending })))}`,
  );
  assert.equal(sent.length, expected.sent, `the provider was called ${sent.length} times`);
  return { result, records, sent };
}

/** One call, one exchange, one request at the provider: its record holds at least this. */
export async function served<T>(
  gateway: Gateway,
  expected: object,
  use: () => Promise<T>,
): Promise<Observed<T> & { readonly record: ExchangeRecord }> {
  const seen = await observe(gateway, { exchanges: 1, sent: 1 }, use);
  const [record] = seen.records;
  assert.ok(record !== undefined);
  assertSubset(
    record,
    { decision: "allowed", ending: "served", status: 200, answer: { complete: true }, cost: { estimated: false }, ...expected },
    "record",
  );
  return { ...seen, record };
}

/** A refusal before the provider: the SDK's error as `use` throws it, and the record of the one exchange (no retry). */
export async function refused(
  gateway: Gateway,
  code: string,
  use: () => Promise<unknown>,
): Promise<{ readonly error: unknown; readonly record: ExchangeRecord }> {
  const { result, records } = await observe(gateway, { exchanges: 1, sent: 0 }, () => caught(use));
  const [record] = records;
  assert.ok(record !== undefined);
  assertSubset(record, { decision: "refused", ending: "refused", code }, "record");
  return { error: result, record };
}

/** What it throws; fails when it does not. */
export async function caught(use: () => Promise<unknown>): Promise<unknown> {
  try {
    await use();
  } catch (error) {
    return error;
  }
  return assert.fail("the SDK raised nothing");
}

/** Everything that a stream gives. */
export async function drained<T>(stream: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of stream) all.push(item);
  return all;
}

/** Waits until it holds, at most ten seconds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    if (await holds()) return;
    await sleep(20);
  }
  assert.fail(`not within ten seconds: ${what}`);
}

/** A tool that the policy allows, and the arguments that the simulator makes up for it. */
export const WEATHER = {
  name: "get_weather",
  parameters: {
    type: "object" as const,
    properties: { city: { type: "string" }, unit: { type: "string", enum: ["celsius", "kelvin"] }, days: { type: "integer", minimum: 3 } },
    required: ["city", "unit", "days"],
    additionalProperties: false,
  },
};
export const WEATHER_ARGUMENTS = { city: "simulated", unit: "celsius", days: 3 };
