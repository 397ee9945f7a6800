/** Tool calls that people must approve: real SDKs through a real Envoy, the command line, tokens and certificates, and what is recorded. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI, { APIError } from "openai";
import { makeAuthority } from "../support/certificates.ts";
import { freePort } from "../support/envoy.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";
import { assertSubset } from "../support/subset.ts";

const WEBHOOK_KEY = "hook-key-for-tests";
let gateway: Gateway;
let issuer: TestIssuer;
let hook: Hook;
let tlsPort: number;
const authority = makeAuthority("people");
const server = authority.issue({ subject: [["CN", "desk"]], addresses: ["127.0.0.1"] });
const person = (uri: string) => authority.issue({ subject: [["CN", "somebody"]], uris: [uri] });

before(async () => {
  tlsPort = await freePort();
  issuer = await startIssuer();
  hook = await startHook();
  gateway = await startGateway({
    policy: `
apiVersion: sluice/v1
version: "approvals.1"
providers:
  openai: { format: openai, baseUrl: "\${SIM}/v1", credential: { env: SIM_KEY } }
  anthropic: { format: anthropic, baseUrl: "\${SIM}", credential: { env: SIM_KEY } }
models:
  gpt-4o-mini: { targets: [{ provider: openai, model: gpt-4o-mini }] }
  claude-haiku-4-5: { targets: [{ provider: anthropic, model: claude-haiku-4-5 }] }
approvals:
  approvers:
    - { jwt: { issuer: "${issuer.url}", audience: sluice-approvals, claims: { role: approver }, map: { user: sub } }, tenants: [acme] }
    - { jwt: { issuer: "${issuer.url}", audience: beta-approvals, map: { user: sub } }, tenants: [beta] }
    - { mtls: { spiffe: "spiffe://acme/people/cleo", user: cleo }, tenants: ["*"] }
    - { mtls: { spiffe: "spiffe://acme/people/ada", user: ada }, tenants: ["*"] }
  listen: { port: ${tlsPort}, cert: desk.pem, key: desk.key, clientCa: people.pem }
  webhook: { url: "${hook.url}", secret: { file: hook.key } }
tenants:
  acme:
    apps:
      bot: { credentials: [{ apiKey: { id: bot, sha256: "\${KEY:acme/bot}" } }], useCases: [one, two, free, kept] }
  beta: {}
useCases:
  one: { access: { models: ["*"], tools: { approve: ["get_*"] } } }
  two: { access: { models: ["*"], tools: { approve: ["get_*"], approvals: { approvers: 2 } } } }
  kept: { access: { models: ["*"], providerState: allow, tools: { allow: ["get_*"] } } }
  free: { access: { models: ["*"], tools: { allow: ["get_*"], untrusted: { tools: ["web_*"] }, whenTainted: { deny: ["get_*"] }, onDenied: remove } } }
`,
    files: { "hook.key": `${WEBHOOK_KEY}\n`, "desk.pem": server.cert, "desk.key": server.key, "people.pem": authority.cert },
  });
});
after(async () => {
  await gateway.stop();
  await issuer.close();
  await hook.close();
});

interface Hook {
  readonly url: string;
  readonly told: { readonly body: string; readonly signature: string; readonly at: string }[];
  close(): Promise<void>;
}
/** Takes messages; the first delivery of each run fails, so that the second try is seen. */
async function startHook(): Promise<Hook> {
  const told: Hook["told"] = [];
  let calls = 0;
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    calls += 1;
    if (calls === 1) return void response.writeHead(503).end();
    told.push({
      body,
      signature: String(request.headers["x-sluice-signature"]),
      at: String(request.headers["x-sluice-timestamp"]),
    });
    response.end("{}");
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return {
    url: `http://127.0.0.1:${address.port}/hook`,
    told,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}

const TOOL = {
  type: "function",
  function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
} as const;
const openai = (useCase: string, more: Record<string, string> = {}) =>
  new OpenAI({
    baseURL: `${gateway.url}/v1`,
    apiKey: gateway.key("acme/bot"),
    maxRetries: 2,
    defaultHeaders: { "x-ai-use-case": useCase, "x-ai-user": "jo", ...more },
  });
const ask = (text: string) => ({ model: "gpt-4o-mini", messages: [{ role: "user" as const, content: text }], tools: [TOOL] });

/** `sluice approvals`, as a person runs it. */
async function cli(
  args: readonly string[],
  token?: string,
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "../../src/main.ts"), "approvals", ...args], {
    env: {
      ...process.env,
      SLUICE_ADMIN: `127.0.0.1:${gateway.sluice.adminPort}`,
      NO_COLOR: "1",
      ...(token === undefined ? {} : { SLUICE_APPROVER_TOKEN: token }),
    },
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => {
    out += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    err += String(chunk);
  });
  const code = await new Promise<number>((done) => child.once("close", (exit) => done(exit ?? -1)));
  return { code, out, err };
}
const approver = (sub: string, claims = {}) => issuer.token({ sub, aud: "sluice-approvals", role: "approver", ...claims });

async function refusal(use: () => Promise<unknown>): Promise<APIError> {
  try {
    await use();
  } catch (error) {
    assert.ok(error instanceof APIError, String(error));
    return error;
  }
  return assert.fail("it was not refused");
}
function idIn(text: string): string {
  const id = /apr_[0-9a-z]{26}/.exec(text)?.[0];
  assert.ok(id !== undefined, text);
  return id;
}

test("a call waits, an approver approves it on the command line, and the identical call passes once", async () => {
  const sentBefore = gateway.simulator.requests.length;
  const error = await refusal(() => openai("one").chat.completions.create(ask("use the tool")));
  assert.deepEqual([error.status, error.code], [403, "approval_required"]);
  assert.equal(error.headers?.get("x-should-retry"), "false");
  assert.equal(gateway.simulator.requests.length, sentBefore + 1, "the SDK did not try again");
  const id = idIn(error.message);
  const again = await refusal(() => openai("one").chat.completions.create(ask("use the tool")));
  assert.equal(idIn(again.message), id, "asking twice is one request");

  const token = await approver("ada");
  const listed = await cli(["list", "--status", "pending"], token);
  assert.equal(listed.code, 0, listed.err);
  assert.match(listed.out, new RegExp(`${id} +pending +get_weather +acme/bot/one +jo +0 of 1`));
  const shown = await cli(["show", id], token);
  assert.match(shown.out, /arguments +\{"city":/);
  assert.match((await cli(["approve", id], await approver("jo"))).err, /another person must decide/);
  assert.match((await cli(["approve", id], await approver("eve", { role: "reader" }))).err, /audience or claims|credential/);
  assert.match((await cli(["show", id], await issuer.token({ sub: "bob", aud: "beta-approvals" }))).err, /no such approval/);
  assert.match((await cli(["approve", id])).err, /show who you are/);
  const voted = await cli(["approve", id, "--reason", "it is only the weather"], token);
  assert.deepEqual([voted.code, voted.out], [0, `${id} is approved\n`]);
  assert.match((await cli(["approve", id], await approver("bob"))).err, /does not wait any more/);

  const passed = await openai("one").chat.completions.create(ask("use the tool"));
  assert.equal(passed.choices[0]?.message.tool_calls?.[0]?.type, "function");
  const once = await refusal(() => openai("one").chat.completions.create(ask("use the tool")));
  assert.notEqual(idIn(once.message), id);

  const records = await gateway.records();
  const refused = records.filter(({ code }) => code === "approval_required");
  assertSubset(refused[0], {
    status: 403,
    ending: "cut",
    answer: { toolCalls: ["get_weather"] },
  });
  const said = refused[0]?.stages.find(({ on }) => on === "answer");
  assertSubset(said, {
    stage: "access",
    verdict: "deny",
    code: "approval_required",
    evidence: { found: [{ entity: "tool_call", action: "wait" }] },
  });
});

test("a stream that has begun ends well formed and names the approval; one that has not is a 403", async (t) => {
  const user = { "x-ai-user": "streamer" };
  const error = await refusal(() => openai("one", user).chat.completions.create({ ...ask("use the tool now"), stream: true }));
  assert.deepEqual([error.status, error.code], [403, "approval_required"]);
  const id = idIn(error.message);
  // A provider that says something before it calls.
  const chunk = (delta: object, finish: string | null = null) =>
    `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "gpt-4o-mini", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  const call = (piece: object) => ({ tool_calls: [{ index: 0, ...piece }] });
  gateway.simulator.respondWith(() => ({
    status: 200,
    headers: { "content-type": "text/event-stream" },
    chunks: [
      chunk({ role: "assistant", content: "" }),
      chunk({ content: "I will look. " }),
      chunk(call({ id: "call_1", type: "function", function: { name: "get_weather", arguments: "" } })),
      chunk(call({ function: { arguments: '{"city":' } })),
      chunk(call({ function: { arguments: '"simulated"}' } })),
      chunk({}, "tool_calls"),
      "data: [DONE]\n\n",
    ],
  }));
  t.after(() => gateway.simulator.respondWith(undefined));
  const stream = await openai("one", user).chat.completions.create({ ...ask("use the tool now"), stream: true });
  let text = "";
  const later = await refusal(async () => {
    for await (const { choices } of stream) {
      text += choices[0]?.delta.content ?? "";
      assert.equal(choices[0]?.delta.tool_calls, undefined, "nothing of the call is released");
    }
  });
  assert.equal(text, "I will look. ");
  assert.deepEqual([later.code, idIn(later.message)], ["approval_required", id], "the same call, in other pieces");
  gateway.simulator.respondWith(undefined);
  const anthropic = new Anthropic({
    baseURL: gateway.url,
    apiKey: gateway.key("acme/bot"),
    defaultHeaders: { "x-ai-use-case": "one" },
    maxRetries: 0,
  });
  const messages = anthropic.messages.stream({
    model: "claude-haiku-4-5",
    max_tokens: 100,
    messages: [{ role: "user", content: "use the tool" }],
    tools: [{ name: "get_weather", input_schema: { type: "object", properties: { city: { type: "string" } } } }],
  });
  await assert.rejects(messages.finalMessage(), /approval|apr_/);
});

/** Chunks of a stream of chat completions. */
const chunksOf = (...deltas: readonly (readonly [delta: object, finish?: string])[]): string[] => [
  ...deltas.map(([delta, finish = null]) => {
    const choices = [{ index: 0, delta, finish_reason: finish }];
    return `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "gpt-4o-mini", choices })}\n\n`;
  }),
  "data: [DONE]\n\n",
];
const callOf = (index: number, name: string, city: string) => ({
  ...{ index, id: `call_${index}`, type: "function" },
  function: { name, arguments: JSON.stringify({ city }) },
});

test("of several calls the caller learns each id, whole and streamed; nobody is asked where a later call is refused", async (t) => {
  t.after(() => gateway.simulator.respondWith(undefined));
  const requested = async (): Promise<number> =>
    (await cli(["list", "--status", "pending"], await approver("ada"))).out.split("apr_").length;
  for (const stream of [true, false]) {
    const user = `several-${stream}`;
    const answer = (...more: readonly object[]): void => {
      const calls = [callOf(0, "get_weather", "Bern"), callOf(1, "get_weather", "Rome"), ...more];
      const message = { role: "assistant", content: null, tool_calls: calls };
      const whole = {
        id: "chatcmpl-1",
        object: "chat.completion",
        created: 1,
        model: "gpt-4o-mini",
        choices: [{ index: 0, message, finish_reason: "tool_calls" }],
      };
      gateway.simulator.respondWith(() => ({
        status: 200,
        headers: { "content-type": stream ? "text/event-stream" : "application/json" },
        chunks: stream
          ? chunksOf([{ role: "assistant", content: "Well. " }], ...calls.map((call) => [{ tool_calls: [call] }] as const), [
              {},
              "tool_calls",
            ])
          : [JSON.stringify(whole)],
      }));
    };
    const run = () =>
      refusal(async () => {
        const got = await openai("one", { "x-ai-user": user }).chat.completions.create({ ...ask("both"), stream });
        if (Symbol.asyncIterator in got) for await (const _chunk of got);
      });
    const before = await requested();
    answer(callOf(2, "wipe", "Oslo"));
    assert.equal((await run()).code, "tool_not_allowed");
    assert.equal(await requested(), before, "nobody was asked");
    answer();
    const ids = (await run()).message.match(/apr_[0-9a-z]{26}/g) ?? [];
    assert.equal(new Set(ids).size, 2);
    assert.equal(await requested(), before + 2);
    for (const id of ids) assert.equal((await cli(["approve", id], await approver("ada"))).code, 0);
    const got = await openai("one", { "x-ai-user": user }).chat.completions.create({ ...ask("both"), stream });
    if (Symbol.asyncIterator in got) {
      let called = 0;
      for await (const { choices } of got) called += choices[0]?.delta.tool_calls?.length ?? 0;
      assert.equal(called, 2);
    } else assert.equal(got.choices[0]?.message.tool_calls?.length, 2);
  }
});

test("calls in what the provider keeps are judged too: a response read again, a prompt that brings its own tools", async (t) => {
  const called = (id: string, name: string) => ({
    id,
    object: "response",
    status: "completed",
    model: "gpt-4o-mini",
    output: [{ type: "function_call", id: "fc_1", call_id: "call_1", name, arguments: '{"city":"kept"}', status: "completed" }],
    usage: { input_tokens: 9, output_tokens: 5, total_tokens: 14 },
  });
  const answers = (body: unknown) =>
    gateway.simulator.respondWith(() => ({ status: 200, headers: { "content-type": "application/json" }, chunks: [JSON.stringify(body)] }));
  t.after(() => gateway.simulator.respondWith(undefined));
  const { responses } = openai("one", { "x-ai-user": "keeper" });
  answers({ ...called("resp_kept1", "get_weather"), status: "queued", output: [] });
  const tool = { type: "function" as const, name: "get_weather", parameters: {}, strict: false };
  const { id } = await responses.create({ model: "gpt-4o-mini", input: "in the background", background: true, store: true, tools: [tool] });
  answers(called(id, "get_weather"));
  const first = await refusal(() => responses.retrieve(id));
  assert.deepEqual([first.status, first.code], [403, "approval_required"]);
  assertSubset((await gateway.records()).at(-1), {
    method: "GET",
    status: 403,
    ending: "cut",
    code: "approval_required",
    answer: { toolCalls: ["get_weather"] },
  });
  const approved = await cli(["approve", idIn(first.message)], await approver("ana"));
  assert.equal(approved.code, 0, approved.err);
  assert.equal((await responses.retrieve(id)).output[0]?.type, "function_call");
  const again = await refusal(() => responses.retrieve(id));
  assert.equal(again.code, "approval_required", "a grant is for one call");

  answers(called("resp_prompted", "send_money"));
  const brought = await refusal(() => openai("kept").responses.create({ model: "gpt-4o-mini", input: "hi", prompt: { id: "pmpt_1" } }));
  assert.deepEqual([brought.status, brought.code], [403, "tool_not_allowed"]);
});

test("arguments longer than approvers are shown: refused whole and streamed, recorded, and nobody is asked", async (t) => {
  t.after(() => gateway.simulator.respondWith(undefined));
  const user = { "x-ai-user": "long-winded" };
  const call = (index: { readonly index?: 0 }) => ({
    tool_calls: [
      {
        ...index,
        id: "call_1",
        type: "function",
        function: { name: "get_weather", arguments: JSON.stringify({ city: "x".repeat(65_536) }) },
      },
    ],
  });
  const common = { id: "chatcmpl-1", created: 1, model: "gpt-4o-mini" };
  for (const stream of [false, true]) {
    const choices = stream
      ? [{ index: 0, delta: { role: "assistant", ...call({ index: 0 }) }, finish_reason: "tool_calls" }]
      : [{ index: 0, message: { role: "assistant", content: null, ...call({}) }, finish_reason: "tool_calls" }];
    const text = JSON.stringify({ ...common, object: stream ? "chat.completion.chunk" : "chat.completion", choices });
    gateway.simulator.respondWith(() => ({
      status: 200,
      headers: { "content-type": stream ? "text/event-stream" : "application/json" },
      chunks: stream ? [`data: ${text}\n\n`, "data: [DONE]\n\n"] : [text],
    }));
    const error = await refusal(() => openai("one", user).chat.completions.create({ ...ask("use the tool at length"), stream }));
    assert.deepEqual([error.status, error.code], [403, "tool_not_allowed"]);
    assert.match(error.message, /get_weather needs approval.* 65536 bytes/);
    assert.equal(error.headers?.get("x-should-retry"), "false");
    const record = (await gateway.records()).at(-1);
    assertSubset(record, { status: 403, ending: "cut", code: "tool_not_allowed", answer: { toolCalls: ["get_weather"] } });
    assertSubset(
      record?.stages.find(({ on }) => on === "answer"),
      { stage: "access", verdict: "deny", code: "tool_not_allowed", evidence: { found: [{ entity: "tool_call", action: "refuse" }] } },
    );
  }
  assert.doesNotMatch((await cli(["list"], await approver("ada"))).out, /long-winded/);
});

test("with an idempotency key the answer that waited is given, without another call at the provider", async () => {
  for (const stream of [false, true]) {
    const client = openai("one", { "idempotency-key": `try-${stream}`, "x-ai-user": `trier-${stream}` });
    const body = { ...ask(`use the tool, please ${stream}`), seed: 7 };
    const read = async (): Promise<string> => {
      if (!stream) return (await client.chat.completions.create(body)).choices[0]?.message.tool_calls?.[0]?.id ?? "";
      const runner = await client.chat.completions.create({ ...body, stream: true });
      let name = "";
      for await (const chunk of runner) name += chunk.choices[0]?.delta.tool_calls?.[0]?.function?.name ?? "";
      return name;
    };
    const id = idIn((await refusal(read)).message);
    const sentBefore = gateway.simulator.requests.length;
    const waiting = await refusal(read);
    assert.deepEqual([waiting.status, idIn(waiting.message)], [403, id]);
    assert.equal((await cli(["approve", id], await approver("ada"))).code, 0);
    assert.notEqual(await read(), "");
    assert.equal(gateway.simulator.requests.length, sentBefore, "the provider was not asked again");
    const records = await gateway.records();
    assertSubset(records.at(-1), { ending: "answered", decision: "degraded" });
  }
});

test("two people must agree, and a rejection holds", async () => {
  const id = idIn((await refusal(() => openai("two").chat.completions.create(ask("use the tool")))).message);
  assert.match((await cli(["approve", id], await approver("ada"))).out, /is pending: 1 more person must approve/);
  assert.match((await cli(["approve", id], await approver("ada"))).err, /you have voted already/);
  assert.match((await cli(["approve", id], await approver("bob"))).out, /is approved/);
  await openai("two").chat.completions.create(ask("use the tool"));
  const other = idIn((await refusal(() => openai("two").chat.completions.create(ask("use the tool")))).message);
  assert.equal((await cli(["reject", other], await approver("bob"))).code, 0);
  const rejected = await refusal(() => openai("two").chat.completions.create(ask("use the tool")));
  assert.equal(rejected.code, "tool_not_allowed");
});

test("an approver is known by a certificate too, on the port with TLS; one of another name or authority is nobody", async (t) => {
  const id = idIn(
    (await refusal(() => openai("one", { "x-ai-user": "tls" }).chat.completions.create(ask("use the tool over TLS")))).message,
  );
  const dir = mkdtempSync(join(tmpdir(), "sluice-people-"));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "ca.pem"), authority.cert);
  const as = (name: string, { cert, key }: { readonly cert: string; readonly key: string }): string[] => {
    writeFileSync(join(dir, `${name}.pem`), cert);
    writeFileSync(join(dir, `${name}.key`), key);
    const files = ["--cert", join(dir, `${name}.pem`), "--key", join(dir, `${name}.key`), "--ca", join(dir, "ca.pem")];
    return ["approve", id, "--admin", `https://127.0.0.1:${tlsPort}`, ...files];
  };
  const stranger = makeAuthority("strangers").issue({ subject: [["CN", "x"]], uris: ["spiffe://acme/people/cleo"] });
  assert.match((await cli(as("mallory", person("spiffe://acme/people/mallory")))).err, /no valid credential/);
  assert.match((await cli(as("stranger", stranger))).err, /no valid credential/);
  const voted = await cli(as("cleo", person("spiffe://acme/people/cleo")));
  assert.deepEqual([voted.out, voted.err], [`${id} is approved\n`, ""]);

  const both = idIn((await refusal(() => openai("two", { "x-ai-user": "proofs" }).chat.completions.create(ask("use the tool")))).message);
  const ofBoth = (name: string): string[] => as(name, person(`spiffe://acme/people/${name}`)).with(1, both);
  assert.match((await cli(["approve", both], await approver("ada"))).out, /is pending: 1 more person must approve/);
  assert.match((await cli(ofBoth("ada"))).err, /you have voted already/);
  assert.match((await cli(ofBoth("cleo"))).out, /is approved/);
  const own = idIn((await refusal(() => openai("one", { "x-ai-user": "cleo" }).chat.completions.create(ask("use the tool")))).message);
  assert.match((await cli(as("cleo", person("spiffe://acme/people/cleo")).with(1, own))).err, /another person must decide/);
});

test("the webhook hears of each call that waits, signed, once, without its arguments", async () => {
  const before = hook.told.length;
  const id = idIn(
    (await refusal(() => openai("one", { "x-ai-user": "max" }).chat.completions.create(ask("use the tool for the hook")))).message,
  );
  for (let waited = 0; waited < 10_000 && !hook.told.some(({ body }) => body.includes(id)); waited += 50) await sleep(50);
  const found = hook.told.slice(before).filter(({ body }) => body.includes(id));
  assert.equal(found.length, 1);
  const [message] = found;
  assert.ok(message !== undefined);
  assertSubset(JSON.parse(message.body), {
    type: "approval.requested",
    id,
    tool: "get_weather",
    tenant: "acme",
    app: "bot",
    user: "max",
    approvers: 1,
  });
  assert.ok(!message.body.includes("city"));
  assert.equal(message.signature, `sha256=${createHmac("sha256", WEBHOOK_KEY).update(`${message.at}.${message.body}`).digest("hex")}`);
});

test("what waits, what was granted and the answer that is kept survive a restart of the gateway; each is for its own caller, once", async () => {
  const body = ask("use the tool over a restart");
  const by = (user: string, key?: string) =>
    openai("one", { "x-ai-user": user, ...(key === undefined ? {} : { "idempotency-key": key }) }).chat.completions.create(body);
  const approve = async (id: string) => assert.equal((await cli(["approve", id], await approver("ada"))).code, 0);
  const kept = idIn((await refusal(() => by("rea", "same-key"))).message);
  const granted = idIn((await refusal(() => by("rob"))).message);
  await gateway.restart();
  assert.equal(idIn((await refusal(() => by("rob"))).message), granted, "it still waits");
  await approve(kept);
  await approve(granted);
  await gateway.restart();
  const sentBefore = gateway.simulator.requests.length;
  const stranger = await refusal(() => by("eve", "same-key"));
  assert.notEqual(idIn(stranger.message), kept, "another principal with the same key gets nothing of it");
  assert.equal(gateway.simulator.requests.length, sentBefore + 1);
  const answer = await by("rea", "same-key");
  assert.equal(answer.choices[0]?.message.tool_calls?.length, 1);
  assert.equal(gateway.simulator.requests.length, sentBefore + 1, "the provider was not asked again");
  const both = await Promise.allSettled([by("rob"), by("rob"), by("rob")]);
  assert.equal(both.filter(({ status }) => status === "fulfilled").length, 1, "of calls that race for one grant one passes");
});

test("every step is an event, and no record or event holds an argument", async () => {
  const child = spawn(process.execPath, [
    join(import.meta.dirname, "../../src/main.ts"),
    "audit",
    "events",
    "--json",
    "--limit",
    "0",
    "--data",
    gateway.data,
  ]);
  let out = "";
  child.stdout.on("data", (chunk) => {
    out += String(chunk);
  });
  await new Promise((done) => child.once("close", done));
  const events = out
    .split("\n")
    .filter((line) => line !== "")
    .map((line): { event: string; by: string; reason?: string } => JSON.parse(line));
  for (const event of ["approval.requested", "approval.approved", "approval.voted", "approval.rejected", "approval.used"])
    assert.ok(
      events.some((one) => one.event === event),
      event,
    );
  assert.ok(events.some(({ by, reason }) => by === "ada" && reason === "it is only the weather"));
  assert.ok(!out.includes("city"));
});

test("a result of an untrusted tool takes high-risk tools away", async () => {
  const client = openai("free");
  const tainted = await client.chat.completions.create({
    model: "gpt-4o-mini",
    messages: [
      { role: "user", content: "look it up" },
      { role: "assistant", content: null, tool_calls: [{ id: "c1", type: "function", function: { name: "web_search", arguments: "{}" } }] },
      { role: "tool", tool_call_id: "c1", content: "use the tool" },
      { role: "user", content: "use the tool" },
    ],
    tools: [TOOL],
  });
  assert.equal(tainted.choices[0]?.message.tool_calls, undefined);
  const sent = JSON.parse(gateway.simulator.requests.at(-1)?.body.toString() ?? "{}");
  assert.equal("tools" in sent, false);
  const clean = await client.chat.completions.create(ask("use the tool"));
  assert.equal(clean.choices[0]?.message.tool_calls?.length, 1);
  assertSubset(
    (await gateway.records()).at(-2)?.stages.find(({ stage }) => stage === "access"),
    {
      reason: "1 tool no longer offered; tainted by tool:web_search",
    },
  );
});
