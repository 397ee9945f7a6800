import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, GoogleGenAI } from "@google/genai";
import { serving } from "../../test/support/codec-runs.ts";
import { DENIAL_CODES, DENIALS } from "../core/denials.ts";
import { geminiDialect } from "./gemini-dialect.ts";

test("every code has a Google error of its own that shows only fixed words, the request id and the wait", () => {
  for (const code of DENIAL_CODES) {
    const rendered = JSON.parse(JSON.stringify(geminiDialect.renderError({ code, retryAfterMs: 1200 }, "req-1")));
    const { status, gemini, text } = DENIALS[code];
    assert.deepEqual(rendered, {
      error: {
        code: status,
        message: text,
        status: gemini,
        details: [
          { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: code, domain: "sluice", metadata: { requestId: "req-1" } },
          { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "2s" },
        ],
      },
    });
  }
});

test("a refusal as a whole stream is one event or an array of one", () => {
  const denial = { code: "cost_cap", detail: "At most 2 cents." } as const;
  const error = JSON.stringify(geminiDialect.renderError(denial, "r"));
  assert.equal(Buffer.from(geminiDialect.renderErrorStream(denial, "r", "sse")).toString(), `data: ${error}\r\n\r\n`);
  assert.deepEqual(JSON.parse(Buffer.from(geminiDialect.renderErrorStream(denial, "r", "json-array")).toString()), [JSON.parse(error)]);
});

test("the SDK raises a refusal that comes as a stream", async () => {
  await serving(geminiDialect.renderErrorStream({ code: "overloaded" }, "r", "sse"), async (baseUrl) => {
    const google = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl } });
    await assert.rejects(
      async () => {
        for await (const _ of await google.models.generateContentStream({ model: "m", contents: "x" }));
      },
      (error) => error instanceof ApiError && error.status === 503,
    );
  });
});

test("no credential, payer or field mask of the caller's is forwarded", () => {
  for (const name of ["authorization", "x-goog-api-key", "x-goog-user-project", "x-goog-fieldmask", "cookie"]) {
    assert(!geminiDialect.forwardedHeaders.includes(name));
  }
});
