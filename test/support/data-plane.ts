import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { DIALECTS } from "../../src/codecs/dialects.ts";
import type { DenialCode } from "../../src/core/denials.ts";
import type { TestEnvoy } from "./envoy.ts";
import type { Decide } from "./ext-proc-server.ts";

/** What tests of the rendered configuration share: callers, a provider that says what reached it, a sidecar told what to do. */

/** A path of each dialect, and what its error object shows first. */
export const DIALECT_PATHS = {
  openai: "/v1/chat/completions",
  anthropic: "/v1/messages?beta=true",
  gemini: "/v1beta/models/gemini-pro:streamGenerateContent?alt=sse&key=AIza-caller",
  cohere: "/v2/chat",
  bedrock: "/model/us.amazon.nova-lite-v1%3A0/converse-stream",
  vertex: "/v1/projects/p/locations/l/publishers/google/models/gemini-pro:generateContent",
} as const;
export type Dialect = keyof typeof DIALECT_PATHS;
export const DIALECT_NAMES: readonly Dialect[] = ["openai", "anthropic", "gemini", "cohere", "bedrock", "vertex"];

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export async function post(
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
export function assertLocalReply(answer: Answer, dialect: Dialect, expected: { status: number; code: DenialCode; retry: boolean }): void {
  assert.equal(answer.status, expected.status);
  assert.equal(answer.headers.get("content-type"), "application/json");
  assert.equal(answer.headers.get("x-ai-request-id"), "req-1");
  assert.equal(answer.headers.get("x-ai-error"), expected.code);
  assert.equal(answer.headers.get("x-should-retry"), String(expected.retry));
  for (const [name, value] of DIALECTS[dialect].errorHeaders?.({ code: expected.code }, "req-1") ?? [])
    assert.equal(answer.headers.get(name), value);
  const body: unknown = JSON.parse(answer.text);
  const text = messageOf(body);
  const denial = { code: expected.code, detail: text, ...(expected.code === "overloaded" ? { retryAfterMs: 1000 } : {}) };
  assert.deepEqual(body, DIALECTS[dialect].renderError(denial, "req-1"), "as Sluice itself would say it");
  assert.doesNotMatch(answer.text, /upstream connect|127\.0\.0\.1|\.sock|ext_proc/, "nothing of the inside shows");
}

/** `error.message`, or `message` at the top (Cohere, AWS). */
function messageOf(body: unknown): string {
  assert.ok(typeof body === "object" && body !== null);
  const error = "error" in body ? body.error : body;
  assert.ok(typeof error === "object" && error !== null && "message" in error && typeof error.message === "string" && error.message !== "");
  return error.message;
}

/** Headers of a provider that callers must not get. */
export const PROVIDER_ONLY = {
  "set-cookie": "__cf_bm=1",
  "alt-svc": 'h3=":443"',
  "openai-organization": "our-account",
  "x-ai-error": "forged",
  "x-sluice-x": "1",
};

/** A provider that says what reached it. */
export interface Upstream {
  readonly port: number;
  readonly seen: { readonly url: string; readonly headers: IncomingHttpHeaders; readonly bytes: number }[];
  close(): void;
}
export async function startUpstream(): Promise<Upstream> {
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
export function portOf(address: AddressInfo | string | null): number {
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

/** The test's request headers say what the sidecar decides. */
export const decide: Decide = (headers) => {
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

/** A WebSocket handshake. */
export const upgrade = (envoy: TestEnvoy, path: string): Promise<Answer> =>
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

export function exchange(
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

export async function dispose(envoy: TestEnvoy): Promise<void> {
  await envoy.stop();
  await envoy.removeFiles();
}

export async function until(done: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 8000;
  while (!(await done())) {
    assert.ok(Date.now() < deadline, "in time");
    await sleep(50);
  }
}
