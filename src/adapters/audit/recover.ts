import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ExchangeRecord, OpenEntry, PolicyRef } from "../../core/record.ts";
import type { OpenedFile } from "./line-file.ts";
import { journalName, recordsName, rotatedName, rotatedStamps } from "./names.ts";

const NEWLINE = 0x0a;
/** What a crashed exchange's record says of why. */
const CRASHED_REASON = "the gateway process ended while this exchange was open";

/**
 * Starts a journal anew with the entries that are still open, in one step: whoever reads it sees the old or the new one.
 * Records of its entries stand in the current file, or in one rotated at `began` (a stamp) or later.
 */
export async function startJournal(dir: string, writerId: string, began: string, lines: readonly string[]): Promise<OpenedFile> {
  const path = join(dir, journalName(writerId));
  const draft = `${path}.new`;
  await rm(draft, { force: true });
  const file = await openAppend(draft);
  try {
    const text = [JSON.stringify({ journal: 1, began }), ...lines, ""].join("\n");
    await file.appendFile(text);
    await rename(draft, path);
    return { file, size: Buffer.byteLength(text) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Opens for appending, private to the user that runs the gateway. */
export function openAppend(path: string): Promise<FileHandle> {
  return open(path, constants.O_APPEND | constants.O_CREAT | constants.O_RDWR, 0o600);
}

/**
 * Ends the last line of a file that a crash cut off. The fragment stays, on a line of its own: a shipper that follows
 * the file must never see it shrink. Gives the file's size.
 */
export async function repairTail(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  if (size === 0) return 0;
  const last = Buffer.alloc(1);
  await file.read(last, 0, 1, size - 1);
  if (last[0] === NEWLINE) return size;
  await file.appendFile("\n");
  return size + 1;
}

/**
 * Turns what a dead writer left open into records that end `crashed`, appended to that writer's records and synced, then
 * removes its journal. Safe to repeat: a run that was itself cut short finds its own records. The caller holds the
 * writer's lock. Gives the number of records made.
 */
export async function recoverWriter(dir: string, writerId: string): Promise<number> {
  const path = join(dir, journalName(writerId));
  const left = await readJournal(path);
  if (left === undefined) return 0;
  if (left.entries.size > 0) await forgetRecorded(dir, writerId, left);
  if (left.entries.size > 0) await appendCrashed(join(dir, recordsName(writerId)), [...left.entries.values()]);
  await rm(path, { force: true });
  return left.entries.size;
}

interface Journal {
  readonly began: string;
  readonly entries: Map<string, OpenEntry>;
}

async function readJournal(path: string): Promise<Journal | undefined> {
  let began = "";
  const entries = new Map<string, OpenEntry>();
  const found = await eachLine(path, (line) => {
    const value = parseObject(line);
    if (value === undefined) return;
    if (value["journal"] === 1) began = textOf(value, "began") ?? "";
    const entry = readOpenEntry(value);
    if (entry !== undefined) entries.set(entry.id, entry);
  });
  return found ? { began, entries } : undefined;
}

async function forgetRecorded(dir: string, writerId: string, left: Journal): Promise<void> {
  const rotated = rotatedStamps(await readdir(dir), writerId).filter((stamp) => stamp >= left.began);
  const names = [recordsName(writerId), ...rotated.map((stamp) => rotatedName(writerId, stamp))];
  for (const name of names) {
    await eachLine(join(dir, name), (line) => {
      const id = recordId(line);
      if (id !== undefined) left.entries.delete(id);
    });
  }
}

/** The usual record starts with its version and id; anything else is parsed whole. */
function recordId(line: string): string | undefined {
  const quick = /^\{"v":1,"id":"([^"\\]{1,256})",.*\}$/.exec(line)?.[1];
  if (quick !== undefined) return quick;
  const value = parseObject(line);
  return value === undefined ? undefined : textOf(value, "id");
}

async function appendCrashed(path: string, entries: readonly OpenEntry[]): Promise<void> {
  const file = await openAppend(path);
  try {
    await repairTail(file);
    await file.appendFile(entries.map((entry) => `${JSON.stringify(crashedRecord(entry))}\n`).join(""));
    await file.datasync();
  } finally {
    await file.close();
  }
}

function crashedRecord(entry: OpenEntry): ExchangeRecord {
  return {
    v: 1,
    id: entry.id,
    time: entry.time,
    ...(entry.requestId !== undefined && { requestId: entry.requestId }),
    tenant: entry.tenant,
    app: entry.app,
    ...(entry.useCase !== undefined && { useCase: entry.useCase }),
    method: entry.method ?? "",
    path: entry.path ?? "",
    surface: entry.surface,
    policy: entry.policy,
    stages: [],
    decision: "allowed",
    reason: CRASHED_REASON,
    ...(entry.model !== undefined && { model: entry.model }),
    ...(entry.provider !== undefined && {
      target: { provider: entry.provider, model: entry.providerModel ?? entry.model ?? "", cluster: entry.cluster ?? "" },
    }),
    ending: "crashed",
    ms: { total: 0, sidecar: 0 },
    bytes: { request: 0, answer: 0 },
    digests: {},
  };
}

type Fields = Readonly<Record<string, unknown>>;

function readOpenEntry(value: Fields): OpenEntry | undefined {
  const id = textOf(value, "id");
  const time = textOf(value, "time");
  const tenant = textOf(value, "tenant");
  const app = textOf(value, "app");
  const surface = textOf(value, "surface");
  const policy = readPolicy(value["policy"]);
  if (
    id === undefined ||
    time === undefined ||
    tenant === undefined ||
    app === undefined ||
    surface === undefined ||
    policy === undefined
  ) {
    return undefined;
  }
  return { id, time, tenant, app, surface, policy, ...optionalTexts(value) };
}

const OPTIONAL = ["useCase", "provider", "model", "providerModel", "cluster", "requestId", "method", "path"] as const;

function optionalTexts(value: Fields): Partial<Record<(typeof OPTIONAL)[number], string>> {
  const found: Partial<Record<(typeof OPTIONAL)[number], string>> = {};
  for (const key of OPTIONAL) {
    const text = textOf(value, key);
    if (text !== undefined) found[key] = text;
  }
  return found;
}

function readPolicy(value: unknown): PolicyRef | undefined {
  if (!isFields(value)) return undefined;
  const name = textOf(value, "name");
  const version = textOf(value, "version");
  const hash = textOf(value, "hash");
  return name === undefined || version === undefined || hash === undefined ? undefined : { name, version, hash };
}

function textOf(value: Fields, key: string): string | undefined {
  const found = value[key];
  return typeof found === "string" ? found : undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** undefined for a torn or foreign line. */
function parseObject(line: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** False when there is no such file. */
async function eachLine(path: string, take: (line: string) => void): Promise<boolean> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
  for await (const line of file.readLines()) take(line);
  return true;
}
