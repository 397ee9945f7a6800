import { fileKindOf } from "../../core/text-file.ts";

/**
 * Members that hold a file in base64. Their values are megabytes of nothing to read, so they are cut out before JSON is parsed:
 * native searches instead of a parse, memory for one copy of the rest.
 */
const MEMBERS: readonly string[] = ['"b64_json"', '"audio"'];
/** Shorter values are left for the parser, in characters. */
const SHORT = 1024;
/** So much of a value tells whether it is text, characters. */
const HEAD_CHARS = 4_096;
const BLANK: ReadonlySet<string> = new Set([" ", "\n", "\r", "\t"]);

/**
 * JSON text with its long base64 values emptied. A value with a backslash in it is no plain base64 and stays, so the rest means
 * the same in every case. Linear: each member name is searched from left to right once.
 */
export function withoutMedia(text: string): string {
  if (text.length <= SHORT) return text;
  let out = text;
  for (const name of MEMBERS) out = without(out, name);
  return out;
}

function without(text: string, name: string): string {
  const pieces: string[] = [];
  let from = 0;
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at)) {
    let start = at + name.length;
    while (BLANK.has(text.charAt(start))) start++;
    at = start;
    if (text.charAt(start) !== ":") continue;
    start++;
    while (BLANK.has(text.charAt(start))) start++;
    at = start;
    if (text.charAt(start) !== '"') continue;
    const end = text.indexOf('"', start + 1);
    if (end === -1) break;
    at = end;
    if (end - start <= SHORT || text.slice(start, end).includes("\\")) continue;
    // A picture that is a text (SVG) says something.
    if (fileKindOf(text.slice(start + 1, Math.min(end, start + HEAD_CHARS))) !== "media") continue;
    pieces.push(text.slice(from, start + 1));
    from = end;
  }
  return pieces.length === 0 ? text : pieces.join("") + text.slice(from);
}
