/**
 * Sluice's own share of a unary exchange, without gRPC and Envoy: the driver fed with the messages of one call, over and over.
 * For profiling: node --cpu-prof test/bench/driver.ts [CALLS] [POLICY]. Prints microseconds a call. POLICY is a file beside this one:
 * `policy-ledger.yaml` counts each call in the embedded store too, `policy-guards.yaml` reads its texts and the answer's.
 */
import { createHash, randomUUIDv7 } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openJsonlAudit } from "../../src/adapters/audit/jsonl.ts";
import { openGptTokens } from "../../src/adapters/tokens/gpt.ts";
import { openLedger } from "../../src/cli/ledger.ts";
import { LEDGER_DEFAULTS } from "../../src/cli/ledger-settings.ts";
import { DIALECTS } from "../../src/codecs/dialects.ts";
import { findCodec } from "../../src/codecs/index.ts";
import { loadPolicy } from "../../src/config/load.ts";
import { compileSnapshot } from "../../src/config/snapshot.ts";
import type { WireRequest } from "../../src/envoy/wire.ts";
import { systemClock } from "../../src/ports/clock.ts";
import { Capacity } from "../../src/server/capacity.ts";
import { Driver } from "../../src/server/driver.ts";
import { Metrics } from "../../src/server/metrics.ts";
import { STAGES } from "../../src/stages/index.ts";
import { testKeyring } from "../support/keyring.ts";

const calls = Number(process.argv[2] ?? 20_000);
const dir = mkdtempSync(join(tmpdir(), "sluice-d-"));
const KEY = "slk_bench_key";
writeFileSync(
  join(dir, "policy.yaml"),
  readFileSync(join(import.meta.dirname, process.argv[3] ?? "policy.yaml"), "utf8")
    .replaceAll("${SIM}", "http://127.0.0.1:1")
    .replaceAll("${KEY}", createHash("sha256").update(KEY).digest("hex")),
);
const loaded = await loadPolicy(join(dir, "policy.yaml"), STAGES);
if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
const snapshot = compileSnapshot(loaded.value, STAGES);
const audit = await openJsonlAudit({
  dir: join(dir, "data"),
  writerId: "b",
  rotateBytes: 2 ** 30,
  pendingBytesMax: 2 ** 26,
  clock: systemClock,
  onError: () => {},
});
if (!audit.ok) throw new Error("no audit");
const capacity = new Capacity();
const log = { debug: () => {}, info: () => {}, warn: console.warn, error: console.error };
const ledger = await openLedger(LEDGER_DEFAULTS, join(dir, "data"), log);
if (!ledger.ok) throw new Error(ledger.error);
const deps = {
  stores: { tokens: openGptTokens(), ledger: ledger.value.desk, keyring: testKeyring() },
  clock: systemClock,
  audit: audit.value,
  snapshots: { take: () => snapshot, release: () => {} },
  findCodec,
  dialects: DIALECTS,
  newId: randomUUIDv7,
  keySets: { current: () => undefined, refresh: () => Promise.resolve() },
  overloaded: () => false,
  capacity,
  metrics: new Metrics(),
  log,
};

const headers = (pairs: Readonly<Record<string, string>>) => ({
  headers: Object.entries(pairs).map(([key, value]) => ({ key, raw_value: Buffer.from(value) })),
});
const body = Buffer.from(
  JSON.stringify({
    model: "gpt-4o-mini",
    max_tokens: 20,
    messages: [
      { role: "system", content: "You are a helpful assistant." },
      { role: "user", content: "The quick brown fox jumps over the lazy dog. ".repeat(42) },
    ],
  }),
);
const answer = Buffer.from(
  JSON.stringify({
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1,
    model: "gpt-4o-mini",
    choices: [{ index: 0, message: { role: "assistant", content: "An answer of some words. ".repeat(8) }, finish_reason: "stop" }],
    usage: {
      prompt_tokens: 500,
      completion_tokens: 20,
      total_tokens: 520,
      prompt_tokens_details: { cached_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0 },
    },
  }),
);
const requestHeaders: WireRequest = {
  request: "request_headers",
  request_headers: {
    headers: headers({
      ":method": "POST",
      ":path": "/v1/chat/completions",
      ":authority": "127.0.0.1",
      ":scheme": "http",
      "content-type": "application/json",
      "content-length": String(body.length),
      authorization: `Bearer ${KEY}`,
      "x-ai-user": "u-1",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "http",
      "x-request-id": randomUUIDv7(),
    }),
    end_of_stream: false,
  },
};
const requestBody: WireRequest = { request: "request_body", request_body: { body, end_of_stream: true } };
const responseHeaders: WireRequest = {
  request: "response_headers",
  response_headers: {
    headers: headers({ ":status": "200", "content-type": "application/json", "content-length": String(answer.length), date: "now" }),
    end_of_stream: false,
  },
  attributes: {
    "envoy.filters.http.ext_proc": {
      fields: {
        "xds.cluster_name": { stringValue: "p.openai" },
        "upstream.request_attempt_count": { numberValue: 1 },
        "response.code_details": { stringValue: "via_upstream" },
      },
    },
  },
};
const responseBody: WireRequest = { request: "response_body", response_body: { body: answer, end_of_stream: true } };

function call(): Promise<void> {
  return new Promise((resolve) => {
    let sent = 0;
    const driver = new Driver(
      {
        send: () => {
          sent += 1;
          if (sent === 1) driver.receive(requestBody);
          if (sent === 2) {
            driver.receive(responseHeaders);
            driver.receive(responseBody);
          }
          if (sent === 4)
            setImmediate(() => {
              driver.closed();
              resolve();
            });
        },
        fail: (why) => {
          throw new Error(why);
        },
      },
      deps,
    );
    driver.receive(requestHeaders);
  });
}

async function run(count: number): Promise<number> {
  const began = process.cpuUsage();
  for (let done = 0; done < count; done += 16) await Promise.all(Array.from({ length: 16 }, call));
  const spent = process.cpuUsage(began);
  return (spent.user + spent.system) / count;
}
await run(Math.min(calls, 5_000));
process.stdout.write(`${(await run(calls)).toFixed(1)} us of CPU a call, ${(await run(calls)).toFixed(1)} us again\n`);
await ledger.value.close();
await audit.value.close();
rmSync(dir, { recursive: true, force: true });
