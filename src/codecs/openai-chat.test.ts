import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import OpenAI from "openai";
import {
  answerContext,
  assertUsage,
  changed,
  collect,
  dataOf,
  everyByte,
  fixture,
  NO_RECORDINGS,
  parseRequest,
  problemOf,
  readAnswer,
  recordings,
} from "../../test/support/answers.ts";
import { property } from "../../test/support/property.ts";
import type { TailReason } from "../core/codec.ts";
import { field, type Json } from "../core/json.ts";
import { openaiChat } from "./openai-chat.ts";

const user = { role: "user", content: "Hi" };
const base = { model: "gpt-4o-mini", messages: [user] };
const viewOf = (body: Json | string) => parseRequest(openaiChat, body).view;
const streamView = viewOf({ ...base, stream: true });

test("only POST /v1/chat/completions is this surface", () => {
  const none = { get: () => undefined };
  const match = (method: string, path: string) => openaiChat.match({ method, path, query: new URLSearchParams() }, none);
  assert.deepStrictEqual(match("POST", "/v1/chat/completions"), {});
  assert.equal(match("GET", "/v1/chat/completions"), undefined);
  assert.equal(match("POST", "/chat/completions"), undefined);
  assert.equal(match("POST", "/v1/chat/completions/"), undefined);
});

test("every text of a request is seen, with its place", () => {
  const body = {
    model: "m",
    messages: [
      { role: "developer", content: "D" },
      { role: "system", content: [{ type: "text", text: "S", cache_control: { type: "ephemeral" } }] },
      {
        role: "user",
        name: "N",
        content: [
          { type: "text", text: "U" },
          { type: "image_url", image_url: { url: "https://x/y?z", detail: "low" } },
          { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
          { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } },
          { type: "file", file: { filename: "F.pdf", file_data: "data:application/pdf;base64,AAAA" } },
          { type: "document_url", document_url: "https://x/doc", document_name: "DN" },
          { type: "brand_new", wording: "W" },
        ],
      },
      {
        role: "assistant",
        content: "A",
        refusal: "R",
        reasoning_content: "RC",
        reasoning_details: [{ type: "reasoning.encrypted", data: "xxxx" }],
        tool_calls: [
          { id: "c1", type: "function", function: { name: "f", arguments: '{"a":"b"}' } },
          { id: "c2", type: "custom", custom: { name: "g", input: "I" } },
        ],
      },
      { role: "tool", tool_call_id: "c1", content: "T" },
      { role: "function", name: "old", content: "O" },
      { role: "martian", content: "M" },
    ],
    tools: [
      {
        type: "function",
        function: {
          name: "f",
          description: "FD",
          parameters: { type: "object", properties: { type: { type: "string", description: "PD", enum: ["E"] } } },
        },
      },
    ],
    response_format: { type: "json_schema", json_schema: { name: "JN", schema: { type: "object", description: "JD" } } },
    prediction: { type: "content", content: "P" },
    metadata: { ai_use_case: "support-reply", note: "MN" },
    stop: ["ST"],
    user: "user-1",
    new_field: { deep: ["NF"] },
  };
  const found = [...viewOf(body).texts()].map(
    ({ place, node, holds }) => `${place}:${node.value}${holds === undefined ? "" : `:${holds}`}`,
  );
  assert.deepStrictEqual(found, [
    ...["system:D", "system:S", "user:N", "user:U", "url:https://x/y?z", "file_name:F.pdf", "url:https://x/doc", "file_name:DN", "user:W"],
    ...[
      "assistant:A",
      "assistant:R",
      "assistant:RC",
      "assistant:f",
      'tool_arguments:{"a":"b"}:json',
      "tool_arguments:g",
      "tool_arguments:I",
    ],
    ...["tool_result:T", "tool_result:old", "tool_result:O", "other:M"],
    ...[
      "tool_definition:f",
      "tool_definition:FD",
      "tool_definition:object",
      "tool_definition:string",
      "tool_definition:PD",
      "tool_definition:E",
    ],
    ...["schema:JN", "schema:object", "schema:JD", "assistant:P", "parameter:MN", "parameter:ST", "parameter:user-1", "other:NF"],
  ]);
});

test("model, stream, caps, choices, tools, state and contract fields", () => {
  const view = viewOf({
    ...base,
    stream: true,
    n: 3,
    max_tokens: 500,
    max_completion_tokens: 200,
    store: true,
    metadata: { ai_tenant: "acme", other: 1 },
    messages: [
      { role: "user", content: [{ type: "file", file: { file_id: "file-1" } }] },
      { role: "assistant", audio: { id: "audio-1" } },
    ],
    tools: [
      { type: "function", function: { name: "f" } },
      { type: "custom", custom: { name: "c" } },
      { function: { name: "typeless" } },
      { type: "openrouter:web_search", parameters: {} },
    ],
    functions: [{ name: "legacy" }],
    web_search_options: {},
    tool_choice: { type: "function", function: { name: "f" } },
    function_call: { name: "legacy" },
  });
  assert.equal(view.model, "gpt-4o-mini");
  assert.equal(view.framing, "sse");
  assert.equal(view.outputTokensMax, 500, "servers differ in which of the two they keep: the looser one");
  assert.equal(view.choices, 3);
  assert.deepStrictEqual(
    view.tools.map(({ name, kind, use }) => `${name} ${kind} ${use}`),
    [
      ...["f function offered", "c function offered", "typeless function offered", "openrouter:web_search provider offered"],
      ...["legacy function offered", "legacy function forced", "web_search provider offered", "f function forced"],
    ],
  );
  assert.deepStrictEqual(
    view.providerState.map(({ kind, node }) => `${kind} ${node?.value}`),
    ["store undefined", "file file-1", "item audio-1"],
  );
  assert.deepStrictEqual([...view.contractFields], [["ai_tenant", "acme"]]);
  const plain = viewOf({
    model: null,
    messages: [user],
    stream: null,
    tools: null,
    max_tokens: null,
    store: false,
    tool_choice: "required",
  });
  assert.deepStrictEqual(
    [plain.model, plain.streaming, plain.framing, plain.outputTokensMax, plain.choices, plain.tools.length, plain.providerState.length],
    [undefined, false, "json", undefined, 1, 0, 0],
  );
  const allowed = (mode: string) =>
    viewOf({
      ...base,
      tool_choice: { type: "allowed_tools", allowed_tools: { mode, tools: [{ type: "function", function: { name: "f" } }] } },
    });
  assert.equal(allowed("required").tools[0]?.use, "forced");
  assert.equal(allowed("auto").tools[0]?.use, "offered");
});

test("what policies could not read is refused, with its place", () => {
  const table: readonly (readonly [Json, string])[] = [
    [[], ""],
    [{ model: "m" }, "/messages"],
    [{ ...base, messages: "Hi" }, "/messages"],
    [{ ...base, messages: ["Hi"] }, "/messages/0"],
    [{ ...base, stream: "true" }, "/stream"],
    [{ ...base, stream: 1 }, "/stream"],
    [{ ...base, model: 4 }, "/model"],
    [{ ...base, max_tokens: "9" }, "/max_tokens"],
    [{ ...base, max_completion_tokens: 1.5 }, "/max_completion_tokens"],
    [{ ...base, max_tokens: -1 }, "/max_tokens"],
    [{ ...base, n: 0 }, "/n"],
    [{ ...base, tools: {} }, "/tools"],
    [{ ...base, tools: [{}] }, "/tools/0"],
    [{ ...base, tools: [{ type: "function", function: {} }] }, "/tools/0"],
    [{ ...base, tool_choice: 1 }, "/tool_choice"],
    [{ ...base, tool_choice: {} }, "/tool_choice"],
    [{ ...base, tool_choice: { type: "allowed_tools" } }, "/tool_choice"],
    [{ ...base, function_call: {} }, "/function_call"],
    [{ ...base, metadata: "x" }, "/metadata"],
    [{ ...base, metadata: { ai_max_tokens: 5 } }, "/metadata"],
    [{ ...base, store: "yes" }, "/store"],
    [{ ...base, stream_options: true }, "/stream_options"],
    [{ ...base, models: ["other/model"] }, "/models"],
  ];
  for (const [body, where] of table) assert.equal(problemOf(openaiChat, body), where, JSON.stringify(body));
  assert.equal(problemOf(openaiChat, { ...base, models: [], unknown: { anything: [1] } }), undefined);
});

test("edits change what they name and no other byte", () => {
  const edit = (text: string, change: Parameters<typeof changed>[2]) => changed(openaiChat, text, change);
  const text = '{ "model" : "a",\n  "messages":[] , "x":1.50 }';
  assert.equal(edit(text, {}), text);
  assert.equal(edit(text, { model: "a" }), text);
  assert.equal(edit(text, { model: "b" }), '{ "model" : "b",\n  "messages":[] , "x":1.50 }');
  assert.equal(edit('{"messages":[]}', { model: "b" }), '{"messages":[],"model":"b"}');
  assert.equal(edit('{"messages":[],"max_tokens":9}', { outputTokensMax: 5 }), '{"messages":[],"max_tokens":5}');
  assert.equal(
    edit('{"messages":[],"max_tokens":9,"max_completion_tokens":8}', { outputTokensMax: 5 }),
    '{"messages":[],"max_tokens":5,"max_completion_tokens":5}',
  );
  assert.equal(edit('{"messages":[],"max_tokens":null}', { outputTokensMax: 5 }), '{"messages":[],"max_tokens":5}');
  assert.equal(
    edit('{"model":"gpt-5","messages":[]}', { outputTokensMax: 5 }),
    '{"model":"gpt-5","messages":[],"max_completion_tokens":5}',
  );
  assert.equal(
    edit('{"model":"gpt-5","messages":[]}', { model: "llama", outputTokensMax: 5 }),
    '{"model":"llama","messages":[],"max_tokens":5}',
  );
  assert.equal(
    edit('{"messages":[],"temperature":1}', { parameters: { temperature: 0.2, top_p: 0.5 } }),
    '{"messages":[],"temperature":0.2,"top_p":0.5}',
  );
  assert.equal(edit('{"messages":[],"metadata":{"ai_app":"x"}}', { dropContractFields: true }), '{"messages":[]}');
  assert.equal(
    edit('{"messages":[],"metadata":{"ai_app":"x","k":"v"}}', { dropContractFields: true }),
    '{"messages":[],"metadata":{"k":"v"}}',
  );
});

test("usage reporting is asked for where a stream does not ask, and only there", () => {
  const edit = (more: string) => changed(openaiChat, `{"messages":[],"stream":true${more}}`, { reportUsage: true });
  const asked = '{"messages":[],"stream":true,"stream_options":{"include_usage":true}}';
  assert.equal(edit(""), asked);
  assert.equal(edit(',"stream_options":{}'), asked);
  assert.equal(edit(',"stream_options":null'), asked);
  assert.equal(edit(',"stream_options":{"include_usage":false}'), asked);
  assert.equal(edit(',"stream_options":{"include_usage":true}'), asked);
  assert.equal(edit(',"stream_options":{"x":1}'), '{"messages":[],"stream":true,"stream_options":{"x":1,"include_usage":true}}');
  assert.equal(changed(openaiChat, '{"messages":[]}', { reportUsage: true }), '{"messages":[]}');
});

test("streams are read alike for every cut, and pass byte for byte", () => {
  const table = [
    {
      name: "openai-chat.sse",
      texts: { "0.0.content": 'Grüße 😀 say ","usage":null"' },
      finish: ["stop"],
      model: "gpt-4o-mini-2024-07-18",
      tools: [],
      odd: [0, 0],
      usage: { input: 120, output: 9, cached: 64, cache_write: null, reasoning: 0 },
    },
    {
      name: "openai-chat-tools.sse",
      texts: { "0.0.tool_arguments": '{"q":"é"}', "0.1.tool_arguments": "{}" },
      finish: ["tool_calls"],
      model: "gpt-4o",
      tools: ["search_kb", "refund"],
      odd: [0, 0],
      usage: null,
    },
    {
      name: "compatible-chat.sse",
      texts: { "0.0.reasoning": "Let me think.", "0.0.content": "Yes" },
      finish: ["stop"],
      model: "a/reasoner",
      tools: [],
      odd: [1, 1],
      usage: { input: 7, output: 5, cached: 4, cache_write: null, reasoning: 3 },
    },
  ];
  for (const { name, texts, finish, model, tools, odd, usage } of table) {
    const bytes = fixture(name);
    const whole = readAnswer(openaiChat, answerContext(streamView), bytes);
    assert.deepStrictEqual(whole.texts, texts, name);
    assertUsage(whole.usage, usage, name);
    const { summary } = whole;
    assert.deepStrictEqual([summary.finishReasons, summary.model, summary.toolCalls], [finish, model, tools]);
    assert.deepStrictEqual([summary.complete, summary.error, summary.unknownEvents, summary.invalidEvents], [true, undefined, ...odd]);
    assert.equal(whole.bytes.compare(bytes), 0, name);
    assert.deepStrictEqual(readAnswer(openaiChat, answerContext(streamView), bytes, everyByte(bytes)), whole, name);
    for (let cut = 1; cut < bytes.length; cut += 7)
      assert.deepStrictEqual(readAnswer(openaiChat, answerContext(streamView), bytes, [cut]), whole);
  }
});

test("a whole completion", () => {
  const bytes = fixture("openai-chat.json");
  const whole = readAnswer(openaiChat, answerContext(viewOf({ ...base, n: 2 })), bytes);
  assert.deepStrictEqual(whole.texts, { "0.0.content": "Hello", "0.0.tool_arguments": '{"q":1}', "1.0.refusal": "No." });
  assert.deepStrictEqual(whole.summary, {
    complete: true,
    error: undefined,
    finishReasons: ["tool_calls", "stop"],
    model: "gpt-4o-mini-2024-07-18",
    responseId: "chatcmpl-3",
    serviceTier: "default",
    toolCalls: ["search_kb"],
    unknownEvents: 0,
    invalidEvents: 0,
    outputChars: 15,
  });
  const { reported, ...figures } = whole.usage ?? { reported: {} };
  assert.deepStrictEqual(figures, {
    inputTokens: 20,
    outputTokens: 11,
    cachedInputTokens: 0,
    cacheWriteTokens: 5,
    audioInputTokens: 2,
    imageInputTokens: 3,
    reasoningTokens: 4,
    audioOutputTokens: 1,
  });
  assert.equal(reported["completion_tokens_details.audio_tokens"], 1);
  assert.equal(whole.bytes.compare(bytes), 0);
  assert.deepStrictEqual(readAnswer(openaiChat, answerContext(viewOf({ ...base, n: 2 })), bytes, everyByte(bytes)), whole);
});

test("xAI leaves reasoning out of its completion tokens; it is counted as output", () => {
  const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 115, completion_tokens_details: { reasoning_tokens: 100 } };
  const read = (value: Json) =>
    readAnswer(openaiChat, answerContext(viewOf(base)), Buffer.from(JSON.stringify({ choices: [], usage: value }))).usage;
  assert.equal(read(usage)?.outputTokens, 105);
  assert.equal(read({ ...usage, completion_tokens: 105 })?.outputTokens, 105);
  assert.equal(read({ prompt_tokens: "10", completion_tokens: -1, total_tokens: 1.5 })?.inputTokens, undefined);
});

test("errors, whatever their form and status", () => {
  const stream = (text: string, status = 200) => readAnswer(openaiChat, answerContext(streamView, { status }), Buffer.from(text)).summary;
  const chunk = '{"choices":[{"index":0,"delta":{"content":"a"}}]}';
  assert.equal(
    stream(`data: ${chunk}\n\nevent: error\ndata: {"error":{"message":"m","type":"invalid_request_error","code":"x"}}\n\n`).error,
    "invalid_request_error",
  );
  assert.equal(stream('data: {"error":{"message":"m","code":502},"choices":[]}\n\n').error, "502");
  assert.equal(stream("event: error\ndata: boom\n\n").error, "error");
  assert.equal(stream('data: {"object":"error","message":"m","type":"BadRequestError"}\n\n').error, "BadRequestError");
  assert.equal(stream(`data: ${chunk}\n\n`).complete, false);
  assert.equal(stream('{"error":{"message":"m","type":"server_error"}}').error, "server_error");
  assert.equal(stream(' \n{"error":{"message":"m","type":"","code":"overloaded"}}', 503).error, "overloaded");
  assert.equal(stream('[{"error":{"code":400,"status":"INVALID_ARGUMENT"}}]', 400).error, "400");
  assert.equal(stream('{"detail":"Not found"}', 404).error, "unknown");
  assert.equal(stream("<html>", 502).invalidEvents, 0);
  assert.equal(readAnswer(openaiChat, answerContext(viewOf(base)), Buffer.from("<html>")).summary.invalidEvents, 1);
});

test("a stream that leaves [DONE] out is complete once finish reason and usage are there", () => {
  const finished = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n';
  const read = (text: string) => readAnswer(openaiChat, answerContext(streamView), Buffer.from(text)).summary.complete;
  assert.equal(read(finished), false);
  assert.equal(read(`${finished}data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n`), true);
  assert.equal(read(`${finished}data: [DONE]`), true);
});

test("a forced usage report is undone byte for byte", () => {
  const bytes = fixture("openai-chat.sse");
  const plain = bytes
    .toString()
    .replaceAll(',"usage":null,"obf', ',"obf')
    .replace(/data: [^\n]*"choices":\[\],"usage":\{[^\n]*\n\n/, "");
  assert.equal(plain.split('"usage"').length, 1);
  const context = answerContext(streamView, { usageForced: true });
  for (const cuts of [[], everyByte(bytes)]) {
    const read = readAnswer(openaiChat, context, bytes, cuts);
    assert.equal(read.bytes.toString(), plain);
    assert.equal(read.usage?.inputTokens, 120);
  }
  const undo = (data: string) => readAnswer(openaiChat, context, Buffer.from(data)).bytes.toString();
  const table: readonly (readonly [string, string])[] = [
    ['data: {"choices":[1], "usage": null}\n\n', 'data: {"choices":[1]}\n\n'],
    ['data: {"usage" : null , "choices":[1]}\r\n\r\n', 'data: {"choices":[1]}\r\n\r\n'],
    ['data: {"choices":[{"usage":null}],"usage":null,"z":1}\n\n', 'data: {"choices":[{"usage":null}],"z":1}\n\n'],
    ['data: {"choices":[{"usage":null}]}\n\n', 'data: {"choices":[{"usage":null}]}\n\n'],
    ['id: 1\ndata:{"choices":["é\\u00e9"],"usage":null}\n: c\n\n', 'id: 1\ndata:{"choices":["é\\u00e9"]}\n: c\n\n'],
    ['data: {"usage":null}\n\n', "data: {}\n\n"],
    // Usage that came without being asked for: on a chunk with choices, or with an unknown body.
    [
      'data: {"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":1}}\n\n',
      'data: {"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":1}}\n\n',
    ],
    ['data: {"choices":[],"usage":{"prompt_tokens":1}}\n\ndata: [DONE]\n\n', "data: [DONE]\n\n"],
    ['data: {broken,"usage":null}\n\n', 'data: {broken,"usage":null}\n\n'],
  ];
  for (const [sent, expected] of table) assert.equal(undo(sent), expected, sent);
});

const member = fc.tuple(
  fc.constantFrom("id", "usage_", "choices", "x", "é"),
  fc.constantFrom("1", '"usage"', '{"usage":null}', '[{"a":",\\"usage\\":null"}]', "null", '"😀"'),
);
const blank = fc.constantFrom("", " ", "  ");
property(
  "what undo takes out of any chunk is the null usage, and nothing else",
  fc.tuple(fc.uniqueArray(member, { selector: ([key]) => key, maxLength: 5 }), fc.nat(), blank, blank, fc.constantFrom("\n", "\r\n")),
  ([members, where, before, after, end]) => {
    const spelled = members.map(([key, value]) => `${before}"${key}":${value}`);
    const at = where % (spelled.length + 1);
    const chunk = (parts: readonly string[]) => `data: {${parts.join(",")}}${end}${end}`;
    const sent = chunk([...spelled.slice(0, at), `${before}"usage"${after}:${before}null`, ...spelled.slice(at)]);
    const read = readAnswer(openaiChat, answerContext(streamView, { usageForced: true }), Buffer.from(sent));
    const expected = chunk(spelled);
    assert.equal(read.bytes.toString().replace("{ ", "{").replace("{ ", "{"), expected.replace("{ ", "{").replace("{ ", "{"));
  },
  500,
);

test("a stream cut at a cap ends as a provider ends it", () => {
  const bytes = fixture("compatible-chat.sse");
  const cutAt = bytes.indexOf("event: message");
  const tailOf = (usageForced: boolean, upTo: number) => {
    const reader = openaiChat.openAnswer?.(answerContext(streamView, { usageForced }));
    assert(reader !== undefined);
    const out = Buffer.concat(reader.push(bytes.subarray(0, upTo)).map((frame) => frame.bytes)).toString();
    return { out, tail: Buffer.from(reader.tail({ kind: "length" })).toString() };
  };
  const { out, tail } = tailOf(false, cutAt + 30);
  assert(out.endsWith("\n\n"), "held events are not half released");
  const head = { id: "gen-1", object: "chat.completion.chunk", created: 1700000002, model: "a/reasoner" };
  assert.deepStrictEqual(dataOf(tail), [
    { ...head, choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: "length" }] },
    { ...head, choices: [], usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 } },
  ]);
  assert(tail.endsWith("data: [DONE]\n\n"));
  assert.equal(dataOf(tailOf(true, cutAt).tail).length, 1);
  assert.equal(tailOf(false, bytes.length).tail, "");
  // Nothing seen: still an answer for every choice that was asked for.
  const reader = openaiChat.openAnswer?.(answerContext(viewOf({ ...base, stream: true, n: 2 })));
  const empty = dataOf(Buffer.from(reader?.tail({ kind: "length" }) ?? []).toString());
  assert.deepStrictEqual(
    empty.map((chunk) => field(chunk, "choices")).map((choices) => (Array.isArray(choices) ? field(choices[0], "index") : null)),
    [0, 1],
  );
});

/** What the official SDK makes of a stream: its text and finish reason, or the code that it raises. */
async function throughSdk(sse: Uint8Array): Promise<string> {
  const answer = () => Promise.resolve(new Response(Buffer.from(sse), { headers: { "content-type": "text/event-stream" } }));
  const client = new OpenAI({ apiKey: "k", baseURL: "http://sluice.invalid/v1", maxRetries: 0, fetch: answer });
  const stream = await client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "Hi" }], stream: true });
  let text = "";
  try {
    for await (const { choices } of stream)
      for (const { delta, finish_reason } of choices) text += (delta.content ?? "") + (finish_reason ?? "");
    return text;
  } catch (error) {
    if (error instanceof OpenAI.APIError) return `${text}!${error.code}`;
    throw error;
  }
}

test("the SDK reads a cut stream as one that reached its length, and raises on one that Sluice ends with an error", async () => {
  const bytes = fixture("openai-chat.sse");
  for (let upTo = 0; upTo < bytes.length; upTo += 41) {
    const after = (reason: TailReason) => {
      const reader = openaiChat.openAnswer?.(answerContext(streamView));
      assert(reader !== undefined);
      const released = reader.push(bytes.subarray(0, upTo)).map((frame) => frame.bytes);
      return { text: collect(reader, []).summary.finishReasons, sse: Buffer.concat([...released, reader.tail(reason)]) };
    };
    const length = after({ kind: "length" });
    assert.match(await throughSdk(length.sse), length.text.length === 0 ? /length$/ : /stop$/, `cut at ${upTo}`);
    const error = after({ kind: "error", denial: { code: "latency_cap" }, requestId: "r1" });
    assert.match(await throughSdk(error.sse), /!latency_cap$/, `cut at ${upTo}`);
    assert(error.sse.toString().endsWith("data: [DONE]\n\n"));
  }
});

property(
  "hostile bytes pass unchanged, however they are cut",
  fc.tuple(
    fc.array(
      fc.oneof(
        fc.string({ unit: "binary", maxLength: 30 }),
        fc.constantFrom("data: ", "{", "\n\n", '{"choices":', "[[", "null", '[{"delta":', '"usage":{}', "}", "]"),
      ),
      { maxLength: 20 },
    ),
    fc.array(fc.nat(300), { maxLength: 20 }),
  ),
  ([parts, cuts]) => {
    const bytes = Buffer.from(parts.join(""));
    const at = cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b);
    const read = readAnswer(openaiChat, answerContext(streamView), bytes, at);
    assert.equal(read.bytes.compare(bytes), 0);
    assert.deepStrictEqual(read, readAnswer(openaiChat, answerContext(streamView), bytes));
  },
  500,
);

test("recorded traffic: requests are read, answers pass byte for byte, usage is what was recorded", { skip: NO_RECORDINGS }, async (t) => {
  const exchanges = recordings("/chat/completions");
  assert(exchanges.length > 50, "recordings are found");
  for (const { id, request_body, response_body, response_headers, status, usage } of exchanges) {
    await t.test(id, () => {
      const request = parseRequest(openaiChat, request_body ?? "");
      const bytes = Buffer.from(response_body);
      const context = answerContext(request.view, { status, contentType: response_headers["content-type"] ?? "" });
      const whole = readAnswer(openaiChat, context, bytes);
      assert.equal(whole.bytes.compare(bytes), 0);
      assertUsage(whole.usage, usage, id);
      assert.equal(whole.summary.invalidEvents, 0);
      assert.equal(whole.summary.unknownEvents, 0);
      if (status < 300 && whole.summary.error === undefined) {
        assert(whole.summary.complete);
        assert.notEqual(whole.summary.finishReasons.length, 0);
        if (/"(?:content|arguments)": ?"[^"]/.test(response_body)) assert(whole.summary.outputChars > 0);
      }
      for (let run = 0; run < 5; run++) {
        const cuts = Array.from({ length: 20 }, () => Math.floor(Math.random() * bytes.length)).sort((a, b) => a - b);
        assert.deepStrictEqual(readAnswer(openaiChat, context, bytes, cuts), whole, `cut at ${cuts}`);
      }
      const { doc, view } = request;
      assert.equal(changed(openaiChat, doc.text, view.model === undefined ? {} : { model: view.model }), doc.text);
    });
  }
});
