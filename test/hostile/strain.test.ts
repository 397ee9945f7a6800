/**
 * What large and hostile input does to the process: nothing else waits for it, and nothing of it stays. The process is one of its
 * own, and says in CPU time how long it ran without a turn of its event loop, so that a busy machine makes no difference.
 */
import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { jsonEvent } from "../../src/codecs/shared/aws-eventstream.ts";
import { type ChildGateway, startChildGateway } from "../support/child-gateway.ts";
import { BASIC_POLICY } from "../support/gateway.ts";

const MIB = 1024 * 1024;
/** Longest that one exchange may keep the others waiting, milliseconds. */
const STALL_MS_MAX = 50;
/** A full collection, or a neighbour on the same core, may fall into a run; what is long by itself is long each time. */
const TRIES = 4;

const POLICY = BASIC_POLICY.replace('tools: { allow: ["get_*"] }', 'tools: { allow: ["*"] }').replace(
  "outputTokensMax: 500",
  "outputTokensMax: 400",
);

let gateway: ChildGateway;
before(async () => {
  gateway = await startChildGateway({ policy: POLICY, probe: true, requestsKept: 2, env: { SLUICE_LOG_LEVEL: "warn" } });
});
after(() => gateway.stop());

const repeated = (count: number, item: (index: number) => string): string => Array.from({ length: count }, (_, at) => item(at)).join(",");
const chat = (messages: string, more = ""): string => `{"model":"gpt-4o-mini","messages":[${messages}]${more}}`;
const short = '{"role":"user","content":"hi"}';

/** Bodies within the caps that cost the most of their kind, and some beyond them. A cap of the policy is written into each that passes. */
const BODIES: readonly { readonly name: string; readonly path?: string; readonly body: () => string | Buffer; readonly status: number }[] =
  [
    { name: "100,000 messages", body: () => chat(repeated(100_000, (at) => `{"role":"user","content":"m${at}"}`)), status: 200 },
    { name: "690,000 empty messages", body: () => chat(repeated(690_000, () => "{}")), status: 200 },
    { name: "10,000 tools", body: () => chat(short, `,"tools":[${repeated(10_000, tool)}]`), status: 200 },
    { name: "190,000 members at the root", body: () => chat(short, `,${repeated(190_000, (at) => `"k${at}":""`)}`), status: 200 },
    { name: "more members than may be", body: () => chat(short, `,${repeated(210_000, (at) => `"k${at}":""`)}`), status: 400 },
    { name: "more values than may be", body: () => chat(short, `,"x":[${repeated(1_000_000, () => "0")}]`), status: 400 },
    { name: "a text of 20 MB", body: () => chat(`{"role":"user","content":"${"é".repeat(10 * MIB)}"}`), status: 200 },
    { name: "20 MB of escapes", body: () => chat(`{"role":"user","content":"${"\\u00e9".repeat(3.3 * MIB)}"}`), status: 200 },
    { name: "depth 10,000", body: () => chat(short, `,"x":${"[".repeat(10_000)}${"]".repeat(10_000)}`), status: 400 },
    { name: "50 MB", body: () => Buffer.alloc(50 * MIB, "x"), status: 413 },
    {
      // Twice the 300,000 tokens of all inputs that OpenAI takes in one call.
      name: "embeddings of 600,000 tokens in 2,000 lists",
      path: "/v1/embeddings",
      body: () =>
        `{"model":"text-embedding-3-small","dimensions":8,"input":[${repeated(2_000, () => `[${repeated(300, (at) => String(at))}]`)}]}`,
      status: 200,
    },
    {
      name: "Anthropic, 100,000 messages of blocks",
      path: "/v1/messages",
      body: () =>
        `{"model":"claude-haiku-4-5","messages":[${repeated(100_000, () => '{"role":"user","content":[{"type":"text","text":"m"}]}')}]}`,
      status: 200,
    },
    {
      name: "Responses, 200,000 items",
      path: "/v1/responses",
      body: () => `{"model":"gpt-4o-mini","store":false,"input":[${repeated(200_000, () => short)}]}`,
      status: 200,
    },
    {
      name: "Gemini, 100,000 contents",
      path: "/v1beta/models/gemini-2.5-flash:generateContent",
      body: () => `{"contents":[${repeated(100_000, () => '{"role":"user","parts":[{"text":"m"}]}')}]}`,
      status: 200,
    },
  ];

function tool(at: number): string {
  return `{"type":"function","function":{"name":"get_${at}","parameters":{"type":"object"}}}`;
}

async function send(path: string, body: string | Buffer): Promise<number> {
  const answer = await fetch(`${gateway.url}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.key()}`, "content-type": "application/json" },
    body: typeof body === "string" ? body : new Uint8Array(body),
  });
  await answer.arrayBuffer();
  return answer.status;
}

/** Some try of a few ends with no run of the process as long as may not be; what `call` asserts holds at each. */
async function staysCalm(t: TestContext, { probe }: Pick<typeof gateway, "probe">, call: () => Promise<void>): Promise<void> {
  const runs: number[] = [];
  while (runs.length < TRIES && runs.every((ms) => ms >= STALL_MS_MAX)) {
    await probe();
    await sleep(20);
    await call();
    runs.push(Math.round((await probe()).longestRunMs));
  }
  t.diagnostic(`${runs.join(", ")} ms`);
  assert.ok(Math.min(...runs) < STALL_MS_MAX, `the process ran for ${runs.join(", ")} ms without a turn`);
}

test("code is warm", async () => {
  for (let round = 0; round < 30; round++) assert.equal(await send("/v1/chat/completions", chat(short)), 200);
  for (const { path = "/v1/chat/completions", body, status } of BODIES) assert.equal(await send(path, body()), status);
});

for (const { name, path = "/v1/chat/completions", body, status } of BODIES) {
  test(`nothing waits long for ${name}`, async (t) => {
    await staysCalm(t, gateway, async () => {
      assert.equal(await send(path, body()), status);
    });
  });
}

test("nothing waits long for the first answer without a usage, which is counted here", async (t) => {
  const own = await startChildGateway({ policy: POLICY, probe: true, env: { SLUICE_LOG_LEVEL: "warn" } });
  t.after(() => own.stop());
  const headers = { authorization: `Bearer ${own.key()}`, "content-type": "application/json" };
  const ask = async (): Promise<string | null> => {
    const answer = await fetch(`${own.url}/v1/chat/completions`, { method: "POST", headers, body: chat(short) });
    await answer.arrayBuffer();
    return answer.headers.get("x-ai-usage");
  };
  for (let round = 0; round < 10; round++) await ask();
  own.simulator.respondWith(() => ({
    status: 200,
    headers: { "content-type": "application/json" },
    chunks: [completion('"The first words of all."').replace(/,"usage".*/, "}")],
  }));
  await own.probe();
  await sleep(20);
  assert.match((await ask()) ?? "", /estimated/);
  const { longestRunMs } = await own.probe();
  t.diagnostic(`${Math.round(longestRunMs)} ms`);
  assert.ok(longestRunMs < STALL_MS_MAX, `the process ran for ${longestRunMs} ms without a turn`);
});

/** Whole answers that cost the most of their kind. The usage counts wherever the answer can be read at all. */
const ANSWERS: readonly { readonly name: string; readonly body: () => string; readonly usage: boolean }[] = [
  { name: "30 MB of text", body: () => completion(`"${"word é\\n".repeat(3_300_000)}"`), usage: true },
  { name: "30 MB of numbers", body: () => completion('"x"', `"extra":[${"-0.01234567,".repeat(2_500_000)}0]`), usage: true },
  { name: "2,900,000 empty objects", body: () => completion('"x"', `"extra":[${"{},".repeat(2_900_000)}0]`), usage: true },
  { name: "30 MB of more values than are read", body: () => completion('"x"', `"extra":[${"0,".repeat(15_000_000)}0]`), usage: false },
  { name: "30 MB that are no JSON", body: () => "[".repeat(30_000_000), usage: false },
];
const completion = (content: string, more = '"extra":0', said = ""): string =>
  `{"id":"c","object":"chat.completion","created":1,"model":"gpt-4o-mini",${more},"choices":[{"index":0,"message":{"role":"assistant","content":${content}${said}},"finish_reason":"stop"}],"usage":{"prompt_tokens":777,"completion_tokens":5,"total_tokens":782}}`;

for (const { name, body, usage } of ANSWERS) {
  test(`nothing waits long for an answer of ${name}`, async (t) => {
    const chunks = [body()];
    gateway.simulator.respondWith((request) =>
      request.path.endsWith("/chat/completions") ? { status: 200, headers: { "content-type": "application/json" }, chunks } : undefined,
    );
    t.after(() => gateway.simulator.respondWith(() => undefined));
    await staysCalm(t, gateway, async () => {
      const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${gateway.key()}`, "content-type": "application/json" },
        body: chat(short),
      });
      assert.equal(answer.status, 200);
      assert.equal(await answer.text(), chunks[0]);
      assert.equal(answer.headers.get("x-ai-usage")?.includes("input=777"), usage);
    });
  });
}

const piece = (content: string, more = '"extra":0'): string =>
  `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini",${more},"choices":[{"index":0,"delta":{"content":${content}},"finish_reason":null}]}\n\n`;
const STREAM_END = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":777,"completion_tokens":5,"total_tokens":782}}\n\ndata: [DONE]\n\n`;

/** Streams whose single lines, or whose single pieces, cost the most of their kind. */
const STREAMS: readonly { readonly name: string; readonly events: () => string }[] = [
  { name: "a line of 10 MB of text", events: () => piece(`"${"word é\\n".repeat(1_200_000)}"`) },
  { name: "a line of 1,000,000 objects", events: () => piece('"x"', `"extra":[${'{"a":1},'.repeat(1_000_000)}0]`) },
  { name: "a line of 3,000,000 strings", events: () => piece('"x"', `"extra":[${'"ab",'.repeat(3_000_000)}0]`) },
  { name: "a line of more values than are read", events: () => piece('"x"', `"extra":[${"0,".repeat(7_500_000)}0]`) },
  { name: "a line of 15 MB that is no JSON", events: () => `data: ${"[".repeat(15_000_000)}\n\n` },
  { name: "an event of 140,000 lines", events: () => `${`data: ${"x".repeat(100)}\n`.repeat(140_000)}\n` },
  { name: "1,000,000 blank lines", events: () => "\n".repeat(1_000_000) },
  { name: "300,000 events without texts", events: () => "data: {}\n\n".repeat(300_000) },
];

for (const { name, events } of STREAMS) {
  test(`nothing waits long for a stream of ${name}`, async (t) => {
    const chunks = [events(), STREAM_END];
    gateway.simulator.respondWith((request) =>
      request.path.endsWith("/chat/completions") ? { status: 200, headers: { "content-type": "text/event-stream" }, chunks } : undefined,
    );
    t.after(() => gateway.simulator.respondWith(() => undefined));
    await staysCalm(t, gateway, async () => {
      const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${gateway.key()}`, "content-type": "application/json" },
        body: chat(short, ',"stream":true,"stream_options":{"include_usage":true}'),
      });
      assert.equal(await answer.text(), chunks.join(""));
    });
  });
}

const REDACTING =
  "redact: { profile: own, profiles: { own: { entities: { email: mask, phone: mask }, answers: { email: mask, phone: mask } } } }";
const FRAMED_POLICY = POLICY.replace(
  "models:",
  `  cohere: { format: cohere, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
  bedrock: { format: bedrock, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
models:
  whisper-1: { targets: [{ provider: openai, model: whisper-1 }], price: { second: "0.0001" } }
  command-a: { targets: [{ provider: cohere, model: command-a-03-2025 }], price: { input: "2.5", output: "10" } }
  nova: { targets: [{ provider: bedrock, model: "amazon.nova-lite-v1:0" }], price: { input: "1", output: "1" } }`,
).replace("access: { models: [", "access: { operations: [chat, audio], models: [whisper-1, command-a, nova, ");
const long = JSON.stringify("word é\n".repeat(1_200_000));
const objects = (count: number): string => `[${'{"a":1},'.repeat(count)}0]`;
const converseEvent = (text: string, more = ""): Uint8Array =>
  jsonEvent("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":${text}}${more}}`);
const geminiChunk = (text: string, more = ""): string =>
  `{"candidates":[{"content":{"role":"model","parts":[{"text":${text}}]},"index":0}]${more}}`;
const bedrock = {
  path: "/model/nova/converse-stream",
  type: "application/vnd.amazon.eventstream",
  body: '{"messages":[{"role":"user","content":[{"text":"hi"}]}]}',
};
const invoke = { ...bedrock, path: "/model/nova/invoke-with-response-stream" };
const gemini = {
  path: "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
  type: "application/json",
  body: '{"contents":[{"parts":[{"text":"hi"}]}]}',
};
const lines = { path: "/v1/chat", type: "application/stream+json", body: '{"model":"command-a","message":"hi","stream":true}' };
const whole = { path: "/v1/chat/completions", type: "application/json", body: chat(short, ',"stream":true') };
const chunkOf = (json: string): Uint8Array => jsonEvent("chunk", JSON.stringify({ bytes: Buffer.from(json).toString("base64") }));

/** Streams in other framings, and whole answers where a stream was asked for. */
const FRAMED: readonly {
  readonly name: string;
  readonly path: string;
  readonly type: string;
  readonly body: string;
  readonly answer: () => string | Uint8Array;
}[] = [
  { ...bedrock, name: "Converse, 10 MB of text", answer: () => converseEvent(long) },
  { ...bedrock, name: "Converse, 450,000 objects", answer: () => converseEvent('"x"', `,"extra":${objects(450_000)}`) },
  { ...bedrock, name: "Converse, 15 MB that are no JSON", answer: () => jsonEvent("contentBlockDelta", "[".repeat(15_000_000)) },
  { ...bedrock, name: "Converse, 100,000 events", answer: () => Buffer.concat(new Array(100_000).fill(converseEvent('"x"'))) },
  { ...invoke, name: "InvokeModel, 8 MB of text", answer: () => chunkOf(`{"outputText":${long}}`) },
  { ...invoke, name: "InvokeModel, 300,000 objects", answer: () => chunkOf(`{"outputText":"x","extra":${objects(300_000)}}`) },
  { ...gemini, name: "Gemini's array, 10 MB of text", answer: () => `[${geminiChunk(long)},\n${geminiChunk('"x"')}]` },
  { ...gemini, name: "Gemini's array, 450,000 objects", answer: () => `[${geminiChunk('"x"', `,"extra":${objects(450_000)}`)}]` },
  { ...gemini, name: "Gemini's array, 300,000 elements", answer: () => `[${"{},".repeat(300_000)}{}]` },
  {
    ...gemini,
    name: "Gemini's array, 500,000 parts",
    answer: () => `[{"candidates":[{"content":{"parts":[${'{"text":"a"},'.repeat(500_000)}{"text":"a"}]}}]}]`,
  },
  { ...lines, name: "Cohere's lines, 10 MB of text", answer: () => `{"event_type":"text-generation","text":${long}}\n` },
  { ...lines, name: "Cohere's lines, 300,000 of them", answer: () => "{}\n".repeat(300_000) },
  { ...whole, name: "a whole body of 2,500,000 objects", answer: () => completion('"x"', `"extra":${objects(2_500_000)}`) },
  { ...whole, name: "a whole body of 300,000 choices", answer: () => `{"choices":[${'{"message":{"content":"hi"}},'.repeat(300_000)}{}]}` },
];

test("nothing waits long for streams in other framings, guarded or not", async (t) => {
  for (const [name, policy] of [
    ["plain", FRAMED_POLICY.replace(/caps: .*/, "mode: enforce")],
    ["guarded", FRAMED_POLICY.replace(/caps: .*/, REDACTING)],
  ] as const) {
    const framed = await startChildGateway({ policy, probe: true, requestsKept: 2, env: { SLUICE_LOG_LEVEL: "warn" } });
    t.after(() => framed.stop());
    const ask = async ({ path, type, body, answer }: Omit<(typeof FRAMED)[number], "name">): Promise<Buffer> => {
      const chunks = [answer()];
      framed.simulator.respondWith(() => ({ status: 200, headers: { "content-type": type }, chunks }));
      const headers = { authorization: `Bearer ${framed.key()}`, "content-type": "application/json" };
      const answered = await fetch(`${framed.url}${path}`, { method: "POST", headers, body });
      assert.equal(answered.status, 200);
      const said = Buffer.from(await answered.arrayBuffer());
      assert.ok(said.equals(Buffer.from(chunks[0] ?? "")), `${said.length} bytes: ${said.subarray(0, 300)}`);
      return said;
    };
    for (const one of [bedrock, invoke]) for (let round = 0; round < 10; round++) await ask({ ...one, answer: () => converseEvent('"x"') });
    for (let round = 0; round < 10; round++) await ask({ ...gemini, answer: () => `[${geminiChunk('"x"')}]` });
    for (const item of FRAMED) await t.test(`${name}: ${item.name}`, (sub) => staysCalm(sub, framed, async () => void (await ask(item))));
    await framed.stop();
  }
});

const GUARDED_POLICY = BASIC_POLICY.replace("caps: { outputTokensMax: 500 }", REDACTING);
const MAIL = "a@example.com";
const INPUT = `{"a":[${'{"b":1},'.repeat(300_000)}"${MAIL}"]}`;

/** What rules that change texts make of large requests and answers. `gone`: the value is masked; else the answer is refused. */
const CHANGED: readonly {
  readonly name: string;
  readonly path?: string;
  readonly body?: () => string;
  readonly answer?: () => string;
  readonly events?: () => string;
  readonly refused?: true;
}[] = [
  { name: "a request of 20,000 values", body: () => chat(`{"role":"user","content":"${`mail ${MAIL} now `.repeat(20_000)}"}`) },
  {
    name: "a request of 20,000 messages with a value each",
    body: () => chat(repeated(20_000, (at) => `{"role":"user","content":"mail ${at}${MAIL} now"}`)),
  },
  { name: "an answer of 30 MB with one value", answer: () => completion(`"${"word é\\n".repeat(3_300_000)} ${MAIL}"`) },
  { name: "an answer of 20,000 values", answer: () => completion(`"${`mail ${MAIL} now `.repeat(20_000)}"`) },
  {
    name: "an answer of 19,000 further texts with a value each",
    answer: () => completion('"x"', `"extra":[${repeated(19_000, (at) => `"mail ${at}${MAIL}"`)}]`),
  },
  {
    name: "an answer of a value among more than can be followed",
    answer: () => completion(`"${MAIL}"`, `"extra":[${"{},".repeat(2_900_000)}0]`),
    refused: true,
  },
  {
    name: "Anthropic, arguments of 300,000 objects with one value",
    path: "/v1/messages",
    body: () =>
      `{"model":"claude-haiku-4-5","max_tokens":9,"messages":[${short}],"tools":[{"name":"get_it","input_schema":{"type":"object"}}]}`,
    answer: () =>
      `{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"tool_use","id":"t","name":"get_it","input":${INPUT}}],"stop_reason":"tool_use","usage":{"input_tokens":777,"output_tokens":1}}`,
  },
  { name: "a line of 3 MB of text with one value", events: () => piece(`"${"word é\\n".repeat(400_000)} ${MAIL}"`) },
  {
    name: "a line of a value among more than can be followed",
    events: () => piece(`"${MAIL}"`, `"extra":[${'{"a":1},'.repeat(300_000)}0]`),
    refused: true,
  },
  { name: "guarded, 300,000 events without texts", events: () => `${piece(`"${MAIL} "`)}${"data: {}\n\n".repeat(300_000)}` },
];

test("nothing waits long where rules change what is large", async (t) => {
  const guarded = await startChildGateway({ policy: GUARDED_POLICY, probe: true, requestsKept: 2, env: { SLUICE_LOG_LEVEL: "warn" } });
  t.after(() => guarded.stop());
  const ask = async ({ path = "/v1/chat/completions", body, answer, events }: (typeof CHANGED)[number]): Promise<string> => {
    const chunks = answer === undefined ? [events?.() ?? "", STREAM_END] : [answer()];
    guarded.simulator.respondWith(() =>
      answer === undefined && events === undefined
        ? undefined
        : { status: 200, headers: { "content-type": events === undefined ? "application/json" : "text/event-stream" }, chunks },
    );
    const answered = await fetch(`${guarded.url}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${guarded.key()}`, "content-type": "application/json" },
      body: body?.() ?? chat(short, events === undefined ? "" : ',"stream":true,"stream_options":{"include_usage":true}'),
    });
    return `${answered.status} ${await answered.text()}`;
  };
  for (let round = 0; round < 20; round++) await ask({ name: "", answer: () => completion(`"${MAIL}"`) });
  for (const item of CHANGED) {
    await t.test(item.name, async (sub) => {
      await staysCalm(sub, guarded, async () => {
        const said = await ask(item);
        assert.ok(!said.includes(MAIL) && said.startsWith(item.refused === true ? "400 " : "200 "), said.slice(0, 300));
        const masked = item.answer === undefined && item.events === undefined ? guarded.simulator.requests.at(-1)?.body.toString() : said;
        assert.equal(masked?.includes("<EMAIL>"), item.refused !== true);
      });
    });
  }
});

const called = (calls: readonly string[]): string =>
  completion(
    "null",
    '"extra":0',
    `,"tool_calls":[${calls.map((text, at) => `{"id":"c${at}","type":"function","function":{"name":"get_it","arguments":${JSON.stringify(text)}}}`).join(",")}]`,
  );
const calling = (text: string, at: number): string =>
  `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,${at === 0 ? '"id":"c0","type":"function",' : ""}"function":{${at === 0 ? '"name":"get_it",' : ""}"arguments":${JSON.stringify(text)}}}]},"finish_reason":null}]}\n\n`;
const pairs = (count: number): string => `{"a":[${'{"b":1},'.repeat(count)}{"b":2}]}`;

/** Arguments of calls that a policy has rules for, and texts that it has a schema for, at what is checked at most and beyond. */
const JUDGED: readonly { readonly name: string; readonly answer?: () => string; readonly events?: () => string; readonly says: string }[] =
  [
    { name: "arguments of 2,000,000 objects", answer: () => called([pairs(2_000_000)]), says: "403 tool_not_allowed" },
    { name: "arguments of as many values as are checked", answer: () => called([pairs(4_990)]), says: "200 pass" },
    { name: "arguments of 1 MB of text", answer: () => called([JSON.stringify({ a: "é\n".repeat(340_000) })]), says: "200 pass" },
    { name: "1,000 calls of 3,000 values each", answer: () => called(Array.from({ length: 1_000 }, () => pairs(1_490))), says: "200 pass" },
    {
      name: "streamed arguments of 300,000 objects",
      events: () =>
        pairs(300_000)
          .match(/.{1,50000}/g)
          ?.map(calling)
          .join("") ?? "",
      says: "403 tool_not_allowed",
    },
    {
      name: "streamed arguments of 15,000 pieces with a value to mask each",
      events: () => [`{"c":"`, ...Array.from({ length: 15_000 }, () => `mail ${MAIL} `), `"}`].map(calling).join(""),
      says: "200 pass",
    },
    {
      name: "a text of 300,000 objects that has a schema",
      answer: () => completion(JSON.stringify(pairs(300_000))),
      says: "400 content_blocked",
    },
    { name: "a text of as many values as are checked", answer: () => completion(JSON.stringify(pairs(4_990))), says: "200 pass" },
    {
      name: "100 choices of 10,000 values each",
      answer: () =>
        completion(JSON.stringify(pairs(1))).replace(
          /"choices":\[.*?\],"usage"/,
          () =>
            `"choices":[${repeated(100, (at) => `{"index":${at},"message":{"role":"assistant","content":${JSON.stringify(pairs(4_990))}},"finish_reason":"stop"}`)}],"usage"`,
        ),
      says: "200 pass",
    },
  ];
const ITEMS =
  "{ type: object, properties: { a: { items: { type: object, properties: { b: { type: number, maximum: 2 } }, additionalProperties: false } } } }";
const JUDGED_POLICY = GUARDED_POLICY.replace(
  'tools: { allow: ["get_*"] }',
  `tools: { allow: ["get_*"], arguments: [{ tool: "get_*", schema: ${ITEMS} }] }`,
).replace("redact:", `output: { schema: ${ITEMS} }\n    redact:`);

test("nothing waits long where large calls and texts are judged", async (t) => {
  const judging = await startChildGateway({ policy: JUDGED_POLICY, probe: true, requestsKept: 2, env: { SLUICE_LOG_LEVEL: "warn" } });
  t.after(() => judging.stop());
  const ask = async ({ answer, events }: Pick<(typeof JUDGED)[number], "answer" | "events">): Promise<string> => {
    const chunks = answer === undefined ? [events?.() ?? "", STREAM_END] : [answer()];
    const type = answer === undefined ? "text/event-stream" : "application/json";
    judging.simulator.respondWith(() => ({ status: 200, headers: { "content-type": type }, chunks }));
    const answered = await fetch(`${judging.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${judging.key()}`, "content-type": "application/json" },
      body: chat(short, `,"tools":[${tool(0)}]${answer === undefined ? ',"stream":true,"stream_options":{"include_usage":true}' : ""}`),
    });
    const text = await answered.text();
    assert.ok(!text.includes(MAIL));
    return `${answered.status} ${/"code":"(\w+)"/.exec(text)?.[1] ?? (answer === undefined || text.length === chunks[0]?.length ? "pass" : "changed")}`;
  };
  for (let round = 0; round < 20; round++) assert.equal(await ask({ answer: () => called([pairs(100)]) }), "200 pass");
  for (const item of JUDGED) {
    await t.test(item.name, (sub) =>
      staysCalm(sub, judging, async () => {
        assert.equal(await ask(item), item.says);
      }),
    );
  }
});

test("nothing of it stays: the heap is back within a tenth", async (t) => {
  const quiet = async (): Promise<number> => {
    await sleep(1_000);
    return (await gateway.probe()).heapBytes;
  };
  const round = async (): Promise<void> => {
    for (const { path = "/v1/chat/completions", body, status } of BODIES.filter((_body, at) => at % 2 === 0))
      assert.equal(await send(path, body()), status);
  };
  await round();
  const before = await quiet();
  for (let rounds = 0; rounds < 2; rounds++) await round();
  const after = await quiet();
  t.diagnostic(`${(before / MIB).toFixed(1)} MiB before, ${(after / MIB).toFixed(1)} MiB after`);
  assert.ok(after < before * 1.1, `${(before / MIB).toFixed(1)} MiB before, ${(after / MIB).toFixed(1)} MiB after`);
});
