import { approvalsCommand } from "./approvals.ts";
import { auditCommand } from "./audit.ts";
import { budgetCommand } from "./budget.ts";
import { checkCommand } from "./check.ts";
import type { Command } from "./command.ts";
import { envoyCommand } from "./envoy.ts";
import { keysCommand } from "./keys.ts";
import { serveCommand } from "./serve.ts";
import { statusCommand } from "./status.ts";
import { upCommand } from "./up.ts";

/** Every command of `sluice`. A new one is one file and one line here. */
export const COMMANDS: readonly Command[] = [
  upCommand,
  serveCommand,
  checkCommand,
  envoyCommand,
  keysCommand,
  statusCommand,
  auditCommand,
  approvalsCommand,
  budgetCommand,
];
