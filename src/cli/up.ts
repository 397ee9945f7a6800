import { accessSync, constants } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { err, ok, type Result } from "../core/result.ts";
import { type Command, type CommandIo, usageProblem } from "./command.ts";
import { type Address, parseAddress } from "./up/address.ts";
import { Stack, type UpOptions } from "./up/stack.ts";
import { parseWorkers, WORKERS_MAX } from "./worker-names.ts";

const HELP = `sluice up: Sluice and Envoy on this machine, to try it

  sluice up [options]          make run [ARGS="options"]

  --listen ADDR:PORT   where callers go                              (127.0.0.1:8080)
  --policy PATH        your own policy instead of the demo's         (DIR/policy.yaml, written at the first run)
  --dir DIR            policy, records, logs and Envoy's files       (.run)
  --admin ADDR:PORT    Sluice's health, metrics and policy           (127.0.0.1:9901, or a free port)
  --envoy-admin ADDR:PORT                                            (127.0.0.1:9902, or a free port)
  --workers N          processes of Sluice that serve                (1)

Without a provider key in the environment (OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY and others) a bundled simulator
answers. With one, the first run writes a policy with those providers; an edited policy is never touched, and an edit is in
force within a second, providers included (a provider's key must be in the environment at the start). ENVOY_BIN names an Envoy
of 1.40 or later. Ctrl-C or SIGTERM lets running calls end, then stops Envoy, then Sluice, which writes every record; a second
one ends at once.
Exit code: 0 stopped, 1 something could not start or died, 2 wrong options.
`;

export const upCommand: Command = { help: HELP, run };

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const options = readOptions(args, io);
  if (!options.ok) {
    io.stderr.write(`sluice up: ${options.error}; see sluice up --help\n`);
    return 2;
  }
  const envoy = findEnvoy(io);
  if (!envoy.ok) {
    io.stderr.write(`sluice up: ${envoy.error}\n`);
    return 1;
  }
  const stack = new Stack({ ...options.value, envoy: envoy.value, io });
  const signals = watchSignals();
  try {
    const raised = stack.raise();
    const first = await Promise.race([raised, signals.first.then((): "signal" => "signal")]);
    if (first !== "signal") {
      if (!first.ok) return await fail(stack, io, first.error);
      io.stdout.write(first.value);
      const why = await Promise.race([stack.died, signals.first.then(() => undefined)]);
      if (why !== undefined) return await fail(stack, io, why);
    }
    const lowered = stack.lower().then((): "down" => "down");
    const how = await Promise.race([lowered, signals.second.then((): "now" => "now")]);
    if (how === "now") stack.kill();
    return how === "now" ? 1 : 0;
  } catch (cause) {
    stack.kill();
    throw cause;
  } finally {
    signals.forget();
  }
}

/** An empty reason: the process that failed has said it itself. */
async function fail(stack: Stack, io: CommandIo, why: string): Promise<number> {
  if (why !== "") io.stderr.write(`sluice up: ${why}\n`);
  await stack.lower();
  return 1;
}

const OPTIONS = {
  listen: { type: "string" },
  policy: { type: "string" },
  dir: { type: "string" },
  admin: { type: "string" },
  "envoy-admin": { type: "string" },
  workers: { type: "string" },
} as const;

const parse = (args: readonly string[]) => parseArgs({ args: [...args], options: OPTIONS, strict: true }).values;

function readOptions(args: readonly string[], { cwd, env }: CommandIo): Result<Omit<UpOptions, "envoy" | "io">, string> {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (cause) {
    return err(usageProblem(cause));
  }
  const addresses: Address[] = [];
  for (const text of [values.listen ?? "127.0.0.1:8080", values.admin ?? "127.0.0.1:9901", values["envoy-admin"] ?? "127.0.0.1:9902"]) {
    const address = parseAddress(text);
    if (address === undefined) return err(`${text} is no ADDRESS:PORT, such as 127.0.0.1:8080`);
    addresses.push(address);
  }
  const [listen, admin, envoyAdmin] = addresses;
  if (listen === undefined || admin === undefined || envoyAdmin === undefined) return err("three addresses are needed");
  const workers = parseWorkers(values.workers ?? env["SLUICE_WORKERS"] ?? "1");
  if (workers === undefined) return err(`--workers is a number from 1 to ${WORKERS_MAX}`);
  const policy = values.policy ?? env["SLUICE_POLICY"];
  return ok({
    listen,
    admin,
    envoyAdmin,
    workers,
    policy: policy === undefined ? undefined : resolve(cwd, policy),
    dir: resolve(cwd, values.dir ?? ".run"),
  });
}

function findEnvoy({ env }: CommandIo): Result<string, string> {
  const named = env["ENVOY_BIN"] ?? "";
  if (named !== "")
    return isProgram(named) ? ok(named) : err(`ENVOY_BIN=${named} is no program: name an Envoy of 1.40 or later, or unset it`);
  const own = join(import.meta.dirname, "../../.tools/envoy/envoy");
  const path = (env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "envoy"));
  const found = [own, ...path].find(isProgram);
  return found === undefined ? err("no Envoy found: run .ci/setup to fetch one, or set ENVOY_BIN") : ok(found);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

function watchSignals(): { readonly first: Promise<void>; readonly second: Promise<void>; forget(): void } {
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  let count = 0;
  const take = (): void => {
    count += 1;
    (count === 1 ? first : second).resolve();
  };
  for (const signal of SIGNALS) process.on(signal, take);
  return {
    first: first.promise,
    second: second.promise,
    forget: () => {
      for (const signal of SIGNALS) process.off(signal, take);
    },
  };
}
