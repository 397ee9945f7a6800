import type { Detector, Finding, Found, ScanText } from "../core/detector.ts";
import { BEFORE_CHARS, before, words } from "./shared/context.ts";
import { isAlnum, isDigit, isLetter } from "./shared/text.ts";

/** An IPv6 address with an IPv4 tail: `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`. */
const LENGTH_MAX = 45;

/**
 * IPv4 addresses (four numbers to 255, without leading zeros) and IPv6 addresses (RFC 4291 section 2.2). Versions, section numbers and
 * times are none: no word of version before it, more than single digits or a word of networks near. Port, prefix length and zone stay.
 */
export const ipAddress: Detector = {
  entities: ["ip_address"],
  class: "network",
  profile: "strict",
  needs: "digit",
  lookBehind: BEFORE_CHARS,
  lengthMax: LENGTH_MAX,
  find,
};

/** Candidates are the longest runs of hexadecimal digits, `.` and `:`, from the first of them that has one of the two signs. */
function find({ unescaped: text }: ScanText, from: number): Found {
  const { folded, ended } = text;
  const findings: Finding[] = [];
  let open = folded.length;
  let stop = indexFrom(folded, ".", from);
  let colon = indexFrom(folded, ":", from);
  while (stop < folded.length || colon < folded.length) {
    const sign = Math.min(stop, colon);
    let next = sign + 1;
    if (isInAddress(folded, sign)) {
      const [start, end] = [runStart(folded, sign), runEnd(folded, sign)];
      next = Math.max(end, next);
      if (start >= from && end - start <= LENGTH_MAX + 2) {
        if (end >= folded.length - 1 && !ended) {
          open = start;
          break;
        }
        const address = addressIn(text, start, end);
        if (address !== undefined) findings.push({ entity: "ip_address", start: address.start, end: address.end, score: 0.95 });
      }
    }
    if (stop < next) stop = indexFrom(folded, ".", next);
    if (colon < next) colon = indexFrom(folded, ":", next);
  }
  if (ended) return { findings, open: folded.length };
  const tail = runStart(folded, folded.length);
  return {
    findings,
    open: open < folded.length || folded.length - tail > LENGTH_MAX + 2 ? open : Math.max(tail, findings.at(-1)?.end ?? from, from),
  };
}

/** Where the sign stands next; the end of the text: nowhere. */
function indexFrom(folded: string, sign: string, from: number): number {
  const at = folded.indexOf(sign, from);
  return at < 0 ? folded.length : at;
}

/** A full stop between digits, a colon beside a hexadecimal digit or a colon: what else has none of them at all. */
function isInAddress(folded: string, sign: number): boolean {
  if (sign + 1 >= folded.length) return true;
  const ahead = folded.charCodeAt(sign - 1);
  const behind = folded.charCodeAt(sign + 1);
  if (folded.charCodeAt(sign) === STOP) return isDigit(ahead) && isDigit(behind);
  return isAddressUnit(behind) && (isAddressUnit(ahead) || behind === COLON);
}

/** Where the run of address signs begins that has `at` in it or at its end, cut where it is too long to be one. */
function runStart(folded: string, at: number): number {
  let start = at;
  while (start > 0 && at - start <= LENGTH_MAX + 3 && isAddressUnit(folded.charCodeAt(start - 1))) start -= 1;
  return start;
}
function runEnd(folded: string, at: number): number {
  let end = at;
  while (end < folded.length && isAddressUnit(folded.charCodeAt(end))) end += 1;
  return end;
}
const isHex = (code: number): boolean => isDigit(code) || (code >= 97 && code <= 102) || (code >= 65 && code <= 70);
const isAddressUnit = (code: number): boolean => isHex(code) || code === STOP || code === COLON;
const STOP = 46;
const COLON = 58;

/** By indexes alone, as is all below: texts of nothing but addresses have a hundred thousand of them in a megabyte. */
function addressIn(text: ScanText, first: number, last: number): { readonly start: number; readonly end: number } | undefined {
  const { folded } = text;
  let [start, end] = [first, last];
  while (end > start && isLoose(folded.charCodeAt(end - 1), folded.charCodeAt(end - 2))) end -= 1;
  while (start < end && isLoose(folded.charCodeAt(start), folded.charCodeAt(start + 1))) start += 1;
  const ahead = folded.charCodeAt(start - 1);
  if (isAlnum(ahead) || ahead === 45 || ahead === 95) return undefined;
  const colon = v4Colon(folded, start, end);
  if (colon < end) end = colon;
  else if (isAlnum(folded.charCodeAt(last))) return undefined;
  if (isV4(folded, start, end)) return isVersion(text, start, end) ? undefined : { start, end };
  return isV6(folded, start, end) && !isSlice(folded, start, end) ? { start, end } : undefined;
}

/** A stop, or a colon without another: none begins or ends an address. */
const isLoose = (code: number, inner: number): boolean => code === STOP || (code === COLON && inner !== COLON);

/** Where a colon stands behind four numbers, whatever follows (`1.2.3.4:80`, `1.2.3.4:data`, `1.2.3.4::backup`); else the end. */
function v4Colon(folded: string, start: number, end: number): number {
  let at = start;
  while (at < end && (isDigit(folded.charCodeAt(at)) || folded.charCodeAt(at) === STOP)) at += 1;
  return at < end && folded.charCodeAt(at) === COLON && isV4(folded, start, at) ? at : end;
}

/** Four numbers to 255 without leading zeros, by stops. */
function isV4(folded: string, start: number, end: number): boolean {
  let [parts, value, digits] = [1, 0, 0];
  for (let at = start; at < end; at += 1) {
    const code = folded.charCodeAt(at);
    if (isDigit(code)) {
      if (digits > 0 && value === 0) return false;
      value = value * 10 + code - 48;
      digits += 1;
      if (value > 255) return false;
    } else {
      if (code !== STOP || digits === 0) return false;
      parts += 1;
      [value, digits] = [0, 0];
    }
  }
  return parts === 4 && digits > 0;
}

/** At least one digit, so that names joined by `::` are none. */
function isV6(folded: string, start: number, end: number): boolean {
  let [groups, at] = [0, start];
  let [squeezed, hasDigit, hasTail] = [false, false, false];
  while (at < end) {
    if (folded.charCodeAt(at) === COLON) {
      const colons = at + 1 < end && folded.charCodeAt(at + 1) === COLON ? 2 : 1;
      // One stands between groups, two stand once, three never; none behind IPv4.
      if (hasTail || (colons === 1 ? at === start || at + 1 === end : squeezed)) return false;
      if (colons === 2) squeezed = true;
      at += colons;
      if (at < end && folded.charCodeAt(at) === COLON) return false;
      continue;
    }
    const group = at;
    let stops = 0;
    for (; at < end && folded.charCodeAt(at) !== COLON; at += 1) {
      const code = folded.charCodeAt(at);
      if (isDigit(code)) hasDigit = true;
      else if (code === STOP) stops += 1;
    }
    if ((stops === 0 && at - group > 4) || (stops > 0 && !isV4(folded, group, at))) return false;
    hasTail = stops > 0;
    groups += hasTail ? 2 : 1;
  }
  return hasDigit && (squeezed ? groups <= 7 && groups > 0 : groups === 8);
}

function isVersion(text: ScanText, start: number, end: number): boolean {
  const { folded } = text;
  if (folded.charAt(start - 1) === "/" && isLetter(folded.charCodeAt(start - 2))) return true;
  if (VERSION.test(before(folded, start))) return true;
  return end - start === "1.2.3.4".length && !NETWORK.in(text.wordsBefore(start));
}
const VERSION = /(?:version|ver\.|release|build|firmware|section|chapter|§|版本|v)[\s:=#]{0,3}$/i;
const NETWORK = words(
  "ip",
  "ipv4",
  "address",
  "addresses",
  "host",
  "server",
  "dns",
  "resolver",
  "ping",
  "gateway",
  "from",
  "peer",
  "client",
  "地址",
  "服务器",
);

/** `[::2]` takes every second of a list; `abc::1` may be a name. */
function isSlice(folded: string, start: number, end: number): boolean {
  const first = hexEnd(folded, start, end);
  if (folded.charCodeAt(first) !== COLON || folded.charCodeAt(first + 1) !== COLON || first + 2 > end) return false;
  const second = hexEnd(folded, first + 2, end);
  const behind = second - first - 2;
  if (first > start) return first - start <= 2 && second === end && behind <= 4;
  if (second === end && behind === 1 && folded.charAt(end - 1) === "1")
    return folded.charAt(start - 1) === "[" && folded.charAt(start - 2) !== "/";
  return behind < 1 || behind > 4 || second === end || folded.charCodeAt(second) !== COLON;
}
/** Where hexadecimal digits end. */
function hexEnd(folded: string, from: number, end: number): number {
  let at = from;
  while (at < end && isHex(folded.charCodeAt(at))) at += 1;
  return at;
}
