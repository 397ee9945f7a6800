import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { byKey } from "../../../test/support/credentials.ts";
import { STAGES } from "../../stages/index.ts";
import { loadPolicy } from "../load.ts";
import { formatProblem } from "../problems.ts";
import { compileSnapshot } from "../snapshot.ts";
import { DEMO_PROVIDERS } from "./providers.ts";
import { type Demo, writeDemo } from "./write-demo.ts";

const NOW_MS = Date.parse("2026-11-24T10:00:00Z");
const CREDENTIALS = Object.fromEntries(DEMO_PROVIDERS.map(({ variables }) => [variables.at(-1) ?? "", "not-a-real-secret"]));

async function demoOf(t: { after(fn: () => Promise<void>): void }, env: Record<string, string>, simulatorUrl?: string) {
  const folder = await mkdtemp(join(tmpdir(), "sluice-demo-"));
  t.after(() => rm(folder, { recursive: true }));
  const made = await writeDemo(join(folder, "run"), STAGES, {
    env,
    nowMs: NOW_MS,
    ...(simulatorUrl === undefined ? {} : { simulatorUrl }),
  });
  assert.ok(made.ok, made.ok ? "" : made.error);
  return { demo: made.value, text: await readFile(made.value.policy, "utf8") };
}
async function snapshotOf(demo: Demo) {
  const loaded = await loadPolicy(demo.policy, STAGES);
  assert.ok(loaded.ok, loaded.ok ? "" : loaded.error.map(formatProblem).join("\n"));
  return { snapshot: compileSnapshot(loaded.value, STAGES), warnings: loaded.value.warnings };
}

test("the demo policy itself is valid, without a warning, and says something about each of its lines", async () => {
  const path = new URL("./policy.yaml", import.meta.url).pathname;
  const loaded = await loadPolicy(path, STAGES);
  assert.ok(loaded.ok, loaded.ok ? "" : loaded.error.map(formatProblem).join("\n"));
  assert.deepEqual(loaded.value.warnings.map(formatProblem), []);
  let above = "";
  for (const line of (await readFile(path, "utf8")).split("\n")) {
    const opensOnly = /^\s*[\w-]+:$/.test(line);
    assert.ok(line.trim() === "" || line.includes("#") || opensOnly || above.startsWith("#"), `no comment: ${line}`);
    above = line;
  }
});

test("without keys: all three formats on the simulator, priced, and a key that works", async (t) => {
  const { demo, text } = await demoOf(t, { OPENAI_API_KEY: "" }, "http://127.0.0.1:9100/");
  assert.deepEqual([demo.simulated, demo.providers], [true, ["openai", "anthropic", "gemini"]]);
  assert.deepEqual(demo.models, { openai: "gpt-4o-mini", anthropic: "claude-haiku-4-5", gemini: "gemini-2.5-flash" });
  assert.ok(!text.includes(demo.key) && !text.includes("yaml-language-server"));
  const { snapshot, warnings } = await snapshotOf(demo);
  assert.deepEqual(warnings.map(formatProblem), []);
  const principal = byKey(snapshot, demo.key, NOW_MS);
  assert.ok(typeof principal === "object");
  assert.equal(snapshot.defaultUseCase(principal), "assistant");
  assert.equal(snapshot.resolve(principal, "assistant").mode, "enforce");
  const { providers, models } = snapshot.catalog;
  assert.deepEqual(
    [...providers.values()].map(({ format, host, port, basePath }) => `${format} ${host}:${port}${basePath}`),
    ["openai 127.0.0.1:9100/v1", "anthropic 127.0.0.1:9100", "gemini 127.0.0.1:9100"],
  );
  for (const model of models.values()) assert.match(model.targets[0]?.price?.source ?? "", /^catalog:/, model.name);
});

test("with keys: only the providers whose keys are set, by the name of the variable and never by its value", async (t) => {
  const { demo, text } = await demoOf(
    t,
    { ANTHROPIC_API_KEY: "not-a-real-secret", GOOGLE_API_KEY: "not-a-real-secret" },
    "http://127.0.0.1:9100",
  );
  assert.deepEqual(
    [demo.simulated, demo.providers, demo.models],
    [false, ["anthropic", "gemini"], { anthropic: "claude-haiku-4-5", gemini: "gemini-2.5-flash" }],
  );
  assert.ok(text.includes("{ env: GOOGLE_API_KEY }") && !text.includes("not-a-real-secret"));
  await snapshotOf(demo);
  const all = await demoOf(t, CREDENTIALS);
  assert.equal(all.demo.providers.length, DEMO_PROVIDERS.length);
  const { warnings } = await snapshotOf(all.demo);
  assert.deepEqual(
    warnings.map(({ path }) => path),
    ["models.openai/gpt-4o-mini.targets[0]"],
    "an aggregator's own price is not in the list",
  );
});

test("neither keys nor a simulator is one clear line; so is a folder that cannot be", async () => {
  const nothing = await writeDemo("/dev/null/run", STAGES, { env: {}, nowMs: NOW_MS });
  assert.match(nothing.ok ? "" : nothing.error, /^no provider key is set: set one of OPENAI_API_KEY, ANTHROPIC_API_KEY/);
  const nowhere = await writeDemo("/dev/null/run", STAGES, { env: CREDENTIALS, nowMs: NOW_MS });
  assert.match(nowhere.ok ? "" : nowhere.error, /^the demo policy cannot be written to \/dev\/null\/run \(ENOTDIR\)$/);
});
