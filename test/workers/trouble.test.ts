/** What goes wrong on a machine: each is one line that says what and what to do; and clocks that jump. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BASIC_POLICY, KeyRing, startGateway } from "../support/gateway.ts";
import { MAIN, START_MS, startServe, until } from "./support.ts";

interface Place {
  readonly dir: string;
  readonly policy: string;
  readonly data: string;
  readonly socket: string;
}
function place(t: TestContext): Place {
  const dir = mkdtempSync(join(tmpdir(), "sluice-tr-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const policy = join(dir, "policy.yaml");
  writeFileSync(policy, new KeyRing().fill(BASIC_POLICY, "http://127.0.0.1:9"));
  return { dir, policy, data: join(dir, "data"), socket: join(dir, "s.sock") };
}
const words = (at: Place, more: Partial<Place> = {}): readonly string[] => {
  const { policy, data, socket } = { ...at, ...more };
  return ["--policy", policy, "--data", data, "--socket", socket];
};

/** It ends with 1 after one line of its own. */
async function refusal(t: TestContext, args: readonly string[], line: RegExp, user: { uid?: number; gid?: number } = {}): Promise<void> {
  const served = await startServe(t, args, { SLUICE_LOG_LEVEL: "error" }, user);
  assert.equal(await served.ended, 1, served.said());
  const lines = served
    .said()
    .split("\n")
    .filter((text) => text !== "" && !text.startsWith("{"));
  assert.equal(lines.length, 1, served.said());
  assert.match(lines[0] ?? "", line);
}

test("places that will not do are one line with the remedy, exit code 1", { timeout: 120_000 }, async (t) => {
  const at = place(t);
  const plain = join(at.dir, "plain");
  writeFileSync(plain, "");
  const long = join(at.dir, "x".repeat(100), "s.sock");
  await Promise.all([
    refusal(
      t,
      words(at, { socket: long, data: `${at.data}1` }),
      /^sluice serve: the socket's path \S+ has \d+ bytes, and 107 is the most; choose a shorter one with --socket$/,
    ),
    refusal(
      t,
      words(at, { socket: join(at.dir, "none/s.sock"), data: `${at.data}2` }),
      /the folder \S+\/none for the socket does not exist; make it, or choose another place with --socket$/,
    ),
    refusal(
      t,
      words(at, { socket: plain, data: `${at.data}3` }),
      /plain exists and is no socket; remove it, or choose another path with --socket$/,
    ),
    refusal(
      t,
      words(at, { data: join(plain, "records") }),
      /records cannot be kept in \S+: .*; a part of the path is no folder; choose another with --data$/,
    ),
    refusal(
      t,
      words(at, { data: "/proc/sluice/records" }),
      /records cannot be kept in \/proc\S+: ENOENT.*; no folder can be made there; choose another with --data$/,
    ),
  ]);
});

test("places that this user may not write to", { timeout: 120_000 }, async (t) => {
  const at = place(t);
  const closed = join(at.dir, "closed");
  mkdirSync(closed);
  chmodSync(at.dir, 0o755);
  chmodSync(closed, 0o555);
  // Root may write everywhere, so another user tries.
  const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const readable = spawnSync(process.execPath, ["-e", `fs.accessSync(${JSON.stringify(import.meta.filename)})`], user).status === 0;
  if (!readable) return t.skip("the other user may not read this folder");
  const args = words(at, { socket: join(closed, "s.sock"), data: join(closed, "records") });
  await refusal(t, args, /records cannot be kept in \S+: .*this user may not write there; change its owner or mode/, user);
  const data = join(at.dir, "data");
  mkdirSync(data);
  chmodSync(data, 0o777);
  await refusal(
    t,
    words(at, { socket: join(closed, "s.sock") }),
    /the folder \S+ may not be written to by this user; change its owner or mode/,
    user,
  );
});

test("a second process: the same name, the same socket, the same admin port; a socket that a crash left is no matter", {
  timeout: 120_000,
}, async (t) => {
  const at = place(t);
  // Listens and is killed: what a crash leaves.
  const left = createServer().listen(join(at.dir, "live.sock"));
  await new Promise((resolve) => left.once("listening", resolve));
  t.after(() => left.close());
  await refusal(
    t,
    words(at, { socket: join(at.dir, "live.sock") }),
    /another process listens on \S+live\.sock; stop it, or choose another path with --socket$/,
  );
  const first = await startServe(t, words(at));
  const ready = (url: string) =>
    fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until("ready", () => ready(first.adminUrl), START_MS, first);
  await Promise.all([
    refusal(
      t,
      words(at, { socket: join(at.dir, "other.sock") }),
      /audit writer 0 is in use by another process \(\S+\); stop it, or give each process its own --name$/,
    ),
    refusal(t, [...words(at), "--name", "b"], /another process listens on \S+s\.sock/),
    refusal(
      t,
      [...words(at, { socket: join(at.dir, "c.sock") }), "--name", "c", "--admin", first.adminUrl.replace("http://", "")],
      /the admin port \S+ is taken; choose another with --admin$/,
    ),
  ]);
  first.process.kill("SIGHUP");
  await until("the word on SIGHUP", () => first.said().includes("restart_needs_workers"), START_MS, first);
  assert.ok(await ready(first.adminUrl), "the first serves on");
  first.process.kill("SIGKILL");
  await first.ended;
  const again = await startServe(t, words(at));
  await until("ready after a crash", () => ready(again.adminUrl), START_MS, again);
  again.process.kill("SIGTERM");
  assert.equal(await again.ended, 0);
});

test("a second supervisor by mistake stops before it touches what the first keeps", { timeout: 120_000 }, async (t) => {
  const at = place(t);
  const first = await startServe(t, [...words(at), "--workers", "2"]);
  await until(
    "ready",
    () =>
      fetch(`${first.adminUrl}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    START_MS,
    first,
  );
  // One worker that serves makes the gateway ready; the status tells of both.
  const ask = () => spawnSync(process.execPath, [MAIN, "status", "--admin", first.adminUrl.replace("http://", "")], { encoding: "utf8" });
  let status = ask();
  await until(
    "both workers ready",
    async () => {
      status = ask();
      return status.status === 0;
    },
    START_MS,
    first,
  );
  assert.equal(status.stdout.trimEnd().split("\n").length, 4, status.stdout);
  await refusal(
    t,
    [...words(at), "--workers", "2"],
    /another sluice serve --workers keeps its records in \S+ as 0; stop it, or give each its own --data or --name$/,
  );
  first.process.kill("SIGTERM");
  assert.equal(await first.ended, 0, first.said());
});

test("a wall clock that jumps: durations stay true, and keys expire by the new time", {
  timeout: 120_000,
}, async () => {
  const real = Date.now;
  let offsetMs = 0;
  const clock = mock.method(Date, "now", () => real.call(Date) + offsetMs);
  const DECADE_MS = 10 * 365 * 86_400_000;
  const expires = new Date(real.call(Date) + DECADE_MS / 2).toISOString();
  const gateway = await startGateway({ policy: BASIC_POLICY.replace("apiKey: { id: k1,", `apiKey: { id: k1, expires: ${expires},`) });
  const call = async (content = "hi"): Promise<Response> => {
    const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${gateway.key()}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "gpt-4o-mini", max_tokens: 8, messages: [{ role: "user", content }] }),
    });
    await answer.arrayBuffer();
    return answer;
  };
  try {
    /** A call during which the clock jumps; what the next one gets. */
    const jump = async (toMs: number): Promise<number> => {
      const slow = call("[[sim delay=600]]");
      await sleep(200);
      offsetMs = toMs;
      const answer = await slow;
      assert.equal(answer.status, 200, "what began before the jump");
      const { ms } = await gateway.record(answer.headers.get("x-ai-request-id") ?? "");
      assert.ok(ms.total >= 500 && ms.total < 5_000, `took ${ms.total} ms`);
      assert.ok(ms.sidecar >= 0 && ms.sidecar < 1_000, `of them ${ms.sidecar} here`);
      return (await call()).status;
    };
    assert.equal(await jump(DECADE_MS), 401, "the key has expired by the new time");
    offsetMs = 0;
    assert.equal(await jump(-DECADE_MS), 200);
    assert.equal(await jump(0), 200);
  } finally {
    await gateway.stop();
    clock.mock.restore();
  }
});
