import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { DENIAL_CODES, DENIALS } from "../core/denials.ts";
import { anthropicDialect } from "./anthropic-dialect.ts";

test("every refusal is raised by the SDK with its status, type, message and code, whole or as a stream", async () => {
  let streamed = false;
  let code = DENIAL_CODES[0] ?? "internal";
  const server = createServer((request, response) => {
    request.resume();
    const denial = { code, detail: "Say why." };
    if (streamed) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(anthropicDialect.renderErrorStream(denial, "req-1", "sse"));
    } else {
      response.writeHead(DENIALS[code].status, { "content-type": "application/json" });
      response.end(JSON.stringify(anthropicDialect.renderError(denial, "req-1")));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert(address !== null && typeof address === "object");
  const client = new Anthropic({ apiKey: "k", baseURL: `http://127.0.0.1:${address.port}`, maxRetries: 0 });
  try {
    for (code of DENIAL_CODES) {
      for (streamed of [false, true]) {
        const call = streamed
          ? client.messages.stream({ model: "m", max_tokens: 1, messages: [] }).finalMessage()
          : client.messages.create({ model: "m", max_tokens: 1, messages: [] });
        await assert.rejects(call, (error: unknown) => {
          assert(error instanceof Anthropic.APIError);
          assert.equal(error.status, streamed ? undefined : DENIALS[code].status);
          assert.equal(error.type, DENIALS[code].anthropic);
          assert.equal(error.errorCode, code);
          assert.equal(error.apiMessage, "Say why.");
          return true;
        });
      }
    }
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
