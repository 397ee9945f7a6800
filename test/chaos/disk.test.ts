/** Records on a file system that is full: by policy no call without its record, or calls go on and the loss is counted. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { BASIC_POLICY } from "../support/gateway.ts";
import { assertError, call, isWhole, type Outcome, type Shape, STREAMS, UNARY, until } from "./calls.ts";
import { type ChildGateway, startChildGateway } from "./child.ts";

/** A small file system of the process's own, in a namespace of its own: needs no root where user namespaces are allowed. */
const wrap = (dataDir: string): readonly [string, ...string[]] => [
  "unshare",
  "-rm",
  "sh",
  "-c",
  'mount -t tmpfs -o size=512k tmpfs "$1" && shift && exec "$@"',
  "sh",
  dataDir,
];
const canMount = spawnSync("unshare", ["-rm", "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /tmp"]).status === 0;
const skip = canMount ? false : "no small file system can be mounted here (unshare -rm)";
const SHAPES = [...STREAMS, ...UNARY];
const CHAT: Shape = UNARY[0] ?? assert.fail("no shape");

/** Fills the file system to its last byte; gives a function that makes room again. */
function fill(folder: string): () => void {
  const path = join(folder, "filler");
  const file = openSync(path, "w");
  for (const size of [65_536, 4096, 1]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(size));
    } catch (cause) {
      assert.match(String(cause), /ENOSPC/);
    }
  }
  closeSync(file);
  return () => rmSync(path);
}

describe("records cannot be written", { skip }, () => {
  for (const onFault of ["refuse", "drop"] as const) {
    describe(`policy: ${onFault}`, () => {
      let gateway: ChildGateway;
      before(async () => {
        gateway = await startChildGateway({
          policy: BASIC_POLICY.replace("  chat:\n", `  chat:\n    evidence: { onFault: ${onFault} }\n`),
          wrap,
        });
      });
      after(() => gateway.stop());

      test(onFault === "refuse" ? "calls are refused until there is room again" : "calls go on, and their records wait", async () => {
        const served: string[] = [];
        const ask = async (shape: Shape): Promise<Outcome> => {
          const outcome = await call(shape, "hello", gateway);
          if (isWhole(outcome)) served.push(String(outcome.headers["x-ai-request-id"]));
          return outcome;
        };
        assert.ok(isWhole(await ask(CHAT)));
        await until("the first record is written", async () => (await gateway.records()).length === 1);
        const makeRoom = fill(gateway.dataDir());
        // What is left of a block that is already a file's own takes a few entries more.
        if (onFault === "drop")
          await until("the disk is felt", async () => isWhole(await ask(CHAT)) && (await gateway.metric("sluice_records_failing")) === 1);
        else for (const shape of SHAPES) await until(`${shape.name} is refused`, async () => (await ask(shape)).status === 503);
        const sent = gateway.simulator.requests.length;
        for (const shape of SHAPES) {
          const outcome = await ask(shape);
          if (onFault === "drop") assert.ok(isWhole(outcome), `${shape.name}: ${outcome.status} ${outcome.text}`);
          else {
            assert.equal(outcome.status, 503);
            assertError(outcome, "store_unavailable");
          }
        }
        assert.equal(gateway.simulator.requests.length - sent, onFault === "drop" ? SHAPES.length : 0);
        assert.equal(await gateway.metric("sluice_records_failing"), 1);
        assert.ok((await gateway.metric("sluice_records_pending_bytes")) > 0);

        makeRoom();
        await until("calls are served again", async () => isWhole(await ask(CHAT)));
        await until(
          "records are written again",
          async () =>
            (await gateway.metric("sluice_records_failing")) === 0 && (await gateway.metric("sluice_records_pending_bytes")) === 0,
        );
        assert.equal(await gateway.metric("sluice_records_dropped_total"), 0);
        const written = new Set((await gateway.records()).map(({ id }) => id));
        assert.deepEqual(
          served.filter((id) => !written.has(id)),
          [],
          "served calls without a record",
        );
        await gateway.envoy.assertClean();
      });
    });
  }
});
