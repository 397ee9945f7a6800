import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { after, afterEach, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { type SimulatedRequest, type Simulator, startSimulator } from "./server.ts";

let simulator: Simulator;
before(async () => {
  simulator = await startSimulator({ requestsKept: 50 });
});
afterEach(() => simulator.respondWith(undefined));
after(async () => {
  await simulator.close();
});

interface Got {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
  /** The connection broke before the answer was whole. */
  readonly broken: boolean;
  readonly ms: number;
}

/** node:http instead of fetch: it neither decompresses nor hides a broken body. */
async function post(path: string, body: unknown, leaveAfter?: (sofar: string) => boolean): Promise<Got> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const request = httpRequest(simulator.url + path, { method: "POST", agent: false }, (response) => {
      const chunks: Buffer[] = [];
      const done = (broken: boolean): void =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks),
          broken,
          ms: performance.now() - started,
        });
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        if (leaveAfter?.(Buffer.concat(chunks).toString()) === true) request.destroy();
      });
      response.on("end", () => done(false));
      response.on("error", () => done(true));
    });
    request.on("error", reject);
    request.end(typeof body === "string" ? body : JSON.stringify(body));
  });
}
const chat = (text: string, more: object = {}): object => ({ model: "m", messages: [{ role: "user", content: text }], ...more });
const chatPath = "/v1/chat/completions";

async function ended(): Promise<SimulatedRequest> {
  for (let i = 0; i < 400; i += 1) {
    const last = simulator.requests.at(-1);
    if (last?.endedAt !== undefined) return last;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.fail("the request never ended");
}

const SURFACES: readonly [path: string, body: (text: string, stream: boolean) => object][] = [
  ["/any/base/v1/chat/completions", (text, stream) => chat(text, { stream })],
  ["/openai/responses", (text, stream) => ({ model: "m", input: text, stream })],
  ["/v1/messages", (text, stream) => ({ model: "m", max_tokens: 9000, messages: [{ role: "user", content: text }], stream })],
  ["/v1beta/models/m:generateContent", (text) => ({ contents: [{ parts: [{ text }] }] })],
  ["/v1/models/m:streamGenerateContent", (text) => ({ contents: [{ parts: [{ text }] }] })],
  ["/p/v1beta/tunedModels/m%2D1:streamGenerateContent?alt=sse", (text) => ({ contents: [{ parts: [{ text }] }] })],
];

for (const [path, body] of SURFACES) {
  test(`${path}: the same request gets the same bytes, another text gets others`, async () => {
    for (const stream of [false, true]) {
      const [first, second, other] = [
        await post(path, body("Hello", stream)),
        await post(path, body("Hello", stream)),
        await post(path, body("Bye", stream)),
      ];
      assert.equal(first.status, 200);
      assert.deepEqual(first.body, second.body);
      assert.notDeepEqual(first.body, other.body);
    }
  });

  test(`${path}: faults pass through the prompt`, async () => {
    const limited = await post(path, body("[[sim status=429 retry-after=7]]", true));
    assert.deepEqual([limited.status, limited.headers["retry-after"]], [429, "7"]);
    assert.equal(typeof JSON.parse(limited.body.toString()).error.message, "string");
    const garbage = await post(path, body("[[sim garbage]]", true));
    assert.equal(garbage.status, 200);
    assert.throws(() => JSON.parse(garbage.body.toString()));
    assert.equal((await post(path, body("[[sim empty]]", true))).body.length, 0);
    const zipped = await post(path, body("[[sim gzip]]", true));
    assert.equal(zipped.headers["content-encoding"], "gzip");
    assert.match(gunzipSync(zipped.body).toString(), /Simulated/);
    const cut = await post(path, body("[[sim cut=10 tokens=50]]", true));
    assert.equal(cut.broken, true);
    const entry = await ended();
    assert.deepEqual([entry.closedEarly, entry.brokenOff, entry.bytesSent], [false, true, cut.body.length]);
    if (!path.endsWith(":generateContent")) assert.equal(entry.tokensSent, 10);
    const echo = await post(path, body("[[sim echo]] 13 Elm Street", false));
    if (!path.includes("stream")) assert.match(echo.body.toString(), /\[\[sim echo\]\] 13 Elm Street/);
  });
}

test("a client that leaves mid-stream is noticed at that token", async () => {
  const got = post(
    chatPath,
    chat("[[sim tokens=200 token-delay=15]]", { stream: true }),
    (sofar) => sofar.split('"content":" ').length > 6,
  );
  await got.catch(() => undefined);
  const entry = await ended();
  assert.equal(entry.closedEarly, true);
  assert.ok(entry.tokensSent >= 6 && entry.tokensSent <= 9, `${entry.tokensSent} tokens`);
});

test("a client that leaves while we wait is noticed before the wait is over", async () => {
  const request = httpRequest(simulator.url + chatPath, { method: "POST", agent: false });
  request.on("error", () => undefined);
  request.end(JSON.stringify(chat("[[sim delay=60000]]")));
  while (simulator.requests.at(-1)?.endedAt !== undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  request.destroy();
  assert.deepEqual([(await ended()).closedEarly, (await ended()).status], [true, undefined]);
});

test("waits come before the headers, before the first token and between tokens", async () => {
  assert.ok((await post(chatPath, chat("[[sim delay=80]]"))).ms >= 79);
  assert.ok((await post(chatPath, chat("[[sim first-token=80]]", { stream: true }))).ms >= 79);
  assert.ok((await post(chatPath, chat("[[sim token-delay=20 tokens=6]]", { stream: true }))).ms >= 119);
});

test("the first attempts of one body fail, another body is not touched by that", async () => {
  const flaky = chat("[[sim fail-first=2 status=500]] one");
  const statuses: number[] = [];
  for (let i = 0; i < 4; i += 1) statuses.push((await post(chatPath, flaky)).status);
  assert.deepEqual(statuses, [500, 500, 200, 200]);
  assert.equal((await post(chatPath, chat("[[sim fail-first=1]] two"))).status, 503);
  const slow = chat("[[sim fail-first=1 delay=100]] three");
  const [first, second] = [await post(chatPath, slow), await post(chatPath, slow)];
  assert.ok(first.ms >= 99 && second.ms < first.ms);
});

test("a big answer has exactly that many bytes, unary and streamed", async () => {
  const whole = await post(chatPath, chat("[[sim big=300001]]"));
  assert.equal(JSON.parse(whole.body.toString()).choices[0].message.content.length, 300_001);
  const streamed = await post(chatPath, chat("[[sim big=300001]]", { stream: true }));
  const length = streamed.body
    .toString()
    .split("\n\n")
    .flatMap((event) => (event.startsWith("data: {") ? [JSON.parse(event.slice(6)).choices[0].delta.content ?? ""] : []))
    .join("").length;
  assert.equal(length, 300_001);
});

test("what a provider refuses is refused: unknown paths, broken JSON, fields of a gateway left in", async () => {
  const google = { contents: [{ parts: [{ text: "x" }] }] };
  const anthropic = { model: "m", max_tokens: 5, messages: [] };
  const cases: [path: string, body: unknown, status: number][] = [
    ["/v1/unknown", {}, 404],
    ["/v1beta/models/m:unknown", google, 404],
    [chatPath, "{", 400],
    [chatPath, { messages: [] }, 400],
    ["/v1/messages", { model: "m", messages: [] }, 400],
    ["/v1/messages", { ...anthropic, metadata: { user_id: "u" } }, 200],
    ["/v1/messages", { ...anthropic, metadata: { ai_tenant: "t" } }, 400],
    ["/v1beta/models/m:generateContent", { ...google, metadata: {} }, 400],
  ];
  for (const [path, body, status] of cases) {
    const got = await post(path, body);
    assert.equal(got.status, status, `${path} ${JSON.stringify(body)}`);
    if (status !== 200) assert.equal(typeof JSON.parse(got.body.toString()).error, "object");
  }
});

test("a test may take a request over, byte for byte", async () => {
  simulator.respondWith((request) =>
    request.path === "/mine"
      ? { status: 207, headers: { "x-mine": "1" }, chunks: ["one", Buffer.from([0, 255])], chunkDelayMs: 20, thenDestroy: true }
      : undefined,
  );
  const got = await post("/mine", "body");
  assert.deepEqual([got.status, got.headers["x-mine"], got.broken], [207, "1", true]);
  assert.deepEqual(got.body, Buffer.concat([Buffer.from("one"), Buffer.from([0, 255])]));
  assert.equal((await ended()).body.toString(), "body");
  assert.equal((await post(chatPath, chat("x"))).status, 200);
});

test("only the latest requests are kept, and a hanging one ends with close", async () => {
  for (let i = 0; i < 60; i += 1) await post(chatPath, chat(`${i}`));
  assert.equal(simulator.requests.length, 50);
  const other = await startSimulator({ seed: 5 });
  const hanging = fetch(other.url + chatPath, { method: "POST", body: JSON.stringify(chat("[[sim hang]]")) }).catch(() => "closed");
  while (other.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await other.close();
  assert.equal(await hanging, "closed");
});
