import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createSecureServer } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { UpstreamCluster } from "../../src/core/upstream.ts";
import { assertLocalReply, DIALECT_PATHS, decide, dispose, portOf, post, until } from "../support/data-plane.ts";
import { loopbackCluster, startEnvoy } from "../support/envoy.ts";
import { startExtProcServer } from "../support/ext-proc-server.ts";

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
  }, async (t) => {
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
    t.after(() => rmSync(dir, { recursive: true }));
    const names: (string | undefined)[] = [];
    const server = createSecureServer({ key: readFileSync(at("right.key")), cert: readFileSync(at("right.pem")) }, (incoming, answer) => {
      names.push(incoming.httpVersion);
      answer.end(incoming.authority);
    });
    server.on("secureConnection", (socket) => names.push("servername" in socket ? String(socket.servername) : undefined));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    t.after(() => server.close());
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
    t.after(() => dispose(envoy));
    const sidecar = await startExtProcServer(envoy.plan.sockets[0] ?? "", decide);
    t.after(sidecar.kill);
    await until(async () => (await post(envoy, DIALECT_PATHS.openai, { "x-want-chain": "right" })).status === 200);
    const good = await post(envoy, DIALECT_PATHS.openai, { "x-want-chain": "right" });
    assert.equal(good.text, `localhost:${port}`);
    assert.deepEqual([...new Set(names)], ["localhost", "2.0"]);
    for (const chain of ["stranger", "misnamed"]) {
      assertLocalReply(await post(envoy, DIALECT_PATHS.openai, { "x-want-chain": chain }), "openai", {
        status: 502,
        code: "upstream_error",
        retry: true,
      });
    }
  });
});
