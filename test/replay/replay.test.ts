/**
 * Recorded provider traffic through the whole path: the recorded request goes in, the recorded answer comes back in random
 * pieces, and nothing may have changed but what Sluice says it changes. Our own exchanges always run; those of the fixtures
 * folder run where it is present. `FUZZ_SEED` repeats the cuts of a failed run.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { asksForUsage, drawFrom, expectedUsage, REPORTS_ON_DEMAND, randomCuts, withoutForcedUsage } from "./expected.ts";
import { ownRecordings } from "./own.ts";
import { AZURE_VERSION, type Call, type Recording, readRecordings, toCall } from "./recordings.ts";

const seed = process.env["FUZZ_SEED"] === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(process.env["FUZZ_SEED"]);

replay("our own exchanges", ownRecordings());

const recorded = readRecordings();
if (recorded === undefined) {
  test("recorded provider traffic", { skip: "the fixtures folder is not here; SLUICE_FIXTURES names it" }, () => {});
} else replay("recorded provider traffic", recorded);

function replay(name: string, recordings: readonly Recording[]): void {
  const calls: Call[] = [];
  const leftOut = new Map<string, number>();
  for (const recording of recordings) {
    const call = toCall(recording);
    if (typeof call !== "string") calls.push(call);
    else leftOut.set(call, (leftOut.get(call) ?? 0) + 1);
  }
  describe(name, () => {
    const draw = drawFrom(seed);
    let gateway: Gateway;
    before(async () => {
      gateway = await startGateway({ policy: policyFor(calls) });
    });
    after(() => gateway.stop());

    test("what runs and what is left out", (t) => {
      const surfaces = new Map<string, number>();
      for (const { surface } of calls) surfaces.set(surface, (surfaces.get(surface) ?? 0) + 1);
      t.diagnostic(
        `seed ${seed}; ${calls.length} of ${recordings.length} replayed: ${[...surfaces].map(([surface, count]) => `${surface} ${count}`).join(", ")}`,
      );
      for (const [reason, count] of leftOut) t.diagnostic(`left out ${count}: ${reason}`);
      assert.ok(calls.length > 0, "nothing to replay");
    });
    for (const call of calls) {
      test(`${call.surface} ${call.id}`, async () => {
        await replayOne(gateway, call, draw);
      });
      // The other way round: the caller does not ask, so the report is Sluice's own and must leave no trace.
      if (REPORTS_ON_DEMAND.has(call.surface) && call.streaming && asksForUsage(call)) {
        test(`${call.surface} ${call.id}, usage not asked for`, async () => {
          await replayOne(gateway, notAsking(call), draw);
        });
      }
    }
  });
}

async function replayOne(gateway: Gateway, call: Call, draw: () => number): Promise<void> {
  const { status, contentType, body } = call.answer;
  const chunks = randomCuts(body, draw);
  gateway.simulator.respondWith(() => ({
    status,
    ...(contentType === undefined ? {} : { headers: { "content-type": contentType } }),
    chunks,
  }));
  const before = gateway.simulator.requests.length;
  const response = await fetch(gateway.url + call.path, {
    method: call.method,
    headers: { ...call.headers, ...keyHeader(call, gateway.key()) },
    ...(call.method === "GET" ? {} : { body: call.body }),
  });
  const got = Buffer.from(await response.arrayBuffer());
  const arrived = gateway.simulator.requests.slice(before);
  assert.equal(
    arrived.length,
    1,
    `the provider was called ${arrived.length} times; the caller got ${response.status} ${got.toString("utf8", 0, 400)}`,
  );
  const [request] = arrived;
  assert.ok(request !== undefined);

  assert.equal(decodeURIComponent(request.path), decodeURIComponent(call.sentPath ?? call.path));
  const forced = !asksForUsage(call);
  if (forced) {
    assert.deepEqual(JSON.parse(request.body.toString()), {
      ...JSON.parse(call.body.toString()),
      stream_options: { ...optionsOf(call), include_usage: true },
    });
  } else assertBytes(request.body, call.body, "the provider's request");
  assert.equal(response.status, status);
  assert.equal(response.headers.get("content-type"), contentType ?? null);
  assertBytes(got, forced && status < 400 ? withoutForcedUsage(body) : body, "the caller's answer");

  const record = await gateway.record(response.headers.get("x-ai-request-id") ?? "");
  assert.equal(record.surface, call.surface);
  assert.equal(record.streaming, call.streaming);
  assert.equal(record.status, status);
  assert.equal(record.ending, "served");
  assert.equal(record.decision, "allowed");
  assert.equal(record.bytes.answer, body.length);
  assertUsage(call, record);
}

function assertUsage(call: Call, record: Awaited<ReturnType<Gateway["record"]>>): void {
  if (call.surface === "openai.responses.get") {
    assert.deepEqual([record.usage, record.cost], [undefined, undefined], "what is read again is not counted again");
    return;
  }
  if (call.usage === undefined) {
    // An error costs nothing; an answer that says nothing of its usage is estimated, and the record says so.
    if (call.answer.status >= 400) assert.equal(record.usage, undefined);
    else if (record.cost !== undefined) assert.equal(record.cost.estimated, true);
    return;
  }
  const { usage } = record;
  assert.ok(usage !== undefined, "the record has no usage");
  const writes = [usage.cacheWriteTokens, usage.cacheWrite1hTokens].filter((figure) => figure !== undefined);
  const seen = {
    inputTokens: usage.inputTokens ?? null,
    outputTokens: usage.outputTokens ?? null,
    cachedInputTokens: usage.cachedInputTokens ?? null,
    cacheWriteTokens: writes.length === 0 ? null : writes.reduce((sum, figure) => sum + figure, 0),
    reasoningTokens: usage.reasoningTokens ?? null,
  };
  assert.deepEqual(seen, expectedUsage(call.usage), `usage of ${JSON.stringify(call.usage.raw)}`);
  for (const [path, figure] of figures(call.usage.raw)) assert.equal(usage.reported[path], figure, `reported.${path}`);
  if (record.cost !== undefined) assert.equal(record.cost.estimated, false);
}

/** Every number of a usage object by dotted path. */
function* figures(value: unknown, path = ""): Generator<readonly [string, number]> {
  if (typeof value === "number") yield [path, value];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  for (const [key, inner] of Object.entries(value)) yield* figures(inner, path === "" ? key : `${path}.${key}`);
}

function assertBytes(actual: Buffer, expected: Buffer, what: string): void {
  if (actual.equals(expected)) return;
  let at = 0;
  while (at < actual.length && actual[at] === expected[at]) at++;
  const around = (bytes: Buffer): string => bytes.toString("utf8", Math.max(0, at - 60), at + 120);
  assert.fail(
    `${what} differs at byte ${at} (${actual.length} bytes instead of ${expected.length}):\n  is     ${around(actual)}\n  should ${around(expected)}`,
  );
}

function optionsOf(call: Call): Record<string, unknown> {
  const body: { stream_options?: Record<string, unknown> | null } = JSON.parse(call.body.toString());
  return body.stream_options ?? {};
}

/** The same call by a caller that does not ask for usage. */
function notAsking(call: Call): Call {
  const { stream_options: _asked, ...rest } = JSON.parse(call.body.toString());
  return { ...call, body: Buffer.from(JSON.stringify(rest)) };
}

function keyHeader({ dialect }: Call, key: string): Record<string, string> {
  if (dialect === "anthropic") return { "x-api-key": key };
  return dialect === "gemini" ? { "x-goog-api-key": key } : { authorization: `Bearer ${key}` };
}

/** One provider a format on the simulator, the recorded model names as models, and everything allowed. */
function policyFor(calls: readonly Call[]): string {
  const served = new Map<string, Set<string>>();
  for (const { model, dialect, provider } of calls) served.set(model, (served.get(model) ?? new Set()).add(provider ?? dialect));
  const models = [...served].map(([model, dialects]) => {
    // What no caller asks for by its region comes last.
    const targets = [...dialects]
      .sort((a, b) => Number(a === "azure") - Number(b === "azure"))
      .map((dialect) => `{ provider: ${dialect}, model: ${JSON.stringify(model)} }`);
    return `  ${JSON.stringify(model)}: { targets: [${targets.join(", ")}], price: { input: "1", output: "2" } }`;
  });
  return `
apiVersion: sluice/v1
version: "replay.1"
providers:
  openai: { format: openai, regions: [plain], baseUrl: "\${SIM}/v1", credential: { env: SIM_KEY } }
  azure: { format: openai, regions: [azure], baseUrl: "\${SIM}/openai", azure: { api: deployments, apiVersion: "${AZURE_VERSION}" }, credential: { env: SIM_KEY } }
  anthropic: { format: anthropic, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
  gemini: { format: gemini, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
models:
${models.join("\n")}
tenants:
  acme:
    apps:
      bot:
        credentials: [{ apiKey: { id: k1, sha256: "\${KEY:acme/bot}" } }]
        useCases: [all]
useCases:
  all:
    access: { models: ["*"], tools: { allow: ["*"] }, providerState: allow }
`;
}
