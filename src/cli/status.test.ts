import assert from "node:assert/strict";
import { createServer } from "node:http";
import { PassThrough } from "node:stream";
import { type TestContext, test } from "node:test";
import { statusCommand } from "./status.ts";

/** A process's admin port that says this of itself. */
async function admin(t: TestContext, status: unknown, code = 200): Promise<string> {
  const server = createServer((_, response) =>
    response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(status)),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const address = server.address();
  return `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
}

const WELL = {
  name: "0",
  pid: 77,
  version: "0.1.0",
  startedAt: "2026-11-23T10:00:00.000Z",
  uptimeSeconds: 90,
  ready: true,
  draining: false,
  policy: { name: "policy", version: "7", hash: "abcdef0123456789", loadedAt: "2026-11-23T10:00:00.000Z", reloads: 1, rejected: 0 },
  inFlight: 3,
  heldBytes: 0,
  audit: { written: 12, dropped: 0, pendingBytes: 0, recovered: 0, failing: false },
};

async function status(...args: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const code = await statusCommand.run(args, { stdout, stderr, env: {}, cwd: "/" });
  return { code, out: String(stdout.read() ?? ""), err: String(stderr.read() ?? "") };
}

test("a process that is well: one row, exit 0; several by several --admin", async (t) => {
  const [one, other] = [await admin(t, WELL), await admin(t, { ...WELL, name: "1", pid: 78 })];
  const { code, out, err } = await status("--admin", one, "--admin", other);
  assert.deepEqual([code, err], [0, ""]);
  assert.match(
    out,
    new RegExp(`^${one} +0 +77 +0\\.1\\.0 +90 s +ready +policy@7 \\(abcdef01\\) +2026-11-23 10:00:00 +3 +12 +0 +off$`, "m"),
  );
  assert.match(out, new RegExp(`^${other} +1 +78 `, "m"));
});

test("what is wrong is told, exit 1: refused edit, not ready, no records, nobody there, a worker of several", async (t) => {
  const edit = await status(
    "--admin",
    await admin(t, { ...WELL, policy: { ...WELL.policy, lastError: "policy.yaml:3:1 useCases: bad\x1b[31m\nmore" } }),
  );
  assert.equal(edit.code, 1);
  assert.match(edit.out, / edit refused /);
  assert.match(edit.err, /refused the last edit of the policy and serves 7:\n {2}policy\.yaml:3:1 useCases: bad\?\[31m\n {2}more/);
  const stopping = await status("--admin", await admin(t, { ...WELL, ready: false, draining: true }));
  assert.deepEqual([stopping.code, /is not ready: it is stopping/.test(stopping.err)], [1, true]);
  const full = await status("--admin", await admin(t, { ...WELL, audit: { ...WELL.audit, failing: true } }));
  assert.deepEqual([full.code, /cannot write its records/.test(full.err)], [1, true]);
  const workers = await status(
    "--admin",
    await admin(t, {
      ...WELL,
      workers: [
        { worker: 0, state: "serving", pid: 77, restarts: 0, status: { ...WELL, name: "0-0" } },
        { worker: 1, state: "waiting", restarts: 3, problem: "exit code 1", nextStartAt: "2026-01-01T00:00:00.000Z" },
      ],
    }),
  );
  assert.equal(workers.code, 1);
  assert.match(
    workers.err,
    /^sluice status: \S+ \(worker 1, pid [^)]*\) is waiting \(exit code 1\), started again at 2026-01-01T00:00:00.000Z\n$/,
  );
  assert.match(workers.out, /0-0 .* ready .*\n.*worker 1 .* waiting/);
  const nobody = await status("--admin", "127.0.0.1:1");
  assert.deepEqual([nobody.code, /127\.0\.0\.1:1: nobody answers there/.test(nobody.err)], [1, true]);
  const old = await status("--admin", await admin(t, {}, 404));
  assert.deepEqual([old.code, /not as a Sluice/.test(old.err)], [1, true]);
});

test("JSON holds what each said and what is wrong; wrong words exit 2", async (t) => {
  const { code, out } = await status("--json", "--admin", await admin(t, WELL), "--admin", "127.0.0.1:1");
  const value: { ok: boolean; processes: { status?: { pid: number } }[]; problems: string[] } = JSON.parse(out);
  assert.deepEqual([code, value.ok, value.processes[0]?.status?.pid, value.problems.length], [1, false, 77, 1]);
  for (const args of [["--admin", "nowhere"], ["--timeout-ms", "no"], ["--what"], ["word"]])
    assert.equal((await status(...args)).code, 2, args.join(" "));
});
