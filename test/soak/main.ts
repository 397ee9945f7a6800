/** `make soak`: an hour, or `SOAK_MINUTES`. */
import { soak } from "./soak.ts";

const minutes = Number(process.env["SOAK_MINUTES"] ?? 60);
const callers = Number(process.env["SOAK_CALLERS"] ?? 16);
if (!(minutes > 0) || !(callers > 0)) {
  process.stderr.write("SOAK_MINUTES and SOAK_CALLERS are numbers above 0\n");
  process.exit(2);
}
const say = (line: string): void => void process.stdout.write(`${line}\n`);
say(`soak: ${callers} callers for ${minutes} minutes`);
try {
  say(await soak({ forMs: minutes * 60_000, callers, say }));
} catch (cause) {
  say(`soak failed: ${cause instanceof Error ? cause.message : String(cause)}`);
  process.exitCode = 1;
}
