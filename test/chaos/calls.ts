/** Calls that chaos tests make, in every dialect, over plain HTTP: what a caller sees when things break, before an SDK reads it. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

export type Dialect = "openai" | "anthropic" | "gemini";

/** One way to call: where, with what, and how its key travels. */
export interface Shape {
  readonly name: string;
  readonly dialect: Dialect;
  readonly path: string;
  readonly streaming: boolean;
  body(text: string): object;
}

const user = (content: string): object[] => [{ role: "user", content }];
const contents = (text: string): object => ({ contents: [{ role: "user", parts: [{ text }] }] });

export const STREAMS: readonly Shape[] = [
  {
    name: "chat",
    dialect: "openai",
    path: "/v1/chat/completions",
    streaming: true,
    body: (text) => ({ model: "gpt-4o-mini", stream: true, max_tokens: 1_000_000, messages: user(text) }),
  },
  {
    name: "responses",
    dialect: "openai",
    path: "/v1/responses",
    streaming: true,
    body: (text) => ({ model: "gpt-4o-mini", stream: true, store: false, max_output_tokens: 1_000_000, input: text }),
  },
  {
    name: "messages",
    dialect: "anthropic",
    path: "/v1/messages",
    streaming: true,
    body: (text) => ({ model: "claude-haiku-4-5", stream: true, max_tokens: 1_000_000, messages: user(text) }),
  },
  {
    name: "gemini SSE",
    dialect: "gemini",
    path: "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    streaming: true,
    body: contents,
  },
  {
    name: "gemini array",
    dialect: "gemini",
    path: "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
    streaming: true,
    body: contents,
  },
];
export const UNARY: readonly Shape[] = [
  {
    name: "chat",
    dialect: "openai",
    path: "/v1/chat/completions",
    streaming: false,
    body: (text) => ({ model: "gpt-4o-mini", max_tokens: 1_000_000, messages: user(text) }),
  },
  {
    name: "messages",
    dialect: "anthropic",
    path: "/v1/messages",
    streaming: false,
    body: (text) => ({ model: "claude-haiku-4-5", max_tokens: 1_000_000, messages: user(text) }),
  },
  { name: "generateContent", dialect: "gemini", path: "/v1beta/models/gemini-2.5-flash:generateContent", streaming: false, body: contents },
];

/** How a call went. `broken`: the connection ended before the answer did. */
export interface Outcome {
  readonly shape: Shape;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly broken: boolean;
}

export interface CallOptions {
  readonly url: string;
  readonly key: string;
  /** Called with each piece of the answer; `leave` closes the connection. */
  readonly onPiece?: (piece: string, leave: () => void) => void;
  /** Called once the request was sent. */
  readonly onSent?: (leave: () => void) => void;
}

/** Makes one call and never throws: a connection that breaks is an outcome. */
export function call(shape: Shape, text: string, options: CallOptions): Promise<Outcome> {
  const startedAt = Date.now();
  const credential =
    shape.dialect === "openai"
      ? { authorization: `Bearer ${options.key}` }
      : { [shape.dialect === "anthropic" ? "x-api-key" : "x-goog-api-key"]: options.key };
  const version = shape.dialect === "anthropic" ? { "anthropic-version": "2023-06-01" } : {};
  return new Promise((done) => {
    let received = "";
    const sent = request(`${options.url}${shape.path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...version, ...credential },
      agent: false,
    });
    const end = (broken: boolean, status?: number, headers: Outcome["headers"] = {}): void =>
      done({ shape, startedAt, endedAt: Date.now(), status, headers, text: received, broken });
    sent.on("error", () => end(true));
    sent.on("response", (response) => {
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        received += piece;
        options.onPiece?.(piece, () => sent.destroy());
      });
      response.on("error", () => undefined);
      response.on("close", () => end(!response.complete, response.statusCode, response.headers));
    });
    sent.end(JSON.stringify(shape.body(text)), () => options.onSent?.(() => sent.destroy()));
  });
}

/** Fails unless this is an error object of the caller's dialect, whole and with this code. */
export function assertError(outcome: Outcome, code: string): void {
  const { shape, text, headers } = outcome;
  assert.equal(outcome.broken, false, "the connection broke");
  assert.equal(headers["x-ai-error"], code, text);
  assert.match(String(headers["x-ai-request-id"]), /^[\w-]{8,}$/);
  const parsed: unknown = JSON.parse(text);
  const body = Array.isArray(parsed) ? parsed[0] : parsed;
  assert.ok(typeof body?.error?.message === "string" && body.error.message.length > 10, text);
  if (shape.dialect === "openai") assert.equal(body.error.code, code);
  if (shape.dialect === "anthropic") assert.equal(body.type, "error");
  if (shape.dialect === "gemini") assert.equal(body.error.code, outcome.status);
}

/** Whether a served answer is whole: a stream with its dialect's own end, or JSON. */
export function isWhole({ shape, text, broken, status }: Outcome): boolean {
  if (broken || status !== 200) return false;
  if (!shape.streaming) return JSON.parse(text) !== undefined;
  switch (shape.name) {
    case "chat":
      return text.endsWith("data: [DONE]\n\n");
    case "responses":
      return text.includes("event: response.completed");
    case "messages":
      return text.includes("event: message_stop");
    case "gemini SSE":
      return text.includes('"finishReason"');
    default:
      return Array.isArray(JSON.parse(text));
  }
}

/** Waits until it holds, at most so long; fails with what it was. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, msMax = 10_000): Promise<void> {
  for (const deadline = Date.now() + msMax; Date.now() < deadline; await sleep(10)) if (await holds()) return;
  assert.fail(`not within ${msMax} ms: ${what}`);
}
