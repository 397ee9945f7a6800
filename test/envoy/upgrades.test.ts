/** WebSocket upgrades: Envoy refuses them before any filter sees the request, and Sluice must not be thrown by the answer that it does see. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { BASIC_POLICY, type Gateway, startGateway } from "../support/gateway.ts";

let gateway: Gateway;
before(async () => {
  gateway = await startGateway({ policy: BASIC_POLICY });
});
// Envoy's counters of failed streams are looked at here.
after(() => gateway.stop());

function upgrade(
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly status: number | undefined; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const key = "x3JJHMbDL1EzLkh9GBhXDw==";
    const asked = request(gateway.url + path, {
      headers: { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": key, ...headers },
    });
    asked.on("response", (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () => resolve({ status: answer.statusCode, text: Buffer.concat(chunks).toString() }));
    });
    asked.on("upgrade", () => reject(new Error("upgraded")));
    asked.on("error", reject);
    asked.end();
  });
}

for (const [path, headers, shape] of [
  ["/v1/realtime?model=gpt-4o-mini", { authorization: "Bearer x" }, (body: { error: { code: string } }) => body.error.code === "forbidden"],
  ["/v1/responses", { authorization: "Bearer x" }, (body: { error: { code: string } }) => body.error.code === "forbidden"],
  ["/v1/messages", { "anthropic-version": "2023-06-01" }, (body: { error: { type: string } }) => body.error.type === "permission_error"],
  [
    "/v1beta/models/live:bidi",
    { "x-goog-api-key": "x" },
    (body: { error: { status: string } }) => body.error.status === "PERMISSION_DENIED",
  ],
] as const)
  test(`an upgrade of ${path} is refused in the caller's dialect, and nothing reaches the provider`, async () => {
    const { status, text } = await upgrade(path, headers);
    assert.equal(status, 403);
    assert.ok(shape(JSON.parse(text)), text);
    assert.equal(gateway.simulator.requests.length, 0);
  });

test("the gateway serves on", async () => {
  const answer = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${gateway.key()}` } });
  assert.equal(answer.status, 200);
  assert.equal((await gateway.records(1)).length, 1);
});
