import type { AnswerContext, TailReason } from "../../core/codec.ts";
import { field, type Json } from "../../core/json.ts";
import type { Usage } from "../../core/usage.ts";
import type { AnswerMapper } from "./answer-reader.ts";
import { AnswerTally } from "./answer-tally.ts";
import { AnswerTexts } from "./answer-texts.ts";

/** A JSON body that has no text of a model: model and id are read, an error, and usage where `usageOf` finds one. Guards see its strings. */
export class PlainAnswer implements AnswerMapper {
  readonly tally = new AnswerTally();
  readonly texts: AnswerTexts;
  readonly #usageOf: (body: Json) => Usage | undefined;
  readonly #status: number;
  #usage: Usage | undefined;

  /** `context.status` matters to dialects whose errors have no `error` member. */
  constructor(context: AnswerContext, usageOf: (body: Json) => Usage | undefined = () => undefined) {
    this.texts = new AnswerTexts(context);
    this.#usageOf = usageOf;
    this.#status = context.status;
  }

  event(): void {
    this.tally.unknownEvents++;
  }
  body(json: Json): void {
    this.tally.complete = true;
    this.texts.walk(0, 0, json);
    // Calls among them are of the history that the caller asks for.
    this.texts.opaque(json);
    if (this.tally.readError(json)) return;
    if (this.#status >= 400) {
      this.tally.failed("error");
      return;
    }
    this.tally.answeredBy(field(json, "model"), field(json, "id"));
    this.#usage = this.#usageOf(json);
  }
  usage(): Usage | undefined {
    return this.#usage;
  }
  tail(_reason: TailReason): string {
    return "";
  }
}
