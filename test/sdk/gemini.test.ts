/** The official `@google/genai` package through a real Envoy: only base URL and key differ from a program that calls Google. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  ApiError,
  type Content,
  FunctionCallingConfigMode,
  type GenerateContentParameters,
  type GenerateContentResponse,
  GoogleGenAI,
} from "@google/genai";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { caught, drained, observe, refused, SDK_POLICY, served, WEATHER, WEATHER_ARGUMENTS } from "./support.ts";

let gateway: Gateway;
let google: GoogleGenAI;
const model = "gemini-2.5-flash";
const as = (app: string, headers: Record<string, string> = {}): GoogleGenAI =>
  new GoogleGenAI({ apiKey: gateway.key(app), httpOptions: { baseUrl: gateway.url, headers } });
const streamed = async (client: GoogleGenAI, ask: GenerateContentParameters): Promise<readonly GenerateContentResponse[]> =>
  drained(await client.models.generateContentStream(ask));
const tokens = (answer: GenerateContentResponse | undefined): object => {
  const usage = answer?.usageMetadata;
  return { inputTokens: usage?.promptTokenCount, outputTokens: (usage?.candidatesTokenCount ?? 0) + (usage?.thoughtsTokenCount ?? 0) };
};

before(async () => {
  gateway = await startGateway({ policy: SDK_POLICY });
  google = as("acme/bot");
});
after(() => gateway.stop());

describe("generateContent", () => {
  test("one answer, priced by what the SDK saw", async () => {
    const { result, record, sent } = await served(gateway, { surface: "gemini.generate", model, streaming: false }, () =>
      google.models.generateContent({ model, contents: "Hello there" }),
    );
    assert.match(result.text ?? "", /^Simulated answer to 11 characters:/);
    assert.deepEqual({ inputTokens: record.usage?.inputTokens, outputTokens: record.usage?.outputTokens }, tokens(result));
    assert.equal(sent[0]?.headers["x-goog-api-key"], "sk-sim-provider-key");
    assert.match(sent[0]?.path ?? "", /^\/v1(beta)?\/models\/gemini-2[.]5-flash:generateContent$/);
  });
  test("a stream with thoughts", async () => {
    const { result, record } = await served(gateway, { surface: "gemini.stream", streaming: true }, () =>
      streamed(google, { model, contents: "Hello there", config: { thinkingConfig: { includeThoughts: true }, maxOutputTokens: 900 } }),
    );
    assert.equal(result.at(-1)?.usageMetadata?.thoughtsTokenCount, 12);
    assert.deepEqual({ inputTokens: record.usage?.inputTokens, outputTokens: record.usage?.outputTokens }, tokens(result.at(-1)));
    assert.equal(record.usage?.reasoningTokens, 12);
    assert.equal(record.bytes.requestSent, undefined);
  });
  test("a tool called in a stream, its result sent back", async () => {
    const tools = [{ functionDeclarations: [{ name: WEATHER.name, parametersJsonSchema: WEATHER.parameters }] }];
    const toolConfig = { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: [WEATHER.name] } };
    const first = await served(gateway, { answer: { toolCalls: ["get_weather"] } }, () =>
      streamed(google, { model, contents: "x", config: { tools, toolConfig } }),
    );
    const calls = first.result.flatMap((chunk) => chunk.functionCalls ?? []);
    assert.deepEqual(
      calls.map(({ name, args }) => [name, args]),
      [[WEATHER.name, WEATHER_ARGUMENTS]],
    );
    const contents: Content[] = [
      { role: "user", parts: [{ text: "x" }] },
      { role: "model", parts: calls.map((functionCall) => ({ functionCall })) },
      { role: "user", parts: [{ functionResponse: { name: WEATHER.name, response: { weather: "sunny" } } }] },
    ];
    const second = await served(gateway, { answer: { toolCalls: null } }, () =>
      google.models.generateContent({ model, contents, config: { tools } }),
    );
    assert.match(second.result.text ?? "", /^Simulated answer/);
  });
  test("a chat keeps its history", async () => {
    const chat = google.chats.create({ model });
    const { records } = await observe(gateway, { exchanges: 2, sent: 2 }, async () => {
      await chat.sendMessage({ message: "one" });
      await drained(await chat.sendMessageStream({ message: "two" }));
    });
    assert.deepEqual(
      records.map(({ surface }) => surface),
      ["gemini.generate", "gemini.stream"],
    );
    // A streamed answer is kept in its pieces.
    assert.deepEqual(
      chat
        .getHistory()
        .slice(0, 3)
        .map(({ role }) => role),
      ["user", "model", "user"],
    );
  });
  test("a schema is filled", async () => {
    const { result } = await served(gateway, {}, () =>
      google.models.generateContent({
        model,
        contents: "x",
        config: { responseMimeType: "application/json", responseJsonSchema: WEATHER.parameters },
      }),
    );
    assert.deepEqual(JSON.parse(result.text ?? ""), WEATHER_ARGUMENTS);
  });
  test("tokens are counted, and cost nothing", async () => {
    const { result, records } = await observe(gateway, { exchanges: 1, sent: 1 }, () =>
      google.models.countTokens({ model, contents: "Hello there" }),
    );
    assert.equal(result.totalTokens, 3);
    assert.deepEqual([records[0]?.usage?.inputTokens, records[0]?.cost?.nanoUsd ?? 0], [3, 0]);
  });
  test("models: those that this caller may use", async () => {
    const { result } = await observe(gateway, { exchanges: 1, sent: 0 }, async () => drained(await google.models.list()));
    assert.ok(result.some(({ name }) => name === `models/${model}`));
    assert.ok(result.every(({ name }) => name !== "models/secret-model"));
    assert.equal((await observe(gateway, { exchanges: 1, sent: 0 }, () => google.models.get({ model }))).result.name, `models/${model}`);
  });
});

describe("refusals raise the SDK's own error", () => {
  const ask = (client: GoogleGenAI, more: object = {}): Promise<unknown> =>
    client.models.generateContent({ model, contents: "hi", ...more });
  const cases: readonly (readonly [code: string, status: number, name: string, use: () => Promise<unknown>])[] = [
    ["unauthenticated", 401, "UNAUTHENTICATED", () => ask(new GoogleGenAI({ apiKey: "nobody", httpOptions: { baseUrl: gateway.url } }))],
    ["model_not_allowed", 403, "PERMISSION_DENIED", () => ask(google, { model: "secret-model" })],
    ["model_not_allowed", 403, "PERMISSION_DENIED", () => streamed(google, { model: "no-such", contents: "hi" })],
    [
      "tool_not_allowed",
      403,
      "PERMISSION_DENIED",
      () => ask(google, { config: { tools: [{ functionDeclarations: [{ name: "delete_all" }] }] } }),
    ],
    ["tool_not_allowed", 403, "PERMISSION_DENIED", () => ask(google, { config: { tools: [{ googleSearch: {} }] } })],
    ["forbidden", 403, "PERMISSION_DENIED", () => ask(google, { config: { cachedContent: "cachedContents/1" } })],
    ["residency_violation", 403, "PERMISSION_DENIED", () => ask(as("globex/bot"))],
    ["contract_violation", 400, "INVALID_ARGUMENT", () => ask(as("acme/bot", { "x-ai-contract": "99" }))],
    ["unsupported_surface", 404, "NOT_FOUND", () => google.tunings.get({ name: "tunedModels/mine" })],
    ["input_too_large", 413, "INVALID_ARGUMENT", () => ask(as("acme/small"), { contents: "x".repeat(300) })],
    ["no_target", 503, "UNAVAILABLE", () => ask(as("acme/bot", { "x-ai-region": "eu" }))],
  ];
  for (const [index, [code, status, name, use]] of cases.entries()) {
    test(`${code} (${index + 1})`, async () => {
      const { error, record } = await refused(gateway, code, use);
      assert.ok(error instanceof ApiError, String(error));
      assert.equal(error.status, status);
      // The SDK hands the error object over as text.
      const body = JSON.parse(error.message.slice(error.message.indexOf("{")));
      assert.deepEqual(
        [body.error.code, body.error.status, body.error.details[0].reason, body.error.details[0].metadata.requestId],
        [status, name, code, record.id],
      );
    });
  }
});

describe("what the provider does wrong", () => {
  test("its own error object reaches the caller", async () => {
    const { result, records } = await observe(gateway, { exchanges: 1, sent: 1 }, () =>
      caught(() => google.models.generateContent({ model, contents: "[[sim status=429]]" })),
    );
    assert.ok(result instanceof ApiError);
    assert.equal(result.status, 429);
    assert.deepEqual([records[0]?.code, records[0]?.ending], ["upstream_rate_limited", "served"]);
  });
  test("a silent provider: upstream_timeout", async () => {
    const { result, records } = await observe(gateway, { exchanges: 1, sent: 1 }, () =>
      caught(() => as("acme/hasty").models.generateContent({ model, contents: "[[sim hang]]" })),
    );
    assert.ok(result instanceof ApiError);
    assert.equal(result.status, 504);
    assert.match(result.message, /"DEADLINE_EXCEEDED"/);
    assert.equal(records[0]?.ending, "local_reply");
  });
  test("a stream at its latency cap ends like one at its length", async () => {
    const { result, records } = await observe(gateway, { exchanges: 1, sent: 1 }, () =>
      streamed(as("acme/capped"), { model, contents: "[[sim tokens=400 token-delay=20]]" }),
    );
    assert.equal(result.at(-1)?.candidates?.[0]?.finishReason, "MAX_TOKENS");
    assert.ok(result.map((chunk) => chunk.text ?? "").join("").length > 0);
    assert.deepEqual([records[0]?.ending, records[0]?.code, records[0]?.cost?.estimated], ["cut", "latency_cap", true]);
  });
  test("a stream that is silent from the start: upstream_timeout", async () => {
    const { result, records } = await observe(gateway, { exchanges: 1, sent: 1 }, () =>
      caught(() => streamed(as("acme/idle"), { model, contents: "[[sim token-delay=2000]]" })),
    );
    assert.ok(result instanceof ApiError, String(result));
    assert.equal(result.status, 504);
    assert.deepEqual([records[0]?.ending, records[0]?.code, records[0]?.status], ["cut", "upstream_timeout", 504]);
  });
  test("a stream that goes silent raises", async () => {
    const chunk = `data: ${JSON.stringify({ candidates: [{ content: { role: "model", parts: [{ text: "Well" }] }, index: 0 }] })}\r\n\r\n`;
    gateway.simulator.respondWith(() => ({
      status: 200,
      headers: { "content-type": "text/event-stream" },
      chunks: [chunk, chunk],
      chunkDelayMs: 2000,
    }));
    const texts: (string | undefined)[] = [];
    const { result, records } = await observe(gateway, { exchanges: 1, sent: 1 }, () =>
      caught(async () => {
        for await (const piece of await as("acme/idle").models.generateContentStream({ model, contents: "hi" })) texts.push(piece.text);
      }),
    );
    gateway.simulator.respondWith(undefined);
    assert.deepEqual(texts, ["Well"]);
    assert.ok(result instanceof ApiError, String(result));
    assert.deepEqual([records[0]?.ending, records[0]?.code], ["cut", "upstream_timeout"]);
  });
  test("an error inside a stream raises", async () => {
    const { records } = await observe(gateway, { exchanges: 1, sent: 1 }, () =>
      caught(() => streamed(google, { model, contents: "[[sim tokens=20 error-in-stream=5]]" })),
    );
    assert.equal(typeof records[0]?.answer?.error, "string");
  });
});
