import { INJECTION_JOINT_CHARS, INJECTION_PART_CHARS } from "../../core/limits.ts";
import type { Scanned } from "./texts.ts";

/** What of one text stands in a joint. Offsets are UTF-16 units. */
interface Member {
  /** Which of the texts. */
  readonly index: number;
  /** Where its piece begins in the text itself, and where in the joint. */
  readonly from: number;
  readonly at: number;
  readonly length: number;
}
/** Ends and beginnings of texts that follow each other, as a model reads them: one after the other. */
export interface Joint {
  readonly text: string;
  readonly members: readonly Member[];
}

/**
 * Where a sentence may begin in one text and go on in the next: the parts of a message, the blocks of a tool's result, results that come
 * together. Each shorter one is there whole, of a longer one `INJECTION_JOINT_CHARS` at each end.
 */
export function* joints(texts: readonly Scanned[]): Generator<Joint> {
  let joint: Builder = new Builder();
  let before: Scanned | undefined;
  for (const [index, scanned] of texts.entries()) {
    const { text } = scanned;
    const long = text.length > 2 * INJECTION_JOINT_CHARS;
    if (before === undefined || !isOne(before, scanned)) {
      yield* joint.ended();
      joint = new Builder();
    } else joint.add(index, 0, long ? text.slice(0, INJECTION_JOINT_CHARS) : text);
    if (joint.members.length === 0 || long || joint.text.length > INJECTION_PART_CHARS) {
      yield* joint.ended();
      joint = new Builder();
      const from = Math.max(0, text.length - INJECTION_JOINT_CHARS);
      joint.add(index, from, text.slice(from));
    }
    before = scanned;
  }
  yield* joint.ended();
}

/** The same author may have written both: same place and thresholds, and words rather than values. */
const isOne = (before: Scanned, after: Scanned): boolean =>
  before.editable && after.editable && before.place === after.place && before.rules === after.rules && before.write === after.write;

class Builder {
  text = "";
  readonly members: Member[] = [];

  add(index: number, from: number, piece: string): void {
    if (this.members.length > 0) this.text += " ";
    this.members.push({ index, from, at: this.text.length, length: piece.length });
    this.text += piece;
  }

  *ended(): Generator<Joint> {
    if (this.members.length > 1) yield { text: this.text, members: this.members };
  }
}

/** Where the stretch from `start` to `end` of a joint stands in its texts; empty where it is within one, which was scored by itself. */
export function stretches(
  { members }: Joint,
  start: number,
  end: number,
): readonly { readonly index: number; readonly start: number; readonly end: number }[] {
  const found = members
    .filter(({ at, length }) => at < end && at + length > start)
    .map(({ index, from, at, length }) => ({
      index,
      start: from + Math.max(0, start - at),
      end: from + Math.min(length, end - at),
    }));
  return found.length > 1 ? found : [];
}
