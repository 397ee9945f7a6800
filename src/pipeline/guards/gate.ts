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
import type { CallRemover, Frame } from "../../core/codec.ts";
import type { Stop } from "../../core/guard.ts";
import { GUARDED_LANES_MAX, WITHHELD_BYTES_MAX } from "../../core/limits.ts";
import { finish, Slice, type Steps } from "../../core/slice.ts";
import type { Delta, LaneId, ToolCall } from "../../core/view.ts";
import type { WorkGuard } from "../work.ts";
import { Calls, type Held, keyOf } from "./calls.ts";
import { type Ended, Keeper } from "./keeper.ts";
import { Lane } from "./lane.ts";
import { cut, idOf, isOf, partOf, rendered, renderedParts, saidBefore } from "./part.ts";
import { Seams } from "./seams.ts";
import { Seat } from "./seat.ts";
import { AMBIGUOUS, INTERNAL, TOO_MANY, TOO_MUCH, UNCHANGEABLE } from "./stops.ts";
import { FrameWriter } from "./writer.ts";

/** What the gate lets through, and whether the answer ends with it. */
export interface Passed {
  /** In order, joined they go to the caller. */
  readonly bytes: readonly Uint8Array[];
  /** The answer ends here: what follows is dropped. */
  readonly stop?: Ended;
  /** All of these bytes are of frames that are `alike`. */
  readonly alike?: boolean;
  /** There is more to do than one turn of the event loop should: call `resume`. */
  readonly more: boolean;
}

/** UTF-16 units that guards are shown in one go, and in one turn of the event loop. */
const PIECE_CHARS = 8_192;
const TURN_CHARS = 32_768;
/** Frames that leave in one turn at most, and between two looks at the clock. */
const FRAMES_AT_ONCE = 512;
const FRAMES_TIMED = 8;
/** What a text costs by itself, in units: its lane and its readers. */
const DELTA_CHARS = 64;
const NO_BYTES: readonly Uint8Array[] = [];
const NOTHING: Passed = { bytes: NO_BYTES, more: false };
export class Gate {
  readonly seats: readonly Seat[];
  readonly #heldBytesMax: number;
  /** What leaves, where a guard may want the whole answer kept. */
  readonly #keeper: Keeper | undefined;
  readonly #lanes = new Map<string, Lane>();
  readonly #seams = new Seams();
  readonly #calls: Calls;
  readonly #writer: FrameWriter;
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
  /** Lanes and calls that end with the frame that was read last. */
  #closing: Steps<void> | undefined;
  /** There is more to let go of. */
  #releasing = false;
  /** Of what was let through in this turn. */
  #alike = true;
  /** The lane of the latest text, while it is open. */
  #latest: Lane | undefined;

  /** `heldBytesMax`: bytes of frames that may wait; past it the answer is ended. `contentType`: of the answer. */
  constructor(guards: readonly WorkGuard[], heldBytesMax: number, contentType = "", remover?: CallRemover) {
    this.seats = guards.map((guard) => new Seat(guard));
    this.#calls = new Calls(this.seats, { removes: remover !== undefined });
    this.#writer = new FrameWriter(this.#calls, remover);
    this.#acts = this.seats.some(({ acts }) => acts);
    this.#heldBytesMax = heldBytesMax;
    if (this.seats.some(({ judges }) => judges)) this.#keeper = new Keeper(contentType, WITHHELD_BYTES_MAX);
  }

  /** Bytes of the frames that wait. */
  get heldBytes(): number {
    return this.#heldBytes + this.#unreadBytes + (this.#keeper?.bytes ?? 0);
  }

  /** The answer went on without a call that it had. */
  get hasRemoved(): boolean {
    return this.#calls.removal !== undefined;
  }

  push(frames: readonly Frame[]): Passed {
    if (this.#over) return NOTHING;
    for (const frame of frames) {
      this.#unread.push(frame);
      this.#unreadBytes += frame.bytes.length;
    }
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
    const ended = this.#releasing ? this.#release(bytes) : undefined;
    if (ended !== undefined) return ended;
    let left = TURN_CHARS;
    while (!this.#over) {
      if (this.#reading === undefined && this.#closing === undefined) {
        const frame = this.#unread.shift();
        if (frame === undefined) break;
        if (!this.#acts) this.#give(bytes, frame.bytes, frame);
        this.#begin(frame);
      }
      left = this.#read(left);
      if (this.#reading !== undefined || !this.#isClosed()) return { bytes, more: true };
      const stop = this.#release(bytes);
      if (stop !== undefined) return stop;
      if (left <= 0 && this.#unread.length > 0) return { bytes, more: true };
    }
    if (this.#over || !this.#ending) return { bytes, alike: this.#alike, more: false };
    this.#closing = this.#close("all");
    if (!this.#isClosed()) return { bytes, more: true };
    const stop = this.#release(bytes);
    if (stop?.more === true) return stop;
    this.#over = true;
    const withheld = this.#keeper?.finish();
    this.#keeper?.close();
    return stop ?? (withheld === undefined ? { bytes, more: false } : { bytes, stop: withheld, more: false });
  }

  /** Ends the work: what waits is dropped. */
  close(): void {
    this.#over = true;
    for (const { giveBacks = [] } of this.#queue) for (const giveBack of giveBacks) giveBack();
    this.#queue = [];
    this.#unread = [];
    this.#reading = undefined;
    this.#closing = undefined;
    this.#releasing = false;
    this.#writer.close();
    this.#heldBytes = 0;
    this.#unreadBytes = 0;
    this.#lanes.clear();
    this.#seams.close();
    this.#calls.close();
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
    // Whoever judges calls can judge one reading alone.
    if (frame.ambiguous === true && this.#keeper !== undefined) held.stop = AMBIGUOUS;
    if (frame.calls !== undefined) for (const call of frame.calls) this.#beginCall(call, held);
    this.#reading = { held, delta: 0, at: 0 };
  }

  #beginCall(call: Omit<ToolCall, "arguments">, held: Held): void {
    this.#finished(this.#seams.breakOff(call.choice), held);
    this.#calls.begin(call, held, (lane) => finish(this.#close([lane], held)));
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
    if (ends !== undefined) this.#closing = this.#close(ends, held);
    this.#reading = undefined;
    return left;
  }

  #beginPart(held: Held, delta: Delta): void {
    const latest = this.#latest;
    // Most texts go on where the one before left off. What arguments belong to, calls know.
    if (latest !== undefined && delta.repeats !== true && delta.channel !== "tool_arguments" && isOf(latest.id, delta)) {
      held.parts.push(partOf(held.frame, delta, latest));
      return;
    }
    const key = keyOf(delta);
    const repeats = delta.repeats === true;
    let lane = repeats ? undefined : this.#lanes.get(key);
    if (lane === undefined) {
      // A call that the codec could not name is judged too, by no name.
      if (delta.channel === "tool_arguments" && this.#calls.toolOf(key) === undefined)
        this.#beginCall({ ...idOf(delta), name: "", id: "" }, held);
      const tool = this.#calls.toolOf(key);
      lane = repeats ? new Lane(idOf(delta), this.seats, { tool, repeats, seams: this.#seams }) : this.#beginLane(delta, held);
      if (this.#lanes.size > GUARDED_LANES_MAX || this.#seams.isFull) held.stop ??= TOO_MANY;
    }
    if (!repeats) this.#latest = lane;
    const part = partOf(held.frame, delta, lane);
    held.parts.push(part);
    if (!repeats) this.#calls.add(key, part, held);
  }

  #beginLane(delta: Delta, held: Held): Lane {
    const seams = this.#seams;
    const key = keyOf(delta);
    const whole = seams.wholeBefore(delta, held);
    if (whole !== undefined) this.#lanes.delete(keyOf(whole.id));
    const after = seams.before(delta);
    const lane = new Lane(idOf(delta), this.seats, { tool: this.#calls.toolOf(key), repeats: false, after, seams });
    this.#finished(seams.begin(lane, after), held);
    this.#lanes.set(key, lane);
    return lane;
  }

  /** Ends lanes, and judges the calls that are whole: one after the other. */
  *#close(ends: readonly LaneId[] | "all", held?: Held): Steps<void> {
    this.#latest = undefined;
    const keys = ends === "all" ? [...this.#lanes.keys()] : ends.map(keyOf);
    for (const key of keys) {
      const lane = this.#lanes.get(key);
      if (lane === undefined) continue;
      if (ends !== "all" && this.#seams.mayGoOn(lane)) lane.pause();
      else lane.end();
      this.#lanes.delete(key);
      this.#finished(lane, held);
      yield;
    }
    if (ends === "all") for (const lane of this.#seams.breakAll()) this.#finished(lane, held);
    for (const key of [...this.#calls.open].filter((open) => ends === "all" || keys.includes(open))) {
      this.#calls.judge(key);
      yield;
    }
  }

  /** Goes on with what ends for a slice of the event loop. True: it is done. */
  #isClosed(): boolean {
    if (this.#closing === undefined) return true;
    const slice = new Slice();
    while (this.#closing.next().done !== true) if (slice.isOver()) return false;
    this.#closing = undefined;
    return true;
  }

  /** A guard may end an answer for what a lane that has left already turned out to be. */
  #finished(lane: Lane | undefined, held: Held | undefined): void {
    const stop = lane?.stop;
    if (lane !== undefined && stop !== undefined && stop.at >= lane.length) this.#placeStop(lane, stop, held);
  }

  #placeStop(lane: Lane, { stop }: NonNullable<Lane["stop"]>, held: Held | undefined): void {
    const waits = this.#queue.some(({ parts }) => parts.some((part) => part.lane === lane));
    if (waits) return;
    if (held !== undefined) held.stop ??= stop;
    else this.#queue.push({ frame: NO_FRAME, parts: [], unjudged: 0, stop });
  }

  /** Lets go of what is decided, from the front. Gives the end of the answer where one is met, and what left so far where a frame is still written. */
  #release(bytes: Uint8Array[]): Passed | undefined {
    if (!this.#acts) return undefined;
    if (this.seats.some(({ broken }) => broken)) return this.#stop(bytes, INTERNAL);
    this.#releasing = false;
    let gone = 0;
    let slice: Slice | undefined;
    for (const held of this.#queue) {
      if (gone > 0 && gone % FRAMES_TIMED === 0) {
        if (slice?.isOver() === true || gone === FRAMES_AT_ONCE) return this.#later(bytes, gone);
        slice ??= new Slice();
      }
      if (held.stop !== undefined) return this.#stop(bytes, held.stop, held);
      const stopped = this.#decidedTo(held);
      if (stopped === undefined) break;
      if (stopped >= 0) return this.#stopWithin(bytes, held, stopped);
      if (held.unjudged > 0) break;
      for (const { delta, lane } of held.parts) if (delta.repeats === true) this.#seams.adopt(delta, lane);
      const out = this.#writer.isWriting ? this.#writer.goOn() : this.#writer.write(held, renderedParts(held.parts));
      if (out === "later") return this.#later(bytes, gone);
      if (out === undefined) return this.#stop(bytes, this.#calls.removal ?? UNCHANGEABLE, held);
      if (held.withhold !== undefined) this.#keeper?.withhold(held.withhold, this.#said(held));
      this.#alike &&= this.#calls.removal === undefined;
      if (this.#keeper?.take(out) !== true) this.#give(bytes, out, held.frame);
      else if (held.giveBacks !== undefined) this.#keeper.owes(held.giveBacks);
      delete held.giveBacks;
      if (this.#keeper?.isFull === true) return this.#stop(bytes, TOO_MUCH, held);
      gone += 1;
      this.#heldBytes -= held.frame.bytes.length;
      for (const { lane, start, delta } of held.parts) lane.forget(start + delta.text.length);
    }
    if (gone > 0) this.#queue.splice(0, gone);
    return this.#heldBytes > this.#heldBytesMax ? this.#stop(bytes, TOO_MUCH) : undefined;
  }

  #later(bytes: readonly Uint8Array[], gone: number): Passed {
    this.#queue.splice(0, gone);
    this.#releasing = true;
    return { bytes, more: true };
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

  /** The answer ends within a frame: what stands before the offset is passed on, where the frame can be written so. */
  #stopWithin(bytes: Uint8Array[], held: Held, index: number): Passed {
    const part = held.parts[index];
    const stop = part?.lane.stop;
    if (part === undefined || stop === undefined) return this.#stop(bytes, INTERNAL, held);
    const texts = held.parts.map((other, at) => (at < index ? rendered(other) : at > index ? "" : cut(other, stop.at)));
    const begins = (held.frame.calls?.length ?? 0) > 0 || part.delta.channel === "tool_arguments";
    // Of a large frame nothing is passed on: nobody waits for its writing.
    const out = begins || held.frame.rewriteSteps !== undefined ? undefined : this.#writer.write(held, texts);
    if (out !== undefined && out !== "later" && this.#keeper?.isWithheld !== true) bytes.push(out);
    return this.#ended(bytes, { stop: stop.stop, said: saidBefore(held.parts, texts, index) });
  }

  #stop(bytes: Uint8Array[], stop: Stop, held?: Held): Passed {
    return this.#ended(bytes, { stop, said: held === undefined ? [] : this.#said(held) });
  }

  /** Of a rest that was withheld nobody reads more where it is too long, or long enough: what it was withheld for says how it ends. */
  #ended(bytes: Uint8Array[], ended: Ended): Passed {
    const isLong = ended.stop === TOO_MUCH || ended.stop.kind === "length";
    const withheld = isLong ? this.#keeper?.finish() : undefined;
    this.close();
    return { bytes, stop: withheld ?? ended, more: false };
  }

  #said({ parts }: Held): Ended["said"] {
    return saidBefore(parts, parts.map(rendered));
  }
}

const NO_FRAME: Frame = { bytes: new Uint8Array(0), deltas: [] };
