/**
 * Takes tool calls out of an answer that goes on without them.
 *
 * Works on frames as they leave, from the first on that holds such a call: what stands outside the edits keeps its bytes. Calls and blocks
 * behind are numbered anew, since SDKs take a number for a place in a list; the reason to finish is that of a filtered answer where no call is
 * left. A frame whose calls cannot all be found in it is never let through: the answer ends before it.
 */
import type { CallRemover, CallsOut } from "../../core/codec.ts";
import { decodeSteps, type JsonArray, type JsonNode, type JsonObject, member, placeSteps } from "../../core/json.ts";
import type { Steps } from "../../core/slice.ts";
import { EventStreamSplitter, withPayload } from "./aws-eventstream.ts";
import { SseSplitter, withData } from "./sse.ts";

/** What becomes of a frame: `drop`: nothing of it is left. `end`: it cannot go on without the call, or says nothing without it. */
export type Removal = "edited" | "drop" | "end";
/** Takes the calls out of one JSON value of a dialect. `name`: of the event that it came in, where the framing says one. */
export type ShapeRemover = (edits: CallEdits, name: string | undefined) => Removal;

interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The changes to one JSON value, and which calls went with them. */
export class CallEdits {
  readonly root: JsonNode;
  readonly calls: CallsOut;
  readonly #source: string;
  readonly #splices: Splice[];
  readonly #taken: Set<string>;

  constructor(root: JsonNode, source: string, calls: CallsOut, whole?: CallEdits) {
    this.root = root;
    this.calls = calls;
    this.#source = source;
    this.#splices = whole === undefined ? [] : whole.#splices;
    this.#taken = whole === undefined ? new Set() : whole.#taken;
  }

  /** Changes to a value within this one: they are changes to this one too. */
  within(node: JsonNode | undefined): CallEdits {
    return new CallEdits(node ?? this.root, this.#source, this.calls, this);
  }
  /** The call of this place goes with an edit. */
  took(choice: number, block: number): void {
    this.#taken.add(`${choice}/${block}`);
  }
  /** Every call that begins here and goes has gone. */
  get isComplete(): boolean {
    return this.calls.begins.every(({ choice, block, goes }) => !goes || this.#taken.has(`${choice}/${block}`));
  }

  get isEmpty(): boolean {
    return this.#splices.length === 0;
  }

  replace(node: JsonNode, text: string): void {
    this.#splices.push({ start: node.start, end: node.end, text });
  }
  /** The number of a block behind those that went. */
  renumber(choice: number, node: JsonNode | undefined): void {
    if (node?.kind !== "number") return;
    let before = 0;
    for (const block of this.calls.gone(choice)) if (block < node.value) before += 1;
    if (before > 0) this.replace(node, String(node.value - before));
  }
  insert(object: JsonObject, key: string, text: string): void {
    const last = object.members.at(-1)?.value.end;
    const said = `${JSON.stringify(key)}:${text}`;
    const at = last ?? object.start + 1;
    this.#splices.push({ start: at, end: at, text: last === undefined ? said : `,${said}` });
  }
  removeMember(object: JsonObject, key: string): void {
    const places = object.members.map(({ start, value }) => ({ start, end: value.end }));
    this.#remove(places, (index) => object.members[index]?.key === key, object);
  }
  /** How many items went. `rest` stands in a list that loses them all. */
  removeItems(array: JsonArray, goes: (item: JsonNode, index: number) => boolean, rest = ""): number {
    const gone = array.items.map(goes);
    this.#remove(array.items, (index) => gone[index] === true, array, rest);
    return gone.filter((one) => one).length;
  }

  text(): string {
    let out = "";
    let done = 0;
    for (const { start, end, text } of this.#splices.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
      // Within what goes as a whole nothing is left to change.
      if (start < done) continue;
      out += this.#source.slice(done, start) + text;
      done = end;
    }
    return out + this.#source.slice(done);
  }

  #remove(
    places: readonly { readonly start: number; readonly end: number }[],
    goes: (index: number) => boolean,
    whole: JsonNode,
    rest = "",
  ): void {
    if (places.length > 0 && places.every((_place, index) => goes(index)))
      return void this.#splices.push({ start: whole.start + 1, end: whole.end - 1, text: rest });
    let kept: number | undefined;
    for (const [index, { start, end }] of places.entries()) {
      if (!goes(index)) kept = end;
      else if (kept === undefined) this.#splices.push({ start, end: places[index + 1]?.start ?? end, text: "" });
      else {
        this.#splices.push({ start: kept, end, text: "" });
        kept = end;
      }
    }
  }
}

/** The string at a member; "" where there is none. */
export function wordOf(node: JsonNode | undefined, key: string): string {
  const value = member(node, key);
  return value?.kind === "string" ? value.value : "";
}
/** The items of a list at a member. */
export function itemsOf(node: JsonNode | undefined, key: string): JsonArray | undefined {
  const value = member(node, key);
  return value?.kind === "array" ? value : undefined;
}

const NO_BYTES = new Uint8Array(0);
const [BRACE, BRACKET, COMMA, CLOSE] = [0x7b, 0x5b, 0x2c, 0x5d];
const isBlank = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** A text with its changes; `same`: there are none. */
type Changed = { readonly text: string } | "same" | "drop" | "end";
interface Job {
  readonly shape: ShapeRemover;
  readonly calls: CallsOut;
  readonly name: string | undefined;
}

/** Takes calls out of a JSON body, an item of a JSON array, a line of JSON or an event of an event stream, whichever the frame is. */
export function textCallRemover(shape: ShapeRemover): CallRemover {
  return {
    *remove(bytes: Uint8Array, calls: CallsOut): Steps<Uint8Array | undefined> {
      const sign = bytes.find((byte) => !isBlank(byte));
      const at = bytes.indexOf(BRACE);
      if (sign === undefined || sign === CLOSE || at < 0) return given("same", bytes, calls);
      if (sign !== BRACE && sign !== BRACKET && sign !== COMMA) return yield* changedEvent(bytes, shape, calls);
      const changed = yield* changedText(yield* decodeSteps(bytes.subarray(at)), { shape, calls, name: undefined });
      return given(changed, bytes, calls, (text) => Buffer.concat([bytes.subarray(0, at), Buffer.from(text)]));
    },
  };
}

function* changedEvent(bytes: Uint8Array, shape: ShapeRemover, calls: CallsOut): Steps<Uint8Array | undefined> {
  const splitter = new SseSplitter(Number.POSITIVE_INFINITY);
  const [event, second] = [...splitter.push(bytes), ...splitter.end()];
  if (event?.data === undefined || second !== undefined) return given("same", bytes, calls);
  const changed = yield* changedText(event.data, { shape, calls, name: event.event });
  return given(changed, bytes, calls, (text) => withData(event, text).bytes);
}

/** Takes calls out of frames of an AWS event stream, or of the JSON body in its place. `isChunk`: each holds a maker's own event in base64. */
export function frameCallRemover(shape: ShapeRemover, { isChunk }: { readonly isChunk: boolean }): CallRemover {
  const texts = textCallRemover(shape);
  return {
    *remove(bytes: Uint8Array, calls: CallsOut): Steps<Uint8Array | undefined> {
      if (bytes.find((byte) => !isBlank(byte)) === BRACE) return yield* texts.remove(bytes, calls);
      const [frame] = new EventStreamSplitter().push(bytes);
      if (frame?.kind !== "frame") return given("same", bytes, calls);
      const job = { shape, calls, name: frame.headers.get(":event-type") };
      const text = yield* decodeSteps(frame.payload);
      const changed = yield* isChunk ? changedChunk(text, { ...job, name: undefined }) : changedText(text, job);
      return given(changed, bytes, calls, (payload) => withPayload(bytes, payload));
    },
  };
}

function* changedChunk(text: string, job: Job): Steps<Changed> {
  const doc = yield* placeSteps(text);
  const held = member(doc?.root, "bytes");
  if (doc === undefined || held?.kind !== "string") return "same";
  const changed = yield* changedText(Buffer.from(held.value, "base64").toString("utf8"), job);
  if (typeof changed === "string") return changed;
  const sealed = JSON.stringify(Buffer.from(changed.text).toString("base64"));
  return { text: doc.text.slice(0, held.start) + sealed + doc.text.slice(held.end) };
}

function* changedText(text: string, { shape, calls, name }: Job): Steps<Changed> {
  const doc = yield* placeSteps(text);
  if (doc === undefined) return "same";
  const edits = new CallEdits(doc.root, doc.text, calls);
  const removal = shape(edits, name);
  if (removal === "end" || !edits.isComplete) return "end";
  return removal === "drop" ? "drop" : edits.isEmpty ? "same" : { text: edits.text() };
}

/** What leaves in a frame's place. One in which a call that goes begins, and that stays as it is, does not leave. */
function given(
  changed: Changed,
  bytes: Uint8Array,
  { begins }: CallsOut,
  write: (text: string) => Uint8Array = () => bytes,
): Uint8Array | undefined {
  switch (changed) {
    case "end":
      return undefined;
    case "drop":
      return NO_BYTES;
    case "same":
      return begins.some(({ goes }) => goes) ? undefined : bytes;
    default:
      return write(changed.text);
  }
}
