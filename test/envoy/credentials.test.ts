/** Tokens and client certificates through a real Envoy, with real signatures and real TLS. */
import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TLSSocket } from "node:tls";
import { type Authority, type Issued, makeAuthority } from "../support/certificates.ts";
import { BASIC_POLICY, type Gateway, startGateway } from "../support/gateway.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";

const CHAT = { model: "gpt-4o-mini", max_tokens: 5, messages: [{ role: "user", content: "hi" }] };
const withCredentials = (credentials: string, more = ""): string => {
  const line = "credentials: [{ apiKey: { id: k1";
  assert.ok(BASIC_POLICY.includes(line));
  return BASIC_POLICY.replace(line, `credentials: [${credentials}, { apiKey: { id: k1`) + more;
};

/** A second app of the tenant, with a key of its own. */
const withTwoApps = (credentials: string): string =>
  withCredentials(credentials).replace(
    "      bot:\n",
    '      other: { credentials: [{ apiKey: { id: k2, sha256: "${KEY:acme/other}" } }], useCases: [chat] }\n      bot:\n',
  );

describe("tokens of an identity provider", () => {
  let issuer: TestIssuer;
  let gateway: Gateway;
  const policy = (more = ""): string =>
    withTwoApps(`{ jwt: { issuer: "${issuer.url}", audience: sluice, claims: { sub: support-bot }, map: { user: email }${more} } }`);
  before(async () => {
    issuer = await startIssuer();
    gateway = await startGateway({ policy: policy() });
  });
  after(async () => {
    await gateway.stop();
    await issuer.close();
  });
  const call = (token: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}`, ...headers },
      body: JSON.stringify(CHAT),
    });
  const token = (claims = {}, options = {}): Promise<string> => issuer.token({ email: "ada@acme.example", ...claims }, options);

  test("a token is an app, and its user is the record's; it does not reach the provider", async () => {
    const mine = await token();
    for (let again = 0; again < 2; again++) {
      const sentBefore = gateway.simulator.requests.length;
      const answer = await call(mine);
      assert.equal(answer.status, 200, await answer.text());
      const record = await gateway.record(answer.headers.get("x-ai-request-id") ?? "");
      assert.deepEqual([record.tenant, record.app, record.user], ["acme", "bot", "ada@acme.example"]);
      assert.deepEqual(record.credential, { kind: "jwt", id: `jwt:${new URL(issuer.url).host}` });
      assert.ok(!JSON.stringify(record).includes(mine.slice(-40)));
      assert.ok(!JSON.stringify(gateway.simulator.requests[sentBefore]?.headers).includes(mine.slice(-40)));
    }
    const claimed = await call(mine, { "x-ai-user": "eve@acme.example" });
    assert.equal(claimed.status, 400, "a claim does not widen the token");
    await claimed.text();
  });

  test("an expired, foreign, changed or unsigned token is nobody", async () => {
    const good = await token();
    const [head = "", body = ""] = good.split(".");
    const none = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${body}.`;
    const tokens = [
      await token({}, { lifetimeS: -1 }),
      await token({ aud: "another" }),
      await token({ sub: "another" }),
      await token({ iss: "https://another.example" }),
      `${head}.${Buffer.from(JSON.stringify({ iss: issuer.url, aud: "sluice", sub: "support-bot", exp: 9_999_999_999 })).toString("base64url")}.${good.split(".")[2]}`,
      none,
      `${none}x`,
    ];
    for (const [index, bad] of tokens.entries()) {
      const answer = await call(bad);
      assert.equal(answer.status, 401, `token ${index}: ${await answer.text()}`);
    }
  });

  test("a first call after a rotation passes", async () => {
    issuer.rotate();
    const answer = await call(await token());
    assert.equal(answer.status, 200, await answer.text());
  });

  test("invented key ids are refused at once, and the issuer is left alone", async () => {
    const fetched = issuer.fetches();
    const started = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => call(await token({}, { header: { kid: `invented-${index}` } }))),
    );
    for (const answer of answers) {
      assert.equal(answer.status, 401);
      assert.match(await answer.text(), /try again/);
    }
    assert.ok(performance.now() - started < 1_500, "nobody waited");
    assert.ok(issuer.fetches() - fetched <= 1);
  });

  test("a token and a key of one app are one caller; of two apps they are nobody", async () => {
    const together = await call(await token(), { "x-api-key": gateway.key() });
    assert.equal(together.status, 200, await together.text());
    const other = gateway.key("acme/other");
    assert.equal((await call(other)).status, 200);
    const apart = await call(await token(), { "x-api-key": other });
    assert.equal(apart.status, 401);
    assert.match(await apart.text(), /two different callers/);
    const expired = await call(await token({}, { lifetimeS: -1 }), { "x-api-key": other });
    assert.equal(expired.status, 200, "what proves nobody harms nobody");
  });

  test("a token that expires while it is remembered is out", async () => {
    const short = await token({}, { lifetimeS: 2 });
    assert.equal((await call(short)).status, 200);
    await sleep(2_200);
    const answer = await call(short);
    assert.equal(answer.status, 401);
    assert.match(await answer.text(), /expired/);
  });

  test("a revoked entry is out within a second, tokens in memory included", async () => {
    const mine = await token();
    assert.equal((await call(mine)).status, 200);
    await gateway.rewrite(policy(", revoked: 2026-01-01").replace("test.1", "test.2"));
    const deadline = performance.now() + 1_000;
    let status = 200;
    while (status === 200 && performance.now() < deadline) {
      const answer = await call(mine);
      status = answer.status;
      await answer.text();
    }
    assert.equal(status, 401);
  });
});

test("an issuer that is away at the start: its callers are told to try again, others are served, and it is found later", async (t) => {
  const issuer = await startIssuer();
  t.after(() => issuer.close());
  issuer.behave("down");
  const gateway = await startGateway({ policy: withCredentials(`{ jwt: { issuer: "${issuer.url}", audience: sluice } }`) });
  t.after(() => gateway.stop());
  const call = (secret: string): Promise<Response> =>
    fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${secret}` },
      body: JSON.stringify(CHAT),
    });
  const token = await issuer.token();
  const away = await call(token);
  assert.equal(away.status, 503, await away.text());
  assert.deepEqual([away.headers.get("x-ai-error"), away.headers.get("x-should-retry")], ["store_unavailable", "true"]);
  assert.equal((await call(gateway.key())).status, 200);
  const shown = async (): Promise<string> => (await fetch(`http://127.0.0.1:${gateway.sluice.adminPort}/metrics`)).text();
  const atIssuer = /\{key_set="127\.0\.0\.1[^"]*"\}/.source;
  assert.match(await shown(), new RegExp(`^sluice_key_set_keys${atIssuer} 0$`, "m"));
  assert.match(await shown(), new RegExp(`^sluice_key_set_failing${atIssuer} 1$`, "m"));
  issuer.behave("well");
  const deadline = performance.now() + 8_000;
  let status = 503;
  while (status === 503 && performance.now() < deadline) {
    await sleep(100);
    status = (await call(token)).status;
  }
  assert.equal(status, 200);
  assert.match(await shown(), new RegExp(`^sluice_key_set_keys${atIssuer} [1-9]`, "m"));
  assert.match(await shown(), new RegExp(`^sluice_key_set_failing${atIssuer} 0$`, "m"));
  assert.match(await shown(), new RegExp(`^sluice_key_set_age_seconds${atIssuer} `, "m"));
});

describe("client certificates", () => {
  let dir: string;
  let clients: Authority;
  let server: Authority;
  let gateway: Gateway;
  const file = (name: string, text: string): string => {
    const path = join(dir, name);
    writeFileSync(path, text);
    return path;
  };
  const policy = (more: string): string =>
    withCredentials(
      `{ mtls: { spiffe: "spiffe://acme/support-bot"${more} } }, { mtls: { id: by-subject, subject: "CN=batch, O=Acme" } }`,
      `
listen:
  tls: { cert: "${join(dir, "server.pem")}", key: "${join(dir, "server.key")}", clientCa: "${join(dir, "clients.pem")}", requireClientCertificate: false }
`,
    );
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), "sluice-tls-"));
    clients = makeAuthority("clients");
    server = makeAuthority("servers");
    const own = server.issue({ subject: [["CN", "gateway"]], addresses: ["127.0.0.1"] });
    file("server.pem", own.cert);
    file("server.key", own.key);
    file("clients.pem", clients.cert);
    gateway = await startGateway({ policy: policy("") });
  });
  after(async () => {
    await gateway.stop();
    rmSync(dir, { recursive: true });
  });
  const call = (issued: Issued | undefined, options: { readonly headers?: Record<string, string>; readonly agent?: Agent } = {}) =>
    new Promise<{ status: number; id: string; text: string; server: string }>((resolve, reject) => {
      const sent = request(
        `https://127.0.0.1:${gateway.envoy.port}/v1/chat/completions`,
        {
          method: "POST",
          ca: server.cert,
          ...(issued ?? {}),
          headers: { "content-type": "application/json", ...options.headers },
          agent: options.agent ?? new Agent({ keepAlive: false }),
        },
        (answer) => {
          let text = "";
          const { CN } = (answer.socket instanceof TLSSocket ? answer.socket.getPeerCertificate() : undefined)?.subject ?? {};
          answer.setEncoding("utf8");
          answer.on("data", (chunk: string) => {
            text += chunk;
          });
          answer.on("end", () =>
            resolve({ status: answer.statusCode ?? 0, id: String(answer.headers["x-ai-request-id"]), text, server: String(CN) }),
          );
        },
      );
      sent.on("error", reject);
      sent.end(JSON.stringify(CHAT));
    });
  const spiffe = (uri: string, more: { notAfterMs?: number } = {}): Issued =>
    clients.issue({ subject: [["CN", "x"]], uris: [uri], ...more });

  test("a certificate is an app, by SPIFFE id or by subject", async () => {
    const bySpiffe = await call(spiffe("spiffe://acme/support-bot"));
    assert.equal(bySpiffe.status, 200, bySpiffe.text);
    assert.deepEqual((await gateway.record(bySpiffe.id)).credential, { kind: "mtls", id: "mtls:acme/support-bot" });
    const bySubject = await call(
      clients.issue({
        subject: [
          ["O", "Acme"],
          ["CN", "batch"],
        ],
      }),
    );
    assert.equal(bySubject.status, 200, bySubject.text);
    assert.deepEqual((await gateway.record(bySubject.id)).credential, { kind: "mtls", id: "by-subject" });
  });

  test("a stranger's name is nobody, a stranger's authority does not get through", async () => {
    assert.equal((await call(spiffe("spiffe://acme/other"))).status, 401);
    assert.equal((await call(undefined)).status, 401);
    const stranger = makeAuthority("clients").issue({ subject: [["CN", "x"]], uris: ["spiffe://acme/support-bot"] });
    await assert.rejects(call(stranger));
    await assert.rejects(call(spiffe("spiffe://acme/support-bot", { notAfterMs: Date.now() - 1_000 })), "an expired certificate");
  });

  test("headers that tell of a certificate are worthless, and reach no provider", async () => {
    const uri = "spiffe://acme/support-bot";
    const forged = {
      "x-forwarded-client-cert": `By=spiffe://x;URI=${uri};Subject="CN=batch,O=Acme"`,
      "x-sluice-peer-until": "99999999999",
      "x-sluice-peer-uri": uri,
      "connection.uri_san_peer_certificate": uri,
    };
    assert.equal((await call(undefined, { headers: forged })).status, 401);
    assert.equal((await call(spiffe("spiffe://acme/other"), { headers: forged })).status, 401);
    const sentBefore = gateway.simulator.requests.length;
    const passed = await call(undefined, { headers: { ...forged, authorization: `Bearer ${gateway.key()}` } });
    assert.equal(passed.status, 200, passed.text);
    const real = await call(spiffe(uri));
    assert.equal(real.status, 200, real.text);
    for (const sent of gateway.simulator.requests.slice(sentBefore)) {
      const names = Object.keys(sent.headers).filter((name) => /cert|sluice|spiffe/.test(name));
      assert.deepEqual(names, []);
      assert.ok(!JSON.stringify(sent.headers).includes("spiffe:"));
    }
  });

  test("a connection outlives its certificate, a call does not", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const short = spiffe("spiffe://acme/support-bot", { notAfterMs: Date.now() + 3_000 });
    assert.equal((await call(short, { agent })).status, 200);
    await sleep(3_200);
    const late = await call(short, { agent });
    assert.equal(late.status, 401);
    assert.match(late.text, /expired/);
    agent.destroy();
  });

  test("certificates and authorities that are replaced are used without a restart", async () => {
    const place = (name: string, text: string): void => renameSync(file(`${name}.new`, text), join(dir, name));
    const later = makeAuthority("later clients");
    place("clients.pem", clients.cert + later.cert);
    const renewed = server.issue({ subject: [["CN", "renewed"]], addresses: ["127.0.0.1"] });
    place("server.key", renewed.key);
    place("server.pem", renewed.cert);
    const byLater = later.issue({ subject: [["CN", "x"]], uris: ["spiffe://acme/support-bot"] });
    const deadline = performance.now() + 5_000;
    let shown: { status: number; server?: string } = { status: 0 };
    while (shown.server !== "renewed" || shown.status !== 200) {
      assert.ok(performance.now() < deadline, JSON.stringify(shown));
      shown = await call(byLater).catch(() => ({ status: 0 }));
    }
    assert.equal((await call(spiffe("spiffe://acme/support-bot"))).status, 200, "the authority before is still there");
  });

  test("a certificate that is revoked in the policy is out within a second, on an open connection too", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const mine = spiffe("spiffe://acme/support-bot");
    assert.equal((await call(mine, { agent })).status, 200);
    await gateway.rewrite(policy(", revoked: 2026-01-01").replace("test.1", "test.2"));
    const deadline = performance.now() + 1_000;
    let status = 200;
    while (status === 200 && performance.now() < deadline) status = (await call(mine, { agent })).status;
    agent.destroy();
    assert.equal(status, 401);
  });
});
