import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, cutAt, openAnswer, readPieces, textsOf } from "../../test/support/codec-runs.ts";
import type { ParsedRequest, PathFacts } from "../core/codec.ts";
import { applyEdits, parseJson } from "../core/json.ts";
import { geminiCountTokens } from "./gemini-count-tokens.ts";

const FACTS: PathFacts = { model: "gemini-2.5-flash", framing: "json", version: "v1beta" };
const WHOLE = `{ "generateContentRequest": {"model":"models/gemini-2.5-flash","systemInstruction":{"parts":[{"text":"Be brief."}]},
  "contents":[{"role":"user","parts":[{"text":"Grüezi"}]}],"tools":[{"functionDeclarations":[{"name":"get_weather"}]}],
  "cachedContent":"cachedContents/c1"} }`;

function read(body: string) {
  const doc = parseJson(Buffer.from(body));
  assert(doc.ok);
  const view = geminiCountTokens.readRequest?.(doc.value, FACTS);
  assert(view !== undefined);
  return { doc: doc.value, view };
}
function request(body: string): ParsedRequest {
  const { doc, view } = read(body);
  assert(view.ok, JSON.stringify(view));
  return { doc, facts: FACTS, view: view.value };
}

test("contents alone, and a whole request within the request, are inspected like a call", () => {
  assert.deepEqual(textsOf(request('{"contents":[{"parts":[{"text":"hi"}]}]}').view), ["user: hi"]);
  const { view } = request(WHOLE);
  assert.deepEqual(textsOf(view), ["system: Be brief.", "user: Grüezi", "tool_definition: get_weather"]);
  assert.deepEqual(
    [view.tools.map(({ name }) => name), view.providerState.map(({ kind }) => kind), view.model],
    [["get_weather"], ["cached_content"], "gemini-2.5-flash"],
  );
});

test("another model within the request, or both forms at once, is refused", () => {
  assert.equal(read(WHOLE.replace("models/gemini-2.5-flash", "models/gemini-2.5-pro")).view.ok, false);
  assert.equal(read(WHOLE.replace("{ ", '{ "contents":[],')).view.ok, false);
});

test("a routed model is written where the body names one; caps and parameters change nothing", () => {
  const parsed = request(WHOLE);
  const edits = (change: Parameters<NonNullable<typeof geminiCountTokens.editRequest>>[1]) =>
    applyEdits(parsed.doc, geminiCountTokens.editRequest?.(parsed, change) ?? []);
  assert.equal(edits({ model: "gemini-x" }), WHOLE.replace("models/gemini-2.5-flash", "models/gemini-x"));
  assert.equal(edits({ outputTokensMax: 5, parameters: { temperature: 0 }, dropContractFields: true, reportUsage: true }), WHOLE);
  assert.equal(geminiCountTokens.upstreamPath?.(FACTS, "gemini-x"), "/v1beta/models/gemini-x:countTokens");
});

test("the number is the usage, which nobody bills, for every cut", () => {
  const answer = Buffer.from(
    '{\n "totalTokens": 31,\n "cachedContentTokenCount": 7,\n "promptTokensDetails": [{"modality":"TEXT","tokenCount":31}]\n}\n',
  );
  for (let cut = 0; cut <= answer.length; cut++) {
    const reader = openAnswer(geminiCountTokens, request('{"contents":[]}').view);
    assert.deepEqual(bytesOf(readPieces(reader, cutAt(answer, [cut]))), answer);
    assert.deepEqual(reader.usage(), {
      inputTokens: 31,
      cachedInputTokens: 7,
      reported: { totalTokens: 31, cachedContentTokenCount: 7, "promptTokensDetails.0.tokenCount": 31 },
    });
  }
  assert.equal(geminiCountTokens.billed, false);
});
