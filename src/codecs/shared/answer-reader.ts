import type { AnswerContext, AnswerReader, Frame, FrameSteps, TailReason } from "../../core/codec.ts";
import { decodeSteps, type Json, parseJsonValue } from "../../core/json.ts";
import { BODY_BYTES_MAX, YIELD_CHARS } from "../../core/limits.ts";
import type { Steps } from "../../core/slice.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerSummary } from "../../core/view.ts";
import type { AnswerTally } from "./answer-tally.ts";
import type { AnswerTexts } from "./answer-texts.ts";
import { encodeText } from "./guarded-texts.ts";
import { readAhead, readSteps } from "./read-steps.ts";
import { RepeatedEvents } from "./repeated-events.ts";
import { type SseEvent, SseSplitter, withData, withoutBeside } from "./sse.ts";

/** What a dialect reads out of its events, or out of one whole JSON body. Frames, cuts and bytes are the reader's business. */
export interface AnswerMapper {
  readonly tally: AnswerTally;
  /** What `event` and `body` read goes here. */
  readonly texts: AnswerTexts;
  event(name: string | undefined, data: string): void;
  /** What makes the bytes that the caller gets of those of the event that `event` has just read; absent: they are the event's own. */
  undo?(): ((event: SseEvent) => Uint8Array) | undefined;
  /**
   * Read once more, the event that `event` has just read would bring its texts and nothing else; so would one with other texts, none
   * of them empty. Absent: never.
   */
  repeatable?(): boolean;
  /** Members of an event that hold no more than padding. */
  readonly padding?: readonly string[];
  body(json: Json): void;
  /** What of a body's text is parsed; absent: all of it. For bodies that are mostly media. */
  prepare?(text: string): string;
  usage(): Usage | undefined;
  /** SSE text that ends the stream; "" when it has ended already. */
  tail(reason: TailReason): string;
}

/**
 * Reader of an answer that is an event stream or one JSON body. The content type decides; without a telling one, what the
 * request asked for. Both readers pass every byte on as it came.
 */
export function openReader(context: AnswerContext, mapper: AnswerMapper, errorBody: (reason: TailReason) => string): AnswerReader {
  const type = context.contentType.toLowerCase();
  const streamed = type.includes("text/event-stream") || (!type.includes("json") && context.view.framing === "sse" && context.status < 400);
  return streamed ? new SseReader(mapper) : new BodyReader(mapper, errorBody);
}

const NO_PADDING: readonly string[] = [];
const NO_DELTAS: Frame["deltas"] = [];
const NO_BYTES = new Uint8Array(0);

class SseReader implements AnswerReader {
  readonly #mapper: AnswerMapper;
  readonly #splitter = new SseSplitter();
  readonly #repeated: RepeatedEvents;
  /** What was given out ends between two events. */
  #between = true;

  constructor(mapper: AnswerMapper) {
    this.#mapper = mapper;
    this.#repeated = new RepeatedEvents(mapper.texts, mapper.padding ?? NO_PADDING);
  }

  push(chunk: Uint8Array): readonly Frame[] {
    return this.#splitter.push(chunk).map((event) => this.#frame(event));
  }
  pushSteps(chunk: Uint8Array | undefined): FrameSteps | undefined {
    return this.#splitter.isMuch(chunk?.length ?? 0) ? this.#steps(chunk) : undefined;
  }
  end(): readonly Frame[] {
    return [...this.#splitter.end().map((event) => this.#frame(event)), ...this.#mapper.texts.last()];
  }
  usage(): Usage | undefined {
    return this.#mapper.usage();
  }
  summary(): AnswerSummary {
    const summary = this.#mapper.tally.summary();
    return { ...summary, invalidEvents: summary.invalidEvents + this.#splitter.oversized };
  }
  tail(reason: TailReason): Uint8Array {
    const text = this.#mapper.tail(reason);
    return text === "" ? NO_BYTES : encodeText(this.#between ? text : `\n\n${text}`);
  }

  *#steps(chunk: Uint8Array | undefined): FrameSteps {
    for (const event of chunk === undefined ? this.#splitter.endSteps() : this.#splitter.pushSteps(chunk)) {
      if (event === undefined) yield;
      else {
        if (event.data === undefined || event.data.length <= YIELD_CHARS) yield this.#frame(event);
        else yield yield* this.#largeFrame(event, event.data);
      }
    }
    if (chunk === undefined) yield* this.#mapper.texts.last();
  }

  *#largeFrame(event: SseEvent, data: string): Steps<Frame> {
    const { texts } = this.#mapper;
    const text = this.#mapper.prepare?.(data) ?? data;
    yield* readAhead(texts, text);
    const frame = this.#readEvent(event);
    if (frame !== undefined) return frame;
    yield* texts.prepareFrame();
    return this.#framed(event);
  }

  #frame(event: SseEvent): Frame {
    return this.#readEvent(event) ?? this.#framed(event);
  }

  /** undefined: it was read, and `#framed` gives its frame. */
  #readEvent(event: SseEvent): Frame | undefined {
    this.#between = event.kind === "event";
    const { texts, tally } = this.#mapper;
    if (event.data === undefined || event.data === "")
      return event.kind === "piece" ? unreadFrame(texts, event.bytes) : this.#withBeside(event, bare(event.bytes));
    const again = this.#repeated.read(event, event.data, (undo) => writer(event, undo));
    if (again !== undefined) {
      tally.count(again.deltas);
      return again;
    }
    this.#mapper.event(event.event, event.data);
    return undefined;
  }

  #framed(event: SseEvent): Frame {
    const { texts, tally } = this.#mapper;
    const undo = this.#mapper.undo?.();
    const bytes = undo === undefined ? event.bytes : undo(event);
    const seed = this.#repeated.learns && this.#mapper.repeatable?.() === true ? texts.seed() : undefined;
    const frame = texts.frame(bytes, texts.guarded ? writer(event, undo) : undefined);
    tally.count(frame.deltas);
    this.#repeated.learn(event, frame, seed, undo);
    return this.#withBeside(event, frame);
  }

  /** Guards see what an event says beside its data as a text of its own; where they change it, it goes. */
  #withBeside({ beside }: SseEvent, frame: Frame): Frame {
    if (beside === undefined || !this.#mapper.texts.guarded) return frame;
    const deltas: Frame["deltas"] = [...frame.deltas, { choice: 0, block: 0, channel: "content", text: beside, repeats: true }];
    const own = ({ length }: readonly unknown[]): number => length - 1;
    const rewrite: Frame["rewrite"] = (texts) => {
      const rest = texts.slice(0, own(texts));
      const bytes = rest.some((text) => text !== undefined) ? (frame.rewrite?.(rest) ?? frame.bytes) : frame.bytes;
      return texts[own(texts)] === undefined ? bytes : withoutBeside(bytes);
    };
    const { rewriteSteps } = frame;
    if (rewriteSteps === undefined) return { ...frame, deltas, rewrite };
    return {
      ...{ ...frame, deltas, rewrite },
      rewriteSteps: function* (texts) {
        const bytes = yield* rewriteSteps(texts.slice(0, own(texts)));
        return bytes === undefined || texts[own(texts)] === undefined ? bytes : withoutBeside(bytes);
      },
    };
  }
}

/** Writes the event with other data. */
function writer(event: SseEvent, undo: ((event: SseEvent) => Uint8Array) | undefined): (data: string) => Uint8Array {
  return (data) => {
    const changed = withData(event, data);
    return undo === undefined ? changed.bytes : undo(changed);
  };
}

const bare = (bytes: Uint8Array): Frame => ({ bytes, deltas: NO_DELTAS });

/** Bytes that pass unread. Guards see them as a text that cannot be changed. */
export function unreadFrame(texts: AnswerTexts, bytes: Uint8Array): Frame {
  if (!texts.guarded) return bare(bytes);
  texts.unread(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"));
  return texts.frame(bytes, undefined);
}

/** One JSON body: held until its end, or passed on unread once it is larger than `BODY_BYTES_MAX`. */
class BodyReader implements AnswerReader {
  readonly #mapper: AnswerMapper;
  readonly #errorBody: (reason: TailReason) => string;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #passing = false;

  constructor(mapper: AnswerMapper, errorBody: (reason: TailReason) => string) {
    this.#mapper = mapper;
    this.#errorBody = errorBody;
  }

  push(chunk: Uint8Array): readonly Frame[] {
    if (chunk.length === 0) return [];
    if (this.#passing) return [unreadFrame(this.#mapper.texts, chunk)];
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes <= BODY_BYTES_MAX) return [];
    this.#passing = true;
    this.#mapper.tally.invalidEvents++;
    return this.#release().map((bytes) => unreadFrame(this.#mapper.texts, bytes));
  }
  end(): readonly Frame[] {
    const bytes = this.#whole();
    if (bytes.length === 0) return [];
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
    return this.#readBody(bytes, text, parseJsonValue(this.#mapper.prepare?.(text) ?? text)) ?? this.#framed(bytes);
  }
  pushSteps(chunk: Uint8Array | undefined): FrameSteps | undefined {
    return chunk === undefined && this.#heldBytes > YIELD_CHARS ? this.#steps() : undefined;
  }

  *#steps(): FrameSteps {
    const bytes = this.#whole();
    yield;
    const text = yield* decodeSteps(bytes);
    // Joining megabytes is a run of its own, here and below.
    yield;
    const json = yield* readSteps(this.#mapper.prepare?.(text) ?? text);
    yield;
    const unread = this.#readBody(bytes, text, json);
    if (unread !== undefined) return yield* unread;
    yield;
    yield* this.#mapper.texts.prepareFrame();
    yield* this.#framed(bytes);
  }

  #whole(): Uint8Array {
    const chunks = this.#release();
    return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
  }

  /** undefined: it was read, and `#framed` gives its frame. */
  #readBody(bytes: Uint8Array, text: string, json: Json | undefined): readonly Frame[] | undefined {
    const { texts, tally } = this.#mapper;
    if (json === undefined) {
      tally.invalidEvents++;
      return [unreadFrame(texts, bytes)];
    }
    texts.begin(json, text);
    texts.endAll();
    this.#mapper.body(json);
    return undefined;
  }

  #framed(bytes: Uint8Array): readonly Frame[] {
    const { texts, tally } = this.#mapper;
    const frame = texts.frame(bytes, encodeText);
    tally.count(frame.deltas);
    return [frame];
  }
  usage(): Usage | undefined {
    return this.#mapper.usage();
  }
  summary(): AnswerSummary {
    return this.#mapper.tally.summary();
  }
  /** Nothing of a body was released while it is held, so an error takes its whole place. A body cannot be cut to a length. */
  tail(reason: TailReason): Uint8Array {
    this.#release();
    return this.#passing || this.#mapper.tally.complete ? NO_BYTES : encodeText(this.#errorBody(reason));
  }

  #release(): Uint8Array[] {
    const chunks = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    return chunks;
  }
}
