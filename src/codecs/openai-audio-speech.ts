import type { AnswerContext, AnswerReader, Codec, Frame, ParsedRequest, ParseError, PathFacts, RequestChange } from "../core/codec.ts";
import { field, isJsonObject, type Json, type JsonDoc, type JsonEdit, type JsonNode, parseJsonValue } from "../core/json.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Usage } from "../core/usage.ts";
import type { AnswerSummary, ProviderStateRef, RequestView } from "../core/view.ts";
import { type AnswerMapper, openReader } from "./shared/answer-reader.ts";
import { AnswerTally, textField } from "./shared/answer-tally.ts";
import { AnswerTexts, silentAnd } from "./shared/answer-texts.ts";
import { withoutMedia } from "./shared/media-json.ts";
import { openAiErrorBody, openAiErrorEvents } from "./shared/openai-error.ts";
import { openAiPath, withPathModel } from "./shared/openai-paths.ts";
import { defined, reportedFigures, tokenCount } from "./shared/reported-usage.ts";
import { topLevelEdits } from "./shared/request-edits.ts";
import { RequestFields, stringMember } from "./shared/request-fields.ts";
import { SniffingReader } from "./shared/sniffing-reader.ts";
import { parameterTexts, Texts, walkAllTexts, walkNames } from "./shared/text-walk.ts";

const TAIL = "/audio/speech";
/** Characters to a text token, and audio tokens that a character can take when spoken (20 a second, 10 characters a second). */
const CHARS_PER_TOKEN = 3;
const AUDIO_TOKENS_PER_CHAR = 2;

/**
 * Text into speech. The answer is the audio itself, which passes as it comes, or events where `stream_format` says so. Audio has no
 * usage: models priced by the character are charged by the request's own characters, others are estimated.
 * Sources: `SpeechCreateParams` of the `openai` package 7.57; OpenAI's OpenAPI document, `SpeechAudioDoneEvent`.
 */
export const openaiAudioSpeech: Codec = {
  surface: "openai.audio.speech",
  dialect: "openai",
  operation: "audio",
  title: `POST /v1${TAIL}`,
  treatment: "inspected",
  match: (target): PathFacts | undefined => openAiPath(target, "POST", TAIL),
  readRequest: (doc: JsonDoc, facts: PathFacts): Result<RequestView, ParseError> => withPathModel(readSpeech(doc.root), facts),
  editRequest({ doc: { root } }: ParsedRequest, change: RequestChange): readonly JsonEdit[] {
    return root.kind === "object" ? topLevelEdits(root, change, { model: "model", outputTokensMax: undefined }) : [];
  },
  upstreamPath: () => TAIL,
  openAnswer(context: AnswerContext): AnswerReader {
    const events = context.view.framing === "sse" && !/^audio\//i.test(context.contentType);
    // An error that came with status 200 says so by its type.
    const isText = /^(?:text\/|application\/(?:[a-z.+-]*\+)?json)/i.test(context.contentType);
    if (!events && !isText && context.status < 400) return new AudioReader(context.view);
    return new SniffingReader(context, (sniffed) => openReader(sniffed, new SpeechAnswer(sniffed), openAiErrorBody));
  },
};

const PLAIN_KEYS: ReadonlySet<string> = new Set(["model", "voice", "response_format", "stream_format"]);

function readSpeech(root: JsonNode): Result<RequestView, ParseError> {
  if (root.kind !== "object") return err({ code: "invalid_request", where: "", message: "The body must be a JSON object." });
  const fields = new RequestFields(root);
  const input = fields.string("input")?.value ?? "";
  const voice = fields.node("voice");
  const made = voice?.kind === "object" ? stringMember(voice, "id") : undefined;
  const providerState: ProviderStateRef[] = made === undefined ? [] : [{ kind: "other", node: made }];
  const characters = codePoints(input);
  const outputTokens = characters * AUDIO_TOKENS_PER_CHAR;
  const view: RequestView = {
    model: fields.string("model")?.value,
    // Audio is played while it arrives.
    streaming: true,
    framing: fields.string("stream_format")?.value === "sse" ? "sse" : "json",
    outputTokensMax: undefined,
    choices: 1,
    tools: [],
    providerState,
    contractFields: fields.contractFields(),
    expected: { characters, inputTokens: Math.ceil(input.length / CHARS_PER_TOKEN), outputTokens, audioOutputTokens: outputTokens },
    texts() {
      const out = new Texts();
      for (const entry of root.members) {
        const { key, value } = entry;
        if (parameterTexts(entry, out)) continue;
        if (key === "input") walkAllTexts(value, "user", out);
        else if (key === "instructions") walkAllTexts(value, "system", out);
        else if (PLAIN_KEYS.has(key)) walkNames(value, out);
        else walkAllTexts(value, "other", out);
      }
      return out;
    },
  };
  return fields.problem === undefined ? ok(view) : err(fields.problem);
}

function codePoints(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length; at++) if ((text.codePointAt(at) ?? 0) > 0xffff) count--;
  return count;
}

/** Audio as it comes; whole when the stream ends. */
class AudioReader implements AnswerReader {
  readonly #tally = new AnswerTally();
  readonly #characters: number | undefined;

  constructor(view: RequestView) {
    this.#characters = view.expected?.characters;
  }

  push(chunk: Uint8Array): readonly Frame[] {
    return chunk.length === 0 ? [] : [{ bytes: chunk, deltas: [] }];
  }
  end(): readonly Frame[] {
    this.#tally.complete = true;
    return [];
  }
  usage(): Usage {
    return { ...defined({ characters: this.#characters }), reported: {} };
  }
  summary(): AnswerSummary {
    return this.#tally.summary();
  }
  /** Nothing can be said inside audio. */
  tail(): Uint8Array {
    return new Uint8Array(0);
  }
}

/** `speech.audio.delta` with audio in base64, `speech.audio.done` with the usage. */
class SpeechAnswer implements AnswerMapper {
  readonly tally = new AnswerTally();
  readonly texts: AnswerTexts;
  readonly #characters: number | undefined;
  #usage: Usage | undefined;

  constructor(context: AnswerContext) {
    this.texts = new AnswerTexts(context);
    this.#characters = context.view.expected?.characters;
  }

  body(json: Json): void {
    this.tally.complete = true;
    this.tally.readError(json);
    this.texts.walk(0, 0, json);
  }
  event(name: string | undefined, data: string): void {
    const isEnd = data.trim() === "[DONE]";
    const event = isEnd ? {} : parseJsonValue(withoutMedia(data));
    if (!isJsonObject(event)) {
      this.tally.invalidEvents++;
      this.texts.unread(data);
      return;
    }
    if (!isEnd) this.texts.begin(event, data);
    this.texts.walk(0, 0, event, AUDIO_KEYS);
    const type = textField(event, "type") || name;
    if (type === "speech.audio.done" || isEnd) {
      this.tally.complete = true;
      const usage = field(event, "usage");
      if (isJsonObject(usage)) this.#usage = speechUsage(usage, this.#characters);
    } else if (!this.tally.readError(event) && type !== "speech.audio.delta") this.tally.unknownEvents++;
  }
  usage(): Usage | undefined {
    return this.#usage;
  }
  tail(reason: Parameters<AnswerMapper["tail"]>[0]): string {
    return this.tally.complete || reason.kind !== "error" ? "" : openAiErrorEvents(reason.denial, reason.requestId);
  }
}

const AUDIO_KEYS = silentAnd("audio", "usage");

function speechUsage(usage: Json, characters: number | undefined): Usage {
  const output = tokenCount(field(usage, "output_tokens"));
  return {
    ...defined({ inputTokens: tokenCount(field(usage, "input_tokens")), outputTokens: output, audioOutputTokens: output, characters }),
    reported: reportedFigures(usage),
  };
}
