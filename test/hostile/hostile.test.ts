/**
 * Input that wants to break the gateway, through a real Envoy: each ends in a well-formed refusal or a faithful pass, other calls
 * go on, and what was held is given back.
 */
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BASIC_POLICY, type Gateway, startGateway } from "../support/gateway.ts";

const MIB = 1024 * 1024;
const policy = BASIC_POLICY.replace('tools: { allow: ["get_*"] }', 'tools: { allow: ["*"] }');

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Plain node:http, because fetch refuses to send what is odd. */
function send(
  gateway: Gateway,
  bytes: Buffer | string,
  headers: Record<string, string | string[]> = {},
  path = "/v1/chat/completions",
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const body = Buffer.from(bytes);
    const sent = request(
      gateway.url + path,
      {
        method: "POST",
        headers: {
          "content-type": "application/json",
          authorization: `Bearer ${gateway.key()}`,
          "content-length": body.length,
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }));
        response.on("error", reject);
      },
    );
    // A refusal may come before the body was taken: the write then breaks, and the answer counts.
    sent.on("error", (cause) => setTimeout(() => reject(cause), 200));
    sent.end(body);
  });
}

const chat = (more: object): string =>
  JSON.stringify({ model: "gpt-4o-mini", max_tokens: 5, messages: [{ role: "user", content: "hi" }], ...more });
const nested = (depth: number): string => `{"model":"gpt-4o-mini","messages":[],"x":${"[".repeat(depth)}${"]".repeat(depth)}}`;

/** What is sent, and the code it ends with; undefined: it passes, byte for byte. */
const table: readonly {
  readonly name: string;
  readonly body: () => Buffer | string;
  readonly headers?: Record<string, string | string[]>;
  readonly code: string | undefined;
}[] = [
  { name: "an empty body", body: () => "", code: "invalid_request" },
  { name: "no JSON", body: () => "hello", code: "invalid_request" },
  { name: "half of a JSON", body: () => chat({}).slice(0, 40), code: "invalid_request" },
  { name: "JSON that is no object", body: () => "[1,2]", code: "invalid_request" },
  { name: "two documents", body: () => chat({}) + chat({}), code: "invalid_request" },
  { name: "a duplicate key", body: () => '{"model":"gpt-4o-mini","messages":[],"model":"x"}', code: "invalid_request" },
  {
    name: "a duplicate key behind an escape",
    body: () => '{"model":"gpt-4o-mini","messages":[],"mod\\u0065l":"x"}',
    code: "invalid_request",
  },
  { name: "__proto__", body: () => '{"model":"gpt-4o-mini","messages":[],"__proto__":{"model":"x"}}', code: "invalid_request" },
  { name: "constructor and prototype are plain data", body: () => chat({ constructor: { prototype: { a: 1 } } }), code: undefined },
  {
    name: "invalid UTF-8",
    body: () =>
      Buffer.concat([
        Buffer.from('{"model":"gpt-4o-mini","messages":[{"role":"user","content":"'),
        Buffer.from([0xc3, 0x28, 0xff]),
        Buffer.from('"}]}'),
      ]),
    code: "invalid_request",
  },
  { name: "a byte order mark", body: () => `\ufeff${chat({})}`, code: "invalid_request" },
  { name: "lone surrogates in escapes", body: () => chat({}).replace("hi", "\\ud800 hi"), code: undefined },
  { name: "NUL in a text", body: () => chat({}).replace("hi", "a\\u0000b"), code: undefined },
  { name: "depth 10,000", body: () => nested(10_000), code: "invalid_request" },
  { name: "depth 100", body: () => `${chat({}).slice(0, -1)},"x":${"[".repeat(100)}${"]".repeat(100)}}`, code: undefined },
  { name: "numbers of every size", body: () => `${chat({}).slice(0, -1)},"x":[1e400,-0,0.1e-300,${"9".repeat(400)}]}`, code: undefined },
  {
    name: "10,000 tools",
    body: () =>
      chat({
        tools: Array.from({ length: 10_000 }, (_, index) => ({
          type: "function",
          function: { name: `get_${index}`, parameters: { type: "object" } },
        })),
      }),
    code: undefined,
  },
  {
    name: "100,000 messages",
    body: () => chat({ messages: Array.from({ length: 100_000 }, (_, index) => ({ role: "user", content: `m${index}` })) }),
    code: undefined,
  },
  { name: "a text of 8 MB", body: () => chat({ messages: [{ role: "user", content: "x".repeat(8 * MIB) }] }), code: undefined },
  { name: "8 MB of escapes", body: () => chat({}).replace("hi", "\\u0041".repeat((8 * MIB) / 6)), code: undefined },
  { name: "50 MB", body: () => chat({ messages: [{ role: "user", content: "x".repeat(50 * MIB) }] }), code: "input_too_large" },
  { name: "a compressed body", body: () => chat({}), headers: { "content-encoding": "gzip" }, code: "invalid_request" },
  {
    name: "a body that says it is a form",
    body: () => chat({}),
    headers: { "content-type": "multipart/form-data; boundary=x" },
    code: undefined,
  },
  { name: "a header of 8 KB", body: () => chat({}), headers: { "x-junk": "j".repeat(8_000) }, code: undefined },
  { name: "a contract header of 8 KB", body: () => chat({}), headers: { "x-ai-user": "u".repeat(8_000) }, code: "contract_violation" },
  { name: "a contract header twice", body: () => chat({}), headers: { "x-ai-user": ["a", "b"] }, code: undefined },
  { name: "Latin-1 in a header", body: () => chat({}), headers: { "x-junk": "caf\u00e9" }, code: undefined },
  { name: "credentials of two apps", body: () => chat({}), headers: { "x-api-key": "slk_someone_else" }, code: undefined },
  { name: "stream as a text", body: () => chat({ stream: "yes" }), code: "invalid_request" },
  { name: "messages as an object", body: () => chat({ messages: { 0: "x" } }), code: "invalid_request" },
  { name: "a model as a list", body: () => chat({ model: ["gpt-4o-mini"] }), code: "invalid_request" },
  { name: "a negative cap", body: () => chat({ max_tokens: -5 }), code: "invalid_request" },
  { name: "a cap beyond numbers", body: () => `{"model":"gpt-4o-mini","messages":[],"max_tokens":1e999}`, code: "invalid_request" },
];

describe("hostile requests", () => {
  let gateway: Gateway;
  before(async () => {
    gateway = await startGateway({ policy });
  });
  after(() => gateway.stop());

  for (const item of table) {
    test(item.name, async () => {
      const bytes = Buffer.from(item.body());
      const before = gateway.simulator.requests.length;
      const answer = await send(gateway, bytes, item.headers);
      if (item.code === undefined) {
        assert.equal(answer.status, 200, answer.body.toString().slice(0, 300));
        const arrived = gateway.simulator.requests.at(-1);
        assert.ok(arrived?.body.equals(bytes), "the provider got other bytes");
      } else {
        assert.ok(answer.status >= 400 && answer.status < 500, `status ${answer.status}`);
        assert.equal(answer.headers["x-ai-error"], item.code);
        const parsed: unknown = JSON.parse(answer.body.toString());
        assert.equal(JSON.stringify(parsed).includes(`"code":"${item.code}"`), true, answer.body.toString());
        assert.equal(gateway.simulator.requests.length, before, "it reached the provider");
      }
    });
  }

  test("nothing is held afterwards, and the next call is served", async () => {
    const held = async (): Promise<string> => (await fetch(`http://127.0.0.1:${gateway.sluice.adminPort}/metrics`)).text();
    for (let waited = 0; waited < 5_000; waited += 50) {
      if (/_held_bytes(?:\{[^}]*\})? 0\n/.test(await held())) break;
      await sleep(50);
    }
    assert.match(await held(), /_held_bytes(?:\{[^}]*\})? 0\n/);
    assert.equal((await send(gateway, chat({}))).status, 200);
  });
});

describe("hostile answers", () => {
  let gateway: Gateway;
  before(async () => {
    gateway = await startGateway({ policy });
  });
  after(() => gateway.stop());

  const sse = (...lines: string[]): string => lines.map((line) => `${line}\n\n`).join("");
  const good =
    'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}';
  const answers: readonly { readonly name: string; readonly chunks: () => string[]; readonly passes: boolean }[] = [
    { name: "an SSE line of 10 MB", chunks: () => [sse(good), `data: "${"y".repeat(10 * MIB)}"\n\n`, sse("data: [DONE]")], passes: true },
    {
      name: "an SSE event larger than any buffer",
      chunks: () => [sse(good), ...Array.from({ length: 24 }, () => `data: ${"z".repeat(MIB)}\n`), "\n", sse("data: [DONE]")],
      passes: true,
    },
    {
      name: "events that are no JSON",
      chunks: () => [sse("data: {", "data: nope", ": comment", "event: odd\ndata: 1", good, "data: [DONE]")],
      passes: true,
    },
    { name: "no event at all", chunks: () => ["just text"], passes: true },
    {
      name: "deep nesting in an event",
      chunks: () => [sse(`data: ${"[".repeat(50_000)}${"]".repeat(50_000)}`, good, "data: [DONE]")],
      passes: true,
    },
    { name: "bytes that are no UTF-8", chunks: () => [sse(good, "data: \ufffd\ufffd", "data: [DONE]")], passes: true },
  ];
  for (const { name, chunks } of answers) {
    test(`${name} passes as it came`, async () => {
      const parts = chunks();
      gateway.simulator.respondWith(() => ({ status: 200, headers: { "content-type": "text/event-stream" }, chunks: parts }));
      const answer = await send(gateway, chat({ stream: true, stream_options: { include_usage: true } }));
      gateway.simulator.respondWith(undefined);
      assert.equal(answer.status, 200);
      assert.ok(answer.body.equals(Buffer.from(parts.join(""))), `${answer.body.length} bytes of ${parts.join("").length}`);
    });
  }
});
