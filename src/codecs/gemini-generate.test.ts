import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError, GoogleGenAI } from "@google/genai";
import fc from "fast-check";
import { bytesOf, cutAt, fixture, joined, openAnswer, readPieces, serving, textsOf } from "../../test/support/codec-runs.ts";
import { property } from "../../test/support/property.ts";
import { type Recorded, recordedExchanges } from "../../test/support/recorded-exchanges.ts";
import type { Codec, Frame, ParsedRequest, ParseError, PathFacts, RequestChange, TailReason } from "../core/codec.ts";
import { applyEdits, field, type Json, parseJson } from "../core/json.ts";
import { geminiGenerate, geminiStream } from "./gemini-generate.ts";

const FACTS: PathFacts = { model: "gemini-test-1", framing: "json", version: "v1beta" };
const SSE = viewOf({ ...FACTS, framing: "sse" });
const ARRAY = viewOf({ ...FACTS, framing: "json-array" });
const WHOLE = viewOf(FACTS);
const ERROR: TailReason = { kind: "error", denial: { code: "latency_cap" }, requestId: "req-1" };

function match(codec: Codec, method: string, url: string): PathFacts | undefined {
  const [path = "", query = ""] = url.split("?");
  return codec.match({ method, path, query: new URLSearchParams(query) }, { get: () => undefined });
}

function read(body: string, facts: PathFacts): { readonly request?: ParsedRequest; readonly error?: ParseError } {
  const doc = parseJson(Buffer.from(body));
  assert(doc.ok);
  const view = geminiGenerate.readRequest?.(doc.value, facts);
  assert(view !== undefined);
  return view.ok ? { request: { doc: doc.value, facts, view: view.value } } : { error: view.error };
}
function request(body: string, facts: PathFacts = FACTS): ParsedRequest {
  const { request: found, error } = read(body, facts);
  assert(found !== undefined, JSON.stringify(error));
  return found;
}
function viewOf(facts: PathFacts): ParsedRequest["view"] {
  return request('{"contents":[]}', facts).view;
}
function edited(body: string, change: RequestChange): string {
  const parsed = request(body);
  return applyEdits(parsed.doc, geminiGenerate.editRequest?.(parsed, change) ?? []);
}

describe("gemini paths", () => {
  test("model, framing and version come from the path", () => {
    const facts = { model: "gemini-test-1", framing: "json", version: "v1beta" };
    assert.deepEqual(match(geminiGenerate, "POST", "/v1beta/models/gemini-test-1:generateContent?key=secret"), facts);
    assert.deepEqual(match(geminiGenerate, "POST", "/v1/models/gemini-test-1:generateContent"), { ...facts, version: "v1" });
    assert.deepEqual(match(geminiStream, "POST", "/v1beta/models/gemini-test-1:streamGenerateContent"), {
      ...facts,
      framing: "json-array",
    });
    assert.deepEqual(match(geminiStream, "POST", "/v1beta/models/gemini-test-1:streamGenerateContent?key=k&alt=sse"), {
      ...facts,
      framing: "sse",
    });
    assert.equal(match(geminiGenerate, "POST", "/v1beta/tunedModels/mine:generateContent")?.model, "tunedModels/mine");
    assert.equal(match(geminiGenerate, "POST", "/v1beta/models/tier%3Astandard:generateContent")?.model, "tier:standard");
    assert.equal(match(geminiGenerate, "POST", "/v1beta/models/tier:standard:generateContent")?.model, "tier:standard");
  });

  test("everything else is another surface, or none", () => {
    for (const [method, url] of [
      ["GET", "/v1beta/models/m:generateContent"],
      ["POST", "/v1beta/models/m:countTokens"],
      ["POST", "/v1alpha/models/m:generateContent"],
      ["POST", "/v1beta/models/a/b:generateContent"],
      ["POST", "/v1beta/models/:generateContent"],
      ["POST", "/v1beta/models/%E0%A4:generateContent"],
      ["POST", "/v1beta/models/m:generateContent/"],
      ["POST", "/v1beta/models/m:generateContent?alt=sse"],
      ["POST", "/v1beta/models/m:streamGenerateContent?alt=proto"],
      ["POST", "/v1beta/models/m:streamGenerateContent?$alt=proto"],
      ["POST", "/v1beta/models/m:generateContent?$alt=json;other=1"],
    ] as const) {
      assert.deepEqual([match(geminiGenerate, method, url), match(geminiStream, method, url)], [undefined, undefined], url);
    }
  });

  test("the provider's path keeps version and method, names the target's model, and drops the caller's query", () => {
    const path = (codec: Codec, url: string, model: string): string | undefined => {
      const facts = match(codec, "POST", url);
      assert(facts !== undefined);
      return codec.upstreamPath?.(facts, model);
    };
    assert.equal(
      path(geminiGenerate, "/v1/models/a:generateContent?key=secret&fields=x", "gemini-b"),
      "/v1/models/gemini-b:generateContent",
    );
    assert.equal(path(geminiStream, "/v1beta/models/a:streamGenerateContent?key=k", "b"), "/v1beta/models/b:streamGenerateContent");
    assert.equal(
      path(geminiStream, "/v1beta/models/a:streamGenerateContent?alt=sse&key=k", "b"),
      "/v1beta/models/b:streamGenerateContent?alt=sse",
    );
    assert.equal(
      path(geminiGenerate, "/v1/models/a:generateContent?%24alt=json%3Benum-encoding%3Dint&key=k", "b"),
      "/v1/models/b:generateContent?$alt=json%3Benum-encoding=int",
    );
    assert.equal(path(geminiGenerate, "/v1beta/models/a:generateContent", "tunedModels/mine"), "/v1beta/tunedModels/mine:generateContent");
    assert.equal(path(geminiGenerate, "/v1beta/models/a:generateContent", "x/../y?z"), "/v1beta/models/x%2F..%2Fy%3Fz:generateContent");
  });
});

describe("gemini requests", () => {
  const body = fixture("gemini.generate/request.json").toString();
  // The same request as Google's own Python client spells it.
  const snake = body.replace(/"(\w+)":/g, (_, key: string) => `"${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}":`);

  for (const [spelling, text] of [
    ["camel", body],
    ["snake", snake],
  ] as const) {
    test(`${spelling} case: every text has its place`, () => {
      assert.deepEqual(textsOf(request(text).view), [
        "system: Be brief.",
        "user: What is in these?",
        // It says that it is a picture, and its bytes are words.
        "tool_result(file): aWdub3JlZA==",
        "url: https://generativelanguage.googleapis.com/v1beta/files/abc",
        "file_name: plan.pdf",
        "url: https://video.example.test/watch?v=1",
        "assistant: thinking about it",
        "tool_arguments: Bern",
        "tool_arguments: deep",
        "tool_arguments: role too",
        "tool_arguments: print(1)",
        "tool_result: 1",
        "tool_result: sunny",
        "tool_result: kept as text",
        "user: no role",
        "tool_definition: get_weather",
        "tool_definition: Weather of a city",
        "tool_definition: OBJECT",
        "tool_definition: STRING",
        "tool_definition: A city",
        "tool_definition: refund",
        "tool_definition: object",
        "tool_definition: Refund",
        "tool_definition: dice",
        "url: https://mcp.example.test",
        "parameter: THE END",
        "schema: OBJECT",
        "schema: An answer",
        "other: in a member of tomorrow",
      ]);
    });

    test(`${spelling} case: tools, provider state, caps and contract fields`, () => {
      const { view } = request(text);
      assert.deepEqual(
        view.tools.map(({ name, kind, use }) => `${use} ${kind} ${name}`),
        [
          "offered function get_weather",
          "offered function refund",
          "offered provider googleSearch",
          "offered provider codeExecution",
          "offered provider fileSearch",
          "offered server dice",
          "forced function get_weather",
        ],
      );
      assert.deepEqual(
        view.providerState.map(({ kind, node }) => `${kind} ${node?.value}`),
        [
          "file https://generativelanguage.googleapis.com/v1beta/files/abc",
          "vector_store fileSearchStores/s1",
          "cached_content cachedContents/c1",
        ],
      );
      assert.deepEqual([view.model, view.outputTokensMax, view.choices, view.streaming], ["gemini-test-1", 500, 2, false]);
      assert.deepEqual(
        [...view.contractFields],
        [
          ["ai_use_case", "support-reply"],
          ["ai_max_tokens", "300"],
        ],
      );
    });
  }

  test("numbers as protobuf's JSON allows them, and what reads as absent", () => {
    assert.equal(request('{"generation_config":{"max_output_tokens":"64"}}').view.outputTokensMax, 64);
    assert.equal(request('{"generationConfig":null,"tools":null,"toolConfig":null}').view.outputTokensMax, undefined);
    assert.deepEqual(
      request('{"toolConfig":{"functionCallingConfig":{"mode":2,"allowedFunctionNames":"f"}}}').view.tools.map(({ name }) => name),
      ["f"],
    );
    assert.deepEqual(request('{"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["f"]}}}').view.tools, []);
    assert.deepEqual(
      request('{"tools":{"google_search":{}}}').view.tools.map(({ name }) => name),
      ["googleSearch"],
    );
    assert.deepEqual(
      request('{"contents":{"parts":{"file_data":{"file_uri":"gs://bucket/x"}}}}').view.providerState.map(({ kind }) => kind),
      ["file"],
    );
  });

  for (const [text, where] of [
    ["[]", ""],
    ['{"generationConfig":[]}', "/generationConfig"],
    ['{"generationConfig":{"maxOutputTokens":-1}}', "/generationConfig/maxOutputTokens"],
    ['{"generationConfig":{"maxOutputTokens":"many"}}', "/generationConfig/maxOutputTokens"],
    ['{"generationConfig":{"candidateCount":1.5}}', "/generationConfig/candidateCount"],
    ['{"generationConfig":{},"generation_config":{"maxOutputTokens":9}}', "/generation_config"],
    ['{"generationConfig":{"max_output_tokens":1,"maxOutputTokens":9}}', "/generationConfig/max_output_tokens"],
    ['{"toolConfig":{"functionCallingConfig":{},"function_calling_config":{"mode":"ANY"}}}', "/toolConfig/function_calling_config"],
    ['{"model":"models/another"}', "/model"],
    ['{"tools":[7]}', "/tools/0"],
    ['{"tools":[{"functionDeclarations":[{}]}]}', "/tools/0/functionDeclarations/0"],
    ['{"metadata":[]}', "/metadata"],
    ['{"metadata":{"ai_max_tokens":9}}', "/metadata"],
  ] as const) {
    test(`refuses ${text}`, () => assert.equal(read(text, FACTS).error?.where, where));
  }

  test("edits change only what they name, in the spelling that is there", () => {
    const text =
      '{ "contents":[ ],"generation_config" : {"max_output_tokens": 9000, "temperature":1.0},"metadata":{"ai_app":"x"}, "new":[1.50] }';
    assert.equal(edited(text, {}), text);
    assert.equal(edited(text, { outputTokensMax: 9000, model: "another", reportUsage: true }), text);
    assert.equal(
      edited(text, { outputTokensMax: 800, parameters: { temperature: 0.2, topP: 0.5 }, dropContractFields: true }),
      '{ "contents":[ ],"generation_config" : {"max_output_tokens": 800, "temperature":0.2,"topP":0.5}, "new":[1.50] }',
    );
    assert.equal(edited('{"contents":[]}', { outputTokensMax: 5 }), '{"contents":[],"generationConfig":{"maxOutputTokens":5}}');
    assert.equal(edited('{"generationConfig":null}', { outputTokensMax: 5 }), '{"generationConfig":{"maxOutputTokens":5}}');
    assert.equal(edited('{"generationConfig":{}}', { outputTokensMax: 5 }), '{"generationConfig":{"maxOutputTokens":5}}');
    assert.equal(edited('{"model":"models/gemini-test-1"}', { model: "b" }), '{"model":"models/b"}');
    assert.equal(edited("{}", { parameters: { safetySettings: [] } }), '{"safetySettings":[]}');
  });
});

const TEXTS = {
  "0/reasoning": "Look up Zürich.",
  "1/content": 'Das Wetter: ☀️ und "26°".',
  "2/tool_arguments": '{"city":"Zürich"}',
  "3/tool_arguments": "print(26)",
  "4/content": "26",
};
const STREAM_TEXTS = { ...TEXTS, "1/content": 'Das Wetter: ☀️ und "26°". [}{]\\' };
const TOTALS = {
  inputTokens: 150,
  outputTokens: 40,
  cachedInputTokens: 64,
  toolInputTokens: 30,
  audioInputTokens: 10,
  imageInputTokens: 20,
  reasoningTokens: 12,
};
const REPORTED = {
  promptTokenCount: 120,
  candidatesTokenCount: 28,
  totalTokenCount: 190,
  cachedContentTokenCount: 64,
  "promptTokensDetails.0.tokenCount": 90,
  "promptTokensDetails.1.tokenCount": 20,
  "promptTokensDetails.2.tokenCount": 10,
  toolUsePromptTokenCount: 30,
  thoughtsTokenCount: 12,
};
const FRAMINGS = [
  { name: "sse", bytes: fixture("gemini.stream/stream.sse"), view: SSE, contentType: "text/event-stream" },
  { name: "json-array", bytes: fixture("gemini.stream/stream.json"), view: ARRAY, contentType: "application/json; charset=UTF-8" },
] as const;

describe("gemini answers", () => {
  test("a whole body: texts, totals that include thoughts and tool prompts, tools, ids", () => {
    const bytes = fixture("gemini.generate/body.json");
    for (let place = 0; place <= bytes.length; place += 7) {
      const reader = openAnswer(geminiGenerate, WHOLE);
      const frames = readPieces(reader, cutAt(bytes, [place]));
      assert(bytesOf(frames).equals(bytes));
      assert.deepEqual(joined(frames.flatMap(({ deltas }) => deltas)), TEXTS);
      assert.deepEqual(reader.usage(), { ...TOTALS, reported: REPORTED });
      assert.deepEqual(reader.summary(), {
        complete: true,
        error: undefined,
        finishReasons: ["STOP"],
        model: "gemini-test-1",
        responseId: "resp-1",
        toolCalls: ["get_weather", "codeExecution"],
        unknownEvents: 0,
        invalidEvents: 0,
        outputChars: Object.values(TEXTS).join("").length,
      });
    }
  });

  for (const { name, bytes, view, contentType } of FRAMINGS) {
    test(`${name}: reads the same for a cut at every byte, and byte by byte`, () => {
      const everyByte = Array.from({ length: bytes.length }, (_, index) => index);
      for (const places of [...everyByte.map((place) => [place]), everyByte]) {
        const reader = openAnswer(geminiStream, view, { contentType });
        const frames = readPieces(reader, cutAt(bytes, places));
        assert(bytesOf(frames).equals(bytes));
        assert.deepEqual(joined(frames.flatMap(({ deltas }) => deltas)), STREAM_TEXTS);
        assert.deepEqual(reader.usage(), { ...TOTALS, reported: REPORTED });
        const { complete, finishReasons, toolCalls, invalidEvents, unknownEvents } = reader.summary();
        assert.deepEqual(
          { complete, finishReasons, toolCalls, invalidEvents, unknownEvents },
          { complete: true, finishReasons: ["STOP"], toolCalls: ["get_weather", "codeExecution"], invalidEvents: 0, unknownEvents: 0 },
        );
      }
    });

    test(`${name}: a stream that breaks off is not complete, and keeps the usage so far`, () => {
      const reader = openAnswer(geminiStream, view, { contentType });
      const cut = bytes.subarray(0, bytes.length - 420);
      assert(bytesOf(readPieces(reader, [cut])).equals(cut));
      assert.equal(reader.summary().complete, false);
      assert.equal(reader.usage()?.outputTokens, 16);
    });
  }

  test("candidates are told apart, each with its own blocks and finish reason", () => {
    const reader = openAnswer(geminiStream, SSE);
    const frames = readPieces(reader, [
      event({ candidates: [candidate(0, { text: "a" }), candidate(1, { text: "x" })] }),
      event({ candidates: [candidate(1, { functionCall: { name: "f", args: {} } })] }),
      event({ candidates: [{ ...candidate(1, { text: "y" }), finishReason: "STOP" }] }),
      event({ candidates: [{ ...candidate(0, { text: "b" }), finishReason: "SAFETY" }] }),
    ]);
    assert.deepEqual(
      frames.flatMap(({ deltas }) => deltas).map(({ choice, block, channel, text }) => `${choice}.${block} ${channel} ${text}`),
      ["0.0 content a", "1.0 content x", "1.1 tool_arguments {}", "1.2 content y", "0.0 content b"],
    );
    assert.deepEqual(reader.summary().finishReasons, ["SAFETY", "STOP"]);
  });

  test("arguments that are streamed in parts stay in one call", () => {
    const reader = openAnswer(geminiStream, SSE);
    const piece = (functionCall: Json): Uint8Array => event({ candidates: [candidate(0, { functionCall })] });
    const frames = readPieces(reader, [
      piece({ name: "find", willContinue: true }),
      piece({ partialArgs: [{ jsonPath: "$.city", stringValue: "New ", willContinue: true }], willContinue: true }),
      piece({
        partialArgs: [
          { jsonPath: "$.city", stringValue: "Delhi" },
          { jsonPath: "$.days", numberValue: 3 },
        ],
        willContinue: true,
      }),
      piece({}),
      piece({ name: "find", args: { city: "Bern" } }),
    ]);
    assert.deepEqual(joined(frames.flatMap(({ deltas }) => deltas)), {
      "0/tool_arguments": "New Delhi3",
      "1/tool_arguments": '{"city":"Bern"}',
    });
    assert.deepEqual(reader.summary().toolCalls, ["find", "find"]);
  });

  test("searches that an answer is grounded on are counted, a list that comes again once", () => {
    const reader = openAnswer(geminiGenerate, WHOLE);
    const candidate = (webSearchQueries: readonly string[], index: number) => ({
      index,
      finishReason: "STOP",
      groundingMetadata: { webSearchQueries },
    });
    const answer = {
      candidates: [candidate(["a", "b"], 0), candidate(["a", "b", "c"], 0), candidate(["d"], 1)],
      usageMetadata: { promptTokenCount: 7 },
    };
    reader.push(Buffer.from(JSON.stringify(answer)));
    reader.end();
    assert.deepEqual(reader.usage(), { inputTokens: 7, queries: 4, reported: { promptTokenCount: 7 } });
  });

  test("a blocked prompt ends with its reason", () => {
    const reader = openAnswer(geminiGenerate, WHOLE);
    readPieces(reader, [Buffer.from('{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":7}}')]);
    const { complete, finishReasons } = reader.summary();
    assert.deepEqual({ complete, finishReasons }, { complete: true, finishReasons: ["PROHIBITED_CONTENT"] });
    assert.deepEqual(reader.usage(), { inputTokens: 7, reported: { promptTokenCount: 7 } });
  });

  test("errors are seen in a body, an array, and in the middle of either stream; only their status is kept", () => {
    const error = { error: { code: 429, message: "secret", status: "RESOURCE_EXHAUSTED" } };
    const cases = [
      [geminiGenerate, WHOLE, JSON.stringify(error)],
      [geminiStream, ARRAY, JSON.stringify(error)],
      [geminiStream, ARRAY, JSON.stringify([error])],
      [geminiStream, SSE, JSON.stringify([error])],
      [geminiStream, SSE, `data: ${JSON.stringify(error)}\r\n\r\n`],
      [geminiStream, ARRAY, `[${JSON.stringify({ candidates: [candidate(0, { text: "a" })] })},\r\n${JSON.stringify(error)}`],
    ] as const;
    for (const [codec, view, text] of cases) {
      const reader = openAnswer(codec, view, { status: 429, contentType: "application/json" });
      assert.equal(bytesOf(readPieces(reader, [Buffer.from(text)])).toString(), text);
      assert.equal(reader.summary().error, "RESOURCE_EXHAUSTED", text);
      assert(!JSON.stringify(reader.summary()).includes("secret"));
    }
  });

  test("what is unknown or broken passes on and is counted", () => {
    const text = 'data: {"ofTomorrow":1}\r\n\r\ndata: {broken\r\n\r\n: comment\r\n\r\n';
    const sse = openAnswer(geminiStream, SSE);
    assert.equal(bytesOf(readPieces(sse, [Buffer.from(text)])).toString(), text);
    assert.deepEqual([sse.summary().unknownEvents, sse.summary().invalidEvents], [1, 1]);
    for (const [body, unknown, invalid] of [
      ['[{"ofTomorrow":1},{broken},7]', 2, 1],
      ["<html>", 0, 1],
      ["[]trailing", 0, 1],
    ] as const) {
      const array = openAnswer(geminiStream, ARRAY, { contentType: "application/json" });
      assert.equal(bytesOf(readPieces(array, cutAt(Buffer.from(body), [3]))).toString(), body);
      assert.deepEqual([array.summary().unknownEvents, array.summary().invalidEvents], [unknown, invalid], body);
    }
  });

  property(
    "hostile bytes never throw and pass unchanged",
    fc.array(fc.oneof(fc.json({ maxDepth: 6 }), fc.string(), fc.constantFrom(...hostileChunks())), { maxLength: 10 }),
    (datas) => {
      for (const [view, contentType, text] of [
        [SSE, "text/event-stream", datas.map((data) => `data: ${data}\r\n\r\n`).join("")],
        [ARRAY, "application/json", `[${datas.join(",\r\n")}]`],
        [WHOLE, "application/json", datas[0] ?? ""],
      ] as const) {
        const reader = openAnswer(geminiStream, view, { contentType });
        const bytes = Buffer.from(text);
        const frames = readPieces(reader, [bytes]);
        assert(bytesOf(frames).equals(bytes));
        reader.tail({ kind: "length" });
        reader.summary();
      }
    },
    100,
  );

  test("arguments nested past what can be written out still give their strings", () => {
    const reader = openAnswer(geminiStream, SSE);
    const deep = `${'{"a":'.repeat(40_000)}"needle"${"}".repeat(40_000)}`;
    const frames = readPieces(reader, [
      Buffer.from(`data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":${deep}}}]}}]}\n\n`),
    ]);
    assert.match(joined(frames.flatMap(({ deltas }) => deltas))["0/tool_arguments"] ?? "", /needle/);
  });
});

const candidate = (index: number, part: Json): { readonly [key: string]: Json } => ({ content: { parts: [part], role: "model" }, index });
const event = (data: Json): Uint8Array => Buffer.from(`data: ${JSON.stringify(data)}\r\n\r\n`);

function hostileChunks(): readonly string[] {
  const deep = `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`;
  return [
    `{"usageMetadata":${deep}}`,
    `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":${deep}}}]}}]}`,
    `{"candidates":[{"index":-1,"content":{"parts":{"0":1}}},{"index":1e300,"content":7},null,7]}`,
    '{"candidates":{"0":1},"usageMetadata":{"promptTokenCount":-1,"promptTokensDetails":7}}',
    '{"error":null,"candidates":[{"finishReason":{}}]}',
    '{"error":"text"}',
    '{"candidates":[{"content":{"parts":[{"text":"x","functionCall":null}]},"finishReason":"STOP"}]}',
  ];
}

describe("gemini ends that Sluice makes", () => {
  const framesOf = (index: 0 | 1): readonly Frame[] => {
    const { bytes, view, contentType } = FRAMINGS[index];
    return readPieces(openAnswer(geminiStream, view, { contentType }), [bytes]);
  };
  function cutAfter(index: 0 | 1, frames: readonly Frame[], count: number, reason: TailReason): Buffer {
    const { view, contentType } = FRAMINGS[index];
    const reader = openAnswer(geminiStream, view, { contentType });
    for (const { bytes } of frames.slice(0, count)) reader.push(bytes);
    // A piece of the next one is held back, and dropped.
    reader.push((frames[count]?.bytes ?? Buffer.alloc(0)).subarray(0, -1).subarray(0, 9));
    return Buffer.concat([bytesOf(frames.slice(0, count)), reader.tail(reason)]);
  }

  test("sse: cut after every event, the SDK takes it as an answer that reached its length", async () => {
    const frames = framesOf(0);
    for (let count = 0; count < frames.length; count++) {
      await serving(cutAfter(0, frames, count, { kind: "length" }), async (baseUrl) => {
        const google = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl } });
        let finish: string | undefined;
        let usage: number | undefined;
        for await (const chunk of await google.models.generateContentStream({ model: "m", contents: "x" })) {
          finish = chunk.candidates?.[0]?.finishReason ?? finish;
          usage = chunk.usageMetadata?.totalTokenCount ?? usage;
        }
        assert.equal(finish, "MAX_TOKENS", `after ${count} events`);
        assert.equal(usage, [undefined, 123, 136, 136, 136, 136][count]);
      });
    }
    assert.equal(cutAfter(0, frames, frames.length, { kind: "length" }).toString(), FRAMINGS[0].bytes.toString());
  });

  test("sse: an error in a running stream is raised", async () => {
    await serving(cutAfter(0, framesOf(0), 2, ERROR), async (baseUrl) => {
      const google = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl } });
      await assert.rejects(
        async () => {
          for await (const _ of await google.models.generateContentStream({ model: "m", contents: "x" }));
        },
        (error) =>
          error instanceof ApiError && error.status === 504 && error.message.includes("latency_cap") && error.message.includes("req-1"),
      );
    });
  });

  test("json-array: cut after every frame, it is a whole array with a last element that says why", () => {
    const frames = framesOf(1);
    for (let count = 0; count < frames.length; count++) {
      const cut = JSON.parse(cutAfter(1, frames, count, { kind: "length" }).toString());
      assert(Array.isArray(cut));
      if (count < 6) assert.equal(cut.length, count + 1);
      assert.equal(cut.at(-1).candidates[0].finishReason, count < 6 ? "MAX_TOKENS" : "STOP");
      const failed = JSON.parse(cutAfter(1, frames, count, ERROR).toString());
      assert.equal(failed.at(-1).error.details[0].reason, "latency_cap");
    }
    assert.equal(cutAfter(1, frames, frames.length, ERROR).toString(), FRAMINGS[1].bytes.toString());
  });

  test("an error takes the whole place of a body that was held back", () => {
    const reader = openAnswer(geminiGenerate, WHOLE);
    reader.push(Buffer.from('{"candidates":['));
    assert.equal(JSON.parse(Buffer.from(reader.tail(ERROR)).toString()).error.status, "DEADLINE_EXCEEDED");
  });
});

describe("gemini, recorded traffic", () => {
  const recorded = recordedExchanges(/:(?:generateContent|streamGenerateContent)$/);
  test("is there", { skip: recorded === undefined ? "no recorded exchanges here (SLUICE_FIXTURES)" : false }, () => {
    assert((recorded?.length ?? 0) > 0);
  });
  for (const exchange of recorded ?? []) test(exchange.id, () => checkRecorded(exchange));
});

function checkRecorded({ path, requestBody, status, contentType, responseBody, usage }: Recorded): void {
  const streamed = path.endsWith(":streamGenerateContent");
  const framing = !streamed ? "json" : contentType.includes("event-stream") || responseBody.startsWith("data:") ? "sse" : "json-array";
  const facts: PathFacts = { model: /models\/([^/:]+)/.exec(path)?.[1] ?? "", framing };
  const { view } = request(requestBody === "" ? "{}" : requestBody, facts);
  if (requestBody !== "") assert.equal(edited(requestBody, {}), requestBody);
  assert([...view.texts()].length > 0 || requestBody === "");
  const bytes = Buffer.from(responseBody);
  const sum = (...parts: (Json | undefined)[]): number | null =>
    parts.every((part) => part === null || part === undefined) ? null : parts.reduce<number>((total, part) => total + Number(part ?? 0), 0);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (places) => {
      const reader = openAnswer(geminiStream, view, { status, contentType });
      assert(bytesOf(readPieces(reader, cutAt(bytes, places))).equals(bytes));
      const found = reader.usage();
      assert.equal(found?.inputTokens ?? null, sum(field(usage, "input"), field(usage, "tool_input")), "input");
      assert.equal(found?.outputTokens ?? null, sum(field(usage, "output"), field(usage, "reasoning")), "output");
      assert.equal(found?.cachedInputTokens ?? null, field(usage, "cached") ?? null, "cached");
      assert.equal(found?.reasoningTokens ?? null, field(usage, "reasoning") ?? null, "reasoning");
      assert.equal(found?.toolInputTokens ?? null, field(usage, "tool_input") ?? null, "tool input");
      assert.deepEqual([reader.summary().complete, reader.summary().invalidEvents, reader.summary().unknownEvents], [true, 0, 0]);
    }),
    { numRuns: 8 },
  );
}
