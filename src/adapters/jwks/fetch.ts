import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { KEY_SET_BYTES_MAX } from "../../core/limits.ts";
import { err, ok, type Result } from "../../core/result.ts";

/** Longest fetch of one document, milliseconds, from the first packet to the last byte. */
const FETCH_MS = 5_000;

export interface FetchOptions {
  /** PEM text of the authorities to trust; undefined: Node's. */
  readonly ca: string | undefined;
  /** `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are honoured, in either case; a loopback host needs no proxy. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}
/** status: the server said something else than 200, such as a redirect, which is not followed. The texts are safe to log. */
export type FetchError =
  | { readonly code: "status"; readonly status: number; readonly message: string }
  | { readonly code: "failed"; readonly message: string };

/** Gets one JSON document: https, or http on loopback; capped in time and size, no redirects, no cookies. */
export function fetchJson(url: URL, options: FetchOptions): Promise<Result<unknown, FetchError>> {
  const loopback = isLoopback(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && loopback)) return Promise.resolve(failed("not https"));
  const proxyEnv = loopback ? {} : proxies(options.env);
  const agent = url.protocol === "https:" ? new HttpsAgent({ proxyEnv, keepAlive: false }) : new HttpAgent({ proxyEnv, keepAlive: false });
  return new Promise((resolve) => {
    const done = (result: Result<unknown, FetchError>): void => {
      resolve(result);
      agent.destroy();
    };
    const request = (url.protocol === "https:" ? requestHttps : requestHttp)(url, {
      agent,
      method: "GET",
      headers: { accept: "application/json, application/jwk-set+json", "user-agent": "sluice" },
      signal: AbortSignal.any([options.signal, AbortSignal.timeout(FETCH_MS)]),
      ...(options.ca === undefined ? {} : { ca: options.ca }),
    });
    request.on("error", (cause) => done(failed(codeOf(cause))));
    request.on("response", (response) => {
      readBody(response).then(
        (body) => {
          request.destroy();
          done(body);
        },
        (cause: unknown) => done(failed(codeOf(cause))),
      );
    });
    request.end();
  });
}

async function readBody(response: IncomingMessage): Promise<Result<unknown, FetchError>> {
  const status = response.statusCode ?? 0;
  if (status !== 200) return err({ code: "status", status, message: `answered ${status}` });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) return failed("not bytes");
    bytes += chunk.length;
    if (bytes > KEY_SET_BYTES_MAX) return failed(`larger than ${KEY_SET_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return parse(Buffer.concat(chunks).toString("utf8"));
}

/** JSON of a key set or discovery document; the text itself is never repeated in an error. */
export function parse(text: string): Result<unknown, FetchError> {
  try {
    return ok(JSON.parse(text));
  } catch {
    return failed("not JSON");
  }
}

const failed = (message: string): Result<never, FetchError> => err({ code: "failed", message });

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
