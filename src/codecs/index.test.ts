import assert from "node:assert/strict";
import { test } from "node:test";
import { dataOf } from "../../test/support/answers.ts";
import { DENIAL_CODES, DENIALS } from "../core/denials.ts";
import { field } from "../core/json.ts";
import { DIALECTS } from "./dialects.ts";
import { CODECS, findCodec } from "./index.ts";

const find = (method: string, path: string, headers: Readonly<Record<string, string>> = {}) =>
  findCodec({ method, path, query: new URLSearchParams() }, { get: (name) => headers[name] });
const anthropic = { "anthropic-version": "2023-06-01" };
const MODELS = [
  { id: "gpt-4o-mini", ownedBy: "openai", createdUnixS: 1_700_000_000 },
  { id: "meta/llama-4", ownedBy: "private", createdUnixS: 0 },
];

test("each surface is found by method, path and headers; the rest is not served", () => {
  const table: readonly (readonly [string, string, Readonly<Record<string, string>>, string | undefined])[] = [
    ["POST", "/v1/chat/completions", {}, "openai.chat"],
    ["POST", "/v1/responses", {}, "openai.responses"],
    ["POST", "/v1/embeddings", {}, "openai.embeddings"],
    ["POST", "/v1/messages", anthropic, "anthropic.messages"],
    ["POST", "/v1/messages/count_tokens", anthropic, "anthropic.count_tokens"],
    ["POST", "/v1beta/models/gemini-3-pro:generateContent", {}, "gemini.generate"],
    ["POST", "/v1beta/models/gemini-3-pro:streamGenerateContent", {}, "gemini.stream"],
    ["GET", "/v1/models", {}, "openai.models"],
    ["GET", "/v1/models/gpt-4o", {}, "openai.models"],
    ["GET", "/v1/models", anthropic, "anthropic.models"],
    ["GET", "/v1beta/models", {}, "gemini.models"],
    ["GET", "/v1beta/models/gemini-3-pro", {}, "gemini.models"],
    ["DELETE", "/v1/models/gpt-4o", {}, undefined],
    ["GET", "/v1/models/", {}, undefined],
    ["GET", "/v1/models/%zz", {}, undefined],
    ["GET", "/v1/modelsx", {}, undefined],
    ["GET", "/v1/chat/completions", {}, undefined],
    ["POST", "/v1/completions", {}, "openai.completions"],
    ["POST", "/v1/images/generations", {}, "openai.images.generations"],
    ["POST", "/v1/images/edits", {}, "openai.images.edits"],
    ["POST", "/v1/images/variations", {}, "openai.images.variations"],
    ["POST", "/v1/audio/speech", {}, "openai.audio.speech"],
    ["POST", "/v1/audio/transcriptions", {}, "openai.audio.transcriptions"],
    ["POST", "/v1/audio/translations", {}, "openai.audio.translations"],
    ["POST", "/v1/moderations", {}, "openai.moderations"],
    ["GET", "/v1/responses/resp_1", {}, "openai.responses.get"],
    ["DELETE", "/v1/responses/resp_1", {}, "openai.responses.delete"],
    ["POST", "/v1/responses/resp_1/cancel", {}, "openai.responses.cancel"],
    ["GET", "/v1/responses/resp_1/input_items", {}, "openai.responses.input_items"],
    ["POST", "/v1/responses/input_tokens", {}, "openai.responses.input_tokens"],
    ["POST", "/v1/responses/compact", {}, "openai.responses.compact"],
    ["GET", "/v1/responses/..", {}, undefined],
    ["GET", "/v1/responses/a%2Fb", {}, undefined],
    ["GET", "/v1/responses/", {}, undefined],
    ["POST", "/v1/responses/resp_1", {}, undefined],
    ["POST", "/openai/v1/chat/completions", {}, "openai.chat"],
    ["POST", "/openai/v1/responses", {}, "openai.responses"],
    ["POST", "/openai/responses", {}, "openai.responses"],
    ["GET", "/openai/v1/responses/resp_1", {}, "openai.responses.get"],
    ["POST", "/openai/deployments/my-gpt/chat/completions", {}, "openai.chat"],
    ["POST", "/openai/deployments/my-gpt/embeddings", {}, "openai.embeddings"],
    ["POST", "/openai/deployments/my-gpt/audio/transcriptions", {}, "openai.audio.transcriptions"],
    ["POST", "/openai/deployments/my-gpt/responses", {}, undefined],
    ["POST", "/openai/deployments//chat/completions", {}, undefined],
    ["POST", "/openai/deployments/a/b/chat/completions", {}, undefined],
    ["POST", "/openai/deployments/%zz/chat/completions", {}, undefined],
    ["POST", "/openai/chat/completions", {}, undefined],
    ["POST", "/V1/chat/completions", {}, undefined],
    ["GET", "/", {}, undefined],
  ];
  for (const [method, path, headers, surface] of table)
    assert.equal(find(method, path, headers)?.codec.surface, surface, `${method} ${path}`);
  assert.equal(new Set(CODECS.map(({ surface }) => surface)).size, CODECS.length);
});

test("model lists in each dialect", () => {
  const list = (path: string, headers: Readonly<Record<string, string>> = {}) => {
    const found = find("GET", path, headers);
    assert(found !== undefined);
    return found.codec.answerList?.(MODELS, found.facts);
  };
  const openai = { id: "gpt-4o-mini", object: "model", created: 1_700_000_000, owned_by: "openai" };
  assert.deepStrictEqual(list("/v1/models/gpt-4o-mini"), openai);
  assert.deepStrictEqual(list("/v1/models"), {
    object: "list",
    data: [openai, { id: "meta/llama-4", object: "model", created: 0, owned_by: "private" }],
  });
  assert.equal(field(list("/v1/models/meta%2Fllama-4"), "id"), "meta/llama-4");
  assert.equal(field(list("/v1/models/meta/llama-4"), "id"), "meta/llama-4");
  assert.equal(list("/v1/models/other"), undefined);
  const claude = { type: "model", id: "gpt-4o-mini", display_name: "gpt-4o-mini", created_at: "2023-11-14T22:13:20Z" };
  assert.deepStrictEqual(list("/v1/models/gpt-4o-mini", anthropic), claude);
  assert.deepStrictEqual(field(list("/v1/models", anthropic), "last_id"), "meta/llama-4");
  const gemini = {
    name: "models/gpt-4o-mini",
    displayName: "gpt-4o-mini",
    supportedGenerationMethods: ["generateContent", "streamGenerateContent"],
  };
  assert.deepStrictEqual(list("/v1beta/models/gpt-4o-mini"), gemini);
});

test("OpenAI's refusals: one error object for each code, as a body and as a stream", () => {
  const { openai } = DIALECTS;
  for (const code of DENIAL_CODES) {
    const body = openai.renderError({ code }, "r-1");
    assert.deepStrictEqual(body, {
      error: { message: DENIALS[code].text, type: DENIALS[code].openai, param: null, code },
      request_id: "r-1",
    });
    const stream = Buffer.from(openai.renderErrorStream({ code }, "r-1", "sse")).toString();
    assert.deepStrictEqual(dataOf(stream), [body]);
    assert(stream.endsWith("data: [DONE]\n\n"));
  }
  assert.equal(field(field(openai.renderError({ code: "forbidden", detail: "Why." }, ""), "error"), "message"), "Why.");
});

test("no dialect forwards credentials, accounts or the contract", () => {
  for (const { dialect, forwardedHeaders } of Object.values(DIALECTS)) {
    for (const name of forwardedHeaders) {
      assert.equal(name, name.toLowerCase());
      assert.doesNotMatch(name, /^x-ai-|authorization|api-key|cookie|organization|project|^x-goog-user|forwarded/, dialect);
    }
  }
});
