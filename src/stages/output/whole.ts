import type { AnswerGuard, GuardEvidence } from "../../core/guard.ts";
import { CALL_CHARS_MAX } from "../../core/limits.ts";
import { type CheckValue, checkable } from "../shared/json-schema.ts";
import { denialOf, stopOf } from "./rule.ts";
import type { RuleAction } from "./section.ts";

/** The text of every choice must satisfy a schema: it is held until it is whole. What repeats it, or stands beside it, needs not. */
export function schemaGuard(check: CheckValue, then: Exclude<RuleAction, "redact">, replaceWith: string): AnswerGuard {
  let broken: string | undefined;
  return {
    openLane: ({ channel }, _tool, repeats) => {
      if (channel !== "content" || repeats) return undefined;
      let text = "";
      return {
        push: (piece) => {
          if (text.length <= CALL_CHARS_MAX) text += piece;
          return { decided: 0, edits: [] };
        },
        end: () => {
          const value = checkable(text);
          const where = value === undefined ? "no JSON that can be checked" : check(value);
          if (where === undefined) return { decided: Number.POSITIVE_INFINITY, edits: [] };
          broken ??= where;
          return { decided: Number.POSITIVE_INFINITY, edits: [], stop: { at: 0, stop: stopOf("schema", then, replaceWith) } };
        },
      };
    },
    evidence: (): GuardEvidence | undefined =>
      broken === undefined
        ? undefined
        : { verdict: "deny", denial: denialOf("schema"), reason: `The answer breaks the schema: ${broken}.` },
  };
}

/** What a choice says ends at its length, all its blocks together; never between the halves of a sign. */
export function lengthGuard(maxChars: number): AnswerGuard {
  let met = false;
  const denial = { code: "content_blocked" as const, detail: `The answer is longer than ${maxChars} characters.` };
  /** Units of each choice so far. */
  const said = new Map<number, number>();
  return {
    openLane: ({ channel, choice }, _tool, repeats) => {
      if (channel !== "content" || repeats) return undefined;
      let length = 0;
      /** The unit before ends the choice's length, and may be half of a sign that goes on. */
      let half = false;
      const stopAt = (at: number) => {
        met = true;
        return { decided: at, edits: [], stop: { at, stop: { kind: "length" as const, denial } } };
      };
      return {
        push: (piece) => {
          const before = said.get(choice) ?? 0;
          const [start, fits] = [length, maxChars - before];
          said.set(choice, before + piece.length);
          length += piece.length;
          if (half) return stopAt(start - 1);
          if (piece.length > fits) return stopAt(start + Math.max(0, fits) - (isHigh(piece, fits - 1) ? 1 : 0));
          half = piece.length === fits && isHigh(piece, fits - 1);
          return { decided: length - (half ? 1 : 0), edits: [] };
        },
        end: () => ({ decided: Number.POSITIVE_INFINITY, edits: [] }),
      };
    },
    evidence: (): GuardEvidence | undefined => (met ? { verdict: "deny", denial } : undefined),
  };
}

/** Is the unit the first half of a sign that UTF-16 writes in two? */
const isHigh = (text: string, at: number): boolean => (text.charCodeAt(at) & 0xfc00) === 0xd800;
