import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { EnvoyPlan, UpstreamCluster } from "../../src/core/upstream.ts";
import { type RenderedEnvoy, renderEnvoy } from "../../src/envoy/bootstrap/render.ts";
import { writeDynamic } from "../../src/envoy/bootstrap/write.ts";
import {
  assertLocalReply,
  DIALECT_NAMES,
  DIALECT_PATHS,
  decide,
  dispose,
  exchange,
  PROVIDER_ONLY,
  post,
  startUpstream,
  type Upstream,
  until,
  upgrade,
} from "../support/data-plane.ts";
import { envoyBinary, loopbackCluster, startEnvoy, type TestEnvoy } from "../support/envoy.ts";
import { type ExtProcServer, startExtProcServer } from "../support/ext-proc-server.ts";

/** The rendered configuration in a real Envoy, with a sidecar that decides nothing. */

const KEY = "sk-provider-real";
const BODY_MAX = 8 * 1024 * 1024;
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
    loopbackCluster("aws", 443, {
      scheme: "https",
      host: "bedrock-runtime.us-east-1.amazonaws.com",
      signing: { kind: "aws", region: "us-east-1" },
    }),
    loopbackCluster("google", 443, { scheme: "https", host: "us-central1-aiplatform.googleapis.com", signing: { kind: "google" } }),
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
        loopbackCluster("narrow", upstream.port, { maxRequests: 1 }),
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
    assertLocalReply(await post(envoy, DIALECT_PATHS.openai, { "x-want-chain": "added" }), "openai", {
      status: 503,
      code: "no_target",
      retry: false,
    });
    await envoy.reload([...envoy.plan.clusters, withKey("added", upstream.port)], "hash-2");
    assert.equal((await post(envoy, DIALECT_PATHS.openai, { "x-want-chain": "added" })).status, 200);
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
    const answer = await post(envoy, DIALECT_PATHS.openai, { "x-want-chain": "keyless", "x-api-key": "caller" });
    assertLocalReply(answer, "openai", { status: 502, code: "upstream_unauthorised", retry: false });
    assert.equal(upstream.seen.length, before);
  });

  test("answers of the sidecar reach the caller as they are", async () => {
    for (const dialect of DIALECT_NAMES) {
      const answer = await post(envoy, DIALECT_PATHS[dialect], { "x-want-immediate": "1" });
      assert.equal(answer.status, 429);
      assert.equal(answer.text, 'data: {"mine":1}\n\n');
      assert.equal(answer.headers.get("content-type"), "text/event-stream");
      assert.equal(answer.headers.get("retry-after"), "7");
      assert.equal(answer.headers.get("x-ai-request-id"), "own");
      assert.equal(answer.headers.get("x-ai-error"), null);
    }
  });

  for (const dialect of DIALECT_NAMES) {
    test(`${dialect}: too large, unreachable, too slow and an upgrade are told in the caller's dialect`, async () => {
      const path = DIALECT_PATHS[dialect];
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

  test("past the requests that a provider account may have at once, callers are told to try again", async () => {
    const narrow = { "x-want-chain": "narrow", "x-want-status": "never", "x-steer-upstream-rq-timeout-ms": "400" };
    const first = post(envoy, DIALECT_PATHS.openai, narrow);
    await until(async () => (await envoy.stats()).get("cluster.narrow.upstream_rq_active") === 1);
    assertLocalReply(await post(envoy, DIALECT_PATHS.openai, narrow), "openai", { status: 503, code: "overloaded", retry: true });
    assert.equal((await first).status, 504);
  });

  test("what Envoy cannot take as HTTP reaches neither sidecar nor provider", async () => {
    const before = [sidecar.requests.length, upstream.seen.length];
    const many = Object.fromEntries(Array.from({ length: 120 }, (_, index) => [`x-${index}`, "1"]));
    // Envoy closes at once, while its reply still waits in the response path of ext_proc: no reply, a closed connection.
    await assert.rejects(exchange(envoy, { method: "GET", path: "/v1/models", headers: many }), { code: "ECONNRESET" });
    assert.deepEqual([sidecar.requests.length, upstream.seen.length], before);
  });

  test("the local reply stays JSON whatever the caller's request id holds", async () => {
    const id = 'a"b\\c%REQ(AUTHORIZATION)%';
    const answer = await post(envoy, DIALECT_PATHS.anthropic, {
      "x-want-chain": "dead",
      "x-request-id": id,
      authorization: "Bearer caller",
    });
    const body: unknown = JSON.parse(answer.text);
    assert.ok(typeof body === "object" && body !== null && "request_id" in body);
    assert.equal(body.request_id, id);
  });
});

describe("a sidecar that is gone or silent", () => {
  test("every dialect gets a well-formed 503 at once, and service returns without help", async (t) => {
    const upstream = await startUpstream();
    t.after(upstream.close);
    const envoy = await startEnvoy({ clusters: [loopbackCluster("main", upstream.port)] });
    t.after(() => dispose(envoy));
    const [socket = ""] = envoy.plan.sockets;
    const sidecar = await startExtProcServer(socket, decide);
    await until(async () => (await post(envoy, DIALECT_PATHS.openai)).status === 200);
    sidecar.kill();
    const before = upstream.seen.length;
    for (const dialect of DIALECT_NAMES) {
      const started = performance.now();
      const answer = await post(envoy, DIALECT_PATHS[dialect]);
      assert.ok(performance.now() - started < 1000, "at once");
      assertLocalReply(answer, dialect, { status: 503, code: "overloaded", retry: true });
      assert.equal(answer.headers.get("retry-after"), "1");
    }
    assert.equal(upstream.seen.length, before, "nothing passed uninspected");
    rmSync(socket, { force: true });
    const again = await startExtProcServer(socket, decide);
    t.after(again.kill);
    await until(async () => (await post(envoy, DIALECT_PATHS.openai)).status === 200);
  });

  test("one that says nothing is a retryable 503 after the message timeout", async (t) => {
    const shorten = (rendered: RenderedEnvoy): RenderedEnvoy => ({
      ...rendered,
      bootstrap: JSON.parse(JSON.stringify(rendered.bootstrap).replace('"message_timeout":"10s"', '"message_timeout":"0.3s"')),
    });
    const envoy = await startEnvoy({ clusters: [], edit: shorten });
    t.after(() => dispose(envoy));
    const sidecar = await startExtProcServer(envoy.plan.sockets[0] ?? "", decide);
    t.after(sidecar.kill);
    await sleep(100);
    assertLocalReply(await post(envoy, DIALECT_PATHS.anthropic, { "x-want-silence": "1" }), "anthropic", {
      status: 503,
      code: "overloaded",
      retry: true,
    });
  });
});

test("the access log has the timings and no query string", async () => {
  const upstream = await startUpstream();
  const envoy = await startEnvoy({ clusters: [loopbackCluster("main", upstream.port)] });
  const sidecar = await startExtProcServer(envoy.plan.sockets[0] ?? "", decide);
  await until(async () => (await post(envoy, DIALECT_PATHS.gemini)).status === 200);
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
