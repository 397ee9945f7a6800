/** Ends and answers that Sluice makes in the dialects whose SDKs are not here, read by their own readers, and Gemini's by its SDK; and texts beside audio and images. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GoogleGenAI } from "@google/genai";
import { answerContext, fixture, parseRequest } from "../../test/support/answers.ts";
import { bytesOf, readPieces, serving } from "../../test/support/codec-runs.ts";
import { view } from "../../test/support/context.ts";
import { type GuardedCase, lanesOf, open } from "../../test/support/guarded.ts";
import type { Codec, ParsedRequest, Said } from "../core/codec.ts";
import type { Json } from "../core/json.ts";
import type { Framing } from "../core/view.ts";
import { bedrockConverse, bedrockConverseStream } from "./bedrock-converse.ts";
import { bedrockInvoke, bedrockInvokeStream } from "./bedrock-invoke.ts";
import { cohereChat, cohereChatV1 } from "./cohere-chat.ts";
import { geminiGenerate, geminiStream } from "./gemini-generate.ts";
import { openaiAudioTranscriptions } from "./openai-audio-transcriptions.ts";
import { openaiImagesGenerations } from "./openai-images-generations.ts";
import { jsonEvent } from "./shared/aws-eventstream.ts";

const TYPES: Readonly<Record<Framing, string>> = {
  json: "application/json",
  sse: "text/event-stream",
  "json-array": "application/json",
  eventstream: "application/vnd.amazon.eventstream",
};
const of = (codec: Codec, framing: Framing, bytes: Buffer, contentType = TYPES[framing]): GuardedCase => ({
  name: codec.surface,
  codec,
  context: answerContext(view({ streaming: framing !== "json", framing }), { contentType }),
  bytes,
});
const chunk = (event: Json): Buffer =>
  Buffer.from(jsonEvent("chunk", JSON.stringify({ bytes: Buffer.from(JSON.stringify(event)).toString("base64") })));
const CONVERSE: readonly Buffer[] = (
  [
    ["messageStart", { role: "assistant" }],
    ["contentBlockDelta", { contentBlockIndex: 0, delta: { text: "Grü" } }],
    ["contentBlockDelta", { contentBlockIndex: 0, delta: { text: "ezi" } }],
    ["contentBlockStop", { contentBlockIndex: 0 }],
    ["contentBlockStart", { contentBlockIndex: 1, start: { toolUse: { toolUseId: "t", name: "f" } } }],
    ["contentBlockDelta", { contentBlockIndex: 1, delta: { toolUse: { input: '{"a":' } } }],
  ] as const
).map(([type, payload]) => Buffer.from(jsonEvent(type, JSON.stringify(payload))));

test("of a part of Gemini's that is several things at once each is read, and each call is one", () => {
  const part = {
    functionCall: { name: "look", args: { a: 1 } },
    executableCode: { language: "PYTHON", code: "wipe()" },
    toolCall: { toolType: "GOOGLE_SEARCH_WEB", args: { query: "q" } },
    codeExecutionResult: { outcome: "OUTCOME_OK", output: "gone" },
  };
  const body = Buffer.from(JSON.stringify({ candidates: [{ content: { parts: [part], role: "model" }, finishReason: "STOP" }] }));
  const frames = readPieces(open(of(geminiGenerate, "json", body)), [body]);
  assert.deepEqual(
    frames.flatMap(({ calls }) => calls ?? []).map(({ name }) => name),
    ["look", "codeExecution", "GOOGLE_SEARCH_WEB"],
  );
  const texts = frames.flatMap(({ deltas }) => deltas.map(({ channel, text }) => [channel, text]));
  assert.deepEqual(texts, [
    ["tool_arguments", '{"a":1}'],
    ["tool_arguments", "wipe()"],
    ["tool_arguments", '{"query":"q"}'],
    ["content", "gone"],
  ]);
});

test("filtered and at a length, cut anywhere: a stream ends as its dialect has it, after what is said", () => {
  const table: readonly (readonly [GuardedCase, string, string])[] = [
    [of(geminiStream, "sse", fixture("gemini.stream/stream.sse")), "SAFETY", "MAX_TOKENS"],
    [of(geminiStream, "json-array", fixture("gemini.stream/stream.json")), "SAFETY", "MAX_TOKENS"],
    [of(cohereChat, "sse", fixture("cohere/chat-v2.sse")), "ERROR", "MAX_TOKENS"],
    [of(cohereChatV1, "sse", fixture("cohere/chat-v1.jsonl"), "application/stream+json"), "ERROR_TOXIC", "MAX_TOKENS"],
    [of(bedrockConverseStream, "eventstream", Buffer.concat(CONVERSE)), "guardrail_intervened", "max_tokens"],
    [of(bedrockInvokeStream, "eventstream", chunk({ outputText: "a", index: 0 })), "CONTENT_FILTERED", "LENGTH"],
    [of(bedrockInvokeStream, "eventstream", chunk({ generation: "a" })), "length", "length"],
    [of(bedrockInvokeStream, "eventstream", chunk({ completion: "a", stop_reason: null })), "max_tokens", "max_tokens"],
    [of(bedrockInvokeStream, "eventstream", chunk({ outputs: [{ text: "a" }] })), "length", "length"],
    [of(bedrockInvokeStream, "eventstream", chunk({ choices: [{ index: 0, delta: { content: "a" } }] })), "content_filter", "length"],
    [of(bedrockInvokeStream, "eventstream", chunk({ event_type: "text-generation", text: "a" })), "ERROR_TOXIC", "MAX_TOKENS"],
    [of(bedrockInvokeStream, "eventstream", chunk({ messageStart: { role: "assistant" } })), "guardrail_intervened", "max_tokens"],
  ];
  for (const [one, filtered, length] of table) {
    const frames = readPieces(open(one), [one.bytes]);
    const isInvoke = one.codec === bedrockInvokeStream;
    for (let count = isInvoke ? 1 : 0; count <= frames.length; count++) {
      const released = bytesOf(frames.slice(0, count));
      for (const [reason, expected] of [
        [{ kind: "filtered", text: "Not this." }, filtered],
        [{ kind: "length" }, length],
      ] as const) {
        const reader = open(one);
        reader.push(released);
        const before = reader.summary();
        const tail = reader.tail(reason);
        // Nothing is said behind the provider's own end.
        if (tail.length === 0 || before.finishReasons.length > 0) continue;
        const again = open(one);
        const read = readPieces(again, [Buffer.concat([released, tail])]);
        const { finishReasons, invalidEvents, unknownEvents } = again.summary();
        const what = `${one.name} after ${count}: ${expected}`;
        assert.deepEqual([finishReasons, invalidEvents, unknownEvents], [[expected], 0, 0], what);
        const said = (bytes: readonly { readonly deltas: Parameters<typeof lanesOf>[0] }[]): string =>
          Object.entries(lanesOf(bytes.flatMap(({ deltas }) => deltas)))
            .map(([lane, text]) => (lane.endsWith("content") ? text : ""))
            .join("");
        assert.equal(said(read), `${said(frames.slice(0, count))}${reason.kind === "filtered" ? "Not this." : ""}`, what);
        if (!isInvoke && !one.name.startsWith("gemini")) assert.equal(again.summary().complete, true, what);
      }
    }
  }
});

const USED = { inputTokens: 12, outputTokens: 7, cachedInputTokens: 4, reported: {} };
const SAID: Said = { text: 'We are "busy".\n', model: "m-x", id: "e1-2", createdUnixS: 1_700_000_000, finish: "stop", usage: USED };

test("whole answers are read by their own readers as a provider's would be", () => {
  const chat = { messages: [{ role: "user", content: "x" }] };
  const table: readonly (readonly [Codec, Json, Framing, string])[] = [
    [geminiGenerate, { contents: [] }, "json", "STOP"],
    [geminiStream, { contents: [] }, "sse", "STOP"],
    [geminiStream, { contents: [] }, "json-array", "STOP"],
    [cohereChat, { ...chat, model: "m" }, "json", "COMPLETE"],
    [cohereChat, { ...chat, model: "m", stream: true }, "sse", "COMPLETE"],
    [cohereChatV1, { message: "x" }, "json", "COMPLETE"],
    [cohereChatV1, { message: "x", stream: true }, "sse", "COMPLETE"],
    [bedrockConverse, { messages: [] }, "json", "end_turn"],
    [bedrockConverseStream, { messages: [] }, "eventstream", "end_turn"],
    ...(["json", "eventstream"] as const).flatMap((framing): [Codec, Json, Framing, string][] => {
      const codec = framing === "json" ? bedrockInvoke : bedrockInvokeStream;
      return [
        [codec, { anthropic_version: "bedrock-2023-05-31", max_tokens: 5, ...chat }, framing, "end_turn"],
        [codec, { schemaVersion: "messages-v1", messages: [{ role: "user", content: [{ text: "x" }] }] }, framing, "end_turn"],
        [codec, chat, framing, "stop"],
        [codec, { message: "x" }, framing, "COMPLETE"],
        [codec, { inputText: "x" }, framing, "FINISH"],
        [codec, { prompt: "x", max_tokens_to_sample: 5 }, framing, "stop_sequence"],
        [codec, { prompt: "x", max_gen_len: 5 }, framing, "stop"],
      ];
    }),
  ];
  for (const [codec, body, framing, finish] of table) {
    const parsed = parseRequest(codec, body);
    const streaming = framing !== "json";
    const request: ParsedRequest = { ...parsed, view: { ...parsed.view, streaming, framing } };
    const { contentType, body: bytes } = codec.renderAnswer?.(request, SAID) ?? assert.fail();
    const reader = codec.openAnswer?.(answerContext(request.view, { contentType })) ?? assert.fail();
    const lanes = lanesOf(readPieces(reader, [bytes]).flatMap(({ deltas }) => deltas));
    const what = `${codec.surface} ${JSON.stringify(body)} ${framing}`;
    assert.deepEqual(Object.values(lanes), [SAID.text], what);
    const { finishReasons, error, invalidEvents, unknownEvents } = reader.summary();
    assert.deepEqual([finishReasons, error, invalidEvents, unknownEvents], [[finish], undefined, 0, 0], what);
    const usage = reader.usage();
    // Claude's old completion has no place for it, a chat stream that does not ask for it none.
    const hasNone = JSON.stringify(body).includes("max_tokens_to_sample") || (streaming && body === chat);
    assert.deepEqual(usage && [usage.inputTokens, usage.outputTokens], hasNone ? undefined : [12, 7], what);
  }
});

test("Gemini's SDK reads a whole answer and a filtered end", async () => {
  for (const framing of ["json", "sse"] as const) {
    const parsed = parseRequest(geminiGenerate, { contents: [] });
    const request: ParsedRequest = { ...parsed, view: { ...parsed.view, streaming: framing === "sse", framing } };
    const { contentType, body } = geminiGenerate.renderAnswer?.(request, { ...SAID, finish: "length" }) ?? assert.fail();
    await serving(
      body,
      async (baseUrl) => {
        const { models } = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl } });
        const answers = [];
        if (framing === "json") answers.push(await models.generateContent({ model: "m", contents: "x" }));
        else for await (const piece of await models.generateContentStream({ model: "m", contents: "x" })) answers.push(piece);
        assert.equal(answers.map(({ text }) => text).join(""), SAID.text);
        const last = answers.at(-1);
        assert.deepEqual([last?.candidates?.[0]?.finishReason, last?.modelVersion, last?.responseId], ["MAX_TOKENS", "m-x", "e12"]);
      },
      contentType,
    );
  }
  const one = of(geminiStream, "sse", fixture("gemini.stream/stream.sse"));
  const first = bytesOf(readPieces(open(one), [one.bytes]).slice(0, 1));
  const reader = open(one);
  reader.push(first);
  await serving(Buffer.concat([first, reader.tail({ kind: "filtered", text: "Not this." })]), async (baseUrl) => {
    const { models } = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl } });
    const pieces = [];
    for await (const piece of await models.generateContentStream({ model: "m", contents: "x" })) pieces.push(piece);
    assert.deepEqual([pieces.at(-1)?.text, pieces.at(-1)?.candidates?.[0]?.finishReason], ["Not this.", "SAFETY"]);
  });
});

test("Gemini: a sealed thought is signed, a text or call that carries a seal is not; what searches found goes with its text", () => {
  const groundingMetadata = { webSearchQueries: ["asked"], groundingSupports: [{ segment: { endIndex: 3, text: "Ann" } }] };
  const parts = [
    { text: "Hm", thought: true, thoughtSignature: "c2ln" },
    { text: "Ann", thoughtSignature: "c2ln" },
    { functionCall: { name: "f", args: { n: 1, s: "x" } }, thoughtSignature: "c2ln" },
  ];
  const text = JSON.stringify({ candidates: [{ content: { parts }, groundingMetadata, finishReason: "STOP" }] });
  const [frame] = readPieces(open(of(geminiGenerate, "json", Buffer.from(text))), [Buffer.from(text)]);
  assert(frame?.rewrite !== undefined);
  assert.deepEqual(
    frame.deltas
      .map((one) => `${one.block} ${one.repeats === true ? "beside" : one.channel}${one.signed === true ? " signed" : ""}: ${one.text}`)
      .toSorted(),
    ["0 reasoning signed: Hm", "1 content: Ann", "2 beside: Ann", "2 beside: asked", '2 tool_arguments: {"n":1,"s":"x"}'],
  );
  const changed = Buffer.from(frame.rewrite(frame.deltas.map((one) => (one.text === "Ann" ? "X" : undefined)))).toString();
  assert.equal(changed, text.replace('"text":"Ann"', '"text":"X"').replace(/,"groundingSupports":\[.*?\}\}?\]/, ""));
});

test("transcripts: the text and its segments, as JSON, plain text and events", () => {
  const rewrite = (body: string, contentType: string, framing: Framing, to: string): string => {
    const one = of(openaiAudioTranscriptions, framing, Buffer.from(body), contentType);
    return readPieces(open(one), [one.bytes])
      .map((frame) => Buffer.from(frame.rewrite?.(frame.deltas.map(({ text }) => text.replace("Ann", to))) ?? frame.bytes).toString())
      .join("");
  };
  const verbose = '{"task":"transcribe","duration":1.0,"text":"Ann here","segments":[{"id":0,"text":"Ann"}],"words":[{"word":"Ann"}]}';
  assert.equal(
    rewrite(verbose, "application/json", "json", "X"),
    '{"task":"transcribe","duration":1.0,"text":"X here","segments":[],"words":[]}',
  );
  assert.equal(rewrite('1\n00:00 --> 00:01\nAnn "here"\n', "text/plain", "json", "X"), '1\n00:00 --> 00:01\nX "here"\n');
  const events = [
    '{"type":"transcript.text.delta","delta":"Ann"}',
    '{"type":"transcript.text.done","text":"Ann","logprobs":[{"token":"Ann"}]}',
  ];
  assert.equal(
    rewrite(events.map((data) => `data: ${data}\n\n`).join(""), "text/event-stream", "sse", "X"),
    'data: {"type":"transcript.text.delta","delta":"X"}\n\ndata: {"type":"transcript.text.done","text":"X","logprobs":[]}\n\n',
  );
});

test("images: the prompt as the provider put it is a text; the image beside it keeps its bytes", () => {
  const image = "iVBORw0KGgo".repeat(300);
  const text = `{"created":1,"data":[{"b64_json":"${image}","revised_prompt":"Ann"}]}`;
  const [frame] = readPieces(open(of(openaiImagesGenerations, "json", Buffer.from(text))), [Buffer.from(text)]);
  assert.deepEqual(frame?.deltas, [{ choice: 0, block: 0, channel: "content", text: "Ann" }]);
  assert.equal(Buffer.from(frame?.rewrite?.(["X"]) ?? []).toString(), text.replace("Ann", "X"));
});
