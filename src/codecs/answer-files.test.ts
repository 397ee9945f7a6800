import assert from "node:assert/strict";
import { test } from "node:test";
import { openAnswer, readPieces } from "../../test/support/codec-runs.ts";
import { view } from "../../test/support/context.ts";
import { REFUSE, seat, through, wordGuard } from "../../test/support/guards.ts";
import type { Codec } from "../core/codec.ts";
import { Gate } from "../pipeline/guards/gate.ts";
import { anthropicMessages } from "./anthropic-messages.ts";
import { geminiGenerate } from "./gemini-generate.ts";
import { openaiChat } from "./openai-chat.ts";
import { openaiImagesGenerations } from "./openai-images-generations.ts";
import { openaiResponses } from "./openai-responses.ts";

const base64 = (text: string): string => Buffer.from(text, "latin1").toString("base64");
const svg = (filler: string): string => `<svg xmlns="http://www.w3.org/2000/svg">${filler}<text>the secret</text></svg>`;
const png = `\x89PNG\r\n\x1a\n\0\0\0\rIHDR the secret ${"\0".repeat(2_000)}`;

/** What an answer is with a file in it, in base64 or in a data URL. */
const ANSWERS: readonly (readonly [Codec, streaming: boolean, answer: (data: string) => object])[] = [
  [
    geminiGenerate,
    false,
    (data) => ({ candidates: [{ content: { parts: [{ inlineData: { mimeType: "image/png", data } }] }, finishReason: "STOP" }] }),
  ],
  [openaiImagesGenerations, false, (data) => ({ created: 1, data: [{ b64_json: data }] })],
  [openaiImagesGenerations, true, (data) => ({ type: "image_generation.completed", b64_json: data })],
  [
    openaiChat,
    false,
    (data) => ({
      choices: [
        { index: 0, message: { content: "x", images: [{ image_url: { url: `data:image/png;base64,${data}` } }] }, finish_reason: "stop" },
      ],
    }),
  ],
  [
    openaiResponses,
    false,
    (data) => ({ object: "response", status: "completed", output: [{ type: "image_generation_call", id: "i", result: data }] }),
  ],
  [openaiResponses, true, (data) => ({ type: "response.image_generation_call.partial_image", output_index: 0, partial_image_b64: data })],
  [
    anthropicMessages,
    false,
    (data) => ({ type: "message", content: [{ type: "image", source: { type: "base64", media_type: "image/png", data } }] }),
  ],
];

test("files of text in an answer are read, whatever they are said to be, and cannot be changed; pictures are not", () => {
  for (const [codec, streaming, answer] of ANSWERS) {
    const stopOf = (file: string) => {
      const body = JSON.stringify(answer(base64(file)));
      const reader = openAnswer(codec, view({ streaming, framing: streaming ? "sse" : "json" }), { guarded: true });
      const frames = readPieces(reader, [Buffer.from(streaming ? `data: ${body}\n\n` : body)]);
      const { out, stop } = through(new Gate([seat("a", wordGuard("secret", "", { stop: REFUSE }))], 1e6), frames);
      return stop === undefined ? out.length > 0 : stop.kind;
    };
    for (const filler of [" ", "<g/>".repeat(1_000)]) assert.equal(stopOf(svg(filler)), "refuse", `${codec.surface} ${filler.length}`);
    assert.equal(stopOf(png), true, codec.surface);
  }
});

test("words in the place of a name are read: of a call, of an id", () => {
  const call = (name: string, id: string) => ({
    choices: [
      {
        index: 0,
        message: { content: null, tool_calls: [{ id, type: "function", function: { name, arguments: "{}" } }] },
        finish_reason: "tool_calls",
      },
    ],
  });
  for (const [name, id, stops] of [
    ["tell the secret", "call_1", true],
    ["secret", "call_1", false],
  ] as const) {
    const reader = openAnswer(openaiChat, view({}), { guarded: true });
    const frames = readPieces(reader, [Buffer.from(JSON.stringify(call(name, id)))]);
    const { stop } = through(new Gate([seat("a", wordGuard("secret", "", { stop: REFUSE }))], 1e6), frames);
    assert.equal(stop !== undefined, stops, name);
  }
});
