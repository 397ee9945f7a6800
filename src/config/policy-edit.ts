import { open, realpath, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { err, ok, type Result } from "../core/result.ts";
import type { StageDefinition } from "../core/stage.ts";
import { checkPolicy, type LoadedPolicy, type PolicyFile, policyFolder, readPolicyFiles } from "./load.ts";
import { formatProblem } from "./problems.ts";
import { setInYaml, type YamlSet } from "./yaml-splice.ts";

/** How long an edit waits for another to finish, milliseconds. An edit takes a few. */
const LOCK_WAIT_MS = 10_000;

/** What to change in which file; `value` is handed back once it is on disk. */
export interface PolicyChange<T> {
  /** As `LoadedPolicy.files` names it; a new file of the folder is made. */
  readonly file: string;
  readonly value: T;
  readonly sets: readonly YamlSet[];
}

/**
 * Changes one file of a policy: under a lock, so that edits at the same time all arrive; comments kept; the new policy checked
 * before it replaces the old one in a single rename; mode and owner kept. Errors are one line for the caller to show.
 */
export async function editPolicy<T>(
  path: string,
  stages: readonly StageDefinition[],
  decide: (loaded: LoadedPolicy) => Result<PolicyChange<T>, string>,
): Promise<Result<T, string>> {
  const lock = await takeLock(path);
  if (!lock.ok) return lock;
  try {
    const read = await readPolicyFiles(path);
    if (!read.ok) return err(formatProblem(read.error));
    const folder = await policyFolder(path);
    const loaded = checkPolicy(read.value, stages, { folder });
    if (!loaded.ok)
      return err(
        `the policy has mistakes, correct them first: ${loaded.error
          .filter(({ severity }) => severity === "error")
          .slice(0, 3)
          .map(formatProblem)
          .join(" | ")}`,
      );
    const change = decide(loaded.value);
    if (!change.ok) return change;
    const edited = editedFile(read.value, change.value);
    const files = [...read.value.filter(({ file }) => file !== edited.file), edited].sort((a, b) => (a.file < b.file ? -1 : 1));
    const after = checkPolicy(files, stages, { folder });
    if (!after.ok)
      return err(`the edit would break the policy, so nothing was changed: ${after.error.slice(0, 3).map(formatProblem).join(" | ")}`);
    await replaceFile(edited);
    return ok(change.value.value);
  } catch (error) {
    return err(
      `the policy could not be changed (${error instanceof Error && "code" in error ? String(error.code) : "unknown error"}): check the permissions of ${path}`,
    );
  } finally {
    await lock.value();
  }
}

function editedFile<T>(files: readonly PolicyFile[], change: PolicyChange<T>): PolicyFile {
  const old = files.find(({ file }) => file === change.file);
  const text =
    old === undefined
      ? "# API keys, kept by `sluice keys`: hashes only, the keys themselves are nowhere.\n"
      : new TextDecoder().decode(old.bytes);
  return { file: change.file, bytes: new TextEncoder().encode(setInYaml(text, change.sets)) };
}

async function replaceFile({ file, bytes }: PolicyFile): Promise<void> {
  const old = await stat(file).catch(() => undefined);
  // Through links: a policy is often linked into place, and the link should stay.
  const target = old === undefined ? file : await realpath(file);
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.${Date.now()}.tmp`);
  const handle = await open(temporary, "wx", old === undefined ? 0o644 : old.mode & 0o7777);
  try {
    if (old !== undefined) {
      await handle.chmod(old.mode & 0o7777);
      // Only root may give files away; for everybody else the file is theirs already, or stays theirs.
      await handle.chown(old.uid, old.gid).catch(() => undefined);
    }
    await handle.writeFile(bytes);
    await handle.sync();
    await handle.close();
    await rename(temporary, target);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

/** Takes the policy's lock file; gives back what releases it. A lock left by a killed process is named, never broken: two that break it at once would lose an edit. */
async function takeLock(path: string): Promise<Result<() => Promise<void>, string>> {
  const target = await realpath(path).catch(() => undefined);
  if (target === undefined) return err(`${path}: the policy cannot be read. Check the path and its permissions`);
  const file = (await stat(target)).isDirectory() ? join(target, ".sluice.lock") : join(dirname(target), `.${basename(target)}.lock`);
  const deadlineMs = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      const handle = await open(file, "wx", 0o644);
      await handle.writeFile(`${process.pid}\n`);
      await handle.close();
      return ok(() => unlink(file).catch(() => undefined));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
      if (code !== "EEXIST") return err(`${dirname(file)} cannot be written (${code}): run this as the owner of the policy`);
      if (performance.now() > deadlineMs)
        return err(`${file} is held by another \`sluice keys\`; if none is running, remove that file and try again`);
      await sleep(10 + Math.random() * 30);
    }
  }
}
