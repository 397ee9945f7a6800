import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { lockName } from "./names.ts";

/** Gives the name back. */
export interface WriterLock {
  release(): void;
}
/** undefined: another process (or another adapter of this one) is that writer. Throws when the folder cannot be written. */
export type AcquireLock = (dir: string, writerId: string) => WriterLock | undefined;

/** Primary result code of SQLite: somebody else holds the lock. */
const SQLITE_BUSY = 5;

/**
 * Makes this process the one writer of its name, until `release` or death. The lock is the operating system's own file
 * lock, held by an empty SQLite database: the kernel lets go of it when the process dies, so none is ever stale. A file
 * with a process id would need to be judged, and is misjudged in containers, where a new process gets the old one's id.
 */
export const acquireLock: AcquireLock = (dir, writerId) => {
  const database = new DatabaseSync(join(dir, lockName(writerId)));
  try {
    database.exec("BEGIN EXCLUSIVE");
    return { release: () => database.close() };
  } catch (error) {
    database.close();
    if (error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY) return undefined;
    throw error;
  }
};
