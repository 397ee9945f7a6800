import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A service on loopback that is asked by POST with JSON, and that a test may break. */
export interface TestRemote {
  readonly url: string;
  /** What it was asked, oldest first. */
  readonly asked: readonly { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: unknown }[];
  /** Connections that were made to it. */
  readonly connections: () => number;
  /** Most requests that it had at once. */
  readonly atOnce: () => number;
  behave(how: RemoteBehaviour): void;
  /** Ends its idle connections, as servers do now and then. */
  hangUp(): void;
  close(): Promise<void>;
}
/** `well`: as its handler says. A string of JSON or anything else: that is its answer. */
export type RemoteBehaviour =
  | "well"
  | "silent"
  | "trickling"
  | "cut"
  | "huge"
  | { readonly status: number }
  | { readonly text: string }
  | { readonly delayMs: number };

export async function startRemote(handler: (body: unknown, path: string) => unknown): Promise<TestRemote> {
  const asked: TestRemote["asked"][number][] = [];
  const sockets = new Set<Socket>();
  let behaviour: RemoteBehaviour = "well";
  let made = 0;
  let running = 0;
  let most = 0;
  const server = createServer((request, answer) => {
    running += 1;
    most = Math.max(most, running);
    answer.on("close", () => {
      running -= 1;
    });
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
      asked.push({ path: request.url ?? "", headers: request.headers, body });
      const how = behaviour;
      if (how === "silent") return;
      if (how === "trickling") {
        answer.writeHead(200, { "content-type": "application/json" });
        const drip = setInterval(() => answer.write(" "), 10);
        answer.on("close", () => clearInterval(drip));
        return;
      }
      if (how === "cut") {
        answer.writeHead(200, { "content-length": "1000" });
        answer.write("[", () => answer.destroy());
        return;
      }
      if (how === "huge") return void answer.end(`[${" ".repeat(8 * 1024 * 1024)}]`);
      if (typeof how === "object" && "status" in how) return void answer.writeHead(how.status).end('{"error":"simulated"}');
      if (typeof how === "object" && "text" in how) return void answer.end(how.text);
      const said = JSON.stringify(handler(body, request.url ?? ""));
      if (how === "well") return void answer.end(said);
      void sleep(how.delayMs).then(() => answer.end(said));
    });
  });
  server.on("connection", (socket) => {
    made += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const { port } = address as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    connections: () => made,
    atOnce: () => most,
    behave: (how) => {
      behaviour = how;
    },
    hangUp: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/**
 * Presidio's analyzer as far as its API goes: names of a list, in code points, for a text or a list of texts.
 * With `extra`, that many findings more, which overlap others, as Presidio's do.
 */
export function presidio(people: readonly string[]): (body: unknown) => unknown {
  const find = (text: string, entities: readonly string[]) => {
    const findings: unknown[] = [];
    const points = [...text];
    for (const person of people) {
      const length = [...person].length;
      for (let at = 0; at + length <= points.length; at += 1)
        if (points.slice(at, at + length).join("") === person && entities.includes("PERSON"))
          findings.push({ entity_type: "PERSON", start: at, end: at + length, score: 0.85, analysis_explanation: null });
    }
    return findings;
  };
  return (body) => {
    const { text, entities } = body as { readonly text: string | readonly string[]; readonly entities: readonly string[] };
    return typeof text === "string" ? find(text, entities) : text.map((one) => find(one, entities));
  };
}
