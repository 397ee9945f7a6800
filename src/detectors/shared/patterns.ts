import type { Detector, DetectorClass, Finding, Found, ScanText } from "../../core/detector.ts";

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
  readonly lookBehind: number;
  readonly lengthMax: number;
  /** Score of a match, or 0 for none; `undefined` where that takes text that has not come. */
  readonly judge: (match: RegExpExecArray, text: ScanText) => number | undefined;
}

/** A detector by a pattern. Every place is tried that is in no finding, so that it does not matter where a scan goes on. */
export function patternDetector(spec: PatternSpec): Detector {
  const { entity, class: kind, profile, needs, lookBehind, lengthMax } = spec;
  const flags = `${spec.pattern.flags.replace("g", "")}g`;
  const [source, begunSource] = [spec.pattern.source, spec.begun.source];
  return {
    entities: [entity],
    class: kind,
    profile,
    ...(needs === undefined ? {} : { needs }),
    lookBehind,
    lengthMax,
    find: (text, from) => find(text, from, { spec, pattern: new RegExp(source, flags), begun: new RegExp(begunSource, flags) }),
  };
}

interface Search {
  readonly spec: PatternSpec;
  readonly pattern: RegExp;
  readonly begun: RegExp;
}

function find(text: ScanText, from: number, { spec, pattern, begun }: Search): Found {
  const { folded, ended } = text;
  const findings: Finding[] = [];
  const openFrom = (least: number): number => {
    if (ended) return folded.length;
    begun.lastIndex = Math.max(least, folded.length - spec.lengthMax);
    return begun.exec(folded)?.index ?? folded.length;
  };
  let least = from;
  let open = openFrom(least);
  pattern.lastIndex = from;
  for (let match = pattern.exec(folded); match !== null && match.index < open; match = pattern.exec(folded)) {
    const end = match.index + match[0].length;
    const score = end === folded.length && !ended ? undefined : spec.judge(match, text);
    if (score === undefined) return { findings, open: match.index };
    if (score > 0) {
      findings.push({ entity: spec.entity, start: match.index, end, score });
      least = end;
      if (open < least) open = openFrom(least);
    } else pattern.lastIndex = match.index + 1;
  }
  return { findings, open: Math.max(open, least) };
}
