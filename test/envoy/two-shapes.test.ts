/**
 * Calls that can be read in two ways, through a real Envoy, in event streams, AWS's frames and JSON arrays: told otherwise once more, with a key
 * written twice, where no call belongs, or going on behind their end. None of them reaches the caller.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { jsonEvent } from "../../src/codecs/shared/aws-eventstream.ts";
import type { Json } from "../../src/core/json.ts";
import * as make from "../support/dialects.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";

let gateway: Gateway;
before(async () => {
  gateway = await startGateway({
    policy: `
apiVersion: sluice/v1
version: "two-shapes.1"
providers:
  openai: { format: openai, baseUrl: "\${SIM}/v1", credential: { env: SIM_KEY } }
  anthropic: { format: anthropic, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
  gemini: { format: gemini, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
  cohere: { format: cohere, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
  aws: { format: bedrock, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
models:
  gpt-4o-mini: { targets: [{ provider: openai, model: gpt-4o-mini }] }
  claude-haiku-4-5: { targets: [{ provider: anthropic, model: claude-haiku-4-5 }] }
  gemini-2.5-flash: { targets: [{ provider: gemini, model: gemini-2.5-flash }] }
  command-r: { targets: [{ provider: cohere, model: command-r }] }
  claude: { targets: [{ provider: aws, model: "anthropic.claude-3-haiku-20240307-v1:0" }] }
  prompted: { targets: [{ provider: aws, model: "arn:aws:bedrock:us-east-1:123456789012:prompt/PROMPT12345:1" }] }
tenants:
  acme: { apps: { bot: { credentials: [{ apiKey: { id: k1, sha256: "\${KEY:acme/bot}" } }], useCases: [agent] } } }
useCases:
  agent: { access: { models: ["*"], tools: { allow: [look], arguments: [{ tool: look, schema: { properties: { n: { type: number, maximum: 1 } } } }] } } }
`,
  });
});
after(() => gateway.stop());

const function_ = { type: "function", function: { name: "look", parameters: { type: "object" } } };
const say = [{ role: "user", content: "go" }];
const ASKS = {
  chat: ["/v1/chat/completions", { model: "gpt-4o-mini", stream: true, messages: say, tools: [function_] }],
  responses: [
    "/v1/responses",
    {
      model: "gpt-4o-mini",
      stream: true,
      input: "go",
      store: false,
      tools: [{ type: "function", name: "look", parameters: {}, strict: false }],
    },
  ],
  messages: [
    "/v1/messages",
    { model: "claude-haiku-4-5", max_tokens: 9, stream: true, messages: say, tools: [{ name: "look", input_schema: { type: "object" } }] },
  ],
  gemini: [
    "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
    { contents: [{ role: "user", parts: [{ text: "go" }] }], tools: [{ functionDeclarations: [{ name: "look" }] }] },
  ],
  cohere: [
    "/v1/chat",
    { model: "command-r", message: "go", stream: true, tools: [{ name: "look", description: "looks", parameter_definitions: {} }] },
  ],
  converse: [
    "/model/claude/converse-stream",
    {
      messages: [{ role: "user", content: [{ text: "go" }] }],
      toolConfig: { tools: [{ toolSpec: { name: "look", inputSchema: { json: {} } } }] },
    },
  ],
  prompted: ["/model/prompted/converse-stream", { promptVariables: { topic: { text: "go" } } }],
  invoke: [
    "/model/claude/invoke-with-response-stream",
    {
      ...{ anthropic_version: "bedrock-2023-05-31", max_tokens: 9 },
      ...{ messages: say, tools: [{ name: "look", input_schema: { type: "object" } }] },
    },
  ],
} as const satisfies Record<string, readonly [string, object]>;

async function ask(surface: keyof typeof ASKS, type: string, body: Buffer) {
  // In two pieces, so that an event is cut.
  const cut = Math.floor(body.length / 2);
  gateway.simulator.respondWith(() => ({
    status: 200,
    headers: { "content-type": type },
    chunks: [body.subarray(0, cut), body.subarray(cut)],
  }));
  const [path, asked] = ASKS[surface];
  const answer = await fetch(gateway.url + path, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-goog-api-key": gateway.key(),
      "x-ai-use-case": "agent",
      "anthropic-version": "2023-06-01",
    },
    body: JSON.stringify(asked),
  });
  const bytes = Buffer.from(await answer.arrayBuffer()).toString("latin1");
  const text = bytes.replaceAll(/"bytes":"([^"]*)"/g, (_all, inner: string) => Buffer.from(inner, "base64").toString());
  return { text, code: (await gateway.record(answer.headers.get("x-ai-request-id") ?? "")).code };
}

const ONE = [{ id: 1, goes: false }];
const LINES = "application/stream+json";
const FRAMES = "application/vnd.amazon.eventstream";
const lines = (events: readonly Json[]): Buffer => Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(""));
const converse = (events: readonly (readonly [string, Json])[]): Buffer =>
  Buffer.concat(events.map(([type, payload]) => jsonEvent(type, JSON.stringify(payload))));
/** A piece of text of a JSON stream is written otherwise, wherever it stands from `from` on. */
const twice = (bytes: Buffer, what: string, instead: string): Buffer => {
  const text = bytes.toString();
  assert.ok(text.includes(what), what);
  return Buffer.from(text.replace(what, instead));
};
const rest = (text: string, from: string, change: (tail: string) => string): Buffer => {
  const at = text.indexOf(from);
  assert.ok(at > 0, from);
  return Buffer.from(text.slice(0, at) + change(text.slice(at)));
};
const other = (tail: string): string => tail.replaceAll('n\\":1', 'n\\":7').replaceAll('"n":1', '"n":7');
const chunk = (text: string): Buffer => Buffer.from(jsonEvent("chunk", JSON.stringify({ bytes: Buffer.from(text).toString("base64") })));

const responses = make.sse(...make.responseEvents("hi", ONE));
const cohere = lines(make.v1Events("hi", ONE));
const gemini = make.json(make.geminiChunks("hi", ONE));
const chat = make.sse(...make.chatChunks("hi", ONE));
const messages = make.named(...make.messageEvents("hi", ONE));
const late = { index: 0, function: { arguments: ',"n":7}' } };
const stray = { type: "tool_use", id: "t", name: "wipe", input: {} };
const TABLE: readonly (readonly [name: string, surface: keyof typeof ASKS, type: string, body: Buffer])[] = [
  [
    "a response whose end has other arguments",
    "responses",
    "text/event-stream",
    rest(responses.toString(), '{"type":"response.completed', other),
  ],
  [
    "an item that is done with other arguments",
    "responses",
    "text/event-stream",
    rest(responses.toString(), '{"type":"response.function_call_arguments.done', other),
  ],
  [
    "a response that begins with a call",
    "responses",
    "text/event-stream",
    twice(responses, '"output":[]', '"output":[{"type":"function_call","call_id":"x","name":"wipe","arguments":"{}"}]'),
  ],
  [
    "Cohere's whole calls have other arguments",
    "cohere",
    LINES,
    rest(cohere.toString(), '{"is_finished":false,"event_type":"tool-calls-generation', other),
  ],
  [
    "Cohere's history has another call",
    "cohere",
    LINES,
    rest(cohere.toString(), '"chat_history"', (tail) => tail.replaceAll('"look"', '"wipe"')),
  ],
  ["an array whose call has its arguments twice", "gemini", "application/json", twice(gemini, '"args":{', '"args":{"n":7},"args":{')],
  [
    "an array with a call beside its parts",
    "gemini",
    "application/json",
    twice(gemini, '"role":"model"', '"role":"model","functionCall":{"name":"wipe","args":{}}'),
  ],
  ["a chunk whose call has its name twice", "chat", "text/event-stream", twice(chat, '"name":"look"', '"name":"wipe","name":"look"')],
  [
    "a call that goes on behind its end",
    "chat",
    "text/event-stream",
    twice(
      chat,
      'data: {"id":"c","choices":[],',
      `data: ${JSON.stringify({ choices: [{ index: 0, delta: { tool_calls: [late] } }] })}\n\ndata: {"id":"c","choices":[],`,
    ),
  ],
  [
    "a message that begins with a call",
    "messages",
    "text/event-stream",
    twice(messages, '"content":[]', `"content":[${JSON.stringify(stray)}]`),
  ],
  [
    "a frame of Converse's with a call beside another",
    "converse",
    FRAMES,
    converse([
      ...make.converseEvents("hi", ONE).slice(0, -2),
      ["messageStop", { stopReason: "tool_use", toolUse: { name: "wipe", input: {} } }],
    ]),
  ],
  [
    "a frame of Converse's with a key twice",
    "converse",
    FRAMES,
    Buffer.concat([
      converse(make.converseEvents("hi", []).slice(0, 3)),
      Buffer.from(
        jsonEvent("contentBlockStart", '{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t","name":"wipe","name":"look"}}}'),
      ),
      converse(make.converseEvents("hi", []).slice(3)),
    ]),
  ],
  [
    "a chunk of InvokeModel's that begins with a call",
    "invoke",
    FRAMES,
    Buffer.concat(
      make
        .messageEvents("hi", ONE)
        .map((event) => chunk(JSON.stringify(event).replace('"content":[]', `"content":[${JSON.stringify(stray)}]`))),
    ),
  ],
  [
    "a chunk of InvokeModel's with a key twice",
    "invoke",
    FRAMES,
    Buffer.concat(
      make.messageEvents("hi", ONE).map((event) => chunk(JSON.stringify(event).replace('"name":"look"', '"name":"wipe","name":"look"'))),
    ),
  ],
];

test("calls that are told once, in one way, pass in every framing", async () => {
  const invoke = make.chunks(...make.messageEvents("hi", ONE), make.METRICS);
  for (const [surface, type, body] of [
    ["responses", "text/event-stream", responses],
    ["cohere", LINES, cohere],
    ["gemini", "application/json", gemini],
    ["chat", "text/event-stream", chat],
    ["messages", "text/event-stream", messages],
    ["converse", FRAMES, converse(make.converseEvents("hi", ONE))],
    ["invoke", FRAMES, invoke],
  ] as const) {
    const { text, code } = await ask(surface, type, body);
    assert.deepEqual([surface, code], [surface, undefined]);
    assert.match(text, /"look"/);
  }
});

for (const [name, surface, type, body] of TABLE)
  test(name, async () => {
    const { text, code } = await ask(surface, type, body);
    assert.equal(code, "content_blocked");
    assert.doesNotMatch(text, /wipe|n\\?":\s*7/);
  });

test("a prompt that Bedrock keeps brings tools that no request offers: its calls are judged where the model makes them", async () => {
  const calls = (goes: boolean): Buffer => converse(make.converseEvents("hi", [{ id: 1, goes }]));
  const passed = await ask("prompted", FRAMES, calls(false));
  assert.equal(passed.code, undefined);
  assert.match(passed.text, /"look"/);
  const refused = await ask("prompted", FRAMES, calls(true));
  assert.equal(refused.code, "tool_not_allowed");
  assert.doesNotMatch(refused.text, /"wipe"/);
});
