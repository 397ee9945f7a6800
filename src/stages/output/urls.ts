import type { Detector, Found, ScanText } from "../../core/detector.ts";
import { detectorsOf } from "../../detectors/index.ts";
import { isAllowed } from "../shared/hosts.ts";
import { FoundSearch } from "./found.ts";
import type { Search } from "./rule.ts";

/** Longest link of an unusual form, UTF-16 units. */
const LINK_CHARS_MAX = 2048;
/** What stands between addresses; a backslash does not, as browsers take it for a slash. */
const BETWEEN = /[\s"'<>()[\]{}`|=]/;
/** What ends an address. */
const ENDS = /[\s"'<>()[\]{}`]/;
/** Slashes as browsers and Markdown read them (WHATWG URL, special schemes; CommonMark 6.2, entities). */
const SLASH = "(?:[/\\\\]|&(?:sol|bsol|#0*(?:47|92)|#x0*(?:2f|5c));?)";
const COLON = "(?::|&(?:colon|#0*58|#x0*3a);?)";
/** `//host`, `\\host`, and a scheme with any number of slashes: `https:host`, `http:/host`. */
const BEGINNING = new RegExp(`^(?:(?:https?|wss?|ftp)${COLON}${SLASH}*|${SLASH}{2})`, "i");
/** What may still become one. */
const MAY_BEGIN = /^(?:h(?:t(?:t(?:ps?)?)?)?|w(?:ss?)?|f(?:tp?)?|(?:https?|wss?|ftp)&[#\w]*|[/\\&][/\\&#\w;]{0,24})$/i;
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
    let start = from;
    // A word that began before was looked at then.
    if (from > 0 && !BETWEEN.test(text.charAt(from - 1))) while (start < text.length && !BETWEEN.test(text.charAt(start))) start += 1;
    while (start < text.length) {
      if (BETWEEN.test(text.charAt(start))) {
        start += 1;
        continue;
      }
      let end = start;
      while (end < text.length && end - start < LINK_CHARS_MAX && !BETWEEN.test(text.charAt(end))) end += 1;
      const [beginning] = BEGINNING.exec(text.slice(start, end)) ?? [];
      if (beginning !== undefined) while (end < text.length && end - start < LINK_CHARS_MAX && !ENDS.test(text.charAt(end))) end += 1;
      const word = text.slice(start, end);
      const open = end === text.length && end - start < LINK_CHARS_MAX && !ended;
      if (open && (beginning !== undefined || MAY_BEGIN.test(word))) return { findings, open: start };
      if (beginning !== undefined && !/^[a-z]+:\/\/$/i.test(beginning) && HOST.test(word.slice(beginning.length)))
        findings.push({ entity: "url", start, end, score: 1 });
      start = end;
      while (start < text.length && !BETWEEN.test(text.charAt(start))) start += 1;
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

/** One list for all answers: what a scan needs of its detectors is made once for each list. */
const LINKS: readonly Detector[] = [...detectorsOf(new Set(["url"])), unusual];

/** Finds links whose host is not on the list. */
export const urlSearch = (allow: readonly string[]): Search =>
  new FoundSearch(LINKS, (_finding, written) => !isAllowed(plain(written), allow));
