import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, cutAt, joined, openAnswer, readPieces, textsOf } from "../../test/support/codec-runs.ts";
import type { Codec, ParsedRequest, PathFacts, RequestChange, TailReason } from "../core/codec.ts";
import { DENIAL_CODES } from "../core/denials.ts";
import { applyEdits, parseJson } from "../core/json.ts";
import { bedrockConverse, bedrockConverseStream } from "./bedrock-converse.ts";
import { bedrockCountTokens } from "./bedrock-count-tokens.ts";
import { bedrockDialect } from "./bedrock-dialect.ts";
import { EventStreamSplitter, jsonEvent, jsonException } from "./shared/aws-eventstream.ts";

const FACTS: PathFacts = { model: "us.anthropic.claude-test-v1:0", method: "converse", framing: "json" };
const BODY = JSON.stringify({
  system: [{ text: "Be brief." }, { cachePoint: { type: "default" } }],
  messages: [
    {
      role: "user",
      content: [
        { text: "What is this?" },
        { image: { format: "png", source: { bytes: "AAAA" } } },
        { document: { name: "plan", format: "txt", source: { text: "the plan" } } },
        { video: { format: "mp4", source: { s3Location: { uri: "s3://bucket/v.mp4", bucketOwner: "123" } } } },
        { guardContent: { text: { text: "guarded", qualifiers: ["query"] } } },
      ],
    },
    {
      role: "assistant",
      content: [
        { reasoningContent: { reasoningText: { text: "thinking", signature: "c2ln" } } },
        { toolUse: { toolUseId: "t1", name: "get_weather", input: { city: "Bern", deep: { name: "x" } } } },
      ],
    },
    {
      role: "user",
      content: [{ toolResult: { toolUseId: "t1", status: "success", content: [{ json: { sky: "blue" } }, { text: "sunny" }] } }],
    },
  ],
  inferenceConfig: { maxTokens: 500, stopSequences: ["END"] },
  toolConfig: {
    tools: [
      { toolSpec: { name: "get_weather", description: "Weather", inputSchema: { json: { type: "object" } } } },
      { cachePoint: { type: "default" } },
    ],
    toolChoice: { tool: { name: "get_weather" } },
  },
  additionalModelRequestFields: {
    thinking: { type: "enabled", budget_tokens: 2000 },
    tools: [{ type: "computer_20250124", name: "computer" }],
  },
  guardrailConfig: { guardrailIdentifier: "g", guardrailVersion: "1" },
  requestMetadata: { team: "blue" },
});

function read(codec: Codec, body: string, facts: PathFacts = FACTS) {
  const doc = parseJson(Buffer.from(body));
  assert(doc.ok);
  const view = codec.readRequest?.(doc.value, facts);
  assert(view !== undefined);
  return { doc: doc.value, facts, view };
}
function request(body: string, facts: PathFacts = FACTS): ParsedRequest {
  const { doc, view } = read(bedrockConverse, body, facts);
  assert(view.ok, JSON.stringify(view));
  return { doc, facts, view: view.value };
}
function edited(body: string, change: RequestChange): string {
  const parsed = request(body);
  return applyEdits(parsed.doc, bedrockConverse.editRequest?.(parsed, change) ?? []);
}
const STREAM_VIEW = request('{"messages":[]}', { ...FACTS, framing: "eventstream" }).view;

test("model, method and framing come from the path, an ARN too", () => {
  const match = (codec: Codec, path: string) =>
    codec.match({ method: "POST", path, query: new URLSearchParams() }, { get: () => undefined });
  assert.deepEqual(match(bedrockConverse, "/model/us.anthropic.claude-test-v1%3A0/converse"), FACTS);
  assert.deepEqual(match(bedrockConverse, "/model/us.anthropic.claude-test-v1:0/converse"), FACTS);
  const arn = "arn:aws:bedrock:us-east-1:1:inference-profile/x";
  const facts = match(bedrockConverseStream, `/model/${encodeURIComponent(arn)}/converse-stream`);
  assert.deepEqual(facts, { model: arn, method: "converse-stream", framing: "eventstream" });
  assert(facts !== undefined);
  assert.equal(bedrockConverseStream.upstreamPath?.(facts, arn), `/model/${encodeURIComponent(arn)}/converse-stream`);
  for (const path of ["/model/a/b/converse", "/model//converse", "/model/a/converse/", "/model/%E0%A4/converse", "/model/a/invoke"])
    assert.equal(match(bedrockConverse, path), undefined, path);
});

test("every text has its place; tools, S3 objects and caps are told", () => {
  const { view } = request(BODY);
  assert.deepEqual(textsOf(view), [
    "system: Be brief.",
    "user: What is this?",
    "file_name: plan",
    "tool_result: the plan",
    "url: s3://bucket/v.mp4",
    "user: guarded",
    "assistant: thinking",
    "file_name: get_weather",
    "tool_arguments: Bern",
    "tool_arguments: x",
    "tool_result: blue",
    "tool_result: sunny",
    "parameter: END",
    "tool_definition: get_weather",
    "tool_definition: Weather",
    "tool_definition: object",
    "other: enabled",
    "other: computer_20250124",
    "other: computer",
    "parameter: blue",
  ]);
  assert.deepEqual(
    view.tools.map(({ name, kind, use }) => `${use} ${kind} ${name}`),
    ["offered function get_weather", "offered function computer", "forced function get_weather"],
  );
  assert.deepEqual(
    view.providerState.map(({ kind, node }) => `${kind} ${node?.value}`),
    ["file s3://bucket/v.mp4"],
  );
  assert.deepEqual([view.model, view.outputTokensMax, view.streaming], [FACTS.model, 500, false]);
});

test("edits: caps stay in their place, a thinking budget shrinks with them, the model is not the body's", () => {
  assert.equal(edited(BODY, { model: "other", reportUsage: true, dropContractFields: true }), BODY);
  assert.equal(edited(BODY, { outputTokensMax: 1500 }), BODY.replace('"maxTokens":500', '"maxTokens":1500').replace("2000", "1499"));
  assert.equal(
    edited(BODY, { outputTokensMax: 100 }),
    BODY.replace('"maxTokens":500', '"maxTokens":100').replace('{"type":"enabled","budget_tokens":2000}', '{"type":"disabled"}'),
  );
  assert.equal(
    edited('{"messages":[]}', { outputTokensMax: 9, parameters: { temperature: 0 } }),
    '{"messages":[],"inferenceConfig":{"temperature":0,"maxTokens":9}}',
  );
  assert.equal(
    edited('{"messages":[],"inferenceConfig":{"topP":1}}', { outputTokensMax: 9 }),
    '{"messages":[],"inferenceConfig":{"topP":1,"maxTokens":9}}',
  );
});

test("what policies cannot read is refused, a cap past the API too", () => {
  for (const body of [
    "[]",
    '{"messages":{}}',
    '{"messages":[],"inferenceConfig":[]}',
    '{"messages":[],"inferenceConfig":{"maxTokens":"9"}}',
    '{"messages":[],"toolConfig":{"tools":[{}]}}',
    '{"messages":[],"additionalModelRequestFields":{"max_tokens":99999}}',
    '{"messages":[],"additionalModelRequestFields":{"tools":["x"]}}',
  ])
    assert.equal(read(bedrockConverse, body).view.ok, false, body);
});

const event = (type: string, payload: object) => Buffer.from(jsonEvent(type, JSON.stringify(payload)));
const FRAMES = [
  event("messageStart", { role: "assistant", p: "abc" }),
  event("contentBlockDelta", { contentBlockIndex: 0, delta: { reasoningContent: { text: "Hm" } } }),
  event("contentBlockDelta", { contentBlockIndex: 0, delta: { reasoningContent: { signature: "c2ln" } } }),
  event("contentBlockStop", { contentBlockIndex: 0 }),
  event("contentBlockDelta", { contentBlockIndex: 1, delta: { text: "Grüne 🧦" } }),
  event("contentBlockStop", { contentBlockIndex: 1 }),
  event("contentBlockStart", { contentBlockIndex: 2, start: { toolUse: { toolUseId: "t", name: "get_weather" } } }),
  event("contentBlockDelta", { contentBlockIndex: 2, delta: { toolUse: { input: '{"city":' } } }),
  event("contentBlockDelta", { contentBlockIndex: 2, delta: { toolUse: { input: '"Bern"}' } } }),
  event("contentBlockStop", { contentBlockIndex: 2 }),
  event("messageStop", { stopReason: "tool_use" }),
  event("metadata", {
    usage: {
      inputTokens: 10,
      outputTokens: 20,
      totalTokens: 130,
      cacheReadInputTokens: 60,
      cacheWriteInputTokens: 40,
      cacheDetails: [
        { ttl: "1h", inputTokens: 30 },
        { ttl: "5m", inputTokens: 10 },
      ],
    },
    metrics: { latencyMs: 5 },
  }),
];
const STREAM = Buffer.concat(FRAMES);

test("a stream reads the same for every cut, and passes byte for byte", () => {
  for (let cut = 0; cut <= STREAM.length; cut++) {
    const reader = openAnswer(bedrockConverseStream, STREAM_VIEW, { contentType: "application/vnd.amazon.eventstream" });
    const frames = readPieces(reader, cutAt(STREAM, [cut]));
    assert(bytesOf(frames).equals(STREAM));
    assert.deepEqual(joined(frames.flatMap(({ deltas }) => deltas)), {
      "0/reasoning": "Hm",
      "1/content": "Grüne 🧦",
      "2/tool_arguments": '{"city":"Bern"}',
    });
    const { reported: _reported, ...usage } = reader.usage() ?? { reported: {} };
    assert.deepEqual(usage, { inputTokens: 110, outputTokens: 20, cachedInputTokens: 60, cacheWriteTokens: 10, cacheWrite1hTokens: 30 });
    const { complete, finishReasons, toolCalls, invalidEvents, unknownEvents } = reader.summary();
    assert.deepEqual([complete, finishReasons, toolCalls, invalidEvents, unknownEvents], [true, ["tool_use"], ["get_weather"], 0, 0]);
  }
});

const ERROR: TailReason = { kind: "error", denial: { code: "latency_cap" }, requestId: "req-1" };

test("a stream cut anywhere ends as frames that a client can read, whatever was held back", () => {
  for (let cut = 0; cut <= STREAM.length; cut += 3) {
    for (const reason of [{ kind: "length", usage: { inputTokens: 7, outputTokens: 3, reported: {} } } as const, ERROR]) {
      const reader = openAnswer(bedrockConverseStream, STREAM_VIEW, { contentType: "application/vnd.amazon.eventstream" });
      const released = bytesOf(reader.push(STREAM.subarray(0, cut)));
      const complete = reader.summary().complete;
      const tail = reader.tail(reason);
      const splitter = new EventStreamSplitter();
      const frames = [...splitter.push(Buffer.concat([released, tail])), ...splitter.end()];
      assert(frames.every(({ kind }) => kind === "frame"));
      if (complete) {
        assert.equal(tail.length, 0);
        continue;
      }
      const types = frames.map(({ headers }) => headers.get(":event-type") ?? headers.get(":exception-type"));
      if (reason.kind === "error") {
        assert.equal(types.at(-1), "modelTimeoutException");
        continue;
      }
      assert.deepEqual([types[0], ...types.slice(-2)], ["messageStart", "messageStop", "metadata"]);
      const said = JSON.parse(Buffer.from(frames.at(-1)?.payload ?? []).toString()).usage;
      if (cut < 300) assert.deepEqual(said, { inputTokens: 7, outputTokens: 3, totalTokens: 10 });
      const index = ({ payload }: { readonly payload: Uint8Array }): unknown =>
        JSON.parse(Buffer.from(payload).toString()).contentBlockIndex;
      const blocks = (type: string) => new Set(frames.filter(({ headers }) => headers.get(":event-type") === type).map(index));
      assert.deepEqual(blocks("contentBlockStop"), new Set([...blocks("contentBlockStart"), ...blocks("contentBlockDelta")]));
    }
  }
});

test("an exception within a stream, and a JSON error in place of one, are seen", () => {
  const reader = openAnswer(bedrockConverseStream, STREAM_VIEW, { contentType: "application/vnd.amazon.eventstream" });
  readPieces(reader, [FRAMES[0] ?? STREAM, jsonException("throttlingException", '{"message":"secret words"}')]);
  assert.deepEqual([reader.summary().error, reader.summary().complete], ["throttlingException", false]);
  const refused = openAnswer(bedrockConverseStream, STREAM_VIEW, { status: 429, contentType: "application/json" });
  const body = Buffer.from('{"message":"Too many requests"}');
  assert(bytesOf(readPieces(refused, cutAt(body, [7]))).equals(body));
  assert.deepEqual([refused.summary().error, refused.usage()], ["error", undefined]);
});

test("after bytes that are no frame nothing is added", () => {
  const reader = openAnswer(bedrockConverseStream, STREAM_VIEW, { contentType: "application/vnd.amazon.eventstream" });
  readPieces(reader, [Buffer.from("<html>this is not an event stream</html>")]);
  assert.equal(reader.tail({ kind: "length" }).length, 0);
  assert.equal(reader.summary().invalidEvents, 1);
});

test("a whole answer", () => {
  const reader = openAnswer(bedrockConverse, request('{"messages":[]}').view);
  const frames = readPieces(reader, [
    Buffer.from(
      '{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"Hm","signature":"x"}}},{"text":"Hi"},{"toolUse":{"toolUseId":"t","name":"f","input":{"a":1}}}]}},"stopReason":"tool_use","usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7}}',
    ),
  ]);
  assert.deepEqual(joined(frames.flatMap(({ deltas }) => deltas)), {
    "0/reasoning": "Hm",
    "1/content": "Hi",
    "2/tool_arguments": '{"a":1}',
  });
  assert.deepEqual([reader.usage()?.inputTokens, reader.usage()?.outputTokens, reader.summary().toolCalls], [3, 4, ["f"]]);
});

test("the token counter inspects the request that it counts, and takes no hidden one", () => {
  const { view, doc, facts } = read(bedrockCountTokens, `{"input":{"converse":${BODY}}}`);
  assert(view.ok, JSON.stringify(view));
  assert.equal(textsOf(view.value).length, textsOf(request(BODY).view).length);
  assert.deepEqual(
    bedrockCountTokens.editRequest?.({ doc, facts, view: view.value }, { model: "m", outputTokensMax: 4, parameters: { topP: 1 } }),
    [],
  );
  assert.equal(read(bedrockCountTokens, '{"input":{"invokeModel":{"body":"e30="}}}').view.ok, false);
  const reader = openAnswer(bedrockCountTokens, view.value);
  readPieces(reader, [Buffer.from('{"inputTokens":23}')]);
  assert.deepEqual(reader.usage(), { inputTokens: 23, reported: { inputTokens: 23 } });
});

test("refusals carry AWS's type and the request's id; as a stream they are one exception", () => {
  for (const code of DENIAL_CODES) {
    const headers = Object.fromEntries(bedrockDialect.errorHeaders?.({ code }, "req-1") ?? []);
    assert.match(String(headers["x-amzn-errortype"]), /^[A-Z][A-Za-z]+Exception$/);
    assert.equal(headers["x-amzn-requestid"], "req-1");
    const [frame, ...more] = new EventStreamSplitter().push(bedrockDialect.renderErrorStream({ code }, "req-1", "eventstream"));
    assert.deepEqual([frame?.headers.get(":message-type"), more.length], ["exception", 0]);
    assert.match(String(frame?.headers.get(":exception-type")), /^[a-z][A-Za-z]+Exception$/);
    assert.deepEqual(JSON.parse(Buffer.from(frame?.payload ?? []).toString()), bedrockDialect.renderError({ code }, "req-1"));
  }
});
