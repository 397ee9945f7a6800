import type { AnswerContext, AnswerReader, Frame, FrameSteps, TailReason } from "../../core/codec.ts";
import { decodeSteps, field, isJsonObject, type Json, parseJsonValue } from "../../core/json.ts";
import { BODY_BYTES_MAX, YIELD_CHARS } from "../../core/limits.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerSummary } from "../../core/view.ts";
import { type AnswerMapper, openReader, unreadFrame } from "./answer-reader.ts";
import { AnswerTally, listField, textField } from "./answer-tally.ts";
import { AnswerTexts, beginEvent, silentAnd } from "./answer-texts.ts";
import { openAiErrorBody, openAiErrorEvents } from "./openai-error.ts";
import { readSteps } from "./read-steps.ts";
import { defined, reportedFigures, tokenCount } from "./reported-usage.ts";

/**
 * Reader of a transcript or translation: events, one JSON body, or plain text (`response_format` text, srt, vtt). The content type
 * says which; servers that call JSON plain text are found out by the text itself.
 */
export function openTranscript(context: AnswerContext): AnswerReader {
  const type = context.contentType.toLowerCase();
  const events = type.includes("text/event-stream") || (context.view.streaming && !type.includes("json") && !type.includes("text/plain"));
  const mapper = new TranscriptAnswer(context);
  if (events || type.includes("json") || context.status >= 400) return openReader(context, mapper, openAiErrorBody);
  return new TextReader(mapper);
}

/** Members that are read, or hold no text. */
const KEYS = {
  body: silentAnd("text", "usage", "duration", "language", "task", "segments", "words", "logprobs"),
  part: silentAnd("text", "word", "start", "end", "tokens", "seek", "speaker"),
  event: silentAnd("delta", "text", "usage", "logprobs", "start", "end", "speaker", "segment_id"),
};
/** Part of the lane's name of a segment, which holds a piece of the text once more. */
const LANE = [0, 0, "content"] as const;

/**
 * Segments and words repeat pieces of the text; each is a text by itself for guards. What was said over the border of two segments is seen
 * whole in the text only, so where the text changes, words go, and segments too.
 * Source: `Transcription`, `TranscriptionVerbose`, `TranscriptionStreamEvent` of the `openai` package 7.57.
 */
class TranscriptAnswer implements AnswerMapper {
  readonly tally = new AnswerTally();
  readonly texts: AnswerTexts;
  #usage: Usage | undefined;
  #chars = 0;

  constructor(context: AnswerContext) {
    this.texts = new AnswerTexts(context);
  }

  body(json: Json): void {
    const { texts } = this;
    this.tally.complete = true;
    texts.walk(0, 0, json, KEYS.body);
    if (this.tally.readError(json)) return;
    this.#usage = transcriptUsage(json);
    texts.add(...LANE, json, "text");
    for (const [list, key] of [
      ["segments", "text"],
      ["words", "word"],
    ] as const) {
      for (const part of listField(json, list)) {
        texts.beside(...LANE, part, key);
        texts.walk(0, 0, part, KEYS.part);
      }
      texts.erase(0, json, list, "[]");
    }
    texts.erase(0, json, "logprobs", "[]");
  }

  event(name: string | undefined, data: string): void {
    if (data.trim() === "[DONE]") {
      this.tally.complete = true;
      this.texts.endAll();
      return;
    }
    const event = beginEvent(this, data);
    if (event === undefined) return;
    this.texts.walk(0, 0, event, KEYS.event);
    this.texts.erase(0, event, "logprobs", "[]");
    switch (textField(event, "type") || name) {
      case "transcript.text.delta":
        this.#text(event, "delta");
        return;
      case "transcript.text.segment":
        // Beside deltas a segment repeats them; alone it is the text.
        if (this.#chars === 0) this.#text(event, "text");
        else this.texts.beside(...LANE, event, "text");
        return;
      case "transcript.text.done":
        this.tally.complete = true;
        this.#usage = transcriptUsage(event) ?? this.#usage;
        this.#whole(event);
        this.texts.endAll();
        return;
      default:
        if (this.tally.readError(event)) this.texts.endAll();
        else this.tally.unknownEvents++;
        for (const key of ["delta", "text"]) this.texts.beside(...LANE, event, key);
    }
  }

  /** A body that is text and nothing else; it can be any. `json`: its value, if it has one. True: it is a JSON body all the same. */
  plain(text: string, json: Json | undefined): boolean {
    if (isJsonObject(json) && (field(json, "text") !== undefined || field(json, "error") !== undefined)) {
      this.texts.begin(json, text);
      this.body(json);
      return true;
    }
    this.tally.complete = true;
    const only = [text];
    this.texts.begin(only, "");
    this.texts.add(...LANE, only, 0);
    return false;
  }

  usage(): Usage | undefined {
    return this.#usage;
  }
  tail(reason: TailReason): string {
    return this.tally.complete || reason.kind !== "error" ? "" : openAiErrorEvents(reason.denial, reason.requestId);
  }

  #text(event: Json, key: "delta" | "text"): void {
    this.#chars += textField(event, key).length;
    this.texts.add(...LANE, event, key);
  }

  /** The whole text once more: what no delta brought yet is new. */
  #whole(event: Json): void {
    if (this.#chars === 0) {
      this.#text(event, "text");
      return;
    }
    this.texts.beside(...LANE, event, "text");
    const more = textField(event, "text").slice(this.#chars);
    if (this.texts.guarded) this.tally.countChars(more.length);
    else this.texts.loose(...LANE, more);
  }
}

/** `{type: "tokens", …}` or `{type: "duration", seconds}`; before there was either, only `duration` of the verbose form. */
function transcriptUsage(json: Json): Usage | undefined {
  const usage = field(json, "usage");
  if (isJsonObject(usage)) {
    const details = field(usage, "input_token_details") ?? field(usage, "input_tokens_details");
    return {
      ...defined({
        inputTokens: tokenCount(field(usage, "input_tokens")),
        outputTokens: tokenCount(field(usage, "output_tokens")),
        audioInputTokens: tokenCount(field(details, "audio_tokens")),
        seconds: amount(field(usage, "seconds")),
      }),
      reported: reportedFigures(usage),
    };
  }
  const seconds = amount(field(json, "duration"));
  return seconds === undefined ? undefined : { seconds, reported: { duration: seconds } };
}

/** Seconds, which may have a fraction. */
function amount(value: Json | undefined): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** A plain text, held to its end; one that is larger than `BODY_BYTES_MAX` passes unread. */
class TextReader implements AnswerReader {
  readonly #mapper: TranscriptAnswer;
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(mapper: TranscriptAnswer) {
    this.#mapper = mapper;
  }

  push(chunk: Uint8Array): readonly Frame[] {
    this.#heldBytes += chunk.length;
    this.#held.push(chunk);
    if (this.#heldBytes <= BODY_BYTES_MAX) return [];
    this.#mapper.tally.invalidEvents = 1;
    return this.#release().map((bytes) => unreadFrame(this.#mapper.texts, bytes));
  }
  end(): readonly Frame[] {
    const bytes = Buffer.concat(this.#release());
    if (bytes.length === 0 || this.#heldBytes > BODY_BYTES_MAX) return [];
    const text = bytes.toString("utf8");
    return [this.#framed(bytes, this.#mapper.plain(text, mayBeJson(text) ? parseJsonValue(text) : undefined))];
  }
  pushSteps(chunk: Uint8Array | undefined): FrameSteps | undefined {
    const isMuch = this.#heldBytes > YIELD_CHARS && this.#heldBytes <= BODY_BYTES_MAX;
    return chunk === undefined && isMuch ? this.#steps() : undefined;
  }

  *#steps(): FrameSteps {
    const bytes = Buffer.concat(this.#release());
    const text = yield* decodeSteps(bytes);
    const isJson = this.#mapper.plain(text, mayBeJson(text) ? yield* readSteps(text) : undefined);
    yield;
    yield* this.#mapper.texts.prepareFrame();
    yield this.#framed(bytes, isJson);
  }

  #framed(bytes: Uint8Array, isJson: boolean): Frame {
    const { texts, tally } = this.#mapper;
    texts.endAll();
    const frame = texts.frame(bytes, isJson && texts.guarded ? (changed) => Buffer.from(changed) : undefined);
    tally.count(frame.deltas);
    if (isJson || !texts.guarded) return frame;
    return { ...frame, rewrite: ([text]) => (text === undefined ? bytes : Buffer.from(text)) };
  }
  usage(): Usage | undefined {
    return this.#mapper.usage();
  }
  summary(): AnswerSummary {
    return this.#mapper.tally.summary();
  }
  tail(reason: TailReason): Uint8Array {
    this.#release();
    return Buffer.from(this.#heldBytes > BODY_BYTES_MAX || this.#mapper.tally.complete ? "" : openAiErrorBody(reason));
  }

  #release(): Uint8Array[] {
    const chunks = this.#held;
    this.#held = [];
    return chunks;
  }
}

const mayBeJson = (text: string): boolean => text.trimStart().startsWith("{");
