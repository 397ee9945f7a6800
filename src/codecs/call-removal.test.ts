/** Answers that go on without some of their calls: byte for byte those that a provider would have given without them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { answerContext } from "../../test/support/answers.ts";
import { cutAt, readPieces } from "../../test/support/codec-runs.ts";
import { view } from "../../test/support/context.ts";
import { open } from "../../test/support/guarded.ts";
import { seat, wordGuard } from "../../test/support/guards.ts";
import { property } from "../../test/support/property.ts";
import type { Codec } from "../core/codec.ts";
import type { AnswerGuard, Stop } from "../core/guard.ts";
import type { Json } from "../core/json.ts";
import type { Framing } from "../core/view.ts";
import { Gate, type Passed } from "../pipeline/guards/gate.ts";
import { anthropicMessages } from "./anthropic-messages.ts";
import { bedrockConverse, bedrockConverseStream } from "./bedrock-converse.ts";
import { bedrockInvoke, bedrockInvokeStream } from "./bedrock-invoke.ts";
import { cohereChat, cohereChatV1 } from "./cohere-chat.ts";
import { geminiGenerate, geminiStream } from "./gemini-generate.ts";
import { openaiChat } from "./openai-chat.ts";
import { openaiResponses } from "./openai-responses.ts";
import { jsonEvent } from "./shared/aws-eventstream.ts";

interface Call {
  readonly id: number;
  readonly goes: boolean;
}
const nameOf = ({ goes }: Call): string => (goes ? "wipe" : "look");
const argsOf = ({ id }: Call): Json => ({ n: id, big: "12345678901234567890" });
const textOf = (call: Call): string => JSON.stringify(argsOf(call));
const halves = (call: Call): readonly [string, string] => [textOf(call).slice(0, 5), textOf(call).slice(5)];

type Make = (text: string, calls: readonly Call[]) => Buffer;
interface Dialect {
  readonly codec: Codec;
  readonly framing: Framing;
  readonly type?: string;
  /** An answer that says `text`, then makes the calls. */
  readonly make: Make;
  /** What is to be left of it, where that is not what `make` gives for the calls that stay. */
  readonly rest?: Make;
  /** The reason to finish of an answer that is left without a call, as the reader sees it. */
  readonly filtered: string;
}
const json = (value: Json): Buffer => Buffer.from(JSON.stringify(value));
const sse = (...events: readonly Json[]): Buffer => Buffer.from(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(""));
const list = (items: readonly Json[]): Buffer => Buffer.from(`[${items.map((item) => JSON.stringify(item)).join("\r\n,\r\n")}]`);
const named = (...events: readonly (Json & { readonly type: string })[]): Buffer =>
  Buffer.from(events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(""));
const chunks = (...events: readonly Json[]): Buffer =>
  Buffer.concat(
    events.map((event) => jsonEvent("chunk", JSON.stringify({ bytes: Buffer.from(JSON.stringify(event)).toString("base64") }))),
  );

const chatCall = (call: Call) => ({ id: `call_${call.id}`, type: "function", function: { name: nameOf(call), arguments: textOf(call) } });
const chatBody = (text: string, calls: readonly Call[]): Json => ({
  ...{ id: "c", object: "chat.completion", created: 1, model: "m" },
  choices: [{ index: 0, message: { role: "assistant", content: text, tool_calls: calls.map(chatCall) }, finish_reason: "tool_calls" }],
  usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
});
const chatChunks = (text: string, calls: readonly Call[]): Json[] => {
  const chunk = (delta: Json, finish: string | null = null): Json => ({ id: "c", choices: [{ index: 0, delta, finish_reason: finish }] });
  return [
    chunk({ role: "assistant", content: text }),
    ...calls.flatMap((call, index) => {
      const [first, rest] = halves(call);
      const begin = { index, id: `call_${call.id}`, type: "function", function: { name: nameOf(call), arguments: first } };
      return [chunk({ tool_calls: [begin] }), chunk({ tool_calls: [{ index, function: { arguments: rest } }] })];
    }),
    chunk({}, "tool_calls"),
    { id: "c", choices: [], usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } },
  ];
};

const messageOf = (text: string, calls: readonly Call[]): Json => ({
  ...{ id: "m", type: "message", role: "assistant", model: "m" },
  content: [
    { type: "text", text },
    ...calls.map((call) => ({ type: "tool_use", id: `toolu_${call.id}`, name: nameOf(call), input: argsOf(call) })),
  ],
  stop_reason: "tool_use",
  usage: { input_tokens: 1, output_tokens: 2 },
});
const messageEvents = (text: string, calls: readonly Call[]) => [
  { type: "message_start", message: { id: "m", type: "message", role: "assistant", model: "m", content: [], usage: { input_tokens: 1 } } },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text } },
  { type: "content_block_stop", index: 0 },
  ...calls.flatMap((call, at) => [
    {
      type: "content_block_start",
      index: at + 1,
      content_block: { type: "tool_use", id: `toolu_${call.id}`, name: nameOf(call), input: {} },
    },
    ...halves(call).map((partial_json) => ({
      ...{ type: "content_block_delta", index: at + 1 },
      delta: { type: "input_json_delta", partial_json },
    })),
    { type: "content_block_stop", index: at + 1 },
  ]),
  { type: "message_delta", delta: { stop_reason: "tool_use", stop_sequence: null }, usage: { output_tokens: 2 } },
  { type: "message_stop" },
];

const itemOf = (call: Call) => ({
  ...{ type: "function_call", id: `fc_${call.id}`, call_id: `call_${call.id}` },
  ...{ name: nameOf(call), arguments: textOf(call), status: "completed" },
});
const responseOf = (text: string, calls: readonly Call[]) => ({
  ...{ id: "resp_1", object: "response", created_at: 1, status: "completed", model: "m" },
  output: [
    { type: "message", id: "msg_1", status: "completed", role: "assistant", content: [{ type: "output_text", text, annotations: [] }] },
    ...calls.map(itemOf),
  ],
  usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 },
});
const responseEvents = (text: string, calls: readonly Call[]) => {
  const message = responseOf(text, []).output[0] ?? null;
  return [
    { type: "response.created", response: { ...responseOf(text, []), status: "in_progress", output: [], usage: null } },
    { type: "response.output_item.added", output_index: 0, item: { ...message, content: [] } },
    { type: "response.output_text.delta", item_id: "msg_1", output_index: 0, content_index: 0, delta: text },
    { type: "response.output_text.done", item_id: "msg_1", output_index: 0, content_index: 0, text },
    { type: "response.output_item.done", output_index: 0, item: message },
    ...calls.flatMap((call, at) => {
      const place = { item_id: `fc_${call.id}`, output_index: at + 1 };
      return [
        { type: "response.output_item.added", output_index: at + 1, item: { ...itemOf(call), arguments: "", status: "in_progress" } },
        ...halves(call).map((delta) => ({ type: "response.function_call_arguments.delta", ...place, delta })),
        { type: "response.function_call_arguments.done", ...place, arguments: textOf(call) },
        { type: "response.output_item.done", output_index: at + 1, item: itemOf(call) },
      ];
    }),
    { type: "response.completed", response: responseOf(text, calls) },
  ];
};

const geminiPart = (call: Call) => ({ functionCall: { name: nameOf(call), args: argsOf(call) } });
const geminiOf = (parts: readonly Json[], finish?: string): Json => ({
  candidates: [{ content: { parts, role: "model" }, ...(finish === undefined ? {} : { finishReason: finish }), index: 0 }],
  usageMetadata: { promptTokenCount: 1 },
});
/** A chunk that would hold no more is left with an empty text: an item of an array cannot go. */
const geminiChunks = (text: string, calls: readonly Call[], without = false): Json[] => [
  geminiOf([{ text }]),
  ...calls.map((call) => geminiOf([call.goes && without ? { text: "" } : geminiPart(call)])),
  geminiOf([{ text: "." }], "STOP"),
];

const cohereCall = (call: Call) => ({ id: `c${call.id}`, type: "function", function: { name: nameOf(call), arguments: textOf(call) } });
const cohereEvents = (text: string, calls: readonly Call[]) => [
  { type: "message-start", id: "x", delta: { message: { role: "assistant", content: [], tool_calls: [] } } },
  { type: "tool-plan-delta", delta: { message: { tool_plan: text } } },
  ...calls.flatMap((call, index) => {
    const [first, rest] = halves(call);
    const begin = { ...cohereCall(call), function: { name: nameOf(call), arguments: first } };
    return [
      { type: "tool-call-start", index, delta: { message: { tool_calls: begin } } },
      { type: "tool-call-delta", index, delta: { message: { tool_calls: { function: { arguments: rest } } } } },
      { type: "tool-call-end", index },
    ];
  }),
  { type: "message-end", delta: { finish_reason: "TOOL_CALL", usage: { tokens: { input_tokens: 1, output_tokens: 2 } } } },
];
const v1Call = (call: Call) => ({ name: nameOf(call), parameters: argsOf(call) });
const v1Body = (text: string, calls: readonly Call[]) => ({
  ...{ text, generation_id: "g", response_id: "r" },
  tool_calls: calls.map(v1Call),
  chat_history: [
    { role: "USER", message: "do" },
    { role: "CHATBOT", message: text, tool_calls: calls.map(v1Call) },
  ],
  ...{ finish_reason: "COMPLETE", meta: { tokens: { input_tokens: 1, output_tokens: 2 } } },
});
const v1Events = (text: string, calls: readonly Call[]): Json[] => {
  const chunk = (delta: Json): Json => ({ is_finished: false, event_type: "tool-calls-chunk", tool_call_delta: delta });
  return [
    { is_finished: false, event_type: "stream-start", generation_id: "g" },
    { is_finished: false, event_type: "text-generation", text },
    ...calls.flatMap((call, index) => [
      chunk({ name: nameOf(call), index }),
      ...halves(call).map((parameters) => chunk({ index, parameters })),
    ]),
    { is_finished: false, event_type: "tool-calls-generation", tool_calls: calls.map(v1Call) },
    { is_finished: true, event_type: "stream-end", finish_reason: "COMPLETE", response: v1Body(text, calls) },
  ];
};

const converseOf = (text: string, calls: readonly Call[]): Json => ({
  output: {
    message: {
      role: "assistant",
      content: [{ text }, ...calls.map((call) => ({ toolUse: { toolUseId: `t${call.id}`, name: nameOf(call), input: argsOf(call) } }))],
    },
  },
  ...{ stopReason: "tool_use", usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 } },
});
const converseEvents = (text: string, calls: readonly Call[]): readonly (readonly [string, Json])[] => [
  ["messageStart", { role: "assistant" }],
  ["contentBlockDelta", { contentBlockIndex: 0, delta: { text } }],
  ["contentBlockStop", { contentBlockIndex: 0 }],
  ...calls.flatMap((call, at): (readonly [string, Json])[] => [
    ["contentBlockStart", { contentBlockIndex: at + 1, start: { toolUse: { toolUseId: `t${call.id}`, name: nameOf(call) } } }],
    ...halves(call).map((input) => ["contentBlockDelta", { contentBlockIndex: at + 1, delta: { toolUse: { input } } }] as const),
    ["contentBlockStop", { contentBlockIndex: at + 1 }],
  ]),
  ["messageStop", { stopReason: "tool_use" }],
  ["metadata", { usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 } }],
];
/** What Bedrock says at the end of every stream. */
const METRICS = { "amazon-bedrock-invocationMetrics": { inputTokenCount: 1, outputTokenCount: 2 } };
const mistral = (text: string, calls: readonly Call[]): Json => ({
  choices: [{ index: 0, message: { role: "assistant", content: text, tool_calls: calls.map(chatCall) }, stop_reason: "tool_calls" }],
});

const sdk = (codec: Codec, framing: Framing, filtered: string, make: Make, more: Partial<Dialect> = {}): Dialect => ({
  ...{ codec, framing, filtered, make },
  ...more,
});
const DIALECTS: readonly Dialect[] = [
  sdk(openaiChat, "json", "content_filter", (text, calls) => json(chatBody(text, calls))),
  sdk(openaiChat, "sse", "content_filter", (text, calls) =>
    Buffer.concat([sse(...chatChunks(text, calls)), Buffer.from("data: [DONE]\n\n")]),
  ),
  sdk(anthropicMessages, "json", "refusal", (text, calls) => json(messageOf(text, calls))),
  sdk(anthropicMessages, "sse", "refusal", (text, calls) => named(...messageEvents(text, calls))),
  sdk(openaiResponses, "json", "stop", (text, calls) => json(responseOf(text, calls))),
  sdk(openaiResponses, "sse", "stop", (text, calls) => named(...responseEvents(text, calls))),
  sdk(geminiGenerate, "json", "SAFETY", (text, calls) => json(geminiOf([{ text }, ...calls.map(geminiPart)], "STOP"))),
  sdk(geminiStream, "sse", "SAFETY", (text, calls) => sse(...geminiChunks(text, calls)), {
    rest: (text, calls) => sse(...geminiChunks(text, calls, true)),
  }),
  sdk(geminiStream, "json-array", "SAFETY", (text, calls) => list(geminiChunks(text, calls)), {
    rest: (text, calls) => list(geminiChunks(text, calls, true)),
  }),
  sdk(cohereChat, "json", "ERROR", (text, calls) =>
    json({ id: "x", message: { role: "assistant", tool_plan: text, tool_calls: calls.map(cohereCall) }, finish_reason: "TOOL_CALL" }),
  ),
  sdk(cohereChat, "sse", "ERROR", (text, calls) => named(...cohereEvents(text, calls))),
  sdk(cohereChatV1, "json", "ERROR_TOXIC", (text, calls) => json(v1Body(text, calls))),
  sdk(
    cohereChatV1,
    "sse",
    "ERROR_TOXIC",
    (text, calls) =>
      Buffer.from(
        v1Events(text, calls)
          .map((event) => `${JSON.stringify(event)}\n`)
          .join(""),
      ),
    { type: "application/stream+json" },
  ),
  sdk(bedrockConverse, "json", "guardrail_intervened", (text, calls) => json(converseOf(text, calls))),
  sdk(bedrockConverseStream, "eventstream", "guardrail_intervened", (text, calls) =>
    Buffer.concat(converseEvents(text, calls).map(([type, payload]) => jsonEvent(type, JSON.stringify(payload)))),
  ),
  sdk(bedrockInvoke, "json", "refusal", (text, calls) => json(messageOf(text, calls))),
  sdk(bedrockInvoke, "json", "content_filter", (text, calls) => json(mistral(text, calls))),
  sdk(bedrockInvokeStream, "eventstream", "refusal", (text, calls) => chunks(...messageEvents(text, calls), METRICS)),
  sdk(bedrockInvokeStream, "eventstream", "content_filter", (text, calls) => chunks(...chatChunks(text, calls), METRICS)),
  sdk(bedrockInvokeStream, "eventstream", "guardrail_intervened", (text, calls) =>
    chunks(...converseEvents(text, calls).map(([type, payload]) => ({ [type]: payload })), METRICS),
  ),
  sdk(bedrockInvokeStream, "eventstream", "ERROR_TOXIC", (text, calls) => chunks(...v1Events(text, calls), METRICS)),
];
const TYPES: Readonly<Record<Framing, string>> = {
  ...{ json: "application/json", sse: "text/event-stream" },
  ...{ "json-array": "application/json", eventstream: "application/vnd.amazon.eventstream" },
};

const STOP: Stop = { kind: "filtered", denial: { code: "tool_not_allowed" } };
const guard: AnswerGuard = {
  judgesCall: (name) => name === "wipe",
  judgeCall: () => ({ kind: "remove", stop: STOP }),
  evidence: () => undefined,
};

/** What leaves of the answer. */
function run(of: Dialect, bytes: Buffer, cuts: readonly number[] = []): { readonly out: string; readonly stop: Stop | undefined } {
  const context = answerContext(view({ streaming: of.framing !== "json", framing: of.framing }), {
    contentType: of.type ?? TYPES[of.framing],
  });
  const reader = open({ name: "", codec: of.codec, context, bytes });
  const gate = new Gate(
    [seat("redact", wordGuard("secret", "[hidden]")), seat("access", guard)],
    Number.POSITIVE_INFINITY,
    "",
    of.codec.removeCalls?.(),
  );
  const out: Uint8Array[] = [];
  let stop: Stop | undefined;
  const take = (passed: Passed): void => {
    out.push(...passed.bytes);
    stop ??= passed.stop?.stop;
    if (passed.more) take(gate.resume());
  };
  for (const frame of readPieces(reader, cutAt(bytes, cuts))) take(gate.push([frame]));
  take(gate.end([]));
  return { out: Buffer.concat(out).toString("latin1"), stop };
}

for (const of of DIALECTS) {
  const name = `${of.codec.surface} (${of.framing}, ${of.filtered})`;
  property(
    `without its calls that are not allowed an answer is what a provider would have said without them: ${name}`,
    fc.tuple(fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }), fc.array(fc.nat(3000), { maxLength: 6 })),
    ([going, cuts]) => {
      const calls = going.map((goes, id) => ({ id, goes }));
      const left = calls.filter(({ goes }) => !goes);
      const bytes = of.make("a secret", calls);
      const { out, stop } = run(
        of,
        bytes,
        cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b),
      );
      assert.doesNotMatch(out, /wipe/);
      if (left.length > 0) {
        assert.equal(stop, undefined);
        const rest = of.rest?.("a [hidden]", calls) ?? of.make("a [hidden]", left);
        assert.equal(out, rest.toString("latin1"));
        return;
      }
      if (of.codec === openaiResponses) return void assert.equal(stop?.kind, "filtered");
      assert.equal(stop, undefined);
      const context = answerContext(view({ streaming: of.framing !== "json", framing: of.framing }), {
        contentType: of.type ?? TYPES[of.framing],
      });
      const reader = open({ name, codec: of.codec, context, bytes }, false);
      readPieces(reader, [Buffer.from(out, "latin1")]);
      const { finishReasons, toolCalls, complete } = reader.summary();
      assert.deepEqual([finishReasons.at(-1), toolCalls, complete], [of.filtered, [], true]);
    },
  );
}

test("what the provider runs itself has a result in the answer: such an answer ends before its call", () => {
  const block = { type: "server_tool_use", id: "s", name: "wipe", input: { a: 1 } };
  const [whole, stream] = [DIALECTS[2], DIALECTS[3]];
  assert.ok(whole !== undefined && stream !== undefined);
  const message = json({
    id: "m",
    type: "message",
    role: "assistant",
    model: "m",
    content: [{ type: "text", text: "a" }, block],
    stop_reason: "end_turn",
  });
  assert.deepEqual(run(whole, message), { out: "", stop: STOP });
  const events = messageEvents("a", []).toSpliced(-2, 0, { type: "content_block_start", index: 1, content_block: block } as never);
  const ended = run(stream, named(...events));
  assert.equal(ended.stop, STOP);
  assert.doesNotMatch(ended.out, /wipe|message_delta/);
});

test("a large answer is written without its call in turns of the event loop", () => {
  const [of] = DIALECTS;
  assert.ok(of !== undefined);
  const long = "x".repeat(300_000);
  const [goes, stays] = [
    { id: 0, goes: true },
    { id: 1, goes: false },
  ];
  assert.equal(run(of, of.make(`${long} secret`, [goes, stays])).out, of.make(`${long} [hidden]`, [stays]).toString("latin1"));
  assert.equal(run(of, of.make(long, [stays, goes])).out, of.make(long, [stays]).toString("latin1"));
});

test("Gemini's signature of the thinking before moves to the next call that stays", () => {
  const [first, second] = [geminiPart({ id: 0, goes: true }), geminiPart({ id: 1, goes: false })];
  const of = DIALECTS.find(({ codec }) => codec === geminiGenerate);
  assert.ok(of !== undefined);
  const { out } = run(of, json(geminiOf([{ ...first, thoughtSignature: "c2lnbg==" }, second], "STOP")));
  assert.equal(out, json(geminiOf([{ ...second, thoughtSignature: "c2lnbg==" }], "STOP")).toString());
});

test("another call in the place of one that went, and one whose place is not told, end the answer", () => {
  const of = DIALECTS[1];
  assert.ok(of !== undefined);
  const piece = (name: string): Json => ({
    choices: [{ index: 0, delta: { tool_calls: [{ index: 0, id: "c", type: "function", function: { name, arguments: "{}" } }] } }],
  });
  assert.deepEqual(run(of, sse(piece("wipe"), piece("look"))).stop, STOP);
  const late = (index: number, name: string): Json => ({
    choices: [{ index: 0, delta: { tool_calls: [{ index, id: "c", type: "function", function: { name, arguments: "{}" } }] } }],
  });
  const { out, stop } = run(of, sse(late(1, "look"), late(0, "wipe"), late(1, "")));
  assert.equal(stop, STOP);
  assert.doesNotMatch(out, /wipe/);
});
