import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/**
 * Makes a folder and those above it that are missing; one that is there stays as it is. Throws Node's error with its code.
 *
 * Node's own recursive `mkdir` tries for ever, at full load, where a parent is there and still says ENOENT, as `/proc` does
 * (seen on Node 26). Here every folder is tried twice at most.
 */
export async function makeFolder(path: string, mode = 0o777): Promise<void> {
  const whole = resolve(path);
  try {
    await make(whole, mode);
  } catch (cause) {
    const parent = dirname(whole);
    if (codeOf(cause) !== "ENOENT" || parent === whole) throw cause;
    await makeFolder(parent, mode);
    await make(whole, mode);
  }
}

async function make(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (cause) {
    if (codeOf(cause) !== "EEXIST") throw cause;
    // Says whether it is a folder; it touches nothing.
    await mkdir(path, { recursive: true });
  }
}

const codeOf = (cause: unknown): unknown => (cause instanceof Error && "code" in cause ? cause.code : undefined);
