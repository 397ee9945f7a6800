/** What a command may touch, so that tests can give it other streams. */
export interface CommandIo {
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/**
 * One command of `sluice`. Exit codes: 0 done; 1 the thing checked or run failed; 2 the call's words are wrong.
 * Errors go to stderr as one line that says what, where and what to do; results go to stdout, `--json` for machines.
 */
export interface Command {
  /** The whole manual, printed by `sluice NAME --help`. */
  readonly help: string;
  run(args: readonly string[], io: CommandIo): Promise<number>;
}

/** What is wrong with a command's words, in one line: what `parseArgs` threw. */
export const usageProblem = (cause: unknown): string =>
  cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : "unusable arguments";
