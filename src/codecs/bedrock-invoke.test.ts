import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, cutAt, joined, readPieces, textsOf } from "../../test/support/codec-runs.ts";
import type { AnswerReader, Codec, ParsedRequest, RequestChange } from "../core/codec.ts";
import { applyEdits, parseJson } from "../core/json.ts";
import { bedrockEmbed, bedrockInvoke, bedrockInvokeStream } from "./bedrock-invoke.ts";
import { EventStreamSplitter, jsonEvent } from "./shared/aws-eventstream.ts";

function request(model: string, body: string, codec: Codec = bedrockInvoke): ParsedRequest {
  const doc = parseJson(Buffer.from(body));
  assert(doc.ok);
  const facts = { model, method: "invoke", framing: codec === bedrockInvokeStream ? "eventstream" : "json" } as const;
  const view = codec.readRequest?.(doc.value, facts);
  assert(view?.ok === true, JSON.stringify(view));
  return { doc: doc.value, facts, view: view.value };
}
function edited(model: string, body: string, change: RequestChange): string {
  const parsed = request(model, body);
  return applyEdits(parsed.doc, bedrockInvoke.editRequest?.(parsed, change) ?? []);
}
function open(codec: Codec, model: string, body: string, headers: Readonly<Record<string, string>> = {}, status = 200): AnswerReader {
  const { view } = request(model, body, codec);
  const contentType = view.streaming && status < 400 ? "application/vnd.amazon.eventstream" : "application/json";
  const reader = codec.openAnswer?.({ view, usageForced: false, status, contentType, headers: { get: (name) => headers[name] } });
  assert(reader !== undefined);
  return reader;
}

const ANTHROPIC =
  '{"anthropic_version":"bedrock-2023-05-31","max_tokens":90,"system":"S","messages":[{"role":"user","content":"U"}],"tools":[{"name":"f","input_schema":{"type":"object"}}]}';
const NOVA =
  '{"schemaVersion":"messages-v1","system":[{"text":"S"}],"messages":[{"role":"user","content":[{"text":"U"}]}],"inferenceConfig":{"max_new_tokens":90}}';
const CHAT = '{"messages":[{"role":"system","content":"S"},{"role":"user","content":"U"}],"max_tokens":90}';
const TITAN = '{"inputText":"U","textGenerationConfig":{"maxTokenCount":90,"stopSequences":["X"]}}';
const LLAMA = '{"prompt":"U","max_gen_len":90}';
const CLAUDE2 = '{"prompt":"U","max_tokens_to_sample":90}';
const COMMAND = '{"message":"U","preamble":"S","chat_history":[],"max_tokens":90}';

test("each maker's body: texts, caps, and the cap's own spelling kept", () => {
  const table: readonly (readonly [string, string, readonly string[]])[] = [
    ["us.anthropic.claude-x", ANTHROPIC, ["system: S", "user: U", "tool_definition: f", "tool_definition: object"]],
    ["amazon.nova-lite-v1:0", NOVA, ["system: S", "user: U"]],
    ["openai.gpt-oss-20b-1:0", CHAT, ["system: S", "user: U"]],
    ["amazon.titan-text-lite-v1", TITAN, ["user: U", "other: X"]],
    ["meta.llama3-70b-instruct-v1:0", LLAMA, ["user: U"]],
    ["anthropic.claude-v2:1", CLAUDE2, ["user: U"]],
    ["cohere.command-r-v1:0", COMMAND, ["user: U", "system: S"]],
  ];
  for (const [model, body, texts] of table) {
    const { view } = request(model, body);
    assert.deepEqual(textsOf(view), texts, body);
    assert.deepEqual([view.model, view.outputTokensMax, view.streaming, view.framing], [model, 90, false, "json"], body);
    assert.equal(edited(model, body, { model: "other", reportUsage: true, dropContractFields: true, outputTokensMax: 90 }), body);
    assert.equal(edited(model, body, { outputTokensMax: 7 }), body.replace("90", "7"));
    assert.deepEqual(request(model, body, bedrockInvokeStream).view.framing, "eventstream");
  }
  assert.deepEqual(
    request("us.anthropic.claude-x", ANTHROPIC).view.tools.map(({ name }) => name),
    ["f"],
  );
});

test("a cap where there was none is written in the maker's spelling; vectors and images take none", () => {
  const table: readonly (readonly [string, string, string])[] = [
    ["amazon.titan-text-lite-v1", '{"inputText":"U"}', '{"inputText":"U","textGenerationConfig":{"maxTokenCount":7}}'],
    [
      "amazon.titan-text-lite-v1",
      '{"inputText":"U","textGenerationConfig":{"topP":1}}',
      '{"inputText":"U","textGenerationConfig":{"topP":1,"maxTokenCount":7}}',
    ],
    ["meta.llama3-70b-instruct-v1:0", '{"prompt":"U"}', '{"prompt":"U","max_gen_len":7}'],
    ["anthropic.claude-v2", '{"prompt":"U"}', '{"prompt":"U","max_tokens_to_sample":7}'],
    ["mistral.mistral-7b-instruct-v0:2", '{"prompt":"U"}', '{"prompt":"U","max_tokens":7}'],
    [
      "amazon.nova-lite-v1:0",
      '{"schemaVersion":"messages-v1","messages":[]}',
      '{"schemaVersion":"messages-v1","messages":[],"inferenceConfig":{"maxTokens":7}}',
    ],
    ["amazon.titan-embed-text-v2:0", '{"inputText":"U"}', '{"inputText":"U"}'],
    ["cohere.embed-v4:0", '{"texts":["U"],"input_type":"search_query"}', '{"texts":["U"],"input_type":"search_query"}'],
    [
      "my-images",
      '{"taskType":"TEXT_IMAGE","textToImageParams":{"text":"U"}}',
      '{"taskType":"TEXT_IMAGE","textToImageParams":{"text":"U"}}',
    ],
  ];
  for (const [model, body, after] of table) assert.equal(edited(model, body, { outputTokensMax: 7 }), after, model);
});

test("whole answers: text, finish reason and usage of each maker, for every cut; headers where the body has none", () => {
  const counts = { "x-amzn-bedrock-input-token-count": "20", "x-amzn-bedrock-output-token-count": "10" };
  const table: readonly (readonly [string, string, string, string, number, number])[] = [
    [
      "us.anthropic.claude-x",
      ANTHROPIC,
      '{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"Hi"}],"model":"c","stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":4,"cache_read_input_tokens":5}}',
      "Hi",
      8,
      4,
    ],
    [
      "amazon.nova-lite-v1:0",
      NOVA,
      '{"output":{"message":{"content":[{"text":"Hi"}],"role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":3,"outputTokens":4,"cacheReadInputTokenCount":2}}',
      "Hi",
      5,
      4,
    ],
    [
      "openai.gpt-oss-20b-1:0",
      CHAT,
      '{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}',
      "Hi",
      3,
      4,
    ],
    [
      "amazon.titan-text-lite-v1",
      TITAN,
      '{"inputTextTokenCount":3,"results":[{"tokenCount":4,"outputText":"Hi","completionReason":"LENGTH"}]}',
      "Hi",
      3,
      4,
    ],
    [
      "meta.llama3-70b-instruct-v1:0",
      LLAMA,
      '{"generation":"Hi","prompt_token_count":3,"generation_token_count":4,"stop_reason":"stop"}',
      "Hi",
      3,
      4,
    ],
    ["anthropic.claude-v2:1", CLAUDE2, '{"type":"completion","completion":"Hi","stop_reason":"stop_sequence"}', "Hi", 20, 10],
    [
      "cohere.command-text-v14",
      '{"prompt":"U"}',
      '{"generations":[{"finish_reason":"COMPLETE","id":"g","text":"Hi"}],"id":"i","prompt":"U"}',
      "Hi",
      20,
      10,
    ],
    ["mistral.mistral-7b-instruct-v0:2", '{"prompt":"U"}', '{"outputs":[{"text":"Hi","stop_reason":"stop"}]}', "Hi", 20, 10],
    ["cohere.command-r-v1:0", COMMAND, '{"text":"Hi","generation_id":"g","finish_reason":"COMPLETE"}', "Hi", 20, 10],
  ];
  for (const [model, body, answer, text, input, output] of table) {
    const bytes = Buffer.from(answer);
    for (let cut = 0; cut <= bytes.length; cut += 5) {
      const reader = open(bedrockInvoke, model, body, counts);
      const frames = readPieces(reader, cutAt(bytes, [cut]));
      assert(bytesOf(frames).equals(bytes));
      assert.deepEqual(joined(frames.flatMap(({ deltas }) => deltas)), { "0/content": text }, model);
      assert.deepEqual([reader.usage()?.inputTokens, reader.usage()?.outputTokens], [input, output], model);
      assert.deepEqual([reader.summary().complete, reader.summary().finishReasons.length], [true, 1], model);
    }
  }
});

test("an error answer says nothing of usage, whatever its headers", () => {
  const reader = open(bedrockInvoke, "meta.llama", LLAMA, {}, 400);
  readPieces(reader, [Buffer.from('{"message":"no"}')]);
  assert.deepEqual([reader.usage(), reader.summary().error], [undefined, "error"]);
});

const chunk = (value: object): Buffer =>
  Buffer.from(jsonEvent("chunk", JSON.stringify({ bytes: Buffer.from(JSON.stringify(value)).toString("base64"), p: "abcd" })));
const METRICS = {
  "amazon-bedrock-invocationMetrics": { inputTokenCount: 30, outputTokenCount: 9, invocationLatency: 5, firstByteLatency: 2 },
};
const CLAUDE_EVENTS = [
  { type: "message_start", message: { id: "m", model: "c", usage: { input_tokens: 30, output_tokens: 1 } } },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Grüezi" } },
  { type: "content_block_stop", index: 0 },
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 9 } },
  { type: "message_stop", ...METRICS },
];

test("streams of each maker within Bedrock's frames, for every cut", () => {
  const table: readonly (readonly [string, string, readonly object[], number, number])[] = [
    ["us.anthropic.claude-x", ANTHROPIC, CLAUDE_EVENTS, 30, 9],
    [
      "anthropic.claude-v2",
      CLAUDE2,
      [
        { completion: "Grü", stop_reason: null },
        { completion: "ezi", stop_reason: "stop_sequence", ...METRICS },
      ],
      30,
      9,
    ],
    [
      "amazon.titan-text-lite-v1",
      TITAN,
      [{ outputText: "Grüezi", index: 0, totalOutputTextTokenCount: 5, completionReason: "FINISH", inputTextTokenCount: 3 }],
      3,
      5,
    ],
    [
      "meta.llama3",
      LLAMA,
      [
        { generation: "Grü", prompt_token_count: 3, generation_token_count: 1, stop_reason: null },
        { generation: "ezi", prompt_token_count: null, generation_token_count: 2, stop_reason: "stop", ...METRICS },
      ],
      30,
      9,
    ],
    [
      "amazon.nova-lite-v1:0",
      NOVA,
      [
        { messageStart: { role: "assistant" } },
        { contentBlockDelta: { delta: { text: "Grüezi" }, contentBlockIndex: 0 } },
        { contentBlockStop: { contentBlockIndex: 0 } },
        { messageStop: { stopReason: "end_turn" } },
        { metadata: { usage: { inputTokens: 4, outputTokens: 6 }, metrics: {} }, ...METRICS },
      ],
      4,
      6,
    ],
    [
      "openai.gpt-oss-20b-1:0",
      CHAT,
      [
        { choices: [{ delta: { content: "Grüezi" }, finish_reason: null }] },
        { choices: [{ delta: {}, finish_reason: "stop" }], ...METRICS },
      ],
      30,
      9,
    ],
    [
      "mistral.mistral-7b",
      '{"prompt":"U"}',
      [{ outputs: [{ text: "Grüezi", stop_reason: null }] }, { outputs: [{ text: "", stop_reason: "stop" }], ...METRICS }],
      30,
      9,
    ],
  ];
  for (const [model, body, events, input, output] of table) {
    const stream = Buffer.concat(events.map(chunk));
    for (let cut = 0; cut <= stream.length; cut += 3) {
      const reader = open(bedrockInvokeStream, model, body);
      const frames = readPieces(reader, cutAt(stream, [cut]));
      assert(bytesOf(frames).equals(stream));
      assert.deepEqual(joined(frames.flatMap(({ deltas }) => deltas)), { "0/content": "Grüezi" }, model);
      assert.deepEqual([reader.usage()?.inputTokens, reader.usage()?.outputTokens], [input, output], model);
      const { complete, finishReasons, invalidEvents, unknownEvents } = reader.summary();
      // Without Bedrock's figures in its last event a stream of another maker's has no end that could be known.
      const whole = JSON.stringify(events).includes("invocationMetrics");
      assert.deepEqual([complete, finishReasons.length, invalidEvents, unknownEvents], [whole, 1, 0, 0], model);
    }
  }
});

test("a cut stream of Claude's ends with its own last events, in frames", () => {
  const reader = open(bedrockInvokeStream, "us.anthropic.claude-x", ANTHROPIC);
  reader.push(Buffer.concat(CLAUDE_EVENTS.slice(0, 3).map(chunk)));
  const types = new EventStreamSplitter().push(reader.tail({ kind: "length" })).map(({ payload }) => {
    const { bytes } = JSON.parse(Buffer.from(payload).toString());
    return JSON.parse(Buffer.from(bytes, "base64").toString()).type;
  });
  assert.deepEqual(types, ["content_block_stop", "message_delta", "message_stop"]);
  const [failed] = new EventStreamSplitter().push(reader.tail({ kind: "error", denial: { code: "overloaded" }, requestId: "r" }));
  assert.equal(failed?.headers.get(":exception-type"), "serviceUnavailableException");
});

test("embeddings are a surface of their own, by the model's name; vectors pass, the count is read", () => {
  const match = (codec: Codec, model: string) =>
    codec.match({ method: "POST", path: `/model/${model}/invoke`, query: new URLSearchParams() }, { get: () => undefined });
  for (const [model, embeds] of [
    ["amazon.titan-embed-text-v2%3A0", true],
    ["cohere.embed-english-v3", true],
    ["amazon.titan-text-lite-v1", false],
    ["my-model", false],
  ] as const)
    assert.deepEqual([match(bedrockEmbed, model) !== undefined, match(bedrockInvoke, model) !== undefined], [embeds, !embeds], model);
  const large = Buffer.from(`{"embedding":[${"0.123456,".repeat(20_000)}1],"inputTextTokenCount":3}`);
  const reader = open(bedrockEmbed, "amazon.titan-embed-text-v2:0", '{"inputText":"U"}');
  assert(bytesOf(readPieces(reader, cutAt(large, [1, 99_999]))).equals(large));
  assert.deepEqual([reader.usage()?.inputTokens, reader.summary().complete], [3, true]);
  const cohere = open(bedrockEmbed, "cohere.embed-english-v3", '{"texts":["U"]}', { "x-amzn-bedrock-input-token-count": "8" });
  readPieces(cohere, [Buffer.from('{"embeddings":[[0.1]],"id":"e","texts":["U"]}')]);
  assert.equal(cohere.usage()?.inputTokens, 8);
});
