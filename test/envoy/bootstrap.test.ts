import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, request, type Server } from "node:http";
import { createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { EnvoyPlan, UpstreamCluster } from "../../src/core/upstream.ts";
import { type RenderedEnvoy, renderEnvoy } from "../../src/envoy/bootstrap/render.ts";
import { writeDynamic } from "../../src/envoy/bootstrap/write.ts";
import { envoyBinary, loopbackCluster, startEnvoy, type TestEnvoy } from "../support/envoy.ts";
import { type Decide, type ExtProcServer, startExtProcServer } from "../support/ext-proc-server.ts";

/** The rendered configuration in a real Envoy, with a sidecar that decides nothing. */

const KEY = "sk-provider-real";
const BODY_MAX = 8 * 1024 * 1024;
/** A path of each dialect, and what its error object shows first. */
const DIALECTS = {
  openai: "/v1/chat/completions",
  anthropic: "/v1/messages?beta=true",
  gemini: "/v1beta/models/gemini-pro:streamGenerateContent?alt=sse&key=AIza-caller",
} as const;
type Dialect = keyof typeof DIALECTS;
const names: readonly Dialect[] = ["openai", "anthropic", "gemini"];

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

async function post(
  envoy: TestEnvoy,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body: string | Uint8Array = '{"x":1}',
): Promise<Answer> {
  const answer = await fetch(envoy.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-request-id": "req-1", ...headers },
    body,
    signal: AbortSignal.timeout(15_000),
  });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

/** The reply is the dialect's error object with this code, and says whether to try again. */
function assertLocalReply(answer: Answer, dialect: Dialect, expected: { status: number; code: string; retry: boolean }): void {
  assert.equal(answer.status, expected.status);
  assert.equal(answer.headers.get("content-type"), "application/json");
  assert.equal(answer.headers.get("x-ai-request-id"), "req-1");
  assert.equal(answer.headers.get("x-ai-error"), expected.code);
  assert.equal(answer.headers.get("x-should-retry"), String(expected.retry));
  const body: unknown = JSON.parse(answer.text);
  assertShape(body, dialect, expected);
  assert.doesNotMatch(answer.text, /upstream connect|127\.0\.0\.1|\.sock|ext_proc/, "nothing of the inside shows");
}

function assertShape(body: unknown, dialect: Dialect, { status, code }: { status: number; code: string }): void {
  assert.ok(typeof body === "object" && body !== null && "error" in body);
  const { error } = body;
  assert.ok(
    typeof error === "object" && error !== null && "message" in error && typeof error.message === "string" && error.message.length > 10,
  );
  if (dialect === "openai") assert.ok("code" in error && error.code === code && "type" in error && "param" in error);
  if (dialect === "anthropic")
    assert.ok("type" in body && body.type === "error" && "type" in error && "request_id" in body && body.request_id === "req-1");
  if (dialect === "gemini") assert.ok("code" in error && error.code === status && "status" in error && typeof error.status === "string");
}

/** Headers of a provider that callers must not get. */
const PROVIDER_ONLY = {
  "set-cookie": "__cf_bm=1",
  "alt-svc": 'h3=":443"',
  "openai-organization": "our-account",
  "x-ai-error": "forged",
  "x-sluice-x": "1",
};

/** A provider that says what reached it. */
interface Upstream {
  readonly port: number;
  readonly seen: { readonly url: string; readonly headers: IncomingHttpHeaders; readonly bytes: number }[];
  close(): void;
}
async function startUpstream(): Promise<Upstream> {
  const seen: Upstream["seen"] = [];
  const server: Server = createServer((incoming, answer) => {
    let bytes = 0;
    incoming.on("data", (chunk) => {
      bytes += chunk.length;
    });
    incoming.on("end", () => {
      seen.push({ url: incoming.url ?? "", headers: incoming.headers, bytes });
      const status = Number(incoming.headers["x-want-status"] ?? 200);
      if (incoming.headers["x-want-status"] !== "never")
        answer.writeHead(status, { server: "provider/1", "content-type": "application/json", ...PROVIDER_ONLY }).end('{"ok":true}');
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return { port: portOf(server.address()), seen, close: () => void server.close().closeAllConnections() };
}
function portOf(address: AddressInfo | string | null): number {
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

/** The test's request headers say what the sidecar decides. */
const decide: Decide = (headers) => {
  if (headers.has("x-want-silence")) return "silent";
  if (headers.has("x-want-immediate")) {
    return {
      immediate: {
        status: 429,
        headers: { "content-type": "text/event-stream", "x-ai-request-id": "own", "retry-after": "7" },
        body: 'data: {"mine":1}\n\n',
      },
    };
  }
  const steer: Record<string, string> = {};
  for (const [name, value] of headers) if (name.startsWith("x-steer-")) steer[name.replace("x-steer-", "x-envoy-")] = value;
  // As Sluice does: the provider's path, and no request id.
  return {
    chain: (headers.get("x-want-chain") ?? "main").split(","),
    setHeaders: { ":path": "/base/rewritten", ...steer },
    removeHeaders: ["x-request-id"],
  };
};

const plan = (clusters: readonly UpstreamCluster[]): EnvoyPlan => ({
  nodeId: "gateway-1",
  policyHash: "abc123",
  listen: { address: "127.0.0.1", port: 8080 },
  admin: { address: "127.0.0.1", port: 9901 },
  sockets: ["/run/sluice/0.sock", "/run/sluice/1.sock"],
  dynamicDir: "/run/sluice/envoy",
  accessLog: "/dev/stdout",
  bodyBytesMax: BODY_MAX,
  requestMsMax: 60_000,
  concurrency: undefined,
  clusters,
});

const withKey = (name: string, port: number): UpstreamCluster =>
  loopbackCluster(name, port, {
    credential: { header: "authorization", prefix: "Bearer ", secret: { kind: "env", name: "PROVIDER_KEY" } },
  });

describe("rendering", () => {
  const clusters = [
    withKey("plain", 8000),
    loopbackCluster("pool", 8000, { host: "vllm.internal" }),
    loopbackCluster("six", 8000, { host: "::1" }),
    loopbackCluster("tls", 443, {
      scheme: "https",
      host: "api.example.com",
      credential: { header: "x-api-key", prefix: "", secret: { kind: "file", path: "/etc/hostname" } },
    }),
    loopbackCluster("tls-address", 8443, { scheme: "https", host: "10.0.0.1", caFile: "/etc/ssl/certs/ca-certificates.crt" }),
  ];

  test("Envoy accepts bootstrap and clusters, without a warning", async () => {
    const dir = mkdtempSync(join(tmpdir(), "sluice-"));
    const rendered = renderEnvoy({ ...plan(clusters), dynamicDir: dir });
    assert.ok((await writeDynamic(rendered, dir)).ok);
    // `--mode validate` reads no CDS: the clusters are put where it looks.
    const whole = structuredClone({ ...rendered.bootstrap, cds: rendered.cds });
    const path = join(dir, "bootstrap.json");
    writeFileSync(path, JSON.stringify(inlined(whole)));
    const output = await new Promise<string>((done, failed) => {
      execFile(
        envoyBinary(),
        ["--mode", "validate", "--config-path", path, "--log-level", "warning"],
        { env: { PROVIDER_KEY: KEY } },
        (error, stdout, stderr) => (error === null ? done(stdout + stderr) : failed(new Error(stderr))),
      );
    });
    assert.match(output, /OK/);
    assert.doesNotMatch(output, /\[warning\]|[Dd]eprecated/);
    rmSync(dir, { recursive: true });
  });

  test("it names the secrets' places and takes the policy's hash as the clusters' version", () => {
    const rendered = renderEnvoy(plan(clusters));
    assert.deepEqual(
      [...rendered.files().keys()],
      ["bootstrap.json", "dynamic/cds.json", "dynamic/sds-plain.json", "dynamic/sds-tls.json"],
    );
    assert.equal(rendered.cds["version_info"], "abc123");
    const files = [...rendered.files().values()].join("");
    assert.match(files, /"environment_variable": "PROVIDER_KEY"/);
    assert.match(files, /"filename": "\/etc\/hostname"/);
    assert.match(files, /ext_proc_graceful_grpc_close": true/);
  });
});

/** Clusters of the CDS file as static ones. `config` is Envoy's JSON. */
function inlined(config: unknown): unknown {
  assert.ok(typeof config === "object" && config !== null && "cds" in config && "static_resources" in config);
  const { cds, static_resources, ...rest } = config;
  assert.ok(typeof cds === "object" && cds !== null && "resources" in cds && Array.isArray(cds.resources));
  assert.ok(
    typeof static_resources === "object" &&
      static_resources !== null &&
      "clusters" in static_resources &&
      Array.isArray(static_resources.clusters),
  );
  const moved = cds.resources.map(({ "@type": _, ...cluster }) => cluster);
  const { dynamic_resources: _, ...kept } = { dynamic_resources: undefined, ...rest };
  return { ...kept, static_resources: { ...static_resources, clusters: [...static_resources.clusters, ...moved] } };
}

describe("a running Envoy", () => {
  let envoy: TestEnvoy;
  let sidecar: ExtProcServer;
  let upstream: Upstream;
  let keyFile: string;

  before(async () => {
    upstream = await startUpstream();
    keyFile = join(mkdtempSync(join(tmpdir(), "sluice-")), "key");
    writeFileSync(keyFile, "file-key-1\n");
    const fromFile = { header: "x-api-key", prefix: "", secret: { kind: "file", path: keyFile } } as const;
    const unset = { header: "x-api-key", prefix: "", secret: { kind: "env", name: "NOT_SET" } } as const;
    envoy = await startEnvoy({
      clusters: [
        withKey("main", upstream.port),
        loopbackCluster("filed", upstream.port, { host: "localhost", credential: fromFile }),
        loopbackCluster("keyless", upstream.port, { credential: unset }),
        loopbackCluster("dead", 1),
      ],
      plan: { bodyBytesMax: BODY_MAX, policyHash: "hash-1" },
      env: { PROVIDER_KEY: KEY },
    });
    sidecar = await startExtProcServer(envoy.plan.sockets[0] ?? "", decide);
    while ((await envoy.stats()).get("cluster.sluice.membership_healthy") !== 1) await sleep(50);
  });
  after(async () => {
    await envoy.assertClean();
    sidecar.kill();
    await envoy.stop();
    upstream.close();
    await envoy.removeFiles();
    rmSync(keyFile, { force: true });
  });

  test("the provider gets its own key and host, and nothing that was the caller's or ours", async () => {
    const answer = await post(envoy, "/v1/chat/completions", {
      authorization: "Bearer caller",
      "x-api-key": "caller",
      "api-key": "caller",
      "x-goog-api-key": "caller",
      cookie: "session=caller",
      "x-forwarded-for": "10.9.9.9",
      "x-sluice-forged": "1",
      "x-ai-tenant": "acme",
      "accept-encoding": "gzip",
    });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("server"), "sluice");
    assert.deepEqual(
      [...answer.headers.keys()].filter((name) => name in PROVIDER_ONLY),
      [],
    );
    const got = upstream.seen.at(-1)?.headers ?? {};
    assert.equal(got.authorization, `Bearer ${KEY}`);
    assert.equal(got.host, `127.0.0.1:${upstream.port}`);
    assert.equal(upstream.seen.at(-1)?.url, "/base/rewritten");
    const kept = Object.keys(got).filter((name) => /^x-(?!plan)|api-key|cookie|forwarded|accept-encoding/.test(name));
    assert.deepEqual(kept, []);
    const seen = sidecar.requests.at(-1);
    assert.equal(seen?.has("x-sluice-forged"), false, "control headers from outside do not reach the sidecar");
    assert.equal(seen?.get("authorization"), "Bearer caller", "the sidecar still sees who calls");
    assert.equal(seen?.get("x-request-id"), "req-1");
  });

  test("the sidecar learns who served and at which attempt", async () => {
    await post(envoy, "/v1/chat/completions", { "x-want-chain": "filed" });
    const { address, ...served } = sidecar.answers.at(-1) ?? {};
    assert.deepEqual(served, { status: "200", cluster: "filed", attempts: 1 });
    assert.match(String(address), new RegExp(`:${upstream.port}$`));
  });

  test("a retry goes to the next cluster of the chain, with that cluster's key", async () => {
    const answer = await post(envoy, "/v1/chat/completions", {
      "x-want-chain": "dead,filed",
      "x-steer-max-retries": "1",
      "x-steer-retry-on": "connect-failure,5xx",
    });
    assert.equal(answer.status, 200);
    const got = upstream.seen.at(-1)?.headers ?? {};
    assert.equal(got["x-api-key"], "file-key-1");
    assert.equal(got.authorization, undefined);
    assert.equal(got.host, `localhost:${upstream.port}`);
    assert.equal(sidecar.answers.at(-1)?.attempts, 2);
  });

  test("bodies of the largest size allowed pass whole", async () => {
    const answer = await post(envoy, "/v1/chat/completions", {}, Buffer.alloc(BODY_MAX - 1, "x"));
    assert.equal(answer.status, 200);
    assert.equal(upstream.seen.at(-1)?.bytes, BODY_MAX - 1);
  });

  test("callers cannot steer Envoy", async () => {
    const before = upstream.seen.length;
    const answer = await post(envoy, "/v1/chat/completions", {
      "x-envoy-max-retries": "3",
      "x-envoy-retry-on": "5xx",
      "x-want-status": "500",
    });
    assert.equal(answer.status, 500);
    assert.equal(upstream.seen.length, before + 1);
  });

  test("the CDS version is the policy's hash; new clusters are there once it moves, without a restart", async () => {
    assert.equal((await envoy.textStats()).get("cluster_manager.cds.version_text"), "hash-1");
    assertLocalReply(await post(envoy, DIALECTS.openai, { "x-want-chain": "added" }), "openai", {
      status: 503,
      code: "no_target",
      retry: false,
    });
    await envoy.reload([...envoy.plan.clusters, withKey("added", upstream.port)], "hash-2");
    assert.equal((await post(envoy, DIALECTS.openai, { "x-want-chain": "added" })).status, 200);
  });

  test("a key rotated by renaming its file is in force without a restart", async () => {
    writeFileSync(`${keyFile}.new`, "file-key-2\n");
    renameSync(`${keyFile}.new`, keyFile);
    const got = async (): Promise<unknown> => {
      await post(envoy, "/v1/messages", { "x-want-chain": "filed" });
      return upstream.seen.at(-1)?.headers["x-api-key"];
    };
    const deadline = Date.now() + 3000;
    while ((await got()) !== "file-key-2" && Date.now() < deadline) await sleep(20);
    assert.equal(await got(), "file-key-2");
  });

  test("without its key a provider is not called", async () => {
    const before = upstream.seen.length;
    const answer = await post(envoy, DIALECTS.openai, { "x-want-chain": "keyless", "x-api-key": "caller" });
    assertLocalReply(answer, "openai", { status: 502, code: "upstream_unauthorised", retry: false });
    assert.equal(upstream.seen.length, before);
  });

  test("answers of the sidecar reach the caller as they are", async () => {
    for (const dialect of names) {
      const answer = await post(envoy, DIALECTS[dialect], { "x-want-immediate": "1" });
      assert.equal(answer.status, 429);
      assert.equal(answer.text, 'data: {"mine":1}\n\n');
      assert.equal(answer.headers.get("content-type"), "text/event-stream");
      assert.equal(answer.headers.get("retry-after"), "7");
      assert.equal(answer.headers.get("x-ai-request-id"), "own");
      assert.equal(answer.headers.get("x-ai-error"), null);
    }
  });

  for (const dialect of names) {
    test(`${dialect}: too large, unreachable, too slow and an upgrade are told in the caller's dialect`, async () => {
      const path = DIALECTS[dialect];
      const large = await post(envoy, path, {}, Buffer.alloc(BODY_MAX + 300_000, "x"));
      assertLocalReply(large, dialect, { status: 413, code: "input_too_large", retry: false });
      assertLocalReply(await post(envoy, path, { "x-want-chain": "dead" }), dialect, { status: 502, code: "upstream_error", retry: true });
      const slow = await post(envoy, path, { "x-want-status": "never", "x-steer-upstream-rq-timeout-ms": "100" });
      assertLocalReply(slow, dialect, { status: 504, code: "upstream_timeout", retry: true });
      const before = sidecar.requests.length;
      assertLocalReply(await upgrade(envoy, path), dialect, { status: 403, code: "forbidden", retry: false });
      assert.equal(sidecar.requests.length, before, "the sidecar does not see an upgrade");
    });
  }

  test("what Envoy cannot take as HTTP reaches neither sidecar nor provider", async () => {
    const before = [sidecar.requests.length, upstream.seen.length];
    const many = Object.fromEntries(Array.from({ length: 120 }, (_, index) => [`x-${index}`, "1"]));
    // Envoy closes at once, while its reply still waits in the response path of ext_proc: no reply, a closed connection.
    await assert.rejects(exchange(envoy, { method: "GET", path: "/v1/models", headers: many }), { code: "ECONNRESET" });
    assert.deepEqual([sidecar.requests.length, upstream.seen.length], before);
  });

  test("the local reply stays JSON whatever the caller's request id holds", async () => {
    const id = 'a"b\\c%REQ(AUTHORIZATION)%';
    const answer = await post(envoy, DIALECTS.anthropic, { "x-want-chain": "dead", "x-request-id": id, authorization: "Bearer caller" });
    const body: unknown = JSON.parse(answer.text);
    assert.ok(typeof body === "object" && body !== null && "request_id" in body);
    assert.equal(body.request_id, id);
  });
});

/** A WebSocket handshake. */
const upgrade = (envoy: TestEnvoy, path: string): Promise<Answer> =>
  exchange(envoy, {
    method: "GET",
    path,
    headers: {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    },
  });

function exchange(
  envoy: TestEnvoy,
  { method, path, headers }: { method: string; path: string; headers: Readonly<Record<string, string>> },
): Promise<Answer> {
  return new Promise((done, failed) => {
    const outgoing = request(
      { host: "127.0.0.1", port: envoy.port, method, path, headers: { "x-request-id": "req-1", ...headers } },
      (incoming) => {
        let text = "";
        incoming.setEncoding("utf8").on("data", (chunk) => {
          text += chunk;
        });
        incoming.on("end", () =>
          done({
            status: incoming.statusCode ?? 0,
            headers: new Headers(Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)])),
            text,
          }),
        );
      },
    );
    outgoing.on("error", failed).end();
  });
}

describe("a sidecar that is gone or silent", () => {
  test("every dialect gets a well-formed 503 at once, and service returns without help", async () => {
    const upstream = await startUpstream();
    const envoy = await startEnvoy({ clusters: [loopbackCluster("main", upstream.port)] });
    const [socket = ""] = envoy.plan.sockets;
    const sidecar = await startExtProcServer(socket, decide);
    await until(async () => (await post(envoy, DIALECTS.openai)).status === 200);
    sidecar.kill();
    const before = upstream.seen.length;
    for (const dialect of names) {
      const started = performance.now();
      const answer = await post(envoy, DIALECTS[dialect]);
      assert.ok(performance.now() - started < 1000, "at once");
      assertLocalReply(answer, dialect, { status: 503, code: "overloaded", retry: true });
      assert.equal(answer.headers.get("retry-after"), "1");
    }
    assert.equal(upstream.seen.length, before, "nothing passed uninspected");
    rmSync(socket, { force: true });
    const again = await startExtProcServer(socket, decide);
    await until(async () => (await post(envoy, DIALECTS.openai)).status === 200);
    again.kill();
    await envoy.stop();
    upstream.close();
    await envoy.removeFiles();
  });

  test("one that says nothing is a retryable 503 after the message timeout", async () => {
    const shorten = (rendered: RenderedEnvoy): RenderedEnvoy => ({
      ...rendered,
      bootstrap: JSON.parse(JSON.stringify(rendered.bootstrap).replace('"message_timeout":"10s"', '"message_timeout":"0.3s"')),
    });
    const envoy = await startEnvoy({ clusters: [], edit: shorten });
    const sidecar = await startExtProcServer(envoy.plan.sockets[0] ?? "", decide);
    await sleep(100);
    assertLocalReply(await post(envoy, DIALECTS.anthropic, { "x-want-silence": "1" }), "anthropic", {
      status: 503,
      code: "overloaded",
      retry: true,
    });
    sidecar.kill();
    await envoy.stop();
    await envoy.removeFiles();
  });
});

async function until(done: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 8000;
  while (!(await done())) {
    assert.ok(Date.now() < deadline, "in time");
    await sleep(50);
  }
}

test("the access log has the timings and no query string", async () => {
  const upstream = await startUpstream();
  const envoy = await startEnvoy({ clusters: [loopbackCluster("main", upstream.port)] });
  const sidecar = await startExtProcServer(envoy.plan.sockets[0] ?? "", decide);
  await until(async () => (await post(envoy, DIALECTS.gemini)).status === 200);
  sidecar.kill();
  await envoy.stop();
  const entry = (await envoy.accessLog()).at(-1) ?? {};
  assert.equal(entry["gateway"], "test");
  assert.equal(entry["request_id"], "req-1");
  assert.equal(entry["path"], "/v1beta/models/gemini-pro:streamGenerateContent");
  assert.equal(entry["status"], 200);
  assert.equal(entry["cluster"], "main");
  assert.equal(entry["attempts"], 1);
  assert.match(String(entry["sidecar"]), /^rh:\d+:0,rb:/);
  assert.doesNotMatch(readFileSync(envoy.plan.accessLog, "utf8"), /AIza-caller/);
  upstream.close();
  await envoy.removeFiles();
});

describe("TLS to the provider", () => {
  const openssl = (() => {
    try {
      return execFileSync("openssl", ["version"]).length > 0;
    } catch {
      return false;
    }
  })();

  test("SNI, HTTP/2, the authority's signature and the name are right, else the call fails", {
    skip: openssl ? false : "needs the openssl command for a certificate",
  }, async () => {
    const dir = mkdtempSync(join(tmpdir(), "sluice-"));
    const at = (name: string): string => join(dir, name);
    const certificate = [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "1",
      "-subj",
      "/CN=test",
      "-addext",
      "subjectAltName=DNS:localhost",
    ];
    for (const name of ["right", "other"])
      execFileSync("openssl", [...certificate, "-keyout", at(`${name}.key`), "-out", at(`${name}.pem`)], { stdio: "ignore" });
    const names: (string | undefined)[] = [];
    const server = createSecureServer({ key: readFileSync(at("right.key")), cert: readFileSync(at("right.pem")) }, (incoming, answer) => {
      names.push(incoming.httpVersion);
      answer.end(incoming.authority);
    });
    server.on("secureConnection", (socket) => names.push("servername" in socket ? String(socket.servername) : undefined));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const port = portOf(server.address());
    const tls = (name: string, host: string, ca: string): UpstreamCluster =>
      loopbackCluster(name, port, { scheme: "https", host, caFile: at(ca) });
    const envoy = await startEnvoy({
      clusters: [
        tls("right", "localhost", "right.pem"),
        tls("stranger", "localhost", "other.pem"),
        tls("misnamed", "127.0.0.1", "right.pem"),
      ],
    });
    const sidecar = await startExtProcServer(envoy.plan.sockets[0] ?? "", decide);
    await until(async () => (await post(envoy, DIALECTS.openai, { "x-want-chain": "right" })).status === 200);
    const good = await post(envoy, DIALECTS.openai, { "x-want-chain": "right" });
    assert.equal(good.text, `localhost:${port}`);
    assert.deepEqual([...new Set(names)], ["localhost", "2.0"]);
    for (const chain of ["stranger", "misnamed"]) {
      assertLocalReply(await post(envoy, DIALECTS.openai, { "x-want-chain": chain }), "openai", {
        status: 502,
        code: "upstream_error",
        retry: true,
      });
    }
    sidecar.kill();
    await envoy.stop();
    server.close();
    await envoy.removeFiles();
    rmSync(dir, { recursive: true });
  });
});
