import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { FunctionCallingConfigMode, GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { type Simulator, startSimulator } from "./server.ts";

// The providers' own SDKs are the judges here: what they parse without complaint is shaped as the provider's.
const KEY = "sk-simulated";
let simulator: Simulator;
let openai: OpenAI;
let anthropic: Anthropic;
let google: GoogleGenAI;

before(async () => {
  simulator = await startSimulator({ requireKey: KEY });
  openai = new OpenAI({ apiKey: KEY, baseURL: `${simulator.url}/v1`, maxRetries: 0 });
  anthropic = new Anthropic({ apiKey: KEY, baseURL: simulator.url, maxRetries: 0 });
  google = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: simulator.url } });
});
after(async () => {
  await simulator.close();
});

const parameters = {
  type: "object",
  properties: { city: { type: "string" }, unit: { type: "string", enum: ["celsius", "kelvin"] }, days: { type: "integer", minimum: 3 } },
  required: ["city", "unit", "days"],
  additionalProperties: false,
};
const ARGUMENTS = { city: "simulated", unit: "celsius", days: 3 };

test("openai chat: unary", async () => {
  const answer = await openai.chat.completions.create({ model: "gpt-4o-mini", n: 2, messages: [{ role: "user", content: "Hello there" }] });
  assert.equal(answer.choices.length, 2);
  assert.match(answer.choices[0]?.message.content ?? "", /^Simulated answer to 11 characters: /);
  assert.equal(answer.choices[1]?.finish_reason, "stop");
  assert.equal(answer.usage?.prompt_tokens, 3);
  assert.equal(answer.usage?.total_tokens, 3 + (answer.usage?.completion_tokens ?? 0));
});

test("openai chat: a stream has the same words and usage as the unary answer", async () => {
  const messages = [{ role: "user" as const, content: "Tell me more [[sim tokens=40]]" }];
  const whole = await openai.chat.completions.create({ model: "gpt-4o-mini", messages });
  const stream = await openai.chat.completions.create({
    model: "gpt-4o-mini",
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = "";
  let finish: string | null = null;
  const usages: unknown[] = [];
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
    if (chunk.usage) usages.push(chunk.usage);
  }
  assert.equal(text, whole.choices[0]?.message.content);
  assert.equal(finish, "stop");
  assert.deepEqual(usages, [whole.usage]);
  assert.equal(whole.usage?.completion_tokens, 40);
});

test("openai chat: the runner of tools gets a call in pieces, sends the result and gets words", async () => {
  const seen: unknown[] = [];
  const runner = openai.chat.completions.runTools({
    model: "gpt-4o-mini",
    stream: true,
    messages: [{ role: "user", content: "Please use the tool" }],
    tools: [
      {
        type: "function",
        function: {
          name: "weather",
          description: "The weather",
          parameters,
          parse: JSON.parse,
          function: (args: unknown) => {
            seen.push(args);
            return "sunny";
          },
        },
      },
    ],
  });
  assert.match((await runner.finalContent()) ?? "", /^Simulated answer/);
  assert.deepEqual(seen, [ARGUMENTS]);
});

test("openai chat: a schema is filled, a token cap cuts", async () => {
  const schema = { type: "json_schema" as const, json_schema: { name: "w", strict: true, schema: parameters } };
  const filled = await openai.chat.completions.create({
    model: "gpt-4o",
    messages: [{ role: "user", content: "x" }],
    response_format: schema,
  });
  assert.deepEqual(JSON.parse(filled.choices[0]?.message.content ?? ""), ARGUMENTS);
  const cut = await openai.chat.completions.create({
    model: "gpt-4o",
    messages: [{ role: "user", content: "x" }],
    max_completion_tokens: 4,
  });
  assert.equal(cut.choices[0]?.finish_reason, "length");
  assert.equal(cut.usage?.completion_tokens, 4);
});

test("openai responses: unary, streamed, with reasoning, tools and a cap", async () => {
  const whole = await openai.responses.create({ model: "gpt-4o", input: "Hello there" });
  assert.match(whole.output_text, /^Simulated answer/);
  const stream = openai.responses.stream({ model: "gpt-4o", input: "Hello there", reasoning: { effort: "low", summary: "auto" } });
  const numbers: number[] = [];
  for await (const event of stream) numbers.push(event.sequence_number);
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => index),
  );
  const final = await stream.finalResponse();
  assert.equal(final.output_text, whole.output_text);
  assert.deepEqual(
    final.output.map((item) => item.type),
    ["reasoning", "message"],
  );
  assert.equal(final.usage?.output_tokens_details.reasoning_tokens, 12);
  const tools = [{ type: "function" as const, name: "weather", parameters, strict: true }];
  const called = openai.responses.stream({ model: "gpt-4o", input: "x", tools, tool_choice: "required" });
  const item = (await called.finalResponse()).output[0];
  assert.ok(item?.type === "function_call");
  assert.deepEqual(JSON.parse(item.arguments), ARGUMENTS);
  const cut = await openai.responses.create({ model: "gpt-4o", input: "x", max_output_tokens: 3 });
  assert.equal(cut.incomplete_details?.reason, "max_output_tokens");
});

test("openai embeddings, as floats through base64, and models", async () => {
  const answer = await openai.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"], dimensions: 64 });
  assert.deepEqual(
    answer.data.map((row) => row.embedding.length),
    [64, 64],
  );
  const floats = await openai.embeddings.create({
    model: "text-embedding-3-small",
    input: "one",
    dimensions: 64,
    encoding_format: "float",
  });
  assert.deepEqual(floats.data[0]?.embedding, answer.data[0]?.embedding);
  assert.equal(answer.usage.prompt_tokens, 2);
  const ids: string[] = [];
  for await (const model of openai.models.list()) ids.push(model.id);
  assert.ok(ids.includes("gpt-4o-mini"));
  assert.equal((await openai.models.retrieve("gpt-4o")).id, "gpt-4o");
});

test("anthropic messages: unary, streamed with thinking, tools, a cap and a count", async () => {
  const params = { model: "claude-haiku-4-5", max_tokens: 2048, messages: [{ role: "user" as const, content: "Hello there" }] };
  const whole = await anthropic.messages.create(params);
  const words = whole.content[0]?.type === "text" ? whole.content[0].text : "";
  assert.match(words, /^Simulated answer to 11 characters:/);
  const stream = anthropic.messages.stream({ ...params, thinking: { type: "enabled", budget_tokens: 1024 } });
  const final = await stream.finalMessage();
  assert.deepEqual(
    final.content.map((block) => block.type),
    ["thinking", "text"],
  );
  assert.equal(await stream.finalText(), words);
  assert.equal(final.usage.output_tokens, whole.usage.output_tokens + 12);
  const tools = [{ name: "weather", input_schema: { ...parameters, type: "object" as const } }];
  const call = await anthropic.messages.stream({ ...params, tools, tool_choice: { type: "tool", name: "weather" } }).finalMessage();
  assert.equal(call.stop_reason, "tool_use");
  assert.ok(call.content[0]?.type === "tool_use");
  assert.deepEqual(call.content[0].input, ARGUMENTS);
  const cut = await anthropic.messages.create({ ...params, max_tokens: 5 });
  assert.deepEqual([cut.stop_reason, cut.usage.output_tokens], ["max_tokens", 5]);
  assert.deepEqual({ ...(await anthropic.messages.countTokens({ model: "claude-haiku-4-5", messages: params.messages })) }.input_tokens, 3);
});

test("gemini: unary, streamed with thoughts, tools, a cap and a count", async () => {
  const model = "gemini-2.5-flash";
  const whole = await google.models.generateContent({ model, contents: "Hello there" });
  assert.match(whole.text ?? "", /^Simulated answer to 11 characters:/);
  const stream = await google.models.generateContentStream({
    model,
    contents: "Hello there",
    config: { thinkingConfig: { includeThoughts: true } },
  });
  let text = "";
  let thoughts = 0;
  let usage: { candidatesTokenCount?: number; thoughtsTokenCount?: number } | undefined;
  for await (const chunk of stream) {
    thoughts += chunk.candidates?.[0]?.content?.parts?.filter((part) => part.thought === true).length ?? 0;
    text += chunk.candidates?.[0]?.content?.parts?.some((part) => part.thought === true) ? "" : (chunk.text ?? "");
    usage = chunk.usageMetadata ?? usage;
  }
  assert.equal(text, whole.text);
  assert.deepEqual([thoughts, usage?.thoughtsTokenCount], [12, 12]);
  assert.equal(usage?.candidatesTokenCount, whole.usageMetadata?.candidatesTokenCount);
  const functionDeclarations = [{ name: "weather", parametersJsonSchema: parameters }];
  const toolConfig = { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ["weather"] } };
  const call = await google.models.generateContent({ model, contents: "x", config: { tools: [{ functionDeclarations }], toolConfig } });
  assert.deepEqual(call.functionCalls?.[0]?.args, ARGUMENTS);
  const cut = await google.models.generateContent({ model, contents: "x", config: { maxOutputTokens: 4 } });
  assert.equal(cut.candidates?.[0]?.finishReason, "MAX_TOKENS");
  assert.equal((await google.models.countTokens({ model, contents: "Hello there" })).totalTokens, 3);
});

test("a wrong key is refused in each provider's way, and the SDK says so", async () => {
  const messages = [{ role: "user" as const, content: "x" }];
  const wrong = { apiKey: "wrong", maxRetries: 0 };
  await assert.rejects(
    new OpenAI({ ...wrong, baseURL: `${simulator.url}/v1` }).chat.completions.create({ model: "m", messages }),
    (error) => error instanceof OpenAI.AuthenticationError && error.code === "invalid_api_key",
  );
  await assert.rejects(
    new Anthropic({ ...wrong, baseURL: simulator.url }).messages.create({ model: "m", max_tokens: 5, messages }),
    Anthropic.AuthenticationError,
  );
  const stranger = new GoogleGenAI({ apiKey: "wrong", httpOptions: { baseUrl: simulator.url } });
  await assert.rejects(stranger.models.generateContent({ model: "m", contents: "x" }), /API key not valid/);
  assert.equal(simulator.requests.at(-1)?.headers["x-goog-api-key"], "wrong");
});

test("an error in the middle of a stream is raised by every SDK", async () => {
  const content = "x [[sim tokens=20 error-in-stream=5]]";
  const drain = async (stream: AsyncIterable<unknown>): Promise<void> => {
    for await (const _ of stream);
  };
  const messages = [{ role: "user" as const, content }];
  await assert.rejects(drain(await openai.chat.completions.create({ model: "m", messages, stream: true })), OpenAI.APIError);
  assert.equal(simulator.requests.at(-1)?.tokensSent, 5);
  await assert.rejects(drain(await openai.responses.create({ model: "m", input: content, stream: true })), OpenAI.APIError);
  await assert.rejects(drain(await anthropic.messages.create({ model: "m", max_tokens: 99, messages, stream: true })), Anthropic.APIError);
  await assert.rejects(drain(await google.models.generateContentStream({ model: "m", contents: content })), /overloaded/);
});
