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
}
/** status: the server said something else than 2xx, such as a redirect, which is not followed. The texts are safe to log. */
export type HttpError =
  | { readonly code: "status"; readonly status: number; readonly message: string }
  | { readonly code: "failed"; readonly message: string };

/** The body of a 2xx answer. */
export function callHttp(url: URL, call: HttpCall): Promise<Result<Buffer, HttpError>> {
  const loopback = isLoopback(url.hostname);
  const secure = url.protocol === "https:";
  if (!secure && !(url.protocol === "http:" && (loopback || call.plainHttp === true))) return Promise.resolve(failed("not https"));
  const proxyEnv = loopback ? {} : proxies(call.env);
  const agent = secure ? new HttpsAgent({ proxyEnv, keepAlive: false }) : new HttpAgent({ proxyEnv, keepAlive: false });
  return new Promise((resolve) => {
    const done = (result: Result<Buffer, HttpError>): void => {
      resolve(result);
      agent.destroy();
    };
    const request = (secure ? requestHttps : requestHttp)(url, {
      agent,
      method: call.method,
      headers: { "user-agent": "sluice", ...call.headers, ...(call.body === undefined ? {} : { "content-length": call.body.length }) },
      signal: AbortSignal.any([call.signal, AbortSignal.timeout(call.deadlineMs)]),
      ...(call.ca === undefined ? {} : { ca: call.ca }),
    });
    request.on("error", (cause) => done(failed(codeOf(cause))));
    request.on("response", (response) => {
      readBody(response, call.bytesMax).then(
        (body) => {
          request.destroy();
          done(body);
        },
        (cause: unknown) => done(failed(codeOf(cause))),
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
    if (bytes > bytesMax) return failed(`larger than ${bytesMax} bytes`);
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

const failed = (message: string): Result<never, HttpError> => err({ code: "failed", message });

/** The code of a system or TLS error (`ECONNREFUSED`), which names no content. */
export function codeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return "unknown error";
  if (cause.name === "AbortError" || cause.name === "TimeoutError") return "took too long";
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
