/**
 * I5: no key, prompt or answer in anything that a run leaves behind or shows. Every kind of call is made with texts and keys that
 * exist nowhere else; then everything that came out is searched for them, in clear and encoded.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type ChildGateway, startChildGateway } from "../support/child-gateway.ts";
import { freePort } from "../support/envoy.ts";
import { BASIC_POLICY } from "../support/gateway.ts";
import { type Collector, startCollector } from "../support/otlp.ts";

const unique = (kind: string): string => `${kind}${randomBytes(12).toString("hex")}`;

/** What must be found nowhere, by what it is. */
const SECRETS = {
  providerKey: unique("sk-provider-"),
  callersOwnProviderKey: unique("sk-own-"),
  wrongKey: unique("sk-wrong-"),
  wrongToken: `eyJhbGciOiJSUzI1NiJ9.${Buffer.from(JSON.stringify({ sub: unique("sub") })).toString("base64url")}.${randomBytes(32).toString("base64url")}`,
  cookie: unique("session"),
  collectorKey: unique("collector"),
  systemText: unique("systemtext"),
  userText: unique("usertext"),
  answerText: unique("answertext"),
  toolText: unique("tooltext"),
  badJson: unique("badjson"),
  queryWord: unique("queryword"),
  pathWord: unique("pathword"),
  headerWord: unique("headerword"),
  embedText: unique("embedtext"),
  errorText: unique("errortext"),
  observedText: unique("observedtext"),
};

let gateway: ChildGateway;
let collector: Collector;
let observePort: number;
/** What was shown to callers besides answers of providers: refusals, and headers of all answers. */
const shown: { readonly what: string; readonly text: string }[] = [];

before(async () => {
  collector = await startCollector();
  observePort = await freePort();
  gateway = await startChildGateway({
    policy: `${BASIC_POLICY}
observe: { listen: { address: 127.0.0.1, port: ${observePort} }, tenant: acme, app: bot }
`,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${SECRETS.collectorKey}`,
      OTEL_BSP_SCHEDULE_DELAY: "100",
      OTEL_METRIC_EXPORT_INTERVAL: "300",
      OTEL_METRIC_EXPORT_TIMEOUT: "300",
    },
    envoyEnv: { SIM_KEY: SECRETS.providerKey },
  });
});
after(async () => {
  await gateway.stop();
  await collector.close();
});

interface Call {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | object;
  readonly base?: string;
}

/** Gives status and body; notes what Sluice itself has shown. */
async function call({
  path = "/v1/chat/completions",
  headers = {},
  body,
  base = gateway.url,
}: Call): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await fetch(`${base}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.key()}`, "content-type": "application/json", cookie: `s=${SECRETS.cookie}`, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await answer.text().catch(() => "");
  shown.push({ what: `headers of ${path}`, text: JSON.stringify([...answer.headers]) });
  if (answer.headers.get("x-ai-decision") === "refused") shown.push({ what: `refusal of ${path}`, text });
  return { status: answer.status, text };
}

const chat = (more: object = {}, text = SECRETS.userText): object => ({
  model: "gpt-4o-mini",
  messages: [
    { role: "system", content: `You are ${SECRETS.systemText}` },
    { role: "user", content: text },
  ],
  ...more,
});

/** Every form in which a text may stand somewhere: clear, base64 at each offset, hexadecimal, percent-encoded. */
function formsOf(secret: string): readonly string[] {
  const inner = [0, 1, 2].map((offset) => {
    const encoded = Buffer.from("x".repeat(offset) + secret).toString("base64");
    return encoded.slice(4, encoded.length - 6);
  });
  return [
    secret,
    secret.toLowerCase(),
    encodeURIComponent(secret),
    Buffer.from(secret).toString("hex"),
    ...inner,
    ...inner.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
  ];
}

/** Which secrets a text holds. */
function found(text: string, secrets: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(secrets).flatMap(([name, secret]) => (formsOf(secret).some((form) => text.includes(form)) ? [name] : []));
}

/** All files below a folder. */
function* filesIn(dir: string): Generator<string> {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    const facts = statSync(path);
    if (facts.isDirectory()) yield* filesIn(path);
    else if (facts.isFile()) yield path;
  }
}

async function outputs(): Promise<readonly { readonly what: string; readonly text: string }[]> {
  const all = [...shown, { what: "stdout and stderr of Sluice", text: gateway.said() }];
  for (const dir of [gateway.dir, gateway.envoy.dir])
    for (const path of filesIn(dir)) all.push({ what: path, text: readFileSync(path, "latin1") });
  for (const [index, body] of collector.bodies.entries()) all.push({ what: `export ${index}`, text: body.toString("latin1") });
  const page = async (url: string, accept = "*/*"): Promise<void> => {
    const answer = await fetch(url, { headers: { accept } }).catch(() => undefined);
    if (answer !== undefined) all.push({ what: url, text: `${JSON.stringify([...answer.headers])}${await answer.text()}` });
  };
  for (const path of ["/metrics", "/status", "/policy", "/healthz", "/readyz", "/nothing"]) await page(`${gateway.adminUrl}${path}`);
  await page(`${gateway.adminUrl}/metrics`, "application/openmetrics-text");
  for (const path of ["/config_dump?include_eds", "/stats", "/clusters", "/listeners", "/server_info", "/certs"])
    await page(`${gateway.envoy.adminUrl}${path}`);
  return all;
}

test("nothing that a run leaves or shows holds a key, a prompt or an answer", { timeout: 90_000 }, async () => {
  const keys = { issuedKey: gateway.key() };
  const echo = `${SECRETS.userText} ${SECRETS.answerText} [[sim echo]]`;
  const tools = [
    { type: "function", function: { name: "get_it", description: SECRETS.toolText, parameters: { type: "object", properties: {} } } },
  ];

  // Served: whole and streamed, in each dialect and with the key in each place.
  const whole = await call({ body: chat({ tools }, echo) });
  assert.equal(whole.status, 200, whole.text);
  assert.ok(whole.text.includes(SECRETS.answerText), "the answer does hold the text");
  assert.equal((await call({ body: chat({ stream: true }, echo) })).status, 200);
  const claude = { model: "claude-haiku-4-5", max_tokens: 50, system: SECRETS.systemText, messages: [{ role: "user", content: echo }] };
  assert.equal(
    (
      await call({
        path: "/v1/messages",
        body: claude,
        headers: { authorization: "", "x-api-key": gateway.key(), "anthropic-version": "2023-06-01" },
      })
    ).status,
    200,
  );
  const gemini = { contents: [{ role: "user", parts: [{ text: echo }] }] };
  const google = "/v1beta/models/gemini-2.5-flash:generateContent";
  assert.equal((await call({ path: google, body: gemini, headers: { authorization: "", "x-goog-api-key": gateway.key() } })).status, 200);
  assert.equal(
    (
      await call({
        path: `${google}?key=${gateway.key()}&alt=json&extra=${SECRETS.queryWord}`,
        body: gemini,
        headers: { authorization: "" },
      })
    ).status,
    200,
  );
  assert.equal((await call({ path: "/v1/embeddings", body: { model: "text-embedding-3-small", input: SECRETS.embedText } })).status, 200);

  // Refused, at every step.
  assert.equal((await call({ body: chat(), headers: { authorization: `Bearer ${SECRETS.wrongKey}` } })).status, 401);
  assert.equal((await call({ body: chat(), headers: { authorization: `Bearer ${SECRETS.wrongToken}` } })).status, 401);
  assert.equal((await call({ path: `/v1/${SECRETS.pathWord}?k=${SECRETS.queryWord}`, body: chat() })).status, 404);
  assert.equal((await call({ body: `{"messages": "${SECRETS.badJson}` })).status, 400);
  assert.equal((await call({ body: `{"${SECRETS.badJson}": 1, "${SECRETS.badJson}": 2}` })).status, 400);
  assert.equal((await call({ body: { model: "gpt-4o-mini", messages: SECRETS.userText } })).status, 400);
  assert.equal((await call({ body: chat({ model: "secret-model" }) })).status, 403);
  assert.equal(
    (await call({ body: chat({ tools: [{ type: "function", function: { name: "forbidden_one", description: SECRETS.toolText } }] }) }))
      .status,
    403,
  );
  assert.ok((await call({ body: chat({ max_tokens: SECRETS.userText }) })).status >= 400);
  await call({
    body: chat(),
    headers: { "x-ai-data-class": SECRETS.headerWord, "x-ai-max-tokens": SECRETS.headerWord, "content-encoding": SECRETS.headerWord },
  });
  await call({
    body: chat(),
    headers: { traceparent: SECRETS.headerWord, tracestate: `a=${SECRETS.headerWord}`, "x-ai-use-case": SECRETS.headerWord },
  });

  // The provider goes wrong.
  for (const word of ["status=500", "status=429", "garbage", "cut=2", "empty", "gzip", "error-in-stream=2", "cut=3"])
    await call({ body: chat({ stream: word.includes("stream") || word === "cut=3" }, `[[sim ${word}]] ${SECRETS.errorText}`) }).catch(
      () => {},
    );

  // Through the observing listener, with the provider's own key.
  const observed = await call({
    base: `http://127.0.0.1:${observePort}`,
    body: chat({}, SECRETS.observedText),
    headers: { authorization: `Bearer ${SECRETS.callersOwnProviderKey}` },
  });
  assert.equal(observed.status, 200, observed.text);

  // One that hangs, so that its open entry is there to be searched; then its caller leaves.
  const leave = new AbortController();
  const hanging = fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.key()}`, "content-type": "application/json" },
    body: JSON.stringify(chat({}, `[[sim hang]] ${SECRETS.userText}`)),
    signal: leave.signal,
  }).catch(() => undefined);
  await sleep(500);
  const during = await outputs();
  leave.abort();
  await hanging;
  const records = await gateway.records(27);
  assert.ok(records.length >= 27, `${records.length} records`);
  await collector.until(({ spans }) => spans.length >= records.length - 1);
  const last = records.at(-1)?.id;
  await collector.until(({ spans }) => spans.some((span) => span.attributes["sluice.id"] === last));
  // Envoy writes its access log out when it stops.
  const pages = await outputs();
  await gateway.envoy.stop();
  const { code } = await gateway.end();
  assert.equal(code, 0);
  const everything = [...during, ...pages, ...(await outputs())];

  // The search finds what is there: otherwise its silence would mean nothing.
  const sent = JSON.stringify(gateway.simulator.requests.map(({ headers, path, body }) => [headers, path, body.toString()]));
  for (const name of [
    "userText",
    "systemText",
    "toolText",
    "embedText",
    "errorText",
    "observedText",
    "providerKey",
    "callersOwnProviderKey",
  ] as const)
    assert.deepEqual(found(sent, { [name]: SECRETS[name] }), [name], `${name} reached the provider`);
  assert.deepEqual(
    found(sent, { ...keys, cookie: SECRETS.cookie, queryWord: SECRETS.queryWord, headerWord: SECRETS.headerWord }),
    [],
    "what is no provider's business",
  );
  for (const part of ["records-t.jsonl", "access.log", "/metrics", "/config_dump", "export 0", "stdout"]) {
    const places = everything.filter(({ what }) => what.includes(part));
    assert.ok(
      places.some(({ text }) => text.length > 100),
      `${part} was searched`,
    );
  }
  assert.ok(
    everything.some(({ what, text }) => what.includes("access.log") && text.includes("/v1/chat/completions")),
    "the access log has its lines",
  );

  const leaks = everything.flatMap(({ what, text }) => {
    // Envoy's access log has every path, without its query: the one place where a wrong path can be looked up.
    const { pathWord, ...rest } = SECRETS;
    return found(text, { ...rest, ...keys, ...(what.endsWith("access.log") ? {} : { pathWord }) }).map((name) => `${name} in ${what}`);
  });
  assert.deepEqual([...new Set(leaks)], []);
});
