import type { AnswerContext, Frame } from "../../core/codec.ts";
import { field, isJsonObject, type Json, parseJsonValue } from "../../core/json.ts";
import { finish, type Steps } from "../../core/slice.ts";
import { fileKindOf, isCodedText, isDataUrl, textFileSteps } from "../../core/text-file.ts";
import type { Delta, LaneId, ToolCall } from "../../core/view.ts";
import { type AnswerTally, isRewritable } from "./answer-tally.ts";
import { Guarded, type OpenDelta } from "./guarded-texts.ts";
import { isMediaText } from "./media-text.ts";
import { isName } from "./names.ts";
import { hiddenValues } from "./repeated-keys.ts";
import { hasStrayCall } from "./stray-calls.ts";
import type { Erasure, ReadJson, TextPlace } from "./text-places.ts";

type Channel = Delta["channel"];
/** repeats: whole by itself. signed: never edited. both: these two. spoken: said in sound too. */
type Mark = "repeats" | "signed" | "both" | "spoken";

/** Where the one text of an event stands. */
export interface Seed {
  readonly read: ReadJson;
  readonly place: TextPlace;
}

const NO_DELTAS: readonly Delta[] = [];
/** Members that never hold text of a model or of what it found: names, kinds, ids and sealed things. */
const SILENT_KEYS: ReadonlySet<string> = new Set([
  ...["type", "id", "object", "index", "role", "status", "signature", "mime_type", "mimeType", "media_type"],
  ...["thought_signature", "thoughtSignature", "encrypted_content", "encrypted_index", "tool_use_id", "tool_call_id", "call_id"],
  ...["item_id", "file_id"],
]);
/** The silent members, and others that are read already or hold no text. */
export const silentAnd = (...names: readonly string[]): ReadonlySet<string> => new Set([...SILENT_KEYS, ...names]);
/** Most strings of one event that are followed where the codec does not know its shape; what is beyond counts as one unread text. */
const WALK_MAX = 20_000;
/** Most members and containers that are walked through for them, some 10 ms of work; the same beyond. Probabilities of 4,000 tokens with 20 others each have 250,000. */
const WALK_MEMBERS_MAX = 400_000;
type JsonMembers = { readonly [key: string]: Json };
const isList = (value: readonly Json[] | JsonMembers): value is readonly Json[] => Array.isArray(value);

/**
 * What is read out of one event, or out of one body: its texts as deltas and, for guarded answers, where each stands, what goes with it
 * when it changes, which tool calls begin and which lanes end. Without guards only the deltas are made.
 */
export class AnswerTexts {
  readonly #guards: Guarded | undefined;
  #deltas: OpenDelta[] | undefined;
  /** What is read, where that is a whole event by itself; and where its last text stands. */
  #root: Json | undefined;
  #source = "";
  #holder: Json | undefined;
  #key: string | number = "";
  #ahead: { readonly text: string; readonly json: Json | undefined } | undefined;

  constructor(context: Pick<AnswerContext, "guarded">) {
    this.#guards = context.guarded === true ? new Guarded() : undefined;
  }

  /** The value of a text that `parsed` will be asked for next; undefined: it is no JSON. */
  ahead(text: string, json: Json | undefined): void {
    this.#ahead = { text, json };
  }

  /** The value of a text: parsed already, or now. */
  parsed(text: string): Json | undefined {
    const ahead = this.#ahead;
    if (ahead === undefined) return parseJsonValue(text);
    this.#ahead = undefined;
    return ahead.text === text ? ahead.json : parseJsonValue(text);
  }

  get guarded(): boolean {
    return this.#guards !== undefined;
  }

  /** What is read next: the parsed value and its text. `outer` makes the event's text of it where it stands within another (base64). */
  begin(root: Json, source: string, outer?: (text: string) => string): void {
    this.#root = outer === undefined ? root : undefined;
    this.#source = source;
    this.#guards?.begin({ root, source }, outer);
  }

  /** The text that stands at a member or item; nothing where that is no string, or empty. */
  add(choice: number, block: number, channel: Channel, holder: Json | undefined, key: string | number, mark?: Mark): void {
    const text = textAt(holder, key);
    if (text === "" || holder === undefined) return;
    this.#holder = holder;
    this.#key = key;
    if (this.#guards === undefined) this.#push({ choice, block, channel, text });
    else this.#place(choice, block, channel, text, { holder, key }, mark);
  }

  /** A text that repeats others or stands beside them, which only guards look at. */
  beside(choice: number, block: number, channel: Channel, holder: Json | undefined, key: string | number): void {
    if (this.#guards !== undefined) this.add(choice, block, channel, holder, key, "repeats");
  }

  /** A piece of output that is part of a longer string, or none of its own in the JSON: it cannot be changed. */
  loose(choice: number, block: number, channel: Channel, text: string): void {
    if (text === "") return;
    if (this.#guards === undefined) this.#push({ choice, block, channel, text });
    else this.#place(choice, block, channel, text, undefined, "signed");
  }

  /** Arguments that stand as a JSON value: their exact text where guards look, else an equal one. False: nested too deep to be written. */
  addValue(choice: number, block: number, channel: Channel, holder: Json | undefined, key: string, mark?: Mark): boolean {
    const value = field(holder, key);
    if (value === undefined || value === null || holder === undefined) return true;
    if (this.#guards !== undefined) {
      this.#place(choice, block, channel, "", { holder, key }, mark).raw = true;
      this.#guards.opaque.add(value);
      return true;
    }
    if (!isRewritable(value)) return false;
    this.#push({ choice, block, channel, text: JSON.stringify(value) });
    return true;
  }

  /** As `beside`, of a JSON value. */
  besideValue(choice: number, block: number, channel: Channel, holder: Json | undefined, key: string): void {
    if (this.#guards !== undefined) this.addValue(choice, block, channel, holder, key, "repeats");
  }

  /** The latest delta's text stands here too, and changes with it. */
  copy(holder: Json, key: string | number): void {
    this.#guards?.copies.push({ of: (this.#deltas?.length ?? 0) - 1, holder, key });
  }

  /** Every string below a value, as texts beside the block; those of known members are not looked at. */
  walk(choice: number, block: number, value: Json | undefined, known = SILENT_KEYS, channel: "content" | "echo" = "content"): void {
    if (this.#guards === undefined || typeof value !== "object" || value === null) return;
    const work: (readonly Json[] | JsonMembers)[] = [value];
    let strings = 0;
    let members = 0;
    let isRedacted = false;
    /** False: there is more than is followed. */
    const take = (at: Json, key: string | number, inner: Json, sealed: boolean): boolean => {
      if (typeof inner === "object") {
        if (inner !== null) work.push(inner);
        return inner === null || ++members <= WALK_MEMBERS_MAX;
      }
      if (typeof inner !== "string") return true;
      const isMedia = (sealed && key === "data") || isSealed(inner);
      if ((isMedia || isDataUrl(inner) || isCodedText(inner)) && this.file(inner)) return true;
      if (isMedia || (isRedacted && key === "data")) return true;
      if (++strings > WALK_MAX) return false;
      this.add(choice, block, channel, at, key, "repeats");
      return true;
    };
    for (let at = work.pop(); at !== undefined; at = work.pop()) {
      let whole = true;
      if (isList(at)) for (let index = 0; whole && index < at.length; index++) whole = take(at, index, at[index] ?? null, false);
      else {
        const sealed = field(at, "type") === "base64";
        isRedacted = field(at, "type") === "redacted_thinking";
        const silent = at === value ? known : SILENT_KEYS;
        for (const key in at) {
          if (!Object.hasOwn(at, key)) continue;
          const inner = at[key] ?? null;
          // What is no name in the place of one is told all the same.
          if (silent.has(key) && (!SILENT_KEYS.has(key) || typeof inner !== "string" || isName(inner))) continue;
          whole = ++members <= WALK_MEMBERS_MAX && take(at, key, inner, sealed);
          if (!whole) break;
        }
      }
      if (!whole) return this.unread(this.#guards.read?.source ?? "");
    }
  }

  /** What a member holds that is not read: all its texts. */
  other(choice: number, block: number, holder: Json | undefined, key: string): void {
    this.beside(choice, block, "content", holder, key);
    this.walk(choice, block, field(holder, key));
  }

  /** What the provider repeats of the request under a member. */
  echo(holder: Json, key: string): void {
    if (this.#guards === undefined) return;
    this.opaque(field(holder, key));
    this.beside(0, 0, "echo", holder, key);
    this.walk(0, 0, field(holder, key), SILENT_KEYS, "echo");
  }

  /** Bytes that pass although nobody can say what they hold: guards see them as one text that cannot be changed. */
  unread(text: string): void {
    if (this.#guards === undefined || text === "") return;
    this.#push({ choice: 0, block: 0, channel: "content", text, repeats: true, signed: true });
    this.#guards.places.push(undefined);
  }

  /** A value that holds a file of text, in base64 or a data URL: what it says cannot be changed. False: it holds none. */
  file(value: Json | undefined): boolean {
    if (this.#guards === undefined || typeof value !== "string" || fileKindOf(value) !== "file") return false;
    this.unread(finish(textFileSteps(value)).text);
    return true;
  }

  /** An object that was read as a call, or as a piece of one. */
  readAsCall(holder: Json | undefined): void {
    if (holder !== undefined) this.#guards?.readCalls.add(holder);
  }
  /** A value of other people's JSON: what looks like a call in it is none of this answer. */
  opaque(value: Json | undefined): void {
    if (value !== undefined) this.#guards?.opaque.add(value);
  }
  /** A call is told otherwise than before: nobody can say which of the two is made. */
  doubt(): void {
    if (this.#guards !== undefined) this.#guards.isAmbiguous = true;
  }

  /** A tool call whose name is there. */
  call(choice: number, block: number, name: string, id: string, more: Pick<ToolCall, "offeredAs" | "plain"> = {}): void {
    if (this.#guards === undefined || name === "") return;
    this.#guards.calls.push({ choice, block, name, id, ...more });
    this.#guards.lanes.open(choice, block, "tool_arguments");
    // The model writes names too.
    if (!isName(name)) this.unread(name);
  }

  /** Nothing more comes of a lane, of a block, or of a whole choice. */
  end(choice: number, block?: number, channel?: Channel): void {
    this.#guards?.lanes.end(choice, block, channel);
  }
  /** Where a call begins, those before it in its choice end, as far as their arguments are whole. */
  endCallsBefore(choice: number, block: number): void {
    this.#guards?.lanes.endCallsBefore(choice, block);
  }
  endAll(): void {
    this.#guards?.lanes.endAll();
  }

  /** What would repeat or betray the texts of a choice, or of one block of it: it goes when one of them changes in this event. */
  erase(choice: number, holder: Json | undefined, key: string, to: Erasure["to"], block?: number): void {
    if (this.#guards === undefined || holder === undefined) return;
    const value = field(holder, key);
    if (value !== undefined && value !== null) this.#guards.erasures.push({ choice, block, holder, key, to });
  }

  /** Deltas as they are, which cannot be changed. */
  give(deltas: readonly Delta[]): void {
    for (const { choice, block, channel, text } of deltas) this.loose(choice, block, channel, text);
  }

  /** The deltas read since the last call. */
  take(): readonly Delta[] {
    const deltas = this.#deltas ?? NO_DELTAS;
    this.#deltas = undefined;
    return deltas;
  }

  /** Before `frame`, where what was read is large: the part of its work that can be done in steps. */
  *prepareFrame(): Steps<void> {
    const guards = this.#guards;
    if (guards === undefined) return;
    yield* this.#readHidden(guards);
    yield* guards.spell(this.#deltas ?? []);
  }

  /** Values that another of the same key hides from those who parse as we do. */
  *#readHidden(guards: Guarded): Steps<void> {
    const { read } = guards;
    if (read === undefined || guards.isSearched) return;
    guards.isSearched = true;
    for (const { text, ofCall } of yield* hiddenValues(read)) {
      this.unread(text);
      guards.isAmbiguous ||= ofCall;
    }
    guards.isAmbiguous ||= yield* hasStrayCall(read, guards.readCalls, guards.opaque);
  }

  /**
   * The frame of what was read since the last call. `write` gives the frame's bytes with another text in place of the one that was
   * read; undefined where its texts cannot be changed.
   */
  frame(bytes: Uint8Array, write: ((text: string) => Uint8Array) | undefined): Frame {
    const guards = this.#guards;
    this.#root = undefined;
    this.#source = "";
    this.#holder = undefined;
    if (guards === undefined) return { bytes, deltas: this.take() };
    if (!guards.isSearched) finish(this.#readHidden(guards));
    const open = this.#deltas ?? [];
    this.#deltas = undefined;
    return guards.frame(bytes, open, write);
  }

  /** Before `frame`: where the one text of what was read stands, if that can be changed and nothing else goes with it. */
  seed(): Seed | undefined {
    const [only, second] = this.#deltas ?? NO_DELTAS;
    const [root, holder, key] = [this.#root, this.#holder, this.#key];
    if (only === undefined || second !== undefined || root === undefined || holder === undefined || textAt(holder, key) !== only.text)
      return undefined;
    if (only.repeats === true || only.signed === true || only.spoken === true || only.raw === true || this.#guards?.isPlain === false)
      return undefined;
    return { read: { root, source: this.#source }, place: { holder, key } };
  }

  /** A frame like the one before but for its one text. `write` gives its bytes with another JSON string in that one's place. */
  again(bytes: Uint8Array, { choice, block, channel }: LaneId, text: string, write: (json: string) => Uint8Array): Frame {
    const delta = { choice, block, channel, text };
    if (this.#guards === undefined) return { bytes, deltas: [delta], alike: true };
    // Its lane is open: the frame before has opened it. Only that of arguments follows the text.
    if (channel === "tool_arguments") this.#guards.lanes.open(choice, block, channel, text);
    const rewrite = ([changed]: readonly (string | undefined)[]): Uint8Array =>
      changed === undefined ? bytes : write(JSON.stringify(changed));
    return { bytes, deltas: [delta], rewrite, alike: true };
  }

  /** What a reader gives last: for guards, a frame of no bytes that ends the lanes that are still open. */
  last(): readonly Frame[] {
    if (this.#guards === undefined || this.#guards.lanes.size === 0) return [];
    this.endAll();
    return [this.frame(new Uint8Array(0), undefined)];
  }

  #push(delta: OpenDelta): OpenDelta {
    if (this.#deltas === undefined) this.#deltas = [delta];
    else this.#deltas.push(delta);
    return delta;
  }

  #place(choice: number, block: number, channel: Channel, text: string, place: TextPlace | undefined, mark: Mark | undefined): OpenDelta {
    const delta: OpenDelta = { choice, block, channel, text };
    if (mark === "repeats" || mark === "both") delta.repeats = true;
    else this.#guards?.lanes.open(choice, block, channel, text);
    if (mark === "signed" || mark === "both") delta.signed = true;
    if (mark === "spoken") delta.spoken = true;
    this.#guards?.places.push(place);
    return this.#push(delta);
  }
}

/**
 * The JSON object that an event's data holds, begun in `texts`. Undefined where it holds none: the event counts as invalid, and guards
 * see its data as a text that cannot be changed. `parsed`: what is parsed of data that is mostly media.
 */
export function beginEvent({ tally, texts }: EventSink, data: string, parsed = data): { readonly [key: string]: Json } | undefined {
  const event = texts.parsed(parsed);
  if (isJsonObject(event)) {
    texts.begin(event, data);
    return event;
  }
  tally.invalidEvents++;
  texts.unread(data);
  return undefined;
}

/** Where what is read of an event goes. */
interface EventSink {
  readonly tally: AnswerTally;
  readonly texts: AnswerTexts;
}

/** The string at a member or item; "" where there is none. */
export function textAt(holder: Json | undefined, key: string | number): string {
  if (typeof key === "string") {
    const value = field(holder, key);
    return typeof value === "string" ? value : "";
  }
  const value: Json | undefined = Array.isArray(holder) ? holder[key] : undefined;
  return typeof value === "string" ? value : "";
}

/** Media in base64: nothing to read. */
function isSealed(text: string): boolean {
  if (isMediaText(text, false)) return true;
  // Long and without anything that words have between them.
  return text.length > SEALED_CHARS_MIN && BASE64.test(text);
}
/** Where base64 outgrows any word, in characters. */
const SEALED_CHARS_MIN = 1024;
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;
