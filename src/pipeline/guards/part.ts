import type { Frame } from "../../core/codec.ts";
import type { Delta, LaneId } from "../../core/view.ts";
import type { Lane } from "./lane.ts";

/** One delta of a frame, and where it stands in its lane. */
export interface Part {
  readonly delta: Delta;
  readonly lane: Lane;
  /** Offset of its first unit. */
  readonly start: number;
  /** Its text cannot be changed. */
  readonly fixed: boolean;
}

/** The next text of a lane. */
export const partOf = (frame: Frame, delta: Delta, lane: Lane): Part => ({
  delta,
  lane,
  start: lane.length,
  fixed: frame.rewrite === undefined || delta.signed === true,
});
export const isOf = (a: LaneId, b: LaneId): boolean => a.choice === b.choice && a.block === b.block && a.channel === b.channel;
export const idOf = ({ choice, block, channel }: LaneId): LaneId => ({ choice, block, channel });

/** The part's text with the lane's changes made; undefined where none touches it. */
export function rendered({ delta: { text }, lane, start, fixed }: Part): string | undefined {
  let out: string | undefined;
  let at = 0;
  const { edits } = lane;
  for (let index = lane.firstBehind(start); index < edits.length; index++) {
    const edit = edits[index];
    if (edit === undefined || edit.start - start >= text.length) break;
    const [from, to] = [edit.start - start, edit.end - start];
    if (fixed && edit.ifFixed === "pass") continue;
    out = (out ?? "") + text.slice(at, Math.max(0, from)) + (from >= 0 ? edit.text : "");
    at = Math.min(to, text.length);
  }
  return out === undefined ? undefined : out + text.slice(at);
}

/** Would it have to change where that is of no use? */
export function isStuck({ delta, lane, start, fixed }: Part): boolean {
  if (fixed) return true;
  if (delta.spoken !== true) return false;
  const end = start + delta.text.length;
  return lane.edits.slice(lane.firstBehind(start)).some((edit) => edit.start < end && edit.ifFixed !== "pass");
}

/** The texts of parts with the changes made; undefined where none changes. */
export function renderedParts(parts: readonly Part[]): readonly (string | undefined)[] | undefined {
  return parts.some(({ lane }) => lane.edits.length > 0) ? parts.map(rendered) : undefined;
}

/** The part's text up to an offset of the lane, with the changes made that begin before it. */
export function cut(part: Part, at: number): string | undefined {
  const { text } = part.delta;
  const kept = at - part.start;
  const shorter = { ...part, delta: { ...part.delta, text: text.slice(0, kept) } };
  return rendered(shorter) ?? (kept < text.length ? shorter.delta.text : undefined);
}

/** What a choice has said; `whole`: the end of the answer leaves it as it was. */
export interface Spoken {
  readonly text: string;
  readonly whole: boolean;
}

/** What each choice has said in these parts, for answers that are given anew. The answer ends within part `end`; undefined: as a whole. */
export function saidBefore(parts: readonly Part[], texts: readonly (string | undefined)[], end?: number): readonly Spoken[] {
  const spoken: Spoken[] = [];
  for (const [index, { delta }] of parts.entries()) {
    const { choice, channel } = delta;
    while (spoken.length <= choice && spoken.length < CHOICES_MAX) spoken.push({ text: "", whole: end !== undefined });
    const known = spoken[choice];
    if (known === undefined || delta.repeats === true) continue;
    const isText = channel === "content";
    const text = isText ? known.text + (texts[index] ?? delta.text) : known.text;
    // Only texts are given anew: a choice with calls is not whole without them.
    spoken[choice] = { text, whole: known.whole && isText && end !== undefined && index < end };
  }
  return spoken;
}
const CHOICES_MAX = 128;
