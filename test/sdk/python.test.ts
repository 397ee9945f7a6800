/**
 * The official Python packages `openai` and `anthropic`, in a process of their own, through a real Envoy. The scripts print what
 * a program sees; here it is held against what the provider was sent and what the records say, in the same order.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import type { ExchangeRecord } from "../../src/core/record.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { assertSubset } from "../support/subset.ts";
import { SDK_POLICY } from "./support.ts";

const PYTHON = resolve(import.meta.dirname, "../../.tools/py/bin/python");
const SCRIPT_MS_MAX = 60_000;

const line = z.object({ case: z.string(), saw: z.unknown() });

/** One case: what the program must see, and the records of its exchanges. */
interface Case {
  readonly name: string;
  readonly saw: unknown;
  readonly records: readonly object[];
}

const words = "~^Simulated answer";
const served = { decision: "allowed", ending: "served", status: 200, answer: { complete: true }, cost: { estimated: false } };
const listed = { operation: "list", ending: "answered", status: 200 };
const refusedWith = (code: string): object => ({ decision: "refused", ending: "refused", code });
const called = { ...served, answer: { complete: true, toolCalls: ["get_weather"] } };
const weather = { city: "simulated", days: 3 };

const OPENAI: readonly Case[] = [
  { name: "chat", saw: { text: words, usage: {} }, records: [{ ...served, surface: "openai.chat", streaming: false }] },
  { name: "chat_stream", saw: { text: words, usage: [] }, records: [{ ...served, streaming: true }] },
  { name: "chat_stream_usage", saw: { usage: {} }, records: [{ ...served, streaming: true }] },
  { name: "chat_tools", saw: { name: "get_weather", arguments: weather, text: words }, records: [called, served] },
  { name: "chat_schema", saw: weather, records: [served] },
  { name: "responses", saw: { text: words, usage: {} }, records: [{ ...served, surface: "openai.responses" }] },
  {
    name: "responses_stream",
    saw: { first: "response.created", last: "response.completed", text: words },
    records: [{ ...served, streaming: true }],
  },
  { name: "embeddings", saw: { sizes: [64, 64], usage: {} }, records: [{ ...served, surface: "openai.embeddings" }] },
  { name: "models", saw: ["gpt-4o-mini", "o4-mini", "claude-haiku-4-5", "gemini-2.5-flash", "text-embedding-3-small"], records: [listed] },
  {
    name: "refused_key",
    saw: { kind: "AuthenticationError", status: 401, code: "unauthenticated", request_id: "~^[0-9a-f-]{36}$" },
    records: [refusedWith("unauthenticated")],
  },
  {
    name: "refused_model",
    saw: { kind: "PermissionDeniedError", status: 403, code: "model_not_allowed", request_id: "~^[0-9a-f-]{36}$" },
    records: [refusedWith("model_not_allowed")],
  },
  { name: "refused_region", saw: { kind: "InternalServerError", status: 503, code: "no_target" }, records: [refusedWith("no_target")] },
  { name: "retried", saw: { text: words }, records: [{ status: 503, code: "upstream_error" }, served] },
  { name: "capped", saw: { finish: "length" }, records: [{ ending: "cut", code: "latency_cap" }] },
  { name: "silent", saw: { kind: "APIError", code: "upstream_timeout" }, records: [{ ending: "cut", code: "upstream_timeout" }] },
];

const ANTHROPIC: readonly Case[] = [
  { name: "messages", saw: { text: words, usage: {} }, records: [{ ...served, surface: "anthropic.messages", streaming: false }] },
  { name: "messages_stream", saw: { text: words, usage: {} }, records: [{ ...served, streaming: true }] },
  { name: "messages_tools", saw: { name: "get_weather", arguments: weather, stop: "tool_use", text: words }, records: [called, served] },
  { name: "messages_schema", saw: weather, records: [served] },
  { name: "count_tokens", saw: { usage: { input: 3 } }, records: [{ surface: "anthropic.count_tokens", status: 200 }] },
  { name: "models", saw: ["gpt-4o-mini", "o4-mini", "claude-haiku-4-5", "gemini-2.5-flash", "text-embedding-3-small"], records: [listed] },
  {
    name: "refused_key",
    saw: { kind: "AuthenticationError", status: 401, request_id: "~^[0-9a-f-]{36}$" },
    records: [refusedWith("unauthenticated")],
  },
  { name: "refused_tool", saw: { kind: "PermissionDeniedError", status: 403 }, records: [refusedWith("tool_not_allowed")] },
  { name: "refused_surface", saw: { kind: "NotFoundError", status: 404 }, records: [refusedWith("unsupported_surface")] },
  { name: "retried", saw: { text: words }, records: [{ status: 529, code: "upstream_error" }, served] },
  { name: "capped", saw: { finish: "max_tokens" }, records: [{ ending: "cut", code: "latency_cap" }] },
  {
    name: "silent",
    saw: { kind: "~^(APIStatusError|APIError|InternalServerError)$" },
    records: [{ ending: "cut", code: "upstream_timeout" }],
  },
];

for (const [script, cases] of [
  ["openai_calls.py", OPENAI],
  ["anthropic_calls.py", ANTHROPIC],
] as const) {
  describe(`Python, ${script}`, () => {
    let gateway: Gateway;
    let lines: readonly z.infer<typeof line>[];
    let records: readonly ExchangeRecord[];
    before(async () => {
      assert.ok(existsSync(PYTHON), "the Python SDKs are not set up: run `make setup`");
      gateway = await startGateway({ policy: SDK_POLICY });
      lines = await run(gateway, script);
      records = await gateway.records(cases.flatMap((item) => item.records).length);
    });
    after(() => gateway.stop());

    let next = 0;
    for (const [index, expected] of cases.entries()) {
      const from = next;
      next += expected.records.length;
      test(expected.name, () => {
        const seen = lines[index];
        assert.equal(seen?.case, expected.name);
        assertSubset(seen.saw, expected.saw, "what the program saw");
        for (const [at, record] of expected.records.entries()) assertSubset(records[from + at], record, `record ${at + 1}`);
        const { usage } = z
          .object({ usage: z.object({ input: z.number().optional(), output: z.number().optional() }).optional() })
          .catch({})
          .parse(seen.saw);
        if (usage?.input !== undefined) assert.equal(records[from]?.usage?.inputTokens, usage.input);
        if (usage?.output !== undefined) assert.equal(records[from]?.usage?.outputTokens, usage.output);
        const { request_id: id } = z.object({ request_id: z.string().optional() }).catch({}).parse(seen.saw);
        // A stream that has begun keeps the provider's own id in its headers.
        if (id !== undefined && records[from]?.decision === "refused") assert.equal(id, records[from]?.id);
      });
    }
    test("no exchange beside these", () => {
      assert.equal(records.length, next);
      assert.equal(lines.length, cases.length);
    });
  });
}

async function run(gateway: Gateway, script: string): Promise<readonly z.infer<typeof line>[]> {
  const child = spawn(PYTHON, ["-B", join(import.meta.dirname, "python", script)], {
    env: {
      PATH: process.env["PATH"] ?? "",
      GATEWAY_URL: gateway.url,
      GATEWAY_KEY: gateway.key("acme/bot"),
      GATEWAY_KEY_CAPPED: gateway.key("acme/capped"),
      GATEWAY_KEY_IDLE: gateway.key("acme/idle"),
    },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: SCRIPT_MS_MAX,
  });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  await once(child, "close");
  assert.equal(child.exitCode, 0, `${script} ended with ${child.exitCode ?? child.signalCode}:\n${err.slice(-2000)}\n${out.slice(-500)}`);
  return out
    .split("\n")
    .filter((text) => text !== "")
    .map((text) => line.parse(JSON.parse(text)));
}
