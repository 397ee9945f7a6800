import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, cutAt, openAnswer, readPieces, textsOf } from "../../test/support/codec-runs.ts";
import type { Codec, PathFacts } from "../core/codec.ts";
import { applyEdits, parseJson } from "../core/json.ts";
import { geminiBatchEmbed, geminiEmbed } from "./gemini-embed.ts";

const FACTS: PathFacts = { model: "gemini-embedding-001", framing: "json", version: "v1beta" };
const ONE = '{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"one"}]},"taskType":"RETRIEVAL_QUERY","title":"About one"}';
const BATCH = `{"requests":[${ONE},{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"two"}]}}]}`;

function read(codec: Codec, body: string) {
  const doc = parseJson(Buffer.from(body));
  assert(doc.ok);
  const view = codec.readRequest?.(doc.value, FACTS);
  assert(view !== undefined);
  return { doc: doc.value, facts: FACTS, view };
}

test("every text of one request, and of a batch", () => {
  const one = read(geminiEmbed, ONE).view;
  assert(one.ok);
  assert.deepEqual(textsOf(one.value), ["user: one", "other: About one"]);
  const batch = read(geminiBatchEmbed, BATCH).view;
  assert(batch.ok);
  assert.deepEqual(textsOf(batch.value), ["user: one", "other: About one", "user: two"]);
});

test("a batch cannot smuggle in another model", () => {
  const { view } = read(geminiBatchEmbed, BATCH.replace(/001"(?!.*001")/, 'x"'));
  assert.equal(view.ok, false);
});

test("a routed model is written into every request of a batch", () => {
  const { doc, facts, view } = read(geminiBatchEmbed, BATCH);
  assert(view.ok);
  const edits = geminiBatchEmbed.editRequest?.(
    { doc, facts, view: view.value },
    { model: "other-embedding", outputTokensMax: 3, parameters: { temperature: 1 } },
  );
  assert.equal(applyEdits(doc, edits ?? []), BATCH.replaceAll("gemini-embedding-001", "other-embedding"));
  assert.equal(geminiBatchEmbed.upstreamPath?.(FACTS, "other-embedding"), "/v1beta/models/other-embedding:batchEmbedContents");
});

test("vectors pass unread for every cut; usage is read where it is reported, at the end of a large body too", () => {
  const view = read(geminiEmbed, ONE).view;
  assert(view.ok);
  const small = Buffer.from(
    '{"embedding":{"values":[0.1,0.2]},"usageMetadata":{"promptTokenCount":4,"promptTokenDetails":[{"modality":"TEXT","tokenCount":4}]}}',
  );
  for (let cut = 0; cut <= small.length; cut++) {
    const reader = openAnswer(geminiEmbed, view.value);
    assert.deepEqual(bytesOf(readPieces(reader, cutAt(small, [cut]))), small);
    assert.equal(reader.usage()?.inputTokens, 4);
  }
  const large = Buffer.from(small.toString().replace("[0.1,0.2]", JSON.stringify(new Array(40_000).fill(0.125))));
  const reader = openAnswer(geminiEmbed, view.value);
  assert.deepEqual(bytesOf(readPieces(reader, cutAt(large, [9, 70_000]))), large);
  assert.deepEqual([reader.usage()?.inputTokens, reader.summary().complete], [4, true]);
  const silent = openAnswer(geminiEmbed, view.value);
  readPieces(silent, [Buffer.from('{"embedding":{"values":[0.1]}}')]);
  assert.equal(silent.usage(), undefined);
});
