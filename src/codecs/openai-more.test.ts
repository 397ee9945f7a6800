import assert from "node:assert/strict";
import { describe, test } from "node:test";
import OpenAI from "openai";
import { bytesOf, cutAt, edited, openAnswer, readPieces, readRequest, serving, textsOf } from "../../test/support/codec-runs.ts";
import { cpuMs } from "../../test/support/cpu.ts";
import type { Codec, FormBody } from "../core/codec.ts";
import type { Delta, RequestView } from "../core/view.ts";
import { openaiAudioSpeech } from "./openai-audio-speech.ts";
import { openaiAudioTranscriptions } from "./openai-audio-transcriptions.ts";
import { openaiCompletions } from "./openai-completions.ts";
import { openaiImagesEdits } from "./openai-images-edits.ts";
import { openaiImagesGenerations } from "./openai-images-generations.ts";
import { openaiModerations } from "./openai-moderations.ts";
import { openaiResponsesGet } from "./openai-responses-get.ts";

const sse = (...events: readonly object[]): Buffer => Buffer.from(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(""));
const BIG = "QUJD".repeat(3000);
const view = (codec: Codec, body: object): RequestView => readRequest(codec, JSON.stringify(body)).view;
const textOf = (deltas: readonly Delta[]): string => deltas.map(({ text }) => text).join("");

function form(codec: Codec, fields: Readonly<Record<string, string>>, files: Readonly<Record<string, string>> = {}): RequestView {
  const parts = Object.entries(fields).map(([name, value]) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`);
  for (const [name, file] of Object.entries(files))
    parts.push(`--b\r\nContent-Disposition: form-data; name="${name}"; filename="${file}"\r\n\r\n${"\0".repeat(16_000)}\r\n`);
  const read = codec.readForm?.(Buffer.from(`${parts.join("")}--b--\r\n`), "multipart/form-data; boundary=b");
  assert.ok(read?.ok);
  const taken: FormBody = read.value;
  const made = codec.readRequest?.(taken.doc, {}, taken);
  assert.ok(made?.ok, made?.ok === false ? made.error.message : "");
  return made.value;
}

/** The same bytes, usage and texts for a cut at every place, or at every seventh of a long answer. */
function everyCut(codec: Codec, of: RequestView, answer: Buffer, contentType: string, expected: { usage: object; text: string }): void {
  const step = answer.length > 4000 ? 7 : 1;
  for (let place = 0; place <= answer.length; place += step) {
    const reader = openAnswer(codec, of, { contentType });
    const frames = readPieces(reader, cutAt(answer, [place]));
    assert.ok(bytesOf(frames).equals(answer), `cut at ${place}`);
    assert.deepEqual(reader.usage(), expected.usage);
    assert.equal(textOf(frames.flatMap(({ deltas }) => deltas)), expected.text);
    const { complete, unknownEvents, invalidEvents } = reader.summary();
    assert.deepEqual({ complete, unknownEvents, invalidEvents }, { complete: true, unknownEvents: 0, invalidEvents: 0 });
  }
}

describe("completions before chat", () => {
  test("prompts of every shape", () => {
    const choices = (more: object): number => view(openaiCompletions, { model: "m", ...more }).choices;
    assert.deepEqual(
      [
        { prompt: "a" },
        { prompt: ["a", "b"] },
        { prompt: [1, 2, 3] },
        { prompt: [[1], [2]], n: 3 },
        { prompt: "a", best_of: 5, n: 2 },
        {},
      ].map(choices),
      [1, 2, 1, 6, 5, 1],
    );
    assert.deepEqual(
      textsOf(view(openaiCompletions, { model: "m", prompt: ["a", [1]], suffix: "b", stop: ["c"], user: "d", x_new: "e" })),
      ["user: a", "user: b", "parameter: c", "parameter: d", "other: e"],
    );
    for (const prompt of [7, true, { a: 1 }]) assert.throws(() => view(openaiCompletions, { model: "m", prompt }));
  });
  test("a policy's cap never raises the API's own default", () => {
    assert.equal(
      edited(openaiCompletions, '{"model":"m","prompt":"a"}', { outputTokensMax: 500 }),
      '{"model":"m","prompt":"a","max_tokens":16}',
    );
    assert.equal(edited(openaiCompletions, '{"model":"m","max_tokens":900}', { outputTokensMax: 500 }), '{"model":"m","max_tokens":500}');
    assert.equal(edited(openaiCompletions, '{"model":"m","max_tokens":9}', {}), '{"model":"m","max_tokens":9}');
  });
  test("an end that Sluice makes is one that the SDK reads", async () => {
    const of = view(openaiCompletions, { model: "m", prompt: ["a", "b"], stream: true });
    const reader = openAnswer(openaiCompletions, of);
    const begun = sse({
      id: "cmpl-1",
      object: "text_completion",
      created: 5,
      model: "m-1",
      choices: [{ index: 0, text: "Hi", finish_reason: null }],
    });
    const bytes = Buffer.concat([...reader.push(begun).map((frame) => frame.bytes), reader.tail({ kind: "length" })]);
    const chunks = await serving(bytes, async (baseURL) => {
      const all = [];
      for await (const chunk of await new OpenAI({ apiKey: "k", baseURL }).completions.create({ model: "m", prompt: "a", stream: true }))
        all.push(chunk);
      return all;
    });
    assert.deepEqual(
      chunks.map(({ id, object, choices: [first] }) => [id, object, first?.text, first?.finish_reason]),
      [
        ["cmpl-1", "text_completion", "Hi", null],
        ["cmpl-1", "text_completion", "", "length"],
        // The second prompt's, of which nothing came.
        ["cmpl-1", "text_completion", "", "length"],
      ],
    );
  });
});

describe("images", () => {
  const usage = { input_tokens: 50, input_tokens_details: { image_tokens: 40, text_tokens: 10 }, output_tokens: 272, total_tokens: 322 };
  const counted = {
    ...{ inputTokens: 50, imageInputTokens: 40, outputTokens: 272, imageOutputTokens: 272 },
    reported: {
      input_tokens: 50,
      "input_tokens_details.image_tokens": 40,
      "input_tokens_details.text_tokens": 10,
      output_tokens: 272,
      total_tokens: 322,
    },
  };
  test("a body's usage wherever it stands among the images, and prompts that were rewritten", () => {
    const of = view(openaiImagesGenerations, { model: "m", prompt: "p", n: 2 });
    const data = [{ b64_json: BIG, revised_prompt: 'A "b64_json": "x" door' }, { b64_json: BIG }];
    for (const body of [
      { created: 1, data, usage },
      { usage, data },
    ])
      everyCut(openaiImagesGenerations, of, Buffer.from(JSON.stringify(body)), "application/json", {
        usage: { ...counted, images: 2 },
        text: 'A "b64_json": "x" door',
      });
    const split = { ...usage, output_tokens_details: { image_tokens: 200, text_tokens: 72 } };
    const reader = openAnswer(openaiImagesGenerations, of);
    readPieces(reader, [Buffer.from(JSON.stringify({ data, usage: split }))]);
    assert.equal(reader.usage()?.imageOutputTokens, 200);
  });
  test("a stream of partial images", () => {
    const of = view(openaiImagesGenerations, { model: "m", prompt: "p", stream: true });
    const stream = sse(
      { type: "image_generation.partial_image", partial_image_index: 0, b64_json: BIG },
      { type: "image_generation.completed", b64_json: BIG, usage },
    );
    everyCut(openaiImagesGenerations, of, stream, "text/event-stream", { usage: { ...counted, images: 1 }, text: "" });
  });
  test("an error body is told, and its usage is none", () => {
    const reader = openAnswer(openaiImagesGenerations, view(openaiImagesGenerations, { model: "m", prompt: "p", stream: true }), {
      status: 400,
      contentType: "application/json",
    });
    readPieces(reader, [Buffer.from('{"error":{"type":"image_generation_user_error","message":"m"}}')]);
    assert.deepEqual([reader.usage(), reader.summary().error], [undefined, "image_generation_user_error"]);
  });
  test("32 MiB of image are read without standing still", () => {
    const body = Buffer.from(`{"data":[{"b64_json":"${"QUJD".repeat(8_000_000)}"}],"usage":${JSON.stringify(usage)}}`);
    const reader = openAnswer(openaiImagesGenerations, view(openaiImagesGenerations, { model: "m", prompt: "p" }));
    const from = cpuMs();
    readPieces(reader, [body]);
    const took = cpuMs() - from;
    assert.equal(reader.usage()?.outputTokens, 272);
    // Milliseconds where nothing is parsed; a bound that only a search per byte would break.
    assert.ok(took < 5_000, `${took} ms`);
  });
  test("a form: texts with file names, what is expected, what is refused", () => {
    const of = form(
      openaiImagesEdits,
      { model: "m", prompt: "make it grün", n: "2", stream: "TRUE", x_new: "y", ai_use_case: "u" },
      { "image[]": "my door.png", mask: "mask.png" },
    );
    assert.deepEqual(
      [of.model, of.streaming, of.choices, of.expected?.images, of.contractFields.get("ai_use_case")],
      ["m", true, 2, 2, "u"],
    );
    assert.deepEqual(textsOf(of), ["user: make it grün", "other: y", "file_name: my door.png", "file_name: mask.png"]);
    assert.deepEqual([...(of.texts().media?.() ?? [])], ["other", "other"]);
    for (const fields of [
      { stream: "yes" },
      { n: "two" },
      { n: "0" },
      { "svg[model]": "gpt-9" },
      { "model[]": "m" },
      { "prompt[x]": "p" },
      { "ai_use_case[]": "u" },
    ])
      assert.throws(() => form(openaiImagesEdits, { model: "m", ...fields }), JSON.stringify(fields));
    assert.throws(() => form(openaiImagesEdits, {}, { model: "model.txt" }));
  });
});

describe("audio", () => {
  test("transcripts in every form", () => {
    const of = form(openaiAudioTranscriptions, { model: "m", prompt: "names: Ada" }, { file: "a.wav" });
    assert.deepEqual(of.expected, { seconds: 2, inputTokens: 30, audioInputTokens: 20, outputTokens: 12 });
    const secondsOf = (file: string) => form(openaiAudioTranscriptions, { model: "m" }, { file }).expected?.seconds ?? 0;
    assert.ok(secondsOf("note.ogg") >= 4 * (secondsOf("note.WAV") - 1), "a voice note has a quarter of the bytes a second");
    const tokens = {
      type: "tokens",
      input_tokens: 14,
      input_token_details: { text_tokens: 0, audio_tokens: 14 },
      output_tokens: 3,
      total_tokens: 17,
    };
    const counted = {
      ...{ inputTokens: 14, outputTokens: 3, audioInputTokens: 14 },
      reported: {
        input_tokens: 14,
        "input_token_details.text_tokens": 0,
        "input_token_details.audio_tokens": 14,
        output_tokens: 3,
        total_tokens: 17,
      },
    };
    const json = (body: object): Buffer => Buffer.from(JSON.stringify(body));
    everyCut(openaiAudioTranscriptions, of, json({ text: "Hallo", usage: tokens }), "application/json", { usage: counted, text: "Hallo" });
    everyCut(openaiAudioTranscriptions, of, json({ text: "Hallo", usage: { type: "duration", seconds: 9 } }), "application/json", {
      usage: { seconds: 9, reported: { seconds: 9 } },
      text: "Hallo",
    });
    everyCut(openaiAudioTranscriptions, of, json({ duration: 8.47, text: "Hallo" }), "text/plain", {
      usage: { seconds: 8.47, reported: { duration: 8.47 } },
      text: "Hallo",
    });
    const streaming = form(openaiAudioTranscriptions, { model: "m", stream: "true" }, { file: "a.wav" });
    const deltas = sse(
      { type: "transcript.text.delta", delta: "Hal" },
      { type: "transcript.text.delta", delta: "lo" },
      { type: "transcript.text.done", text: "Hallo Welt", usage: tokens },
    );
    everyCut(openaiAudioTranscriptions, streaming, deltas, "text/event-stream", { usage: counted, text: "Hallo Welt" });
  });
  test("subtitles are text, whatever their first letter", () => {
    for (const body of ["1\n00:00 --> 00:01\nHallo\n", '{"not": closed', "{}"]) {
      const reader = openAnswer(openaiAudioTranscriptions, form(openaiAudioTranscriptions, { model: "m" }), { contentType: "text/plain" });
      const frames = readPieces(reader, cutAt(Buffer.from(body), [1, 2]));
      assert.equal(textOf(frames.flatMap(({ deltas }) => deltas)), body);
      assert.deepEqual([reader.summary().complete, reader.usage()], [true, undefined]);
    }
  });
  test("speech: characters by the request, tokens by its events, any bytes untouched", () => {
    const of = view(openaiAudioSpeech, { model: "m", voice: { id: "voice_1" }, input: "Grüße 😀", instructions: "calm" });
    assert.deepEqual(textsOf(of), ["user: Grüße 😀", "system: calm"]);
    assert.deepEqual(
      of.providerState.map(({ kind, node }) => [kind, node?.value]),
      [["other", "voice_1"]],
    );
    const audio = Buffer.from('{"looks":"like JSON"}\0\xff', "latin1");
    everyCut(openaiAudioSpeech, of, audio, "audio/pcm", { usage: { characters: 7, reported: {} }, text: "" });
    const events = view(openaiAudioSpeech, { model: "m", voice: "a", input: "abc", stream_format: "sse" });
    const stream = sse(
      { type: "speech.audio.delta", audio: BIG },
      { type: "speech.audio.done", usage: { input_tokens: 4, output_tokens: 9, total_tokens: 13 } },
    );
    everyCut(openaiAudioSpeech, events, stream, "text/event-stream", {
      usage: {
        inputTokens: 4,
        outputTokens: 9,
        audioOutputTokens: 9,
        characters: 3,
        reported: { input_tokens: 4, output_tokens: 9, total_tokens: 13 },
      },
      text: "",
    });
  });
});

test("a moderation reads texts and pictures, and leaves the default model unsaid", () => {
  const body = '{"input":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://x.example/p.png"}}]}';
  assert.deepEqual(textsOf(readRequest(openaiModerations, body).view), ["user: a", "url: https://x.example/p.png"]);
  assert.equal(edited(openaiModerations, body, { model: "omni-moderation-latest" }), body);
  assert.equal(
    edited(openaiModerations, '{"input":"a"}', { model: "text-moderation-stable" }),
    '{"input":"a","model":"text-moderation-stable"}',
  );
});

test("a kept response is read with its texts, and without its usage", () => {
  const facts = openaiResponsesGet.match(
    {
      method: "GET",
      path: "/v1/responses/resp_1",
      query: new URLSearchParams("stream=true&stream=false&key=secret&include[]=a&include[]=b"),
    },
    { get: () => undefined },
  );
  assert.deepEqual(facts, { id: "resp_1", query: "stream=true&include%5B%5D=a&include%5B%5D=b" });
  const of = openaiResponsesGet.readPath?.(facts ?? {});
  assert.ok(of?.streaming);
  assert.deepEqual(of.providerState, [{ kind: "previous_response", node: undefined, id: "resp_1", subject: true }]);
  const response = {
    id: "resp_1",
    object: "response",
    status: "completed",
    output: [{ id: "m", type: "message", content: [{ type: "output_text", text: "Hi" }] }],
    usage: { input_tokens: 1, output_tokens: 1 },
  };
  const reader = openAnswer(openaiResponsesGet, of, { contentType: "text/event-stream" });
  const frames = readPieces(reader, [sse({ type: "response.completed", sequence_number: 0, response })]);
  assert.equal(textOf(frames.flatMap(({ deltas }) => deltas)), "Hi");
  assert.deepEqual([reader.usage(), reader.summary().complete, reader.summary().created], [undefined, true, undefined]);
});
