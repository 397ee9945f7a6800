import type { AuditEvent, ExchangeRecord } from "../../core/record.ts";

/** A record with the line it stands in, as it was written. */
export interface RecordLine {
  readonly record: ExchangeRecord;
  readonly line: string;
}

/** undefined: a torn line, or one that is no record. What is checked is what every reader here relies on. */
export function readRecordLine(line: string): ExchangeRecord | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

type Loose = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Loose => typeof value === "object" && value !== null && !Array.isArray(value);
const TEXTS = ["id", "time", "method", "path", "decision", "ending"];

function isRecord(value: unknown): value is ExchangeRecord {
  if (!isObject(value) || !TEXTS.every((name) => typeof value[name] === "string")) return false;
  const { stages, ms, bytes, digests, usage, cost, target, answer, policy, credential, trace, code } = value;
  if (!Array.isArray(stages) || !stages.every((stage) => isObject(stage) && typeof stage["stage"] === "string")) return false;
  if (!isObject(ms) || typeof ms["total"] !== "number" || typeof ms["sidecar"] !== "number" || !isObject(bytes) || !isObject(digests))
    return false;
  if (code !== undefined && typeof code !== "string") return false;
  if (cost !== undefined && !(isObject(cost) && typeof cost["nanoUsd"] === "number")) return false;
  return [usage, target, answer, policy, credential, trace].every((part) => part === undefined || isObject(part));
}

/** Is the line an event? Cheap, from its beginning: our own lines have no blanks between key and value. */
export const isEventLine = (line: string): boolean => line.startsWith('{"v":1,"event":"');

/** undefined: a torn line, or one that is no event. */
export function readEventLine(line: string): AuditEvent | undefined {
  if (!isEventLine(line)) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return isEvent(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
const EVENT_TEXTS = ["event", "id", "time", "by", "subject"];
const isEvent = (value: unknown): value is AuditEvent =>
  isObject(value) &&
  EVENT_TEXTS.every((name) => typeof value[name] === "string") &&
  (value["details"] === undefined || isObject(value["details"]));

/** When the exchange ended, wall milliseconds: the order in which records are written. */
export const endedMs = (record: ExchangeRecord): number => Date.parse(record.time) + record.ms.total;
