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
function find(text: ScanText, from: number): Found {
  const { folded, ended } = text;
  const findings: Finding[] = [];
  const signs = /[.:]/g;
  signs.lastIndex = from;
  let open = folded.length;
  for (let sign = signs.exec(folded); sign !== null; sign = signs.exec(folded)) {
    if (!isInAddress(folded, sign.index)) continue;
    const run = runAround(folded, sign.index);
    signs.lastIndex = Math.max(run.end, sign.index + 1);
    if (run.start < from || run.end - run.start > LENGTH_MAX + 2) continue;
    if (run.end >= folded.length - 1 && !ended) {
      open = run.start;
      break;
    }
    const address = addressIn(text, run.start, run.end);
    if (address !== undefined) findings.push({ entity: "ip_address", ...address, score: 0.95 });
  }
  if (ended) return { findings, open: folded.length };
  const tail = runAround(folded, folded.length).start;
  return {
    findings,
    open: open < folded.length || folded.length - tail > LENGTH_MAX + 2 ? open : Math.max(tail, findings.at(-1)?.end ?? from, from),
  };
}

/** A full stop between digits, a colon beside a hexadecimal digit or a colon: what else has none of them at all. */
function isInAddress(folded: string, sign: number): boolean {
  const [ahead, behind] = [folded.charCodeAt(sign - 1), folded.charCodeAt(sign + 1)];
  if (sign + 1 >= folded.length) return true;
  if (folded.charCodeAt(sign) === 46) return isDigit(ahead) && isDigit(behind);
  return isAddressUnit(behind) && (isAddressUnit(ahead) || behind === 58);
}

/** The run of address signs that has `at` in it or at its end, cut where it is too long to be one. */
function runAround(folded: string, at: number): { readonly start: number; readonly end: number } {
  let [start, end] = [at, at];
  while (start > 0 && at - start <= LENGTH_MAX + 3 && isAddressUnit(folded.charCodeAt(start - 1))) start -= 1;
  while (end < folded.length && isAddressUnit(folded.charCodeAt(end))) end += 1;
  return { start, end };
}
const isAddressUnit = (code: number): boolean =>
  isDigit(code) || code === 46 || code === 58 || (code >= 97 && code <= 102) || (code >= 65 && code <= 70);

function addressIn(text: ScanText, runStart: number, runEnd: number): { readonly start: number; readonly end: number } | undefined {
  const { folded } = text;
  let [start, end] = [runStart, runEnd];
  while (end > start && (folded.charAt(end - 1) === "." || (folded.charAt(end - 1) === ":" && folded.charAt(end - 2) !== ":"))) end -= 1;
  while (start < end && (folded.charAt(start) === "." || (folded.charAt(start) === ":" && folded.charAt(start + 1) !== ":"))) start += 1;
  if (isAlnum(folded.charCodeAt(start - 1)) || isAlnum(folded.charCodeAt(runEnd)) || "-_".includes(folded.charAt(start - 1) || " "))
    return undefined;
  const written = folded.slice(start, end);
  const withPort = /^([0-9.]{7,15}):[0-9]{1,5}$/.exec(written);
  const address = withPort?.[1] ?? written;
  const found = { start, end: start + address.length };
  if (isV4(address)) return isVersion(text, start, address) ? undefined : found;
  return isV6(address) && !isSlice(folded, start, address) ? found : undefined;
}

/** Four numbers to 255 without leading zeros, by stops. */
function isV4(text: string): boolean {
  let [parts, value, digits] = [1, 0, 0];
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (isDigit(code)) {
      if (digits > 0 && value === 0) return false;
      value = value * 10 + code - 48;
      digits += 1;
      if (value > 255) return false;
    } else {
      if (code !== 46 || digits === 0) return false;
      parts += 1;
      [value, digits] = [0, 0];
    }
  }
  return parts === 4 && digits > 0;
}

/** At least one digit, so that names joined by `::` are none. */
function isV6(text: string): boolean {
  if (!text.includes(":")) return false;
  const halves = text.split("::");
  if (halves.length > 2 || !/[0-9]/.test(text) || text.includes(":::")) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  const tail = groups.at(-1) ?? "";
  const isTailV4 = tail.includes(".") && isV4(tail);
  const size = groups.length + (isTailV4 ? 1 : 0);
  if (!groups.every((group, index) => /^[0-9a-f]{1,4}$/i.test(group) || (isTailV4 && index === groups.length - 1))) return false;
  return halves.length === 1 ? size === 8 : size <= 7 && size > 0;
}

function isVersion(text: ScanText, start: number, address: string): boolean {
  const { folded } = text;
  if (folded.charAt(start - 1) === "/" && isLetter(folded.charCodeAt(start - 2))) return true;
  if (VERSION.test(before(folded, start))) return true;
  return /^[0-9]\.[0-9]\.[0-9]\.[0-9]$/.test(address) && !NETWORK.in(text.wordsBefore(start));
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
function isSlice(folded: string, start: number, address: string): boolean {
  if (/^[0-9a-f]{1,2}::[0-9a-f]{0,4}$/i.test(address)) return true;
  if (address.startsWith("::") && address !== "::1" && !/^::[0-9a-f]{1,4}:/i.test(address)) return true;
  return address === "::1" && folded.charAt(start - 1) === "[" && folded.charAt(start - 2) !== "/";
}
