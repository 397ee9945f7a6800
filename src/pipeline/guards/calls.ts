import type { CallsOut, Frame } from "../../core/codec.ts";
import type { CallVerdict, Stop } from "../../core/guard.ts";
import { parseJsonValue } from "../../core/json.ts";
import { CALL_CHARS_MAX, GUARDED_BYTES_MAX } from "../../core/limits.ts";
import type { LaneId, ToolCall } from "../../core/view.ts";
import { type Part, rendered } from "./part.ts";
import type { Seat } from "./seat.ts";
import { AMBIGUOUS, RENAMED } from "./stops.ts";

/** A frame that waits, or is being read. */
export interface Held {
  readonly frame: Frame;
  readonly parts: Part[];
  /** The index of each lane's last text in it, where that was asked for. */
  lasts?: ReadonlyMap<string, number>;
  /** Calls that begin in it and are not judged. */
  unjudged: number;
  /** The answer ends before this frame. */
  stop?: Stop;
  /** The caller's answer ends before this frame, and the rest is kept. */
  withhold?: Extract<CallVerdict, { readonly kind: "withhold" }>;
  /** For calls in it that passed, until it has left. */
  giveBacks?: readonly (() => void)[];
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

/** Names a lane within its answer. */
export const keyOf = ({ choice, block, channel }: LaneId): string => `${choice}/${block}/${channel}`;

/** The tool calls of one answer, from their names to the guards' word on them. Keys are those of the lanes of their arguments. */
export class Calls {
  readonly #seats: readonly Seat[];
  readonly #removes: boolean;
  readonly #open = new Map<string, Call>();
  /** Calls that were judged, and have no successor in their place. */
  readonly #judged = new Set<string>();
  /** Names of tools, for guards to know whose arguments they read. */
  readonly #tools = new Map<string, string>();

  /** Places of all calls, and of those that the answer goes on without, by choice. */
  readonly #begun = new Map<number, Set<number>>();
  readonly #gone = new Map<number, Set<number>>();
  #removal: Stop | undefined;

  /** `removes`: a call can be taken out of the answer. */
  constructor(seats: readonly Seat[], { removes }: { readonly removes: boolean }) {
    this.#seats = seats;
    this.#removes = removes;
  }

  /** How the answer ends where a call that goes cannot be taken out; undefined: none goes. */
  get removal(): Stop | undefined {
    return this.#removal;
  }
  /** What goes, for a frame and those before it. */
  out({ calls = [] }: Frame): CallsOut {
    const gone = (choice: number): ReadonlySet<number> => this.#gone.get(choice) ?? NONE;
    return {
      begins: calls.map(({ choice, block }) => ({ choice, block, goes: gone(choice).has(block) })),
      gone,
      left: (choice) => (this.#begun.get(choice)?.size ?? 0) - gone(choice).size,
    };
  }

  /** Whose arguments the lane holds; undefined: nobody said. */
  toolOf(key: string): string | undefined {
    return this.#tools.get(key);
  }
  /** Calls that no guard has judged. */
  get open(): Iterable<string> {
    return this.#open.keys();
  }

  /** `end` is called where the call before it in the same place is whole: its lane ends. */
  begin(call: Omit<ToolCall, "arguments">, held: Held, end: (lane: LaneId) => void): void {
    const lane: LaneId = { choice: call.choice, block: call.block, channel: "tool_arguments" };
    const key = keyOf(lane);
    const before = this.#open.get(key);
    if (before !== undefined && before.call.name !== call.name) {
      if (before.waits && !isWhole(before)) held.stop ??= RENAMED;
      else end(lane);
    }
    this.#tools.set(key, call.name);
    placesOf(this.#begun, call.choice).add(call.block);
    // Another call in the place of one that went: nothing tells them apart.
    if (this.#gone.get(call.choice)?.has(call.block) === true) held.stop ??= this.#removal ?? RENAMED;
    const seats = this.#seats.filter((seat) => seat.judgesCall(call));
    if (seats.length === 0 || this.#open.has(key)) return;
    const waits = seats.some(({ acts }) => acts);
    if (waits) held.unjudged += 1;
    this.#judged.delete(key);
    this.#open.set(key, { call, held, seats, waits, parts: [], units: 0 });
  }

  /** More of a call's arguments. Of one that was judged there is no more: nobody would have seen it. */
  add(key: string, part: Part, held: Held): void {
    const call = this.#open.get(key);
    if (call === undefined && this.#judged.has(key) && /\S/.test(part.delta.text)) held.stop ??= AMBIGUOUS;
    if (call === undefined) return;
    call.parts.push(part);
    call.units += part.delta.text.length;
    if (!call.waits && call.units > GUARDED_BYTES_MAX) this.#open.delete(key);
  }

  /** The call is whole. */
  judge(key: string): void {
    const open = this.#open.get(key);
    if (open === undefined) return;
    this.#open.delete(key);
    const { held, seats, waits } = open;
    if (waits) this.#judged.add(key);
    const whole = wholeOf(open);
    for (const seat of seats) {
      const verdict = seat.judgeCall(whole);
      if (!seat.acts || verdict === undefined) continue;
      if (verdict.kind === "pass") {
        if (verdict.giveBack !== undefined) held.giveBacks = [...(held.giveBacks ?? []), verdict.giveBack];
      } else if (verdict.kind === "stop") held.stop ??= verdict.stop;
      else if (verdict.kind === "remove") this.#remove(whole, held, verdict.stop);
      else held.withhold ??= { kind: "withhold", end: (answer) => seat.endWithheld(verdict, answer) };
    }
    if (waits) held.unjudged -= 1;
  }

  /** A call without a name cannot be told from what goes on with another; behind one of a higher number it would shift what has left. */
  #remove({ choice, block, name }: ToolCall, held: Held, stop: Stop): void {
    this.#removal ??= stop;
    const isBehind = [...placesOf(this.#begun, choice)].some((place, at, places) => place > block && at < places.indexOf(block));
    if (this.#removes && name !== "" && !isBehind) placesOf(this.#gone, choice).add(block);
    else held.stop ??= stop;
  }

  close(): void {
    this.#open.clear();
  }
}

const NONE: ReadonlySet<number> = new Set();
function placesOf(map: Map<number, Set<number>>, choice: number): Set<number> {
  const known = map.get(choice);
  if (known !== undefined) return known;
  const places = new Set<number>();
  map.set(choice, places);
  return places;
}

function wholeOf({ call, parts }: Call): ToolCall {
  const text = parts.map((part) => rendered(part) ?? part.delta.text).join("");
  const { plain } = call;
  return { ...call, arguments: plain === undefined ? text : JSON.stringify({ ...plain.beside, [plain.key]: text }) };
}

/**
 * A second name in the place of a call that waits: servers that count no calls send one after the other there. What is whole is judged
 * before the next begins. Where it is not, or longer than guards look at, nobody can say whose arguments follow.
 */
const isWhole = ({ parts, units }: Call): boolean =>
  units <= CALL_CHARS_MAX && parseJsonValue(parts.map(({ delta }) => delta.text).join("")) !== undefined;
