import type { AnswerContext, TailReason } from "../../core/codec.ts";
import { field, type Json } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import { AnswerTally, listField, textField } from "./answer-tally.ts";
import { type AnswerTexts, silentAnd } from "./answer-texts.ts";
import { bodyUsage } from "./invoke-usage.ts";

/** Members that hold a maker's text: Titan, Llama, Claude 2, Cohere and Mistral. */
const TEXTS = ["outputText", "generation", "completion", "text"] as const;
/** Members that list an answer's choices. */
const LISTS = ["results", "generations", "outputs", "choices", "completions"] as const;
const FINISHES = ["stop_reason", "completionReason", "finish_reason", "finishReason"] as const;
/** Bodies of images and vectors, figures, the prompt once more, and what is read already. */
const PLAIN_KEYS = [
  ...[...LISTS, ...FINISHES, "delta", "message", "data", "stop", "usage", "meta", "model", "prompt", "generation_id", "created"],
  ...[
    "images",
    "image",
    "artifacts",
    "seeds",
    "finish_reasons",
    "embedding",
    "embeddings",
    "embeddingsByType",
    "response_type",
    "is_finished",
  ],
  ...["amazon-bedrock-invocationMetrics", "amazon-bedrock-guardrailAction"],
];

/** Members that hold the message of a choice. */
const MESSAGES = ["delta", "message", "data"] as const;

/** How a maker's stream says a text and an end; `text` and `finish` are null where there is none. */
interface Shape {
  /** The events' member of text, and the list that it stands in. */
  readonly key: string;
  readonly list?: string;
  event(text: string, finish: "length" | "filtered" | null): Json;
}
const SHAPES: readonly Shape[] = [
  {
    key: "outputText",
    event: (outputText, finish) => ({
      outputText,
      index: 0,
      totalOutputTextTokenCount: null,
      completionReason: finish === null ? null : finish === "length" ? "LENGTH" : "CONTENT_FILTERED",
      inputTextTokenCount: null,
    }),
  },
  {
    key: "generation",
    event: (generation, finish) => ({
      generation,
      prompt_token_count: null,
      generation_token_count: null,
      stop_reason: finish === null ? null : "length",
    }),
  },
  { key: "completion", event: (completion, finish) => ({ completion, stop_reason: finish === null ? null : "max_tokens", stop: null }) },
  {
    key: "text",
    list: "outputs",
    event: (text, finish) => ({ outputs: [{ text, stop_reason: finish === null ? null : "length" }] }),
  },
  {
    key: "text",
    event: (text, finish) => ({
      text,
      is_finished: finish !== null,
      ...(finish === null ? {} : { finish_reason: finish === "length" ? "MAX_TOKENS" : "ERROR_TOXIC" }),
    }),
  },
];

/**
 * Reads answers that have their text by the members that makers use for it: one of `TEXTS`, at the root or in each choice of one of `LISTS`.
 * Every other string stands beside it.
 */
export class MakerAnswer {
  readonly tally = new AnswerTally();
  readonly texts: AnswerTexts;
  #usage: Usage | undefined;
  #shape: Shape | undefined;

  constructor(_context: AnswerContext, texts: AnswerTexts) {
    this.texts = texts;
  }

  usage(): Usage | undefined {
    return this.#usage;
  }

  read(json: Json): void {
    this.tally.answeredBy(field(json, "model"), field(json, "id") ?? field(json, "generation_id"));
    const usage = bodyUsage(json);
    // Figures of a stream come in several events; the latest of each counts.
    if (usage !== undefined) this.#usage = { ...this.#usage, ...usage, reported: { ...this.#usage?.reported, ...usage.reported } };
    const list = LISTS.find((key) => listField(json, key).length > 0);
    if (list === undefined) this.#part(json, 0, undefined);
    else {
      for (const [choice, part] of listField(json, list).entries()) this.#part(part, choice, list);
      this.texts.walk(0, 0, json, KNOWN);
      for (const key of MESSAGES) this.texts.other(0, 0, json, key);
    }
  }

  /** The events that end a stream of this maker's; none where nothing told yet how it speaks. Most makers have no reason for filtered ends. */
  tail(reason: Exclude<TailReason, { kind: "error" }>): readonly Json[] {
    const shape = this.#shape;
    if (shape === undefined) return [];
    const said = reason.kind === "filtered" && reason.text !== undefined && reason.text !== "" ? [shape.event(reason.text, null)] : [];
    return [...said, shape.event("", reason.kind)];
  }

  #part(part: Json, choice: number, list: string | undefined): void {
    const { texts } = this;
    const finish = FINISHES.find((key) => textField(part, key) !== "");
    if (finish !== undefined) this.tally.finished(field(part, finish));
    const message = field(part, "delta") ?? field(part, "message") ?? field(part, "data");
    const thought = textField(message, "reasoning_content") === "" ? "reasoning" : "reasoning_content";
    texts.add(choice, 0, "reasoning", message, thought);
    const key = TEXTS.find((name) => typeof field(part, name) === "string");
    if (key !== undefined) {
      texts.add(choice, 0, "content", part, key);
      this.#shape ??= SHAPES.find((shape) => shape.key === key && shape.list === (list === "outputs" ? list : undefined));
    }
    const inner = key !== undefined && textField(part, key) !== "" ? undefined : textField(message, "content") === "" ? "text" : "content";
    if (inner !== undefined) texts.add(choice, 0, "content", message, inner);
    for (const [block, call] of listField(message, "tool_calls").entries()) {
      const called = field(call, "function");
      this.tally.calledTool(field(called, "name"));
      texts.readAsCall(call);
      texts.call(choice, block, textField(called, "name"), textField(call, "id"));
      texts.add(choice, block, "tool_arguments", called, "arguments");
      texts.walk(choice, block, called, CALLED);
      texts.walk(choice, block, call, CALL);
    }
    if (!texts.guarded) return;
    for (const name of MESSAGES) if (field(part, name) !== message || typeof message === "string") texts.other(choice, 0, part, name);
    texts.walk(choice, 0, message, silentAnd("tool_calls", thought, ...(inner === undefined ? [] : [inner])));
    texts.walk(choice, 0, part, key === undefined ? KNOWN : new Set([...KNOWN, key]));
    for (const name of ["logprobs", "token_likelihoods"]) texts.erase(choice, part, name, "null");
    if (finish !== undefined) texts.end(choice);
  }
}

const KNOWN = silentAnd(...PLAIN_KEYS);
const CALL = silentAnd("function");
const CALLED = silentAnd("name", "arguments");
