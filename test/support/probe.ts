/**
 * Loaded into a Sluice under test with `--import`: tells a test how long the process's main thread ran without a turn of its event
 * loop, in CPU time, so that a busy machine makes no difference; and how much memory it uses after a full collection (`--expose-gc`).
 */
import { createServer } from "node:http";
import { cpuMs } from "./cpu.ts";

const TICK_MS = 1;
let last = cpuMs();
let longest = 0;
setInterval(() => {
  const now = cpuMs();
  longest = Math.max(longest, now - last);
  last = now;
}, TICK_MS).unref();

/** What `GET /` answers. */
export interface Probed {
  /** Longest run since the last question, CPU milliseconds. */
  readonly longestRunMs: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
}

const port = Number(process.env["SLUICE_TEST_PROBE_PORT"]);
if (Number.isSafeInteger(port) && port > 0) {
  createServer((_request, response) => {
    const run = longest;
    globalThis.gc?.();
    globalThis.gc?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    const probed: Probed = { longestRunMs: run, rssBytes: rss, heapBytes: heapUsed + external };
    response.end(JSON.stringify(probed));
    // What the collection took is the probe's own.
    setTimeout(() => {
      last = cpuMs();
      longest = 0;
    }, 5);
  })
    .listen(port, "127.0.0.1")
    .unref();
}
