/**
 * Files of one writer in the audit folder: `records-<writer>.jsonl`, its rotated predecessors
 * `records-<writer>-<stamp>.jsonl`, the journal of open entries `open-<writer>.jsonl` and `lock-<writer>.db`.
 */
const STAMP = /^\d{8}T\d{9}Z$/;

/** `20261124T025240123Z`: UTC to the millisecond; sorts as text in the order of time. */
export function stampOf(wallMs: number): string {
  return new Date(wallMs).toISOString().replaceAll(/[-:.]/g, "");
}

/** The time of a stamp; 0 when it is none. */
export function wallMsOf(stamp: string): number {
  const parts = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\d{3})Z$/.exec(stamp)?.slice(1) ?? [];
  const [year, month, day, hour, minute, second, ms] = parts.map(Number);
  return Date.UTC(year ?? 1970, (month ?? 1) - 1, day ?? 1, hour ?? 0, minute ?? 0, second ?? 0, ms ?? 0);
}

/** A writer's name goes into file names, and must not look like one with a stamp. */
export function isWriterId(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text) && !/(?:^|-)\d{8}T\d{9}Z$/.test(text);
}

export const recordsName = (writerId: string): string => `records-${writerId}.jsonl`;
export const rotatedName = (writerId: string, stamp: string): string => `records-${writerId}-${stamp}.jsonl`;
export const journalName = (writerId: string): string => `open-${writerId}.jsonl`;
export const lockName = (writerId: string): string => `lock-${writerId}.db`;

/** Stamps of a writer's rotated files among `names`, oldest first. */
export function rotatedStamps(names: readonly string[], writerId: string): readonly string[] {
  const prefix = `records-${writerId}-`;
  return names
    .filter((name) => name.startsWith(prefix) && name.endsWith(".jsonl"))
    .map((name) => name.slice(prefix.length, -".jsonl".length))
    .filter((stamp) => STAMP.test(stamp))
    .sort();
}

/** Writers that left a journal of open entries. */
export function journalWriters(names: readonly string[]): readonly string[] {
  return names.flatMap((name) => {
    const writerId = /^open-(.+)\.jsonl$/.exec(name)?.[1];
    return writerId !== undefined && isWriterId(writerId) ? [writerId] : [];
  });
}
