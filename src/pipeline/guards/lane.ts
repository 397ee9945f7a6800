import type { LaneReader, LaneStep, Stop, TextEdit } from "../../core/guard.ts";
import { LaneText } from "../../core/lane-text.ts";
import type { LaneId } from "../../core/view.ts";
import type { Seams } from "./seams.ts";
import { isSound, type Seat, without } from "./seat.ts";

/** One guard's look at the lane, in guards' offsets. */
interface Look {
  readonly seat: Seat;
  readonly reader: LaneReader;
  decided: number;
  /** Given, and waiting for the word of earlier stages on the same stretch. */
  edits: TextEdit[];
  stop: { readonly at: number; readonly stop: Stop } | undefined;
}

/** Changes that are taken from the front of a list at once: with each frame alone, a long list would be moved as often. */
const FORGOTTEN_AT_ONCE = 512;
const NO_EDITS: readonly TextEdit[] = [];

interface LaneParts {
  readonly tool: string | undefined;
  readonly repeats: boolean;
  readonly after?: Lane | undefined;
  readonly seams: Seams;
}

/** The text of one lane: shown to every guard that cares for it, with what they want changed in it. Offsets of the raw text but where said. */
export class Lane {
  readonly id: LaneId;
  readonly #text: LaneText;
  readonly #looks: Look[] = [];
  /** Of those that may act, in the order of their stages. */
  readonly #acting: readonly Look[];
  #seen = 0;
  #length = 0;
  #ended = false;
  /** Changes that hold, in guards' offsets, as far as later stages may still run into them. */
  #held: TextEdit[] = [];
  #edits: TextEdit[] = [];
  #decided = 0;
  #stop: { readonly at: number; readonly stop: Stop; readonly seat: Seat } | undefined;

  /** The block before, while what is said here can still decide about its end. */
  #after: Lane | undefined;
  /** Takes the changes that are about what goes on in another block. */
  readonly #seams: Seams;

  constructor(id: LaneId, seats: readonly Seat[], { tool, repeats, after, seams }: LaneParts) {
    this.id = id;
    this.#after = after;
    this.#seams = seams;
    for (const seat of seats) {
      const reader = seat.openLane(id, tool, repeats, after?.readerOf(seat));
      if (reader !== undefined) this.#looks.push({ seat, reader, decided: 0, edits: [], stop: undefined });
    }
    this.#acting = this.#looks.filter(({ seat }) => seat.acts);
    const kind = id.channel === "tool_arguments" ? "arguments" : id.channel === "content" ? "content" : "plain";
    this.#text = new LaneText(this.#looks.length === 0 ? "plain" : kind);
    if (this.#acting.length === 0) this.#decided = Number.POSITIVE_INFINITY;
  }

  /** Text that came. */
  get length(): number {
    return this.#length;
  }
  /** Up to here nothing is open. */
  get decided(): number {
    return this.#decided;
  }
  /** Changes that hold, in order; of those before what was `forget`ed some may be gone. */
  get edits(): readonly TextEdit[] {
    return this.#edits;
  }
  /** Where a guard ends the answer. It holds: no other guard can still end it before. */
  get stop(): { readonly at: number; readonly stop: Stop; readonly seat: Seat } | undefined {
    return this.#stop;
  }

  /** Its text is whole. */
  get isWhole(): boolean {
    return this.#ended;
  }
  /** What a guard reads the lane with, where text that follows can still decide about its end. */
  readerOf(of: Seat): LaneReader | undefined {
    return this.#looks.find(({ seat }) => seat === of)?.reader;
  }

  push(piece: string): void {
    this.#length += piece.length;
    if (this.#looks.length === 0) return;
    for (const look of this.#looks)
      if (look.reader.raw === true && look.decided !== Number.POSITIVE_INFINITY)
        this.#take(look, look.seat.push(look.reader, piece), false);
    this.#show(this.#text.push(piece));
    this.#settle();
    this.#tellBefore();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#looks.length === 0) return;
    this.#show(this.#text.end());
    for (const look of this.#looks) this.#take(look, look.seat.end(look.reader), true);
    this.#settle();
    this.#tellBefore();
  }

  /** Its text is whole, and that of a block that follows may go on where it ends. `finish` where none does. */
  pause(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#looks.length === 0) return;
    this.#show(this.#text.end());
    for (const look of this.#looks) this.#take(look, look.seat.pause(look.reader), false);
    this.#settle();
    this.#tellBefore();
  }
  /** Behind a `pause`: nothing follows. */
  finish(): void {
    for (const look of this.#looks) if (look.decided !== Number.POSITIVE_INFINITY) this.#take(look, look.seat.end(look.reader), true);
    this.#settle();
    this.#tellBefore();
  }

  /** Blocks before this one hear of what its text decided about them. */
  #tellBefore(): void {
    const before = this.#after;
    if (before === undefined) return;
    before.#hear();
    if (before.#isDone) this.#after = undefined;
  }
  #hear(): void {
    for (const look of this.#looks) if (look.decided !== Number.POSITIVE_INFINITY) this.#take(look, look.seat.late(look.reader), false);
    this.#settle();
    this.#tellBefore();
  }
  get #isDone(): boolean {
    return this.#after === undefined && this.#looks.every(({ decided }) => decided === Number.POSITIVE_INFINITY);
  }

  /** A text that repeats another takes the changes that only the blocks beside that one tell of. */
  adopt(edits: readonly TextEdit[]): void {
    const seams = [...edits].sort((a, b) => a.start - b.start);
    const apart = this.#edits.flatMap((own) => without(own, seams));
    this.#edits = [...apart, ...seams].sort((a, b) => a.start - b.start);
  }

  /** Text before this offset has left. */
  forget(before: number): void {
    if (this.#edits.length === 0) return;
    const gone = this.firstBehind(before);
    if (gone === this.#edits.length || gone > FORGOTTEN_AT_ONCE) this.#edits.splice(0, gone);
  }
  /** The index of the first of the `edits` that reaches past the offset. */
  firstBehind(offset: number): number {
    let [from, to] = [0, this.#edits.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#edits[middle]?.end ?? offset) > offset) to = middle;
      else from = middle + 1;
    }
    return from;
  }

  #show(piece: string): void {
    if (piece === "") return;
    this.#seen += piece.length;
    for (const look of this.#looks)
      if (look.reader.raw !== true && look.decided !== Number.POSITIVE_INFINITY)
        this.#take(look, look.seat.push(look.reader, piece), false);
  }

  #take(look: Look, step: LaneStep | undefined, last: boolean): void {
    const { seat } = look;
    if (step !== undefined && !isSound(step, Math.min(look.decided, this.#seen), this.#seen)) seat.contradicts();
    if (step === undefined || seat.fault !== undefined) {
      look.decided = Number.POSITIVE_INFINITY;
      look.edits = [];
      return;
    }
    look.decided = last ? Number.POSITIVE_INFINITY : step.decided;
    if (!seat.acts) return;
    if (step.edits.length > 0) look.edits.push(...step.edits);
    look.stop ??= step.stop;
  }

  /** Brings what the guards said together, as far as nothing that is still open can change it. */
  #settle(): void {
    if (this.#acting.length === 0) {
      // Nothing waits for guards in shadow.
      this.#text.settle(this.#seen, NO_EDITS, this.#ended);
      return;
    }
    let limit = Number.POSITIVE_INFINITY;
    let waiting = false;
    let stops = false;
    for (const look of this.#acting) {
      if (look.edits.length > 0) this.#admit(look, limit);
      limit = Math.min(limit, look.decided);
      waiting ||= look.edits.length > 0;
      stops ||= look.stop !== undefined;
    }
    if (waiting) for (const look of this.#acting) limit = Math.min(limit, look.edits[0]?.start ?? limit);
    // Behind a stop nothing leaves: what has to be said of the text before it was said.
    if (this.#stop !== undefined) return;
    let to = Math.min(limit, this.#seen);
    for (const { start, end } of this.#held) if (start < to && end > to) to = start;
    const stop = stops ? this.#findStop() : undefined;
    if (stop !== undefined) {
      to = stop.at;
      this.#cutAt(stop.at);
    }
    const ready = this.#held.length === 0 ? NO_EDITS : this.#held.filter(({ end }) => end <= to);
    const settled = this.#text.settle(to, ready, this.#ended);
    this.#decided = this.#ended && limit === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : settled.decided;
    if (settled.edits.length > 0) this.#admitted(settled.edits);
    if (this.#held.length > 0) this.#held = this.#held.filter(({ end }) => end > to);
  }

  #admitted(edits: readonly TextEdit[]): void {
    this.#edits.push(...edits);
    const seams = edits.filter(({ seam }) => seam === true);
    if (seams.length > 0) this.#seams.note(this, seams);
  }

  /** The changes of one stage that no earlier stage can touch any more. */
  #admit(look: Look, decidedBefore: number): void {
    const earlier = this.#acting.slice(0, this.#acting.indexOf(look));
    let taken = 0;
    for (const edit of look.edits) {
      if (edit.end > decidedBefore || earlier.some(({ edits }) => edits.some(({ start }) => start < edit.end))) break;
      taken += 1;
      this.#held = [...this.#held, ...without(edit, this.#held)].sort((a, b) => a.start - b.start);
    }
    look.edits.splice(0, taken);
  }

  /** The changes that begin before a stop hold, as far as they reach up to it: of what they put out nothing may leave. */
  #cutAt(stop: number): void {
    for (const { edits } of this.#acting)
      for (const edit of edits.splice(0)) this.#held = [...this.#held, ...without(edit, this.#held)].sort((a, b) => a.start - b.start);
    this.#held = this.#held.filter(({ start }) => start < stop).map((edit) => (edit.end > stop ? { ...edit, end: stop } : edit));
  }

  /** The first stop that no guard can come before any more, in guards' offsets; of two at one place that of the earlier stage. */
  #findStop(): { readonly at: number } | undefined {
    let first: Look | undefined;
    for (const look of this.#acting)
      if (look.stop !== undefined && (first?.stop === undefined || look.stop.at < first.stop.at)) first = look;
    const stop = first?.stop;
    if (first === undefined || stop === undefined) return undefined;
    let before = true;
    for (const look of this.#acting) {
      if (look === first) before = false;
      else if (before ? look.decided <= stop.at : look.decided < stop.at) return undefined;
    }
    this.#stop = { at: this.#text.rawOf(stop.at), stop: stop.stop, seat: first.seat };
    return stop;
  }
}
