import { runStart, SLUG_DOT } from "./alphabets.ts";
import { decoded } from "./checks.ts";
import { isPlaceholder } from "./randomness.ts";
import { RANK_CONTEXT, type Sink } from "./sink.ts";
import { readValue } from "./values.ts";

/** How far from the value `kind: Secret` may stand, in UTF-16 units, on either side. */
const MANIFEST_CHARS_MAX = 300;

/** The values of a Kubernetes Secret: base64 under `data:`. `at` is the colon behind a key. */
export function matchManifest(sink: Sink, at: number): void {
  const { text } = sink;
  if (text.charAt(at + 1) !== " ") return;
  const nameStart = runStart(text, at, SLUG_DOT, at - 65);
  if (nameStart === at || !/[ \t"']/.test(text.charAt(nameStart - 1))) return;
  const before = text.slice(Math.max(0, at - MANIFEST_CHARS_MAX), at);
  if (!before.includes("data:") || !/(?:^|\n)[ \t]{1,16}["']?$/.test(before.slice(0, before.length - (at - nameStart)).slice(-20))) return;
  let from = at + 2;
  const block = /^(?:\||>)[-+]?\n[ \t]{0,8}/.exec(text.slice(from, from + 16));
  if (block !== null) from += block[0].length;
  const value = readValue(sink, from);
  if (value === undefined) return;
  const coded = text.slice(value.start, value.end);
  if (!/^[A-Za-z0-9+/]{10,}={0,2}$/.test(coded) || isPlaceholder(coded) || decoded(coded) === undefined) return;
  const kind = /\bkind:[ \t]*["']?secret\b/i;
  const part = before.slice(before.lastIndexOf("\n---") + 1);
  if (!kind.test(part)) {
    const behind = text.slice(value.end, value.end + MANIFEST_CHARS_MAX);
    if (value.end + MANIFEST_CHARS_MAX > text.length) sink.pending(value.start);
    const cut = behind.indexOf("\n---");
    if (!kind.test(cut === -1 ? behind : behind.slice(0, cut))) return;
  }
  sink.take({ entity: "secret_generic", start: value.start, end: value.end, score: 0.9, rank: RANK_CONTEXT });
}
