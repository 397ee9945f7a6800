import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import type { PortError } from "../../core/stage.ts";

export interface DatabaseOptions {
  /** Folder of the file; made where it is not there. */
  readonly dir: string;
  readonly name: string;
  /** Statements that make an empty file version 1; they end with `PRAGMA user_version = 1`. */
  readonly schema: string;
  /** What brings a file of version 1, 2 ... one version further, each ending with its own `PRAGMA user_version`. */
  readonly upgrades?: readonly string[];
  /** full: each commit is on the disk. normal: a power cut may lose the last moments, a crash of the process nothing. */
  readonly synchronous: "full" | "normal";
  /** Wait for another process's lock once it is open, milliseconds; the event loop stands still so long. */
  readonly busyMs: number;
}

/** Wait for another process's lock at the start, milliseconds. */
const OPEN_BUSY_MS = 5_000;
const BUSY_PAUSE_MS = 5;

/** One file that the processes of a host share (WAL), at the latest version. Throws where it cannot be used, or is of a later one. */
export async function openDatabase({ dir, name, schema, upgrades = [], synchronous, busyMs }: DatabaseOptions): Promise<DatabaseSync> {
  await mkdir(dir, { recursive: true });
  const database = new DatabaseSync(join(dir, name), { timeout: OPEN_BUSY_MS });
  try {
    await useJournal(database);
    database.exec(`PRAGMA synchronous = ${synchronous.toUpperCase()}; BEGIN IMMEDIATE;`);
    const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
    const steps = [schema, ...upgrades];
    if (version > steps.length) throw new Error(`${name} has version ${version}, which this program does not know`);
    database.exec(`${steps.slice(version).join("")} COMMIT; PRAGMA busy_timeout = ${busyMs};`);
    return database;
  } catch (cause) {
    database.close();
    throw cause;
  }
}

/** Where two bring a new file to WAL at once, SQLite does not wait but says at once that it is busy to one of them. */
async function useJournal(database: DatabaseSync): Promise<void> {
  for (const endMs = performance.now() + OPEN_BUSY_MS; ; await sleep(BUSY_PAUSE_MS)) {
    try {
      return database.exec("PRAGMA journal_mode = WAL;");
    } catch (cause) {
      if (!isBusy(cause) || performance.now() >= endMs) throw cause;
    }
  }
}

/** Statements by their text, each prepared once. For the program's own texts alone: their number bounds what is kept. */
export class Statements {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** The statement of this text. A text made anew at each call is hashed anew: keep those with something put in as constants. */
  of(sql: string): StatementSync {
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    const made = this.#database.prepare(sql);
    this.#prepared.set(sql, made);
    return made;
  }
}

/** SQLite's result codes: https://www.sqlite.org/rescode.html; the lower byte is the primary code. */
const primaryCode = (cause: unknown): number | undefined =>
  cause instanceof Error && "errcode" in cause && typeof cause.errcode === "number" ? cause.errcode & 0xff : undefined;
/** Another process has the file for a moment. */
export const isBusy = (cause: unknown): boolean => [5, 6].includes(primaryCode(cause) ?? 0);
export const codeOf = (cause: unknown): PortError["code"] => ([11, 26].includes(primaryCode(cause) ?? 0) ? "corrupt" : "unavailable");
