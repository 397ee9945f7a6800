import type { AnswerContext, TailReason } from "../../core/codec.ts";
import { field, isJsonObject, type Json, parseJsonValue } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import type { Delta } from "../../core/view.ts";
import type { AnswerMapper } from "./answer-reader.ts";
import { AnswerTally, listField, textField } from "./answer-tally.ts";
import { AnswerTexts } from "./answer-texts.ts";
import { withoutMedia } from "./media-json.ts";
import { openAiErrorEvents } from "./openai-error.ts";
import { defined, reportedFigures, tokenCount } from "./reported-usage.ts";

/** Usage objects of one answer that are added up; a stream has one for each image. */
const USAGES_MAX = 256;

/**
 * Reads an answer of OpenAI's images API, whole or as events. Its texts are the prompts that the provider rewrote; the images pass
 * unread. GPT image models report tokens; DALL·E reports nothing and is priced by the images counted here.
 * Source: `ImagesResponse`, `ImageGenCompletedEvent`, `ImageEditCompletedEvent` of the `openai` package 7.57.
 */
export class ImageAnswer implements AnswerMapper {
  readonly tally = new AnswerTally();
  readonly texts = new AnswerTexts({});
  event(name: string | undefined, data: string): void {
    this.texts.give(this.#readEvent(name, data));
  }
  body(json: Json): void {
    this.texts.give(this.#readBody(json));
  }
  readonly #context: AnswerContext;
  readonly #usages: Json[] = [];
  #images = 0;
  #failed = false;

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  prepare(text: string): string {
    return withoutMedia(text);
  }

  #readBody(json: Json): readonly Delta[] {
    this.tally.complete = true;
    if (this.tally.readError(json)) return [];
    const out: Delta[] = [];
    for (const [choice, image] of listField(json, "data").entries()) {
      this.#images++;
      const text = textField(image, "revised_prompt");
      if (text !== "") out.push({ choice, block: 0, channel: "content", text });
    }
    this.tally.answeredBy(field(json, "model"), undefined);
    this.#use(field(json, "usage"));
    return out;
  }

  #readEvent(name: string | undefined, data: string): readonly Delta[] {
    if (data.trim() === "[DONE]") {
      this.tally.complete = true;
      return [];
    }
    const event = parseJsonValue(withoutMedia(data));
    if (!isJsonObject(event)) {
      this.tally.invalidEvents++;
      return [];
    }
    const type = textField(event, "type") || (name ?? "");
    if (type.endsWith(".completed")) {
      this.#images++;
      this.#use(field(event, "usage"));
      this.tally.complete ||= this.#images >= this.#context.view.choices;
    } else if (type === "error" || field(event, "error") !== undefined) {
      this.#failed = true;
      if (!this.tally.readError(event)) this.tally.failed(field(event, "code") ?? "error");
    } else if (!type.endsWith(".partial_image")) this.tally.unknownEvents++;
    return [];
  }

  usage(): Usage | undefined {
    if (this.#images === 0 || this.#failed) return this.#usages.length === 0 ? undefined : this.#sum();
    return this.#sum();
  }

  /** An image cannot be cut to a length: such a stream just ends. */
  tail(reason: TailReason): string {
    return this.tally.complete || reason.kind !== "error" ? "" : openAiErrorEvents(reason.denial, reason.requestId);
  }

  #use(usage: Json | undefined): void {
    if (isJsonObject(usage) && this.#usages.length < USAGES_MAX) this.#usages.push(usage);
  }

  #sum(): Usage {
    const sum = (read: (usage: Json) => number | undefined): number | undefined => {
      const figures = this.#usages.map(read).filter((figure) => figure !== undefined);
      return figures.length === 0 ? undefined : figures.reduce((all, figure) => all + figure, 0);
    };
    const [only] = this.#usages;
    return {
      ...defined({
        inputTokens: sum((usage) => tokenCount(field(usage, "input_tokens"))),
        outputTokens: sum((usage) => tokenCount(field(usage, "output_tokens"))),
        cachedInputTokens: sum((usage) => tokenCount(field(field(usage, "input_tokens_details"), "cached_tokens"))),
        imageInputTokens: sum((usage) => tokenCount(field(field(usage, "input_tokens_details"), "image_tokens"))),
        // What is not split is all image.
        imageOutputTokens: sum((usage) => {
          const details = field(usage, "output_tokens_details");
          return tokenCount(isJsonObject(details) ? field(details, "image_tokens") : field(usage, "output_tokens"));
        }),
        images: this.#images === 0 ? undefined : this.#images,
      }),
      reported: only === undefined ? {} : reportedFigures(this.#usages.length === 1 ? only : this.#usages),
    };
  }
}
