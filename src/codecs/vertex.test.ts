import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, cutAt, joined, openAnswer, readPieces, textsOf } from "../../test/support/codec-runs.ts";
import type { Codec, ParsedRequest, PathFacts } from "../core/codec.ts";
import { applyEdits, parseJson } from "../core/json.ts";
import { findCodec } from "./index.ts";
import { vertexEmbed } from "./vertex-embed.ts";
import { vertexGenerate } from "./vertex-gemini.ts";
import { vertexAnthropicCountTokens, vertexRawPredict, vertexStreamRawPredict } from "./vertex-raw.ts";

const PLACE = "projects/theirs/locations/us-central1";
const ACCOUNT = { google: { project: "ours", location: "europe-west1" } };
function find(url: string) {
  const [path = "", query = ""] = url.split("?");
  return findCodec({ method: "POST", path, query: new URLSearchParams(query) }, { get: () => undefined });
}
function read(codec: Codec, body: string, facts: PathFacts) {
  const doc = parseJson(Buffer.from(body));
  assert(doc.ok);
  const view = codec.readRequest?.(doc.value, facts);
  assert(view !== undefined);
  return { doc: doc.value, view };
}
function request(codec: Codec, body: string, facts: PathFacts): ParsedRequest {
  const { doc, view } = read(codec, body, facts);
  assert(view.ok, JSON.stringify(view));
  return { doc, facts, view: view.value };
}

test("each method of each maker has its surface; project and location are the account's, whatever the path says", () => {
  const table: readonly (readonly [string, string | undefined, string?])[] = [
    [
      `/v1/${PLACE}/publishers/google/models/gemini-x:generateContent`,
      "vertex.generate",
      "/v1/projects/ours/locations/europe-west1/publishers/google/models/m%40new:generateContent",
    ],
    [
      `/v1beta1/${PLACE}/publishers/google/models/gemini-x:streamGenerateContent?alt=sse&key=k`,
      "vertex.stream",
      "/v1beta1/projects/ours/locations/europe-west1/publishers/google/models/m%40new:streamGenerateContent?alt=sse",
    ],
    [
      `/v1/${PLACE}/publishers/google/models/gemini-x:generateContent?%24alt=json%3Benum-encoding%3Dint`,
      "vertex.generate",
      "/v1/projects/ours/locations/europe-west1/publishers/google/models/m%40new:generateContent?$alt=json%3Benum-encoding=int",
    ],
    [
      "/v1beta1/publishers/google/models/gemini-x:countTokens",
      "vertex.count_tokens",
      "/v1beta1/projects/ours/locations/europe-west1/publishers/google/models/m%40new:countTokens",
    ],
    [`/v1/${PLACE}/publishers/google/models/text-embedding-005:predict`, "vertex.embed"],
    [
      `/v1/${PLACE}/publishers/anthropic/models/claude-x%4020250929:rawPredict`,
      "vertex.raw_predict",
      "/v1/projects/ours/locations/europe-west1/publishers/anthropic/models/m%40new:rawPredict",
    ],
    [`/v1/${PLACE}/publishers/anthropic/models/claude-x@20250929:streamRawPredict`, "vertex.stream_raw_predict"],
    [
      `/v1/${PLACE}/publishers/anthropic/models/count-tokens:rawPredict`,
      "vertex.anthropic_count_tokens",
      "/v1/projects/ours/locations/europe-west1/publishers/anthropic/models/count-tokens:rawPredict",
    ],
    [`/v1/${PLACE}/publishers/anthropic/models/claude-x:generateContent`, undefined],
    [`/v1/${PLACE}/publishers/mistralai/models/mistral-x:rawPredict`, undefined],
    [`/v1/${PLACE}/publishers/google/models/imagen-4:predict`, undefined],
    [`/v1/${PLACE}/endpoints/123:predict`, undefined],
    [`/v1/${PLACE}/publishers/google/models/a/b:generateContent`, undefined],
    [`/v1/projects/a/../b/locations/l/publishers/google/models/m:generateContent`, undefined],
  ];
  for (const [url, surface, path] of table) {
    const found = find(url);
    assert.equal(found?.codec.surface, surface, url);
    if (found !== undefined && path !== undefined) assert.equal(found.codec.upstreamPath?.(found.facts, "m@new", ACCOUNT), path);
  }
  assert.equal(find(`/v1/${PLACE}/publishers/anthropic/models/claude-x%4020250929:rawPredict`)?.facts.model, "claude-x@20250929");
});

const RAW: PathFacts = { model: "claude-x", publisher: "anthropic", method: "rawPredict", framing: "json", version: "v1" };
const MESSAGES = '{"anthropic_version":"vertex-2023-10-16","max_tokens":90,"system":"S","messages":[{"role":"user","content":"U"}]}';

test("Claude's bodies are read as messages; the model stays in the path", () => {
  const parsed = request(vertexRawPredict, MESSAGES, RAW);
  assert.deepEqual(textsOf(parsed.view), ["system: S", "user: U"]);
  assert.deepEqual([parsed.view.model, parsed.view.outputTokensMax, parsed.view.streaming], ["claude-x", 90, false]);
  const edits = vertexRawPredict.editRequest?.(parsed, { model: "claude-y", outputTokensMax: 7 });
  assert.equal(applyEdits(parsed.doc, edits ?? []), MESSAGES.replace("90", "7"));
  assert.equal(read(vertexRawPredict, MESSAGES.replace("{", '{"model":"claude-z",'), RAW).view.ok, false);
  assert.equal(request(vertexStreamRawPredict, MESSAGES, { ...RAW, method: "streamRawPredict" }).view.framing, "sse");
  const reader = openAnswer(vertexRawPredict, parsed.view);
  const frames = readPieces(reader, [
    Buffer.from(
      '{"type":"message","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":4}}',
    ),
  ]);
  assert.deepEqual(joined(frames.flatMap(({ deltas }) => deltas)), { "0/content": "Hi" });
  assert.deepEqual([reader.usage()?.inputTokens, reader.usage()?.outputTokens], [3, 4]);
});

test("Claude's token counter names its model in the body", () => {
  const body = '{"model":"claude-x","messages":[{"role":"user","content":"U"}]}';
  const parsed = request(vertexAnthropicCountTokens, body, { ...RAW, model: "count-tokens" });
  assert.equal(parsed.view.model, "claude-x");
  assert.equal(
    applyEdits(parsed.doc, vertexAnthropicCountTokens.editRequest?.(parsed, { model: "claude-y", outputTokensMax: 7 }) ?? []),
    body.replace("claude-x", "claude-y"),
  );
  const reader = openAnswer(vertexAnthropicCountTokens, parsed.view);
  readPieces(reader, [Buffer.from('{"input_tokens":31}')]);
  assert.equal(reader.usage()?.inputTokens, 31);
});

test("embeddings: every content is a text, tokens of all vectors add up, for every cut", () => {
  const facts: PathFacts = { model: "text-embedding-005", publisher: "google", method: "predict", framing: "json", version: "v1" };
  const body =
    '{"instances":[{"content":"one","task_type":"RETRIEVAL_DOCUMENT","title":"T"},{"content":"two","image":{"gcsUri":"gs://b/o"}}],"parameters":{"outputDimensionality":3,"note":"P"}}';
  const { view } = request(vertexEmbed, body, facts);
  assert.deepEqual(textsOf(view), ["user: one", "user: T", "user: two", "url: gs://b/o", "parameter: P"]);
  assert.deepEqual(
    view.providerState.map(({ kind }) => kind),
    ["file"],
  );
  const answer = Buffer.from(
    '{\n "predictions": [\n  {"embeddings": {"statistics": {"truncated": false, "token_count": 12}, "values": [0.5]}},\n  {"embeddings": {"values": [0.5], "statistics": {"token_count": 345}}}\n ],\n "metadata": {"billableCharacterCount": 11}\n}\n',
  );
  for (let cut = 0; cut <= answer.length; cut++) {
    const reader = openAnswer(vertexEmbed, view);
    assert(bytesOf(readPieces(reader, cutAt(answer, [cut]))).equals(answer));
    assert.deepEqual(reader.usage(), { inputTokens: 357, reported: { token_count: 357 } });
    assert.deepEqual([reader.summary().complete, reader.summary().error], [true, undefined]);
  }
  const bytewise = openAnswer(vertexEmbed, view);
  readPieces(
    bytewise,
    [...answer].map((byte) => Uint8Array.of(byte)),
  );
  assert.equal(bytewise.usage()?.inputTokens, 357);
  const failed = openAnswer(vertexEmbed, view, { status: 401 });
  readPieces(failed, [Buffer.from('{"error":{"code":401,"status":"UNAUTHENTICATED"}}')]);
  assert.deepEqual([failed.usage(), failed.summary().error !== undefined], [undefined, true]);
  const garbage = openAnswer(vertexEmbed, view);
  readPieces(garbage, [Buffer.from("<html>")]);
  assert.deepEqual([garbage.usage(), garbage.summary().complete, garbage.summary().invalidEvents], [undefined, false, 1]);
});

test("Gemini's bodies are the Gemini API's", () => {
  const facts: PathFacts = { model: "gemini-x", publisher: "google", method: "generateContent", framing: "json", version: "v1" };
  const body = '{"contents":[{"role":"user","parts":[{"text":"U"}]}],"generationConfig":{"maxOutputTokens":90}}';
  const parsed = request(vertexGenerate, body, facts);
  assert.deepEqual(textsOf(parsed.view), ["user: U"]);
  assert.equal(
    applyEdits(parsed.doc, vertexGenerate.editRequest?.(parsed, { model: "other", outputTokensMax: 7 }) ?? []),
    body.replace("90", "7"),
  );
});
