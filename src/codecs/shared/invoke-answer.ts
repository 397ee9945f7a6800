import type { AnswerContext, TailReason } from "../../core/codec.ts";
import { field, isJsonObject, type Json } from "../../core/json.ts";
import type { Steps } from "../../core/slice.ts";
import type { Usage } from "../../core/usage.ts";
import { type AnswerTally, listField, textField } from "./answer-tally.ts";
import { AnswerTexts } from "./answer-texts.ts";
import { AnthropicAnswer } from "./anthropic-answer.ts";
import { tierOfHeaders } from "./bedrock-paths.ts";
import { bedrockException, type EventMapper } from "./bedrock-stream.ts";
import { ChatAnswer } from "./chat-answer.ts";
import { CohereV1Answer } from "./cohere-v1-answer.ts";
import { ConverseAnswer } from "./converse-answer.ts";
import { invocationUsage } from "./converse-usage.ts";
import { MakerAnswer } from "./invoke-maker.ts";
import { headerUsage } from "./invoke-usage.ts";
import { readAhead } from "./read-steps.ts";
import { chunkEvent } from "./said-bedrock.ts";
import { editPlaces } from "./text-places.ts";

const NO_BYTES = new Uint8Array(0);
/** What Bedrock adds to the last event of a stream. */
const METRICS = "amazon-bedrock-invocationMetrics";
/** Events of Converse, as Nova's own stream names them: `{"contentBlockDelta": {…}}`. */
const CONVERSE_EVENTS = ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"];

/** Whose shape an answer has, and its reader. */
type Reader =
  | { readonly shape: "anthropic"; readonly answer: AnthropicAnswer }
  | { readonly shape: "converse"; readonly answer: ConverseAnswer }
  | { readonly shape: "chat"; readonly answer: ChatAnswer }
  | { readonly shape: "cohere"; readonly answer: CohereV1Answer }
  | { readonly shape: "maker"; readonly answer: MakerAnswer };

/**
 * Reads answers of InvokeModel: each maker's own body, or its events, in base64 within Bedrock's frames.
 *
 * An answer of Anthropic's, in Converse's shape, in OpenAI's or Cohere's is read by the reader of that API. All others give their text by
 * the members that makers use for it. Usage of Anthropic's and Converse's shape is their own; else it is what Bedrock says at the end of a
 * stream, else their own, else that of the headers.
 */
export class InvokeAnswer implements EventMapper {
  readonly texts: AnswerTexts;
  readonly #context: AnswerContext;
  readonly #tier: string | undefined;
  readonly #maker: MakerAnswer;
  #reader: Reader;
  #metrics: Usage | undefined;
  /** What stands in the event that is read next. */
  #decoded: string | undefined;

  constructor(context: AnswerContext) {
    this.#context = context;
    this.#tier = tierOfHeaders(context.headers);
    this.texts = new AnswerTexts(context);
    this.#maker = new MakerAnswer(context, this.texts);
    this.#reader = { shape: "maker", answer: this.#maker };
  }

  get tally(): AnswerTally {
    return this.#reader.answer.tally;
  }

  usage(): Usage | undefined {
    const { shape, answer } = this.#reader;
    const own = answer.usage();
    if (own !== undefined && (shape === "anthropic" || shape === "converse")) return own;
    return this.#metrics ?? own ?? headerUsage(this.#context.headers);
  }

  body(json: Json): void {
    if (this.#context.status >= 400) {
      this.tally.complete = true;
      this.tally.failed("error");
      this.texts.walk(0, 0, json);
      return;
    }
    this.#reader = this.#opened(shapeOf(json));
    if (this.#reader.shape === "maker") this.#reader.answer.read(json);
    else this.#reader.answer.body(json);
    this.tally.complete = true;
  }

  *ahead(type: string, payload: Json): Steps<void> {
    if (type !== "chunk") return;
    this.#decoded = innerOf(payload);
    yield;
    yield* readAhead(this.texts, this.#decoded);
  }

  event(type: string, payload: Json, source: string): void {
    if (type !== "chunk") {
      this.tally.unknownEvents++;
      this.texts.walk(0, 0, payload);
      return;
    }
    const inner = this.#decoded ?? innerOf(payload);
    this.#decoded = undefined;
    const json = this.texts.parsed(inner);
    if (!isJsonObject(json)) {
      this.tally.invalidEvents++;
      this.texts.unread(inner);
      return;
    }
    this.texts.begin(json, inner, (changed) => {
      const bytes = JSON.stringify(Buffer.from(changed).toString("base64"));
      return editPlaces({ root: payload, source }, [{ place: { holder: payload, key: "bytes" }, json: bytes }], []);
    });
    const metrics = field(json, METRICS);
    if (metrics !== undefined) this.#metrics = invocationUsage(metrics);
    this.#inner(json);
    if (metrics === undefined) return;
    // Bedrock's figures stand in the last event, whoever's it is.
    this.tally.complete = true;
    this.texts.endAll();
  }

  exception(type: string): void {
    this.tally.failed(type);
  }

  /** The end as the maker's own stream has it. An error is always an exception. */
  tail(reason: TailReason): Uint8Array {
    if (this.tally.complete) return NO_BYTES;
    if (reason.kind === "error") return bedrockException(reason.denial, reason.requestId);
    return Buffer.concat(this.#endEvents(reason).map((json) => chunkEvent(json)));
  }

  #endEvents(reason: Exclude<TailReason, { kind: "error" }>): readonly string[] {
    switch (this.#reader.shape) {
      case "converse":
        return this.#reader.answer.endEvents(reason).map(([type, payload]) => JSON.stringify({ [type]: payload }));
      case "maker":
        return this.#reader.answer.tail(reason).map((json) => JSON.stringify(json));
      case "cohere":
        return this.#reader.answer
          .tail(reason)
          .split("\n")
          .filter((line) => line !== "");
      default: {
        const lines = this.#reader.answer.tail(reason).split("\n");
        return lines.flatMap((line) => (line.startsWith("data: {") ? [line.slice("data: ".length)] : []));
      }
    }
  }

  #inner(json: Json): void {
    if (this.#reader.shape === "maker") this.#reader = this.#opened(shapeOfEvent(json));
    switch (this.#reader.shape) {
      case "anthropic":
      case "cohere":
      case "chat":
        this.#reader.answer.eventJson(undefined, json);
        return;
      case "converse": {
        const named = CONVERSE_EVENTS.find((name) => field(json, name) !== undefined);
        this.#reader.answer.event(named ?? "", named === undefined ? json : (field(json, named) ?? null));
        return;
      }
      case "maker":
        this.#reader.answer.read(json);
    }
  }

  #opened(shape: Reader["shape"]): Reader {
    const reader = this.#readerOf(shape);
    reader.answer.tally.servedIn(this.#tier);
    return reader;
  }

  #readerOf(shape: Reader["shape"]): Reader {
    switch (shape) {
      case "anthropic":
        return { shape, answer: new AnthropicAnswer(this.#context, this.texts) };
      case "converse":
        return { shape, answer: new ConverseAnswer(this.#context, this.texts) };
      case "chat":
        return { shape, answer: new ChatAnswer(this.#context, "chat", this.texts) };
      case "cohere":
        return { shape, answer: new CohereV1Answer(this.#context, { sse: false }, this.texts) };
      case "maker":
        return { shape, answer: this.#maker };
    }
  }
}

/** The maker's own event, which Bedrock's holds in base64. */
const innerOf = (payload: Json): string => Buffer.from(textField(payload, "bytes"), "base64").toString("utf8");

function shapeOf(json: Json): Reader["shape"] {
  if (textField(json, "type") === "message") return "anthropic";
  if (field(field(json, "output"), "message") !== undefined) return "converse";
  if (isChat(json)) return "chat";
  return Array.isArray(field(json, "chat_history")) ? "cohere" : "maker";
}

function shapeOfEvent(json: Json): Reader["shape"] {
  if (textField(json, "type") === "message_start") return "anthropic";
  if (CONVERSE_EVENTS.some((name) => field(json, name) !== undefined)) return "converse";
  if (isChat(json)) return "chat";
  return textField(json, "event_type") === "" ? "maker" : "cohere";
}

/** OpenAI's choices have a `finish_reason`; those of older makers a `stop_reason`. */
function isChat(json: Json): boolean {
  const [first] = listField(json, "choices");
  return field(first, "finish_reason") !== undefined || field(first, "delta") !== undefined;
}
