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

/** Every text ends at its length. */
export function lengthGuard(maxChars: number): AnswerGuard {
  let met = false;
  const denial = { code: "content_blocked" as const, detail: `The answer is longer than ${maxChars} characters.` };
  return {
    openLane: ({ channel }, _tool, repeats) => {
      if (channel !== "content" || repeats) return undefined;
      let length = 0;
      return {
        push: (piece) => {
          length += piece.length;
          if (length <= maxChars) return { decided: length, edits: [] };
          met = true;
          return { decided: maxChars, edits: [], stop: { at: maxChars, stop: { kind: "length", denial } } };
        },
        end: () => ({ decided: Number.POSITIVE_INFINITY, edits: [] }),
      };
    },
    evidence: (): GuardEvidence | undefined => (met ? { verdict: "deny", denial } : undefined),
  };
}
