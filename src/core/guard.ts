/**
 * How a rule looks at an answer while it comes: the contract between stages, which know rules, and the pipeline, which knows frames.
 *
 * An answer's text comes in lanes: one for each (choice, block, channel). A guard opens a reader for each lane that it cares for. The
 * reader takes the lane's text piece by piece, in any cut, and says up to where it has decided, and what is to be changed there. All
 * guards read the same text, the provider's; where the changes of two overlap, those of the earlier stage hold. The pipeline holds
 * back just the frames whose text is not decided by all guards, so a frame that no guard changes leaves with its own bytes.
 *
 * What a guard says of a lane must not depend on how its text was cut (invariant I8): whole answers go through the same readers.
 */
import type { Denial } from "./denials.ts";
import type { StageEvidence } from "./record.ts";
import type { Marks } from "./stage.ts";
import type { LaneId, ToolCall } from "./view.ts";

/**
 * A stretch of a lane's text, UTF-16 offsets from the lane's beginning, and what stands in its place. Never empty.
 *
 * Where a lane holds JSON (arguments of a tool, structured output), a guard sees it with the escapes of its strings undone, and gives
 * its changes in plain text: the pipeline writes them as JSON again, and leaves what is no string or number as it is.
 */
export interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** What stands there where the change touches a JSON number: another number. Absent: the changed number becomes a string, unless it still is one. */
  readonly inNumber?: string;
  /** Where the text cannot be changed (the provider signed it): it passes as it is. Absent: the answer is ended. */
  readonly ifFixed?: "pass";
  /** It is about what goes on in another block: a text that repeats this one cannot be told by itself to need it. */
  readonly seam?: true;
}

/** How an answer is ended before its time. What stands before the offset is passed on. */
export type Stop =
  /** As one that met its length: the caller's or the policy's own cap. */
  | { readonly kind: "length"; readonly denial: Denial }
  /** As the dialect ends filtered answers; `text` is said in place of the rest. */
  | { readonly kind: "filtered"; readonly denial: Denial; readonly text?: string }
  /** As an error that the SDK raises. Before anything was sent: a refusal with the code's own status. */
  | { readonly kind: "refuse"; readonly denial: Denial };

export interface LaneStep {
  /** Offset up to which the lane is decided; never goes back. `Infinity`: this reader is done with the lane. */
  readonly decided: number;
  /** Changes that end at or before `decided` and were not given before; in order, not overlapping. */
  readonly edits: readonly TextEdit[];
  /** `at` is no further than the text that was seen, and no earlier than what was decided before. */
  readonly stop?: { readonly at: number; readonly stop: Stop };
}
export interface LaneReader {
  /** It takes the text as it is written, escapes of JSON and all (`TextEdit`): one that reads JSON itself. It decides nothing or all, and edits nothing. */
  readonly raw?: true;
  push(text: string): LaneStep;
  /** The lane's end: everything is decided. Behind a `pause`: no block follows. */
  end(): LaneStep;
  /**
   * The lane's end where callers may put another block behind it without a break: what could go on there stays open. Absent: the guard
   * looks at each block by itself, and `end` is called.
   */
  pause?(): LaneStep;
  /** Behind a `pause`: what the text of the blocks that follow has decided about this one since. */
  late?(): LaneStep;
}

/** What becomes of a tool call whose name and arguments are whole. */
export type CallVerdict =
  /** `giveBack` is called where the call does not reach the caller after all: the answer ended before its frame left, and is not kept. */
  | { readonly kind: "pass"; readonly giveBack?: () => void }
  | { readonly kind: "stop"; readonly stop: Stop }
  /** The answer goes on without the call; where that cannot be, it ends before it with `stop`. */
  | { readonly kind: "remove"; readonly stop: Stop }
  /**
   * The caller gets no more of this answer, but the rest of it is read. Where nothing else ends it (a later call that is refused, another
   * rule), the first such verdict says how it ends, once: so that nobody is asked about an answer that then ends otherwise. It hears of the
   * whole as the caller would have got it; undefined where that is larger than `WITHHELD_BYTES_MAX` or did not come to its end.
   */
  | { readonly kind: "withhold"; readonly end: (answer: WholeAnswer | undefined) => { readonly stop: Stop; readonly kept: boolean } };
export interface WholeAnswer {
  readonly contentType: string;
  readonly body: Uint8Array;
}

export interface AnswerGuard {
  /**
   * Before anything of the answer: what all stages together found in the request, those that came after this guard's own included.
   * `fault`: it could not do what has to be done about it, as if it had thrown.
   */
  begin?(found: Marks): "fault" | undefined;
  /** It looks at addresses of files too (`LaneId.channel`). */
  readonly readsAddresses?: true;
  /**
   * undefined: this guard does not care for the lane. `tool` is set where the lane is the arguments of a call. `repeats`: the text was
   * streamed before and comes again whole (OpenAI's `response.completed`): judged the same, counted once. `after`: the guard's own reader
   * of the block before, which is paused, and whose text this one goes on.
   */
  openLane?(lane: LaneId, tool: string | undefined, repeats: boolean, after?: LaneReader): LaneReader | undefined;
  /**
   * Judges a call before any of it is released: its frames wait until its arguments are whole. `true` of `judgesCall`: this one
   * must wait; false: its name is enough to let it pass.
   */
  judgesCall?(name: string, offeredAs?: string): boolean;
  /** `arguments` is the JSON that the caller would get, with the changes of all guards made. */
  judgeCall?(call: ToolCall): CallVerdict;
  /** What `judgeCall` would say, where nothing is done about it: nobody is asked, nothing is used up. Absent: `judgeCall` does nothing else. */
  foreseeCall?(call: ToolCall): CallVerdict;
  /** Did untrusted content come into the answer itself, from a tool that the provider ran? Asked when what the answer made is remembered. */
  taints?(): boolean;
  /** What the record says of it, once, at the end; undefined: nothing. Never content. */
  evidence(): GuardEvidence | undefined;
}
export interface GuardEvidence {
  readonly verdict: "allow" | "deny";
  readonly denial?: Denial;
  readonly reason?: string;
  /** Kinds of data that the model brought up itself: they raise the class of the exchange. */
  readonly entities?: readonly string[];
  readonly evidence?: StageEvidence;
}
