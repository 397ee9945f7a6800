import type { Detector, Finding, Found, ScanText } from "../core/detector.ts";
import { schemeStart, trimUrl, URL_CHARS_MAX, urlRunEnd, wordBefore } from "./shared/urls.ts";

/** Longest user name and password that are looked for, in UTF-16 units. */
const USERINFO_CHARS_MAX = 512;

/** URLs that carry a name and a password, `scheme://name:password@host` (RFC 3986 section 3.2.1), whole. A place for a password (`<password>`, `${VAR}`, `***`) is none. */
export const urlWithCredentials: Detector = {
  entities: ["url_with_credentials"],
  class: "secret",
  profile: "standard",
  needs: "colon",
  lookBehind: 1,
  lengthMax: URL_CHARS_MAX,
  find,
};

function find({ folded, ended }: ScanText, from: number): Found {
  const findings: Finding[] = [];
  let least = from;
  for (let at = folded.indexOf("://", from); at !== -1; at = folded.indexOf("://", Math.max(at + 3, least))) {
    const start = schemeStart(folded, at, least);
    const info = userinfoEnd(folded, at + 3);
    if (start === at) continue;
    if (info === folded.length && !ended && info - at - 3 < USERINFO_CHARS_MAX) return { findings, open: start };
    if (folded.charAt(info) !== "@" || !isSecret(folded.slice(at + 3, info))) continue;
    const end = urlRunEnd(folded, start, info + 1);
    if (end === folded.length && end - start < URL_CHARS_MAX && !ended) return { findings, open: start };
    const written = trimUrl(folded.slice(start, end));
    if (start + written.length <= info + 1) continue;
    findings.push({ entity: "url_with_credentials", start, end: start + written.length, score: 1 });
    least = start + written.length;
  }
  return { findings, open: ended ? folded.length : wordBefore(folded, least) };
}

/** The `@`, or the first sign that user information cannot have. */
function userinfoEnd(folded: string, from: number): number {
  const bound = Math.min(folded.length, from + USERINFO_CHARS_MAX);
  let end = from;
  while (end < bound && !' \t\r\n/?#"<>`@'.includes(folded.charAt(end))) end += 1;
  return end;
}

function isSecret(userinfo: string): boolean {
  const password = userinfo.slice(userinfo.indexOf(":") + 1);
  return userinfo.includes(":") && password !== "" && !PLACE.test(password);
}
const PLACE = /^(?:\$\{?\w+\}?|\{+\w+\}+|\[\w+\]|%\w+%|\*+|x+|\.+)$/i;
