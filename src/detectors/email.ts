import type { Detector, Finding, Found, ScanText } from "../core/detector.ts";
import { isAlnum } from "./shared/text.ts";

/** RFC 5321 section 4.5.3.1: 64 octets before the `@`; 253 for a domain name (RFC 1035 section 2.3.4, less the root). */
const LOCAL_MAX = 64;
const DOMAIN_MAX = 253;

/**
 * E-mail addresses: a dot-atom (RFC 5322 section 3.2.3; ASCII and accented Latin letters), `@`, and a domain name of two labels or more
 * whose last is letters only or punycode. Full-width signs count, and so does `%40`, as addresses stand in URLs. Signs that an atom may
 * have, and that mostly part an address from what stands before it, do: `user=`, `?to=`, `/`, `|`. Names of pictures (`logo@2x.png`)
 * and of packages (`react@18.3.1`) are none. An address in a stream is open until its domain has ended.
 */
export const email: Detector = {
  entities: ["email"],
  class: "personal",
  profile: "standard",
  needs: "at",
  lookBehind: 1,
  lengthMax: LOCAL_MAX + 1 + DOMAIN_MAX,
  find,
};

function find({ folded, ended }: ScanText, from: number): Found {
  const findings: Finding[] = [];
  let least = from;
  const signs = new Signs(folded, from);
  for (let at = signs.next(); at !== undefined; at = signs.next()) {
    const start = localStart(folded, at, least);
    const behind = at + (folded.charCodeAt(at) === PERCENT ? 3 : 1);
    const runEnd = domainRunEnd(folded, behind);
    if (runEnd === folded.length && !ended && start < at) return { findings, open: start };
    const run = folded.slice(behind, runEnd);
    const end = domainEnd(run);
    if (start < at && end > 0 && !NO_DOMAIN.test(run.slice(0, end))) {
      findings.push({ entity: "email", start, end: behind + end, score: 1 });
      least = behind + end;
    } else least = behind;
  }
  return { findings, open: ended ? folded.length : runStart(folded, folded.length, least) };
}

/** Places of `@` and `%40`, in order. Each is looked for only behind the last of its own: linear. */
class Signs {
  readonly #text: string;
  #at: number;
  #encoded: number;

  constructor(text: string, from: number) {
    this.#text = text;
    this.#at = text.indexOf("@", from);
    this.#encoded = text.indexOf("%40", from);
  }

  next(): number | undefined {
    const [at, encoded] = [this.#at, this.#encoded];
    if (at === -1 && encoded === -1) return undefined;
    if (encoded === -1 || (at !== -1 && at < encoded)) {
      this.#at = this.#text.indexOf("@", at + 1);
      return at;
    }
    this.#encoded = this.#text.indexOf("%40", encoded + 3);
    return encoded;
  }
}
const PERCENT = 37;

/** Start of the signs that a local part may have and that end at `at`; an escape that is not whole yet is among them. */
function runStart(folded: string, at: number, least: number): number {
  const bound = Math.max(least, at - LOCAL_MAX);
  let start = at;
  while (start > bound && isLocal(folded.charCodeAt(start - 1))) start -= 1;
  return start;
}

/**
 * Start of the local part that ends at `at`, at or after `least`. An equals sign parts it from what stands before (`email=`), unless the
 * address is one of those that have the receiver's in them (`bounce+ann=example.com@...`); so does what else is percent-encoded than
 * the signs of an atom.
 */
function localStart(folded: string, at: number, least: number): number {
  let start = runStart(folded, at, least);
  if (start < at) start += partedAt(folded.slice(start, at));
  // The letter of an escape, where JSON or code is quoted in a text: `\nann@example.com`.
  if (start + 1 < at && start > 0 && folded.charCodeAt(start - 1) === BACKSLASH && ESCAPES.includes(folded.charAt(start))) start += 1;
  while (start < at && !isLocalEdge(folded.charCodeAt(start))) start += 1;
  return start;
}
const BACKSLASH = 92;
const ESCAPES = "nrt";

/** Length of what stands in a run before the address. */
function partedAt(run: string): number {
  let from = 0;
  for (let at = run.indexOf("%"); at !== -1; at = run.indexOf("%", at + 1)) if (ENCODED.test(run.slice(at, at + 3))) from = at + 3;
  const plus = run.indexOf("+", from);
  const equals = run.lastIndexOf("=", plus === -1 ? run.length : plus);
  return Math.max(from, equals + 1);
}
const ENCODED = /^%(?!2[bde]|5f)[0-9a-f]{2}$/i;

function domainRunEnd(folded: string, from: number): number {
  const bound = Math.min(folded.length, from + DOMAIN_MAX);
  let end = from;
  while (end < bound && isDomain(folded.charCodeAt(end))) end += 1;
  return end;
}

/** Length of the longest domain name that a run of its characters begins with; 0 where there is none. */
function domainEnd(run: string): number {
  let [end, labels, from] = [0, 0, 0];
  while (from < run.length) {
    const dot = run.indexOf(".", from);
    const to = dot === -1 ? run.length : dot;
    const label = run.slice(from, to);
    if (!LABEL.test(label)) break;
    labels += 1;
    if (labels > 1 && TOP.test(label)) end = to;
    from = to + 1;
  }
  if (end > 0) return end;
  // A last label that goes on with what is none of it: `example.com-`, `example.com--more`.
  const last = /^[a-z]{2,63}(?=-)/i.exec(run.slice(from));
  return labels > 0 && last !== null ? from + last[0].length : 0;
}
const LABEL = /^(?!-)[a-z0-9\u00c0-\u024f-]{1,63}(?<!-)$/i;
const TOP = /^(?:[a-z\u00c0-\u024f]{2,63}|xn--[a-z0-9-]+)$/i;

/** `logo@2x.png`, and versions of packages. */
const NO_DOMAIN = /^(?:[0-9]x\.(?:png|jpe?g|gif|webp|svg|avif)|[0-9]+\.[0-9]+\..*)$/i;

const isAccented = (code: number): boolean => code >= 0xc0 && code <= 0x24f && code !== 0xd7 && code !== 0xf7;
const isLocalEdge = (code: number): boolean => isAlnum(code) || isAccented(code) || code === 95 || code === 43;
/** atext of RFC 5322 without what parts values in URLs, paths, templates and tables; and the dot. */
const isLocal = (code: number): boolean => isLocalEdge(code) || (code < 128 && (ATEXT[code] ?? 0) === 1);
const ATEXT = Uint8Array.from({ length: 128 }, (_, code) => ("!#$%'*-=~.".includes(String.fromCharCode(code)) ? 1 : 0));
const isDomain = (code: number): boolean => isAlnum(code) || isAccented(code) || code === 45 || code === 46;
