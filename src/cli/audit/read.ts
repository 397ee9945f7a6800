import { join } from "node:path";
import { linesBackward, linesForward, type RecordFile } from "./files.ts";
import type { RecordFilter } from "./filter.ts";
import { endedMs, isEventLine, type RecordLine, readRecordLine } from "./record-line.ts";

/** Counts lines that are no records: torn by a crash, or foreign. */
export interface Skipped {
  lines: number;
}

export interface ReadOptions {
  readonly dir: string;
  readonly files: ReadonlyMap<string, readonly RecordFile[]>;
  readonly filter: RecordFilter;
  readonly newestFirst: boolean;
  readonly skipped: Skipped;
}

/** Records of all writers that match, merged in the order they ended; one record a writer is in memory. */
export async function* readRecords(options: ReadOptions): AsyncGenerator<RecordLine> {
  const heads: { next: RecordLine; readonly source: AsyncGenerator<RecordLine> }[] = [];
  try {
    for (const files of options.files.values()) {
      const source = writerRecords(files, options);
      const first = await source.next();
      if (first.done !== true) heads.push({ next: first.value, source });
    }
    const sign = options.newestFirst ? -1 : 1;
    for (;;) {
      let chosen = heads[0];
      if (chosen === undefined) return;
      for (const head of heads) if (sign * (endedMs(head.next.record) - endedMs(chosen.next.record)) < 0) chosen = head;
      yield chosen.next;
      const following = await chosen.source.next();
      if (following.done === true) heads.splice(heads.indexOf(chosen), 1);
      else chosen.next = following.value;
    }
  } finally {
    for (const { source } of heads) await source.return(undefined);
  }
}

async function* writerRecords(files: readonly RecordFile[], options: ReadOptions): AsyncGenerator<RecordLine> {
  const { dir, filter, newestFirst, skipped } = options;
  for (const file of newestFirst ? files.toReversed() : files) {
    // Nothing in a file is younger than its rotation.
    if (file.stamp !== undefined && stampMs(file.stamp) < filter.sinceMs) continue;
    const path = join(dir, file.name);
    for await (const line of newestFirst ? linesBackward(path) : linesForward(path)) {
      const found = matching(line, filter, skipped);
      if (found !== undefined) yield { record: found, line };
    }
  }
}

/** The record of a line, if it is one that matches. */
export function matching(line: string, filter: RecordFilter, skipped: Skipped) {
  // Our own lines have no blanks between key and value, so a text that must be there is looked for before anything is parsed.
  if (line.startsWith('{"v":1,"id":"') && line.endsWith("}") && !filter.needles.every((needle) => line.includes(needle))) return undefined;
  const record = readRecordLine(line);
  if (record === undefined) {
    if (line !== "" && !isEventLine(line)) skipped.lines += 1;
    return undefined;
  }
  return filter.matches(record) ? record : undefined;
}

function stampMs(stamp: string): number {
  const iso = stamp.replace(/^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\d{3})Z$/, "$1-$2-$3T$4:$5:$6.$7Z");
  return Date.parse(iso);
}
