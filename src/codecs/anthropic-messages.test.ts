import assert from "node:assert/strict";
import { describe, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import fc from "fast-check";
import {
  bytesOf,
  cutAt,
  edited,
  fixture,
  joined,
  openAnswer,
  readPieces,
  readRequest,
  serving,
  textsOf,
} from "../../test/support/codec-runs.ts";
import { cpuMs } from "../../test/support/cpu.ts";
import { property } from "../../test/support/property.ts";
import { type Recorded, recordedExchanges } from "../../test/support/recorded-exchanges.ts";
import { field, type Json, parseJson } from "../core/json.ts";
import { anthropicMessages } from "./anthropic-messages.ts";

const STREAMED = readRequest(anthropicMessages, '{"model":"claude-test-1","messages":[],"stream":true}').view;
const WHOLE = readRequest(anthropicMessages, '{"model":"claude-test-1","messages":[]}').view;
const TEXTS = {
  "0/reasoning": "Zürich, then.",
  "1/content": 'Ich sehe nach: ☀️ "26°".',
  "2/tool_arguments": '{"city": "Zürich", "unit": "c"}',
};
const USAGE = {
  inputTokens: 360,
  outputTokens: 77,
  cachedInputTokens: 50,
  cacheWriteTokens: 200,
  cacheWrite1hTokens: 100,
  reasoningTokens: 9,
  queries: 2,
  toolCalls: 3,
  reported: {
    input_tokens: 10,
    cache_creation_input_tokens: 300,
    cache_read_input_tokens: 50,
    "cache_creation.ephemeral_5m_input_tokens": 200,
    "cache_creation.ephemeral_1h_input_tokens": 100,
    output_tokens: 77,
    "output_tokens_details.thinking_tokens": 9,
    "server_tool_use.web_search_requests": 2,
    "server_tool_use.web_fetch_requests": 1,
  },
};

describe("anthropic.messages requests", () => {
  const { view } = readRequest(anthropicMessages, fixture("anthropic.messages/request.json").toString());

  test("every text has its place; signed thinking and media have none", () => {
    assert.deepEqual(textsOf(view), [
      "system: Be brief.",
      "user: plain",
      "user: from block",
      "url: https://example.test/cat.png",
      "tool_result: document text",
      "tool_result: Plan",
      "tool_result: for the team",
      "tool_result: nested text",
      "url: https://example.test/s",
      "tool_result: Found",
      "tool_result: search text",
      "assistant: earlier answer",
      "tool_arguments: get_weather",
      "tool_arguments: Bern",
      "tool_arguments: kept",
      "tool_arguments: kept too",
      "tool_result: sunny",
      "tool_result: in blocks",
      "tool_result: 42",
      "tool_definition: later_tool",
      "tool_definition: Added later",
      "tool_definition: object",
      "user: in a block of tomorrow",
      "tool_definition: get_weather",
      "tool_definition: Weather of a city",
      "tool_definition: object",
      "tool_definition: find_customer",
      "tool_definition: bash",
      "tool_definition: web_search",
      "tool_definition: get_weather",
      "tool_definition: dice",
      "tool_definition: dice",
      "url: https://mcp.example.test",
      "schema: object",
      "parameter: END",
      "parameter: user-1",
    ]);
  });

  test("tools, provider state, caps and contract fields", () => {
    assert.deepEqual(
      view.tools.map(({ name, kind, use }) => `${use} ${kind} ${name}`),
      [
        "offered function get_weather",
        "offered function find_customer",
        "offered function bash",
        "offered provider web_search",
        // Its type runs, whatever the caller calls it.
        "offered provider code_execution",
        "offered server dice",
        "offered function browser_toolset",
        "offered server dice",
        "offered function later_tool",
        "forced function get_weather",
      ],
    );
    assert.deepEqual(
      view.providerState.map(({ kind, node }) => `${kind} ${node?.value}`),
      ["container container_1", "other skill_1", "file file_1", "file file_2"],
    );
    assert.equal(view.model, "claude-test-1");
    assert.equal(view.outputTokensMax, 500);
    assert.equal(view.framing, "sse");
    assert.deepEqual([...view.contractFields], [["ai_use_case", "support-reply"]]);
  });

  for (const [body, where] of [
    ["7", ""],
    ['{"model":{}}', "/model"],
    ['{"stream":1}', "/stream"],
    ['{"max_tokens":1.5}', "/max_tokens"],
    ['{"messages":"hi"}', "/messages"],
    ['{"messages":["hi"]}', "/messages/0"],
    ['{"tools":[{"type":"custom"}]}', "/tools/0"],
    ['{"tools":[{"type":"mcp_toolset"}]}', "/tools/0"],
    ['{"messages":[{"role":"user","content":[{"type":"tool_addition"}]}]}', "/messages/0/content/0"],
    ['{"mcp_servers":[{}]}', "/mcp_servers/0"],
    ['{"tool_choice":"any"}', "/tool_choice"],
    ['{"tool_choice":{"type":"tool"}}', "/tool_choice"],
    ['{"metadata":{"ai_max_tokens":9}}', "/metadata"],
    ['{"fallbacks":[{"model":"other"}]}', "/fallbacks"],
    ['{"container":7}', "/container"],
  ] as const) {
    test(`refuses ${body}`, () => {
      const doc = parseJson(Buffer.from(body));
      assert(doc.ok);
      const read = anthropicMessages.readRequest?.(doc.value, {});
      assert(read?.ok === false);
      assert.equal(read.error.where, where);
    });
  }

  test("edits change only what they name", () => {
    const body = '{ "model":"tier:high", "messages":[], "max_tokens": 9000,"metadata":{"user_id":"u","ai_app":"x"} }';
    assert.equal(edited(anthropicMessages, body, { model: "tier:high", outputTokensMax: 9000, reportUsage: true }), body);
    assert.equal(
      edited(anthropicMessages, body, { model: "claude-test-1", outputTokensMax: 800, dropContractFields: true }),
      '{ "model":"claude-test-1", "messages":[], "max_tokens": 800,"metadata":{"user_id":"u"} }',
    );
    assert.equal(edited(anthropicMessages, '{"metadata":{"ai_app":"x"},"model":"m"}', { dropContractFields: true }), '{"model":"m"}');
    assert.equal(edited(anthropicMessages, '{"model":"m"}', { outputTokensMax: 80 }), '{"model":"m","max_tokens":80}');
  });

  test("a thinking budget stays below a new cap, or thinking is off", () => {
    const body = '{"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":4000}}';
    assert.equal(edited(anthropicMessages, body, { outputTokensMax: 4001 }), body.replace("9000", "4001"));
    assert.equal(edited(anthropicMessages, body, { outputTokensMax: 2000 }), body.replace("9000", "2000").replace("4000", "1999"));
    assert.equal(edited(anthropicMessages, body, { outputTokensMax: 1000 }), '{"max_tokens":1000,"thinking":{"type":"disabled"}}');
  });

  test("the beta surface keeps its query, and only that", () => {
    const match = (query: string) =>
      anthropicMessages.match({ method: "POST", path: "/v1/messages", query: new URLSearchParams(query) }, { get: () => undefined });
    const beta = match("beta=true&key=secret");
    assert(beta !== undefined);
    assert.equal(anthropicMessages.upstreamPath?.(beta, "m"), "/v1/messages?beta=true");
    assert.equal(anthropicMessages.upstreamPath?.(match("") ?? {}, "m"), "/v1/messages");
    assert.equal(
      anthropicMessages.match({ method: "GET", path: "/v1/messages", query: new URLSearchParams() }, { get: () => undefined }),
      undefined,
    );
  });

  test("ten thousand tools and a hundred thousand messages are read in linear time", () => {
    const tools = Array.from({ length: 10_000 }, (_, index) => ({ name: `t${index}`, input_schema: { type: "object" } }));
    const messages = Array.from({ length: 100_000 }, (_, index) => ({ role: "user", content: [{ type: "text", text: `m${index}` }] }));
    const startMs = cpuMs();
    const read = readRequest(anthropicMessages, JSON.stringify({ tools, messages }));
    assert.equal([...read.view.texts()].length, 120_000);
    assert(cpuMs() - startMs < 5_000);
  });
});

describe("anthropic.messages answers", () => {
  const stream = fixture("anthropic.messages/stream.sse");

  test("a stream reads the same for a cut at every byte", () => {
    for (let place = 0; place <= stream.length; place++) {
      const reader = openAnswer(anthropicMessages, STREAMED);
      const frames = readPieces(reader, cutAt(stream, [place]));
      assert(bytesOf(frames).equals(stream));
      assert.deepEqual(joined(frames.flatMap(({ deltas }) => deltas)), TEXTS);
      assert.deepEqual(reader.usage(), USAGE);
    }
  });

  test("a stream reads the same byte by byte", () => {
    const reader = openAnswer(anthropicMessages, STREAMED);
    const frames = readPieces(
      reader,
      [...stream].map((byte) => Uint8Array.of(byte)),
    );
    assert(bytesOf(frames).equals(stream));
    assert.deepEqual(reader.summary(), {
      complete: true,
      error: undefined,
      finishReasons: ["tool_use"],
      model: "claude-test-1",
      responseId: "msg_1",
      serviceTier: "standard",
      toolCalls: ["get_weather"],
      unknownEvents: 0,
      invalidEvents: 0,
      outputChars: Object.values(TEXTS).join("").length,
    });
    assert.equal(reader.tail({ kind: "length" }).length, 0);
  });

  test("a whole body has the texts and usage of its stream", () => {
    const body = fixture("anthropic.messages/body.json");
    const reader = openAnswer(anthropicMessages, WHOLE);
    const frames = readPieces(reader, cutAt(body, [7, 200]));
    assert(bytesOf(frames).equals(body));
    assert.deepEqual(joined(frames.flatMap(({ deltas }) => deltas)), { ...TEXTS, "2/tool_arguments": '{"city":"Zürich","unit":"c"}' });
    assert.deepEqual(reader.usage(), USAGE);
    assert.deepEqual(reader.summary().finishReasons, ["tool_use"]);
  });

  test("usage: older streams report input once, null is not reported, a later total wins over the first breakdown", () => {
    const usage = (start: Json, delta: Json) => {
      const reader = openAnswer(anthropicMessages, STREAMED);
      readPieces(reader, [
        event({ type: "message_start", message: { usage: start } }),
        event({ type: "message_delta", delta: {}, usage: delta }),
      ]);
      const { reported: _reported, ...figures } = reader.usage() ?? { reported: {} };
      return figures;
    };
    assert.deepEqual(usage({ input_tokens: 7, output_tokens: 1 }, { output_tokens: 9 }), { inputTokens: 7, outputTokens: 9 });
    assert.deepEqual(usage({ input_tokens: 7 }, { input_tokens: null, cache_read_input_tokens: null, output_tokens: 9 }), {
      inputTokens: 7,
      outputTokens: 9,
    });
    assert.deepEqual(
      usage(
        {
          input_tokens: 7,
          cache_creation_input_tokens: 10,
          cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 0 },
        },
        { input_tokens: 8, cache_creation_input_tokens: 30, output_tokens: 1 },
      ),
      { inputTokens: 38, outputTokens: 1, cacheWriteTokens: 30, cacheWrite1hTokens: 0 },
    );
    assert.deepEqual(usage({ input_tokens: 7, cache_creation_input_tokens: 10 }, {}), { inputTokens: 17, cacheWriteTokens: 10 });
  });

  test("unknown, broken and error events pass on and are counted; an error inside a 200 stream is no end", () => {
    const reader = openAnswer(anthropicMessages, STREAMED);
    const bytes = Buffer.concat([
      event({ type: "event_of_tomorrow" }),
      event({ type: "content_block_delta", index: 0, delta: { type: "delta_of_tomorrow" } }),
      Buffer.from("event: message_delta\ndata: {broken\n\n"),
      Buffer.from(": comment\r\n\r\n"),
      event({ type: "error", error: { type: "overloaded_error", message: "secret" } }),
    ]);
    assert(bytesOf(readPieces(reader, [bytes])).equals(bytes));
    const { unknownEvents, invalidEvents, error, complete } = reader.summary();
    assert.deepEqual(
      { unknownEvents, invalidEvents, error, complete },
      { unknownEvents: 2, invalidEvents: 1, error: "overloaded_error", complete: false },
    );
  });

  property(
    "hostile bytes never throw and pass unchanged",
    fc.array(fc.oneof(fc.json({ maxDepth: 6 }), fc.string(), fc.constantFrom(...hostileEvents())), { maxLength: 12 }),
    (datas) => {
      const bytes = Buffer.from(datas.map((data) => `data: ${data}\n\n`).join(""));
      const reader = openAnswer(anthropicMessages, STREAMED);
      assert(bytesOf(readPieces(reader, [bytes])).equals(bytes));
      reader.usage();
      reader.tail({ kind: "length" });
    },
    200,
  );
});

function hostileEvents(): readonly string[] {
  const deep = `${'{"":'.repeat(20_000)}1${"}".repeat(20_000)}`;
  return [
    `{"type":"message_start","message":{"usage":${deep}}}`,
    `{"type":"message_delta","delta":{"stop_reason":7},"usage":${deep}}`,
    `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","input":${deep}}}`,
    '{"type":"content_block_start","index":-1,"content_block":null}',
    '{"type":"content_block_delta","index":1e300,"delta":{"type":"text_delta","text":7}}',
    '{"type":"message_start","message":{"usage":{"input_tokens":-5,"output_tokens":1.5,"cache_creation":[]}}}',
    '{"type":"content_block_stop"}',
  ];
}

function event(data: Json): Buffer {
  return Buffer.from(`event: ${String(field(data, "type"))}\ndata: ${JSON.stringify(data)}\n\n`);
}

describe("anthropic.messages ends that Sluice makes, read by @anthropic-ai/sdk", () => {
  const whole = readPieces(openAnswer(anthropicMessages, STREAMED), [fixture("anthropic.messages/stream.sse")]);
  const request = { model: "claude-test-1", max_tokens: 500, messages: [{ role: "user" as const, content: "hi" }] };
  const clientOf = (baseUrl: string) => new Anthropic({ apiKey: "k", baseURL: baseUrl, maxRetries: 0 });

  test("cut after every event, the SDK takes it as an answer that reached its length", async () => {
    for (let count = 0; count < whole.length; count++) {
      const released = whole.slice(0, count);
      const reader = openAnswer(anthropicMessages, STREAMED);
      for (const { bytes } of released) reader.push(bytes);
      reader.push((whole[count]?.bytes ?? Buffer.alloc(0)).subarray(0, 9));
      const bytes = Buffer.concat([bytesOf(released), reader.tail({ kind: "length" })]);
      await serving(bytes, async (baseUrl) => {
        const final = await clientOf(baseUrl).messages.stream(request).finalMessage();
        const texts = joined(released.flatMap(({ deltas }) => deltas));
        // The provider's own stop reason stays where it was given before the cut.
        assert.equal(final.stop_reason, count === whole.length - 1 ? "tool_use" : "max_tokens", `after ${count} events`);
        assert.equal(final.content.map((block) => (block.type === "text" ? block.text : "")).join(""), texts["1/content"] ?? "");
        const types: string[] = [];
        for await (const received of await clientOf(baseUrl).messages.create({ ...request, stream: true })) types.push(received.type);
        assert.equal(types.at(-1), "message_stop");
        const countOf = (type: string) => types.filter((found) => found === type).length;
        assert.equal(countOf("content_block_start"), countOf("content_block_stop"));
        assert.equal(countOf("message_delta"), 1);
      });
    }
  });

  test("a tool call that was cut gives the members of its input that are whole, and the usage so far", async () => {
    const upTo = whole.findIndex(({ deltas }) => deltas.some(({ channel }) => channel === "tool_arguments")) + 1;
    const reader = openAnswer(anthropicMessages, STREAMED);
    for (const { bytes } of whole.slice(0, upTo)) reader.push(bytes);
    await serving(Buffer.concat([bytesOf(whole.slice(0, upTo)), reader.tail({ kind: "length" })]), async (baseUrl) => {
      const final = await clientOf(baseUrl).messages.stream(request).finalMessage();
      const call = final.content.find((block) => block.type === "tool_use");
      assert.deepEqual(call?.input, { city: "Zürich" });
      assert.equal(final.usage.input_tokens, 10);
      assert.equal(final.usage.cache_read_input_tokens, 50);
    });
  });

  test("an error in a running stream is raised with its type and our code", async () => {
    const reader = openAnswer(anthropicMessages, STREAMED);
    for (const { bytes } of whole.slice(0, 5)) reader.push(bytes);
    const tail = reader.tail({ kind: "error", denial: { code: "latency_cap" }, requestId: "req-1" });
    await serving(Buffer.concat([bytesOf(whole.slice(0, 5)), tail]), async (baseUrl) => {
      const raised = (error: unknown): boolean =>
        error instanceof Anthropic.APIError && error.type === "timeout_error" && error.errorCode === "latency_cap";
      await assert.rejects(clientOf(baseUrl).messages.stream(request).finalMessage(), raised);
      await assert.rejects(async () => {
        for await (const _event of await clientOf(baseUrl).messages.create({ ...request, stream: true }));
      }, raised);
    });
  });
});

describe("anthropic.messages, recorded traffic", () => {
  const recorded = recordedExchanges(/\/v1\/messages$/);
  test("is there", { skip: recorded === undefined ? "no recorded exchanges here (SLUICE_FIXTURES)" : false }, () => {
    assert((recorded?.length ?? 0) > 0);
  });
  for (const exchange of recorded ?? []) test(exchange.id, () => checkRecorded(exchange));
});

/** The recordings' `input` leaves out cached tokens, as Anthropic's own does; ours has them. */
function checkRecorded({ requestBody, status, contentType, responseBody, usage }: Recorded): void {
  const { view } = readRequest(anthropicMessages, requestBody);
  assert.equal(edited(anthropicMessages, requestBody, {}), requestBody);
  const bytes = Buffer.from(responseBody);
  const number = (key: string): number | undefined => {
    const value = field(usage, key);
    return typeof value === "number" ? value : undefined;
  };
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (places) => {
      const reader = openAnswer(anthropicMessages, view, { status, contentType });
      assert(bytesOf(readPieces(reader, cutAt(bytes, places))).equals(bytes));
      const read = reader.usage();
      const written = read?.cacheWriteTokens === undefined ? undefined : read.cacheWriteTokens + (read.cacheWrite1hTokens ?? 0);
      const input = number("input");
      assert.equal(read?.inputTokens, input === undefined ? undefined : input + (number("cached") ?? 0) + (number("cache_write") ?? 0));
      assert.equal(read?.outputTokens, number("output"));
      assert.equal(read?.cachedInputTokens, number("cached"));
      assert.equal(written, number("cache_write"));
      assert.equal(read?.reasoningTokens, number("reasoning"));
      assert.equal(reader.summary().complete, true);
      assert.equal(reader.summary().invalidEvents, 0);
    }),
    { numRuns: 8 },
  );
}
