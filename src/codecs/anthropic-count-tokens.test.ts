import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bytesOf, cutAt, edited, openAnswer, readPieces, readRequest, textsOf } from "../../test/support/codec-runs.ts";
import { recordedExchanges } from "../../test/support/recorded-exchanges.ts";
import { field } from "../core/json.ts";
import { anthropicCountTokens } from "./anthropic-count-tokens.ts";

const REQUEST = '{"model":"tier:high","system":"Be brief.","messages":[{"role":"user","content":"hi"}]}';

describe("anthropic.count_tokens", () => {
  test("is inspected like a message and sent on without what only generation takes", () => {
    assert.deepEqual(textsOf(readRequest(anthropicCountTokens, REQUEST).view), ["system: Be brief.", "user: hi"]);
    assert.equal(
      edited(anthropicCountTokens, REQUEST, { model: "claude-test-1", outputTokensMax: 9, parameters: { temperature: 1 } }),
      REQUEST.replace("tier:high", "claude-test-1"),
    );
    const query = new URLSearchParams("beta=true");
    const facts = anthropicCountTokens.match({ method: "POST", path: "/v1/messages/count_tokens", query }, { get: () => undefined });
    assert.equal(anthropicCountTokens.upstreamPath?.(facts ?? {}, "m"), "/v1/messages/count_tokens?beta=true");
  });

  test("gives the count as input, for every cut", () => {
    const body = Buffer.from('{"input_tokens": 14}');
    const { view } = readRequest(anthropicCountTokens, REQUEST);
    for (let place = 0; place <= body.length; place++) {
      const reader = openAnswer(anthropicCountTokens, view);
      assert(bytesOf(readPieces(reader, cutAt(body, [place]))).equals(body));
      assert.deepEqual(reader.usage(), { inputTokens: 14, reported: { input_tokens: 14 } });
      assert.equal(reader.summary().complete, true);
    }
  });

  const recorded = recordedExchanges(/\/messages\/count_tokens$/);
  test("recorded traffic", { skip: recorded === undefined ? "no recorded exchanges here (SLUICE_FIXTURES)" : false }, () => {
    for (const { requestBody, status, contentType, responseBody, usage, id } of recorded ?? []) {
      const reader = openAnswer(anthropicCountTokens, readRequest(anthropicCountTokens, requestBody).view, { status, contentType });
      assert.equal(bytesOf(readPieces(reader, [Buffer.from(responseBody)])).toString(), responseBody);
      assert.equal(reader.usage()?.inputTokens ?? null, field(usage, "input") ?? null, id);
    }
  });
});
