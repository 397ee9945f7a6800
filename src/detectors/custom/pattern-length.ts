import { err, ok, type Result } from "../../core/result.ts";

/**
 * Longest text, in UTF-16 units, that a pattern in RE2 syntax can match; an error where there is no bound (`*`, `+`, `{2,}`) or where it has
 * something that is not read here. It never says too little: a class counts two units, as it may hold characters beyond the basic plane.
 */
export function patternLength(pattern: string): Result<number, string> {
  const reader: Reader = { pattern, at: 0, problem: undefined };
  const length = alternatives(reader, 0);
  if (reader.problem !== undefined) return err(reader.problem);
  return reader.at < pattern.length ? err("a bracket is closed that was not opened") : ok(length);
}

interface Reader {
  readonly pattern: string;
  at: number;
  problem: string | undefined;
}

const DEPTH_MAX = 32;

function alternatives(reader: Reader, depth: number): number {
  if (depth > DEPTH_MAX) return failed(reader, "brackets are nested too deep");
  let longest = sequence(reader, depth);
  while (reader.problem === undefined && peek(reader) === "|") {
    reader.at += 1;
    longest = Math.max(longest, sequence(reader, depth));
  }
  return longest;
}

function sequence(reader: Reader, depth: number): number {
  let length = 0;
  while (reader.problem === undefined && reader.at < reader.pattern.length && !"|)".includes(peek(reader)))
    length += part(reader, depth) * times(reader);
  return length;
}

function part(reader: Reader, depth: number): number {
  const sign = peek(reader);
  reader.at += 1;
  if (sign === "(") return group(reader, depth);
  if (sign === "[") return classOf(reader);
  if (sign === "\\") return escaped(reader);
  if (sign === "^" || sign === "$") return 0;
  return 2;
}

function group(reader: Reader, depth: number): number {
  const opening = /^\?(?:P?<\w+>|[ims]{0,3}(?:-[ims]{1,3})?:)/.exec(reader.pattern.slice(reader.at));
  if (opening !== null) reader.at += opening[0].length;
  else if (peek(reader) === "?") return failed(reader, "looking ahead or behind, and flags without a group, are not possible");
  const length = alternatives(reader, depth + 1);
  if (peek(reader) !== ")") return failed(reader, "a bracket is not closed");
  reader.at += 1;
  return length;
}

function classOf(reader: Reader): number {
  const rest = /^\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]/su.exec(reader.pattern.slice(reader.at));
  if (rest === null) return failed(reader, "a class is not closed");
  reader.at += rest[0].length;
  return 2;
}

function escaped(reader: Reader): number {
  const rest = reader.pattern.slice(reader.at);
  const long = /^(?:[pP](?:\{[^}]*\}|.)|x(?:\{[0-9A-Fa-f]+\}|[0-9A-Fa-f]{2}))/.exec(rest);
  if (rest === "" || /^[QEC0-9]/.test(rest)) return failed(reader, "this escape is not possible");
  reader.at += long?.[0].length ?? 1;
  return /^[bBAz]/.test(rest) ? 0 : 2;
}

/** How often at most. */
function times(reader: Reader): number {
  const found = /^(?:\{([0-9]{1,4})(,?)([0-9]{0,4})\}|[*+?])/.exec(reader.pattern.slice(reader.at));
  if (found === null) return 1;
  reader.at += found[0].length;
  if ("?+".includes(peek(reader)) && peek(reader) !== "") reader.at += 1;
  if (found[0] === "?") return 1;
  const most = found[2] === "," ? found[3] : found[1];
  return most === undefined || most === ""
    ? failed(reader, "`*`, `+` and `{2,}` have no end: say how many at most, as in `{0,40}`")
    : Number(most);
}

function failed(reader: Reader, problem: string): number {
  reader.problem ??= problem;
  return 0;
}
const peek = (reader: Reader): string => reader.pattern.charAt(reader.at);
