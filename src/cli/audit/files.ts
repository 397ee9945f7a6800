import { type FileHandle, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { MIB } from "../../core/limits.ts";

/** Longest line taken for a record; a longer one is skipped, so that a damaged file cannot fill the memory. */
export const LINE_BYTES_MAX = MIB;
const CHUNK_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

/** A records file of one writer. `stamp` is when it was rotated away; undefined: the one being written. */
export interface RecordFile {
  readonly writer: string;
  readonly name: string;
  readonly stamp: string | undefined;
}

/** Records files of a folder by writer, each writer's oldest first. undefined: there is no such folder. */
export async function recordFiles(dir: string): Promise<ReadonlyMap<string, readonly RecordFile[]> | undefined> {
  const writers = new Map<string, RecordFile[]>();
  let names: readonly string[];
  try {
    names = await readdir(dir);
  } catch {
    return undefined;
  }
  for (const name of names) {
    const [, writer, stamp] = /^records-(.+?)(?:-(\d{8}T\d{9}Z))?\.jsonl$/.exec(name) ?? [];
    if (writer === undefined) continue;
    const known = writers.get(writer);
    const file = { writer, name, stamp };
    if (known === undefined) writers.set(writer, [file]);
    else known.push(file);
  }
  // Stamps sort as text; the current file comes last.
  for (const files of writers.values()) files.sort((one, other) => ((one.stamp ?? "~") < (other.stamp ?? "~") ? -1 : 1));
  return writers;
}

/** Whole lines from the beginning. A last line without its end is left out: it is still being written, or was cut off. */
export async function* linesForward(path: string): AsyncGenerator<string> {
  const file = await openIfThere(path);
  if (file === undefined) return;
  try {
    const splitter = new LineSplitter();
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let at = 0; ; ) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield* splitter.push(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

/** Whole lines from the end, so that the latest of a large file are found at once. */
export async function* linesBackward(path: string): AsyncGenerator<string> {
  const file = await openIfThere(path);
  if (file === undefined) return;
  try {
    let { size: at } = await file.stat();
    /** Bytes between `at` and the first newline found, which belong to a line that begins before `at`. */
    let rest: Buffer[] = [];
    let restBytes = 0;
    let ended = false;
    while (at > 0) {
      const length = Math.min(CHUNK_BYTES, at);
      at -= length;
      const chunk = Buffer.allocUnsafe(length);
      const { bytesRead } = await file.read(chunk, 0, length, at);
      if (bytesRead < length) return;
      let end = length;
      for (let mark = chunk.lastIndexOf(NEWLINE); mark >= 0; mark = mark === 0 ? -1 : chunk.lastIndexOf(NEWLINE, mark - 1)) {
        // What stands behind the last newline of the file is no whole line.
        if (ended && restBytes + end - mark - 1 <= LINE_BYTES_MAX)
          yield Buffer.concat([chunk.subarray(mark + 1, end), ...rest]).toString("utf8");
        ended = true;
        rest = [];
        restBytes = 0;
        end = mark;
      }
      if (!ended) continue;
      restBytes += end;
      if (restBytes <= LINE_BYTES_MAX) rest.unshift(chunk.subarray(0, end));
      else rest = [];
    }
    if (ended && restBytes > 0 && restBytes <= LINE_BYTES_MAX) yield Buffer.concat(rest).toString("utf8");
  } finally {
    await file.close();
  }
}

/** Cuts bytes into lines; keeps what has no end yet, up to the longest line. */
export class LineSplitter {
  #rest: Buffer[] = [];
  #bytes = 0;
  #skipping = false;

  *push(chunk: Buffer): Generator<string> {
    let from = 0;
    for (let mark = chunk.indexOf(NEWLINE); mark >= 0; mark = chunk.indexOf(NEWLINE, from)) {
      const tail = chunk.subarray(from, mark);
      from = mark + 1;
      if (this.#skipping) this.#skipping = false;
      else if (tail.length > 0 || this.#bytes > 0)
        yield this.#bytes === 0 ? tail.toString("utf8") : Buffer.concat([...this.#rest, tail]).toString("utf8");
      this.#rest = [];
      this.#bytes = 0;
    }
    if (this.#skipping || from === chunk.length) return;
    this.#bytes += chunk.length - from;
    if (this.#bytes > LINE_BYTES_MAX) {
      this.#rest = [];
      this.#bytes = 0;
      this.#skipping = true;
    } else this.#rest.push(Buffer.from(chunk.subarray(from)));
  }
}

/** A file may be rotated away between the listing and the reading. */
export async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw cause;
  }
}

/** Open entries of exchanges under way (or of a crashed process), as lines. */
export async function* journalLines(dir: string): AsyncGenerator<string> {
  const names = await readdir(dir).catch(() => []);
  for (const name of names) if (/^open-.+\.jsonl$/.test(name)) yield* linesForward(join(dir, name));
}
