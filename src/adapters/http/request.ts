/**
 * The sidecar's own egress: one HTTP exchange with a server that the policy names. https, or http on loopback; capped in time and
 * size; no redirects, no cookies; proxy settings of the environment honoured. Nothing of a body is ever repeated in an error.
 */
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { err, ok, type Result } from "../../core/result.ts";

export interface HttpCall {
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** PEM text of the authorities to trust; undefined: Node's. */
  readonly ca: string | undefined;
  /** `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are honoured, in either case; a loopback host needs no proxy. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** From the first packet to the last byte, milliseconds. */
  readonly deadlineMs: number;
  /** Largest answer taken, bytes. */
  readonly bytesMax: number;
  /** Also http to hosts that are not this one: services of the cluster that the policy names. */
  readonly plainHttp?: boolean;
  /** Connections that are kept between calls. Absent: one for this call alone. */
  readonly connections?: Connections;
}
/**
 * status: the server said something else than 2xx, such as a redirect, which is not followed. timeout: not whole within its time, or
 * ended by the caller's signal. large: more bytes than are taken. The texts are safe to log.
 */
export type HttpError =
  | { readonly code: "status"; readonly status: number; readonly message: string }
  | { readonly code: "failed" | "timeout" | "large"; readonly message: string };

/** Connections to one server, kept open between calls. */
export class Connections {
  readonly agent: HttpAgent | HttpsAgent;

  /** `idle`: most that are kept while nothing is asked. */
  constructor(url: URL, env: Readonly<Record<string, string | undefined>>, idle: number) {
    this.agent = agentFor(url, env, { keepAlive: true, maxFreeSockets: idle });
  }
  close(): void {
    this.agent.destroy();
  }
}

function agentFor(
  url: URL,
  env: Readonly<Record<string, string | undefined>>,
  options: { readonly keepAlive: boolean; readonly maxFreeSockets?: number },
): HttpAgent | HttpsAgent {
  const proxyEnv = isLoopback(url.hostname) ? {} : proxies(env);
  return url.protocol === "https:" ? new HttpsAgent({ proxyEnv, ...options }) : new HttpAgent({ proxyEnv, ...options });
}

/** The body of a 2xx answer. */
export async function callHttp(url: URL, call: HttpCall): Promise<Result<Buffer, HttpError>> {
  const secure = url.protocol === "https:";
  if (!secure && !(url.protocol === "http:" && (isLoopback(url.hostname) || call.plainHttp === true))) return failed("not https");
  const signal = AbortSignal.any([call.signal, AbortSignal.timeout(call.deadlineMs)]);
  if (call.connections === undefined) {
    const agent = agentFor(url, call.env, { keepAlive: false });
    const { result } = await exchange(url, call, { agent, signal });
    agent.destroy();
    return result;
  }
  const { agent } = call.connections;
  const first = await exchange(url, call, { agent, signal });
  // The server may close a kept connection just as it is used: nothing was answered, and nothing is wrong with the server.
  return first.stale ? (await exchange(url, call, { agent, signal })).result : first.result;
}

interface Exchanged {
  readonly result: Result<Buffer, HttpError>;
  /** A kept connection was found to be closed. */
  readonly stale: boolean;
}

function exchange(
  url: URL,
  call: HttpCall,
  { agent, signal }: { readonly agent: HttpAgent | HttpsAgent; readonly signal: AbortSignal },
): Promise<Exchanged> {
  return new Promise((resolve) => {
    const request = (url.protocol === "https:" ? requestHttps : requestHttp)(url, {
      agent,
      method: call.method,
      headers: { "user-agent": "sluice", ...call.headers, ...(call.body === undefined ? {} : { "content-length": call.body.length }) },
      signal,
      ...(call.ca === undefined ? {} : { ca: call.ca }),
    });
    request.on("error", (cause) => {
      const code = codeOf(cause);
      resolve({ result: broken(cause), stale: request.reusedSocket && (code === "ECONNRESET" || code === "EPIPE") });
    });
    request.on("response", (response) => {
      readBody(response, call.bytesMax).then(
        (result) => {
          request.destroy();
          resolve({ result, stale: false });
        },
        (cause: unknown) => resolve({ result: broken(cause), stale: false }),
      );
    });
    request.end(call.body);
  });
}

async function readBody(response: IncomingMessage, bytesMax: number): Promise<Result<Buffer, HttpError>> {
  const status = response.statusCode ?? 0;
  if (status < 200 || status > 299) return err({ code: "status", status, message: `answered ${status}` });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) return failed("not bytes");
    bytes += chunk.length;
    if (bytes > bytesMax) return err({ code: "large", message: `larger than ${bytesMax} bytes` });
    chunks.push(chunk);
  }
  return ok(Buffer.concat(chunks));
}

/** JSON of an answer; the text itself is never repeated in an error. */
export function parseAnswer(text: string): Result<unknown, HttpError> {
  try {
    return ok(JSON.parse(text));
  } catch {
    return failed("not JSON");
  }
}

const TOO_LONG = "took too long";
function broken(cause: unknown): Result<never, HttpError> {
  const message = codeOf(cause);
  return err({ code: message === TOO_LONG ? "timeout" : "failed", message });
}
const failed = (message: string): Result<never, HttpError> => err({ code: "failed", message });

/** The code of a system or TLS error (`ECONNREFUSED`), which names no content. */
export function codeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return "unknown error";
  if (cause.name === "AbortError" || cause.name === "TimeoutError") return TOO_LONG;
  return "code" in cause && typeof cause.code === "string" ? cause.code : cause.name;
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);

function proxies(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"]) {
    const value = env[name];
    if (value !== undefined && value !== "") found[name] = value;
  }
  return found;
}
