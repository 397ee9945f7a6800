/** What a call is charged, through a real Envoy: however it ends, the books have what its record says. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { LedgerPort, LedgerRow } from "../../src/ports/ledger.ts";
import { portOf } from "../support/data-plane.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { until } from "../workers/support.ts";
import { must, openSqlite } from "./stores.ts";

/** A dollar a million tokens of input, ten of output; the hold is the body's bytes and all the output that is asked for. */
const POLICY = `
apiVersion: sluice/v1
version: "books.1"
providers:
  openai: { format: openai, baseUrl: "\${SIM}/v1", credential: { env: SIM_KEY }, limits: [{ tokens: 100000000, window: 24h }, { concurrent: 50 }] }
  rude: { format: openai, baseUrl: "\${RUDE}/v1", credential: { env: SIM_KEY } }
models:
  m: { targets: [{ provider: openai, model: gpt-4o-mini }], price: { input: 1, output: 10 } }
  thinker: { targets: [{ provider: openai, model: o4-mini }], price: { input: 1, output: 10 } }
  brusque: { targets: [{ provider: rude, model: gpt-4o-mini }], price: { input: 1, output: 10 } }
defaults:
  access: { models: ["*"], providerState: allow }
  timeouts: { requestMs: 20000, perTryMs: 500 }
  route: { retry: { on: [timeout, 5xx], attempts: 2 } }
tenants:
  acme:
    timeZone: Asia/Tokyo
    budgets: [{ window: month, usd: 1000 }, { per: user, window: day, tokens: 1000000000 }]
    apps:
      bot:
        credentials: [{ apiKey: { id: k1, sha256: "\${KEY:acme/bot}" } }]
        useCases: [chat]
        budgets: [{ window: week, usd: 1000 }]
      again:
        credentials: [{ apiKey: { id: k4, sha256: "\${KEY:acme/again}" } }]
        useCases: [chat]
        route: { retry: { on: [5xx], attempts: 2 } }
      tight:
        credentials: [{ apiKey: { id: k2, sha256: "\${KEY:acme/tight}" } }]
        useCases: [chat]
        budgets: [{ window: day, tokens: 300 }]
        limits: [{ concurrent: 1 }]
      trial:
        credentials: [{ apiKey: { id: k3, sha256: "\${KEY:acme/trial}" } }]
        useCases: [chat]
        mode: shadow
        budgets: [{ window: day, tokens: 1 }]
useCases: { chat: {} }
`;
let gateway: Gateway;
let ledger: LedgerPort;
/** Has the request, and says nothing. */
const rude = createServer((request) => request.on("data", () => request.socket.destroy()));
before(async () => {
  await new Promise<void>((done) => rude.listen(0, "127.0.0.1", done));
  gateway = await startGateway({ policy: POLICY.replace("${RUDE}", `http://127.0.0.1:${portOf(rude.address())}`) });
  ledger = await openSqlite(gateway.data);
});
after(async () => {
  await ledger.close();
  await gateway.stop({ clean: false });
  rude.close();
});

type Budget = Extract<LedgerRow, { readonly kind: "budget" }>;
async function rows(name = "acme", kind: "tenant" | "account" = "tenant"): Promise<readonly Budget[]> {
  const page = must(await ledger.admin.list({ kind, name }, { limit: 200 }));
  return page.rows.filter((row): row is Budget => row.kind === "budget");
}
const spent = async (key: string, unit: Budget["unit"], name?: string, kind?: "tenant" | "account"): Promise<number> =>
  (await rows(name, kind)).filter((row) => row.key === key && row.unit === unit).reduce((sum, row) => sum + row.spent, 0);
const nothingHeld = () =>
  until("nothing is held", async () => [...(await rows()), ...(await rows("openai", "account"))].every(({ held }) => held === 0));

async function call(body: object, { app = "acme/bot", signal }: { readonly app?: string; readonly signal?: AbortSignal } = {}) {
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.key(app)}`, "content-type": "application/json", "x-ai-user": "ada@example.com" },
    body: JSON.stringify({ model: "m", max_tokens: 50, messages: [{ role: "user", content: "hi" }], ...body }),
    ...(signal === undefined ? {} : { signal }),
  });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}
const says = (content: string) => ({ messages: [{ role: "user", content }] });

/** What the call added to each book, once nothing of it is held any more. */
async function charged(run: () => Promise<unknown>): Promise<{ readonly usd: number; readonly week: number; readonly account: number }> {
  const now = async () => ({
    usd: await spent("tenant", "nanoUsd"),
    week: await spent("app=bot", "nanoUsd"),
    account: await spent("account", "tokens", "openai", "account"),
  });
  await nothingHeld();
  const before = await now();
  const count = (await gateway.records()).length;
  await run();
  await gateway.records(count + 1);
  await nothingHeld();
  const after = await now();
  return { usd: after.usd - before.usd, week: after.week - before.week, account: after.account - before.account };
}
const last = async () => (await gateway.records()).at(-1);

test("a served call: every scope has what the record says, in nano-dollars and tokens", async () => {
  const found = await charged(() => call({}));
  const record = await last();
  const tokens = (record?.usage?.inputTokens ?? 0) + (record?.usage?.outputTokens ?? 0);
  assert.ok(record?.cost !== undefined && record.cost.nanoUsd > 0 && tokens > 0);
  assert.deepEqual(found, { usd: record.cost.nanoUsd, week: record.cost.nanoUsd, account: tokens });
  const people = (await rows()).filter(({ key }) => key.startsWith("user="));
  assert.equal(people.length, 1);
  assert.doesNotMatch(people[0]?.key ?? "", /ada/, "people stand in the ledger as digests");
  // The day of Tokyo, nine hours ahead of UTC.
  assert.equal(((people[0]?.window.startMs ?? 0) / 3_600_000) % 24, 15);
});

test("a provider's error costs nothing", async () => {
  assert.deepEqual(await charged(() => call(says("[[sim status=400]]"))), { usd: 0, week: 0, account: 0 });
});

test("a caller that leaves in the middle of a stream pays for what was streamed, at least", async () => {
  const leave = new AbortController();
  const found = await charged(async () => {
    const running = call({ stream: true, max_tokens: 4000, ...says("[[sim tokens=2000 token-delay=10]]") }, { signal: leave.signal }).catch(
      () => {},
    );
    await sleep(900);
    leave.abort();
    await running;
  });
  const record = await last();
  assert.equal(record?.ending, "aborted");
  assert.equal(record?.cost?.estimated, true);
  const sent = gateway.simulator.requests.at(-1);
  assert.ok(found.usd > 20 * 10_000 && found.usd < 2000 * 10_000, `${found.usd} nano-dollars for ${sent?.tokensSent} tokens`);
  assert.equal(found.usd, record?.cost?.nanoUsd);
});

test("a stream that breaks off before its usage, of a model that thinks in silence, is charged with all its output cap", async () => {
  await charged(() => call({ model: "thinker", stream: true, max_tokens: 500, ...says("[[sim cut=3]]") }).catch(() => {}));
  const record = await last();
  assert.equal(record?.usage?.outputTokens, 500);
  assert.equal(record.cost?.estimated, true);
});

test("an answer that is cut off is charged as it was held, and so is one that nobody waited for", async () => {
  const cut = await charged(() => call(says("[[sim cut=1]]")));
  const record = await last();
  const held = record?.stages.find(({ stage }) => stage === "budgets")?.evidence?.held;
  assert.equal(cut.usd, held?.nanoUsd);
  assert.equal(cut.account, held?.tokens);
  assert.equal(record?.cost?.nanoUsd, held?.nanoUsd);
  const leave = new AbortController();
  const left = await charged(async () => {
    const running = call(says("[[sim delay=5000]]"), { signal: leave.signal }).catch(() => {});
    await sleep(300);
    leave.abort();
    await running;
  });
  assert.equal(left.usd, (await last())?.stages.find(({ stage }) => stage === "budgets")?.evidence?.held?.nanoUsd);
});

test("an attempt that ran out of its time is charged with its input", async () => {
  const found = await charged(() => call(says("[[sim fail-first=1 delay=2000]] hello, once more")));
  const record = await last();
  assert.equal(record?.status, 200);
  assert.equal(record.attempts, 2);
  const { inputTokens = 0, outputTokens = 0 } = record.usage ?? {};
  assert.equal(found.usd, 2 * inputTokens * 1_000 + outputTokens * 10_000);
  assert.equal(record.cost?.nanoUsd, found.usd);
});

test("so is one where the policy tries again what ends in a 5xx: Envoy counts it as such", async () => {
  const found = await charged(() => call(says("[[sim fail-first=1 delay=2000]] hello, and again"), { app: "acme/again" }));
  const record = await last();
  assert.equal(record?.attempts, 2);
  const { inputTokens = 0, outputTokens = 0 } = record.usage ?? {};
  assert.equal(found.usd, 2 * inputTokens * 1_000 + outputTokens * 10_000);
});

test("such an attempt is charged also where the one after it failed", async () => {
  const found = await charged(() => call(says("[[sim status=400]] [[sim fail-first=1 delay=2000]] hello")));
  const record = await last();
  assert.equal(record?.status, 400);
  assert.ok(found.usd > 5_000 && found.usd < 100_000, `${found.usd} nano-dollars for the input alone`);
  assert.equal(found.usd, record.cost?.nanoUsd);
  assert.equal(record.cost?.estimated, true);
  assert.equal(found.account, found.usd / 1_000, "tokens too");
});

const heldFor = async () => (await last())?.stages.find(({ stage }) => stage === "budgets")?.evidence?.held?.nanoUsd;
test("a provider that breaks off before it answers is charged as held: it may have made the answer", async () => {
  const found = await charged(async () => {
    const answer = await call({ model: "brusque" });
    assert.equal(answer.headers.get("x-ai-error"), "upstream_error");
    assert.match(answer.text, /broke off/);
    assert.ok(Number(answer.headers.get("x-ai-cost-usd")) > 0.0005, "the caller learns it");
  });
  assert.equal(found.usd, await heldFor());
  assert.equal(found.usd, (await last())?.cost?.nanoUsd);
});

for (const stream of [false, true])
  test(`an answer in a coding that nobody asked for was made all the same, stream: ${stream}`, async () => {
    const found = await charged(() => call({ stream, ...says("[[sim gzip]]") }));
    assert.equal((await last())?.code, "upstream_invalid");
    assert.equal(found.usd, await heldFor());
  });

test("an error with a status of success costs nothing where it is all that came", async () => {
  for (const stream of [false, true]) {
    gateway.simulator.respondWith(() => ({
      status: 200,
      headers: { "content-type": stream ? "text/event-stream" : "application/json" },
      chunks: [`${stream ? "data: " : ""}{"error":{"type":"server_error","message":"no"}}\n\n`],
    }));
    assert.deepEqual(await charged(() => call({ stream })), { usd: 0, week: 0, account: 0 });
  }
  gateway.simulator.respondWith(undefined);
});

test("a redirect is not passed on, where the caller's SDK would take its request past the gateway, and costs nothing", async () => {
  gateway.simulator.respondWith(() => ({ status: 308, headers: { location: `${gateway.simulator.url}/v1/elsewhere` }, chunks: ["moved"] }));
  const seen = gateway.simulator.requests.length;
  const found = await charged(async () => {
    const answer = await call({});
    assert.equal(answer.status, 502);
    assert.equal(answer.headers.get("x-ai-error"), "upstream_invalid");
    assert.equal(answer.headers.get("location"), null);
  });
  gateway.simulator.respondWith(undefined);
  assert.deepEqual(found, { usd: 0, week: 0, account: 0 });
  assert.equal(gateway.simulator.requests.length, seen + 1);
});

test("an answer that is made in the background is charged as it was held, where the request has no cap of its own too", async () => {
  const receipt = { id: "resp_1", object: "response", created_at: 1, status: "queued", model: "gpt-4o-mini", output: [], usage: null };
  gateway.simulator.respondWith(() => ({
    status: 200,
    headers: { "content-type": "application/json" },
    chunks: [JSON.stringify({ ...receipt, background: true, error: null })],
  }));
  const found = await charged(async () => {
    const answer = await fetch(`${gateway.url}/v1/responses`, {
      method: "POST",
      headers: { authorization: `Bearer ${gateway.key("acme/bot")}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "m", input: "Write a book.", background: true }),
    });
    assert.equal(answer.status, 200);
    await answer.text();
  });
  gateway.simulator.respondWith(undefined);
  const record = await last();
  assert.equal(record?.usage?.outputTokens, 4096, "what is assumed of a call without a cap");
  assert.equal(record.cost?.estimated, true);
  assert.equal(found.usd, record.cost?.nanoUsd);
  assert.ok(found.usd >= 4096 * 10_000);
});

test("a call whose time was over before it left is refused, and costs nothing", async () => {
  const seen = gateway.simulator.requests.length;
  const found = await charged(async () => {
    const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${gateway.key("acme/bot")}`, "content-type": "application/json", "x-ai-max-latency-ms": "1" },
      body: JSON.stringify({ model: "m", max_tokens: 5, ...says("word ".repeat(200_000)) }),
    });
    assert.equal(answer.headers.get("x-ai-error"), "latency_cap");
    await answer.text();
  });
  assert.deepEqual(found, { usd: 0, week: 0, account: 0 });
  assert.equal(gateway.simulator.requests.length, seen);
});

test("nested scopes must all have room; what the account's quota held is given back where the tenant refuses", async () => {
  const found = await charged(async () => {
    const refused = await call({ max_tokens: 400 }, { app: "acme/tight" });
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get("x-ai-error"), "budget_exhausted");
  });
  assert.deepEqual(found, { usd: 0, week: 0, account: 0 });
  const fits = await call({ max_tokens: 100 }, { app: "acme/tight" });
  assert.equal(fits.status, 200, fits.text);
  await nothingHeld();
});

test("calls at once: the second waits its turn, and a place is free when the first is over", async () => {
  const slow = call({ stream: true, max_tokens: 20, ...says("[[sim tokens=10 token-delay=60]]") }, { app: "acme/tight" });
  await until("the first is under way", async () => {
    const page = must(await ledger.admin.list({ kind: "tenant", name: "acme" }, { limit: 200 }));
    return page.rows.some((row) => row.kind === "concurrent" && row.used === 1);
  });
  const second = await call({ max_tokens: 20 }, { app: "acme/tight" });
  assert.equal(second.status, 429);
  assert.equal(second.headers.get("x-ai-error"), "rate_limited");
  assert.equal((await slow).status, 200);
  await nothingHeld();
  assert.equal((await call({ max_tokens: 20 }, { app: "acme/tight" })).status, 200);
});

test("history at the provider is held as the model's whole context", async () => {
  const answer = await fetch(`${gateway.url}/v1/responses`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.key("acme/tight")}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "m", max_output_tokens: 10, input: "hi", previous_response_id: "resp_x", store: false }),
  });
  assert.equal(answer.status, 429);
  assert.equal(answer.headers.get("x-ai-error"), "budget_exhausted");
});

test("in shadow nothing is refused, the record says what would have been, and the call is charged", async () => {
  const before = await spent("app=trial", "tokens");
  const answer = await call({}, { app: "acme/trial" });
  assert.equal(answer.status, 200);
  const record = await gateway.record(answer.headers.get("x-ai-request-id") ?? "");
  const said = record.stages.find(({ stage }) => stage === "budgets");
  assert.equal(said?.verdict, "deny");
  assert.equal(said.code, "budget_exhausted");
  assert.equal(record.decision, "allowed");
  const tokens = (record.usage?.inputTokens ?? 0) + (record.usage?.outputTokens ?? 0);
  await until("charged", async () => (await spent("app=trial", "tokens")) === before + tokens);
});
