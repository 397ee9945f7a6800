import type { Detector, Found, ScanText } from "../../core/detector.ts";
import { detectorsOf } from "../../detectors/index.ts";
import { isAllowed } from "../shared/hosts.ts";
import { FoundSearch } from "./found.ts";
import type { Search } from "./rule.ts";

/** Longest link of an unusual form, UTF-16 units. */
const LINK_CHARS_MAX = 2048;
/** What stands between addresses; a backslash does not, as browsers take it for a slash. */
const BETWEEN_SIGNS = "\\s\"'<>()[\\]{}`|=";
const BETWEEN = new RegExp(`[${BETWEEN_SIGNS}]`);
/** What ends an address. */
const ENDS = /[\s"'<>()[\]{}`]/;
/** Slashes as browsers, Markdown and JSON read them (WHATWG URL, special schemes; CommonMark 6.2, entities; RFC 8259, escapes). */
const SLASH = "(?:\\\\u00(?:2f|5c)|[/\\\\]|&(?:sol|bsol|#0*(?:47|92)|#x0*(?:2f|5c));?)";
const COLON = "(?:\\\\?:|&(?:colon|#0*58|#x0*3a);?)";
/** `//host`, `\\host`, and a scheme with any number of slashes: `https:host`, `http:/host`. */
const BEGINNING = new RegExp(`^(?:(?:https?|wss?|ftp)${COLON}${SLASH}*|${SLASH}{2})`, "i");
/** Where one begins. Sought by the engine: most texts have none, and a look at each word costs ten times as much. */
const BEGINS = new RegExp(`(?<=^|[${BETWEEN_SIGNS}])(?:(?:https?|wss?|ftp)${COLON}|${SLASH}{2})`, "gi");
/** What may still become one. */
const MAY_BEGIN = /^(?:h(?:t(?:t(?:ps?)?)?)?|w(?:ss?)?|f(?:tp?)?|(?:https?|wss?|ftp)(?:\\|&[#\w]*)|[/\\&][/\\&#\w;]{0,24})$/i;
/** Something that is found on the internet: a name with a dot, or an address in numbers. */
const HOST = /^(?:[^/\\?#@:]*@)?(?:\[|[0-9]{7}|0x|[\p{L}\p{N}_-]+(?:\.|\u3002|%2e|[^/\\?#]*@))/iu;

/**
 * Links that browsers follow although they are not written as such: without a scheme, with one slash or none, with backslashes, or with
 * signs as entities. Where an address may begin: behind a blank, a quote, a bracket.
 */
const unusual: Detector = {
  entities: ["url"],
  class: "network",
  profile: "asked",
  lookBehind: 1,
  lengthMax: LINK_CHARS_MAX,
  find: ({ text, ended }: ScanText, from: number): Found => {
    const findings = [];
    BEGINS.lastIndex = from;
    for (let match = BEGINS.exec(text); match !== null; match = BEGINS.exec(text)) {
      const start = match.index;
      let end = start;
      while (end < text.length && end - start < LINK_CHARS_MAX && !BETWEEN.test(text.charAt(end))) end += 1;
      const [beginning = ""] = BEGINNING.exec(text.slice(start, end)) ?? [];
      while (end < text.length && end - start < LINK_CHARS_MAX && !ENDS.test(text.charAt(end))) end += 1;
      if (!ended && end === text.length && end - start < LINK_CHARS_MAX) return { findings, open: start };
      if (!/^[a-z]+:\/\/$/i.test(beginning) && HOST.test(text.slice(start + beginning.length, end)))
        findings.push({ entity: "url", start, end, score: 1 });
      BEGINS.lastIndex = Math.max(end, start + 1);
    }
    return { findings, open: ended ? text.length : lastBeginning(text, from) };
  },
};

/** Where the last word begins that may still become a link; the end of the text where it may not. */
function lastBeginning(text: string, from: number): number {
  let start = text.length;
  while (start > 0 && text.length - start < LINK_CHARS_MAX && !BETWEEN.test(text.charAt(start - 1))) start -= 1;
  const whole = text.length - start < LINK_CHARS_MAX;
  return whole && start >= from && MAY_BEGIN.test(text.slice(start)) ? start : text.length;
}

/** Where the value of an attribute of HTML begins. */
const QUOTED = /(?<==\s?)["']/g;
/** What browsers take out of an address (WHATWG URL 4.4): anywhere, and in front. */
const TAKEN_OUT = /[\t\r\n]/g;
const IN_FRONT = /^[\0-\x20]+/;

/** The address that a value is, or begins to be. */
const unbroken = (value: string): string => value.replaceAll(TAKEN_OUT, "").replace(IN_FRONT, "");

/** Links in an attribute that are broken by tabs and line ends, which browsers do not see: `src="https:/<line end>/host"`. */
const broken: Detector = {
  entities: ["url"],
  class: "network",
  profile: "asked",
  lookBehind: 2,
  lengthMax: LINK_CHARS_MAX,
  find: ({ text, ended }: ScanText, from: number): Found => {
    const findings = [];
    QUOTED.lastIndex = from;
    for (let match = QUOTED.exec(text); match !== null; match = QUOTED.exec(text)) {
      const start = match.index + 1;
      const closing = text.indexOf(match[0], start);
      const end = Math.min(closing < 0 ? text.length : closing, start + LINK_CHARS_MAX - 1);
      const value = text.slice(start, end);
      const address = unbroken(value);
      const [beginning] = BEGINNING.exec(address) ?? [];
      const mayGrow = closing < 0 && !ended && end === text.length;
      if (mayGrow && (address === "" || beginning !== undefined || MAY_BEGIN.test(address))) return { findings, open: match.index };
      if (beginning === undefined || value.search(TAKEN_OUT) < 0) continue;
      if (HOST.test(address.slice(beginning.length))) findings.push({ entity: "url", start, end, score: 1 });
      QUOTED.lastIndex = Math.max(end, start);
    }
    return { findings, open: text.length };
  },
};

/** As a browser reads it. */
function plain(written: string): string {
  const [beginning] = BEGINNING.exec(written) ?? [];
  if (beginning === undefined || beginning.endsWith("://")) return written;
  const [scheme] = /^[a-z]+(?=[:&])/i.exec(beginning) ?? [];
  return `${scheme ?? "https"}://${written.slice(beginning.length)}`;
}

/** A backslash before a sign is that sign in Markdown (CommonMark 2.4), and a slash for browsers: the host counts as either reads it. */
const ESCAPED = /\\(?=[!-/:-@[-`{-~])/g;

/** Hosts that links may name; `inner`: and the addresses within them. */
export interface LinkRule {
  readonly allow: readonly string[];
  readonly inner: "pass" | "check";
}

/** Is the host allowed, however the link is read? */
function isLinkAllowed(found: string, { allow, inner }: LinkRule): boolean {
  const written = unbroken(found);
  if (!isAllowed(plain(written), allow)) return false;
  const unescaped = written.includes("\\") ? written.replaceAll(ESCAPED, "") : written;
  if (unescaped !== written && !isAllowed(plain(unescaped), allow)) return false;
  return inner === "pass" || innerOf(written).every((address) => isAllowed(plain(address), allow));
}

/** How often the rest of a link is decoded: what forwards may itself be forwarded to. */
const DECODED_MAX = 4;
/** Where an address may begin within a link. */
const INNER = new RegExp(`(?:(?:https?|wss?|ftp)${COLON}|(?<=[=,;:?&#@|/])${SLASH}{2})`, "gi");

/** Addresses within a link, behind its own host, escaped or not: `https://host/forward?to=https%3A%2F%2Fother`. */
function innerOf(link: string): readonly string[] {
  const own = BEGINNING.exec(link)?.[0].length ?? 0;
  const found: string[] = [];
  let rest = link.slice(own);
  for (let times = 0; times < DECODED_MAX; times++) {
    for (const { index } of rest.matchAll(INNER)) {
      const [address = ""] = rest.slice(index).split(/[&\s"'<>`]/, 1);
      const [beginning = ""] = BEGINNING.exec(address) ?? [];
      if (HOST.test(address.slice(beginning.length))) found.push(address);
    }
    const decoded = rest.replaceAll(/%[0-9a-f]{2}/gi, (sign) => String.fromCharCode(Number.parseInt(sign.slice(1), 16)));
    if (decoded === rest) break;
    rest = decoded;
  }
  return found;
}

/** One list for all answers: what a scan needs of its detectors is made once for each list. */
const LINKS: readonly Detector[] = [...detectorsOf(new Set(["url"])), unusual, broken];

/** Finds links whose host is not on the list. */
export const urlSearch = (rule: LinkRule): Search => new FoundSearch(LINKS, (_finding, written) => !isLinkAllowed(written, rule));
