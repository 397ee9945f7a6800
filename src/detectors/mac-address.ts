import type { ScanText } from "../core/detector.ts";
import { patternDetector } from "./shared/patterns.ts";
import { isDigit } from "./shared/text.ts";

/** Hardware addresses (IEEE 802 EUI-48): six pairs by `:` or `-`, or three fours by `.` with a letter among them. Numbers in pairs by `-` are none. */
export const macAddress = patternDetector({
  entity: "mac_address",
  class: "network",
  profile: "strict",
  pattern:
    /(?<![0-9A-Za-z]|[0-9A-Za-z][:.-])(?:[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5})|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2})(?![0-9A-Za-z])/,
  begun:
    /(?<![0-9A-Za-z]|[0-9A-Za-z][:.-])(?:[0-9A-Fa-f]{2}[:-]){0,5}[0-9A-Fa-f]{0,2}[:-]?$|(?<![0-9A-Za-z]|[0-9A-Za-z][:.-])(?:[0-9A-Fa-f]{4}\.){0,2}[0-9A-Fa-f]{0,4}$/,
  mayEndBegun: (last) => isHex(last) || last === 45 || last === 46 || last === 58,
  starts,
  // Two signs, or an escape.
  lookBehind: 4,
  lengthMax: 17,
  judge: (match, { folded, ended }) => {
    const end = match.index + match[0].length;
    if (end + 1 >= folded.length && !ended) return undefined;
    if (/^[:.-][0-9A-Za-z]/.test(folded.slice(end, end + 2))) return 0;
    return /[A-Fa-f]/.test(match[0]) || match[0].charAt(2) === ":" ? 0.95 : 0;
  },
});

const isHex = (code: number): boolean => isDigit(code) || ((code | 32) >= 97 && (code | 32) <= 102);

/** By the first two signs of the three forms, each with so many units before it. */
function starts({ folded }: ScanText, from: number): readonly number[] {
  const found: number[] = [];
  for (const { sign, units } of FORMS)
    for (let at = folded.indexOf(sign, from); at !== -1; at = folded.indexOf(sign, at + 1))
      if (folded.charAt(at + units + 1) === sign && at - units >= from) found.push(at - units);
  return found.length > 1 ? found.sort((a, b) => a - b) : found;
}
const FORMS = [
  { sign: ":", units: 2 },
  { sign: "-", units: 2 },
  { sign: ".", units: 4 },
] as const;
