import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { setImmediate as giveWay } from "node:timers/promises";
import { SLICE_MS } from "../core/limits.ts";
import { err, ok, type Result } from "../core/result.ts";
import { CONTENT_TYPES, formatFor, type TextFormat } from "./metrics/prometheus.ts";
import type { StatusView } from "./status.ts";

/** What the admin port shows; all of it safe to show: no secret, no content. */
export interface AdminView {
  /** Serving exchanges; false while starting and draining. */
  ready(): boolean;
  /** The policy in force, without secrets, as JSON. */
  policy(): unknown;
  /** Metrics as text, in pieces. */
  metrics(format: TextFormat): Iterable<string> | Promise<Iterable<string>>;
  status(): StatusView | Promise<StatusView>;
  /** Requests that people make with credentials of their own; false: the path is none of these. */
  desk?(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
}
export interface AdminServer {
  readonly port: number;
  close(): Promise<void>;
}

const PLAIN = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json";

/** Health, readiness, metrics, status and the effective policy over plain HTTP; meant for loopback. */
export async function serveAdmin(
  address: { readonly host: string; readonly port: number },
  view: AdminView,
): Promise<Result<AdminServer, string>> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
    answer(request, response, view).catch(() => response.destroy());
  });
  return new Promise((resolve) => {
    server.once("error", (cause: NodeJS.ErrnoException) =>
      resolve(
        err(
          cause.code === "EADDRINUSE"
            ? `the admin port ${address.host}:${address.port} is taken; choose another with --admin`
            : cause.message,
        ),
      ),
    );
    server.listen(address.port, address.host, () => resolve(ok({ port: portOf(server), close: () => close(server) })));
  });
}

async function answer(request: IncomingMessage, response: ServerResponse, view: AdminView): Promise<void> {
  const send = (status: number, type: string, body: string): void => {
    response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
  };
  if (await view.desk?.(request, response)) return;
  if (request.method !== "GET" && request.method !== "HEAD") return send(405, PLAIN, "only GET\n");
  switch ((request.url ?? "/").split("?")[0]) {
    case "/healthz":
      return send(200, PLAIN, "ok\n");
    case "/readyz":
      return view.ready() ? send(200, PLAIN, "ready\n") : send(503, PLAIN, "not ready\n");
    case "/metrics": {
      const format = formatFor(request.headers.accept);
      return send(200, CONTENT_TYPES[format], await collect(await view.metrics(format)));
    }
    case "/status":
      return send(200, JSON_TYPE, `${JSON.stringify(await view.status(), null, 2)}\n`);
    case "/policy":
      return send(200, JSON_TYPE, `${JSON.stringify(view.policy(), null, 2)}\n`);
    default:
      return send(404, PLAIN, "GET /healthz, /readyz, /metrics, /status, /policy or /approvals\n");
  }
}

/** Joins the pieces, giving way to exchanges every few milliseconds: thousands of series make megabytes of text. */
async function collect(pieces: Iterable<string>): Promise<string> {
  let text = "";
  let begun = performance.now();
  for (const piece of pieces) {
    text += piece;
    if (performance.now() - begun < SLICE_MS) continue;
    await giveWay();
    begun = performance.now();
  }
  return text;
}

const portOf = (server: Server): number => {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
};
const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
