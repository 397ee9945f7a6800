import assert from "node:assert/strict";
import { test } from "node:test";
import { dataOf } from "../../test/support/answers.ts";
import { bytesOf, cutAt, edited, fixture, joined, openAnswer, readPieces, readRequest, textsOf } from "../../test/support/codec-runs.ts";
import type { Codec, TailReason } from "../core/codec.ts";
import { field, parseJson } from "../core/json.ts";
import { cohereChat, cohereChatV1 } from "./cohere-chat.ts";
import { cohereEmbed, cohereRerank } from "./cohere-inputs.ts";

const REQUEST = fixture("cohere/chat-v2.json").toString().trim();
const SSE = fixture("cohere/chat-v2.sse");
const LINES = fixture("cohere/chat-v1.jsonl");
const STREAMED = readRequest(cohereChat, REQUEST).view;
const V1 = readRequest(cohereChatV1, '{"message":"hi","model":"command-r","stream":true}').view;
const ERROR: TailReason = { kind: "error", denial: { code: "latency_cap" }, requestId: "req-1" };

test("version 2: every text has its place", () => {
  const { view } = readRequest(cohereChat, REQUEST);
  assert.deepEqual(textsOf(view), [
    "system: Be brief.",
    "user: What is in here?",
    "url: https://pictures.example.test/a.png",
    "assistant: I will look it up.",
    "assistant: search_kb",
    'tool_arguments(json): {"query":"socks"}',
    "tool_result: https://kb.example.test/1",
    "tool_result: Socks are warm.",
    "tool_result: Socks",
    "tool_result: loose text",
    "tool_result: d2",
    "tool_result: Cats are cats.",
    "tool_definition: search_kb",
    "tool_definition: Searches",
    "tool_definition: object",
    "tool_definition: string",
    "tool_definition: What for",
    "schema: object",
    "schema: An answer",
    "parameter: THE END",
    "other: in a member of tomorrow",
  ]);
  assert.deepEqual(
    [view.model, view.streaming, view.outputTokensMax, view.contractFields.get("ai_user")],
    ["command-a-test", true, 300, "u-1"],
  );
  assert.deepEqual(
    view.tools.map(({ name, kind }) => `${kind} ${name}`),
    ["function search_kb"],
  );
});

test("version 1: message, history, documents, tools and their results; connectors and kept conversations are told", () => {
  const body = JSON.stringify({
    message: "And now?",
    preamble: "Be brief.",
    chat_history: [
      { role: "USER", message: "before" },
      { role: "CHATBOT", message: "said" },
      { role: "TOOL", tool_results: [{ call: { name: "f", parameters: { q: "x" } }, outputs: [{ text: "old" }] }] },
    ],
    documents: [{ title: "T", snippet: "S" }],
    tools: [{ name: "f", description: "D", parameter_definitions: { q: { description: "P", type: "str" } } }],
    tool_results: [{ call: { name: "f", parameters: { q: "y" } }, outputs: [{ text: "new" }] }],
    connectors: [{ id: "web-search" }],
    conversation_id: "conv-1",
    max_tokens: 9,
  });
  const { view } = readRequest(cohereChatV1, body);
  assert.deepEqual(textsOf(view), [
    "user: And now?",
    "system: Be brief.",
    "user: before",
    "assistant: said",
    "tool_result: f",
    "tool_arguments: x",
    "tool_result: old",
    "tool_result: T",
    "tool_result: S",
    "tool_definition: f",
    "tool_definition: D",
    "tool_definition: P",
    "tool_definition: str",
    "tool_result: f",
    "tool_arguments: y",
    "tool_result: new",
  ]);
  assert.deepEqual(
    view.tools.map(({ name, kind }) => `${kind} ${name}`),
    ["function f", "provider web-search"],
  );
  assert.deepEqual(
    view.providerState.map(({ kind, node }) => `${kind} ${node?.value}`),
    ["conversation conv-1"],
  );
});

test("edits change what they name and nothing else", () => {
  assert.equal(edited(cohereChat, REQUEST, {}), REQUEST);
  assert.equal(edited(cohereChat, REQUEST, { reportUsage: true, model: "command-a-test", outputTokensMax: 300 }), REQUEST);
  assert.equal(
    edited(cohereChat, REQUEST, { model: "m", outputTokensMax: 7, dropContractFields: true }),
    REQUEST.replace("command-a-test", "m").replace('"max_tokens":300', '"max_tokens":7').replace('"metadata":{"ai_user":"u-1"},', ""),
  );
});

test("what policies cannot read is refused", () => {
  for (const [codec, body] of [
    [cohereChat, "[]"],
    [cohereChat, "{}"],
    [cohereChat, '{"messages":["text"]}'],
    [cohereChat, '{"messages":[],"max_tokens":"5"}'],
    [cohereChat, '{"messages":[],"tools":[{"type":"function"}]}'],
    [cohereChatV1, '{"message":{"a":1}}'],
    [cohereChatV1, '{"message":"","chat_history":{}}'],
    [cohereChatV1, '{"message":"","connectors":[{}]}'],
    [cohereRerank, '{"model":5}'],
  ] as const) {
    const doc = parseJson(Buffer.from(body));
    assert(doc.ok);
    assert.equal(codec.readRequest?.(doc.value, {}).ok, false, body);
  }
});

const V2_TEXTS = {
  "0/reasoning": "Hm, warm.",
  // The plan for the tools has a block of its own.
  "10000/reasoning": "I will look.",
  "1/content": "Grüne 🧦",
  "0/tool_arguments": '{"query":"socks"}',
};

test("version 2: a stream reads the same for every cut, and passes byte for byte", () => {
  for (let cut = 0; cut <= SSE.length; cut++) {
    const reader = openAnswer(cohereChat, STREAMED);
    const frames = readPieces(reader, cutAt(SSE, [cut]));
    assert(bytesOf(frames).equals(SSE));
    assert.deepEqual(joined(frames.flatMap(({ deltas }) => deltas)), V2_TEXTS);
    assert.deepEqual(reader.usage(), {
      inputTokens: 212,
      outputTokens: 19,
      billedInputTokens: 12,
      billedOutputTokens: 9,
      cachedInputTokens: 208,
      reported: {
        "billed_units.input_tokens": 12,
        "billed_units.output_tokens": 9,
        "tokens.input_tokens": 212,
        "tokens.output_tokens": 19,
        cached_tokens: 208,
      },
    });
  }
  const reader = openAnswer(cohereChat, STREAMED);
  readPieces(reader, [SSE]);
  const { complete, finishReasons, toolCalls, responseId, unknownEvents, invalidEvents } = reader.summary();
  assert.deepEqual(
    { complete, finishReasons, toolCalls, responseId, unknownEvents, invalidEvents },
    { complete: true, finishReasons: ["TOOL_CALL"], toolCalls: ["search_kb"], responseId: "m-1", unknownEvents: 0, invalidEvents: 0 },
  );
});

test("version 1: one object a line, for every cut", () => {
  for (let cut = 0; cut <= LINES.length; cut++) {
    const reader = openAnswer(cohereChatV1, V1, { contentType: "application/stream+json" });
    const frames = readPieces(reader, cutAt(LINES, [cut]));
    assert(bytesOf(frames).equals(LINES));
    assert.deepEqual(joined(frames.flatMap(({ deltas }) => deltas)), { "0/content": "Grüne Socken" });
    assert.deepEqual([reader.usage()?.inputTokens, reader.usage()?.billedInputTokens, reader.summary().complete], [70, 5, true]);
    assert.deepEqual(reader.summary().toolCalls, ["search_kb"]);
  }
});

test("whole bodies of both versions", () => {
  const whole = openAnswer(cohereChat, readRequest(cohereChat, '{"messages":[]}').view);
  const frames = readPieces(whole, [
    Buffer.from(
      '{"id":"a","message":{"role":"assistant","tool_plan":"plan","content":[{"type":"thinking","thinking":"t"},{"type":"text","text":"x"}],"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":1,"output_tokens":2},"tokens":{"input_tokens":3,"output_tokens":4,"reasoning_tokens":1}}}',
    ),
  ]);
  assert.deepEqual(joined(frames.flatMap(({ deltas }) => deltas)), {
    "0/reasoning": "t",
    "10000/reasoning": "plan",
    "1/content": "x",
    "0/tool_arguments": "{}",
  });
  assert.deepEqual([whole.usage()?.inputTokens, whole.usage()?.outputTokens, whole.usage()?.reasoningTokens], [3, 4, 1]);
  const old = openAnswer(cohereChatV1, readRequest(cohereChatV1, '{"message":"x"}').view);
  const oldFrames = readPieces(old, [
    Buffer.from(
      '{"text":"hello","generation_id":"g","finish_reason":"COMPLETE","meta":{"billed_units":{"input_tokens":1,"output_tokens":2}}}',
    ),
  ]);
  assert.deepEqual(joined(oldFrames.flatMap(({ deltas }) => deltas)), { "0/content": "hello" });
  assert.deepEqual([old.usage()?.inputTokens, old.summary().finishReasons], [1, ["COMPLETE"]]);
});

test("a cut stream ends as Cohere's does, with what is open closed", () => {
  for (let cut = 0; cut < SSE.length; cut += 7) {
    const reader = openAnswer(cohereChat, STREAMED);
    const released = bytesOf(reader.push(SSE.subarray(0, cut))).toString();
    const complete = reader.summary().complete;
    const tail = Buffer.from(reader.tail({ kind: "length" })).toString();
    if (complete) {
      assert.equal(tail, "");
      continue;
    }
    const types = dataOf(released + tail).map((event) => field(event, "type"));
    for (const [start, end] of [
      ["content-start", "content-end"],
      ["tool-call-start", "tool-call-end"],
    ] as const) {
      assert.equal(types.filter((type) => type === start).length, types.filter((type) => type === end).length);
    }
    assert.equal(types.at(-1), "message-end");
    assert.match(tail, /"finish_reason":"MAX_TOKENS"/);
    const failed = Buffer.from(reader.tail(ERROR)).toString();
    assert.match(failed, /"finish_reason":"ERROR".*"code":"latency_cap".*\n\ndata: \[DONE\]\n\n$/s);
  }
});

test("a cut stream of lines ends with its last line", () => {
  const reader = openAnswer(cohereChatV1, V1, { contentType: "application/stream+json" });
  reader.push(LINES.subarray(0, 150));
  const lines = Buffer.from(reader.tail({ kind: "length" })).toString();
  assert.deepEqual(JSON.parse(lines), {
    is_finished: true,
    event_type: "stream-end",
    finish_reason: "MAX_TOKENS",
    response: { text: "Grüne", finish_reason: "MAX_TOKENS" },
  });
  assert.equal(field(field(JSON.parse(Buffer.from(reader.tail(ERROR)).toString()), "error"), "code"), "latency_cap");
});

test("the end of a cut stream tells the usage that is charged", () => {
  const usage = { inputTokens: 7, outputTokens: 3, reported: {} };
  const figures = { billed_units: { input_tokens: 7, output_tokens: 3 }, tokens: { input_tokens: 7, output_tokens: 3 } };
  const old = openAnswer(cohereChatV1, V1, { contentType: "application/stream+json" });
  old.push(LINES.subarray(0, 150));
  assert.deepEqual(field(field(JSON.parse(Buffer.from(old.tail({ kind: "length", usage })).toString()), "response"), "meta"), figures);
  const reader = openAnswer(cohereChat, STREAMED);
  reader.push(SSE.subarray(0, 200));
  const ended = dataOf(Buffer.from(reader.tail({ kind: "filtered", usage })).toString()).at(-1);
  assert.deepEqual(field(field(ended, "delta"), "usage"), figures);
});

test("embeddings and rerankings: inputs are texts, vectors pass, what is billed is the usage", () => {
  const table: readonly [Codec, string, readonly string[], string, number | undefined][] = [
    [
      cohereEmbed,
      '{"model":"embed-v4.0","texts":["a","b"],"images":["data:image/png;base64,AAAA"],"input_type":"search_query","embedding_types":["float"],"max_tokens":50}',
      ["user: a", "user: b"],
      '{"id":"e","embeddings":{"float":[[0.1]]},"texts":["a"],"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":7,"image_tokens":0}}}',
      7,
    ],
    [
      cohereEmbed,
      '{"model":"embed-v4.0","inputs":[{"content":[{"type":"text","text":"c"},{"type":"image_url","image_url":{"url":"https://x.test/i"}}]}]}',
      ["user: c", "url: https://x.test/i"],
      '{"id":"e","embeddings":[[0.1]],"meta":{"billed_units":{"input_tokens":2}}}',
      2,
    ],
    [
      cohereRerank,
      '{"model":"rerank-v3.5","query":"q","documents":["d1",{"text":"d2"}],"top_n":1}',
      ["user: q", "user: d1", "user: d2"],
      '{"id":"r","results":[{"index":0,"relevance_score":0.1}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}',
      undefined,
    ],
  ];
  for (const [codec, body, texts, answer, input] of table) {
    const { view } = readRequest(codec, body);
    assert.deepEqual(textsOf(view), texts);
    assert.equal(view.outputTokensMax, undefined);
    assert.equal(edited(codec, body, { outputTokensMax: 5, parameters: { temperature: 1 } }), body);
    const bytes = Buffer.from(answer);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const reader = openAnswer(codec, view);
      assert(bytesOf(readPieces(reader, cutAt(bytes, [cut]))).equals(bytes));
      assert.equal(reader.usage()?.inputTokens, input);
      assert(Object.keys(reader.usage()?.reported ?? {}).every((path) => path.startsWith("billed_units.")));
    }
    const large = Buffer.from(answer.replace('"id":', `"vectors":[${"0.123456,".repeat(20_000)}1],"id":`));
    const reader = openAnswer(codec, view);
    assert(bytesOf(readPieces(reader, cutAt(large, [1, 99_999]))).equals(large));
    assert.deepEqual([reader.usage()?.inputTokens, reader.summary().complete], [input, true]);
  }
});

test("paths of both versions, and nothing beside them", () => {
  const match = (codec: Codec, method: string, path: string) =>
    codec.match({ method, path, query: new URLSearchParams() }, { get: () => undefined });
  assert.deepEqual(match(cohereEmbed, "POST", "/v1/embed"), { version: "v1" });
  assert.equal(cohereEmbed.upstreamPath?.({ version: "v1" }, "m"), "/v1/embed");
  assert.equal(cohereRerank.upstreamPath?.({ version: "v2" }, "m"), "/v2/rerank");
  assert.equal(match(cohereChatV1, "POST", "/v1/chat/completions"), undefined);
  assert.equal(match(cohereChat, "GET", "/v2/chat"), undefined);
  assert.equal(match(cohereEmbed, "POST", "/v2/embed/jobs"), undefined);
});

test("documents that a reranking gives back are read by guards, and can be changed", () => {
  const { view } = readRequest(cohereRerank, '{"model":"r","query":"q","documents":["d"],"return_documents":true}');
  const reader = cohereRerank.openAnswer?.({ view, usageForced: false, status: 200, contentType: "application/json", guarded: true });
  assert.ok(reader !== undefined);
  const body = '{"id":"r","results":[{"index":0,"relevance_score":0.1,"document":{"text":"d"}}],"meta":{}}';
  const [frame] = readPieces(reader, [Buffer.from(body)]);
  assert.deepEqual(
    frame?.deltas.map(({ text }) => text),
    ["d"],
  );
  assert.equal(Buffer.from(frame?.rewrite?.(["e"]) ?? []).toString(), body.replace('"text":"d"', '"text":"e"'));
});
