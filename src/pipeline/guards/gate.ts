/**
 * Lets a streamed or whole answer pass as the guards decide.
 *
 * Frames come in as the codec reads them and leave in the same order. A frame leaves once every guard that may act has decided all
 * its text and the calls that begin in it were judged: with its own bytes where nothing in it changes, else rewritten. So what is
 * held is what a guard could still need, and comments or pings that come meanwhile wait behind it.
 *
 * A change may reach over several frames: its text goes into the one in which it begins, the rest of the stretch is cut out of those
 * that follow. What cannot be changed and would have to be ends the answer. So does a guard that fails where its stage fails closed.
 *
 * What is decided depends on the frames alone, never on how their bytes were cut: each frame is judged before the next is looked at.
 */
import type { Frame } from "../../core/codec.ts";
import type { CallVerdict, Stop } from "../../core/guard.ts";
import { parseJsonValue } from "../../core/json.ts";
import { GUARDED_BYTES_MAX, GUARDED_LANES_MAX, WITHHELD_BYTES_MAX } from "../../core/limits.ts";
import { Slice, type Steps } from "../../core/slice.ts";
import type { Delta, LaneId, ToolCall } from "../../core/view.ts";
import type { WorkGuard } from "../work.ts";
import { Keeper } from "./keeper.ts";
import { Lane } from "./lane.ts";
import { cut, type Part, rendered, renderedParts, saidBefore } from "./part.ts";
import { Seat } from "./seat.ts";

/** What the gate lets through, and whether the answer ends with it. */
export interface Passed {
  /** In order, joined they go to the caller. */
  readonly bytes: readonly Uint8Array[];
  /** The answer ends here: what follows is dropped. */
  readonly stop?: { readonly stop: Stop; readonly said: string };
  /** All of these bytes are of frames that are `alike`. */
  readonly alike?: boolean;
  /** There is more to do than one turn of the event loop should: call `resume`. */
  readonly more: boolean;
}

/** A frame that waits, or is being read. */
interface Held {
  readonly frame: Frame;
  readonly parts: Part[];
  /** Calls that begin in it and are not judged. */
  unjudged: number;
  /** The answer ends before this frame. */
  stop?: Stop;
  /** The caller's answer ends before this frame, and the rest is kept. */
  withhold?: Extract<CallVerdict, { readonly kind: "withhold" }>;
}
interface Call {
  readonly call: Omit<ToolCall, "arguments">;
  readonly held: Held;
  readonly seats: readonly Seat[];
  /** The call's frame waits. */
  readonly waits: boolean;
  /** Its arguments; of one that does not wait, no more than `GUARDED_BYTES_MAX`. */
  readonly parts: Part[];
  units: number;
}

/** UTF-16 units that guards are shown in one go, and in one turn of the event loop. */
const PIECE_CHARS = 8_192;
const TURN_CHARS = 32_768;
/** What a text costs by itself, in units: its lane and its readers. */
const DELTA_CHARS = 64;
const NO_BYTES: readonly Uint8Array[] = [];
const NOTHING: Passed = { bytes: NO_BYTES, more: false };
const INTERNAL: Stop = {
  kind: "refuse",
  denial: { code: "internal", detail: "A rule on the answer failed, and nothing passes without it." },
};

export class Gate {
  readonly seats: readonly Seat[];
  readonly #heldBytesMax: number;
  /** What leaves, where a guard may want the whole answer kept. */
  readonly #keeper: Keeper | undefined;
  readonly #lanes = new Map<string, Lane>();
  readonly #calls = new Map<string, Call>();
  /** Names of tools by lane, for guards to know whose arguments they read. */
  readonly #tools = new Map<string, string>();
  readonly #acts: boolean;
  #unread: Frame[] = [];
  #ending = false;
  /** Frames that were read and wait. */
  #queue: Held[] = [];
  #heldBytes = 0;
  #unreadBytes = 0;
  /** Where the frame at hand is read on. */
  #reading: { readonly held: Held; delta: number; at: number } | undefined;
  #over = false;
  /** The front frame of the queue, while it is written with its changes. */
  #writing: Steps<Uint8Array | undefined> | undefined;
  /** Of what was let through in this turn. */
  #alike = true;
  /** The lane of the latest text, while it is open. */
  #latest: Lane | undefined;

  /** `heldBytesMax`: bytes of frames that may wait; past it the answer is ended. `contentType`: of the answer. */
  constructor(guards: readonly WorkGuard[], heldBytesMax: number, contentType = "") {
    this.seats = guards.map((guard) => new Seat(guard));
    this.#acts = this.seats.some(({ acts }) => acts);
    this.#heldBytesMax = heldBytesMax;
    if (this.seats.some(({ judges }) => judges)) this.#keeper = new Keeper(contentType, WITHHELD_BYTES_MAX);
  }

  /** Bytes of the frames that wait. */
  get heldBytes(): number {
    return this.#heldBytes + this.#unreadBytes + (this.#keeper?.bytes ?? 0);
  }

  push(frames: readonly Frame[]): Passed {
    if (this.#over) return NOTHING;
    this.#unread.push(...frames);
    for (const { bytes } of frames) this.#unreadBytes += bytes.length;
    return this.resume();
  }

  /** The answer's end, with the last frames: everything is decided. `complete`: it came to its own end. */
  end(frames: readonly Frame[], complete = false): Passed {
    this.#ending = true;
    this.#keeper?.ends(complete);
    return this.push(frames);
  }

  /** Goes on where the last turn left off. */
  resume(): Passed {
    const bytes: Uint8Array[] = [];
    this.#alike = true;
    const ended = this.#writing === undefined ? undefined : this.#release(bytes);
    if (ended !== undefined) return ended;
    let left = TURN_CHARS;
    while (!this.#over) {
      if (this.#reading === undefined) {
        const frame = this.#unread.shift();
        if (frame === undefined) break;
        if (!this.#acts) this.#give(bytes, frame.bytes, frame);
        this.#begin(frame);
      }
      left = this.#read(left);
      if (this.#reading !== undefined) return { bytes, more: true };
      const stop = this.#release(bytes);
      if (stop !== undefined) return stop;
      if (left <= 0 && this.#unread.length > 0) return { bytes, more: true };
    }
    if (this.#over || !this.#ending) return { bytes, alike: this.#alike, more: false };
    this.#endLanes("all");
    const stop = this.#release(bytes);
    if (stop?.more === true) return stop;
    this.#over = true;
    const withheld = this.#keeper?.finish();
    return stop ?? (withheld === undefined ? { bytes, more: false } : { bytes, stop: withheld, more: false });
  }

  /** Ends the work: what waits is dropped. */
  close(): void {
    this.#over = true;
    this.#queue = [];
    this.#unread = [];
    this.#reading = undefined;
    this.#writing = undefined;
    this.#heldBytes = 0;
    this.#unreadBytes = 0;
    this.#lanes.clear();
    this.#calls.clear();
    this.#keeper?.close();
  }

  #give(bytes: Uint8Array[], out: Uint8Array, frame: Frame): void {
    this.#alike &&= frame.alike === true;
    bytes.push(out);
  }

  #begin(frame: Frame): void {
    const held: Held = { frame, parts: [], unjudged: 0 };
    this.#unreadBytes -= frame.bytes.length;
    if (this.#acts) {
      this.#queue.push(held);
      this.#heldBytes += frame.bytes.length;
    }
    if (frame.calls !== undefined) for (const call of frame.calls) this.#beginCall(call, held);
    this.#reading = { held, delta: 0, at: 0 };
  }

  #beginCall(call: Omit<ToolCall, "arguments">, held: Held): void {
    const key = keyOf({ ...call, channel: "tool_arguments" });
    this.#renamed(key, call, held);
    this.#tools.set(key, call.name);
    const seats = this.seats.filter((seat) => seat.judgesCall(call.name));
    if (seats.length === 0 || this.#calls.has(key)) return;
    const waits = seats.some(({ acts }) => acts);
    if (waits) held.unjudged += 1;
    this.#calls.set(key, { call, held, seats, waits, parts: [], units: 0 });
  }

  /**
   * A second name in the place of a call that waits. Servers that count no calls send one after the other there: what is whole is
   * judged before the next begins. Where it is not, nobody can say whose arguments follow.
   */
  #renamed(key: string, { name }: Omit<ToolCall, "arguments">, held: Held): void {
    const before = this.#calls.get(key);
    if (before === undefined || before.call.name === name) return;
    if (before.waits && !isWholeJson(before.parts.map(({ delta }) => delta.text).join(""))) held.stop ??= RENAMED;
    else this.#endLanes([{ choice: before.call.choice, block: before.call.block, channel: "tool_arguments" }], held);
  }

  /** Shows the guards at most `left` units of the frame at hand. */
  #read(left: number): number {
    const reading = this.#reading;
    if (reading === undefined) return left;
    const { held } = reading;
    const { deltas, ends } = held.frame;
    for (let delta = deltas[reading.delta]; delta !== undefined; delta = deltas[reading.delta]) {
      if (held.parts.length === reading.delta) this.#beginPart(held, delta);
      const part = held.parts.at(-1);
      while (part !== undefined && reading.at < delta.text.length) {
        if (left <= 0) return left;
        const piece = delta.text.slice(reading.at, reading.at + PIECE_CHARS);
        part.lane.push(piece);
        reading.at += piece.length;
        left -= piece.length;
      }
      if (delta.repeats === true) part?.lane.end();
      left -= DELTA_CHARS;
      reading.delta += 1;
      reading.at = 0;
    }
    if (ends !== undefined) this.#endLanes(ends, held);
    this.#reading = undefined;
    return left;
  }

  #beginPart(held: Held, delta: Delta): void {
    const latest = this.#latest;
    // Most texts go on where the one before left off. What arguments belong to, calls know.
    if (latest !== undefined && delta.repeats !== true && delta.channel !== "tool_arguments" && isOf(latest.id, delta)) {
      held.parts.push(partOf(held, delta, latest));
      return;
    }
    const key = keyOf(delta);
    const repeats = delta.repeats === true;
    let lane = repeats ? undefined : this.#lanes.get(key);
    if (lane === undefined) {
      // A call that the codec could not name is judged too, by no name.
      if (delta.channel === "tool_arguments" && !this.#tools.has(key)) this.#beginCall({ ...idOf(delta), name: "", id: "" }, held);
      lane = new Lane(idOf(delta), this.seats, { tool: this.#tools.get(key), repeats });
      if (!repeats) this.#lanes.set(key, lane);
      if (this.#lanes.size > GUARDED_LANES_MAX) held.stop ??= TOO_MANY;
    }
    if (!repeats) this.#latest = lane;
    const part = partOf(held, delta, lane);
    held.parts.push(part);
    const call = repeats ? undefined : this.#calls.get(key);
    if (call === undefined) return;
    call.parts.push(part);
    call.units += delta.text.length;
    if (!call.waits && call.units > GUARDED_BYTES_MAX) this.#calls.delete(key);
  }

  #endLanes(ends: readonly LaneId[] | "all", held?: Held): void {
    this.#latest = undefined;
    const keys = ends === "all" ? [...this.#lanes.keys()] : ends.map(keyOf);
    for (const key of keys) {
      const lane = this.#lanes.get(key);
      if (lane === undefined) continue;
      lane.end();
      this.#lanes.delete(key);
      // A guard may end an answer for what a lane that has left already turned out to be.
      const { stop } = lane;
      if (stop !== undefined && stop.at >= lane.length) this.#placeStop(lane, stop, held);
    }
    for (const [key, call] of this.#calls) if (ends === "all" || keys.includes(key)) this.#judge(key, call);
  }

  #placeStop(lane: Lane, { stop }: NonNullable<Lane["stop"]>, held: Held | undefined): void {
    const waits = this.#queue.some(({ parts }) => parts.some((part) => part.lane === lane));
    if (waits) return;
    if (held !== undefined) held.stop ??= stop;
    else this.#queue.push({ frame: NO_FRAME, parts: [], unjudged: 0, stop });
  }

  #judge(key: string, { call, held, seats, waits, parts }: Call): void {
    this.#calls.delete(key);
    const whole = { ...call, arguments: parts.map((part) => rendered(part) ?? part.delta.text).join("") };
    for (const seat of seats) {
      const verdict = seat.judgeCall(whole);
      if (!seat.acts || verdict === undefined || verdict.kind === "pass") continue;
      if (verdict.kind === "stop") held.stop ??= verdict.stop;
      else held.withhold ??= verdict;
    }
    if (waits) held.unjudged -= 1;
  }

  /** Lets go of what is decided, from the front. Gives the end of the answer where one is met, and what left so far where a frame is still written. */
  #release(bytes: Uint8Array[]): Passed | undefined {
    if (!this.#acts) return undefined;
    if (this.seats.some(({ broken }) => broken)) return this.#stop(bytes, INTERNAL);
    let gone = 0;
    for (const held of this.#queue) {
      if (held.stop !== undefined) return this.#stop(bytes, held.stop, held);
      const stopped = this.#decidedTo(held);
      if (stopped === undefined) break;
      if (stopped >= 0) return this.#stopWithin(bytes, held, stopped);
      if (held.unjudged > 0) break;
      const out = this.#writing === undefined ? this.#bytesOf(held, renderedParts(held.parts)) : this.#writeOn(this.#writing);
      if (out === "later") {
        this.#queue.splice(0, gone);
        return { bytes, more: true };
      }
      if (out === undefined) return this.#stop(bytes, UNCHANGEABLE, held);
      if (held.withhold !== undefined) this.#keeper?.withhold(held.withhold, this.#said(held));
      if (this.#keeper?.take(out) !== true) this.#give(bytes, out, held.frame);
      if (this.#keeper?.isFull === true) return this.#stop(bytes, INTERNAL);
      gone += 1;
      this.#heldBytes -= held.frame.bytes.length;
      for (const { lane, start, delta } of held.parts) lane.forget(start + delta.text.length);
    }
    if (gone > 0) this.#queue.splice(0, gone);
    return this.#heldBytes > this.#heldBytesMax ? this.#stop(bytes, TOO_MUCH) : undefined;
  }

  /** The index of the part that the answer ends within; -1: of none; undefined: what stands before is not decided. */
  #decidedTo({ parts }: Held): number | undefined {
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index];
      if (part === undefined) break;
      const { lane, start, delta } = part;
      const end = start + delta.text.length;
      const at = lane.stop?.at;
      if (at !== undefined && at >= start && at <= end) return index;
      if (lane.decided < end) return undefined;
    }
    return -1;
  }

  /** `texts` undefined: none changes. undefined: a text would have to change that cannot. */
  #bytesOf({ frame, parts }: Held, texts: readonly (string | undefined)[] | undefined): Uint8Array | "later" | undefined {
    if (texts === undefined || texts.every((text) => text === undefined)) return frame.bytes;
    if (parts.some(({ fixed }, index) => fixed && texts[index] !== undefined)) return undefined;
    if (frame.rewriteSteps === undefined) return frame.rewrite?.(texts);
    this.#writing = frame.rewriteSteps(texts);
    return "later";
  }

  /** Writes the front frame for a slice of the event loop. */
  #writeOn(steps: Steps<Uint8Array | undefined>): Uint8Array | "later" | undefined {
    const slice = new Slice();
    while (!slice.isOver()) {
      const { done, value } = steps.next();
      if (done !== true) continue;
      this.#writing = undefined;
      return value;
    }
    return "later";
  }

  /** The answer ends within a frame: what stands before the offset is passed on, where the frame can be written so. */
  #stopWithin(bytes: Uint8Array[], held: Held, index: number): Passed {
    const part = held.parts[index];
    const stop = part?.lane.stop;
    if (part === undefined || stop === undefined) return this.#stop(bytes, INTERNAL, held);
    const texts = held.parts.map((other, at) => (at < index ? rendered(other) : at > index ? "" : cut(other, stop.at)));
    const begins = (held.frame.calls?.length ?? 0) > 0 || part.delta.channel === "tool_arguments";
    // Of a large frame nothing is passed on: nobody waits for its writing.
    const out = begins || held.frame.rewriteSteps !== undefined ? undefined : this.#bytesOf(held, texts);
    const withheld = this.#keeper?.withheld;
    if (out !== undefined && out !== "later" && withheld === undefined) bytes.push(out);
    const said = saidBefore(held.parts, texts);
    this.close();
    return { bytes, stop: withheld ?? { stop: stop.stop, said }, more: false };
  }

  /** Where the rest of the answer was withheld already, that is what the caller learns. */
  #stop(bytes: Uint8Array[], stop: Stop, held?: Held): Passed {
    const ended = this.#keeper?.withheld ?? { stop, said: held === undefined ? "" : this.#said(held) };
    this.close();
    return { bytes, stop: ended, more: false };
  }

  #said({ parts }: Held): string {
    return saidBefore(parts, parts.map(rendered));
  }
}

const NO_FRAME: Frame = { bytes: new Uint8Array(0), deltas: [] };
const refuse = (detail: string): Stop => ({ kind: "refuse", denial: { code: "content_blocked", detail } });
const UNCHANGEABLE = refuse("A part of the answer that the policy changes cannot be changed.");
const TOO_MUCH = refuse("More of the answer would have to be held for inspection than may be.");
const TOO_MANY = refuse("The answer has more parts than can be inspected.");

const RENAMED = refuse("A tool call of the answer goes on under another name.");

const isWholeJson = (text: string): boolean => parseJsonValue(text) !== undefined;
const isOf = (a: LaneId, b: LaneId): boolean => a.choice === b.choice && a.block === b.block && a.channel === b.channel;
const partOf = ({ frame }: Held, delta: Delta, lane: Lane): Part => ({
  delta,
  lane,
  start: lane.length,
  fixed: frame.rewrite === undefined || delta.signed === true,
});
const idOf = ({ choice, block, channel }: LaneId): LaneId => ({ choice, block, channel });
const keyOf = ({ choice, block, channel }: LaneId): string => `${choice}/${block}/${channel}`;
