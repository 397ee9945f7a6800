import type { AnswerContext, AnswerReader, Frame, TailReason } from "../../core/codec.ts";
import { field, isJsonObject, type Json, parseJsonValue } from "../../core/json.ts";
import { BODY_BYTES_MAX } from "../../core/limits.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerSummary, Delta } from "../../core/view.ts";
import { type AnswerMapper, openReader } from "./answer-reader.ts";
import { AnswerTally, textField } from "./answer-tally.ts";
import { AnswerTexts } from "./answer-texts.ts";
import { openAiErrorBody, openAiErrorEvents } from "./openai-error.ts";
import { defined, reportedFigures, tokenCount } from "./reported-usage.ts";

/**
 * Reader of a transcript or translation: events, one JSON body, or plain text (`response_format` text, srt, vtt). The content type
 * says which; servers that call JSON plain text are found out by the text itself.
 */
export function openTranscript(context: AnswerContext): AnswerReader {
  const type = context.contentType.toLowerCase();
  const events = type.includes("text/event-stream") || (context.view.streaming && !type.includes("json") && !type.includes("text/plain"));
  const mapper = new TranscriptAnswer();
  if (events || type.includes("json") || context.status >= 400) return openReader(context, mapper, openAiErrorBody);
  return new TextReader(mapper);
}

/** Source: `Transcription`, `TranscriptionVerbose`, `TranscriptionStreamEvent` of the `openai` package 7.57. */
class TranscriptAnswer implements AnswerMapper {
  readonly tally = new AnswerTally();
  readonly texts = new AnswerTexts({});
  event(name: string | undefined, data: string): void {
    this.texts.give(this.#readEvent(name, data));
  }
  body(json: Json): void {
    this.texts.give(this.#readBody(json));
  }
  #usage: Usage | undefined;
  #chars = 0;

  #readBody(json: Json): readonly Delta[] {
    this.tally.complete = true;
    if (this.tally.readError(json)) return [];
    this.#usage = transcriptUsage(json);
    return this.#text(textField(json, "text"));
  }

  #readEvent(name: string | undefined, data: string): readonly Delta[] {
    if (data.trim() === "[DONE]") {
      this.tally.complete = true;
      return [];
    }
    const event = parseJsonValue(data);
    if (!isJsonObject(event)) {
      this.tally.invalidEvents++;
      return [];
    }
    switch (textField(event, "type") || name) {
      case "transcript.text.delta":
        return this.#text(textField(event, "delta"));
      case "transcript.text.segment":
        // Beside deltas a segment repeats them; alone it is the text.
        return this.#chars === 0 ? this.#text(textField(event, "text")) : [];
      case "transcript.text.done":
        this.tally.complete = true;
        this.#usage = transcriptUsage(event) ?? this.#usage;
        return this.#text(textField(event, "text").slice(this.#chars));
      default:
        if (!this.tally.readError(event)) this.tally.unknownEvents++;
        return [];
    }
  }

  /** A body that is text and nothing else. */
  plain(text: string): readonly Delta[] {
    const json = text.trimStart().startsWith("{") ? parseJsonValue(text) : undefined;
    if (isJsonObject(json) && (field(json, "text") !== undefined || field(json, "error") !== undefined)) return this.#readBody(json);
    this.tally.complete = true;
    return this.#text(text);
  }

  usage(): Usage | undefined {
    return this.#usage;
  }
  tail(reason: TailReason): string {
    return this.tally.complete || reason.kind !== "error" ? "" : openAiErrorEvents(reason.denial, reason.requestId);
  }

  #text(text: string): readonly Delta[] {
    if (text === "") return [];
    this.#chars += text.length;
    return [{ choice: 0, block: 0, channel: "content", text }];
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
    return this.#release().map((bytes) => ({ bytes, deltas: [] }));
  }
  end(): readonly Frame[] {
    const bytes = Buffer.concat(this.#release());
    if (bytes.length === 0 || this.#heldBytes > BODY_BYTES_MAX) return [];
    const deltas = this.#mapper.plain(bytes.toString("utf8"));
    this.#mapper.tally.count(deltas);
    return [{ bytes, deltas }];
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
