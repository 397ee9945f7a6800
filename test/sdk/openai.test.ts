/** The official `openai` package through a real Envoy: only base URL and key differ from a program that calls OpenAI. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import OpenAI from "openai";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { caught, drained, observe, refused, SDK_POLICY, served, WEATHER, WEATHER_ARGUMENTS } from "./support.ts";

let gateway: Gateway;
let openai: OpenAI;
const model = "gpt-4o-mini";
const hello = [{ role: "user" as const, content: "Hello there" }];
const as = (app: string, more: object = {}): OpenAI => new OpenAI({ apiKey: gateway.key(app), baseURL: `${gateway.url}/v1`, ...more });

before(async () => {
  gateway = await startGateway({ policy: SDK_POLICY });
  openai = as("acme/bot");
});
after(() => gateway.stop());

const chatUsage = (usage: OpenAI.CompletionUsage | null | undefined): object => {
  assert.ok(usage, "the SDK saw usage");
  return { inputTokens: usage.prompt_tokens, outputTokens: usage.completion_tokens };
};

describe("chat completions", () => {
  test("one answer, priced by what the SDK saw", async () => {
    const { result, record, sent } = await served(gateway, { surface: "openai.chat", model, streaming: false }, () =>
      openai.chat.completions.create({ model, messages: hello }).withResponse(),
    );
    assert.match(result.data.choices[0]?.message.content ?? "", /^Simulated answer to 11 characters: /);
    assert.deepEqual(
      { ...record.usage, reported: undefined, cachedInputTokens: undefined, reasoningTokens: undefined },
      { ...record.usage, ...chatUsage(result.data.usage), reported: undefined, cachedInputTokens: undefined, reasoningTokens: undefined },
    );
    assert.equal(result.response.headers.get("x-ai-request-id"), record.id);
    assert.equal(sent[0]?.headers.authorization, "Bearer sk-sim-provider-key");
    assert.deepEqual(
      Object.keys(sent[0]?.headers ?? {}).filter((name) => name.startsWith("x-stainless")),
      [],
    );
  });
  test("a stream without usage: the caller sees none, the record has it", async () => {
    const whole = await served(gateway, {}, () => openai.chat.completions.create({ model, messages: hello }));
    const { result, record, sent } = await served(gateway, { streaming: true }, async () =>
      drained(await openai.chat.completions.create({ model, messages: hello, stream: true })),
    );
    assert.equal(result.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), whole.result.choices[0]?.message.content);
    assert.ok(
      result.every((chunk) => !("usage" in chunk) && chunk.choices.length === 1),
      "a chunk shows that usage was asked for",
    );
    assert.match(sent[0]?.body.toString() ?? "", /"stream_options":\{"include_usage":true\}/);
    assert.deepEqual(record.usage, whole.record.usage);
  });
  test("a stream with usage: the caller's last chunk has what the record has", async () => {
    const { result, record, sent } = await served(gateway, { streaming: true }, async () =>
      drained(
        await openai.chat.completions.create({
          model,
          messages: hello,
          stream: true,
          stream_options: { include_usage: true },
          n: 2,
          max_completion_tokens: 90,
        }),
      ),
    );
    assert.deepEqual({ inputTokens: record.usage?.inputTokens, outputTokens: record.usage?.outputTokens }, chatUsage(result.at(-1)?.usage));
    assert.equal(record.bytes.requestSent, undefined);
    assert.equal(sent[0]?.body.length, record.bytes.request);
  });
  test("the tool runner, streamed: call, result, words", async () => {
    const calls: unknown[] = [];
    const tool = {
      type: "function" as const,
      function: {
        ...WEATHER,
        description: "The weather",
        parse: JSON.parse,
        function: (args: unknown) => {
          calls.push(args);
          return "sunny";
        },
      },
    };
    const { result, records } = await observe(gateway, { exchanges: 2, sent: 2 }, () =>
      openai.chat.completions
        .runTools({ model, stream: true, messages: [{ role: "user", content: "Please use the tool" }], tools: [tool] })
        .finalContent(),
    );
    assert.match(result ?? "", /^Simulated answer/);
    assert.deepEqual(calls, [WEATHER_ARGUMENTS]);
    assert.deepEqual(
      records.map(({ answer }) => [answer?.finishReasons, answer?.toolCalls]),
      [
        [["tool_calls"], ["get_weather"]],
        [["stop"], undefined],
      ],
    );
  });
  test("a schema is filled", async () => {
    const { result } = await served(gateway, {}, () =>
      openai.chat.completions.parse({
        model,
        messages: hello,
        response_format: { type: "json_schema", json_schema: { name: "weather", strict: true, schema: WEATHER.parameters } },
      }),
    );
    assert.deepEqual(JSON.parse(result.choices[0]?.message.content ?? ""), WEATHER_ARGUMENTS);
  });
  test("hidden reasoning is in the record", async () => {
    const { result, record } = await served(gateway, { model: "o4-mini" }, () =>
      openai.chat.completions.create({ model: "o4-mini", messages: hello, reasoning_effort: "low" }),
    );
    assert.equal(result.usage?.completion_tokens_details?.reasoning_tokens, 12);
    assert.equal(record.usage?.reasoningTokens, 12);
    assert.equal(record.usage?.outputTokens, result.usage?.completion_tokens);
  });
  test("contract fields in metadata reach the record and not the provider", async () => {
    const { sent } = await served(gateway, { user: "u-7", conversation: "c-1" }, () =>
      openai.chat.completions.create({ model, messages: hello, metadata: { ai_user: "u-7", ai_conversation: "c-1", team: "blue" } }),
    );
    assert.deepEqual(JSON.parse(sent[0]?.body.toString() ?? "").metadata, { team: "blue" });
  });
  test("a model by meaning", async () => {
    const { result } = await served(gateway, { modelAsked: "tier:standard", model }, () =>
      openai.chat.completions.create({ model: "tier:standard", messages: hello }),
    );
    assert.equal(result.model, model);
  });
});

describe("responses, embeddings, models", () => {
  const usageOf = (usage: OpenAI.Responses.ResponseUsage | undefined): object => {
    assert.ok(usage);
    return { inputTokens: usage.input_tokens, outputTokens: usage.output_tokens };
  };
  test("responses: one answer", async () => {
    const { result, record } = await served(gateway, { surface: "openai.responses" }, () =>
      openai.responses.create({ model, input: "Hello there", store: false }),
    );
    assert.match(result.output_text, /^Simulated answer/);
    assert.deepEqual({ inputTokens: record.usage?.inputTokens, outputTokens: record.usage?.outputTokens }, usageOf(result.usage));
  });
  test("responses: a stream, with every event in its order", async () => {
    const { result, record } = await served(gateway, { surface: "openai.responses", streaming: true }, async () => {
      const stream = openai.responses.stream({
        model: "o4-mini",
        input: "Hello there",
        reasoning: { effort: "low", summary: "auto" },
        store: false,
      });
      const numbers = (await drained(stream)).map((event) => event.sequence_number);
      return { numbers, final: await stream.finalResponse() };
    });
    assert.deepEqual(
      result.numbers,
      result.numbers.map((_number, index) => index),
    );
    assert.deepEqual(
      result.final.output.map((item) => item.type),
      ["reasoning", "message"],
    );
    assert.deepEqual({ inputTokens: record.usage?.inputTokens, outputTokens: record.usage?.outputTokens }, usageOf(result.final.usage));
    assert.equal(record.usage?.reasoningTokens, 12);
  });
  test("responses: a tool called in a stream, its result sent back", async () => {
    const tools = [{ type: "function" as const, strict: true, ...WEATHER }];
    const first = await served(gateway, { answer: { toolCalls: ["get_weather"] } }, () =>
      openai.responses.stream({ model, input: "x", tools, tool_choice: "required", store: false }).finalResponse(),
    );
    const call = first.result.output[0];
    assert.ok(call?.type === "function_call");
    assert.deepEqual(JSON.parse(call.arguments), WEATHER_ARGUMENTS);
    const input: OpenAI.Responses.ResponseInput = [
      { role: "user", content: "x" },
      call,
      { type: "function_call_output", call_id: call.call_id, output: "sunny" },
    ];
    const second = await served(gateway, {}, () => openai.responses.create({ model, input, tools, store: false }));
    assert.match(second.result.output_text, /^Simulated answer/);
  });
  test("responses: state kept at the provider is refused", async () => {
    const { error } = await refused(gateway, "forbidden", () =>
      openai.responses.create({ model, input: "x", previous_response_id: "resp_1", store: false }),
    );
    assert.ok(error instanceof OpenAI.PermissionDeniedError);
  });
  test("embeddings, as the SDK asks for them (base64)", async () => {
    const { result, record } = await served(gateway, { surface: "openai.embeddings", operation: "embed" }, () =>
      openai.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"], dimensions: 64 }),
    );
    assert.deepEqual(
      result.data.map((row) => row.embedding.length),
      [64, 64],
    );
    assert.equal(record.usage?.inputTokens, result.usage.prompt_tokens);
  });
  test("models: those that this caller may use", async () => {
    const { result } = await observe(gateway, { exchanges: 1, sent: 0 }, async () => drained(openai.models.list()));
    assert.deepEqual(
      result.map(({ id }) => id),
      ["gpt-4o-mini", "o4-mini", "claude-haiku-4-5", "gemini-2.5-flash", "text-embedding-3-small"],
    );
    const one = await observe(gateway, { exchanges: 1, sent: 0 }, () => openai.models.retrieve(model));
    assert.equal(one.result.id, model);
    assert.ok(
      (await refused(gateway, "model_not_allowed", () => openai.models.retrieve("secret-model"))).error instanceof
        OpenAI.PermissionDeniedError,
    );
  });
});

describe("refusals raise the SDK's own errors, and are not tried again", () => {
  const ask = (client: OpenAI, more: object = {}, options: OpenAI.RequestOptions = {}): Promise<unknown> =>
    client.chat.completions.create({ model, messages: hello, ...more }, options);
  const cases: readonly (readonly [code: string, kind: new (...args: never[]) => Error, status: number, use: () => Promise<unknown>])[] = [
    ["unauthenticated", OpenAI.AuthenticationError, 401, () => ask(new OpenAI({ apiKey: "sk-nobody", baseURL: `${gateway.url}/v1` }))],
    ["unauthenticated", OpenAI.AuthenticationError, 401, () => ask(as("expired"))],
    ["model_not_allowed", OpenAI.PermissionDeniedError, 403, () => ask(openai, { model: "secret-model" })],
    ["model_not_allowed", OpenAI.PermissionDeniedError, 403, () => ask(openai, { model: "no-such-model", stream: true })],
    [
      "tool_not_allowed",
      OpenAI.PermissionDeniedError,
      403,
      () => ask(openai, { tools: [{ type: "function", function: { name: "delete_all" } }] }),
    ],
    ["forbidden", OpenAI.PermissionDeniedError, 403, () => ask(openai, {}, { headers: { "x-ai-use-case": "small" } })],
    ["residency_violation", OpenAI.PermissionDeniedError, 403, () => ask(as("globex/bot"))],
    ["contract_violation", OpenAI.BadRequestError, 400, () => ask(openai, {}, { headers: { "x-ai-max-token": "5" } })],
    ["invalid_request", OpenAI.BadRequestError, 400, () => ask(openai, { n: 0 })],
    ["unsupported_surface", OpenAI.NotFoundError, 404, () => openai.fineTuning.jobs.retrieve("job-1")],
    ["input_too_large", OpenAI.APIError, 413, () => ask(as("acme/small"), { messages: [{ role: "user", content: "x".repeat(300) }] })],
    ["no_target", OpenAI.InternalServerError, 503, () => ask(openai, {}, { headers: { "x-ai-region": "eu" } })],
  ];
  for (const [index, [code, kind, status, use]] of cases.entries()) {
    test(`${code} (${index + 1})`, async () => {
      const { error, record } = await refused(gateway, code, use);
      assert.ok(error instanceof kind && error instanceof OpenAI.APIError, String(error));
      assert.deepEqual([error.status, error.code, record.status], [status, code, status]);
      assert.equal(error.requestID, record.id);
      assert.match(error.message, /^[0-9]{3} .{10,}[.?]/);
    });
  }
});

describe("what the provider does wrong", () => {
  const failing = (words: string): OpenAI.ChatCompletionMessageParam[] => [{ role: "user", content: `[[sim ${words}]]` }];
  test("its own error object reaches the caller; the SDK's retries are seen by the provider", async () => {
    const { result, records } = await observe(gateway, { exchanges: 2, sent: 2 }, () =>
      caught(() => as("acme/bot", { maxRetries: 1 }).chat.completions.create({ model, messages: failing("status=429") })),
    );
    assert.ok(result instanceof OpenAI.RateLimitError);
    assert.equal(result.headers.get("x-ai-error"), "upstream_rate_limited");
    assert.deepEqual(
      records.map(({ code, ending, cost }) => [code, ending, cost]),
      Array(2).fill(["upstream_rate_limited", "served", undefined]),
    );
  });
  test("a failure that passes is healed by the SDK's retry", async () => {
    const { result, records } = await observe(gateway, { exchanges: 2, sent: 2 }, () =>
      openai.chat.completions.create({ model, messages: failing("fail-first=1 status=503") }),
    );
    assert.match(result.choices[0]?.message.content ?? "", /^Simulated answer/);
    assert.deepEqual(
      records.map(({ status }) => status),
      [503, 200],
    );
  });
  test("a silent provider: upstream_timeout, which may be tried again", async () => {
    const { result, records } = await observe(gateway, { exchanges: 2, sent: 2 }, () =>
      caught(() => as("acme/hasty", { maxRetries: 1 }).chat.completions.create({ model, messages: failing("hang") })),
    );
    assert.ok(result instanceof OpenAI.InternalServerError);
    assert.deepEqual([result.status, result.code, result.requestID], [504, "upstream_timeout", records[1]?.id]);
    assert.deepEqual(
      records.map(({ ending }) => ending),
      ["local_reply", "local_reply"],
    );
  });
  test("a latency cap before the answer: latency_cap, which is not tried again", async () => {
    const { result } = await observe(gateway, { exchanges: 1, sent: 1 }, () =>
      caught(() => as("acme/capped").chat.completions.create({ model, messages: failing("delay=5000") })),
    );
    assert.ok(result instanceof OpenAI.InternalServerError);
    assert.deepEqual([result.status, result.code], [504, "latency_cap"]);
  });
  test("a stream at its latency cap ends like one at its length", async () => {
    const { result, records } = await observe(gateway, { exchanges: 1, sent: 1 }, async () => {
      const stream = await as("acme/capped").chat.completions.create({
        model,
        messages: failing("tokens=400 token-delay=20"),
        stream: true,
      });
      return drained(stream);
    });
    assert.equal(result.at(-1)?.choices[0]?.finish_reason, "length");
    assert.deepEqual([records[0]?.ending, records[0]?.code, records[0]?.cost?.estimated], ["cut", "latency_cap", true]);
    assert.ok((records[0]?.usage?.outputTokens ?? 0) > 0);
  });
  test("responses at their latency cap end incomplete", async () => {
    const { result } = await observe(gateway, { exchanges: 1, sent: 1 }, () =>
      as("acme/capped").responses.stream({ model, input: "[[sim tokens=400 token-delay=20]]", store: false }).finalResponse(),
    );
    assert.equal(result.status, "incomplete");
    assert.ok(result.output_text.length > 0);
  });
  for (const [name, use] of [
    [
      "chat",
      async (client: OpenAI) =>
        drained(await client.chat.completions.create({ model, messages: failing("token-delay=2000"), stream: true })),
    ],
    [
      "responses",
      async (client: OpenAI) =>
        drained(await client.responses.create({ model, input: "[[sim token-delay=2000]]", stream: true, store: false })),
    ],
  ] as const) {
    test(`a stream that goes silent raises: ${name}`, async () => {
      const { result, records } = await observe(gateway, { exchanges: 1, sent: 1 }, () => caught(() => use(as("acme/idle"))));
      assert.ok(result instanceof OpenAI.APIError, String(result));
      assert.equal(result.code, "upstream_timeout");
      assert.deepEqual([records[0]?.ending, records[0]?.code], ["cut", "upstream_timeout"]);
    });
  }
  test("an error inside a stream raises", async () => {
    const { result, records } = await observe(gateway, { exchanges: 1, sent: 1 }, () =>
      caught(async () =>
        drained(await openai.chat.completions.create({ model, messages: failing("tokens=20 error-in-stream=5"), stream: true })),
      ),
    );
    assert.ok(result instanceof OpenAI.APIError);
    assert.equal(typeof records[0]?.answer?.error, "string");
  });
});
