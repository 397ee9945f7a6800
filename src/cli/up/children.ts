import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** One process of the three that `sluice up` runs. */
export interface Child {
  readonly name: string;
  readonly process: ChildProcess;
  /** Resolves when it has ended, with how: `exit code 1`, `SIGKILL`. */
  readonly ended: Promise<string>;
  readonly running: () => boolean;
  /** SIGTERM, and SIGKILL when it takes longer than this. */
  stop(waitMs: number): Promise<void>;
}

export interface ChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: "ignore" | "pipe" | number;
  readonly stderr: "inherit" | number;
}

const SETPRIV = ["/usr/bin/setpriv", "/bin/setpriv"];

/**
 * Starts a process in a session of its own, so that Ctrl-C reaches only `sluice up`, which then ends the others in order.
 * Where `setpriv` (util-linux) is there, the kernel ends the process when `sluice up` is killed.
 */
export function startChild(options: ChildOptions): Child {
  const setpriv = SETPRIV.find((path) => existsSync(path));
  const [command, args] =
    setpriv === undefined ? [options.command, options.args] : [setpriv, ["--pdeathsig", "TERM", "--", options.command, ...options.args]];
  const child = spawn(command, args, { detached: true, env: { ...options.env }, stdio: ["ignore", options.stdout, options.stderr] });
  const running = (): boolean => child.exitCode === null && child.signalCode === null && child.pid !== undefined;
  const ended = new Promise<string>((resolve) => {
    child.once("error", (cause) => resolve(cause.message));
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  return {
    name: options.name,
    process: child,
    ended,
    running,
    stop: async (waitMs) => {
      if (!running()) return;
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), waitMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** Asks until the answer is yes, the process has ended or the time is over. */
export async function waitUntil(child: Child, waitMs: number, ask: () => Promise<boolean>): Promise<boolean> {
  for (const endMs = performance.now() + waitMs; performance.now() < endMs && child.running(); ) {
    if (await ask().catch(() => false)) return true;
    await sleep(50);
  }
  return false;
}

export async function answersOk(url: string): Promise<boolean> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await answer.arrayBuffer();
  return answer.ok;
}
