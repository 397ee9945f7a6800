/** What every codec owes to guards: rewriting changes the texts and nothing else, lanes end, and unguarded reading is as before. */
import { describe, test } from "node:test";
import fc from "fast-check";
import { answerContext, fixture } from "../../test/support/answers.ts";
import { view } from "../../test/support/context.ts";
import {
  checkAlike,
  checkEnds,
  checkIdentity,
  checkRewrite,
  checkSameTexts,
  cutsOf,
  type GuardedCase,
} from "../../test/support/guarded.ts";
import { property } from "../../test/support/property.ts";
import type { Codec } from "../core/codec.ts";
import type { Json } from "../core/json.ts";
import type { Framing } from "../core/view.ts";
import { anthropicMessages } from "./anthropic-messages.ts";
import { bedrockConverse, bedrockConverseStream } from "./bedrock-converse.ts";
import { bedrockInvoke, bedrockInvokeStream } from "./bedrock-invoke.ts";
import { cohereChat, cohereChatV1 } from "./cohere-chat.ts";
import { geminiGenerate, geminiStream } from "./gemini-generate.ts";
import { openaiChat } from "./openai-chat.ts";
import { openaiResponses } from "./openai-responses.ts";
import { jsonEvent } from "./shared/aws-eventstream.ts";
import { vertexStream } from "./vertex-gemini.ts";
import { vertexStreamRawPredict } from "./vertex-raw.ts";

const CONTENT_TYPES: Readonly<Record<Framing, string>> = {
  json: "application/json",
  sse: "text/event-stream",
  "json-array": "application/json",
  eventstream: "application/vnd.amazon.eventstream",
};

function of(codec: Codec, framing: Framing, name: string, bytes: Buffer = fixture(name), choices = 1): GuardedCase {
  const context = answerContext(view({ streaming: framing !== "json", framing, choices }), { contentType: CONTENT_TYPES[framing] });
  return { name, codec, context, bytes };
}

const frames = (events: readonly (readonly [string, Json])[]): Buffer =>
  Buffer.concat(events.map(([type, payload]) => jsonEvent(type, JSON.stringify(payload))));
const chunks = (events: readonly Json[]): Buffer =>
  frames(events.map((event) => ["chunk", { bytes: Buffer.from(JSON.stringify(event)).toString("base64"), p: "abcd" }]));

const CONVERSE: readonly (readonly [string, Json])[] = [
  ["messageStart", { role: "assistant", p: "ab" }],
  ["contentBlockDelta", { contentBlockIndex: 0, delta: { reasoningContent: { text: "Hm" } } }],
  ["contentBlockDelta", { contentBlockIndex: 0, delta: { reasoningContent: { signature: "c2ln" } } }],
  ["contentBlockStop", { contentBlockIndex: 0 }],
  ["contentBlockDelta", { contentBlockIndex: 1, delta: { text: "Grüezi" } }],
  ["contentBlockDelta", { contentBlockIndex: 1, delta: { text: " wohl", citation: { title: "T", sourceContent: [{ text: "quoted" }] } } }],
  ["contentBlockStop", { contentBlockIndex: 1 }],
  ["contentBlockStart", { contentBlockIndex: 2, start: { toolUse: { toolUseId: "t", name: "f" } } }],
  ["contentBlockDelta", { contentBlockIndex: 2, delta: { toolUse: { input: '{"a":' } } }],
  ["contentBlockDelta", { contentBlockIndex: 2, delta: { toolUse: { input: "1}" } } }],
  ["contentBlockStop", { contentBlockIndex: 2 }],
  ["messageStop", { stopReason: "tool_use" }],
  ["metadata", { usage: { inputTokens: 1, outputTokens: 2 }, metrics: {}, trace: { guardrail: { modelOutput: ["as it was"] } } }],
];
const CONVERSE_BODY = {
  output: {
    message: {
      role: "assistant",
      content: [
        { reasoningContent: { reasoningText: { text: "Hm", signature: "c2ln" } } },
        { text: "Grüezi" },
        { citationsContent: { content: [{ text: "cited" }], citations: [{ title: "T", sourceContent: [{ text: "quoted" }] }] } },
        { toolUse: { toolUseId: "t", name: "f", input: { a: 1, b: "x" } } },
      ],
    },
  },
  stopReason: "tool_use",
  usage: { inputTokens: 1, outputTokens: 2 },
};
const METRICS = { "amazon-bedrock-invocationMetrics": { inputTokenCount: 3, outputTokenCount: 4 } };
const MAKERS: Readonly<Record<string, readonly Json[]>> = {
  claude: [
    { type: "message_start", message: { id: "m", model: "c", usage: { input_tokens: 3 } } },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Grüezi" } },
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 9 } },
    { type: "message_stop", ...METRICS },
  ],
  titan: [{ outputText: "Grüezi", index: 0, totalOutputTextTokenCount: 5, completionReason: "FINISH", inputTextTokenCount: 3 }],
  llama: [
    { generation: "Grü", prompt_token_count: 3, generation_token_count: 1, stop_reason: null },
    { generation: "ezi", prompt_token_count: null, generation_token_count: 2, stop_reason: "stop", ...METRICS },
  ],
  nova: CONVERSE.map(([type, payload]) => ({ [type]: payload })),
  "gpt-oss": [
    { choices: [{ index: 0, delta: { content: "Grüezi", reasoning: "Hm" }, finish_reason: null }] },
    { choices: [{ index: 0, delta: {}, finish_reason: "stop" }], ...METRICS },
  ],
  mistral: [{ outputs: [{ text: "Grüezi", stop_reason: null }] }, { outputs: [{ text: "", stop_reason: "stop" }], ...METRICS }],
  command: [
    { is_finished: false, event_type: "text-generation", text: "Grüezi" },
    {
      is_finished: true,
      event_type: "stream-end",
      response: { text: "Grüezi", chat_history: [{ role: "CHATBOT", message: "Grüezi" }] },
      ...METRICS,
    },
  ],
};

const CASES: readonly GuardedCase[] = [
  of(openaiChat, "sse", "openai-chat.sse"),
  of(openaiChat, "sse", "openai-chat-tools.sse"),
  of(openaiChat, "sse", "compatible-chat.sse"),
  of(openaiChat, "json", "openai-chat.json", fixture("openai-chat.json"), 2),
  of(openaiResponses, "sse", "openai.responses/stream.sse"),
  of(openaiResponses, "json", "openai.responses/body.json"),
  of(anthropicMessages, "sse", "anthropic.messages/stream.sse"),
  of(anthropicMessages, "json", "anthropic.messages/body.json"),
  of(vertexStreamRawPredict, "sse", "vertex claude", fixture("anthropic.messages/stream.sse")),
  of(geminiStream, "sse", "gemini.stream/stream.sse"),
  of(geminiStream, "json-array", "gemini.stream/stream.json"),
  of(geminiGenerate, "json", "gemini.generate/body.json"),
  of(vertexStream, "sse", "vertex gemini", fixture("gemini.stream/stream.sse")),
  of(cohereChat, "sse", "cohere/chat-v2.sse"),
  of(cohereChat, "json", "cohere/chat-v2.json"),
  {
    ...of(cohereChatV1, "sse", "cohere/chat-v1.jsonl"),
    context: answerContext(view({ streaming: true, framing: "sse" }), { contentType: "application/stream+json" }),
  },
  of(bedrockConverseStream, "eventstream", "converse stream", frames(CONVERSE)),
  of(bedrockConverse, "json", "converse", Buffer.from(JSON.stringify(CONVERSE_BODY))),
  ...Object.entries(MAKERS).map(([maker, events]) => of(bedrockInvokeStream, "eventstream", `invoke ${maker}`, chunks(events))),
  of(bedrockInvoke, "json", "invoke claude whole", fixture("anthropic.messages/body.json")),
  of(bedrockInvoke, "json", "invoke nova whole", Buffer.from(JSON.stringify(CONVERSE_BODY))),
  of(
    bedrockInvoke,
    "json",
    "invoke titan whole",
    Buffer.from('{"inputTextTokenCount":3,"results":[{"tokenCount":4,"outputText":"Ann","completionReason":"FINISH"}]}'),
  ),
];

for (const one of CASES) {
  describe(`guarded ${one.name}`, () => {
    property("bytes are the same for every cut, and where nothing is rewritten", cutsOf(one.bytes), (cuts) => checkIdentity(one, cuts), 30);
    test("cut at every byte", () =>
      checkIdentity(
        one,
        Array.from(one.bytes, (_, at) => at),
      ));
    property("other texts are read again, and nothing else changes", fc.nat(100), (seed) => checkRewrite(one, seed), 20);
    test("the same texts leave the bytes", () => checkSameTexts(one));
    test("every lane ends", () => checkEnds(one));
    test("frames that are alike need not be read again", () => checkAlike(one));
  });
}
