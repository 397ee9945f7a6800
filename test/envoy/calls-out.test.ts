/** Calls that are not allowed are taken out of answers that go on: read by the real SDKs, through a real Envoy. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI, { APIError } from "openai";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { assertSubset } from "../support/subset.ts";

let gateway: Gateway;
before(async () => {
  gateway = await startGateway({
    policy: `
apiVersion: sluice/v1
version: "calls-out.1"
providers:
  openai: { format: openai, baseUrl: "\${SIM}/v1", credential: { env: SIM_KEY } }
  anthropic: { format: anthropic, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
  gemini: { format: gemini, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
models:
  gpt-4o-mini: { targets: [{ provider: openai, model: gpt-4o-mini }] }
  claude-haiku-4-5: { targets: [{ provider: anthropic, model: claude-haiku-4-5 }] }
  gemini-2.5-flash: { targets: [{ provider: gemini, model: gemini-2.5-flash }] }
tenants:
  acme: { apps: { bot: { credentials: [{ apiKey: { id: k1, sha256: "\${KEY:acme/bot}" } }], useCases: [agent, warns] } } }
useCases:
  agent:
    access:
      models: ["*"]
      tools:
        { allow: [look], approve: [pay], onDeniedCall: remove, arguments: [{ tool: look, schema: { properties: { city: { enum: [Bern, Rome] } } } }] }
  warns: { mode: warn, access: { models: ["*"], tools: { allow: [look], onDeniedCall: remove } } }
`,
  });
});
after(() => gateway.stop());

interface Called {
  readonly name: string;
  readonly city: string;
}
const [bern, wipe, rome] = [
  { name: "look", city: "Bern" },
  { name: "wipe", city: "Oslo" },
  { name: "look", city: "Rome" },
];
const far = { name: "look", city: "Oslo" };
const textOf = ({ city }: Called): string => JSON.stringify({ city });

function answers(body: string, type: string): void {
  gateway.simulator.respondWith(() => ({ status: 200, headers: { "content-type": type }, chunks: [body] }));
}
const events = (list: readonly object[]): string =>
  list.map((event) => `${"type" in event ? `event: ${String(event.type)}\n` : ""}data: ${JSON.stringify(event)}\n\n`).join("");

function chat(calls: readonly Called[], { stream }: { readonly stream: boolean }): void {
  const head = { id: "chatcmpl-1", created: 1, model: "gpt-4o-mini" };
  const called = calls.map((call, index) => ({
    ...{ id: `call_${index}`, type: "function" },
    function: { name: call.name, arguments: textOf(call) },
  }));
  if (!stream) {
    const message = { role: "assistant", content: "Well.", tool_calls: called };
    return answers(
      JSON.stringify({ ...head, object: "chat.completion", choices: [{ index: 0, message, finish_reason: "tool_calls" }] }),
      "application/json",
    );
  }
  const chunk = (delta: object, finish: string | null = null) => ({
    ...{ ...head, object: "chat.completion.chunk" },
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
  const chunks = called.flatMap(({ id, type, function: { name, arguments: text } }, index) => [
    chunk({ tool_calls: [{ index, id, type, function: { name, arguments: "" } }] }),
    ...[text.slice(0, 4), text.slice(4)].map((piece) => chunk({ tool_calls: [{ index, function: { arguments: piece } }] })),
  ]);
  const all = [chunk({ role: "assistant", content: "Well." }), ...chunks, chunk({}, "tool_calls")];
  answers(`${events(all)}data: [DONE]\n\n`, "text/event-stream");
}
function messages(calls: readonly Called[]): void {
  const message = { id: "msg_1", type: "message", role: "assistant", model: "claude-haiku-4-5", content: [], stop_reason: null };
  const blocks = calls.flatMap((call, at) => [
    { type: "content_block_start", index: at + 1, content_block: { type: "tool_use", id: `toolu_${at}`, name: call.name, input: {} } },
    { type: "content_block_delta", index: at + 1, delta: { type: "input_json_delta", partial_json: textOf(call) } },
    { type: "content_block_stop", index: at + 1 },
  ]);
  const all = [
    { type: "message_start", message: { ...message, usage: { input_tokens: 3, output_tokens: 1 } } },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Well." } },
    { type: "content_block_stop", index: 0 },
    ...blocks,
    { type: "message_delta", delta: { stop_reason: "tool_use", stop_sequence: null }, usage: { output_tokens: 9 } },
    { type: "message_stop" },
  ];
  answers(events(all), "text/event-stream");
}
function responses(calls: readonly Called[]): void {
  const items = calls.map((call, at) => ({
    ...{ type: "function_call", id: `fc_${at}`, call_id: `call_${at}`, status: "completed" },
    ...{ name: call.name, arguments: textOf(call) },
  }));
  const response = { id: "resp_1", object: "response", created_at: 1, status: "in_progress", model: "gpt-4o-mini", output: [] };
  const all = [
    { type: "response.created", response },
    ...items.flatMap((item, output_index) => [
      { type: "response.output_item.added", output_index, item: { ...item, arguments: "", status: "in_progress" } },
      { type: "response.function_call_arguments.delta", output_index, item_id: item.id, delta: item.arguments },
      { type: "response.function_call_arguments.done", output_index, item_id: item.id, arguments: item.arguments },
      { type: "response.output_item.done", output_index, item },
    ]),
    { type: "response.completed", response: { ...response, status: "completed", output: items } },
  ];
  answers(events(all.map((event, sequence_number) => ({ ...event, sequence_number }))), "text/event-stream");
}
function gemini(calls: readonly Called[]): void {
  const chunk = (parts: readonly object[], finish?: string) => ({
    candidates: [{ content: { role: "model", parts }, index: 0, ...(finish === undefined ? {} : { finishReason: finish }) }],
  });
  const parts = calls.map(({ name, city }) => ({ functionCall: { name, args: { city } } }));
  answers(events([chunk([{ text: "Well." }]), chunk(parts), chunk([{ text: "" }], "STOP")]), "text/event-stream");
}

const headers = { "x-ai-use-case": "agent" };
const openai = (more: Record<string, string> = {}) =>
  new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: gateway.key(), maxRetries: 0, defaultHeaders: { ...headers, ...more } });
const tool = { type: "function" as const, function: { name: "look", parameters: {} } };
const asks = { model: "gpt-4o-mini", messages: [{ role: "user" as const, content: "go" }], tools: [tool] };

/** What an SDK has of an answer at its end. */
interface Got {
  readonly calls: readonly unknown[];
  readonly finish: unknown;
}
const TABLE: readonly {
  readonly name: string;
  readonly filtered: string;
  readonly finish: string;
  answer(calls: readonly Called[]): void;
  ask(): Promise<Got>;
}[] = [
  {
    ...{ name: "chat, whole", filtered: "content_filter", finish: "tool_calls" },
    answer: (calls) => chat(calls, { stream: false }),
    async ask() {
      const [choice] = (await openai().chat.completions.create(asks)).choices;
      const calls = (choice?.message.tool_calls ?? []).map((call) => call.type === "function" && JSON.parse(call.function.arguments));
      return { calls, finish: choice?.finish_reason };
    },
  },
  {
    ...{ name: "chat, streamed", filtered: "content_filter", finish: "tool_calls" },
    answer: (calls) => chat(calls, { stream: true }),
    async ask() {
      // By hand, as agents do: the SDK's own accumulation raises at `content_filter`.
      const stream = await openai().chat.completions.create({ ...asks, stream: true });
      const calls: string[] = [];
      let finish: unknown;
      for await (const { choices } of stream) {
        finish = choices[0]?.finish_reason ?? finish;
        for (const { index, function: called } of choices[0]?.delta.tool_calls ?? []) {
          assert.ok(index <= calls.length, "no gap");
          calls[index] = (calls[index] ?? "") + (called?.arguments ?? "");
        }
      }
      return { calls: calls.map((text): unknown => JSON.parse(text)), finish };
    },
  },
  {
    ...{ name: "messages, streamed", filtered: "refusal", finish: "tool_use" },
    answer: messages,
    async ask() {
      const client = new Anthropic({ baseURL: gateway.url, apiKey: gateway.key(), defaultHeaders: headers, maxRetries: 0 });
      const message = await client.messages
        .stream({
          ...{ model: "claude-haiku-4-5", max_tokens: 100, messages: [{ role: "user", content: "go" }] },
          tools: [{ name: "look", input_schema: { type: "object" } }],
        })
        .finalMessage();
      const calls = message.content.flatMap((block) => (block.type === "tool_use" ? [block.input] : []));
      return { calls, finish: message.stop_reason };
    },
  },
  {
    ...{ name: "responses, streamed", filtered: "incomplete", finish: "completed" },
    answer: responses,
    async ask() {
      const tools = [{ type: "function" as const, name: "look", parameters: {}, strict: false }];
      const response = await openai().responses.stream({ model: "gpt-4o-mini", input: "go", store: false, tools }).finalResponse();
      const calls = response.output.flatMap((item) => (item.type === "function_call" ? [JSON.parse(item.arguments)] : []));
      return { calls, finish: response.status };
    },
  },
  {
    ...{ name: "gemini, streamed", filtered: "SAFETY", finish: "STOP" },
    answer: gemini,
    async ask() {
      const client = new GoogleGenAI({ apiKey: gateway.key(), httpOptions: { baseUrl: gateway.url, headers } });
      const stream = await client.models.generateContentStream({
        model: "gemini-2.5-flash",
        contents: "go",
        config: { tools: [{ functionDeclarations: [{ name: "look" }] }] },
      });
      const calls: unknown[] = [];
      let finish: unknown;
      for await (const chunk of stream) {
        calls.push(...(chunk.functionCalls ?? []).map(({ args }) => args));
        finish = chunk.candidates?.[0]?.finishReason ?? finish;
      }
      return { calls, finish };
    },
  },
];

for (const { name, answer, ask, filtered, finish } of TABLE)
  test(`the calls that are allowed stay, and where none is left the answer is a filtered one: ${name}`, async () => {
    const both = [{ city: "Bern" }, { city: "Rome" }];
    for (const calls of [
      [bern, wipe, rome],
      [wipe, bern, rome],
      [far, bern, rome, wipe],
    ]) {
      answer(calls);
      assert.deepEqual(await ask(), { calls: both, finish });
      const record = (await gateway.records()).at(-1);
      assertSubset(record, { decision: "degraded", ending: "served", status: 200 });
      assertSubset(
        record?.stages.find(({ on }) => on === "answer"),
        { stage: "access", verdict: "deny", code: "tool_not_allowed" },
      );
    }
    answer([wipe, far]);
    assert.deepEqual(await ask(), { calls: [], finish: filtered });
    answer([bern, rome]);
    assert.deepEqual(await ask(), { calls: both, finish });
    assertSubset((await gateway.records()).at(-1), { decision: "allowed", ending: "served" });
  });

test("people are asked about a call whose answer loses another; in warn mode nothing is taken out", async () => {
  const pay = { name: "pay", city: "Bern" };
  for (const stream of [false, true]) {
    chat([wipe, pay, bern, wipe], { stream });
    await assert.rejects(
      async () => {
        const got = await openai({ "x-ai-user": `payer-${stream}` }).chat.completions.create({ ...asks, stream });
        if (Symbol.asyncIterator in got) for await (const _chunk of got);
      },
      (error) => error instanceof APIError && error.code === "approval_required",
    );
    assertSubset(
      (await gateway.records()).at(-1)?.stages.find(({ on }) => on === "answer"),
      {
        code: "approval_required",
        evidence: { found: [{ action: "remove", count: 2 }, { action: "wait" }, { action: "pass" }] },
      },
    );
  }
  chat([wipe, bern], { stream: false });
  const { choices } = await openai({ "x-ai-use-case": "warns" }).chat.completions.create(asks);
  assert.equal(choices[0]?.message.tool_calls?.length, 2);
  assertSubset((await gateway.records()).at(-1), { decision: "warned" });
});
