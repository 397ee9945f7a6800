import { parseArgs } from "node:util";
import { startSimulator } from "./server.ts";

/** `node src/simulator/main.ts --port 0 [--host H] [--seed N] [--require-key K]`: prints one JSON line when it listens, ends on SIGTERM or SIGINT. */
async function run(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "0" },
      host: { type: "string", default: "127.0.0.1" },
      seed: { type: "string", default: "0" },
      "require-key": { type: "string" },
    },
  });
  const key = values["require-key"];
  const simulator = await startSimulator({
    port: Number(values.port),
    host: values.host,
    seed: Number(values.seed),
    ...(key === undefined ? {} : { requireKey: key }),
  });
  process.stdout.write(`${JSON.stringify({ url: simulator.url, port: simulator.port, pid: process.pid })}\n`);
  await new Promise<void>((resolve) => {
    process.once("SIGTERM", resolve);
    process.once("SIGINT", resolve);
  });
  await simulator.close();
}

run().catch((error: unknown) => {
  process.stderr.write(`simulator: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
