import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { model as makeModel, provider as makeProvider, target } from "../../../test/support/context.ts";
import { property } from "../../../test/support/property.ts";
import { openGptTokens } from "../../adapters/tokens/gpt.ts";
import { readInputParts } from "../../codecs/shared/input-parts.ts";
import { type Json, parseJson } from "../json.ts";
import { exactCount } from "./exact.ts";
import { encodingsOf, familyOf } from "./families.ts";
import { inputBound, inputEstimate } from "./input.ts";
import { mediaTokens } from "./media.ts";
import type { InputParts } from "./parts.ts";

const exact = openGptTokens();

function partsOf(body: Json, bare = false): InputParts {
  const doc = parseJson(Buffer.from(JSON.stringify(body)));
  assert(doc.ok);
  return readInputParts(doc.value.root, { bare });
}
function tokensOf(model: string, body: Json, bare = false): number {
  const family = familyOf(model);
  return inputEstimate(partsOf(body, bare), family, exactCount(family, exact));
}

test("which family a model's name is of, in every spelling that providers use", () => {
  const names: Readonly<Record<string, readonly string[]>> = {
    "gpt-4o": ["gpt-4o", "gpt-4o-2024-08-06", "openai/gpt-4o", "GPT-4.1", "chatgpt-4o-latest"],
    "gpt-4o-mini": ["gpt-4o-mini-2024-07-18"],
    "gpt-4": ["gpt-4", "gpt-4-turbo", "gpt-3.5-turbo", "gpt-35-turbo", "text-embedding-3-small", "text-embedding-ada-002-v2"],
    "gpt-5": ["gpt-5", "gpt-5.4-mini-2026-03-17", "o3-mini-2025-01-31", "o1", "openai.gpt-5.6-luna"],
    "gpt-oss": ["openai/gpt-oss-120b", "gpt-oss:20b", "openai.gpt-oss-120b-1:0"],
    "claude-2": ["claude-2.1", "anthropic.claude-v2:1", "anthropic.claude-instant-v1"],
    "claude-3-opus": ["claude-3-opus-20240229"],
    "claude-3": ["claude-3-haiku-20240307", "us.anthropic.claude-3-7-sonnet-20250219-v1:0"],
    "claude-4": [
      ...[
        "claude-sonnet-4-20250514",
        "claude-opus-4-1-20250805",
        "claude-haiku-4-5",
        "anthropic/claude-sonnet-4.5",
        "claude-sonnet-4@20250514",
      ],
      ...["anthropic/claude-4.5-haiku-20251001", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-6", "claude-opus-4"],
    ],
    "claude-5": ["claude-opus-4-8", "claude-sonnet-5", "claude-haiku-9"],
    gemini: ["gemini-2.5-flash", "models/gemini-2.0-flash", "text-embedding-004"],
    "gemini-3": ["gemini-3-flash-preview", "publishers/google/models/gemini-3-pro-preview"],
    mistral: ["mistral-large-latest", "mistral.mixtral-8x7b-instruct-v0:1"],
    llama: ["meta-llama/llama-4-scout-17b-16e-instruct", "meta.llama3-70b-instruct-v1:0"],
    nova: ["us.amazon.nova-micro-v1:0"],
    embed: ["embed-english-light-v3.0", "embed-v4.0"],
    titan: ["amazon.titan-embed-text-v1"],
    unknown: ["our-own-model", ""],
  };
  for (const [family, models] of Object.entries(names)) for (const model of models) assert.equal(familyOf(model).name, family, model);
});

test("OpenAI's chat format: three tokens and the role around a message, and three before the answer", () => {
  const user = (content: string): Json => ({ role: "user", content });
  // "What is the capital of France?" is seven tokens; the provider reports fourteen.
  assert.equal(tokensOf("gpt-4o", { messages: [user("What is the capital of France?")] }), 14);
  assert.equal(tokensOf("gpt-4o", { messages: [{ role: "system", content: "Be brief." }, user("What is the capital of France?")] }), 21);
  assert.equal(tokensOf("gpt-5", { input: "What is the capital of France?" }), 13);
  assert.equal(tokensOf("text-embedding-3-small", { input: ["What is the capital of France?", "Why?"] }, true), 9);
  assert.equal(tokensOf("text-embedding-3-small", { input: [1, 2, 3] }, true), 3, "tokens that the caller made are counted as they are");
});

test("tools, schemas and results of tools cost input in every dialect, and about the same in each", () => {
  const schema = { type: "object", properties: { city: { type: "string", description: "Name of the city" } }, required: ["city"] };
  const tool = { name: "get_weather", description: "Finds the weather of a city" };
  const text = "What is the weather in Paris?";
  const chat = { messages: [{ role: "user", content: text }] };
  const bodies: readonly (readonly [string, Json, Json])[] = [
    ["gpt-4o", chat, { ...chat, tools: [{ type: "function", function: { ...tool, parameters: schema } }] }],
    ["claude-haiku-4-5", chat, { ...chat, tools: [{ ...tool, input_schema: schema }] }],
    [
      "gemini-2.5-flash",
      { contents: [{ parts: [{ text }] }] },
      { contents: [{ parts: [{ text }] }], tools: [{ functionDeclarations: [{ ...tool, parameters: schema }] }] },
    ],
    [
      "us.amazon.nova-micro-v1:0",
      { messages: [{ role: "user", content: [{ text }] }] },
      {
        messages: [{ role: "user", content: [{ text }] }],
        toolConfig: { tools: [{ toolSpec: { ...tool, inputSchema: { json: schema } } }] },
      },
    ],
  ];
  for (const [model, without, withTool] of bodies) {
    assert.equal(partsOf(withTool).tools.length, 1, model);
    assert(tokensOf(model, withTool) - tokensOf(model, without) >= 12, model);
  }
  const claude = (content: Json): Json => ({ messages: [{ role: "user", content }] });
  const called = claude([{ type: "tool_result", tool_use_id: "toolu_1", content: "Sunny, 22 degrees" }]);
  assert.equal(partsOf(called).results, 1);
  assert(tokensOf("claude-haiku-4-5", called) > tokensOf("claude-haiku-4-5", claude("Sunny, 22 degrees")));
});

test("pictures are billed by the provider's formula, from the size in their bytes or the detail asked for", () => {
  const png = Buffer.concat([
    Buffer.from("89504e470d0a1a0a0000000d49484452", "hex"),
    Buffer.from([0, 0, 4, 0, 0, 0, 2, 0, 8, 2, 0, 0, 0]),
    Buffer.alloc(8),
  ]);
  const url = `data:image/png;base64,${png.toString("base64")}`;
  const chat = (detail: string): Json => ({ messages: [{ role: "user", content: [{ type: "image_url", image_url: { url, detail } }] }] });
  const [part] = partsOf(chat("high")).media;
  assert(part !== undefined);
  assert.deepEqual([part.kind, part.width, part.height, part.detail], ["image", 1024, 512, "high"]);
  assert.equal(mediaTokens(part, "openai_tiles"), 85 + 2 * 170);
  assert.equal(mediaTokens({ ...part, detail: "low" }, "openai_tiles"), 85);
  assert.equal(mediaTokens(part, "claude"), Math.ceil((1024 * 512) / 750));
  assert.equal(mediaTokens(part, "gemini"), 2 * 258);
  assert.equal(mediaTokens({ kind: "image", bytes: undefined, width: 2048, height: 4096 }, "openai_tiles"), 85 + 6 * 170);
  const claude = {
    messages: [
      { role: "user", content: [{ type: "image", source: { type: "base64", media_type: "image/png", data: png.toString("base64") } }] },
    ],
  };
  assert.equal(partsOf(claude).media[0]?.width, 1024);
  assert.equal(partsOf({ contents: [{ parts: [{ inlineData: { mimeType: "audio/wav", data: "AAAA" } }] }] }).media[0]?.kind, "audio");
});

test("what never reaches the model is not counted", () => {
  const body = { model: "gpt-4o", user: "someone", metadata: { note: "for us" }, messages: [{ role: "user", content: "Hi" }] };
  assert.deepEqual(partsOf(body).texts, ["Hi"]);
  const ids = { messages: [{ role: "tool", tool_call_id: "call_abcdefghijklmnop", content: "Yes" }] };
  assert.deepEqual(partsOf(ids).texts, ["Yes"]);
});

const message = fc.record({ role: fc.constantFrom("system", "user", "assistant"), content: fc.string({ unit: "binary", maxLength: 200 }) });
property(
  "the bound is never below the estimate, nor below the exact count of the texts",
  fc.tuple(
    fc.array(message, { maxLength: 6 }),
    fc.constantFrom("gpt-4o", "gpt-5", "claude-sonnet-4-6", "gemini-2.5-pro", "our-own", "grok-4.3"),
  ),
  ([messages, model]) => {
    // A lone surrogate cannot stand in UTF-8.
    const parts = partsOf({ messages: messages.map(({ role, content }) => ({ role, content: content.toWellFormed() })) });
    const family = familyOf(model);
    const bound = inputBound(parts, family);
    assert(bound >= inputEstimate(parts, family, exactCount(family, exact)));
    assert(bound >= parts.texts.reduce((sum, text) => sum + exact.count(text, "o200k_base"), 0));
  },
);

test("the tokenizers that a policy's models need, whatever the caller's names for them", () => {
  const provider = makeProvider("p", "openai");
  const models = [
    makeModel("fast", [target(provider, "gpt-4o-mini"), target(provider, "claude-haiku-4-5")]),
    makeModel("gpt-4", [target(provider, "deployment-7")]),
    makeModel("gemini-2.5-flash", [target(provider, "gemini-2.5-flash")]),
  ];
  const catalog = { providers: new Map(), tiers: new Map(), models: new Map(models.map((model) => [model.name, model])) };
  assert.deepEqual([...encodingsOf(catalog)], ["o200k_base", "cl100k_base"]);
});
