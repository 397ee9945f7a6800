import type { Stats } from "node:fs";
import { type FileHandle, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LineSplitter, openIfThere, type RecordFile, recordFiles } from "./files.ts";

const POLL_MS = 200;
const CHUNK_BYTES = 256 * 1024;

/** Where reading of one writer stands. */
interface Place {
  readonly file: FileHandle;
  at: number;
  readonly splitter: LineSplitter;
}
interface Writer {
  place: Place | undefined;
  /** Files told, or older than the beginning: by identity, since a rotation renames them. */
  told: Set<string>;
}

/**
 * Stands at the end of all files at once. `lines` then gives what is written from that moment on, by all writers, those that
 * come later included. A file that is rotated away is read to its end first, then those rotated since, then the new one, so no
 * line is missed or told twice. It ends when the signal says so.
 */
export async function openFollower(dir: string): Promise<{ lines(signal: AbortSignal): AsyncGenerator<string> }> {
  const writers = new Map<string, Writer>();
  for (const [name, files] of (await recordFiles(dir)) ?? []) {
    const rotated = files.filter(({ stamp }) => stamp !== undefined);
    const told = new Set((await identified(dir, rotated)).map(({ identity }) => identity));
    const current = files.find(({ stamp }) => stamp === undefined);
    const place = current === undefined ? undefined : await openPlace(join(dir, current.name));
    if (place !== undefined) {
      // By the open file, since the name may already be another's.
      const facts = await place.file.stat();
      place.at = facts.size;
      told.add(identityOf(facts));
    }
    writers.set(name, { place, told });
  }
  return { lines: (signal) => follow(dir, writers, signal) };
}

async function* follow(dir: string, writers: Map<string, Writer>, signal: AbortSignal): AsyncGenerator<string> {
  try {
    while (!signal.aborted) {
      for (const [name, files] of (await recordFiles(dir)) ?? []) {
        const writer = writers.get(name) ?? { place: undefined, told: new Set<string>() };
        writers.set(name, writer);
        yield* readWriter(dir, files, writer);
      }
      await sleep(POLL_MS, undefined, { signal }).catch(() => {});
    }
  } finally {
    for (const { place } of writers.values()) await place?.file.close();
  }
}

async function* readWriter(dir: string, files: readonly RecordFile[], writer: Writer): AsyncGenerator<string> {
  const there = await identified(dir, files);
  // After the look at the folder: what has been rotated away by then is complete.
  if (writer.place !== undefined) yield* readOn(writer.place);
  for (const { path, identity } of there) {
    if (writer.told.has(identity)) continue;
    const place = await openPlace(path);
    if (place === undefined) continue;
    await writer.place?.file.close();
    writer.place = place;
    yield* readOn(place);
  }
  writer.told = new Set(there.map(({ identity }) => identity));
}

async function* readOn(place: Place): AsyncGenerator<string> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (;;) {
    const { bytesRead } = await place.file.read(buffer, 0, CHUNK_BYTES, place.at);
    if (bytesRead === 0) return;
    place.at += bytesRead;
    yield* place.splitter.push(buffer.subarray(0, bytesRead));
  }
}

/** Inode and birth: a rename keeps both, and a reused inode has another birth. */
const identityOf = ({ ino, birthtimeMs }: Stats): string => `${ino}:${birthtimeMs}`;

async function identified(
  dir: string,
  files: readonly RecordFile[],
): Promise<readonly { readonly path: string; readonly identity: string }[]> {
  const found = await Promise.all(
    files.map(async ({ name }) => {
      const path = join(dir, name);
      const facts = await stat(path).catch(() => undefined);
      return facts === undefined ? [] : [{ path, identity: identityOf(facts) }];
    }),
  );
  return found.flat();
}

async function openPlace(path: string): Promise<Place | undefined> {
  const file = await openIfThere(path);
  return file === undefined ? undefined : { file, at: 0, splitter: new LineSplitter() };
}
