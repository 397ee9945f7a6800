/**
 * The process's own log: fixed event names, fields of numbers and names. Never content, never a secret. A `cause` is logged as
 * the error's name and stack frames, without its message, which may quote what was being read.
 */
export interface Log {
  debug(event: string, fields?: Readonly<Record<string, unknown>>): void;
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}
