import type { AnswerGuard, CallVerdict, GuardEvidence, LaneReader, LaneStep, TextEdit, WholeAnswer } from "../../core/guard.ts";
import type { Marks } from "../../core/stage.ts";
import type { LaneId, ToolCall } from "../../core/view.ts";
import type { WorkGuard } from "../work.ts";
import { INTERNAL } from "./stops.ts";

type Withhold = Extract<CallVerdict, { readonly kind: "withhold" }>;
/** What a guard may do wrong, for the record. */
export type GuardFault = "exception" | "contradiction";

/**
 * A guard at work on one answer. Everything that is asked of it goes through here: what it throws, and what it says against the
 * contract of guards, is a fault of its stage. From then on it is not asked any more.
 */
export class Seat {
  readonly stage: WorkGuard["stage"];
  readonly mode: WorkGuard["mode"];
  readonly onFault: WorkGuard["onFault"];
  /** In shadow and warn a guard is asked, and nothing it says is done. */
  readonly acts: boolean;
  readonly #guard: AnswerGuard;
  #fault: GuardFault | undefined;

  constructor({ stage, mode, onFault, guard }: WorkGuard) {
    this.stage = stage;
    this.mode = mode;
    this.onFault = onFault;
    this.acts = mode === "enforce";
    this.#guard = guard;
  }

  /** It may want an answer withheld for the sake of a call in it. */
  get judges(): boolean {
    return this.acts && this.#guard.judgeCall !== undefined;
  }
  get fault(): GuardFault | undefined {
    return this.#fault;
  }
  /** It failed, and the policy says that nothing passes without it. */
  get broken(): boolean {
    return this.#fault !== undefined && this.acts && this.onFault === "closed";
  }

  begin(found: Marks): void {
    if (this.#ask((guard) => guard.begin?.(found)) === "fault") this.#fault = "exception";
  }
  openLane(lane: LaneId, tool: string | undefined, repeats: boolean, after?: LaneReader): LaneReader | undefined {
    if (lane.channel === "address" && this.#guard.readsAddresses !== true) return undefined;
    return this.#ask((guard) => guard.openLane?.(lane, tool, repeats, after));
  }
  judgesCall({ name, offeredAs }: Omit<ToolCall, "arguments">): boolean {
    return this.#guard.judgeCall !== undefined && this.#ask((guard) => guard.judgesCall?.(name, offeredAs)) === true;
  }
  judgeCall(call: ToolCall): CallVerdict | undefined {
    return this.#ask((guard) => (this.acts || guard.foreseeCall === undefined ? guard.judgeCall?.(call) : guard.foreseeCall(call)));
  }
  /** What it was withheld for has not been done where it fails: the answer ends, whatever the fault mode. */
  endWithheld({ end }: Withhold, answer: WholeAnswer | undefined): ReturnType<Withhold["end"]> {
    return this.#ask(() => end(answer)) ?? { stop: INTERNAL, kept: false };
  }
  evidence(): GuardEvidence | undefined {
    return this.#ask((guard) => guard.evidence());
  }
  /** Shows a reader of its own the next piece of a lane. */
  push(reader: LaneReader, piece: string): LaneStep | undefined {
    if (this.#fault !== undefined) return undefined;
    try {
      return reader.push(piece);
    } catch {
      this.#fault = "exception";
      return undefined;
    }
  }
  end(reader: LaneReader): LaneStep | undefined {
    return this.#ask(() => reader.end());
  }
  pause(reader: LaneReader): LaneStep | undefined {
    return this.#ask(() => (reader.pause === undefined ? { ...reader.end(), decided: Number.POSITIVE_INFINITY } : reader.pause()));
  }
  late(reader: LaneReader): LaneStep | undefined {
    return this.#ask(() => reader.late?.());
  }
  /** It said what cannot be. */
  contradicts(): void {
    this.#fault ??= "contradiction";
  }

  #ask<T>(ask: (guard: AnswerGuard) => T): T | undefined {
    if (this.#fault !== undefined) return undefined;
    try {
      return ask(this.#guard);
    } catch {
      // The cause may hold content: it stays out of log and record.
      this.#fault = "exception";
      return undefined;
    }
  }
}

/** Does the step keep to the contract: nothing taken back, changes in order and within what it decides, a stop within what it saw? */
export function isSound({ decided, edits, stop }: LaneStep, before: number, seen: number): boolean {
  if (!(decided >= before)) return false;
  let at = before;
  for (const edit of edits) {
    if (!(edit.start >= at && edit.end > edit.start && edit.end <= decided && edit.end <= seen)) return false;
    at = edit.end;
  }
  return stop === undefined || (stop.at >= before && stop.at <= seen);
}

/** What is left of a change where earlier stages have changes of their own: the first piece says its text, the others are cut. */
export function without(edit: TextEdit, others: readonly TextEdit[]): readonly TextEdit[] {
  const pieces: TextEdit[] = [];
  let at = edit.start;
  for (const other of others) {
    if (other.end <= at) continue;
    if (other.start >= edit.end) break;
    if (other.start > at) pieces.push({ ...edit, start: at, end: other.start, text: pieces.length === 0 ? edit.text : "" });
    at = other.end;
  }
  if (at < edit.end) pieces.push(at === edit.start ? edit : { ...edit, start: at, text: pieces.length === 0 ? edit.text : "" });
  return pieces;
}
