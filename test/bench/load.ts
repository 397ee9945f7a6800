/**
 * The load: a fixed number of keep-alive connections that each send one call after the other for a given time. Prints one JSON
 * line. Usage: node test/bench/load.ts URL KEY CONNECTIONS SECONDS unary|stream
 */
import { Agent, request } from "node:http";

const [, , url = "", key = "", connectionsText = "1", secondsText = "1", kind = "unary"] = process.argv;
const connections = Number(connectionsText);
const until = performance.now() + Number(secondsText) * 1000;
const prompt = "The quick brown fox jumps over the lazy dog and writes a report about it. ".repeat(26).slice(0, 1900);
const body = Buffer.from(
  JSON.stringify({
    model: "gpt-4o-mini",
    max_tokens: kind === "stream" ? 100 : 20,
    ...(kind === "stream" ? { stream: true, stream_options: { include_usage: true } } : {}),
    messages: [
      { role: "system", content: "You are a helpful assistant." },
      { role: "user", content: kind === "stream" ? `[[sim tokens=100 token-delay=2]] ${prompt}` : prompt },
    ],
  }),
);
const agent = new Agent({ keepAlive: true, maxSockets: connections });
const target = new URL("/v1/chat/completions", url);
const latenciesMs: number[] = [];
let failed = 0;
let events = 0;

const call = (): Promise<void> =>
  new Promise((resolve) => {
    const started = performance.now();
    const sent = request(
      target,
      {
        method: "POST",
        agent,
        headers: { "content-type": "application/json", "content-length": body.length, authorization: `Bearer ${key}`, "x-ai-user": "u-1" },
      },
      (response) => {
        let last: Buffer = Buffer.alloc(0);
        response.on("data", (chunk: Buffer) => {
          if (kind === "stream") for (let at = chunk.indexOf("\n\n"); at >= 0; at = chunk.indexOf("\n\n", at + 2)) events += 1;
          last = chunk;
        });
        response.on("end", () => {
          if (response.statusCode !== 200 || (kind === "stream" && !last.includes("[DONE]"))) failed += 1;
          latenciesMs.push(performance.now() - started);
          resolve();
        });
        response.on("error", () => {
          failed += 1;
          resolve();
        });
      },
    );
    sent.on("error", () => {
      failed += 1;
      resolve();
    });
    sent.end(body);
  });

const started = performance.now();
await Promise.all(
  Array.from({ length: connections }, async () => {
    while (performance.now() < until) await call();
  }),
);
const elapsedMs = performance.now() - started;
latenciesMs.sort((a, b) => a - b);
const at = (share: number): number => latenciesMs[Math.min(latenciesMs.length - 1, Math.floor(latenciesMs.length * share))] ?? 0;
agent.destroy();
process.stdout.write(`${JSON.stringify({ calls: latenciesMs.length, failed, events, elapsedMs, p50Ms: at(0.5), p99Ms: at(0.99) })}\n`);
