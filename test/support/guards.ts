import type { Frame } from "../../src/core/codec.ts";
import type { AnswerGuard, LaneReader, LaneStep, Stop, TextEdit } from "../../src/core/guard.ts";
import type { Delta, LaneId } from "../../src/core/view.ts";
import { Gate, type Passed } from "../../src/pipeline/guards/gate.ts";
import type { WorkGuard } from "../../src/pipeline/work.ts";

/** Guards made up for tests, and answers made up of frames whose bytes are their texts. */

/** Changes every match of a word; holds what may still become one. `stop`: the answer ends at the match in place of that. */
export function wordGuard(
  word: string,
  text: string,
  { stop, more }: { readonly stop?: Stop; readonly more?: Partial<TextEdit> } = {},
): AnswerGuard {
  return { openLane: () => wordReader(word, text, stop, more), evidence: () => undefined };
}

function wordReader(word: string, text: string, stop: Stop | undefined, more: Partial<TextEdit> = {}): LaneReader {
  let all = "";
  let decided = 0;
  const step = (ended: boolean): LaneStep => {
    const edits: TextEdit[] = [];
    for (let at = all.indexOf(word, decided); at >= 0; at = all.indexOf(word, decided)) {
      decided = at + word.length;
      if (stop !== undefined) return { decided: at, edits, stop: { at, stop } };
      edits.push({ start: at, end: decided, text, ...more });
    }
    decided = ended ? all.length : Math.max(decided, all.length - heldBy(all, word));
    return { decided, edits };
  };
  return {
    push: (piece) => {
      all += piece;
      return step(false);
    },
    end: () => step(true),
  };
}

/** Length of the longest end of the text that the word begins with. */
function heldBy(all: string, word: string): number {
  for (let length = Math.min(all.length, word.length - 1); length > 0; length--) if (all.endsWith(word.slice(0, length))) return length;
  return 0;
}

export const seat = (stage: string, guard: AnswerGuard, more: Partial<WorkGuard> = {}): WorkGuard => ({
  stage,
  mode: "enforce",
  onFault: "closed",
  guard,
  ...more,
});

export const LANE: LaneId = { choice: 0, block: 0, channel: "content" };
export const REFUSE: Stop = { kind: "refuse", denial: { code: "content_blocked" } };

/** A frame that is its texts, each in `<>`. */
export function frameOf(deltas: readonly Delta[], more: Partial<Frame> = {}): Frame {
  const write = (texts: readonly (string | undefined)[]): Buffer =>
    Buffer.from(deltas.map(({ text }, index) => `<${texts[index] ?? text}>`).join(""));
  return { bytes: write([]), deltas, rewrite: write, ...more };
}

/** What comes out of a gate: bytes as text, and the stop. */
export interface Outcome {
  readonly out: string;
  readonly stop: Stop | undefined;
  readonly said: string | undefined;
}

/** Puts the frames through a gate, `chunks` of them at a time; ends it. */
export function gated(guards: readonly WorkGuard[], frames: readonly Frame[], chunk = 1, heldBytesMax = Number.POSITIVE_INFINITY): Outcome {
  return through(new Gate(guards, heldBytesMax), frames, chunk);
}

export function through(gate: Gate, frames: readonly Frame[], chunk = 1): Outcome {
  const bytes: Uint8Array[] = [];
  let stop: Passed["stop"];
  const take = (passed: Passed): void => {
    bytes.push(...passed.bytes);
    stop ??= passed.stop;
    if (passed.more) take(gate.resume());
  };
  for (let at = 0; at < frames.length; at += chunk) take(gate.push(frames.slice(at, at + chunk)));
  take(gate.end([]));
  return { out: Buffer.concat(bytes).toString(), stop: stop?.stop, said: stop === undefined ? undefined : (stop.said[0]?.text ?? "") };
}
