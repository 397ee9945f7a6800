/**
 * ext_proc messages in any order, number and shape, against the real gRPC server over its real socket. However the peer behaves:
 * the process lives, a stream is never ended cleanly before the peer ended it (Envoy would take that as a bypass), nothing stays
 * held, and every exchange that began has one record.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type ClientDuplexStream, credentials, loadPackageDefinition, type ServiceClientConstructor, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import fc from "fast-check";
import { openLog } from "../../src/adapters/log/pino.ts";
import { type Sluice, startSluice } from "../../src/cli/compose.ts";
import { BASIC_POLICY, KeyRing } from "../support/gateway.ts";
import { property } from "../support/property.ts";

const keys = new KeyRing();
let dir = "";
let sluice: Sluice | undefined;
let open: (() => ClientDuplexStream<object, object>) | undefined;
let closeClient: (() => void) | undefined;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "sluice-f-"));
  await writeFile(join(dir, "policy.yaml"), keys.fill(BASIC_POLICY, "http://127.0.0.1:9"));
  const socket = join(dir, "s.sock");
  const log = openLog({ level: "silent", stream: process.stderr, color: false });
  const started = await startSluice({
    policy: join(dir, "policy.yaml"),
    data: join(dir, "data"),
    socket,
    admin: { host: "127.0.0.1", port: 0 },
    writerId: "f",
    log,
  });
  if (!started.ok) throw new Error(started.error);
  sluice = started.value;
  const definition = loadSync(resolve(import.meta.dirname, "../../proto/ext_proc.proto"), { keepCase: true, oneofs: true });
  const loaded: unknown = loadPackageDefinition(definition);
  const Client = find(loaded, ["envoy", "service", "ext_proc", "v3", "ExternalProcessor"]);
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  open = () => Reflect.apply(Reflect.get(client, "Process"), client, []);
  closeClient = () => client.close();
});
after(async () => {
  closeClient?.();
  await sluice?.stop(0);
  await rm(dir, { recursive: true, force: true });
});

function find(root: unknown, path: readonly string[]): ServiceClientConstructor {
  let at = root;
  for (const name of path) at = typeof at === "object" && at !== null ? Reflect.get(at, name) : undefined;
  if (typeof at !== "function") throw new Error(`no ${path.join(".")}`);
  const made: unknown = at;
  return isConstructor(made) ? made : fail();
}
const isConstructor = (value: unknown): value is ServiceClientConstructor => typeof value === "function" && "service" in value;
const fail = (): never => {
  throw new Error("not a client");
};

const header = fc.record({
  key: fc.oneof(
    fc.constantFrom(":path", ":method", ":status", "content-type", "x-ai-use-case", "x-ai-max-tokens", "content-encoding", "cookie"),
    fc.string({ maxLength: 20 }),
  ),
  raw_value: fc.oneof(
    fc
      .constantFrom("/v1/chat/completions", "POST", "GET", "200", "503", "application/json", "text/event-stream", "gzip")
      .map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  ),
});
/** Headers that get past the credential check, so that the later phases are reached. */
const asking = fc.constant(undefined).map(() => [
  { key: ":method", raw_value: Buffer.from("POST") },
  { key: ":path", raw_value: Buffer.from("/v1/chat/completions") },
  { key: "authorization", raw_value: Buffer.from(`Bearer ${keys.key()}`) },
]);
const answered = fc.constantFrom("200", "429", "500").map((code) => [
  { key: ":status", raw_value: Buffer.from(code) },
  { key: "content-type", raw_value: Buffer.from("text/event-stream") },
]);
const headers = (first: fc.Arbitrary<{ key: string; raw_value: Buffer }[]>) =>
  fc.record({
    headers: fc.record({
      headers: fc.oneof({ weight: 4, arbitrary: first }, { weight: 1, arbitrary: fc.array(header, { maxLength: 8 }) }),
    }),
    end_of_stream: fc.boolean(),
  });
const chat = (stream: boolean): string => JSON.stringify({ model: "gpt-4o-mini", stream, messages: [{ role: "user", content: "hi" }] });
const requestBody = fc.record({
  body: fc.oneof(
    fc.constantFrom(chat(true), chat(false), "{", "").map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  ),
  end_of_stream: fc.boolean(),
});
const responseBody = fc.record({
  body: fc.oneof(
    fc.constantFrom("data: {}\n\n", "data: [DONE]\n\n", '{"usage":{"prompt_tokens":1}}', "").map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  ),
  end_of_stream: fc.boolean(),
});
const attributes = fc.option(
  fc.constant({
    "envoy.filters.http.ext_proc": {
      fields: { "response.code_details": { stringValue: "via_upstream" }, "upstream.request_attempt_count": { numberValue: 2 } },
    },
  }),
  { nil: undefined },
);
const message = fc.oneof(
  headers(asking).map((value) => ({ request_headers: value })),
  requestBody.map((value) => ({ request_body: value })),
  fc
    .tuple(headers(answered), attributes)
    .map(([value, with_]) => ({ response_headers: value, ...(with_ === undefined ? {} : { attributes: with_ }) })),
  responseBody.map((value) => ({ response_body: value })),
  fc.constant({ request_trailers: {} }),
  fc.constant({ response_trailers: {} }),
  fc.constant({}),
  fc.constant({ protocol_config: { request_body_mode: 1, response_body_mode: 1 } }),
  fc.constant({ observability_mode: true, request_headers: {} }),
);
/** Mostly the order in which Envoy speaks, with anything in between. */
const usual = fc
  .tuple(headers(asking), requestBody, headers(answered), fc.array(responseBody, { maxLength: 4 }))
  .map(([first, body, answer, rest]) => [
    { request_headers: { ...first, end_of_stream: false } },
    { request_body: body },
    { response_headers: { ...answer, end_of_stream: false } },
    ...rest.map((value) => ({ response_body: value })),
  ]);
const session = fc.record({
  messages: fc.oneof(
    usual,
    fc.array(message, { maxLength: 10 }),
    fc.tuple(usual, fc.array(message, { maxLength: 3 })).map(([a, b]) => [...a, ...b]),
  ),
  pauses: fc.boolean(),
  leaves: fc.constantFrom<"end" | "cancel">("end", "cancel"),
});

interface Seen {
  readonly code: number;
  readonly endedFirst: boolean;
}

async function play(of: typeof session extends fc.Arbitrary<infer T> ? T : never): Promise<Seen> {
  const call = open?.();
  if (call === undefined) throw new Error("not started");
  let left = false;
  let code: number | undefined;
  call.on("data", () => {});
  call.on("error", () => {});
  const over = new Promise<void>((done) => {
    call.on("status", (outcome: { readonly code: number }) => {
      code = outcome.code;
      done();
    });
  });
  let endedFirst = false;
  over.then(
    () => {
      endedFirst = !left;
    },
    () => {},
  );
  for (const item of of.messages) {
    call.write(item);
    if (of.pauses) await sleep(1);
  }
  await sleep(2);
  left = true;
  if (of.leaves === "end") call.end();
  else call.cancel();
  await Promise.race([over, sleep(5_000)]);
  if (code === undefined) throw new Error("the stream did not end");
  return { code, endedFirst };
}

/** Longest that what a stream left behind may take to be settled, milliseconds. A decision has 5 s. */
const SETTLED_MS = 6_000;
const NOTHING_HELD = /sluice_held_bytes(?:\{[^}]*\})? 0\n/;
const metrics = async (): Promise<string> =>
  (await fetch(`http://127.0.0.1:${sluice?.adminPort}/metrics`, { signal: AbortSignal.timeout(SETTLED_MS) })).text();

property(
  "a stream in any order ends with an error, or when the peer ends it; nothing stays held",
  session,
  async (of) => {
    const seen = await play(of);
    if (seen.endedFirst) assert.notEqual(seen.code, status.OK, "a clean end before the peer's is a bypass");
    // What is being decided when the peer leaves is held until it is decided.
    const until = performance.now() + SETTLED_MS;
    while (!(await metrics()).match(NOTHING_HELD) && performance.now() < until) await sleep(5);
    assert.match(await metrics(), NOTHING_HELD);
  },
  150,
);

/** The records, once `due` are there and no more come; fewer where they do not come in time. */
async function recorded(due = 0): Promise<string[]> {
  const until = performance.now() + SETTLED_MS;
  let lines: string[] = [];
  for (let same = 0; performance.now() < until && (same < 4 || lines.length < due); ) {
    const text = await readFile(join(dir, "data", "records-f.jsonl"), "utf8").catch(() => "");
    const now = text.split("\n").filter((line) => line !== "");
    same = now.length === lines.length ? same + 1 : 0;
    lines = now;
    await sleep(10);
  }
  return lines;
}

test("a request after an answer of Envoy's own fails the stream, and is no exchange", async () => {
  const before = (await recorded()).length;
  const own = { headers: { headers: [{ key: ":status", raw_value: Buffer.from("403") }] }, end_of_stream: false };
  const asked = { headers: { headers: [{ key: ":path", raw_value: Buffer.from("/v1/models") }] }, end_of_stream: true };
  const messages = [{ response_headers: own }, { request_headers: asked }, { response_headers: own }];
  const seen = await play({ messages, pauses: true, leaves: "end" });
  assert.equal(seen.code, status.INTERNAL);
  assert.equal((await recorded()).length, before);
});

property(
  "every stream that showed request headers has exactly one record",
  fc.array(session, { minLength: 3, maxLength: 8 }),
  async (sessions) => {
    const before = (await recorded()).length;
    const due = before + sessions.filter((of) => beginsWithHeaders(of.messages)).length;
    await Promise.all(sessions.map(play));
    assert.equal((await recorded(due)).length, due);
    const ids = (await recorded(due)).map((line): unknown => JSON.parse(line).id);
    assert.equal(new Set(ids).size, ids.length, "an exchange is recorded twice");
  },
  20,
);

/** A first message that is no request headers fails the stream before an exchange begins. */
function beginsWithHeaders(messages: readonly object[]): boolean {
  const [first] = messages;
  return first !== undefined && "request_headers" in first;
}
