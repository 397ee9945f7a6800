/** What guards see of messages, and the ends and answers that Sluice makes there, read by the official SDK. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { answerContext, fixture, parseRequest } from "../../test/support/answers.ts";
import { bytesOf, readPieces, serving } from "../../test/support/codec-runs.ts";
import { view } from "../../test/support/context.ts";
import { type GuardedCase, laneOf, lanesOf, open } from "../../test/support/guarded.ts";
import type { Frame, Said } from "../core/codec.ts";
import { field, type Json, parseJsonValue } from "../core/json.ts";
import { anthropicMessages } from "./anthropic-messages.ts";

const of = (bytes: Buffer, framing: "sse" | "json" = "sse"): GuardedCase => ({
  name: "messages",
  codec: anthropicMessages,
  context: answerContext(view({ streaming: framing === "sse", framing })),
  bytes,
});
const sse = (...events: readonly Json[]): Buffer =>
  Buffer.from(events.map((json) => `event: ${String(field(json, "type"))}\ndata: ${JSON.stringify(json)}\n\n`).join(""));
const framesOf = (bytes: Buffer, framing?: "sse" | "json"): readonly Frame[] => readPieces(open(of(bytes, framing)), [bytes]);
const start = (index: number, block: Json): Json => ({ type: "content_block_start", index, content_block: block });
const delta = (index: number, piece: Json): Json => ({ type: "content_block_delta", index, delta: piece });

test("blocks end where they stop, calls come with their name, thinking is signed", () => {
  const frames = framesOf(
    sse(
      { type: "message_start", message: { id: "m", content: [] } },
      start(0, { type: "thinking", thinking: "", signature: "" }),
      delta(0, { type: "thinking_delta", thinking: "Hm" }),
      delta(0, { type: "signature_delta", signature: "c2ln" }),
      { type: "content_block_stop", index: 0 },
      start(1, { type: "tool_use", id: "t1", name: "f", input: {} }),
      delta(1, { type: "input_json_delta", partial_json: '{"a":1}' }),
      { type: "content_block_stop", index: 1 },
      { type: "message_stop" },
    ),
  );
  assert.deepEqual(
    frames.map(({ calls, ends }) => [
      calls?.map(({ block, name, id }) => `${block} ${name} ${id}`),
      ends === "all" ? ends : ends?.map(laneOf),
    ]),
    [
      ...Array.from({ length: 4 }, () => [undefined, undefined]),
      [undefined, ["0.0.reasoning"]],
      [["1 f t1"], undefined],
      [undefined, undefined],
      [undefined, ["0.1.tool_arguments"]],
      [undefined, "all"],
    ],
  );
  assert.deepEqual(frames[2]?.deltas, [{ choice: 0, block: 0, channel: "reasoning", text: "Hm", signed: true }]);
  assert.equal(frames[2]?.rewrite, undefined);
  assert.deepEqual(frames[3]?.deltas, []);
});

test("a whole message: input as it stood, citations that go with their text, and what the provider's tools found", () => {
  const citations = [{ type: "char_location", cited_text: "quoted", document_title: "titled", start_char_index: 0, end_char_index: 3 }];
  const text = `{"type":"message","content":[${[
    '{"type":"thinking","thinking":"Hm","signature":"c2ln"}',
    `{"type":"text","text":"Ann","citations":${JSON.stringify(citations)}}`,
    '{"type":"tool_use","id":"t","name":"f","input":{"n":1.00,"s":"\\u0041"}}',
    '{"type":"tool_use","id":"u","name":"g","input":{}}',
    '{"type":"web_search_tool_result","tool_use_id":"w","content":[{"type":"web_search_result","title":"found","url":"https://x/","encrypted_content":"abc"}]}',
    '{"type":"code_execution_tool_result","tool_use_id":"w","content":{"type":"code_execution_result","stdout":"printed","stderr":"","return_code":0}}',
    '{"type":"mcp_tool_result","tool_use_id":"w","is_error":false,"content":[{"type":"text","text":"told"}]}',
    '{"type":"a_new_kind","text":"new"}',
  ].join(",")}],"stop_reason":"tool_use"}`;
  const [frame] = framesOf(Buffer.from(text), "json");
  assert(frame?.rewrite !== undefined);
  const shown = frame.deltas.map(
    (one) => `${one.block} ${one.repeats === true ? "beside" : one.channel}${one.raw === true ? " raw" : ""}: ${one.text}`,
  );
  assert.deepEqual(shown.toSorted(), [
    "0 reasoning: Hm",
    "1 beside: quoted",
    "1 beside: titled",
    "1 content: Ann",
    '2 tool_arguments raw: {"n":1.00,"s":"\\u0041"}',
    "3 tool_arguments raw: {}",
    "4 beside: found",
    "4 beside: https://x/",
    "5 beside: printed",
    "6 beside: told",
    "7 beside: new",
  ]);
  assert.deepEqual(
    frame.calls?.map(({ block, name }) => `${block} ${name}`),
    ["2 f", "3 g"],
  );
  assert.equal(frame.ends, "all");
  const rewrite = (changes: Readonly<Record<string, string>>): string =>
    Buffer.from(frame.rewrite?.(frame.deltas.map((one) => changes[one.text])) ?? []).toString();
  assert.equal(rewrite({ Ann: "X" }), text.replace('"text":"Ann"', '"text":"X"').replace(JSON.stringify(citations), "null"));
  assert.equal(rewrite({ found: "X", told: "Y" }), text.replace('"found"', '"X"').replace('"told"', '"Y"'));
  assert.equal(rewrite({ '{"n":1.00,"s":"\\u0041"}': '{"n":1.00,"s":"B"}' }), text.replace('"\\u0041"', '"B"'));
  assert.throws(() => rewrite({ Hm: "X" }), /cannot be changed/);
});

test("citations of a stream, unknown events and errors are seen", () => {
  const frames = framesOf(
    Buffer.concat([
      sse(
        delta(0, { type: "citations_delta", citation: { type: "char_location", cited_text: "quoted" } }),
        delta(0, { type: "new_delta", words: "new" }),
        { type: "new_event", delta: { words: "newer" } },
        { type: "message_delta", delta: { stop_reason: "refusal", stop_details: { type: "refusal", explanation: "why" } }, usage: {} },
        { type: "error", error: { type: "overloaded_error", message: "sorry" } },
      ),
      Buffer.from("data: nothing\n\n"),
    ]),
  );
  assert.deepEqual(
    frames.map(({ deltas }) => deltas.map(({ text, repeats }) => (repeats === true ? text : "?"))),
    [["quoted"], ["new"], ["newer"], ["why"], ["sorry"], ["nothing"]],
  );
});

test("lanes, joined, are what the SDK accumulates", async () => {
  const bytes = fixture("anthropic.messages/stream.sse");
  const lanes = lanesOf(framesOf(bytes).flatMap(({ deltas }) => deltas));
  await serving(bytes, async (baseURL) => {
    const final = await new Anthropic({ apiKey: "k", baseURL }).messages.stream({ model: "m", max_tokens: 9, messages: [] }).finalMessage();
    for (const [block, content] of final.content.entries()) {
      if (content.type === "text") assert.equal(lanes[`0.${block}.content`], content.text);
      if (content.type === "thinking") assert.equal(lanes[`0.${block}.reasoning`], content.thinking);
      if (content.type === "tool_use") assert.deepEqual(parseJsonValue(lanes[`0.${block}.tool_arguments`] ?? ""), content.input);
    }
  });
});

describe("ends and answers that Sluice makes, read by @anthropic-ai/sdk", () => {
  const request = { model: "m", max_tokens: 9, messages: [] };
  test("filtered, after any number of events: what was said stands in the open text or in a block of its own", async () => {
    const whole = framesOf(fixture("anthropic.messages/stream.sse"));
    const stopped = whole.findIndex(({ bytes }) => Buffer.from(bytes).includes("event: message_delta"));
    for (let count = 0; count <= stopped; count++) {
      const released = bytesOf(whole.slice(0, count));
      const reader = open(of(released));
      reader.push(released);
      const bytes = Buffer.concat([released, reader.tail({ kind: "filtered", text: 'Not "this".' })]);
      await serving(bytes, async (baseURL) => {
        const client = new Anthropic({ apiKey: "k", baseURL });
        const final = await client.messages.stream(request).finalMessage();
        assert.equal(final.stop_reason, "refusal");
        const texts = final.content.map((block) => (block.type === "text" ? block.text : "")).join("");
        const before = lanesOf(whole.slice(0, count).flatMap(({ deltas }) => deltas))["0.1.content"] ?? "";
        assert.equal(texts, `${before}Not "this".`, `after ${count} events`);
        const types: string[] = [];
        for await (const event of await client.messages.create({ ...request, stream: true })) types.push(event.type);
        const countOf = (type: string) => types.filter((one) => one === type).length;
        assert.equal(countOf("content_block_start"), countOf("content_block_stop"));
      });
    }
  });

  const USED = { inputTokens: 12, outputTokens: 7, cachedInputTokens: 4, reported: {} };
  const said: Said = { text: 'We are "busy".\n', model: "claude-x", id: "e1-2", createdUnixS: 0, finish: "stop" };
  test("a whole answer, as JSON and as a stream", async () => {
    for (const stream of [false, true]) {
      for (const [finish, expected] of [
        ["stop", "end_turn"],
        ["length", "max_tokens"],
        ["filtered", "refusal"],
      ] as const) {
        const parsed = parseRequest(anthropicMessages, { ...request, stream });
        const { contentType, body } =
          anthropicMessages.renderAnswer?.(parsed, { ...said, finish, usage: finish === "stop" ? undefined : USED }) ?? assert.fail();
        await serving(
          body,
          async (baseURL) => {
            const client = new Anthropic({ apiKey: "k", baseURL });
            const answer = stream ? await client.messages.stream(request).finalMessage() : await client.messages.create(request);
            assert.deepEqual([answer.id, answer.model, answer.role, answer.stop_reason], ["msg_e12", "claude-x", "assistant", expected]);
            assert.deepEqual(
              answer.content.map((block) => (block.type === "text" ? block.text : block)),
              [said.text],
            );
            const { input_tokens, output_tokens, cache_read_input_tokens } = answer.usage;
            const figures = [input_tokens, output_tokens, cache_read_input_tokens];
            assert.deepEqual(figures, finish === "stop" ? [0, 0, undefined] : [8, 7, 4]);
          },
          contentType,
        );
        const reader = anthropicMessages.openAnswer?.(answerContext(parsed.view, { contentType })) ?? assert.fail();
        readPieces(reader, [body]);
        const { complete, invalidEvents, unknownEvents } = reader.summary();
        assert.deepEqual([complete, invalidEvents, unknownEvents], [true, 0, 0]);
      }
    }
  });
});
