import type { AnswerGuard, GuardEvidence, LaneReader, LaneStep } from "../../core/guard.ts";
import { CALL_CHARS_MAX } from "../../core/limits.ts";
import { type CheckValue, checkable } from "../shared/json-schema.ts";
import { denialOf, stopOf } from "./rule.ts";
import type { RuleAction } from "./section.ts";

/**
 * The text of every choice must satisfy a schema: it is held until it is whole. Blocks that callers put together are one text. What repeats it,
 * or stands beside it, needs not.
 */
export function schemaGuard(check: CheckValue, then: Exclude<RuleAction, "redact">, replaceWith: string): AnswerGuard {
  let broken: string | undefined;
  const judge = (text: string): boolean => {
    const value = checkable(text);
    const where = value === undefined ? "no JSON that can be checked" : check(value);
    broken ??= where;
    return where === undefined;
  };
  const stop = { at: 0, stop: stopOf("schema", then, replaceWith) };
  return {
    openLane: ({ channel }, _tool, repeats, after) => {
      if (channel !== "content" || repeats) return undefined;
      return new WholeReader(judge, stop, after instanceof WholeReader ? after.whole : { text: "" });
    },
    evidence: (): GuardEvidence | undefined =>
      broken === undefined
        ? undefined
        : { verdict: "deny", denial: denialOf("schema"), reason: `The answer breaks the schema: ${broken}.` },
  };
}

/** A text of one block or several; `holds`: it was judged. */
interface Whole {
  text: string;
  holds?: boolean;
}

class WholeReader implements LaneReader {
  readonly raw = true;
  readonly whole: Whole;
  readonly #judge: (text: string) => boolean;
  readonly #stop: NonNullable<LaneStep["stop"]>;

  constructor(judge: (text: string) => boolean, stop: NonNullable<LaneStep["stop"]>, whole: Whole) {
    this.#judge = judge;
    this.#stop = stop;
    this.whole = whole;
  }

  push(piece: string): LaneStep {
    if (this.whole.text.length <= CALL_CHARS_MAX) this.whole.text += piece;
    return OPEN;
  }
  pause(): LaneStep {
    return OPEN;
  }
  end(): LaneStep {
    this.whole.holds ??= this.#judge(this.whole.text);
    return this.late();
  }
  late(): LaneStep {
    const { holds } = this.whole;
    if (holds === undefined) return OPEN;
    return holds ? DONE : { ...DONE, stop: this.#stop };
  }
}
const OPEN: LaneStep = { decided: 0, edits: [] };
const DONE: LaneStep = { decided: Number.POSITIVE_INFINITY, edits: [] };

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
