import { awsErrorType } from "../../core/aws-errors.ts";
import type { AnswerContext, AnswerReader, Frame, TailReason } from "../../core/codec.ts";
import type { Denial } from "../../core/denials.ts";
import { type Json, parseJsonValue } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerSummary } from "../../core/view.ts";
import { type AnswerMapper, openReader, unreadFrame } from "./answer-reader.ts";
import type { AnswerTally } from "./answer-tally.ts";
import type { AnswerTexts } from "./answer-texts.ts";
import { type EventFrame, EventStreamSplitter, jsonException, withPayload } from "./aws-eventstream.ts";
import { bedrockError, bedrockErrorBody } from "./bedrock-error.ts";

/** What an API of Bedrock's reads out of its events, or out of one whole JSON body. */
export interface EventMapper {
  readonly tally: AnswerTally;
  /** What `event` and `body` read goes here. */
  readonly texts: AnswerTexts;
  /** `type` is the frame's `:event-type`, `source` the payload's text; the payload was begun in `texts`. */
  event(type: string, payload: Json, source: string): void;
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

  #frame({ kind, bytes, headers, payload }: EventFrame): Frame {
    this.#between = kind === "frame" || (kind === "piece" && this.#splitter.between);
    const { tally, texts } = this.#mapper;
    if (kind !== "frame") {
      if (kind === "rest") tally.invalidEvents++;
      return unreadFrame(texts, bytes);
    }
    const text = Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString("utf8");
    const message = headers.get(":message-type");
    if (message === "exception" || message === "error") {
      this.#mapper.exception(headers.get(":exception-type") ?? headers.get(":error-code") ?? "error");
      texts.unread(text);
      texts.endAll();
      return texts.frame(bytes, undefined);
    }
    const json = parseJsonValue(text);
    if (json === undefined) {
      tally.invalidEvents++;
      return unreadFrame(texts, bytes);
    }
    texts.begin(json, text);
    this.#mapper.event(headers.get(":event-type") ?? "", json, text);
    const frame = texts.frame(bytes, texts.guarded ? (changed) => withPayload(bytes, changed) : undefined);
    tally.count(frame.deltas);
    return frame;
  }
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
