import type { Command } from "./command.ts";
import { serveCommand } from "./serve.ts";

/** Every command of `sluice`. A new one is one file and one line here. */
export const COMMANDS: readonly Command[] = [serveCommand];
