import { join } from "node:path";
import type { AuditEvent } from "../../core/record.ts";
import { linesForward, type RecordFile } from "./files.ts";
import { readEventLine } from "./record-line.ts";
import { columns, type Paint, shown } from "./words.ts";

export interface EventQuery {
  readonly dir: string;
  readonly files: ReadonlyMap<string, readonly RecordFile[]>;
  readonly sinceMs: number;
  readonly untilMs: number;
  /** How many of the latest; 0: all. */
  readonly limit: number;
  /** Only these tenants'; undefined: all. */
  readonly tenants: readonly string[] | undefined;
}

/** Events of all writers that match, oldest first. Few stand among the records, so all lines are looked at and few are parsed. */
export async function readEvents({ dir, files, sinceMs, untilMs, limit, tenants }: EventQuery): Promise<readonly AuditEvent[]> {
  const found: AuditEvent[] = [];
  for (const writer of files.values()) {
    for (const { name } of writer) {
      for await (const line of linesForward(join(dir, name))) {
        const event = readEventLine(line);
        if (event === undefined || (tenants !== undefined && !tenants.includes(event.tenant ?? ""))) continue;
        const at = Date.parse(event.time);
        if (at >= sinceMs && at < untilMs) found.push(event);
      }
    }
  }
  found.sort((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0));
  return limit === 0 ? found : found.slice(-limit);
}

const TITLES = ["TIME (UTC)", "EVENT", "TENANT", "SUBJECT", "BY", "DETAILS", "REASON"];

export function eventTable(events: readonly AuditEvent[], paint: Paint): string {
  const rows = events.map(({ time, event, tenant, subject, by, details, reason }) => [
    shown(time.slice(0, 19).replace("T", " ")),
    shown(event),
    shown(tenant ?? "-"),
    shown(subject),
    shown(by),
    shown(
      Object.entries(details ?? {})
        .map(([name, value]) => `${name}=${value}`)
        .join(" "),
    ),
    shown(reason ?? ""),
  ]);
  const [head = "", ...lines] = columns([TITLES, ...rows]);
  return `${paint.bold(head)}\n${lines.map((line) => `${line}\n`).join("")}`;
}
