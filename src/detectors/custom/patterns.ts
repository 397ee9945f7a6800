import { RE2JS } from "re2js";
import type { Detector, DetectorClass, Finding, Found, ScanText } from "../../core/detector.ts";
import { CUSTOM_MATCH_CHARS_MAX, CUSTOM_PATTERN_CHARS_MAX } from "../../core/limits.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { fold } from "../shared/text.ts";
import { patternLength } from "./pattern-length.ts";

export interface CustomPattern {
  readonly entity: string;
  readonly class: DetectorClass;
  /** RE2 syntax, without unbounded repetition. */
  readonly pattern: string;
  readonly ignoreCase: boolean;
}

/**
 * Finds what a pattern of the policy matches, in time linear in the text whatever the pattern (RE2). The longest match is known from the
 * pattern, so that a stream holds no more than that. It sees folded text: full-width digits are digits. The error says what is wrong.
 */
export function customPatternDetector({ entity, class: kind, pattern, ignoreCase }: CustomPattern): Result<Detector, string> {
  if (pattern.length > CUSTOM_PATTERN_CHARS_MAX) return err(`a pattern has at most ${CUSTOM_PATTERN_CHARS_MAX} characters`);
  const plain = inPlainForm(pattern);
  const length = patternLength(plain);
  if (!length.ok) return length;
  if (length.value > CUSTOM_MATCH_CHARS_MAX)
    return err(`it may match ${length.value} UTF-16 units; at most ${CUSTOM_MATCH_CHARS_MAX} are possible`);
  const compiled = compile(plain, ignoreCase);
  if (!compiled.ok) return compiled;
  if (compiled.value.matcher("").find()) return err("it matches the empty text");
  return ok({
    entities: [entity],
    class: kind,
    profile: "asked",
    lookBehind: 2,
    lengthMax: length.value,
    find: (text, from) => find(text, from, { entity, pattern: compiled.value, lengthMax: length.value }),
  });
}

/**
 * The pattern as folded text has its signs, or a full-width colon in it would match nothing. A sign that so becomes one of the syntax
 * still stands for itself.
 */
function inPlainForm(pattern: string): string {
  const folded = fold(pattern);
  if (folded === pattern) return pattern;
  let plain = "";
  let escaped = false;
  for (let at = 0; at < folded.length; at += 1) {
    const sign = folded.charAt(at);
    const isNew = sign !== pattern.charAt(at);
    plain += isNew && !escaped && SYNTAX.test(sign) ? `\\${sign}` : sign;
    escaped = !escaped && sign === "\\" && !isNew;
  }
  return plain;
}
/** RE2 takes a backslash before any of these. */
const SYNTAX = /[!-/:-@[-`{-~]/;

/** The library throws for what it does not take. */
function compile(pattern: string, ignoreCase: boolean): Result<RE2JS, string> {
  try {
    return ok(RE2JS.compile(pattern, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0));
  } catch (error) {
    return err(error instanceof Error ? error.message : "not a pattern");
  }
}

interface Search {
  readonly entity: string;
  readonly pattern: RE2JS;
  readonly lengthMax: number;
}

/** A match that starts so far from the end that its longest form and the character behind it have come is decided. */
function find({ folded, ended }: ScanText, from: number, { entity, pattern, lengthMax }: Search): Found {
  const findings: Finding[] = [];
  const open = ended ? folded.length : Math.max(from, folded.length - lengthMax - 1);
  if (open === from && !ended) return { findings, open };
  const matcher = pattern.matcher(folded);
  let least = from;
  while (least < folded.length && matcher.find(least)) {
    const [start, end] = [matcher.start(), matcher.end()];
    if (start >= open) break;
    if (end > start) findings.push({ entity, start, end, score: 1 });
    least = Math.max(end, start + 1);
  }
  return { findings, open: Math.max(open, findings.at(-1)?.end ?? 0) };
}
