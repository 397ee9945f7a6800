#!/usr/bin/env node
import type { CommandIo } from "./cli/command.ts";
/** Entry of the `sluice` command: finds the command, runs it, exits with its code. */
import { COMMANDS } from "./cli/index.ts";

const DONE_MS = 500;

const HELP = `sluice: governance for LLM traffic on Envoy

  sluice COMMAND [options]        sluice COMMAND --help is its manual

${COMMANDS.map((command) => `  ${command.name.padEnd(10)} ${command.summary}`).join("\n")}
`;

async function main(args: readonly string[], io: CommandIo): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    io.stdout.write(HELP);
    return name === undefined ? 2 : 0;
  }
  const entry = COMMANDS.find((candidate) => candidate.name === name);
  if (entry === undefined) {
    io.stderr.write(`sluice: no command ${name}; there are ${COMMANDS.map((known) => known.name).join(", ")}\n`);
    return 2;
  }
  const command = await entry.load();
  if (rest.includes("--help") || rest.includes("-h")) {
    io.stdout.write(command.help);
    return 0;
  }
  return command.run(rest, io);
}

process.exitCode = await main(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
});
// A command that is done ends, whatever is still open: a collector that does not answer keeps its request for many seconds.
setTimeout(() => process.exit(), DONE_MS).unref();
