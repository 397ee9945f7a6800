import { awsErrorType } from "../../core/aws-errors.ts";
import type { AnswerContext, AnswerReader, Frame, FrameSteps, TailReason } from "../../core/codec.ts";
import type { Denial } from "../../core/denials.ts";
import { decodeSteps, isJsonObject, type Json, parseJsonValue } from "../../core/json.ts";
import { YIELD_CHARS } from "../../core/limits.ts";
import type { Steps } from "../../core/slice.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerSummary } from "../../core/view.ts";
import { type AnswerMapper, openReader, unreadFrame } from "./answer-reader.ts";
import type { AnswerTally } from "./answer-tally.ts";
import type { AnswerTexts } from "./answer-texts.ts";
import { type EventFrame, EventStreamSplitter, jsonException, withPayload } from "./aws-eventstream.ts";
import { bedrockError, bedrockErrorBody } from "./bedrock-error.ts";
import { cutsOf, readSteps } from "./read-steps.ts";

/** What an API of Bedrock's reads out of its events, or out of one whole JSON body. */
export interface EventMapper {
  readonly tally: AnswerTally;
  /** What `event` and `body` read goes here. */
  readonly texts: AnswerTexts;
  /** `type` is the frame's `:event-type`, `source` the payload's text; the payload was begun in `texts`. */
  event(type: string, payload: Json, source: string): void;
  /** Before `event`, where the payload is large: the part of its work that can be done in steps. */
  ahead?(type: string, payload: Json): Steps<void>;
  /** The provider ended the stream with an error of this type. */
  exception(type: string): void;
  body(json: Json): void;
  usage(): Usage | undefined;
  /** Frames that end the stream; none when it has ended already. */
  tail(reason: TailReason): Uint8Array;
}

/** Opens the reader of an event stream, or of the JSON body that stands in its place (whole answers, errors). */
export function openBedrockAnswer(context: AnswerContext, mapper: EventMapper): AnswerReader {
  const type = context.contentType.toLowerCase();
  const isStream =
    type.includes("eventstream") || (context.view.framing === "eventstream" && context.status < 400 && !type.includes("json"));
  if (isStream) return new EventStreamReader(mapper);
  const whole: AnswerMapper = {
    // Asked for anew each time: which reader counts may follow from the body.
    get tally() {
      return mapper.tally;
    },
    texts: mapper.texts,
    body: (json) => mapper.body(json),
    usage: () => mapper.usage(),
    event: () => undefined,
    tail: () => "",
  };
  return openReader({ ...context, contentType: "application/json" }, whole, bedrockErrorBody);
}

const NO_BYTES = new Uint8Array(0);

class EventStreamReader implements AnswerReader {
  readonly #mapper: EventMapper;
  readonly #splitter = new EventStreamSplitter();
  /** What was given out ends between two frames. */
  #between = true;

  constructor(mapper: EventMapper) {
    this.#mapper = mapper;
  }

  push(chunk: Uint8Array): readonly Frame[] {
    return this.#splitter.push(chunk).map((frame) => this.#frame(frame));
  }
  pushSteps(chunk: Uint8Array | undefined): FrameSteps | undefined {
    return chunk !== undefined && this.#splitter.isMuch(chunk.length) ? this.#steps(chunk) : undefined;
  }
  end(): readonly Frame[] {
    return [...this.#splitter.end().map((frame) => this.#frame(frame)), ...this.#mapper.texts.last()];
  }
  usage(): Usage | undefined {
    return this.#mapper.usage();
  }
  summary(): AnswerSummary {
    const summary = this.#mapper.tally.summary();
    return { ...summary, invalidEvents: summary.invalidEvents + this.#splitter.oversized + (this.#splitter.broken ? 1 : 0) };
  }
  /** Behind a half frame, or bytes that are none, nothing could be read as a frame any more. */
  tail(reason: TailReason): Uint8Array {
    return this.#between ? this.#mapper.tail(reason) : NO_BYTES;
  }

  *#steps(chunk: Uint8Array): FrameSteps {
    for (const cut of cutsOf(chunk)) {
      for (const frame of this.#splitter.push(cut))
        yield frame.payload.length > YIELD_CHARS ? yield* this.#largeFrame(frame) : this.#frame(frame);
      yield;
    }
  }

  *#largeFrame(frame: EventFrame): Steps<Frame> {
    const { texts } = this.#mapper;
    const text = yield* decodeSteps(frame.payload);
    const json = failureOf(frame) === undefined ? yield* readSteps(text) : undefined;
    const ahead = json === undefined ? undefined : this.#mapper.ahead?.(typeOf(frame), json);
    if (ahead !== undefined) yield* ahead;
    const unread = this.#read(frame, text, json);
    if (unread !== undefined) return unread;
    yield* texts.prepareFrame();
    return this.#framed(frame);
  }

  #frame(frame: EventFrame): Frame {
    const { kind, bytes, payload } = frame;
    const { tally, texts } = this.#mapper;
    if (kind !== "frame") {
      this.#between = kind === "piece" && this.#splitter.between;
      if (kind === "rest") tally.invalidEvents++;
      return unreadFrame(texts, bytes);
    }
    const text = Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString("utf8");
    return this.#read(frame, text, failureOf(frame) === undefined ? parseJsonValue(text) : undefined) ?? this.#framed(frame);
  }

  /** `json`: of an event's text, where it is some. undefined: it was read, and `#framed` gives its frame. */
  #read(frame: EventFrame, text: string, json: Json | undefined): Frame | undefined {
    this.#between = true;
    const { tally, texts } = this.#mapper;
    const failure = failureOf(frame);
    if (failure !== undefined) {
      this.#mapper.exception(failure);
      texts.unread(text);
      texts.endAll();
      return texts.frame(frame.bytes, undefined);
    }
    if (!isJsonObject(json)) {
      tally.invalidEvents++;
      return unreadFrame(texts, frame.bytes);
    }
    texts.begin(json, text);
    this.#mapper.event(typeOf(frame), json, text);
    return undefined;
  }

  #framed({ bytes }: EventFrame): Frame {
    const { tally, texts } = this.#mapper;
    const frame = texts.frame(bytes, texts.guarded ? (changed) => withPayload(bytes, changed) : undefined);
    tally.count(frame.deltas);
    return frame;
  }
}

const typeOf = ({ headers }: EventFrame): string => headers.get(":event-type") ?? "";
/** The type of the error that the frame is; undefined: it is none. */
function failureOf({ headers }: EventFrame): string | undefined {
  const message = headers.get(":message-type");
  if (message !== "exception" && message !== "error") return undefined;
  return headers.get(":exception-type") ?? headers.get(":error-code") ?? "error";
}

/** Exceptions that a running stream may end with (`ConverseStreamOutput`, `ResponseStream`); all others become the nearest. */
const IN_STREAM: ReadonlySet<string> = new Set([
  "InternalServerException",
  "ValidationException",
  "ThrottlingException",
  "ModelTimeoutException",
  "ServiceUnavailableException",
]);

/** A refusal as the exception that ends a running event stream; the SDKs raise it. */
export function bedrockException(denial: Denial, requestId: string): Uint8Array {
  const type = awsErrorType(denial.code);
  const named = IN_STREAM.has(type) ? type : type === "ModelErrorException" ? "ServiceUnavailableException" : "ValidationException";
  return jsonException(`${named[0]?.toLowerCase() ?? ""}${named.slice(1)}`, JSON.stringify(bedrockError(denial, requestId)));
}
