import type { Detector, Finding, Found, ScanText } from "../core/detector.ts";
import { isAlnum } from "./shared/text.ts";

/** RFC 5321 section 4.5.3.1: 64 octets before the `@`; 253 for a domain name (RFC 1035 section 2.3.4, less the root). */
const LOCAL_MAX = 64;
const DOMAIN_MAX = 253;

/**
 * E-mail addresses: a dot-atom (RFC 5322 section 3.2.3; ASCII and accented Latin letters), `@`, and a domain name of two labels or more
 * whose last is letters only or punycode. Full-width signs count. An address in a stream is open until its domain has ended.
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
  for (let at = folded.indexOf("@", from); at !== -1; at = folded.indexOf("@", at + 1)) {
    const start = localStart(folded, at, least);
    const runEnd = domainRunEnd(folded, at + 1);
    if (runEnd === folded.length && !ended && start < at) return { findings, open: start };
    const end = domainEnd(folded.slice(at + 1, runEnd));
    if (start < at && end > 0) {
      findings.push({ entity: "email", start, end: at + 1 + end, score: 1 });
      least = at + 1 + end;
    } else least = at + 1;
  }
  return { findings, open: ended ? folded.length : localStart(folded, folded.length, least) };
}

/** Start of the local part that ends at `at`, at or after `least`. */
function localStart(folded: string, at: number, least: number): number {
  const bound = Math.max(least, at - LOCAL_MAX);
  let start = at;
  while (start > bound && isLocal(folded.charCodeAt(start - 1))) start -= 1;
  while (start < at && !isLocalEdge(folded.charCodeAt(start))) start += 1;
  return start;
}

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

const isAccented = (code: number): boolean => code >= 0xc0 && code <= 0x24f && code !== 0xd7 && code !== 0xf7;
const isLocalEdge = (code: number): boolean => isAlnum(code) || isAccented(code) || code === 95 || code === 43;
/** atext of RFC 5322, and the dot. */
const isLocal = (code: number): boolean => isLocalEdge(code) || (code < 128 && (ATEXT[code] ?? 0) === 1);
const ATEXT = Uint8Array.from({ length: 128 }, (_, code) => ("!#$%&'*-/=?^`{|}~.".includes(String.fromCharCode(code)) ? 1 : 0));
const isDomain = (code: number): boolean => isAlnum(code) || isAccented(code) || code === 45 || code === 46;
