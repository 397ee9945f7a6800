import type { AnswerContext, HeaderView, TailReason } from "../../core/codec.ts";
import { field, isJsonObject, type Json, parseJsonValue } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import type { Delta } from "../../core/view.ts";
import { AnswerTally, listField, textField } from "./answer-tally.ts";
import { AnthropicAnswer } from "./anthropic-answer.ts";
import { anthropicUsage } from "./anthropic-usage.ts";
import { jsonEvent } from "./aws-eventstream.ts";
import { bedrockException, type EventMapper } from "./bedrock-stream.ts";
import { chatUsage } from "./chat-usage.ts";
import { cohereUsage } from "./cohere-usage.ts";
import { ConverseAnswer } from "./converse-answer.ts";
import { converseUsage, invocationUsage } from "./converse-usage.ts";
import { reportedFigures, tokenCount } from "./reported-usage.ts";

const NO_DELTAS: readonly Delta[] = [];
const NO_BYTES = new Uint8Array(0);
/** What Bedrock adds to the last event of a stream. */
const METRICS = "amazon-bedrock-invocationMetrics";

/**
 * Reads answers of InvokeModel: each maker's own body, or its events, in base64 within Bedrock's frames.
 *
 * An answer of Anthropic's or in Converse's shape is read by the reader of that API, usage included. All others give their text by the
 * members that makers use for it, and their usage is what Bedrock says at the end of a stream, else their own, else that of the headers.
 */
export class InvokeAnswer implements EventMapper {
  readonly #context: AnswerContext;
  readonly #own = new AnswerTally();
  #anthropic: AnthropicAnswer | undefined;
  #converse: ConverseAnswer | undefined;
  #usage: Usage | undefined;
  #metrics: Usage | undefined;

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  get tally(): AnswerTally {
    return this.#anthropic?.tally ?? this.#converse?.tally ?? this.#own;
  }

  usage(): Usage | undefined {
    return this.#anthropic?.usage() ?? this.#converse?.usage() ?? this.#metrics ?? this.#usage ?? headerUsage(this.#context.headers);
  }

  body(json: Json): readonly Delta[] {
    if (this.#context.status >= 400) {
      this.#own.complete = true;
      this.#own.failed("error");
      return NO_DELTAS;
    }
    if (textField(json, "type") === "message") return this.#taken((answer) => answer.body(json));
    if (field(field(json, "output"), "message") !== undefined) return this.#asConverse().body(json);
    const deltas = this.#generic(json);
    this.#own.complete = true;
    return deltas;
  }

  event(type: string, payload: Json): readonly Delta[] {
    if (type !== "chunk") {
      this.tally.unknownEvents++;
      return NO_DELTAS;
    }
    const json = parseJsonValue(Buffer.from(textField(payload, "bytes"), "base64").toString("utf8"));
    if (!isJsonObject(json)) {
      this.tally.invalidEvents++;
      return NO_DELTAS;
    }
    const metrics = field(json, METRICS);
    if (metrics !== undefined) this.#metrics = invocationUsage(metrics);
    const deltas = this.#inner(json);
    // Bedrock's figures stand in the last event, whoever's it is.
    if (metrics !== undefined) this.tally.complete = true;
    return deltas;
  }

  exception(type: string): void {
    this.tally.failed(type);
  }

  /** Anthropic's end is known; for other makers a stream that stops is the end that their callers get. An error is always an exception. */
  tail(reason: TailReason): Uint8Array {
    if (this.tally.complete) return NO_BYTES;
    if (reason.kind === "error") return bedrockException(reason.denial, reason.requestId);
    const events = (this.#anthropic?.tail(reason) ?? "").split("\n").filter((line) => line.startsWith("data: "));
    return Buffer.concat(events.map((line) => chunkEvent(line.slice("data: ".length))));
  }

  #taken(read: (answer: AnthropicAnswer) => void): readonly Delta[] {
    const answer = this.#asAnthropic();
    read(answer);
    return answer.texts.take();
  }
  #asAnthropic(): AnthropicAnswer {
    this.#anthropic ??= new AnthropicAnswer(this.#context);
    return this.#anthropic;
  }
  #asConverse(): ConverseAnswer {
    this.#converse ??= new ConverseAnswer(this.#context.status);
    return this.#converse;
  }

  #inner(json: Json): readonly Delta[] {
    if (this.#anthropic !== undefined || textField(json, "type") === "message_start") {
      return this.#taken((answer) => answer.eventJson(undefined, json));
    }
    const named = isJsonObject(json) ? CONVERSE_EVENTS.find((name) => field(json, name) !== undefined) : undefined;
    if (named !== undefined) return this.#asConverse().event(named, field(json, named) ?? null);
    return this.#generic(json);
  }

  #generic(json: Json): readonly Delta[] {
    this.#own.answeredBy(field(json, "model"), field(json, "id") ?? field(json, "generation_id"));
    const usage = bodyUsage(json);
    // Figures of a stream come in several events; the latest of each counts.
    if (usage !== undefined) this.#usage = { ...this.#usage, ...usage, reported: { ...this.#usage?.reported, ...usage.reported } };
    const out: Delta[] = [];
    for (const [choice, part] of partsOf(json).entries()) this.#part(part, choice, out);
    return out;
  }

  #part(part: Json, choice: number, out: Delta[]): void {
    this.#own.finished(firstText(part, ["stop_reason", "completionReason", "finish_reason", "finishReason"]));
    const message = field(part, "delta") ?? field(part, "message") ?? field(part, "data");
    const add = (block: number, channel: Delta["channel"], text: string): void => {
      if (text !== "") out.push({ choice, block, channel, text });
    };
    add(0, "reasoning", textField(message, "reasoning_content") || textField(message, "reasoning"));
    add(0, "content", firstText(part, TEXTS) ?? firstText(message, ["content", "text"]) ?? "");
    for (const [block, call] of listField(message, "tool_calls").entries()) {
      this.#own.calledTool(field(field(call, "function"), "name"));
      add(block, "tool_arguments", textField(field(call, "function"), "arguments"));
    }
  }
}

/** Events of Converse, as Nova's own stream names them: `{"contentBlockDelta": {…}}`. */
const CONVERSE_EVENTS = ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"];
/** Members that hold a maker's text: Titan, Llama, Claude 2, Cohere and Mistral. */
const TEXTS = ["outputText", "generation", "completion", "text"];

/** The choices of an answer: in a list, or the answer itself. */
function partsOf(json: Json): readonly Json[] {
  for (const key of ["results", "generations", "outputs", "choices", "completions"]) {
    const list = listField(json, key);
    if (list.length > 0) return list;
  }
  return [json];
}

function firstText(json: Json | undefined, keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const text = textField(json, key);
    if (text !== "") return text;
  }
  return undefined;
}

/** Usage that a maker's own body reports. */
export function bodyUsage(json: Json): Usage | undefined {
  const usage = field(json, "usage");
  if (isJsonObject(usage)) {
    if (field(usage, "prompt_tokens") !== undefined) return chatUsage(usage);
    return field(usage, "input_tokens") !== undefined ? anthropicUsage(usage) : converseUsage(usage);
  }
  return titanUsage(json) ?? llamaUsage(json) ?? cohereUsage(field(json, "meta"));
}

/** Titan counts the tokens of each result; in a stream the running total. */
function titanUsage(json: Json): Usage | undefined {
  const input = tokenCount(field(json, "inputTextTokenCount"));
  let output = tokenCount(field(json, "totalOutputTextTokenCount"));
  let counted: number | undefined;
  for (const result of listField(json, "results")) {
    const tokens = tokenCount(field(result, "tokenCount"));
    if (tokens !== undefined) counted = (counted ?? 0) + tokens;
  }
  output ??= counted;
  if (input === undefined) return undefined;
  return {
    inputTokens: input,
    ...(output === undefined ? {} : { outputTokens: output }),
    reported: { inputTextTokenCount: input, ...(output === undefined ? {} : { tokenCount: output }) },
  };
}

/** In a stream of Llama's the prompt is counted in the first event only, null after it. */
function llamaUsage(json: Json): Usage | undefined {
  const input = tokenCount(field(json, "prompt_token_count"));
  const output = tokenCount(field(json, "generation_token_count"));
  if (output === undefined) return undefined;
  const prompt = input === undefined ? {} : { inputTokens: input };
  const reported = { ...(input === undefined ? {} : { prompt_token_count: input }), generation_token_count: output };
  return { ...prompt, outputTokens: output, reported };
}

/** `x-amzn-bedrock-input-token-count` and its like: there on every whole answer of InvokeModel. */
export function headerUsage(headers: HeaderView | undefined): Usage | undefined {
  const metrics: Record<string, number> = {};
  for (const [name, key] of [
    ["input", "inputTokenCount"],
    ["output", "outputTokenCount"],
    ["cache-read-input", "cacheReadInputTokenCount"],
    ["cache-write-input", "cacheWriteInputTokenCount"],
  ] as const) {
    const text = headers?.get(`x-amzn-bedrock-${name}-token-count`);
    if (text !== undefined && /^[0-9]{1,15}$/.test(text)) metrics[key] = Number(text);
  }
  const usage = invocationUsage(metrics);
  return usage === undefined ? undefined : { ...usage, reported: reportedFigures(metrics) };
}

/** One event of a maker's within a frame of Bedrock's. */
const chunkEvent = (json: string): Uint8Array => jsonEvent("chunk", JSON.stringify({ bytes: Buffer.from(json).toString("base64") }));
