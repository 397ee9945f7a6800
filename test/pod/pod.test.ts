/**
 * The processes of both sets, started from the manifests: same commands, arguments, environment and files, with the paths and
 * ports of this machine in place of the pod's. As root they run as the manifests' users, in the group that a pod would give them.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startSimulator } from "../../src/simulator/server.ts";
import { envoyBinary, freePort } from "../support/envoy.ts";
import { commandOf } from "./image.ts";
import { build, inside, isMap, listOf, type Manifest, textOf } from "./kustomize.ts";

const ROOT = join(import.meta.dirname, "../..");
const PROVIDER_KEY = "sk-provider-key-of-the-pod-test";
const STEPS_MAX = 400;

class Pod {
  readonly dir: string;
  readonly #spec: unknown;
  readonly #built: readonly Manifest[];
  readonly #ports: ReadonlyMap<string, number>;
  readonly #running = new Map<string, ChildProcess>();
  #said = "";

  constructor(set: string, dir: string, ports: ReadonlyMap<string, number>) {
    this.dir = dir;
    this.#ports = ports;
    this.#built = build(join(ROOT, "k8s", set));
    this.#spec = this.#built.map((manifest) => inside(manifest, "spec", "template", "spec")).find((spec) => spec !== undefined);
  }

  url(port: string): string {
    return `http://127.0.0.1:${this.#ports.get(port)}`;
  }
  get said(): string {
    return this.#said;
  }
  data(map: string): Readonly<Record<string, string>> {
    const found = this.#built.find((manifest) => manifest["kind"] === "ConfigMap" && inside(manifest, "metadata", "name") === map);
    const data = inside(found, "data");
    return Object.fromEntries(Object.entries(isMap(data) ? data : {}).map(([name, text]) => [name, textOf(text)]));
  }

  /** The pod's paths and ports as they are here. */
  #here(text: string): string {
    return text
      .replaceAll(/^(--[\w-]+=)?\/(run\/sluice|etc\/sluice|var\/lib\/sluice|scripts|run\/secrets)/g, `$1${this.dir}/$2`)
      .replaceAll(
        /\b(0\.0\.0\.0|127\.0\.0\.1):(8080|9901|9902)\b/g,
        (_all, host: string, port: string) => `${host}:${this.#ports.get(port)}`,
      );
  }

  container(name: string): Manifest {
    const all = [...listOf(inside(this.#spec, "initContainers")), ...listOf(inside(this.#spec, "containers"))];
    const found = all.find((container) => inside(container, "name") === name);
    assert.ok(isMap(found), name);
    return found;
  }

  #user(container: Manifest): { readonly uid?: number; readonly gid?: number } {
    if (process.getuid?.() !== 0 || !othersMayRun()) return {};
    // The pod's fsGroup: one of a container's groups there, its only one here.
    return {
      uid: Number(inside(container, "securityContext", "runAsUser")),
      gid: Number(inside(this.#spec, "securityContext", "fsGroup")),
    };
  }

  /** The command of a container, or of one of its probes and hooks. */
  launch(name: string, command?: readonly string[]): ChildProcess {
    const container = this.container(name);
    const args = listOf(container["args"]).map(textOf);
    const own = listOf(container["command"]).map(textOf);
    const words = command ?? (own.length > 0 ? [...own, ...args] : commandOf(args));
    const declared = listOf(container["env"]).map((entry): [string, string] => [
      textOf(inside(entry, "name")),
      this.#here(textOf(inside(entry, "value"))),
    ]);
    const [program = "", ...rest] = words.map((word) => this.#here(word));
    const child = spawn(program === "node" ? process.execPath : program === "envoy" ? envoyBinary() : program, rest, {
      cwd: ROOT,
      env: {
        PATH: "/usr/bin:/bin",
        ENVOY_ADMIN_PORT: String(this.#ports.get("9902")),
        DRAIN_NOTICE_SECONDS: "1",
        ...Object.fromEntries(declared),
      },
      stdio: ["ignore", "pipe", "pipe"],
      ...this.#user(container),
    });
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        this.#said += `${name}: ${chunk.toString()}`;
      });
    if (command === undefined) this.#running.set(name, child);
    return child;
  }

  async exec(name: string, command: readonly string[]): Promise<number | null> {
    const child = this.launch(name, command);
    await once(child, "exit");
    return child.exitCode;
  }

  /** As the kubelet asks. */
  async probe(name: string, kind: "startupProbe" | "livenessProbe" | "readinessProbe"): Promise<boolean> {
    const probe = this.container(name)[kind];
    const command = listOf(inside(probe, "exec", "command")).map(textOf);
    if (command.length > 0) return (await this.exec(name, command)) === 0;
    return fetch(`${this.url("9901")}${textOf(inside(probe, "httpGet", "path"))}`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  async started(name: string): Promise<void> {
    for (let step = 0; step < STEPS_MAX && !(await this.probe(name, "startupProbe")); step++) {
      assert.equal(this.#running.get(name)?.exitCode, null, `${name} ended: ${this.#said}`);
      await sleep(50);
    }
    assert.ok(await this.probe(name, "startupProbe"), `${name} did not start: ${this.#said}`);
  }

  /** SIGTERM, and how it ended. */
  async end(name: string): Promise<number | null> {
    const child = this.#running.get(name);
    if (child === undefined) return null;
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    }
    return child.exitCode;
  }
  kill(): void {
    for (const child of this.#running.values()) child.kill("SIGKILL");
  }
}

/** A checkout below somebody's home may be closed to other users. */
function othersMayRun(): boolean {
  try {
    for (let path = ROOT; path !== "/"; path = dirname(path)) accessSync(path, constants.X_OK);
    const asked = spawnSync(process.execPath, ["-e", `require("node:fs").readdirSync(${JSON.stringify(join(ROOT, "src"))})`], {
      uid: 65532,
      gid: 65532,
    });
    const envoy = spawnSync(envoyBinary(), ["--version"], { uid: 65533, gid: 65532 });
    return asked.status === 0 && envoy.status === 0;
  } catch {
    return false;
  }
}

/** Files of a ConfigMap or Secret as the kubelet mounts them: a link to the version in force, swapped whole. */
function mount(dir: string, version: string, files: Readonly<Record<string, string>>, mode: number): void {
  mkdirSync(join(dir, `..${version}`), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(dir, `..${version}`, name), text);
    chmodSync(join(dir, `..${version}`, name), mode);
  }
  symlinkSync(`..${version}`, join(dir, "..data_new"));
  renameSync(join(dir, "..data_new"), join(dir, "..data"));
  for (const name of Object.keys(files)) {
    rmSync(join(dir, name), { force: true });
    symlinkSync(join("..data", name), join(dir, name));
  }
}

/** A volume that belongs to the pod's group. */
function volume(path: string): void {
  mkdirSync(path, { recursive: true });
  if (process.getuid?.() === 0) chownSync(path, 0, 65532);
  chmodSync(path, 0o2777);
}

async function startPod(t: TestContext, set: string) {
  const dir = mkdtempSync(join(tmpdir(), "sluice-pod-"));
  chmodSync(dir, 0o755);
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const simulator = await startSimulator({ port: 0, requireKey: PROVIDER_KEY });
  t.after(() => simulator.close());
  const ports = new Map<string, number>();
  for (const port of ["8080", "9901", "9902"]) ports.set(port, await freePort());
  const pod = new Pod(set, dir, ports);
  t.after(() => pod.kill());

  for (const path of ["run/sluice", "var/lib/sluice"]) volume(join(dir, path));
  // The key is made where the operator keeps the policy, and reaches the pod with it.
  const source = join(dir, "policy-source");
  mkdirSync(source);
  for (const [name, text] of Object.entries(pod.data("sluice-policy"))) {
    writeFileSync(
      join(source, name),
      text
        .replaceAll(/https:\/\/api\.[a-z]+\.com/g, simulator.url)
        .replaceAll("{ file: /run/secrets", `{ file: ${dir}/run/secrets`)
        .replaceAll("format: openai\n", "format: openai\n    catalog: openai\n")
        .replaceAll("format: anthropic\n", "format: anthropic\n    catalog: anthropic\n"),
    );
  }
  const issued = spawnSync(
    process.execPath,
    ["src/main.ts", "keys", "new", "--policy", source, "--tenant", "acme", "--app", "support-bot"],
    { cwd: ROOT, encoding: "utf8" },
  );
  assert.equal(issued.status, 0, issued.stderr);
  const policy = (): Record<string, string> => ({
    "policy.yaml": readFileSync(join(source, "policy.yaml"), "utf8"),
    "keys.yaml": readFileSync(join(source, "keys.yaml"), "utf8"),
  });
  mount(join(dir, "etc/sluice/policy"), "v1", policy(), 0o644);
  mount(join(dir, "scripts"), "v1", pod.data("envoy-scripts"), 0o755);
  mount(join(dir, "run/secrets/providers"), "v1", { openai: PROVIDER_KEY, anthropic: PROVIDER_KEY }, 0o644);

  const render = pod.launch("render");
  await once(render, "exit");
  assert.equal(render.exitCode, 0, pod.said);
  pod.launch("sluice");
  await pod.started("sluice");
  pod.launch("envoy");
  await pod.started("envoy");
  return { pod, policy, key: issued.stdout.trim() };
}

const chat = (pod: Pod, key: string, text: string, more: object = {}): Promise<Response> =>
  fetch(`${pod.url("8080")}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: text }], ...more }),
  });

interface Line {
  readonly id: string;
  readonly ending: string;
}
const recordsOf = (pod: Pod): readonly Line[] =>
  readFileSync(join(pod.dir, "var/lib/sluice/records-0.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line): Line => JSON.parse(line));

for (const set of ["gateway", "sidecar"]) {
  test(`${set}: its processes serve a call, take an edit of the policy, and end without cutting one off`, {
    timeout: 110_000,
  }, async (t) => {
    const { pod, policy, key } = await startPod(t, set);
    for (const name of ["sluice", "envoy"])
      for (const kind of ["livenessProbe", "readinessProbe"] as const)
        assert.ok(await pod.probe(name, kind), `${name} ${kind}: ${pod.said}`);

    const first = await chat(pod, key, "Hello");
    assert.equal(first.status, 200, await first.text());
    assert.equal((await chat(pod, "slk_nobody", "Hello")).status, 401);

    mount(
      join(pod.dir, "etc/sluice/policy"),
      "v2",
      { ...policy(), "policy.yaml": (policy()["policy.yaml"] ?? "").replace('models: ["*"]', "models: [claude-haiku-4-5]") },
      0o644,
    );
    let status = 200;
    for (let step = 0; step < STEPS_MAX && status === 200; step++) {
      status = (await chat(pod, key, "Hello")).status;
      await sleep(25);
    }
    assert.equal(status, 403, pod.said);
    mount(join(pod.dir, "etc/sluice/policy"), "v3", policy(), 0o644);
    for (let step = 0; step < STEPS_MAX && status !== 200; step++) {
      status = (await chat(pod, key, "Hello")).status;
      await sleep(25);
    }
    assert.equal(status, 200, pod.said);

    // The pod is told to end while a stream runs: preStop waits for it, then Envoy ends, then Sluice.
    const stream = await chat(pod, key, "[[sim tokens=40 token-delay=50]] Hello", { stream: true });
    const id = stream.headers.get("x-ai-request-id");
    const whole = stream.text();
    const drained = pod.exec("envoy", listOf(inside(pod.container("envoy"), "lifecycle", "preStop", "exec", "command")).map(textOf));
    assert.match(await whole, /data: \[DONE\]\s*$/);
    assert.equal(await drained, 0, pod.said);
    assert.ok(!(await pod.probe("envoy", "readinessProbe")), "not ready while it drains");
    await pod.end("envoy");
    assert.equal(await pod.end("sluice"), 0, pod.said);
    const records = recordsOf(pod);
    assert.equal(records.find((record) => record.id === id)?.ending, "served");
    assert.ok(
      records.every(({ ending }) => ending === "served" || ending === "refused"),
      JSON.stringify(records.map(({ ending }) => ending)),
    );
    assert.ok(!pod.said.includes(PROVIDER_KEY) && !pod.said.includes(key));
  });
}
