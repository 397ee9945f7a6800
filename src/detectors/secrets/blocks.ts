import { RANK_SHAPE, type Sink } from "./sink.ts";

/** Longest private key that is taken whole, in UTF-16 units: RSA of 16384 bits takes 12,900. */
export const BLOCK_CHARS_MAX = 16_384;

const HEAD_CHARS_MAX = 80;
/** Five dashes; SSH2 has four and a blank (RFC 4716). */
const HEAD_LINE = /^-{4,5} ?BEGIN (?:[A-Z0-9 ]{0,40} )?PRIVATE KEY(?: BLOCK)? ?-{4,5}/;
const HEAD_CUT = /^-{1,5}(?: ?(?:B|BE|BEG|BEGI|BEGIN(?: [A-Z0-9 ]*-*)?)?)?$/;
const FOOT_LINE = /^-{4,5} ?END [A-Z0-9 ]{0,60}-{4,5}/;
const FOOT_CUT = /^-{4,5}(?: ?(?:E|EN|END(?: [A-Z0-9 ]*-*)?)?)?$/;

/** PEM (RFC 7468), OpenSSH, PGP and SSH2 private keys: from BEGIN to END, or as far as lines look like key. `at` is the first dash. */
export function matchPem(sink: Sink, at: number): void {
  const { text } = sink;
  const line = text.slice(at, at + HEAD_CHARS_MAX);
  const head = HEAD_LINE.exec(line);
  if (head === null || at + head[0].length === text.length) {
    if (line.length < HEAD_CHARS_MAX && (head !== null || HEAD_CUT.test(line))) sink.pending(at);
    if (head === null) return;
  }
  const bodyStart = at + head[0].length;
  const bound = Math.min(text.length, at + BLOCK_CHARS_MAX);
  const dashes = text.slice(bodyStart, bound).indexOf("----");
  const bodyEnd = dashes === -1 ? bound : bodyStart + dashes;
  const body = text.slice(bodyStart, bodyEnd);
  const footLine = text.slice(bodyEnd, bodyEnd + HEAD_CHARS_MAX);
  const foot = FOOT_LINE.exec(footLine);
  if (
    bodyEnd === text.length ||
    (footLine.length < HEAD_CHARS_MAX && (FOOT_CUT.test(footLine) || bodyEnd + (foot?.[0].length ?? 0) === text.length))
  )
    sink.pending(at);
  if (foot !== null) {
    if (hasKey(body)) sink.take({ entity: "secret_private_key", start: at, end: bodyEnd + foot[0].length, score: 1, rank: RANK_SHAPE });
    return;
  }
  const key = keyLinesOf(body);
  if (key === "" && !/^\s*$/.test(body.slice(0, 2))) return;
  sink.take({ entity: "secret_private_key", start: at, end: bodyStart + key.length, score: key === "" ? 0.6 : 0.9, rank: RANK_SHAPE });
}

/** Whether what stands between the lines is more than an ellipsis. */
const hasKey = (body: string): boolean => body.replaceAll(/\\[nrt]|[^A-Za-z0-9+/]/g, "").length >= 24 && !/x{8}|\.{3}|…|<[a-z]/i.test(body);

/** The lines of a key without an end: base64 and headers. */
const keyLinesOf = (body: string): string =>
  /^(?:(?:\s|\\[nrt]|["'+,])*(?:[A-Za-z0-9+/=]{16,}|[A-Z][A-Za-z0-9-]{2,20}: [^\n\\]{0,80}))*/.exec(body)?.[0] ?? "";

const PUTTY = "PuTTY-User-Key-File-";

/** PuTTY's own format: from its first line to `Private-MAC`. */
export function matchPutty(sink: Sink, at: number): void {
  const { text } = sink;
  if (!text.startsWith(PUTTY, at)) {
    if (text.length - at < PUTTY.length && PUTTY.startsWith(text.slice(at))) sink.pending(at);
    return;
  }
  const line = text.slice(at, at + HEAD_CHARS_MAX);
  if (!/^PuTTY-User-Key-File-\d: ?[a-z0-9]/.test(line)) {
    if (line.length < PUTTY.length + 4) sink.pending(at);
    return;
  }
  const bound = Math.min(text.length, at + BLOCK_CHARS_MAX);
  const other = text.indexOf(PUTTY, at + 1);
  const key = text.slice(at, other === -1 ? bound : Math.min(other, bound));
  const mac = /Private-MAC: ?[0-9a-f]{40,64}(?![0-9a-f])/.exec(key);
  const isCut = other === -1 && at + BLOCK_CHARS_MAX > text.length;
  const end = mac === null ? at + (/^[^\n]{0,80}/.exec(key)?.[0].length ?? 0) : at + mac.index + mac[0].length;
  if (isCut && (mac === null || end === text.length)) sink.pending(at);
  // The next file's first line may be cut: then where this one ends is not known either.
  if (mac === null && !isCut && other === -1 && text.length < at + BLOCK_CHARS_MAX + PUTTY.length) sink.pending(at);
  sink.take({ entity: "secret_private_key", start: at, end, score: mac === null ? 0.7 : 1, rank: RANK_SHAPE });
}
