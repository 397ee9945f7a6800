import type { Command } from "./command.ts";

/** How `sluice` knows a command. What it needs is loaded when it is called: a health check does not pay for a server. */
export interface CommandEntry {
  readonly name: string;
  /** One line for `sluice help`. */
  readonly summary: string;
  load(): Promise<Command>;
}

/** Every command of `sluice`. A new one is one file and one entry here. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "up",
    summary: "run Sluice with an Envoy on this machine, to try it",
    load: async () => (await import("./up.ts")).upCommand,
  },
  {
    name: "serve",
    summary: "run the ext_proc server that Envoy calls",
    load: async () => (await import("./serve.ts")).serveCommand,
  },
  {
    name: "check",
    summary: "find every mistake of a policy, or explain where its settings come from",
    load: async () => (await import("./check.ts")).checkCommand,
  },
  {
    name: "envoy",
    summary: "render Envoy's configuration from the policy",
    load: async () => (await import("./envoy.ts")).envoyCommand,
  },
  {
    name: "keys",
    summary: "make, list, revoke and rotate the API keys of a policy",
    load: async () => (await import("./keys.ts")).keysCommand,
  },
  {
    name: "status",
    summary: "ask running processes: policy in force, health, exchanges",
    load: async () => (await import("./status.ts")).statusCommand,
  },
  {
    name: "audit",
    summary: "query the records: list, follow, one decision chain, totals",
    load: async () => (await import("./audit.ts")).auditCommand,
  },
  {
    name: "approvals",
    summary: "decide on tool calls that wait for people: list, show, approve, reject",
    load: async () => (await import("./approvals.ts")).approvalsCommand,
  },
  {
    name: "budget",
    summary: "what is spent, held and left; grant, reset, freeze, thaw",
    load: async () => (await import("./budget.ts")).budgetCommand,
  },
];
