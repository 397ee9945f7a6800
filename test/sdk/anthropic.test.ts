/** The official `@anthropic-ai/sdk` package through a real Envoy: only base URL and key differ from a program that calls Anthropic. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { caught, drained, observe, refused, SDK_POLICY, served, WEATHER, WEATHER_ARGUMENTS } from "./support.ts";

let gateway: Gateway;
let anthropic: Anthropic;
const model = "claude-haiku-4-5";
const hello = { model, max_tokens: 2048, messages: [{ role: "user" as const, content: "Hello there" }] };
const saying = (content: string): typeof hello => ({ ...hello, messages: [{ role: "user", content }] });
const as = (app: string, more: object = {}): Anthropic => new Anthropic({ apiKey: gateway.key(app), baseURL: gateway.url, ...more });

before(async () => {
  gateway = await startGateway({ policy: SDK_POLICY });
  anthropic = as("acme/bot");
});
after(() => gateway.stop());

const tokens = (usage: { input_tokens: number; output_tokens: number }): object => ({
  inputTokens: usage.input_tokens,
  outputTokens: usage.output_tokens,
});

describe("messages", () => {
  test("one answer, byte for byte, priced by what the SDK saw", async () => {
    const { result, record, sent } = await served(
      gateway,
      { surface: "anthropic.messages", model, streaming: false, bytes: { requestSent: null } },
      () => anthropic.messages.create(hello),
    );
    assert.match(result.content[0]?.type === "text" ? result.content[0].text : "", /^Simulated answer to 11 characters:/);
    assert.deepEqual({ inputTokens: record.usage?.inputTokens, outputTokens: record.usage?.outputTokens }, tokens(result.usage));
    assert.equal(sent[0]?.headers["x-api-key"], "sk-sim-provider-key");
    assert.ok(sent[0]?.headers["anthropic-version"] !== undefined);
  });
  test("a stream with thinking", async () => {
    const { result, record } = await served(gateway, { streaming: true }, () =>
      anthropic.messages.stream({ ...hello, thinking: { type: "enabled", budget_tokens: 1024 } }).finalMessage(),
    );
    assert.deepEqual(
      result.content.map((block) => block.type),
      ["thinking", "text"],
    );
    assert.deepEqual({ inputTokens: record.usage?.inputTokens, outputTokens: record.usage?.outputTokens }, tokens(result.usage));
  });
  test("a tool called in a stream, its result sent back", async () => {
    const tools = [{ name: WEATHER.name, input_schema: WEATHER.parameters }];
    const ask = { ...hello, tools, tool_choice: { type: "tool" as const, name: WEATHER.name } };
    const pieces: string[] = [];
    const first = await served(gateway, { answer: { toolCalls: ["get_weather"], finishReasons: ["tool_use"] } }, () =>
      anthropic.messages
        .stream(ask)
        .on("inputJson", (piece) => pieces.push(piece))
        .finalMessage(),
    );
    const call = first.result.content[0];
    assert.ok(call?.type === "tool_use");
    assert.deepEqual(call.input, WEATHER_ARGUMENTS);
    assert.deepEqual(JSON.parse(pieces.join("")), WEATHER_ARGUMENTS);
    const second = await served(gateway, { answer: { finishReasons: ["end_turn"] } }, () =>
      anthropic.messages.create({
        ...hello,
        tools,
        messages: [
          ...hello.messages,
          { role: "assistant", content: first.result.content },
          { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "sunny" }] },
        ],
      }),
    );
    assert.equal(second.result.content[0]?.type, "text");
  });
  test("the tool runner of the beta surface", async () => {
    const seen: unknown[] = [];
    const tool = {
      name: WEATHER.name,
      input_schema: WEATHER.parameters,
      run: (input: unknown) => {
        seen.push(input);
        return "sunny";
      },
      parse: (input: unknown) => input,
    };
    const { result, records } = await observe(gateway, { exchanges: 2, sent: 2 }, () =>
      anthropic.beta.messages
        // Its default, a thread, is a conversation kept at the provider: `forbidden` under this policy.
        .toolRunner({ ...saying("Please use the tool"), thread: false, tools: [{ type: "custom" as const, ...tool }] })
        .runUntilDone(),
    );
    assert.equal(result.stop_reason, "end_turn");
    assert.deepEqual(seen, [WEATHER_ARGUMENTS]);
    assert.deepEqual(
      records.map(({ answer }) => answer?.toolCalls),
      [["get_weather"], undefined],
    );
  });
  test("a schema is filled", async () => {
    const { result } = await served(gateway, {}, () =>
      anthropic.messages.create({ ...hello, output_config: { format: { type: "json_schema", schema: WEATHER.parameters } } }),
    );
    assert.deepEqual(JSON.parse(result.content[0]?.type === "text" ? result.content[0].text : ""), WEATHER_ARGUMENTS);
  });
  test("the user in metadata passes, a contract field does not", async () => {
    const { sent } = await served(gateway, {}, () => anthropic.messages.create({ ...hello, metadata: { user_id: "u-1" } }));
    assert.match(sent[0]?.body.toString() ?? "", /"metadata":\{"user_id":"u-1"\}/);
  });
  test("tokens are counted, and cost nothing", async () => {
    const { result, records } = await observe(gateway, { exchanges: 1, sent: 1 }, () =>
      anthropic.messages.countTokens({ model, messages: hello.messages }),
    );
    assert.equal(result.input_tokens, 3);
    assert.deepEqual(
      [records[0]?.surface, records[0]?.usage?.inputTokens, records[0]?.cost?.nanoUsd ?? 0],
      ["anthropic.count_tokens", 3, 0],
    );
  });
  test("models: those that this caller may use", async () => {
    const { result } = await observe(gateway, { exchanges: 1, sent: 0 }, async () => drained(anthropic.models.list()));
    assert.ok(result.some(({ id, type }) => id === model && type === "model"));
    assert.ok(result.every(({ id }) => id !== "secret-model"));
    assert.equal((await observe(gateway, { exchanges: 1, sent: 0 }, () => anthropic.models.retrieve(model))).result.id, model);
  });
});

describe("refusals raise the SDK's own errors, and are not tried again", () => {
  const ask = (client: Anthropic, more: object = {}, options: Anthropic.RequestOptions = {}): Promise<unknown> =>
    client.messages.create({ ...hello, ...more }, options);
  const cases: readonly (readonly [
    code: string,
    kind: new (...args: never[]) => Error,
    status: number,
    type: string,
    use: () => Promise<unknown>,
  ])[] = [
    [
      "unauthenticated",
      Anthropic.AuthenticationError,
      401,
      "authentication_error",
      () => ask(new Anthropic({ apiKey: "sk-nobody", baseURL: gateway.url })),
    ],
    ["model_not_allowed", Anthropic.PermissionDeniedError, 403, "permission_error", () => ask(anthropic, { model: "secret-model" })],
    [
      "model_not_allowed",
      Anthropic.PermissionDeniedError,
      403,
      "permission_error",
      () => ask(anthropic, { model: "no-such", stream: true }),
    ],
    [
      "tool_not_allowed",
      Anthropic.PermissionDeniedError,
      403,
      "permission_error",
      () => ask(anthropic, { tools: [{ name: "delete_all", input_schema: { type: "object" } }] }),
    ],
    ["residency_violation", Anthropic.PermissionDeniedError, 403, "permission_error", () => ask(as("globex/bot"))],
    [
      "contract_violation",
      Anthropic.BadRequestError,
      400,
      "invalid_request_error",
      () => ask(anthropic, {}, { headers: { "x-ai-data-class": "cosmic" } }),
    ],
    ["invalid_request", Anthropic.BadRequestError, 400, "invalid_request_error", () => ask(anthropic, { messages: "hi" })],
    ["unsupported_surface", Anthropic.NotFoundError, 404, "not_found_error", () => anthropic.messages.batches.create({ requests: [] })],
    ["input_too_large", Anthropic.APIError, 413, "request_too_large", () => ask(as("acme/small"), { system: "x".repeat(300) })],
    ["no_target", Anthropic.InternalServerError, 503, "api_error", () => ask(anthropic, {}, { headers: { "x-ai-region": "eu" } })],
  ];
  for (const [index, [code, kind, status, type, use]] of cases.entries()) {
    test(`${code} (${index + 1})`, async () => {
      const { error, record } = await refused(gateway, code, use);
      assert.ok(error instanceof kind && error instanceof Anthropic.APIError, String(error));
      assert.deepEqual([error.status, error.type, error.errorCode, record.status], [status, type, code, status]);
      assert.equal(error.requestID, record.id);
    });
  }
});

describe("what the provider does wrong", () => {
  test("its own error object reaches the caller; the SDK's retries are seen by the provider", async () => {
    const { result, records } = await observe(gateway, { exchanges: 2, sent: 2 }, () =>
      caught(() => as("acme/bot", { maxRetries: 1 }).messages.create(saying("[[sim status=529]]"))),
    );
    assert.ok(result instanceof Anthropic.InternalServerError);
    assert.deepEqual([result.status, result.type], [529, "overloaded_error"]);
    assert.deepEqual(
      records.map(({ code, ending }) => [code, ending]),
      Array(2).fill(["upstream_error", "served"]),
    );
  });
  test("a silent provider: upstream_timeout, which may be tried again", async () => {
    const { result } = await observe(gateway, { exchanges: 2, sent: 2 }, () =>
      caught(() => as("acme/hasty", { maxRetries: 1 }).messages.create(saying("[[sim hang]]"))),
    );
    assert.ok(result instanceof Anthropic.InternalServerError);
    assert.deepEqual([result.status, result.errorCode], [504, "upstream_timeout"]);
  });
  test("a stream at its latency cap ends like one at its length, blocks closed", async () => {
    const { result, records } = await observe(gateway, { exchanges: 1, sent: 1 }, () =>
      as("acme/capped").messages.stream(saying("[[sim tokens=400 token-delay=20]]")).finalMessage(),
    );
    assert.equal(result.stop_reason, "max_tokens");
    assert.ok(result.content[0]?.type === "text" && result.content[0].text.length > 0);
    assert.deepEqual([records[0]?.ending, records[0]?.code, records[0]?.cost?.estimated], ["cut", "latency_cap", true]);
  });
  test("a stream that goes silent raises", async () => {
    const { result, records } = await observe(gateway, { exchanges: 1, sent: 1 }, () =>
      caught(() => as("acme/idle").messages.stream(saying("[[sim token-delay=2000]]")).finalMessage()),
    );
    assert.ok(result instanceof Anthropic.APIError, String(result));
    assert.deepEqual([records[0]?.ending, records[0]?.code], ["cut", "upstream_timeout"]);
  });
  test("an error inside a stream raises", async () => {
    const { result, records } = await observe(gateway, { exchanges: 1, sent: 1 }, () =>
      caught(async () => drained(await anthropic.messages.create({ ...saying("[[sim tokens=20 error-in-stream=5]]"), stream: true }))),
    );
    assert.ok(result instanceof Anthropic.APIError);
    assert.equal(records[0]?.answer?.error, "overloaded_error");
  });
});
