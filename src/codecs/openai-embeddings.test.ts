import assert from "node:assert/strict";
import { test } from "node:test";
import {
  answerContext,
  assertUsage,
  changed,
  everyByte,
  NO_RECORDINGS,
  parseRequest,
  problemOf,
  readAnswer,
  recordings,
} from "../../test/support/answers.ts";
import { bytesOf, cutAt, readPieces } from "../../test/support/codec-runs.ts";
import type { Json } from "../core/json.ts";
import { openaiEmbeddings } from "./openai-embeddings.ts";

const viewOf = (body: Json | string) => parseRequest(openaiEmbeddings, body).view;
const view = viewOf({ model: "text-embedding-3-small", input: "a" });

test("input in its four forms", () => {
  const texts = (input: Json) => [...viewOf({ model: "m", input }).texts()].map(({ place, node }) => `${place}:${node.value}`);
  assert.deepStrictEqual(texts("a"), ["user:a"]);
  assert.deepStrictEqual(texts(["a", "b"]), ["user:a", "user:b"]);
  assert.deepStrictEqual(texts([1, 2]), []);
  assert.deepStrictEqual(texts([[1], [2]]), []);
  for (const body of [{ model: "m" }, { model: "m", input: 3 }, { input: {} }, { input: null }])
    assert.equal(problemOf(openaiEmbeddings, body), "/input");
  assert.equal(problemOf(openaiEmbeddings, { model: [], input: "a" }), "/model");
});

test("an unknown member is text too, and edits keep the rest", () => {
  assert.deepStrictEqual(
    [...viewOf({ model: "m", input: "a", task: "t", metadata: { ai_app: "x" } }).texts()].map(({ node }) => node.value),
    ["a", "t"],
  );
  assert.equal(
    changed(openaiEmbeddings, '{"input": "a","metadata":{"ai_app":"x"}}', {
      model: "b",
      outputTokensMax: 5,
      reportUsage: true,
      dropContractFields: true,
    }),
    '{"input": "a","model":"b"}',
  );
});

const small =
  '{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2e-3]}],"model":"e-1","usage":{"prompt_tokens":3,"total_tokens":3}}';
const vectors = Array.from(
  { length: 400 },
  (_, index) => `{"object":"embedding","index":${index},"embedding":[${"0.0123,".repeat(200)}1]}`,
).join(",\n");
const large = `{"object":"list","data":[${vectors}],"model": "e-1", "usage": {"prompt_tokens": 3, "total_tokens": 3, "details": {"x": 1}} }\n`;
const first = `{"model":"e-1","usage":{"prompt_tokens":3,"total_tokens":3},"data":[${vectors}]}`;

test("usage and model are read out of bodies of any size, which pass as they come", () => {
  for (const text of [small, large, first]) {
    const bytes = Buffer.from(text);
    const cuts = bytes.length < 1000 ? everyByte(bytes) : [1, 5000, 5001, bytes.length - 5, bytes.length - 1];
    for (const at of [[], cuts]) {
      const read = readAnswer(openaiEmbeddings, answerContext(view), bytes, at);
      assert.equal(read.bytes.compare(bytes), 0);
      assert.deepStrictEqual([read.usage?.inputTokens, read.usage?.outputTokens, read.summary.model], [3, undefined, "e-1"]);
      assert.deepStrictEqual([read.summary.complete, read.summary.invalidEvents], [true, 0]);
    }
  }
});

test("a body that ends early is not complete, and an error is seen", () => {
  for (const text of [small.slice(0, -1), large.slice(0, -20), ""]) {
    assert.equal(readAnswer(openaiEmbeddings, answerContext(view), Buffer.from(text)).summary.complete, false);
  }
  const error = readAnswer(
    openaiEmbeddings,
    answerContext(view, { status: 400 }),
    Buffer.from('{"error":{"message":"m","type":"invalid_request_error"}}'),
  );
  assert.equal(error.summary.error, "invalid_request_error");
});

test("recorded traffic", { skip: NO_RECORDINGS }, () => {
  for (const { id, request_body, response_body, status, usage } of recordings("/v1/embeddings")) {
    const request = parseRequest(openaiEmbeddings, request_body ?? "");
    const read = readAnswer(openaiEmbeddings, answerContext(request.view, { status }), Buffer.from(response_body));
    assertUsage(read.usage, usage, id);
    assert.equal(read.bytes.toString(), response_body);
  }
});

test("an error that comes with status 200 is a text for guards, in a small body; vectors are none", () => {
  const guarded = (text: string, cuts: readonly number[] = []) => {
    const reader = openaiEmbeddings.openAnswer?.({ ...answerContext(view), guarded: true });
    assert(reader !== undefined);
    return readPieces(reader, cutAt(Buffer.from(text), cuts));
  };
  const [frame, ...none] = guarded('{"error":{"message":"no: Ann"}}', [3, 9]);
  assert.deepEqual([frame?.deltas.map(({ text }) => text), none.length], [["no: Ann"], 0]);
  assert.equal(Buffer.from(frame?.rewrite?.(["no: Bob"]) ?? []).toString(), '{"error":{"message":"no: Bob"}}');
  assert.deepEqual(
    guarded("no: Ann")[0]?.deltas.map(({ text, signed }) => [text, signed]),
    [["no: Ann", true]],
  );
  for (const text of [small, large]) {
    const frames = guarded(
      text,
      [10, 20, 90_000].filter((at) => at < text.length),
    );
    assert.equal(bytesOf(frames).toString(), text);
    assert.deepEqual(
      frames.flatMap(({ deltas }) => deltas),
      [],
    );
  }
});
