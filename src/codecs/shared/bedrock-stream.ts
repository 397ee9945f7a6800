import { awsErrorType } from "../../core/aws-errors.ts";
import type { AnswerContext, AnswerReader, Frame, TailReason } from "../../core/codec.ts";
import type { Denial } from "../../core/denials.ts";
import { type Json, parseJsonValue } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerSummary, Delta } from "../../core/view.ts";
import { type AnswerMapper, openReader } from "./answer-reader.ts";
import type { AnswerTally } from "./answer-tally.ts";
import { AnswerTexts } from "./answer-texts.ts";
import { type EventFrame, EventStreamSplitter, jsonException } from "./aws-eventstream.ts";
import { bedrockError, bedrockErrorBody } from "./bedrock-error.ts";

/** What an API of Bedrock's reads out of its events, or out of one whole JSON body. */
export interface EventMapper {
  readonly tally: AnswerTally;
  /** `type` is the frame's `:event-type`. */
  event(type: string, payload: Json): readonly Delta[];
  /** The provider ended the stream with an error of this type. */
  exception(type: string): void;
  body(json: Json): readonly Delta[];
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
    texts: new AnswerTexts({}),
    body: (json) => whole.texts.give(mapper.body(json)),
    usage: () => mapper.usage(),
    event: () => undefined,
    tail: () => "",
  };
  return openReader({ ...context, contentType: "application/json" }, whole, bedrockErrorBody);
}

const NO_DELTAS: readonly Delta[] = [];
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
    return this.#splitter.end().map((frame) => this.#frame(frame));
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
    if (kind !== "frame") {
      if (kind === "rest") this.#mapper.tally.invalidEvents++;
      return { bytes, deltas: NO_DELTAS };
    }
    const message = headers.get(":message-type");
    if (message === "exception" || message === "error") {
      this.#mapper.exception(headers.get(":exception-type") ?? headers.get(":error-code") ?? "error");
      return { bytes, deltas: NO_DELTAS };
    }
    const text = Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString("utf8");
    const json = parseJsonValue(text);
    if (json === undefined) {
      this.#mapper.tally.invalidEvents++;
      return { bytes, deltas: NO_DELTAS };
    }
    const deltas = this.#mapper.event(headers.get(":event-type") ?? "", json);
    this.#mapper.tally.count(deltas);
    return { bytes, deltas };
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
