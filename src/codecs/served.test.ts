/** What an answer says of how it was served, where that is billed: service tiers, and searches that no usage counts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { view } from "../../test/support/context.ts";
import { findCodec } from "./index.ts";

function read(path: string, body: object, headers: Readonly<Record<string, string>> = {}) {
  const found = findCodec({ method: "POST", path, query: new URLSearchParams() }, { get: () => undefined });
  const reader = found?.codec.openAnswer?.({
    ...{ view: view(), usageForced: false, status: 200, contentType: "application/json" },
    headers: { get: (name) => headers[name] },
  });
  reader?.push(Buffer.from(JSON.stringify(body)));
  reader?.end();
  return { tier: reader?.summary().serviceTier, queries: reader?.usage()?.queries };
}
const GEMINI = "/v1beta/models/m:generateContent";
const figures = { promptTokenCount: 3, candidatesTokenCount: 5 };
const candidate = (webSearchQueries: readonly string[]) => ({
  ...{ index: 0, content: { parts: [{ text: "x" }], role: "model" }, finishReason: "STOP" },
  groundingMetadata: { webSearchQueries },
});
const completion = (model: string) => ({
  ...{ id: "c", object: "chat.completion", model, usage: { prompt_tokens: 3, completion_tokens: 5 } },
  choices: [{ index: 0, message: { role: "assistant", content: "x" }, finish_reason: "stop" }],
});

const tiers = [
  ["Gemini's own", GEMINI, { candidates: [candidate([])], usageMetadata: { ...figures, serviceTier: "priority" } }, {}, "priority"],
  [
    "Vertex AI's kind of traffic",
    GEMINI,
    { candidates: [candidate([])], usageMetadata: { ...figures, trafficType: "ON_DEMAND_PRIORITY" } },
    {},
    "PRIORITY",
  ],
  [
    "Vertex AI, as usual",
    GEMINI,
    { candidates: [candidate([])], usageMetadata: { ...figures, trafficType: "ON_DEMAND" } },
    {},
    "ON_DEMAND",
  ],
  ["none", GEMINI, { candidates: [candidate([])], usageMetadata: figures }, {}, undefined],
  ["InvokeModel, by its header", "/model/m/invoke", { generation: "x" }, { "x-amzn-bedrock-service-tier": "flex" }, "flex"],
  ["a downgrade of InvokeModel's", "/model/m/invoke", { generation: "x" }, { "x-amzn-bedrock-service-tier": "default" }, "default"],
  ["Converse with a low latency", "/model/m/converse", { output: {}, performanceConfig: { latency: "optimized" } }, {}, "optimized"],
] as const;
for (const [name, path, body, headers, tier] of tiers)
  test(`served in: ${name}`, () => {
    assert.equal(read(path, body, headers).tier, tier);
  });

const searches = [
  [
    "Gemini 3 bills each search",
    GEMINI,
    { modelVersion: "gemini-3-flash", candidates: [candidate(["a", "b"])], usageMetadata: figures },
    2,
  ],
  [
    "Gemini 2.5 bills the prompt",
    GEMINI,
    { modelVersion: "gemini-2.5-pro", candidates: [candidate(["a", "b"])], usageMetadata: figures },
    1,
  ],
  [
    "and nothing where it did not search",
    GEMINI,
    { modelVersion: "gemini-2.5-pro", candidates: [candidate([])], usageMetadata: figures },
    undefined,
  ],
  ["a model that searches", "/v1/chat/completions", completion("gpt-4o-search-preview-2025-03-11"), 1],
  ["its successor", "/v1/chat/completions", completion("gpt-5-search-api"), 1],
  ["one that does not", "/v1/chat/completions", completion("gpt-4o"), undefined],
] as const;
for (const [name, path, body, queries] of searches)
  test(`searches: ${name}`, () => {
    assert.equal(read(path, body).queries, queries);
  });
