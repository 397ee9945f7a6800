/** Accounts that Envoy itself makes a credential for: AWS's signature, and Google's access token. */
import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { portOf, post } from "../support/data-plane.ts";
import { loopbackCluster, startEnvoy, type TestEnvoy } from "../support/envoy.ts";
import { type Decide, type ExtProcServer, startExtProcServer } from "../support/ext-proc-server.ts";
import { verifySigV4 } from "../support/sigv4.ts";

const SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}
interface Recorder {
  readonly port: number;
  readonly seen: Seen[];
  status: number;
  close(): void;
}

/** A server that keeps what it gets. */
async function startRecorder(answer: (seen: Seen) => string): Promise<Recorder> {
  const seen: Seen[] = [];
  const state = { status: 200 };
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const one = { method: incoming.method ?? "", path: incoming.url ?? "", headers: incoming.headers, body: Buffer.concat(chunks) };
      seen.push(one);
      outgoing.writeHead(state.status, { "content-type": "application/json" }).end(answer(one));
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    port: portOf(server.address()),
    seen,
    get status() {
      return state.status;
    },
    set status(status) {
      state.status = status;
    },
    close: () => void server.close().closeAllConnections(),
  };
}

const PATH = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse";
const decide: Decide = (headers) => ({
  chain: (headers.get("x-want-chain") ?? "aws").split(","),
  setHeaders: {
    ":path": headers.get("x-want-path") ?? PATH,
    "x-envoy-max-retries": "1",
    "x-envoy-retry-on": "5xx",
    ...(headers.has("x-want-google") ? { "x-sluice-google": "1" } : {}),
  },
  removeHeaders: ["x-want-chain", "x-want-path", "x-want-google"],
});

describe("accounts that Envoy signs for", () => {
  let provider: Recorder;
  let metadata: Recorder;
  let envoy: TestEnvoy;
  let sidecar: ExtProcServer;

  before(async () => {
    provider = await startRecorder(() => "{}");
    metadata = await startRecorder(() => JSON.stringify({ access_token: "ya29.fake-token", expires_in: 3599, token_type: "Bearer" }));
    const keyed = { header: "x-api-key", prefix: "", secret: { kind: "env", name: "PROVIDER_KEY" } } as const;
    envoy = await startEnvoy({
      clusters: [
        loopbackCluster("aws", provider.port, { host: "localhost", signing: { kind: "aws", region: "eu-central-1" } }),
        loopbackCluster("google", provider.port, { signing: { kind: "google" } }),
        loopbackCluster("keyed", provider.port, { credential: keyed }),
      ],
      plan: { googleMetadata: { host: "127.0.0.1", port: metadata.port } },
      env: {
        AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
        AWS_SECRET_ACCESS_KEY: SECRET,
        AWS_SESSION_TOKEN: "session/token==",
        PROVIDER_KEY: "sk-other",
      },
    });
    sidecar = await startExtProcServer(envoy.plan.sockets[0] ?? "", decide);
    while ((await envoy.stats()).get("cluster.sluice.membership_healthy") !== 1) await sleep(50);
  });
  after(async () => {
    await envoy.assertClean();
    sidecar.kill();
    await envoy.stop();
    provider.close();
    metadata.close();
    await envoy.removeFiles();
  });

  const caller = {
    authorization: "Bearer slk_caller",
    "x-api-key": "slk_caller",
    "x-amz-security-token": "callers",
    "x-amz-date": "20010101T000000Z",
  };

  test("the first request, when no connection is open yet, carries a signature that holds", async () => {
    assert.equal((await post(envoy, "/x", caller, '{"messages":[]}')).status, 200);
    const [got] = provider.seen;
    assert(got !== undefined);
    assert.equal(got.path, PATH);
    const verdict = verifySigV4(got, SECRET);
    assert("scope" in verdict, "why" in verdict ? verdict.why : "");
    assert.equal(verdict.keyId, "AKIDEXAMPLE");
    assert.match(verdict.scope, /^\d{8}\/eu-central-1\/bedrock\/aws4_request$/);
    for (const name of ["host", "x-amz-date", "x-amz-security-token"]) assert(verdict.signedHeaders.includes(name), name);
    assert.equal(got.headers["x-amz-security-token"], "session/token==");
    assert.doesNotMatch(JSON.stringify(got.headers), /slk_caller|callers|20010101/);
  });

  for (const bytes of [0, 1, 70_000, 5_000_000]) {
    test(`a body of ${bytes} bytes is signed and arrives whole`, async () => {
      const body = Buffer.alloc(bytes, "a");
      assert.equal((await post(envoy, "/x", caller, body)).status, 200);
      const got = provider.seen.at(-1);
      assert(got !== undefined);
      assert(got.body.equals(body));
      const verdict = verifySigV4(got, SECRET);
      assert("scope" in verdict, "why" in verdict ? verdict.why.slice(0, 600) : "");
    });
  }

  for (const path of [
    "/model/amazon.nova-lite-v1:0/invoke",
    "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Famazon.titan/invoke-with-response-stream",
    "/model/a.b/invoke?trace=ENABLED&a=1",
  ]) {
    test(`the signature holds for ${path}`, async () => {
      assert.equal((await post(envoy, "/x", { ...caller, "x-want-path": path })).status, 200);
      const got = provider.seen.at(-1);
      assert(got !== undefined);
      assert.equal(got.path, path);
      const verdict = verifySigV4(got, SECRET);
      assert("scope" in verdict, "why" in verdict ? verdict.why : "");
    });
  }

  test("an attempt at another account after it gets that account's key and nothing of the signature", async () => {
    provider.status = 503;
    assert.equal((await post(envoy, "/x", { ...caller, "x-want-chain": "aws,keyed" })).status, 503);
    provider.status = 200;
    const [signed, other] = provider.seen.slice(-2);
    assert.match(String(signed?.headers.authorization), /^AWS4-HMAC-SHA256/);
    assert.equal(other?.headers["x-api-key"], "sk-other");
    assert.deepEqual(
      Object.keys(other?.headers ?? {}).filter((name) => name.startsWith("x-amz-") || name === "authorization"),
      [],
    );
  });

  test("Google's account gets an access token of the machine's service account, fetched once", async () => {
    for (const _ of [1, 2]) {
      assert.equal(
        (
          await post(envoy, "/x", {
            ...caller,
            "x-want-google": "1",
            "x-want-chain": "google",
            "x-want-path": "/v1/projects/p/locations/l/publishers/google/models/m:generateContent",
          })
        ).status,
        200,
      );
      const got = provider.seen.at(-1);
      assert.equal(got?.headers.authorization, "Bearer ya29.fake-token");
      assert.doesNotMatch(JSON.stringify(got?.headers), /slk_caller/);
    }
    assert.equal(metadata.seen.length, 1);
    assert.match(String(metadata.seen[0]?.path), /^\/computeMetadata\/v1\/instance\/service-accounts\/default\/token/);
    assert.equal(metadata.seen[0]?.headers["metadata-flavor"], "Google");
  });

  test("a second attempt at Google's, and one after another account, still have the token", async () => {
    provider.status = 503;
    await post(envoy, "/x", { ...caller, "x-want-google": "1", "x-want-chain": "google,google" });
    await post(envoy, "/x", { ...caller, "x-want-google": "1", "x-want-chain": "keyed,google" });
    await post(envoy, "/x", { ...caller, "x-want-google": "1", "x-want-chain": "google,keyed" });
    provider.status = 200;
    assert.deepEqual(
      provider.seen.slice(-6).map(({ headers }) => headers.authorization ?? headers["x-api-key"]),
      ["Bearer ya29.fake-token", "Bearer ya29.fake-token", "sk-other", "Bearer ya29.fake-token", "Bearer ya29.fake-token", "sk-other"],
    );
  });
});

describe("where the clouds' own credentials are missing", () => {
  let provider: Recorder;
  let envoy: TestEnvoy;
  let sidecar: ExtProcServer;

  before(async () => {
    provider = await startRecorder(() => "{}");
    const keyed = { header: "x-api-key", prefix: "", secret: { kind: "env", name: "PROVIDER_KEY" } } as const;
    envoy = await startEnvoy({
      clusters: [
        loopbackCluster("google", provider.port, { signing: { kind: "google" } }),
        loopbackCluster("aws", provider.port, { signing: { kind: "aws", region: "us-east-1" } }),
        loopbackCluster("keyed", provider.port, { credential: keyed }),
      ],
      plan: { googleMetadata: { host: "127.0.0.1", port: 1 } },
      env: { PROVIDER_KEY: "sk-other" },
    });
    sidecar = await startExtProcServer(envoy.plan.sockets[0] ?? "", decide);
    while ((await envoy.stats()).get("cluster.sluice.membership_healthy") !== 1) await sleep(50);
  });
  after(async () => {
    sidecar.kill();
    await envoy.stop();
    provider.close();
    await envoy.removeFiles();
  });

  test("others notice nothing; calls of theirs leave without a credential, not with the caller's", async () => {
    const caller = { authorization: "Bearer slk_caller" };
    assert.equal((await post(envoy, "/x", { ...caller, "x-want-chain": "keyed" })).status, 200);
    assert.equal(provider.seen.at(-1)?.headers["x-api-key"], "sk-other");
    const google = await post(envoy, "/x", { ...caller, "x-want-google": "1", "x-want-chain": "google" });
    assert.equal(provider.seen.at(-1)?.headers.authorization, "Bearer");
    const aws = await post(envoy, "/x", { ...caller, "x-want-chain": "aws" });
    assert.equal(provider.seen.at(-1)?.headers.authorization, undefined);
    // Both clouds answer such a call with a refusal, which the record shows as `upstream_unauthorised`.
    assert.deepEqual([google.status, aws.status, provider.seen.length], [200, 200, 3]);
  });
});
