import type { TextEdit } from "../../core/guard.ts";
import { GUARDED_LANES_MAX } from "../../core/limits.ts";
import type { Delta, LaneId } from "../../core/view.ts";
import { type Held, keyOf } from "./calls.ts";
import type { Lane } from "./lane.ts";

/**
 * Blocks of an answer that callers put one behind the other without a break: those of one choice and channel, the next of which begins
 * when the one before is whole, with nothing of another channel and no call between them. What a value needs that begins in one and
 * ends in the next is told by the lanes themselves; this knows which follows which, and what texts that repeat a block are to take over.
 */
export class Seams {
  /** The block of each choice that text came of last. */
  readonly #last = new Map<number, Lane>();
  readonly #changed = new Map<string, { readonly lane: Lane; readonly edits: TextEdit[] }>();

  /** Of a frame with several blocks the one before is whole where no more of it comes: it is paused, and given. */
  wholeBefore({ choice }: LaneId, held: Held): Lane | undefined {
    const last = this.#last.get(choice);
    if (last === undefined || last.isWhole || !this.mayGoOn(last)) return undefined;
    // It began in this frame.
    if (!held.parts.some(({ lane, start }) => lane === last && start === 0)) return undefined;
    held.lasts ??= new Map(held.frame.deltas.flatMap((delta, index) => (delta.repeats === true ? [] : [[keyOf(delta), index]])));
    if ((held.lasts.get(keyOf(last.id)) ?? 0) >= held.parts.length) return undefined;
    last.pause();
    return last;
  }
  /** The block that one goes on which begins now; undefined: it goes on none. */
  before({ choice, channel }: LaneId): Lane | undefined {
    const last = this.#last.get(choice);
    return last?.isWhole === true && last.id.channel === channel && JOINED.has(channel) ? last : undefined;
  }
  /** A block begins; nothing goes on the one before any more but it. Gives that one, where nothing does. */
  begin(lane: Lane, after: Lane | undefined): Lane | undefined {
    const last = this.#last.get(lane.id.choice);
    this.#last.set(lane.id.choice, lane);
    return last === undefined || last === after || !last.isWhole ? undefined : this.#finish(last);
  }
  /** The choice turns to something else. Gives the block that nothing follows. */
  breakOff(choice: number): Lane | undefined {
    const last = this.#last.get(choice);
    if (last?.isWhole !== true) return undefined;
    this.#last.delete(choice);
    return this.#finish(last);
  }
  /** Nothing follows any block. */
  breakAll(): readonly Lane[] {
    return [...this.#last.keys()].flatMap((choice) => this.breakOff(choice) ?? []);
  }
  /** May a block go on where this lane, which is whole, ends? */
  mayGoOn(lane: Lane): boolean {
    return JOINED.has(lane.id.channel) && this.#last.get(lane.id.choice) === lane;
  }

  /** Changes of a lane that are about what goes on in another. */
  note(lane: Lane, edits: readonly TextEdit[]): void {
    const key = keyOf(lane.id);
    const known = this.#changed.get(key);
    if (known === undefined) this.#changed.set(key, { lane, edits: [...edits] });
    else known.edits.push(...edits);
  }
  /** More than are kept. */
  get isFull(): boolean {
    return this.#changed.size > GUARDED_LANES_MAX;
  }
  /** What a text that repeats a block takes over; `lane` is its own. */
  adopt(delta: Delta, lane: Lane): void {
    if (this.#changed.size === 0) return;
    const known = this.#changed.get(keyOf(delta));
    if (known !== undefined && known.lane !== lane && known.lane.length === delta.text.length) lane.adopt(known.edits);
  }

  close(): void {
    this.#last.clear();
    this.#changed.clear();
  }

  #finish(lane: Lane): Lane {
    lane.finish();
    return lane;
  }
}

/** Callers show these; arguments of one call never go on in another's. */
const JOINED: ReadonlySet<string> = new Set(["content", "reasoning"]);
