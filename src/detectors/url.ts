import type { Detector, Finding, Found, ScanText } from "../core/detector.ts";
import { isAlnum } from "./shared/text.ts";
import { schemeStart, trimUrl, URL_CHARS_MAX, urlRunEnd, wordBefore } from "./shared/urls.ts";

/** URLs with a scheme and `://`, or from `www.` (RFC 3986), to the blank, quote or bracket that ends them. */
export const url: Detector = {
  entities: ["url"],
  class: "network",
  profile: "asked",
  lookBehind: 1,
  lengthMax: URL_CHARS_MAX,
  find,
};

function find({ folded, ended }: ScanText, from: number): Found {
  const findings: Finding[] = [];
  let least = from;
  const begins = /:\/\/|www\./gi;
  begins.lastIndex = from;
  for (let match = begins.exec(folded); match !== null; match = begins.exec(folded)) {
    const isWww = match[0] !== "://";
    const start = isWww ? match.index : schemeStart(folded, match.index, least);
    if (isWww ? isAlnum(folded.charCodeAt(start - 1)) : start === match.index) continue;
    const end = urlRunEnd(folded, start, match.index + match[0].length);
    if (end === folded.length && end - start < URL_CHARS_MAX && !ended) return { findings, open: start };
    const written = trimUrl(folded.slice(start, end));
    if (written.length <= match.index + match[0].length - start) continue;
    findings.push({ entity: "url", start, end: start + written.length, score: 1 });
    least = start + written.length;
    begins.lastIndex = least;
  }
  return { findings, open: ended ? folded.length : wordBefore(folded, least) };
}
