import type { AnswerContext, TailReason } from "../../core/codec.ts";
import { field, isJsonObject, type Json } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerMapper } from "./answer-reader.ts";
import { AnswerTally, listField, textField } from "./answer-tally.ts";
import { AnswerTexts, beginEvent, silentAnd } from "./answer-texts.ts";
import { withoutMedia } from "./media-json.ts";
import { openAiErrorEvents } from "./openai-error.ts";
import { defined, reportedFigures, tokenCount } from "./reported-usage.ts";

/** Usage objects of one answer that are added up; a stream has one for each image. */
const USAGES_MAX = 256;
/** Members that are read, or hold no text. */
const BODY_KEYS = silentAnd("data", "usage", "model", "created", "background", "output_format", "quality", "size");
const IMAGE_KEYS = silentAnd("revised_prompt", "b64_json", "url", "usage", "background", "output_format", "quality", "size");

/**
 * Reads an answer of OpenAI's images API, whole or as events. Its texts are the prompts that the provider rewrote; the images pass
 * unread. GPT image models report tokens; DALL·E reports nothing and is priced by the images counted here.
 * Source: `ImagesResponse`, `ImageGenCompletedEvent`, `ImageEditCompletedEvent` of the `openai` package 7.57.
 */
export class ImageAnswer implements AnswerMapper {
  readonly tally = new AnswerTally();
  readonly texts: AnswerTexts;
  readonly #context: AnswerContext;
  readonly #usages: Json[] = [];
  #images = 0;
  #failed = false;

  constructor(context: AnswerContext) {
    this.#context = context;
    this.texts = new AnswerTexts(context);
  }

  prepare(text: string): string {
    return withoutMedia(text);
  }

  body(json: Json): void {
    this.tally.complete = true;
    this.texts.walk(0, 0, json, BODY_KEYS);
    if (this.tally.readError(json)) return;
    for (const [choice, image] of listField(json, "data").entries()) {
      this.#images++;
      this.texts.add(choice, 0, "content", image, "revised_prompt");
      this.texts.beside(choice, 0, "address", image, "url");
      this.texts.file(field(image, "b64_json"));
      this.texts.walk(choice, 0, image, IMAGE_KEYS);
    }
    this.tally.answeredBy(field(json, "model"), undefined);
    this.#use(field(json, "usage"));
  }

  event(name: string | undefined, data: string): void {
    if (data.trim() === "[DONE]") {
      this.tally.complete = true;
      return;
    }
    const event = beginEvent(this, data, withoutMedia(data));
    if (event === undefined) return;
    this.texts.add(0, 0, "content", event, "revised_prompt");
    this.texts.beside(0, 0, "address", event, "url");
    this.texts.file(field(event, "b64_json"));
    this.texts.walk(0, 0, event, IMAGE_KEYS);
    const type = textField(event, "type") || (name ?? "");
    if (type.endsWith(".completed")) {
      this.#images++;
      this.#use(field(event, "usage"));
      this.tally.complete ||= this.#images >= this.#context.view.choices;
    } else if (type === "error" || field(event, "error") !== undefined) {
      this.#failed = true;
      if (!this.tally.readError(event)) this.tally.failed(field(event, "code") ?? "error");
    } else if (!type.endsWith(".partial_image")) this.tally.unknownEvents++;
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
