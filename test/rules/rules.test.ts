import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { importsOf, violationsOf } from "./import-rules.ts";
import { problemsOf } from "./source-rules.ts";

const root = join(import.meta.dirname, "../..");
const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
  .map((file) => ({ file: file.replaceAll("\\", "/"), text: readFileSync(join(root, "src", file), "utf8") }));

test("every file of src imports only what its folder may", () => {
  assert.ok(sources.length > 20, "the sources were found");
  const found = sources.flatMap(({ file, text }) => violationsOf(file, text));
  assert.deepEqual(
    found.map((v) => `src/${v.file} imports ${v.imports}: ${v.why}`),
    [],
  );
});

test("src has no casts, module-level state, default exports or overlong files outside the allowed places", () => {
  assert.deepEqual(
    sources.flatMap(({ file, text }) => problemsOf(file, text)),
    [],
  );
});

test("a forbidden import is found, however it is written", () => {
  const cases: readonly (readonly [file: string, source: string])[] = [
    ["core/usage.ts", 'import { x } from "../ports/clock.ts";'],
    ["core/usage.ts", 'import type { x } from "zod";'],
    ["core/usage.ts", 'import "node:fs";'],
    ["ports/log.ts", 'export * from "../adapters/log/pino.ts";'],
    ["codecs/a.ts", 'import {\n  one,\n  two,\n} from "./b.ts";'],
    ["stages/caps/stage.ts", 'import { x } from "../route/stage.ts";'],
    ["stages/caps/stage.ts", 'const x = await import("../../pipeline/run.ts");'],
    ["adapters/redis/client.ts", 'import { x } from "../sqlite/store.ts";'],
    ["envoy/decode.ts", 'import { x } from "../pipeline/run.ts";'],
    ["pipeline/run.ts", 'import { x } from "../server/grpc.ts";'],
    ["simulator/main.ts", 'import { x } from "../core/usage.ts";'],
    ["simulator/main.ts", 'import { x } from "yaml";'],
    ["server/grpc.ts", 'import { x } from "../../test/support/envoy.ts";'],
    ["novel/x.ts", 'import { x } from "../core/usage.ts";'],
  ];
  for (const [file, source] of cases) assert.equal(violationsOf(file, source).length, 1, `${file}: ${source}`);
});

test("an allowed import is left alone, and comments are no imports", () => {
  const cases: readonly (readonly [file: string, source: string])[] = [
    ["codecs/a.ts", 'import { x } from "./shared/sse.ts";'],
    ["codecs/index.ts", 'import { x } from "./a.ts";'],
    ["stages/caps/stage.ts", 'import { x } from "./rules.ts";\nimport { y } from "../../core/usage.ts";\nimport { z } from "zod";'],
    ["cli/serve.ts", 'import { x } from "../adapters/log/pino.ts";'],
    ["core/usage.ts", '// import { x } from "zod"\n/* import "node:fs" */'],
  ];
  for (const [file, source] of cases) assert.deepEqual(violationsOf(file, source), [], `${file}: ${source}`);
  assert.deepEqual(importsOf('import { a } from "./a.ts";\nexport { b } from "./b.ts";'), ["./a.ts", "./b.ts"]);
});

test("the rules for text find what they are for, and nothing in strings, comments or renamed imports", () => {
  const wrong = [
    "const x = y as Thing;",
    "const x = (y as { a: 1 }).a;",
    "let count = 0;",
    "export let count = 0;",
    "export default 1;",
    "x\n".repeat(401),
  ];
  for (const source of wrong) assert.equal(problemsOf("server/x.ts", source).length, 1, source.slice(0, 40));
  const right = [
    "const x = [1] as const;",
    'import { a as b } from "./a.ts";',
    "import * as grpc from 'x';",
    'const s = "as text";',
    "// same as Thing",
    "  let inner = 0;",
  ];
  for (const source of right) assert.deepEqual(problemsOf("server/x.ts", source), [], source);
  assert.deepEqual(problemsOf("envoy/wire.ts", "const x = y as Thing;"), []);
});

interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly hasInstallScript?: boolean; readonly optionalDependencies?: Readonly<Record<string, string>> }>
  >;
}

test("the lock file fits every platform, and nothing it names needs an install script", () => {
  const lock: Lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const scripts = Object.entries(lock.packages).flatMap(([name, entry]) => (entry.hasInstallScript === true ? [name] : []));
  // protobufjs only compares version numbers and prints a warning in its script.
  assert.deepEqual(scripts, ["node_modules/protobufjs"]);
  const missing = Object.values(lock.packages).flatMap((entry) =>
    Object.keys(entry.optionalDependencies ?? {}).filter((name) => lock.packages[`node_modules/${name}`] === undefined),
  );
  assert.deepEqual(missing, [], "npm ci refuses a lock that was made where a registry lacked some platforms");
});
