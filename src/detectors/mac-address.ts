import { patternDetector } from "./shared/patterns.ts";

/** Hardware addresses (IEEE 802 EUI-48): six pairs by `:` or `-`, or three fours by `.` with a letter among them. Numbers in pairs by `-` are none. */
export const macAddress = patternDetector({
  entity: "mac_address",
  class: "network",
  profile: "strict",
  pattern:
    /(?<![0-9A-Za-z]|[0-9A-Za-z][:.-])(?:[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5})|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2})(?![0-9A-Za-z])/,
  begun:
    /(?<![0-9A-Za-z]|[0-9A-Za-z][:.-])(?:[0-9A-Fa-f]{2}[:-]){0,5}[0-9A-Fa-f]{0,2}[:-]?$|(?<![0-9A-Za-z]|[0-9A-Za-z][:.-])(?:[0-9A-Fa-f]{4}\.){0,2}[0-9A-Fa-f]{0,4}$/,
  lookBehind: 2,
  lengthMax: 17,
  judge: (match, { folded, ended }) => {
    const end = match.index + match[0].length;
    if (end + 1 >= folded.length && !ended) return undefined;
    if (/^[:.-][0-9A-Za-z]/.test(folded.slice(end, end + 2))) return 0;
    return /[A-Fa-f]/.test(match[0]) || match[0].charAt(2) === ":" ? 0.95 : 0;
  },
});
