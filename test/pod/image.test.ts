import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, matchesGlob } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { NODE_FLAGS } from "../../src/server/node-flags.ts";
import { freePort } from "../support/envoy.ts";
import { commandOf, dockerfile, words } from "./image.ts";

const ROOT = join(import.meta.dirname, "../..");
const stages = dockerfile();
const last = stages.at(-1) ?? [];
const rests = (word: string): readonly string[] => stages.flat().flatMap((one) => (one.word === word ? [one.rest] : []));

test("the image runs as a user without rights, from a base that is named exactly, and holds no secret", () => {
  for (const base of rests("FROM")) assert.match(base, /^[\w./-]+:\d+\.\d+\.\d+[\w.-]*( AS \w+)?$/);
  const user = last.findLast(({ word }) => word === "USER")?.rest ?? "";
  assert.match(user, /^[1-9]\d*:[1-9]\d*$/);
  assert.ok(last.findIndex(({ word }) => word === "USER") < last.findIndex(({ word }) => word === "ENTRYPOINT"));
  assert.deepEqual(rests("ARG"), []);
  assert.deepEqual(rests("ADD"), []);
  const text = readFileSync(join(ROOT, "Dockerfile"), "utf8");
  assert.doesNotMatch(text, /slk_|sk-|(?:KEY|TOKEN|SECRET|PASSWORD)=/);
});

test("the image and the documented service give Node the settings of a process that serves", () => {
  assert.deepEqual(words(last, "ENTRYPOINT"), ["node", ...NODE_FLAGS, "src/main.ts"]);
  const install = readFileSync(join(ROOT, "docs/install.md"), "utf8");
  assert.ok(install.includes(`node ${NODE_FLAGS.join(" ")} src/main.ts serve `));
});

/** Lines of .dockerignore as Docker reads them: the last that matches decides. */
function ignored(path: string): boolean {
  let left = false;
  for (const line of readFileSync(join(ROOT, ".dockerignore"), "utf8").split("\n")) {
    const pattern = line.replace(/^!/, "");
    if (pattern === "" || pattern.startsWith("#")) continue;
    if (matchesGlob(path, pattern) || matchesGlob(path, `${pattern}/**`)) left = !line.startsWith("!");
  }
  return left;
}

/** Copies as the instructions of one stage say, without what is ignored. */
function layOut(instructions: readonly { readonly word: string; readonly rest: string }[], dir: string): void {
  for (const { word, rest } of instructions) {
    if (word !== "COPY" || rest.startsWith("--from")) continue;
    const names = rest.split(/\s+/);
    const target = names.pop() ?? "";
    for (const name of names) {
      assert.ok(existsSync(join(ROOT, name)), `COPY ${name}: it does not exist`);
      assert.ok(!ignored(name), `COPY ${name}: .dockerignore leaves it out`);
      const into = target.endsWith("/") ? join(dir, target, name) : join(dir, target);
      mkdirSync(dirname(into), { recursive: true });
      cpSync(join(ROOT, name), into, { recursive: true, filter: (source) => !ignored(source.slice(ROOT.length + 1)) });
    }
  }
}

test("a folder laid out as the image serves, with production packages alone, and its health check sees it", {
  timeout: 110_000,
}, async (t) => {
  if (spawnSync("npm", ["--version"]).status !== 0) return t.skip("npm is not here");
  const dir = mkdtempSync(join(tmpdir(), "sluice-image-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const stage of stages) layOut(stage, dir);
  const run = stages.flat().find(({ word, rest }) => word === "RUN" && rest.startsWith("npm "))?.rest ?? "";
  const installed = spawnSync("sh", ["-c", run], { cwd: dir, encoding: "utf8" });
  assert.equal(installed.status, 0, installed.stderr);

  const files = readdirSync(dir, { recursive: true, encoding: "utf8" });
  const own = files.filter((file) => !file.startsWith("node_modules"));
  assert.deepEqual(
    own.filter((file) => /\.test\.ts$|fixture|(?:^|\/)test(?:\/|$)|\.jsonl$|\.env/.test(file)),
    [],
  );
  for (const development of ["typescript", "openai", "kubernetes-models", "fast-check"])
    assert.ok(!existsSync(join(dir, "node_modules", development)), development);
  const bytes = own.reduce((sum, file) => sum + statSync(join(dir, file)).size, 0);
  assert.ok(bytes < 8_000_000, `Sluice's own files are ${bytes} bytes`);

  const data = mkdtempSync(join(tmpdir(), "sluice-image-data-"));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  mkdirSync(join(data, "policy"));
  writeFileSync(join(data, "policy/policy.yaml"), 'apiVersion: sluice/v1\nversion: "1"\n');
  const admin = `127.0.0.1:${await freePort()}`;
  const declared = Object.fromEntries(
    [...(last.find(({ word }) => word === "ENV")?.rest ?? "").matchAll(/(\w+)=(\S+)/g)].map(([, name = "", value = ""]) => [name, value]),
  );
  const env: Record<string, string> = { ...declared, PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, SLUICE_ADMIN: admin };
  env["SLUICE_POLICY"] = join(data, "policy");
  env["SLUICE_DATA"] = join(data, "records");
  env["SLUICE_SOCKET"] = join(data, "0.sock");
  const start = commandOf([]);
  const child = spawn(start[0] ?? "", start.slice(1), { cwd: dir, env, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  t.after(() => child.kill("SIGKILL"));
  for (let waited = 0; waited < 20_000 && !(await ready(admin)); waited += 100) {
    assert.equal(child.exitCode, null, said);
    await sleep(100);
  }
  const check = words(last, "HEALTHCHECK");
  assert.equal(spawnSync(check[0] ?? "", check.slice(1), { cwd: dir, env, encoding: "utf8" }).status, 0);
  const before = JSON.stringify(readdirSync(dir, { recursive: true, encoding: "utf8" }).length);
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  assert.deepEqual(await ended, [0, null], said);
  assert.equal(before, JSON.stringify(files.length), "it writes nothing beside its data");
  assert.notEqual(spawnSync(check[0] ?? "", check.slice(1), { cwd: dir, env }).status, 0, "a stopped one is not healthy");
});

const ready = (admin: string): Promise<boolean> =>
  fetch(`http://${admin}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  );
