import { CALL_CHARS_MAX } from "../../core/limits.ts";
import type { LaneId } from "../../core/view.ts";

/** Most lanes told apart; those beyond end with the answer. */
const LANES_MAX = 20_000;

interface OpenLane extends LaneId {
  /** Of arguments: whether the JSON that has come is whole. */
  json: JsonBalance | undefined;
}

/** Which lanes of a guarded answer are open, and which of them an event ends. */
export class LaneBook {
  readonly #open = new Map<string, OpenLane>();
  #ends: LaneId[] = [];
  #all = false;

  /** Lanes that are open. */
  get size(): number {
    return this.#open.size;
  }

  open(choice: number, block: number, channel: LaneId["channel"], text = ""): void {
    // Everything ends with this event.
    if (this.#all) return;
    const key = `${choice} ${block} ${channel}`;
    let lane = this.#open.get(key);
    if (lane === undefined) {
      if (this.#open.size >= LANES_MAX) return;
      lane = { choice, block, channel, json: channel === "tool_arguments" ? new JsonBalance() : undefined };
      this.#open.set(key, lane);
    }
    lane.json?.take(text);
  }

  end(choice: number, block: number | undefined, channel: LaneId["channel"] | undefined): void {
    this.#close(
      (lane) =>
        lane.choice === choice && (block === undefined || lane.block === block) && (channel === undefined || lane.channel === channel),
    );
  }

  /** A call whose JSON is not whole may go on behind one that was begun later, so it does not end here. */
  endCallsBefore(choice: number, block: number): void {
    this.#close((lane) => lane.json?.whole === true && lane.choice === choice && lane.block !== block);
  }

  endAll(): void {
    this.#all = true;
    this.#open.clear();
  }

  /** The lanes that ended since the last call. */
  takeEnds(): readonly LaneId[] | "all" | undefined {
    const ends = this.#all ? "all" : this.#ends.length > 0 ? this.#ends : undefined;
    this.#all = false;
    this.#ends = [];
    return ends;
  }

  #close(which: (lane: OpenLane) => boolean): void {
    for (const [key, lane] of this.#open) {
      if (!which(lane)) continue;
      this.#open.delete(key);
      this.#ends.push({ choice: lane.choice, block: lane.block, channel: lane.channel });
    }
  }
}

/** Follows JSON text by its brackets and strings only. Of a text longer than `CALL_CHARS_MAX` it does not say that it is whole. */
class JsonBalance {
  #depth = 0;
  #inString = false;
  #escaped = false;
  #begun = false;
  #units = 0;

  /** An object or list has come to its end; also before anything came. */
  get whole(): boolean {
    return this.#units <= CALL_CHARS_MAX && this.#depth === 0 && !this.#inString && (this.#begun || !this.#foreign);
  }
  /** Something came that is no object or list. */
  #foreign = false;

  take(text: string): void {
    this.#units += text.length;
    if (this.#units > CALL_CHARS_MAX) return;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (code === 0x5c) this.#escaped = true;
        else if (code === 0x22) this.#inString = false;
      } else if (code === 0x22) this.#inString = true;
      else if (code === 0x7b || code === 0x5b) {
        this.#depth++;
        this.#begun = true;
      } else if (code === 0x7d || code === 0x5d) this.#depth--;
      else if (this.#depth === 0 && code > 0x20) this.#foreign = true;
    }
  }
}
