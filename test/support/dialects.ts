/** Answers of every dialect that calls tools, made up of a text and calls; the calls named `wipe` are those that no policy allows. */

import { anthropicMessages } from "../../src/codecs/anthropic-messages.ts";
import { bedrockConverse, bedrockConverseStream } from "../../src/codecs/bedrock-converse.ts";
import { bedrockInvoke, bedrockInvokeStream } from "../../src/codecs/bedrock-invoke.ts";
import { cohereChat, cohereChatV1 } from "../../src/codecs/cohere-chat.ts";
import { geminiGenerate, geminiStream } from "../../src/codecs/gemini-generate.ts";
import { openaiChat } from "../../src/codecs/openai-chat.ts";
import { openaiResponses } from "../../src/codecs/openai-responses.ts";
import { jsonEvent } from "../../src/codecs/shared/aws-eventstream.ts";
import type { Codec } from "../../src/core/codec.ts";
import type { Json } from "../../src/core/json.ts";
import type { Framing } from "../../src/core/view.ts";

export interface Call {
  readonly id: number;
  readonly goes: boolean;
}
const nameOf = ({ goes }: Call): string => (goes ? "wipe" : "look");
const argsOf = ({ id }: Call): Json => ({ n: id, big: "12345678901234567890" });
const textOf = (call: Call): string => JSON.stringify(argsOf(call));
const halves = (call: Call): readonly [string, string] => [textOf(call).slice(0, 5), textOf(call).slice(5)];

export type Make = (text: string, calls: readonly Call[]) => Buffer;
export interface Dialect {
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
export const json = (value: Json): Buffer => Buffer.from(JSON.stringify(value));
export const sse = (...events: readonly Json[]): Buffer =>
  Buffer.from(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(""));
const list = (items: readonly Json[]): Buffer => Buffer.from(`[${items.map((item) => JSON.stringify(item)).join("\r\n,\r\n")}]`);
export const named = (...events: readonly (Json & { readonly type: string })[]): Buffer =>
  Buffer.from(events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(""));
export const chunks = (...events: readonly Json[]): Buffer =>
  Buffer.concat(
    events.map((event) => jsonEvent("chunk", JSON.stringify({ bytes: Buffer.from(JSON.stringify(event)).toString("base64") }))),
  );

const chatCall = (call: Call) => ({ id: `call_${call.id}`, type: "function", function: { name: nameOf(call), arguments: textOf(call) } });
export const chatBody = (text: string, calls: readonly Call[]): Json => ({
  ...{ id: "c", object: "chat.completion", created: 1, model: "m" },
  choices: [{ index: 0, message: { role: "assistant", content: text, tool_calls: calls.map(chatCall) }, finish_reason: "tool_calls" }],
  usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
});
export const chatChunks = (text: string, calls: readonly Call[]): Json[] => {
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

export const messageOf = (text: string, calls: readonly Call[]): Json => ({
  ...{ id: "m", type: "message", role: "assistant", model: "m" },
  content: [
    { type: "text", text },
    ...calls.map((call) => ({ type: "tool_use", id: `toolu_${call.id}`, name: nameOf(call), input: argsOf(call) })),
  ],
  stop_reason: "tool_use",
  usage: { input_tokens: 1, output_tokens: 2 },
});
export const messageEvents = (text: string, calls: readonly Call[]) => [
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
export const responseOf = (text: string, calls: readonly Call[]) => ({
  ...{ id: "resp_1", object: "response", created_at: 1, status: "completed", model: "m" },
  output: [
    { type: "message", id: "msg_1", status: "completed", role: "assistant", content: [{ type: "output_text", text, annotations: [] }] },
    ...calls.map(itemOf),
  ],
  usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 },
});
export const responseEvents = (text: string, calls: readonly Call[]) => {
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

export const geminiPart = (call: Call) => ({ functionCall: { name: nameOf(call), args: argsOf(call) } });
export const geminiOf = (parts: readonly Json[], finish?: string): Json => ({
  candidates: [{ content: { parts, role: "model" }, ...(finish === undefined ? {} : { finishReason: finish }), index: 0 }],
  usageMetadata: { promptTokenCount: 1 },
});
/** A chunk that would hold no more is left with an empty text: an item of an array cannot go. */
export const geminiChunks = (text: string, calls: readonly Call[], without = false): Json[] => [
  geminiOf([{ text }]),
  ...calls.map((call) => geminiOf([call.goes && without ? { text: "" } : geminiPart(call)])),
  geminiOf([{ text: "." }], "STOP"),
];

export const cohereCall = (call: Call) => ({
  id: `c${call.id}`,
  type: "function",
  function: { name: nameOf(call), arguments: textOf(call) },
});
export const cohereEvents = (text: string, calls: readonly Call[]) => [
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
export const v1Body = (text: string, calls: readonly Call[]) => ({
  ...{ text, generation_id: "g", response_id: "r" },
  tool_calls: calls.map(v1Call),
  chat_history: [
    { role: "USER", message: "do" },
    { role: "CHATBOT", message: text, tool_calls: calls.map(v1Call) },
  ],
  ...{ finish_reason: "COMPLETE", meta: { tokens: { input_tokens: 1, output_tokens: 2 } } },
});
export const v1Events = (text: string, calls: readonly Call[]): Json[] => {
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

export const converseOf = (text: string, calls: readonly Call[]): Json => ({
  output: {
    message: {
      role: "assistant",
      content: [
        { text },
        ...calls.map((call) => ({ toolUse: { toolUseId: `t${call.id}`, name: nameOf(call), input: argsOf(call), type: "tool_use" } })),
      ],
    },
  },
  ...{ stopReason: "tool_use", usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 } },
});
export const converseEvents = (text: string, calls: readonly Call[]): readonly (readonly [string, Json])[] => [
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
export const METRICS = { "amazon-bedrock-invocationMetrics": { inputTokenCount: 1, outputTokenCount: 2 } };
export const mistral = (text: string, calls: readonly Call[]): Json => ({
  choices: [{ index: 0, message: { role: "assistant", content: text, tool_calls: calls.map(chatCall) }, stop_reason: "tool_calls" }],
});

const sdk = (codec: Codec, framing: Framing, filtered: string, make: Make, more: Partial<Dialect> = {}): Dialect => ({
  ...{ codec, framing, filtered, make },
  ...more,
});
export const DIALECTS: readonly Dialect[] = [
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
export const TYPES: Readonly<Record<Framing, string>> = {
  ...{ json: "application/json", sse: "text/event-stream" },
  ...{ "json-array": "application/json", eventstream: "application/vnd.amazon.eventstream" },
};
