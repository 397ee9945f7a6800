import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import OpenAI from "openai";
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
import type { TailReason } from "../core/codec.ts";
import { field, type Json, parseJson } from "../core/json.ts";
import { openaiResponses } from "./openai-responses.ts";

const STREAMED = readRequest(openaiResponses, '{"model":"gpt-test-1","input":"hi","stream":true}').view;
const WHOLE = readRequest(openaiResponses, '{"model":"gpt-test-1","input":"hi"}').view;
const TEXTS = {
  "0/reasoning": "Look up Zürich.",
  "1/content": 'Das Wetter: ☀️ und "26°".',
  // The second part of the message.
  "1048577/refusal": "No more.",
  "2/tool_arguments": '{"city":"Zürich"}',
  "3/tool_arguments": "HEY",
  "4/tool_arguments": "weather",
};
const USAGE = {
  inputTokens: 120,
  outputTokens: 40,
  cachedInputTokens: 64,
  cacheWriteTokens: 8,
  reasoningTokens: 12,
  queries: 1,
  toolCalls: 1,
  reported: {
    input_tokens: 120,
    "input_tokens_details.cached_tokens": 64,
    "input_tokens_details.cache_write_tokens": 8,
    output_tokens: 40,
    "output_tokens_details.reasoning_tokens": 12,
    total_tokens: 160,
  },
};
const ERROR: TailReason = { kind: "error", denial: { code: "latency_cap" }, requestId: "req-1" };

describe("openai.responses requests", () => {
  test("every text has its place", () => {
    const { view } = readRequest(openaiResponses, fixture("openai.responses/request.json").toString());
    assert.deepEqual(textsOf(view), [
      "system: Be brief.",
      "user: plain",
      "user: from part",
      "url: https://example.test/cat.png",
      "file_name: plan.pdf",
      "url: https://example.test/plan.pdf",
      "system: from the developer",
      "assistant: earlier answer",
      "assistant: cannot",
      "tool_arguments: get_weather",
      'tool_arguments(json): {"city":"Bern"}',
      "tool_result: sunny",
      "tool_result: in parts",
      "tool_arguments: free form",
      "tool_result: done",
      "assistant: thought",
      "tool_arguments(json): {}",
      "tool_result: from mcp",
      "tool_arguments: ls",
      "tool_result: a.txt",
      "tool_definition: found_tool",
      "tool_definition: found later",
      "other: in an item of tomorrow",
      "tool_definition: get_weather",
      "tool_definition: Weather of a city",
      "tool_definition: object",
      "tool_definition: crm",
      "tool_definition: Customers",
      "tool_definition: find_customer",
      "tool_definition: dice",
      "url: https://mcp.example.test",
      "tool_definition: cntr_1",
      "schema: answer",
      "schema: object",
      "user: Ada",
      "parameter: team-7",
      "parameter: user-1",
    ]);
  });

  test("tools, provider state, caps and contract fields", () => {
    const { view } = readRequest(openaiResponses, fixture("openai.responses/request.json").toString());
    assert.deepEqual(
      view.tools.map(({ name, kind, use }) => `${use} ${kind} ${name}`),
      [
        "offered function get_weather",
        "offered function find_customer",
        "offered server dice",
        "offered provider web_search",
        "offered provider file_search",
        "offered provider code_interpreter",
        "offered function found_tool",
        "forced function get_weather",
      ],
    );
    assert.deepEqual(
      view.providerState.map(({ kind, node }) => `${kind} ${node?.value ?? ""}`.trim()),
      [
        "previous_response resp_0",
        "conversation conv_1",
        "prompt pmpt_1",
        "store",
        "background",
        "item msg_9",
        "file file_1",
        "vector_store vs_1",
        "container cntr_1",
        "file file_2",
        "file file_3",
      ],
    );
    assert.equal(view.model, "gpt-test-1");
    assert.equal(view.outputTokensMax, 500);
    assert.equal(view.streaming, true);
    assert.equal(view.framing, "sse");
    assert.deepEqual([...view.contractFields], [["ai_use_case", "support-reply"]]);
  });

  for (const [body, where] of [
    ["[]", ""],
    ['{"model":7}', "/model"],
    ['{"stream":"true"}', "/stream"],
    ['{"max_output_tokens":"9"}', "/max_output_tokens"],
    ['{"max_output_tokens":-1}', "/max_output_tokens"],
    ['{"input":7}', "/input"],
    ['{"input":["text"]}', "/input/0"],
    ['{"tools":{}}', "/tools"],
    ['{"tools":[7]}', "/tools/0"],
    ['{"tools":[{"type":"function"}]}', "/tools/0"],
    ['{"tools":[{"type":"function","name":"a","function":{"name":"b"}}]}', "/tools/0"],
    ['{"tools":[{"type":"namespace","tools":[{"type":"custom"}]}]}', "/tools/0/tools/0"],
    ['{"tool_choice":7}', "/tool_choice"],
    ['{"tool_choice":{"type":"function"}}', "/tool_choice"],
    ['{"metadata":[]}', "/metadata"],
    ['{"metadata":{"ai_max_tokens":9}}', "/metadata"],
    ['{"previous_response_id":{}}', "/previous_response_id"],
    ['{"conversation":7}', "/conversation"],
    ['{"store":"yes"}', "/store"],
    ['{"models":["other"]}', "/models"],
    ['{"plugins":[{}]}', "/plugins/0"],
  ] as const) {
    test(`refuses ${body}`, () => {
      const doc = parseJson(Buffer.from(body));
      assert(doc.ok);
      const read = openaiResponses.readRequest?.(doc.value, {});
      assert(read?.ok === false);
      assert.equal(read.error.where, where);
    });
  }

  test("edits change only what they name", () => {
    const body =
      '{ "model":"tier:standard", "input":"hi","metadata":{"ai_use_case":"x","team":"7"} ,"max_output_tokens": 9000, "new":[1.50] }';
    assert.equal(edited(openaiResponses, body, {}), body);
    assert.equal(edited(openaiResponses, body, { model: "tier:standard", outputTokensMax: 9000, reportUsage: true }), body);
    assert.equal(
      edited(openaiResponses, body, {
        model: "gpt-test-1",
        outputTokensMax: 800,
        parameters: { temperature: 0.2 },
        dropContractFields: true,
      }),
      '{ "model":"gpt-test-1", "input":"hi","metadata":{"team":"7"} ,"max_output_tokens": 800, "new":[1.50],"temperature":0.2 }',
    );
    assert.equal(edited(openaiResponses, '{"metadata":{"ai_app":"x"},"input":"hi"}', { dropContractFields: true }), '{"input":"hi"}');
  });

  test("ten thousand tools and a hundred thousand items are read in linear time", () => {
    const tools = Array.from({ length: 10_000 }, (_, index) => ({ type: "function", name: `t${index}`, parameters: { type: "object" } }));
    const input = Array.from({ length: 100_000 }, (_, index) => ({ role: "user", content: `m${index}` }));
    const body = JSON.stringify({ tools, input });
    const startMs = cpuMs();
    const { view } = readRequest(openaiResponses, body);
    assert.equal([...view.texts()].length, 120_000);
    assert.equal(view.tools.length, 10_000);
    assert(cpuMs() - startMs < 5_000);
  });
});

describe("openai.responses answers", () => {
  const stream = fixture("openai.responses/stream.sse");

  test("a stream reads the same for a cut at every byte", () => {
    for (let place = 0; place <= stream.length; place++) {
      const reader = openAnswer(openaiResponses, STREAMED);
      const frames = readPieces(reader, cutAt(stream, [place]));
      assert(bytesOf(frames).equals(stream));
      assert.deepEqual(joined(frames.flatMap(({ deltas }) => deltas)), TEXTS);
      assert.deepEqual(reader.usage(), USAGE);
    }
  });

  test("a stream reads the same byte by byte", () => {
    const reader = openAnswer(openaiResponses, STREAMED);
    const frames = readPieces(
      reader,
      [...stream].map((byte) => Uint8Array.of(byte)),
    );
    assert(bytesOf(frames).equals(stream));
    assert.deepEqual(reader.summary(), {
      complete: true,
      error: undefined,
      finishReasons: ["completed"],
      model: "gpt-test-1",
      responseId: "resp_1",
      created: ["rs_1", "msg_1", "fc_1", "ct_1", "ws_1"].map((id) => ({ kind: "item", id })),
      toolCalls: ["get_weather", "shout", "web_search"],
      unknownEvents: 0,
      invalidEvents: 0,
      outputChars: Object.values(TEXTS).join("").length,
    });
    assert.equal(reader.tail({ kind: "length" }).length, 0);
  });

  test("a whole body has the same texts and usage as its stream", () => {
    const body = fixture("openai.responses/body.json");
    const reader = openAnswer(openaiResponses, WHOLE);
    const frames = readPieces(reader, cutAt(body, [7, 300]));
    assert(bytesOf(frames).equals(body));
    assert.deepEqual(joined(frames.flatMap(({ deltas }) => deltas)), TEXTS);
    assert.deepEqual(reader.usage(), USAGE);
    assert.equal(reader.summary().complete, true);
  });

  test("text that no delta brought is still seen", () => {
    const reader = openAnswer(openaiResponses, STREAMED);
    const item = { id: "m", type: "message", content: [{ type: "output_text", text: "whole" }] };
    const frames = readPieces(reader, [
      event({ type: "response.output_text.done", output_index: 0, content_index: 0, text: "only done" }),
      event({ type: "response.output_item.done", output_index: 1, item }),
      event({ type: "response.completed", response: { status: "completed", output: [{ ...item, id: "n" }, item] } }),
    ]);
    // The final output stands at other indexes here; an item is known by its id.
    assert.deepEqual(joined(frames.flatMap(({ deltas }) => deltas)), { "0/content": "only done", "1/content": "whole" });
  });

  test("unknown, broken and error events pass on and are counted", () => {
    const reader = openAnswer(openaiResponses, STREAMED);
    const bytes = Buffer.concat([
      event({ type: "response.of_tomorrow", delta: "x" }),
      Buffer.from("data: {broken\n\n"),
      Buffer.from("data: 7\r\n\r\n"),
      event({ type: "error", code: "server_error", message: "secret", param: null, sequence_number: 3 }),
    ]);
    assert(bytesOf(readPieces(reader, [bytes])).equals(bytes));
    const { unknownEvents, invalidEvents, error, complete } = reader.summary();
    assert.deepEqual(
      { unknownEvents, invalidEvents, error, complete },
      { unknownEvents: 1, invalidEvents: 2, error: "server_error", complete: false },
    );
  });

  test("failed and incomplete responses end with their reason", () => {
    const failed = openAnswer(openaiResponses, STREAMED);
    readPieces(failed, [event({ type: "response.failed", response: { status: "failed", error: { code: "server_error" } } })]);
    assert.deepEqual(failed.summary().error, "server_error");
    assert.deepEqual(failed.summary().finishReasons, ["failed"]);
    const cut = openAnswer(openaiResponses, STREAMED);
    readPieces(cut, [
      event({ type: "response.incomplete", response: { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } } }),
    ]);
    assert.deepEqual(cut.summary().finishReasons, ["max_output_tokens"]);
  });

  test("an error body in place of a stream is read as JSON", () => {
    const reader = openAnswer(openaiResponses, STREAMED, { status: 429, contentType: "application/json" });
    readPieces(reader, [Buffer.from('{"error":{"message":"m","type":"tokens","code":"rate_limit_exceeded"}}')]);
    assert.equal(reader.summary().error, "tokens");
    assert.equal(reader.usage(), undefined);
  });

  property(
    "hostile bytes never throw and pass unchanged",
    fc.array(fc.oneof(fc.json({ maxDepth: 6 }), fc.string(), fc.constantFrom(...hostileEvents())), { maxLength: 12 }),
    (datas) => {
      const bytes = Buffer.from(datas.map((data) => `data: ${data}\n\n`).join(""));
      const reader = openAnswer(openaiResponses, STREAMED);
      const frames = readPieces(reader, [bytes]);
      assert(bytesOf(frames).equals(bytes));
      reader.tail({ kind: "length" });
      reader.summary();
    },
    200,
  );
});

function hostileEvents(): readonly string[] {
  const deep = `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`;
  return [
    `{"type":"response.output_item.added","output_index":0,"item":${deep}}`,
    `{"type":"response.created","response":{"usage":${deep},"output":${deep}}}`,
    `{"type":"response.completed","response":{"usage":${deep},"output":[${deep}]}}`,
    '{"type":"response.output_text.delta","output_index":-1,"content_index":1e300,"delta":[]}',
    '{"type":"response.output_text.delta","output_index":9007199254740991,"content_index":4,"delta":"x"}',
    '{"type":"response.content_part.added","output_index":2,"content_index":2,"part":{"type":"output_text"}}',
    '{"type":"response.output_item.added","output_index":2,"item":{"type":"message","id":3,"content":{"0":1}}}',
    '{"type":"response.output_item.done","output_index":null,"item":null}',
    '{"type":"response.created","response":7}',
  ];
}

function event(data: Json): Buffer {
  return Buffer.from(`event: ${String(field(data, "type"))}\ndata: ${JSON.stringify(data)}\n\n`);
}

describe("openai.responses ends that Sluice makes, read by the openai package", () => {
  const stream = fixture("openai.responses/stream.sse");
  const whole = readPieces(openAnswer(openaiResponses, STREAMED), [stream]);

  test("cut after every event, the SDK takes it as an answer that reached its length", async () => {
    for (let count = 0; count < whole.length; count++) {
      const released = whole.slice(0, count);
      const reader = openAnswer(openaiResponses, STREAMED);
      for (const { bytes } of released) reader.push(bytes);
      // A piece of the next event is held back, and dropped.
      reader.push((whole[count]?.bytes ?? Buffer.alloc(0)).subarray(0, 9));
      const bytes = Buffer.concat([bytesOf(released), reader.tail({ kind: "length" })]);
      await serving(bytes, async (baseUrl) => {
        const client = new OpenAI({ apiKey: "k", baseURL: `${baseUrl}/v1`, maxRetries: 0 });
        const final = await client.responses.stream({ model: "gpt-test-1", input: "hi" }).finalResponse();
        assert.equal(final.status, "incomplete");
        assert.deepEqual(final.incomplete_details, { reason: "max_output_tokens" });
        const texts = joined(released.flatMap(({ deltas }) => deltas));
        assert.equal(final.output_text ?? "", texts["1/content"] ?? "", `after ${count} events`);
        let sequence = -1;
        const types: string[] = [];
        for await (const received of await client.responses.create({ model: "gpt-test-1", input: "hi", stream: true })) {
          assert.equal(received.sequence_number, sequence + 1);
          sequence = received.sequence_number;
          types.push(received.type);
        }
        assert.equal(types.at(-1), "response.incomplete");
        assert.equal(types.filter((type) => type === "response.output_item.added").length, final.output.length);
        for (const kind of ["response.output_item", "response.content_part", "response.reasoning_summary_part"]) {
          assert.equal(
            types.filter((type) => type === `${kind}.added`).length,
            types.filter((type) => type === `${kind}.done`).length,
            kind,
          );
        }
      });
    }
  });

  test("a tool call that was cut keeps the arguments so far", async () => {
    const upTo = whole.findIndex(({ deltas }) => deltas.some(({ channel, block }) => channel === "tool_arguments" && block === 2)) + 1;
    const reader = openAnswer(openaiResponses, STREAMED);
    for (const { bytes } of whole.slice(0, upTo)) reader.push(bytes);
    const bytes = Buffer.concat([bytesOf(whole.slice(0, upTo)), reader.tail({ kind: "length" })]);
    await serving(bytes, async (baseUrl) => {
      const client = new OpenAI({ apiKey: "k", baseURL: `${baseUrl}/v1`, maxRetries: 0 });
      const { output } = await client.responses.stream({ model: "gpt-test-1", input: "hi" }).finalResponse();
      const call = output.find((item) => item.type === "function_call");
      assert.equal(call?.arguments, '{"city":');
      assert.equal(call?.status, "incomplete");
    });
  });

  test("an error in a running stream is raised with its code", async () => {
    const reader = openAnswer(openaiResponses, STREAMED);
    for (const { bytes } of whole.slice(0, 12)) reader.push(bytes);
    const bytes = Buffer.concat([bytesOf(whole.slice(0, 12)), reader.tail(ERROR)]);
    assert.match(Buffer.from(reader.tail(ERROR)).toString(), /"request_id":"req-1"/);
    await serving(bytes, async (baseUrl) => {
      const client = new OpenAI({ apiKey: "k", baseURL: `${baseUrl}/v1`, maxRetries: 0 });
      const raised = (error: unknown): boolean => error instanceof OpenAI.APIError && error.code === "latency_cap";
      await assert.rejects(client.responses.stream({ model: "m", input: "hi" }).finalResponse(), raised);
      await assert.rejects(async () => {
        for await (const _event of await client.responses.create({ model: "m", input: "hi", stream: true }));
      }, raised);
    });
  });
});

describe("openai.responses, recorded traffic", () => {
  const recorded = recordedExchanges(/\/responses$/);
  test("is there", { skip: recorded === undefined ? "no recorded exchanges here (SLUICE_FIXTURES)" : false }, () => {
    assert((recorded?.length ?? 0) > 0);
  });
  for (const exchange of recorded ?? []) test(exchange.id, () => checkRecorded(exchange));
});

function checkRecorded({ requestBody, status, contentType, responseBody, usage }: Recorded): void {
  const { view } = readRequest(openaiResponses, requestBody);
  assert.equal(edited(openaiResponses, requestBody, {}), requestBody);
  const bytes = Buffer.from(responseBody);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (places) => {
      const reader = openAnswer(openaiResponses, view, { status, contentType });
      assert(bytesOf(readPieces(reader, cutAt(bytes, places))).equals(bytes));
      const read = reader.usage();
      for (const [ours, theirs] of [
        [read?.inputTokens, "input"],
        [read?.outputTokens, "output"],
        [read?.cachedInputTokens, "cached"],
        [read?.cacheWriteTokens, "cache_write"],
        [read?.reasoningTokens, "reasoning"],
      ] as const) {
        assert.equal(ours ?? null, field(usage, theirs) ?? null, theirs);
      }
      assert.equal(reader.summary().complete, true);
      assert.equal(reader.summary().invalidEvents, 0);
    }),
    { numRuns: 8 },
  );
}
