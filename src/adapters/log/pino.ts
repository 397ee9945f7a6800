import { pino } from "pino";
import type { Log } from "../../ports/log.ts";

export interface LogOptions {
  /** debug, info, warn, error or silent; anything else is info. */
  readonly level: string;
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Colours, where the stream is a terminal. */
  readonly color: boolean;
}

const LEVELS = ["debug", "info", "warn", "error", "silent"];
/** Second line of defence: fields by these names never show, whoever passes them, at the top or one below. */
const SECRET_FIELDS = [
  ...["authorization", "apiKey", "key", "secret", "token", "cookie", "password", "body", "content", "text", "prompt", "messages"],
  ...['["x-api-key"]', '["api-key"]', '["x-goog-api-key"]', '["proxy-authorization"]', '["set-cookie"]'],
].flatMap((name) => (name.startsWith("[") ? [name, `*${name}`] : [name, `*.${name}`]));
/** Members that every entry has; a field of such a name would stand beside it. */
const RESERVED = ["event", "level", "time", "pid"];

/** pino as JSON lines; on a terminal one readable line each. */
export function openLog(options: LogOptions): Log {
  const level = LEVELS.includes(options.level) ? options.level : "info";
  const terminal = options.stream.isTTY === true;
  const stream = terminal ? { write: (line: string) => void options.stream.write(readable(line, options.color)) } : options.stream;
  const logger = pino(
    { level, base: { pid: process.pid }, redact: { paths: SECRET_FIELDS, censor: "(withheld)" }, serializers: { cause: describeCause } },
    { write: (line: string) => void stream.write(line) },
  );
  const at =
    (name: "debug" | "info" | "warn" | "error") =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}): void =>
      logger[name](ownFields(event, fields));
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function ownFields(event: string, fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(fields).map(([name, value]) => [RESERVED.includes(name) ? `_${name}` : name, value]);
  return { event, ...Object.fromEntries(entries) };
}

/** An error without its message, which may quote what was being read: name, code and frames tell where. */
function describeCause(cause: unknown): unknown {
  if (!(cause instanceof Error)) return typeof cause;
  const frames = (cause.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  const code = "code" in cause && typeof cause.code === "string" ? { code: cause.code } : {};
  return { name: cause.name, ...code, at: frames.slice(0, 12).map((frame) => frame.trim()) };
}

/** Plain words as they are; anything else quoted, so that no value can break the line or speak to the terminal. */
function readableValue(value: unknown): string {
  if (typeof value === "string" && /^[\x21-\x7e]+$/.test(value) && !value.startsWith('"')) return value;
  // JSON escapes the controls below a space; a terminal also obeys those from 7f to 9f.
  return JSON.stringify(value)?.replaceAll(/[\x7f-\x9f]/g, "?") ?? "undefined";
}

const COLORS: Readonly<Record<number, string>> = { 20: "\x1b[2m", 30: "\x1b[36m", 40: "\x1b[33m", 50: "\x1b[31m" };
const NAMES: Readonly<Record<number, string>> = { 20: "debug", 30: "info", 40: "warn", 50: "error" };

function readable(line: string, color: boolean): string {
  const entry: unknown = JSON.parse(line);
  if (typeof entry !== "object" || entry === null || !("level" in entry) || typeof entry.level !== "number") return line;
  const { level } = entry;
  const time = "time" in entry ? entry.time : undefined;
  const event = "event" in entry ? entry.event : "";
  const shown = Object.entries(entry).filter(([name]) => !["level", "time", "event", "pid"].includes(name));
  const rest = shown.map(([name, value]) => `${name}=${readableValue(value)}`).join(" ");
  const label = (NAMES[level] ?? "info").padEnd(5);
  const when = typeof time === "number" ? new Date(time).toISOString().slice(11, 23) : "";
  return `${when} ${color ? `${COLORS[level] ?? ""}${label}\x1b[0m` : label} ${String(event)} ${rest}\n`;
}
