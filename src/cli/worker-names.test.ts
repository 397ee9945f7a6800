import assert from "node:assert/strict";
import { test } from "node:test";
import { parseWorkers, workerNames, workerSockets } from "./worker-names.ts";

test("each worker has a socket and a name of its own; a lone process keeps the plain ones", () => {
  assert.deepEqual(workerSockets("/run/a.b/s.sock", 2), ["/run/a.b/s.0.sock", "/run/a.b/s.1.sock"]);
  assert.deepEqual(workerSockets("/run/a.b/s", 2), ["/run/a.b/s.0", "/run/a.b/s.1"]);
  assert.deepEqual(workerSockets("/run/s.sock", 1), ["/run/s.sock"]);
  assert.deepEqual(workerNames("0", 2), ["0", "1"]);
  assert.deepEqual(workerNames("pod", 2), ["pod-0", "pod-1"]);
  assert.deepEqual(workerNames("pod", 1), ["pod"]);
});

test("a number of workers is 1 to 64", () => {
  assert.deepEqual(["1", "64", "0", "65", "-1", "2.5", "", "1e1", "x"].map(parseWorkers), [1, 64, ...Array<undefined>(7)]);
});
