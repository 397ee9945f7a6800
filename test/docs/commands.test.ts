import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { envoyBinary, freePort } from "../support/envoy.ts";
import { allBlocks, type Block, blocksOf, firstPolicy, ROOT } from "./blocks.ts";

/**
 * The commands of the docs, run as a reader would: in a folder with the README's policy, beside a `make run`. Blocks with a
 * command that cannot be run here (Docker, Kubernetes, another checkout) are left out whole; `sh` blocks that are no commands
 * to run should be `text`.
 */
const ELSEWHERE = /^\s*(?:\S+=\S+ )*(?:make|git|docker|kubectl|systemctl|apt-get|sudo)\b/m;
const READY_MS = 60_000;
/** Commands that have not ended by then are a mistake of the page. */
const COMMAND_MS = 60_000;
/** A server in the foreground as a block's last line: it must live for a moment. */
const SERVER = /^((?:\S+=\S+ )*envoy -c [^&\n]*)\n$/m;
const SERVER_ALIVE = "$1 & sleep 2; kill -0 $!\n";

/** Where one reader works. */
interface World {
  readonly dir: string;
  readonly url: string;
  readonly admin: string;
  readonly envoyAdmin: string;
  readonly key: string;
  readonly up: ChildProcess;
}
let world: World;

before(async () => {
  const dir = mkdtempSync(join(tmpdir(), "sluice-docs-"));
  const bin = join(dir, "bin");
  mkdirSync(bin);
  const shim = (name: string, command: string): void => {
    writeFileSync(join(bin, name), `#!/bin/sh\nexec ${command} "$@"\n`);
    chmodSync(join(bin, name), 0o755);
  };
  shim("node", process.execPath);
  shim("sluice", `${process.execPath} ${join(ROOT, "src/main.ts")}`);
  shim("envoy", envoyBinary());
  for (const name of ["src", ".tools", "node_modules"]) symlinkSync(join(ROOT, name), join(dir, name));
  // Commands may write here.
  for (const name of ["envoy", "docs"]) cpSync(join(ROOT, name), join(dir, name), { recursive: true });
  writeFileSync(join(dir, "policy.yaml"), firstPolicy());
  const [port, adminPort, envoyPort] = [await freePort(), await freePort(), await freePort()];
  const [admin, envoyAdmin] = [`127.0.0.1:${adminPort}`, `127.0.0.1:${envoyPort}`];
  const up = spawn(join(bin, "sluice"), ["up", "--listen", `127.0.0.1:${port}`, "--admin", admin, "--envoy-admin", envoyAdmin], {
    cwd: dir,
    env: { PATH: process.env["PATH"], HOME: dir, ENVOY_BIN: envoyBinary() },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  up.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  for (let waited = 0; waited < READY_MS && !said.includes("Ctrl-C"); waited += 50) await sleep(50);
  const key = /^key\s+(\S+)$/m.exec(said)?.[1];
  assert.ok(key !== undefined, `sluice up did not come up: ${said}`);
  world = { dir, url: `http://127.0.0.1:${port}`, admin, envoyAdmin, key, up };
});

after(async () => {
  const ended = once(world.up, "close");
  world.up.kill("SIGTERM");
  await ended;
  rmSync(world.dir, { recursive: true, force: true });
});

/** The text of a page with the places of this world in it. */
const placed = (text: string): string =>
  text
    .replaceAll("/run/sluice", join(world.dir, "run-sluice"))
    .replaceAll("127.0.0.1:8080", world.url.slice("http://".length))
    .replaceAll("127.0.0.1:9901", world.admin)
    .replaceAll(/(?:127\.0\.0\.1|localhost):9902/g, world.envoyAdmin);

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a program and ends whatever it left in its process group. */
async function run(command: string, args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const child = spawn(command, args, {
    cwd: world.dir,
    detached: true,
    env: {
      PATH: `${join(world.dir, "bin")}:${process.env["PATH"] ?? ""}`,
      HOME: world.dir,
      SLUICE_KEY: world.key,
      SLUICE_ADMIN: world.admin,
      KEY: world.key,
      ...more,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const text = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    text.out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    text.err += chunk.toString();
  });
  const limit = setTimeout(() => void endGroup(child.pid ?? 0), COMMAND_MS);
  const [code] = await once(child, "exit");
  clearTimeout(limit);
  await endGroup(child.pid ?? 0);
  return { code: typeof code === "number" ? code : null, ...text };
}

/** Background processes of a block: Envoy wants a moment, a second signal ends the rest. */
async function endGroup(group: number): Promise<void> {
  for (const signal of ["SIGTERM", "SIGTERM", "SIGKILL"] as const) {
    try {
      process.kill(-group, signal);
    } catch {
      return;
    }
    for (let waited = 0; waited < 3_000; waited += 50) {
      await sleep(50);
      try {
        process.kill(-group, 0);
      } catch {
        return;
      }
    }
  }
}

const runnable = allBlocks().filter(({ info, text }) => info === "sh" && !ELSEWHERE.test(text));

/** A block that starts processes of its own gets ports of its own. */
async function prepared(block: Block): Promise<string> {
  const text = block.text.replace(SERVER, SERVER_ALIVE);
  if (!/ serve .*&/.test(text) && text === block.text) return placed(text);
  const ports = new Map<string, number>();
  for (const port of ["8080", "9901", "9902"]) ports.set(port, await freePort());
  writeFileSync(join(world.dir, "policy.yaml"), `${firstPolicy()}listen: { address: 127.0.0.1, port: ${ports.get("8080")} }\n`);
  return text
    .replaceAll("/run/sluice", join(world.dir, "run-sluice"))
    .replaceAll(/127\.0\.0\.1:(8080|9901|9902)/g, (_all, port: string) => `127.0.0.1:${ports.get(port)}`)
    .replaceAll(/( serve .*)&/g, (_all, words: string) => `${words} --admin 127.0.0.1:${ports.get("9901")} &`)
    .replaceAll(/( envoy --policy .*)$/gm, (_all, words: string) => `${words} --admin 127.0.0.1:${ports.get("9902")}`);
}

for (const block of runnable) {
  test(`${block.place}: the commands run`, { timeout: 100_000 }, async () => {
    writeFileSync(join(world.dir, "policy.yaml"), firstPolicy());
    const done = await run("bash", ["-euo", "pipefail", "-c", await prepared(block)]);
    assert.equal(done.code, 0, `${block.text}\n${done.out}\n${done.err}`);
    assert.doesNotMatch(done.err, /command not found|No such file/, block.text);
  });
}

test("README: the first call brings the headers that the page shows", async () => {
  const [call, refusal] = blocksOf("README.md").filter(({ info, text }) => info === "sh" && text.startsWith("curl "));
  assert.ok(call !== undefined && refusal !== undefined);
  const shown = blocksOf("README.md").find(({ text }) => text.startsWith("x-ai-request-id:"))?.text ?? "";
  const answer = await run("bash", ["-c", placed(call.text)]);
  assert.match(answer.out, /^HTTP\/1\.1 200/);
  const names = shown.match(/^x-ai-[a-z-]+(?=:)/gm) ?? [];
  assert.ok(names.length > 5);
  for (const name of names) assert.match(answer.out, new RegExp(`^${name}: `, "m"));
  const printed = blocksOf("README.md").find(({ info }) => info === "json")?.text ?? "";
  const refused = await run("bash", ["-c", placed(refusal.text)]);
  const without = (text: string): unknown => ({ ...JSON.parse(text), request_id: "" });
  assert.deepEqual(without(refused.out), without(printed));
});

/** One call for each SDK, behind the page's own two lines. */
const CALLS: readonly { readonly sdk: RegExp; readonly call: string }[] = [
  {
    sdk: /from openai import/,
    call: 'print(client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}]).choices[0].message.content)',
  },
  {
    sdk: /from anthropic import/,
    call: 'print(client.messages.create(model="claude-haiku-4-5", max_tokens=50, messages=[{"role": "user", "content": "Hello"}]).content[0].text)',
  },
  { sdk: /from google import genai/, call: 'print(client.models.generate_content(model="gemini-2.5-flash", contents="Hello").text)' },
  {
    sdk: /from "openai"/,
    call: 'console.log((await client.chat.completions.create({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello" }] })).choices[0].message.content);',
  },
  {
    sdk: /from "@anthropic-ai\/sdk"/,
    call: 'console.log((await client.messages.create({ model: "claude-haiku-4-5", max_tokens: 50, messages: [{ role: "user", content: "Hello" }] })).content[0].text);',
  },
  {
    sdk: /from "@google\/genai"/,
    call: 'console.log((await client.models.generateContent({ model: "gemini-2.5-flash", contents: "Hello" })).text);',
  },
];
const PYTHON = join(ROOT, ".tools/py/bin/python");

for (const { place, info, text } of blocksOf("README.md").filter(({ info }) => info === "python" || info === "js")) {
  test(`${place}: base URL and key are all that the SDK needs`, { timeout: 60_000 }, async () => {
    const call = CALLS.find(({ sdk }) => sdk.test(text))?.call;
    assert.ok(call !== undefined, text);
    if (info === "js") {
      writeFileSync(join(world.dir, "snippet.mjs"), `const KEY = process.env.KEY;\n${placed(text)}${call}\n`);
      const done = await run("node", ["snippet.mjs"]);
      assert.match(done.out, /Simulated answer/, done.err);
      return;
    }
    const done = await run(PYTHON, ["-c", `import os\nKEY = os.environ["KEY"]\n${placed(text)}${call}\n`]);
    assert.match(done.out, /Simulated answer/, done.err);
  });
}

test("the page of `make run` says what the README says it does", () => {
  const text = readFileSync(join(ROOT, "README.md"), "utf8");
  for (const path of [".run/records/records-0.jsonl", ".run/policy.yaml"]) {
    assert.ok(text.includes(path), path);
    assert.ok(existsSync(join(world.dir, path)), path);
  }
});
