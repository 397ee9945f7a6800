/** Data protection through a real Envoy: values that an answer or a request parts over blocks, and what no rule can look into. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { assertSubset } from "../support/subset.ts";

let gateway: Gateway;
const policy = `
apiVersion: sluice/v1
version: "protection.1"
providers:
  openai: { format: openai, baseUrl: "\${SIM}/v1", credential: { env: SIM_KEY } }
  anthropic: { format: anthropic, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
models:
  gpt-4o-mini: { targets: [{ provider: openai, model: gpt-4o-mini }] }
  gpt-image-1: { targets: [{ provider: openai, model: gpt-image-1 }] }
  claude-haiku-4-5: { targets: [{ provider: anthropic, model: claude-haiku-4-5 }] }
tenants:
  acme: { apps: { bot: { credentials: [{ apiKey: { id: k1, sha256: "\${KEY:acme/bot}" } }], useCases: [masks, strict] } } }
useCases:
  masks: { access: { models: ["*"], operations: [chat, image] }, redact: { profile: own, profiles: { own: { entities: { email: mask }, answers: { email: mask } } } } }
  strict: { access: { models: ["*"] }, redact: { unread: { "*": refuse, image: allow } } }
`;
before(async () => {
  gateway = await startGateway({ policy });
});
after(() => gateway.stop());

async function call(path: string, useCase: string, body: object | FormData) {
  const answer = await fetch(gateway.url + path, {
    method: "POST",
    headers: {
      authorization: `Bearer ${gateway.key()}`,
      "x-ai-use-case": useCase,
      "anthropic-version": "2023-06-01",
      ...(body instanceof FormData ? {} : { "content-type": "application/json" }),
    },
    body: body instanceof FormData ? body : JSON.stringify(body),
  });
  const text = await answer.text();
  const record = await gateway.record(answer.headers.get("x-ai-request-id") ?? "");
  const found = record.stages.flatMap(({ stage, evidence }) => (stage === "redact" ? (evidence?.found ?? []) : []));
  return { status: answer.status, text, record, found };
}
const sse = (...events: readonly (readonly [string, object])[]): string =>
  events.map(([type, more]) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`).join("");

test("a value that an answer parts over two blocks leaves in neither, streamed and whole", async () => {
  const halves = ["write to jane.do", "e@corp.com today"];
  const stream = sse(
    [
      "message_start",
      {
        message: {
          id: "m",
          type: "message",
          role: "assistant",
          model: "claude-haiku-4-5",
          content: [],
          usage: { input_tokens: 1, output_tokens: 1 },
        },
      },
    ],
    ...halves.flatMap((text, index) => [
      ["content_block_start", { index, content_block: { type: "text", text: "" } }] as const,
      ["content_block_delta", { index, delta: { type: "text_delta", text } }] as const,
      ["content_block_stop", { index }] as const,
    ]),
    ["message_delta", { delta: { stop_reason: "end_turn" }, usage: { output_tokens: 9 } }],
    ["message_stop", {}],
  );
  const whole = JSON.stringify({
    ...{ id: "m", type: "message", role: "assistant", model: "claude-haiku-4-5", stop_reason: "end_turn" },
    content: halves.map((text) => ({ type: "text", text })),
    usage: { input_tokens: 1, output_tokens: 9 },
  });
  for (const streaming of [true, false]) {
    // Each event in a chunk of its own.
    const chunks = streaming ? stream.split(/(?<=\n\n)/) : [whole];
    const type = streaming ? "text/event-stream" : "application/json";
    gateway.simulator.respondWith(() => ({ status: 200, headers: { "content-type": type }, chunks }));
    const ask = { model: "claude-haiku-4-5", max_tokens: 99, stream: streaming, messages: [{ role: "user", content: "go" }] };
    const { text, record, found } = await call("/v1/messages", "masks", ask);
    assert.match(text, /write to <EMAIL.*> today/s);
    assert.doesNotMatch(text, /jane|corp\.com/);
    assert.equal(record.ending, "served");
    assertSubset(found, [{ entity: "email", place: "content", action: "mask", count: 1 }]);
  }
});

test("a file of text in a form is read; what cannot be looked into is refused where the policy says so, and recorded", async () => {
  const form = new FormData();
  form.set("model", "gpt-image-1");
  form.set("prompt", "blue");
  form.set("image", new Blob(["<svg><text>jane.doe@corp.com</text></svg>"], { type: "image/svg+xml" }), "a.svg");
  let sent = "";
  gateway.simulator.respondWith(({ body }) => {
    sent = Buffer.from(body).toString();
    return { status: 200, headers: { "content-type": "application/json" }, chunks: ['{"created":1,"data":[]}'] };
  });
  assert.equal((await call("/v1/images/edits", "masks", form)).status, 200);
  assert.match(sent, /<svg><text><EMAIL><\/text><\/svg>/);

  const ask = (bytes: string) => ({
    model: "gpt-4o-mini",
    messages: [
      {
        role: "user",
        content: [
          {
            type: "file",
            file: { filename: "a.png", file_data: `data:image/png;base64,${Buffer.from(bytes, "latin1").toString("base64")}` },
          },
        ],
      },
    ],
  });
  const refused = await call("/v1/chat/completions", "strict", ask("%PDF-1.7\n\x01"));
  assert.equal(refused.status, 400);
  assert.match(refused.text, /cannot be looked into: document\..*content_blocked/s);
  assertSubset(refused.found, [{ entity: "unread_document", action: "refuse", count: 1 }]);
  const passed = await call("/v1/chat/completions", "strict", ask("\x89PNG\r\n\x1a\n"));
  assert.equal(passed.status, 200);
  assertSubset(passed.found, [{ entity: "unread_image", action: "allow", count: 1 }]);
});
