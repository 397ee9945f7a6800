import type { Detector, Finding, Found, ScanText } from "../../core/detector.ts";
import { INVISIBLE, INVISIBLE_SIGN } from "../shared/text.ts";
import { SECRET_ENTITIES } from "./entities.ts";
import { findSecrets } from "./scan.ts";

/** Longest secret that is known with signs inside that are not seen, in UTF-16 units. */
const HIDDEN_CHARS_MAX = 512;
/** Scripts that put no blanks between words begin here (CJK radicals). */
const NEVER_WORDS_FROM = 0x2e80;

/**
 * Secrets as they are where what is not seen is left out, and where the quotes and signs of assignments stand as escapes of URLs and HTML
 * (`password%3D`, `&quot;password&quot;:`). Text without either costs nothing. What is found has no blank inside.
 */
export const hiddenSecrets: Detector = {
  entities: SECRET_ENTITIES,
  class: "secret",
  profile: "standard",
  // Names with as much between their letters as three times themselves.
  lookBehind: 960,
  lengthMax: HIDDEN_CHARS_MAX,
  find({ unescaped }: ScanText, from: number): Found {
    const { folded, ended } = unescaped;
    const word = ended ? folded.length : Math.max(Math.min(from, folded.length), wordStart(folded));
    if (!folded.includes(INVISIBLE_SIGN)) return { findings: [], open: word };
    const { text, places } = squeezed(folded);
    const placeOf = (at: number): number => places[at] ?? folded.length;
    const found = findSecrets({ folded: text, ended }, indexOf(places, from));
    const open = Math.min(placeOf(found.open), word);
    const findings = found.findings
      .map((finding): Finding => ({ ...finding, start: placeOf(finding.start), end: placeOf(finding.end - 1) + 1 }))
      .filter(({ start, end }) => start >= from && end <= open && end - start <= HIDDEN_CHARS_MAX && !/\s/.test(folded.slice(start, end)));
    return { findings, open };
  },
};

/** What is seen, and where each unit of it stands. */
function squeezed(folded: string): { readonly text: string; readonly places: Uint32Array } {
  const places = new Uint32Array(folded.length);
  let count = 0;
  for (let at = 0; at < folded.length; at += 1) if (folded.charCodeAt(at) !== INVISIBLE) places[count++] = at;
  return { text: folded.replaceAll(INVISIBLE_SIGN, ""), places: places.subarray(0, count) };
}

/** The first of the places that is not before `from`. */
function indexOf(places: Uint32Array, from: number): number {
  let [low, high] = [0, places.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((places[middle] ?? 0) < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where the word begins that the text ends in. */
function wordStart(folded: string): number {
  const least = Math.max(0, folded.length - HIDDEN_CHARS_MAX);
  let start = folded.length;
  while (start > least && isOfWord(folded.charCodeAt(start - 1))) start -= 1;
  return start;
}
const isOfWord = (code: number): boolean => code > 32 && code < NEVER_WORDS_FROM;
