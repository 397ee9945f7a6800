import type { Detector, DetectorClass, Finding, Found, ScanText } from "../../core/detector.ts";
import type { Words } from "./context.ts";
import { Beginnings, Nearby, type Window } from "./nearby.ts";

/** Something that a regular expression of this project finds in folded text. */
export interface PatternSpec {
  readonly entity: string;
  readonly class: DetectorClass;
  readonly profile: Detector["profile"];
  readonly needs?: NonNullable<Detector["needs"]>;
  /** Every quantifier bounded. It looks at most `lookBehind` units back and one unit behind its end. */
  readonly pattern: RegExp;
  /** Matches, up to `$`, whatever may become a match when more text comes; it starts where the pattern may. */
  readonly begun: RegExp;
  /** Longest of these without a digit, in UTF-16 units; `lengthMax` where it is absent. */
  readonly begunWordsMax?: number;
  /** Whether a text that ends in this unit may end in what `begun` matches; absent: any. */
  readonly mayEndBegun?: (last: number) => boolean;
  /** Where a match may begin at or after an offset, in order, so that only there is looked. By default it is looked everywhere. */
  readonly starts?: (text: ScanText, from: number) => readonly number[];
  readonly lookBehind: number;
  readonly lengthMax: number;
  /** Words that `judge` asks for within `lookBehind` before a match. */
  readonly words?: Words;
  /** Score of a match, or 0 for none; `undefined` where that takes text that has not come. `mayBeNear`: whether one of `words` may stand there. */
  readonly judge: (match: RegExpExecArray, text: ScanText, mayBeNear: boolean) => number | undefined;
}

/** A detector by a pattern. Every place is tried that is in no finding, so that it does not matter where a scan goes on. */
export function patternDetector(spec: PatternSpec): Detector {
  const { entity, class: kind, profile, needs, lookBehind, lengthMax } = spec;
  const flags = spec.pattern.flags.replace("g", "");
  // Made once, as making them costs more than a short text. Where each begins to look is set before every look.
  const [pattern, begun] = [
    new RegExp(spec.pattern.source, `${flags}${spec.starts === undefined ? "g" : "y"}`),
    new RegExp(spec.begun.source, `${flags}g`),
  ];
  const beginnings = spec.words === undefined ? undefined : new Beginnings([spec.words]);
  const window = { cuts: [lookBehind], behind: 0 };
  return {
    entities: [entity],
    class: kind,
    profile,
    ...(needs === undefined ? {} : { needs }),
    lookBehind,
    lengthMax,
    find: (text, from) => find(text, from, { spec, pattern, begun, beginnings, window }),
  };
}

interface Search {
  readonly spec: PatternSpec;
  readonly pattern: RegExp;
  readonly begun: RegExp;
  readonly beginnings: Beginnings | undefined;
  readonly window: Window;
}

function find({ unescaped: text }: ScanText, from: number, search: Search): Found {
  const { spec, begun, beginnings, window } = search;
  const { folded, ended } = text;
  const nearby = beginnings === undefined ? undefined : new Nearby(text, beginnings, window);
  const findings: Finding[] = [];
  const openFrom = (least: number): number => {
    if (ended || spec.mayEndBegun?.(folded.charCodeAt(folded.length - 1)) === false) return folded.length;
    const longest = text.hasDigit ? spec.lengthMax : (spec.begunWordsMax ?? spec.lengthMax);
    begun.lastIndex = Math.max(least, folded.length - longest);
    return begun.exec(folded)?.index ?? folded.length;
  };
  let least = from;
  let open = openFrom(least);
  const next = nextMatch(text, from, search);
  for (let match = next(from); match !== null && match.index < open; match = next(match.index + 1, least)) {
    const end = match.index + match[0].length;
    const score = end === folded.length && !ended ? undefined : spec.judge(match, text, nearby?.at(match.index)?.[0] !== 0);
    if (score === undefined) return { findings, open: match.index };
    if (score > 0) {
      findings.push({ entity: spec.entity, start: match.index, end, score });
      least = end;
      if (open < least) open = openFrom(least);
    }
  }
  return { findings, open: Math.max(open, least) };
}

/** Gives the first match at or after both offsets, each time further on. */
function nextMatch(
  text: ScanText,
  from: number,
  { spec: { starts }, pattern }: Search,
): (at: number, least?: number) => RegExpExecArray | null {
  const { folded } = text;
  if (starts === undefined) {
    return (at, least = 0) => {
      pattern.lastIndex = Math.max(at, least);
      return pattern.exec(folded);
    };
  }
  const places = starts(text, from);
  let index = 0;
  return (at, least = 0) => {
    for (; index < places.length; index += 1) {
      const start = places[index] ?? 0;
      if (start < at || start < least) continue;
      pattern.lastIndex = start;
      const match = pattern.exec(folded);
      if (match !== null) return match;
    }
    return null;
  };
}
