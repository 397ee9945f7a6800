/** What guards see of chat completions, and the ends and answers that Sluice makes there, read by the official SDK. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import OpenAI from "openai";
import { answerContext, fixture, parseRequest } from "../../test/support/answers.ts";
import { bytesOf, readPieces, serving } from "../../test/support/codec-runs.ts";
import { view } from "../../test/support/context.ts";
import { type GuardedCase, laneOf, lanesOf, open } from "../../test/support/guarded.ts";
import type { Frame, Said, TailReason } from "../core/codec.ts";
import { type Json, parseJsonValue } from "../core/json.ts";
import { openaiChat } from "./openai-chat.ts";
import { openaiCompletions } from "./openai-completions.ts";

const streamed = (bytes: Buffer, choices = 1): GuardedCase => ({
  name: "chat",
  codec: openaiChat,
  context: answerContext(view({ streaming: true, framing: "sse", choices })),
  bytes,
});
const sse = (...data: readonly Json[]): Buffer => Buffer.from(data.map((json) => `data: ${JSON.stringify(json)}\n\n`).join(""));
const chunk = (delta: Json, more: { readonly [key: string]: Json } = {}): Json => ({ choices: [{ index: 0, delta, ...more }] });
const framesOf = (bytes: Buffer, of = streamed(bytes)): readonly Frame[] => readPieces(open(of), [bytes]);
/** The data of a frame after a rewrite of all its texts. */
function dataAfter(frame: Frame | undefined, to: (text: string) => string | undefined): Json | undefined {
  assert(frame?.rewrite !== undefined);
  const text = Buffer.from(frame.rewrite(frame.deltas.map((delta) => to(delta.text)))).toString();
  return parseJsonValue(text.slice("data: ".length));
}

test("calls come with their name, and their arguments end with the next call, if they are whole, or with the choice", () => {
  const frames = framesOf(
    sse(
      chunk({ tool_calls: [{ index: 0, id: "c0", type: "function", function: { name: "f", arguments: "" } }] }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: '{"a":"}' } }] }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: '"}' } }] }),
      chunk({ tool_calls: [{ index: 1, id: "c1", type: "function", function: { name: "g", arguments: '{"b":' } }] }),
      chunk({ tool_calls: [{ index: 2, id: "c2", type: "custom", custom: { name: "h", input: "free {" } }] }),
      chunk({ tool_calls: [{ index: 1, function: { arguments: "1}" } }] }),
      chunk({}, { finish_reason: "tool_calls" }),
    ),
  );
  const seen = frames.map(({ calls, ends }) => [
    calls?.map(({ block, name, id }) => `${block} ${name} ${id}`),
    ends === "all" ? ends : ends?.map(laneOf),
  ]);
  assert.deepEqual(seen, [
    [["0 f c0"], undefined],
    [undefined, undefined],
    [undefined, undefined],
    [["1 g c1"], ["0.0.tool_arguments"]],
    [["2 h c2"], undefined],
    [undefined, undefined],
    [undefined, ["0.1.tool_arguments", "0.2.tool_arguments"]],
  ]);
});

test("a value that another of the same key hides is seen, and cannot be changed", () => {
  const hidden = (body: string, contentType: string): readonly (readonly [string, boolean])[] => {
    const of = { ...streamed(Buffer.from(body)), context: { ...answerContext(view()), contentType } };
    return framesOf(of.bytes, of).flatMap(({ deltas }) => deltas.map(({ text, signed }): [string, boolean] => [text, signed === true]));
  };
  const json = "application/json";
  assert.deepEqual(hidden('{"choices":[{"index":0,"message":{"content":"a: \\"b\\"","content":"ok"}}]}', json), [
    ["ok", false],
    ['a: "b"', true],
  ]);
  assert.deepEqual(hidden('{"choices":[{"message":{"content":"a"}}],"choices":[{"index":0,"message":{"content":"ok"}}]}', json), [
    ["ok", false],
    ['[{"message":{"content":"a"}}]', true],
  ]);
  const event = (text: string, shown: string) => `data: {"choices":[{"index":0,"delta":{"content":"${text}","content":"${shown}"}}]}\n\n`;
  assert.deepEqual(hidden(event("a", "x") + event("a", "y"), "text/event-stream"), [
    ["x", false],
    ["a", true],
    ["y", false],
    ["a", true],
  ]);
});

test("an answer with two readings of a tool call says so, whichever part of it stands twice; of anything else it does not", () => {
  const json = "application/json";
  const isAmbiguous = (body: string, contentType = json): boolean => {
    const of = { ...streamed(Buffer.from(body)), context: { ...answerContext(view()), contentType } };
    return framesOf(of.bytes, of).some(({ ambiguous }) => ambiguous === true);
  };
  const message = (inside: string): string => `{"id":"a","choices":[{"index":0,"message":{${inside}}}]}`;
  const called = (inside: string): string => message(`"tool_calls":[{"id":"c","type":"function","function":{${inside}}}]`);
  const plain = '"name":"look","arguments":"{}"';
  assert.equal(isAmbiguous(called(plain)), false);
  for (const body of [
    called(`"name":"wipe",${plain}`),
    called(`"arguments":"{\\"all\\":true}",${plain}`),
    called(`"n\\u0061me":"wipe",${plain}`),
    message(`"tool_calls":[{"function":{"name":"wipe"}}],"tool_calls":[{"id":"c","function":{${plain}}}]`),
    `{"choices":[{"message":{"tool_calls":[{"function":{"name":"wipe"}}]}}],${message('"content":"ok"').slice(1)}`,
  ])
    assert.equal(isAmbiguous(body), true, body);
  const piece = `data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"index":0,"function":{${plain}}}]}}]}\n\n`;
  assert.equal(isAmbiguous(piece, "text/event-stream"), true);
  assert.equal(isAmbiguous(message('"content":"a","content":"b"')), false);
  assert.equal(isAmbiguous(`{"usage":{"total_tokens":1},"usage":{"total_tokens":1},${message('"content":"b"').slice(1)}`), false);
});

test("a call that is a function's and a custom tool's is one of each", () => {
  const call = '{"index":0,"id":"c","type":"custom","function":{"name":"look","arguments":"{}"},"custom":{"name":"wipe","input":"all"}}';
  const of = streamed(Buffer.from(`data: {"choices":[{"index":0,"delta":{"tool_calls":[${call}]}}]}\n\n`));
  const calls = framesOf(of.bytes, of).flatMap((frame) => frame.calls ?? []);
  assert.deepEqual(
    calls.map(({ name, plain }) => [name, plain !== undefined]),
    [
      ["look", false],
      ["wipe", true],
    ],
  );
});

test("what stands in a stream beside its data is seen as a text of its own, and goes where it would change", () => {
  const lines = [
    ": Ann\r\n",
    "id: Ann\r\n",
    "event: Ann 1\r\n",
    "retry: 1000\r\n",
    "note: Ann\r\n",
    `data: ${JSON.stringify(chunk({ content: "Ann" }))}\r\n`,
    "\r\n",
  ];
  const [comment, event] = framesOf(Buffer.concat([Buffer.from(": Ann\n\n"), Buffer.from(lines.join(""))]));
  assert.deepEqual(
    comment?.deltas.map(({ text, repeats }) => [text, repeats]),
    [[": Ann", true]],
  );
  assert.equal(Buffer.from(comment?.rewrite?.(["Bob"]) ?? []).toString(), "\n");
  assert.deepEqual(
    event?.deltas.map(({ text }) => text),
    ["Ann", ": Ann\nid: Ann\nevent: Ann 1\nnote: Ann"],
  );
  const after = (...texts: readonly (string | undefined)[]): string => Buffer.from(event?.rewrite?.(texts) ?? []).toString();
  const data = lines[5]?.replace("Ann", "Bob") ?? "";
  assert.equal(after("Bob", undefined), [...lines.slice(0, 5), data, "\r\n"].join(""));
  assert.equal(after(undefined, "Bob"), [lines[3], lines[5], "\r\n"].join(""));
  assert.equal(after("Bob", ""), [lines[3], data, "\r\n"].join(""));
  const named = Buffer.from(`event: response.output_text.delta\n${sse(chunk({ content: "Ann" })).toString()}`);
  assert.deepEqual(framesOf(named)[0]?.deltas.length, 1);
});

test("what would repeat a changed text goes with it, in its own choice, and only then", () => {
  const logprobs = { content: [{ token: "Ann", logprob: -1, bytes: [65], top_logprobs: [] }] };
  const annotations = [{ type: "url_citation", url_citation: { url: "https://a/ann", title: "Ann", start_index: 0, end_index: 3 } }];
  const choices = [0, 1].map((index) => ({ index, delta: { content: `Ann${index}`, annotations }, logprobs, finish_reason: null }));
  const [frame] = framesOf(sse({ choices }), streamed(sse({ choices }), 2));
  assert.deepEqual(
    dataAfter(frame, (text) => (text === "Ann1" ? "X" : undefined)),
    {
      choices: [choices[0], { index: 1, delta: { content: "X", annotations: [] }, logprobs: null, finish_reason: null }],
    },
  );
  assert.deepEqual(
    frame?.deltas
      .filter(({ repeats }) => repeats === true)
      .map(({ text }) => text)
      .toSorted(),
    ["Ann", "Ann", "https://a/ann", "https://a/ann"],
  );
});

test("copies of a text change with it; signed ones do not change, and spoken ones are told apart", () => {
  const [alike, details, signed, spoken] = framesOf(
    sse(
      chunk({ reasoning_content: "Ann", reasoning: "Ann" }),
      chunk({ reasoning: "Ann", reasoning_details: [{ type: "reasoning.text", text: "Ann" }] }),
      chunk({ reasoning: "Ann", reasoning_details: [{ type: "reasoning.text", text: "Ann", format: "anthropic-claude-v1" }] }),
      chunk({ audio: { id: "a", data: "AAAA", transcript: "Ann" } }),
    ),
  );
  assert.deepEqual(
    dataAfter(alike, () => "X"),
    chunk({ reasoning_content: "X", reasoning: "X" }),
  );
  assert.deepEqual(
    dataAfter(details, () => "X"),
    chunk({ reasoning: "X", reasoning_details: [{ type: "reasoning.text", text: "X" }] }),
  );
  assert.deepEqual(
    signed?.deltas.map(({ text, signed: sealed }) => [text, sealed]),
    [["Ann", true]],
  );
  assert.equal(signed?.rewrite, undefined);
  assert.deepEqual(
    spoken?.deltas.map(({ text, spoken: heard }) => [text, heard]),
    [["Ann", true]],
  );
  assert.deepEqual(
    dataAfter(spoken, () => "X"),
    chunk({ audio: { id: "a", data: "AAAA", transcript: "X" } }),
  );
});

test("nothing that the caller gets is hidden from guards", () => {
  const bytes = Buffer.from(
    `data: ${JSON.stringify({ ...(chunk({ content: "a", context: { citations: [{ content: "b" }] } }) as object), citations: ["c"] })}\n\n` +
      'data: {"object":"new.kind","value":{"deep":["d"]}}\n\ndata: {not json "e"}\n\ndata: {"error":{"message":"f","type":"server_error"}}\n\n',
  );
  const frames = framesOf(bytes);
  assert.deepEqual(
    frames.map(({ deltas }) => deltas.map(({ text }) => text).toSorted()),
    [["a", "b", "c"], ["d"], ['{not json "e"}'], ["f"]],
  );
  assert.deepEqual(
    dataAfter(frames[1], () => "X"),
    { object: "new.kind", value: { deep: ["X"] } },
  );
  assert.equal(frames[2]?.rewrite, undefined);
});

test("arguments that stand as a value have their exact text, and are written as one", () => {
  const text =
    '{"choices":[{"index":0,"message":{"tool_calls":[{"function":{"name":"f","arguments":{"n":1.0e2 , "s":"\\u0041"}}}]},"finish_reason":"stop"}]}';
  const of = { ...streamed(Buffer.from(text)), context: answerContext(view()) };
  const [frame] = readPieces(open(of), [of.bytes]);
  assert.deepEqual(frame?.deltas, [{ choice: 0, block: 0, channel: "tool_arguments", text: '{"n":1.0e2 , "s":"\\u0041"}', raw: true }]);
  assert.deepEqual(frame?.calls, [{ choice: 0, block: 0, name: "f", id: "" }]);
  assert.equal(frame?.ends, "all");
  assert.equal(Buffer.from(frame?.rewrite?.(['{"n":1.0e2}']) ?? []).toString(), text.replace(/\{"n".*?\}/, '{"n":1.0e2}'));
});

test("a forced usage report is undone in a rewritten event too", () => {
  const bytes = Buffer.from('id: 7\r\ndata: {"choices":[{"index":0,"delta":{"content":"Ann"}}],"usage":null}\r\n\r\n');
  const of = { ...streamed(bytes), context: answerContext(view({ streaming: true, framing: "sse" }), { usageForced: true }) };
  const [frame] = readPieces(open(of), [bytes]);
  const changed = Buffer.from(frame?.rewrite?.(["X"]) ?? []).toString();
  assert.equal(changed, 'id: 7\r\ndata: {"choices":[{"index":0,"delta":{"content":"X"}}]}\r\n\r\n');
});

test("lanes, joined, are what the SDK accumulates", async () => {
  const bytes = fixture("openai-chat-tools.sse");
  const lanes = lanesOf(framesOf(bytes).flatMap(({ deltas }) => deltas));
  await serving(bytes, async (baseURL) => {
    const final = await new OpenAI({ apiKey: "k", baseURL }).chat.completions.stream({ model: "m", messages: [] }).finalChatCompletion();
    const calls = final.choices[0]?.message.tool_calls ?? [];
    assert.deepEqual(
      calls.map((call) => (call.type === "function" ? call.function.arguments : "")),
      [lanes["0.0.tool_arguments"], lanes["0.1.tool_arguments"]],
    );
  });
});

const FILTERED: TailReason = { kind: "filtered", text: 'Not "this".' };

describe("ends and answers that Sluice makes, read by the openai package", () => {
  test("filtered, after any number of events: what was said, and finish reason content_filter", async () => {
    for (const name of ["openai-chat.sse", "openai-chat-tools.sse"]) {
      const whole = framesOf(fixture(name));
      const finished = whole.findIndex(({ bytes }) => /"finish_reason":"/.test(Buffer.from(bytes).toString()));
      for (let count = 0; count <= finished; count++) {
        const released = bytesOf(whole.slice(0, count));
        const reader = open(streamed(released));
        reader.push(released);
        const bytes = Buffer.concat([released, reader.tail(FILTERED)]);
        await serving(bytes, async (baseURL) => {
          const stream = new OpenAI({ apiKey: "k", baseURL }).chat.completions.stream({ model: "m", messages: [] });
          const { choices } = await stream.finalChatCompletion();
          const before = lanesOf(whole.slice(0, count).flatMap(({ deltas }) => deltas))["0.0.content"] ?? "";
          assert.deepEqual([choices[0]?.message.content, choices[0]?.finish_reason], [`${before}Not "this".`, "content_filter"]);
        });
      }
    }
  });

  const USED = { inputTokens: 12, outputTokens: 7, cachedInputTokens: 4, reported: {} };
  const said: Said = { text: 'We are "busy".\n', model: "gpt-x", id: "e1-2", createdUnixS: 1_700_000_000, finish: "stop" };
  test("a whole answer, as JSON and as a stream, in every choice", async () => {
    for (const [stream, finish, expected] of [
      [false, "stop", "stop"],
      [true, "length", "length"],
      [true, "filtered", "content_filter"],
    ] as const) {
      const request = parseRequest(openaiChat, { model: "gpt-x", messages: [], n: 2, stream, stream_options: { include_usage: true } });
      const { contentType, body } =
        openaiChat.renderAnswer?.(request, { ...said, finish, usage: finish === "stop" ? undefined : USED }) ?? assert.fail();
      await serving(
        body,
        async (baseURL) => {
          const client = new OpenAI({ apiKey: "k", baseURL });
          const answer = stream
            ? await client.chat.completions
                .stream({ model: "m", messages: [], n: 2, stream_options: { include_usage: true } })
                .finalChatCompletion()
            : await client.chat.completions.create({ model: "m", messages: [], n: 2 });
          assert.deepEqual([answer.id, answer.model, answer.created], ["chatcmpl-e1-2", "gpt-x", 1_700_000_000]);
          assert.deepEqual(
            answer.choices.map(({ index, message, finish_reason }) => [index, message.role, message.content, finish_reason]),
            [0, 1].map((index) => [index, "assistant", said.text, expected]),
          );
          assert.equal(answer.usage?.total_tokens, finish === "stop" ? 0 : 19);
        },
        contentType,
      );
      const reader = openaiChat.openAnswer?.(answerContext(request.view, { contentType })) ?? assert.fail();
      readPieces(reader, [body]);
      const { complete, invalidEvents, unknownEvents } = reader.summary();
      assert.deepEqual([complete, invalidEvents, unknownEvents], [true, 0, 0]);
    }
  });

  test("a whole completion of before chat", async () => {
    for (const stream of [false, true]) {
      const request = parseRequest(openaiCompletions, { model: "gpt-x", prompt: "a", stream });
      const { contentType, body } = openaiCompletions.renderAnswer?.(request, said) ?? assert.fail();
      await serving(
        body,
        async (baseURL) => {
          const client = new OpenAI({ apiKey: "k", baseURL });
          const pieces: [string | undefined, string | null | undefined][] = [];
          if (!stream) {
            const { choices } = await client.completions.create({ model: "m", prompt: "a" });
            pieces.push([choices[0]?.text, choices[0]?.finish_reason]);
          } else {
            for await (const { choices } of await client.completions.create({ model: "m", prompt: "a", stream: true }))
              pieces.push([choices[0]?.text, choices[0]?.finish_reason]);
          }
          assert.equal(pieces.map(([text]) => text).join(""), said.text);
          assert.equal(pieces.at(-1)?.[1], "stop");
        },
        contentType,
      );
    }
  });
});
