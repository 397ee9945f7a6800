import type { Detector, Finding, Found, ScanText } from "../core/detector.ts";
import { INVISIBLE, isAlnum, isDigit, isLetter } from "./shared/text.ts";

/** RFC 5321 section 4.5.3.1: 64 octets before the `@`; 253 for a domain name (RFC 1035 section 2.3.4, less the root). */
const LOCAL_MAX = 64;
const DOMAIN_MAX = 253;

/** Longest sign between them, with blanks about it. */
const SIGN_MAX = 10;

/**
 * E-mail addresses: a dot-atom (RFC 5322 section 3.2.3; ASCII, accented Latin, Greek and Cyrillic letters), `@`, and a domain name of two
 * labels or more whose last is letters only or punycode. Full-width signs count, and so do the ways in which `@` is written where the
 * sign itself cannot stand (URLs, HTML, JSON) or should not be read by machines (`[at]`, `[dot]`). Signs that an atom may
 * have, and that mostly part an address from what stands before it, do: `user=`, `?to=`, `/`, `|`. Names of pictures (`logo@2x.png`)
 * and of packages (`react@18.3.1`) are none. An address in a stream is open until its domain has ended.
 */
export const email: Detector = {
  entities: ["email"],
  class: "personal",
  profile: "standard",
  lookBehind: 1,
  lengthMax: LOCAL_MAX + SIGN_MAX + DOMAIN_MAX,
  find,
};

/** How `@` is written: itself; in URLs, and in URLs within them; in HTML; in JSON within text; for people. */
const SIGNS: readonly string[] = [
  ...["@", "%40", "%2540", "&#64;", "&#064;", "&#x40;", "&commat;", "\\u0040"],
  ...["[at]", "(at)", "{at}", "[AT]", "(AT)"],
];
const BEGINS = /[@%&\\[({]/;
const NONE: readonly Finding[] = [];
/** First signs of those that no local part has. */
const OPENS = "&\\[({";

function find({ folded, ended }: ScanText, from: number): Found {
  // Most pieces of a stream have none of the signs that one may begin with.
  if (!BEGINS.test(from === 0 ? folded : folded.slice(from)))
    return { findings: NONE, open: ended ? folded.length : wordFrom(folded, folded.length, from) };
  const findings: Finding[] = [];
  let least = from;
  const signs = new Signs(folded, from);
  for (let sign = signs.next(); sign !== undefined; sign = signs.next()) {
    const { at, isBracket } = sign;
    const isApart = isBracket && folded.charAt(at - 1) === " ";
    const before = isApart ? at - 1 : at;
    let start = localStart(folded, before, Math.min(least, before));
    if (isApart && !TELLS.test(folded.slice(start, before))) start = before;
    const behind = sign.end + (isBracket && folded.charAt(sign.end) === " " ? 1 : 0);
    const { run, ends, isOpen } = domainRun(folded, behind);
    if (isOpen && !ended && start < before) return { findings, open: start };
    const length = domainEnd(run);
    if (start < before && length > 0 && !NO_DOMAIN.test(run.slice(0, length))) {
      const end = ends === undefined ? behind + length : (ends[length - 1] ?? behind);
      findings.push({ entity: "email", start, end, score: 1 });
      least = end;
    } else least = sign.end;
  }
  return { findings, open: ended ? folded.length : openFrom(folded, least) };
}

interface Sign {
  readonly at: number;
  readonly end: number;
  readonly isBracket: boolean;
}

/** Places of signs, in order. Each kind is looked for only behind the last of its own: linear. */
class Signs {
  readonly #text: string;
  readonly #next: number[];

  constructor(text: string, from: number) {
    this.#text = text;
    this.#next = SIGNS.map((sign) => text.indexOf(sign, from));
  }

  next(): Sign | undefined {
    let first = -1;
    for (let kind = 0; kind < this.#next.length; kind += 1) {
      const at = this.#next[kind] ?? -1;
      if (at !== -1 && (first === -1 || at < (this.#next[first] ?? -1))) first = kind;
    }
    const [sign, at] = [SIGNS[first], this.#next[first]];
    if (sign === undefined || at === undefined) return undefined;
    this.#next[first] = this.#text.indexOf(sign, at + sign.length);
    return { at, end: at + sign.length, isBracket: sign.length === 4 && sign.charAt(1) !== "4" };
  }
}

/** What tells a local part from a word, where a blank stands before the sign: of prose no more than its last word is held. */
const TELLS = /[a-z0-9][._+][a-z0-9]|[a-z][0-9]/i;

/** Where an address may have begun that goes on behind the text: with its local part, a blank before a sign in brackets, and part of a sign. */
function openFrom(folded: string, least: number): number {
  let end = folded.length;
  for (let at = Math.max(least, end - SIGN_MAX); at < end; at += 1) {
    const rest = OPENS.includes(folded.charAt(at)) ? folded.slice(at) : "";
    if (rest !== "" && SIGNS.some((sign) => sign.startsWith(rest))) end = at;
  }
  return wordFrom(folded, end, least);
}

/** Where the local part begins that ends there, or before a blank; the end of the text where there is none. */
function wordFrom(folded: string, before: number, least: number): number {
  const isApart = before > least && folded.charCodeAt(before - 1) === BLANK;
  const end = isApart ? before - 1 : before;
  const start = runStart(folded, end, least);
  return start < end && (!isApart || TELLS.test(folded.slice(start, end))) ? start : folded.length;
}

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

interface DomainRun {
  /** With a dot for each that is written otherwise, and without what cannot be seen. */
  readonly run: string;
  /** Where each of its signs ends in the text; absent: they stand there one by one. */
  readonly ends?: readonly number[];
  /** More text may go on with it. */
  readonly isOpen: boolean;
}

/**
 * What a domain name may be made of. A label is of ASCII and accented Latin letters or of others, not of both: text without blanks may
 * follow an address.
 */
function domainRun(folded: string, from: number): DomainRun {
  const bound = Math.min(folded.length, from + DOMAIN_MAX);
  let plain = from;
  while (plain < bound && isDomain(folded.charCodeAt(plain))) plain += 1;
  if (plain < folded.length && !goesOn(folded, plain)) return { run: folded.slice(from, plain), isOpen: false };
  const ends: number[] = [];
  let run = "";
  let label: "latin" | "foreign" | undefined;
  let at = from;
  while (at < bound) {
    const code = folded.charCodeAt(at);
    const kind = isDomainLetter(code) ? "latin" : isForeign(code) ? "foreign" : undefined;
    let [sign, end] = [folded.charAt(at), at + 1];
    if (kind !== undefined) {
      if (label !== undefined && label !== kind) break;
      label = kind;
    } else if (code === INVISIBLE) sign = "";
    else if (code !== HYPHEN && code !== DOT && !isDigit(code)) {
      DOT_FOR_PEOPLE.lastIndex = at;
      const written = run === "" ? null : DOT_FOR_PEOPLE.exec(folded);
      if (written === null) break;
      [sign, end] = [".", at + written[0].length];
    }
    if (sign === ".") label = undefined;
    run += sign;
    if (sign !== "") ends.push(end);
    at = end;
  }
  return { run, ends, isOpen: at >= folded.length || (folded.length - at < DOT_MAX && PART_OF_DOT.test(folded.slice(at))) };
}
/** May a domain name go on with what stands here? */
function goesOn(folded: string, at: number): boolean {
  const code = folded.charCodeAt(at);
  if (code === BLANK) return at + 1 === folded.length || BRACKETS.includes(folded.charAt(at + 1));
  return code === INVISIBLE || isForeign(code) || BRACKETS.includes(folded.charAt(at));
}
const BLANK = 32;
const BRACKETS = "[({";
const DOT_FOR_PEOPLE = / ?[[({](?:dot|\.)[\])}] ?/iy;
/** Longest of these. */
const DOT_MAX = 7;
const PART_OF_DOT = /^ ?(?:[[({](?:d|do|dot|\.)?)?$/i;
const HYPHEN = 45;
const DOT = 46;

/** Length of the longest domain name that a run of its characters begins with; 0 where there is none. */
function domainEnd(run: string): number {
  let [end, labels, from] = [0, 0, 0];
  let wasForeign = false;
  while (from < run.length) {
    const dot = run.indexOf(".", from);
    const to = dot === -1 ? run.length : dot;
    const label = run.slice(from, to);
    if (!LABEL.test(label)) break;
    labels += 1;
    if (labels > 1 && (TOP.test(label) || (FOREIGN_TOP.test(label) && wasForeign))) end = to;
    wasForeign = FOREIGN_TOP.test(label);
    from = to + 1;
  }
  if (end > 0) return end;
  // A last label that goes on with what is none of it: `example.com-`, `example.com--more`.
  const last = /^[a-z]{2,63}(?=-)/i.exec(run.slice(from));
  return labels > 0 && last !== null ? from + last[0].length : 0;
}
const LABEL = /^(?!-)[a-z0-9\u00c0-\u024f\u0370-\u1fff\u3040-\ud7a3-]{1,63}(?<!-)$/i;
/** Below a label of such letters too: a dot before a word of another script ends a sentence. */
const FOREIGN_TOP = /^[\u0370-\u1fff\u3040-\ud7a3]{2,63}$/;
const TOP = /^(?:[a-z\u00c0-\u024f]{2,63}|xn--[a-z0-9-]+)$/i;

/** `logo@2x.png`, and versions of packages. */
const NO_DOMAIN = /^(?:[0-9]x\.(?:png|jpe?g|gif|webp|svg|avif)|[0-9]+\.[0-9]+\..*)$/i;

const isAccented = (code: number): boolean => code >= 0xc0 && code <= 0x24f && code !== 0xd7 && code !== 0xf7;
const isCyrillicOrGreek = (code: number): boolean => code >= 0x370 && code <= 0x52f;
/** Letters of scripts without an ASCII form, up to Hangul. */
const isForeign = (code: number): boolean => (code >= 0x370 && code <= 0x1fff) || (code >= 0x3040 && code <= 0xd7a3);
const isLocalEdge = (code: number): boolean => isAlnum(code) || isAccented(code) || code === 95 || code === 43 || isCyrillicOrGreek(code);
/** atext of RFC 5322 without what parts values in URLs, paths, templates and tables; the dot; accents by themselves, and what cannot be seen. */
const isLocal = (code: number): boolean =>
  isLocalEdge(code) || (code < 128 ? (ATEXT[code] ?? 0) === 1 : code === INVISIBLE || (code >= 0x300 && code <= 0x36f));
const ATEXT = Uint8Array.from({ length: 128 }, (_, code) => ("!#$%'*-=~.".includes(String.fromCharCode(code)) ? 1 : 0));
const isDomainLetter = (code: number): boolean => isLetter(code) || isAccented(code);
const isDomain = (code: number): boolean => isAlnum(code) || isAccented(code) || code === HYPHEN || code === DOT;
