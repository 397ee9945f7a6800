import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { envoyBinary, freePort } from "../support/envoy.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");

interface Up {
  readonly process: ChildProcess;
  readonly out: () => string;
  readonly said: () => string;
  /** Exit code. */
  readonly ended: Promise<number | null>;
}

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "sluice-up-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** `sluice up` as a user starts it, without provider keys. */
async function up(t: TestContext, dir: string, more: readonly string[] = []): Promise<Up> {
  const listen = more.includes("--listen") ? [] : ["--listen", `127.0.0.1:${await freePort()}`];
  const admin = ["--admin", `127.0.0.1:${await freePort()}`, "--envoy-admin", `127.0.0.1:${await freePort()}`];
  const child = spawn(process.execPath, [MAIN, "up", "--dir", join(dir, "run"), ...listen, ...admin, ...more], {
    cwd: dir,
    env: { PATH: process.env["PATH"], HOME: dir, ENVOY_BIN: envoyBinary() },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const text = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    text.out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    text.err += chunk.toString();
  });
  const ended = once(child, "close").then(() => child.exitCode);
  t.after(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  return { process: child, out: () => text.out, said: () => text.err, ended };
}

async function ready(running: Up): Promise<{ readonly url: string; readonly key: string }> {
  for (let waited = 0; waited < 30_000 && !running.out().includes("Ctrl-C"); waited += 50) {
    assert.equal(running.process.exitCode, null, running.said());
    await sleep(50);
  }
  const url = /ready at (http:\S+)/.exec(running.out())?.[1];
  const key = /^key\s+(\S+)$/m.exec(running.out())?.[1];
  assert.ok(url !== undefined && key !== undefined, running.out());
  return { url, key };
}

function chat(at: { readonly url: string; readonly key: string }, more: object = {}, headers: object = {}): Promise<Response> {
  return fetch(`${at.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${at.key}`, "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello" }], ...more }),
  });
}

function records(dir: string): readonly { readonly id: string; readonly ending: string; readonly conversation?: string }[] {
  const files = readdirSync(join(dir, "run/records")).filter((name) => name.startsWith("records-"));
  const lines = files.flatMap((name) => readFileSync(join(dir, "run/records", name), "utf8").split("\n"));
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** Processes whose command line names the folder. */
function leftovers(dir: string): readonly string[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        return line.includes(dir) ? [line] : [];
      } catch {
        return [];
      }
    });
}

test("up: says what to paste, serves, and a stop under load ends calls whole and loses no record; the next run has the same key", {
  timeout: 90_000,
}, async (t) => {
  const dir = folder(t);
  const first = await up(t, dir);
  const at = await ready(first);
  assert.match(first.out(), /simulator answers/);
  for (const sign of ["curl ", "from openai import OpenAI", 'import OpenAI from "openai"', "/metrics", "/policy", "records-0.jsonl"]) {
    assert.ok(first.out().includes(sign), sign);
  }
  const ids: string[] = [];
  const failed: string[] = [];
  /** Calls whose connection nobody took, or took and closed unread, by their conversation. */
  const reset: string[] = [];
  let calls = 0;
  const call = async (): Promise<void> => {
    calls += 1;
    const conversation = `call-${calls}`;
    try {
      const answer = await chat(at, {}, { "x-ai-conversation": conversation });
      await answer.text();
      if (answer.status === 200) ids.push(answer.headers.get("x-ai-request-id") ?? "none");
      // The demo's own rate limit is an answer like any other.
      else if (answer.status !== 429) failed.push(String(answer.status));
    } catch (cause) {
      // Nobody listens any more: this call has not begun.
      const why = String(cause instanceof Error && cause.cause);
      if (/ECONNRESET|other side closed/.test(why)) reset.push(conversation);
      else if (!/ECONNREFUSED/.test(why)) failed.push(`${String(cause)} ${why}`);
      await sleep(5);
    }
  };
  const stopAt = performance.now() + 700;
  const load = Array.from({ length: 8 }, async () => {
    while (performance.now() < stopAt) await call();
  });
  await sleep(400);
  first.process.kill("SIGINT");
  await Promise.all(load);
  assert.equal(await first.ended, 0, first.said());
  assert.ok(ids.length > 0, "no call was served before the stop");
  assert.deepEqual(failed, [], "calls that began have ended whole");
  const written = records(dir);
  const served = new Set(written.filter((record) => record.ending === "served").map((record) => record.id));
  for (const id of ids) assert.ok(served.has(id), id);
  const begun = new Set(written.map(({ conversation }) => conversation));
  assert.ok(begun.has("call-1"), "records name the conversation");
  assert.deepEqual(
    reset.filter((conversation) => begun.has(conversation)),
    [],
    "only connections of calls that had not begun were closed",
  );
  assert.equal(new Set(written.map((record) => record.id)).size, written.length, "no record twice");
  assert.deepEqual(
    written.filter((record) => record.ending === "crashed"),
    [],
  );
  assert.deepEqual(leftovers(dir), []);

  const began = performance.now();
  const second = await up(t, dir);
  const again = await ready(second);
  assert.equal(again.key, at.key);
  assert.ok(performance.now() - began < 15_000, "seconds");
  assert.equal((await chat(again)).status, 200);
  second.process.kill("SIGTERM");
  assert.equal(await second.ended, 0);
});

test("up: a policy edited by hand is kept, and one with a mistake is named with file, line and remedy", { timeout: 60_000 }, async (t) => {
  const dir = folder(t);
  const first = await up(t, dir);
  await ready(first);
  first.process.kill("SIGTERM");
  await first.ended;
  const policy = join(dir, "run/policy.yaml");
  const good = readFileSync(policy, "utf8");
  appendFileSync(policy, "# mine\n");
  const second = await up(t, dir);
  assert.equal((await chat(await ready(second))).status, 200);
  second.process.kill("SIGTERM");
  await second.ended;
  assert.ok(readFileSync(policy, "utf8").endsWith("# mine\n"));
  writeFileSync(policy, good.replace("outputTokensMax: 2000", "outputTokenMax: 2000"));
  const third = await up(t, dir);
  assert.equal(await third.ended, 1);
  assert.match(third.said(), /policy\.yaml:\d+.*outputTokenMax/);
  assert.doesNotMatch(third.said(), /^\s+at /m);
});

test("up: with nothing open it stops at once; with a call that runs it says what it waits for", { timeout: 60_000 }, async (t) => {
  const dir = folder(t);
  const idle = await up(t, dir, []);
  await ready(idle);
  const begun = performance.now();
  idle.process.kill("SIGINT");
  assert.equal(await idle.ended, 0, idle.said());
  const ms = performance.now() - begun;
  assert.ok(ms < 2_500, `it took ${Math.round(ms)} ms`);
  assert.doesNotMatch(idle.out(), /waiting/);
  const busy = await up(t, dir, []);
  const answer = chat(await ready(busy), { messages: [{ role: "user", content: "[[sim delay=1500]] Hello" }] });
  await sleep(500);
  busy.process.kill("SIGINT");
  assert.equal((await answer).status, 200);
  assert.equal(await busy.ended, 0, busy.said());
  assert.match(busy.out(), /^stopping: waiting for 1 running call, at most 10 s; Ctrl-C once more ends at once$/m);
});

test("up --workers 2: an edit of the policy is in force at once, in both", { timeout: 60_000 }, async (t) => {
  const dir = folder(t);
  const running = await up(t, dir, ["--workers", "2"]);
  const at = await ready(running);
  const policy = join(dir, "run/policy.yaml");
  writeFileSync(policy, readFileSync(policy, "utf8").replace(/^version: .*$/m, 'version: "edited"'));
  const seen = async (): Promise<string> => (await chat(at)).headers.get("x-ai-policy") ?? "";
  for (let waited = 0; waited < 5_000 && !(await seen()).endsWith("@edited"); waited += 50) await sleep(50);
  const versions = await Promise.all(Array.from({ length: 8 }, seen));
  assert.deepEqual(new Set(versions.map((version) => version.split("@")[1])), new Set(["edited"]));
  running.process.kill("SIGINT");
  assert.equal(await running.ended, 0, running.said());
  const names = readdirSync(join(dir, "run/records"));
  assert.ok(names.includes("records-0.jsonl") && names.includes("records-1.jsonl"), names.join(" "));
});

test("up: a taken port, a missing Envoy and wrong words are one line with the remedy", { timeout: 60_000 }, async (t) => {
  const dir = folder(t);
  const taken = createServer();
  taken.listen(0, "127.0.0.1");
  await once(taken, "listening");
  t.after(() => taken.close());
  const address = taken.address();
  assert.ok(address !== null && typeof address === "object");
  const blocked = await up(t, dir, ["--listen", `127.0.0.1:${address.port}`]);
  assert.equal(await blocked.ended, 1);
  assert.match(blocked.said(), /^sluice up: 127\.0\.0\.1:\d+ is taken; choose another: .*--listen [^\n]+\n$/);
  const wrong = await up(t, dir, ["--listen", "example.com:80"]);
  assert.equal(await wrong.ended, 2);
  const file = await up(t, dir, ["--policy", join(dir, "none.yaml")]);
  assert.equal(await file.ended, 1);
  assert.match(file.said(), /none\.yaml/);
  const noEnvoy = spawn(process.execPath, [MAIN, "up", "--dir", join(dir, "run"), "--listen", `127.0.0.1:${await freePort()}`], {
    env: { ENVOY_BIN: join(dir, "no-envoy") },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  noEnvoy.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await once(noEnvoy, "close");
  assert.equal(noEnvoy.exitCode, 1);
  assert.match(said, /^sluice up: ENVOY_BIN=.*no-envoy is no program: [^\n]+\n$/);
  assert.deepEqual(leftovers(dir), []);
});

test("up: a process that dies is named, and the others are stopped", { timeout: 60_000 }, async (t) => {
  const dir = folder(t);
  const running = await up(t, dir);
  await ready(running);
  const serve = leftoverPids(dir, " serve ");
  assert.equal(serve.length, 1);
  process.kill(serve[0] ?? 0, "SIGKILL");
  assert.equal(await running.ended, 1);
  assert.match(running.said(), /Sluice ended by itself \(SIGKILL\)/);
  assert.deepEqual(leftovers(dir), []);
});

function leftoverPids(dir: string, word: string): readonly number[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        return line.includes(dir) && line.includes(word);
      } catch {
        return false;
      }
    })
    .map(Number);
}
