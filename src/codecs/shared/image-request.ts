import type { AnswerContext, AnswerReader, FormBody } from "../../core/codec.ts";
import type { JsonObject } from "../../core/json.ts";
import type { RequestView } from "../../core/view.ts";
import { openReader } from "./answer-reader.ts";
import { ImageAnswer } from "./image-answer.ts";
import { openAiErrorBody } from "./openai-error.ts";
import { SniffingReader } from "./sniffing-reader.ts";

/**
 * Output tokens of the dearest image of GPT image models (1536 by 1024, high quality), for holds and answers without usage.
 * Source: platform.openai.com/docs/guides/image-generation, "Cost and latency", 2026.
 */
const IMAGE_TOKENS_MAX = 6240;
/** Input tokens of an image that is sent along, likewise (high input fidelity adds 4160 to 6240). */
const IMAGE_INPUT_TOKENS_MAX = 6240;
const CHARS_PER_TOKEN = 3;

/** What a call for `images` pictures will use at most, `sent` of them going in. */
export function expectedImages(images: number, sent: number, promptChars: number): NonNullable<RequestView["expected"]> {
  const inputTokens = Math.ceil(promptChars / CHARS_PER_TOKEN) + sent * IMAGE_INPUT_TOKENS_MAX;
  const outputTokens = images * IMAGE_TOKENS_MAX;
  return { images, inputTokens, imageInputTokens: sent * IMAGE_INPUT_TOKENS_MAX, outputTokens, imageOutputTokens: outputTokens };
}

/** Files of a form, all fields together. */
export function fileCount(form: FormBody | undefined): number {
  let count = 0;
  for (const sizes of form?.files.values() ?? []) count += sizes.length;
  return count;
}

/**
 * `svg.model` (`svg[model]` in a form) has a second model draw, which no policy saw.
 */
export function namesSecondModel(root: JsonObject): boolean {
  return root.members.some(({ key, value }) => key.startsWith("svg") && !(value.kind === "literal" && value.value === null));
}
export const SECOND_MODEL = "svg is not supported: it names a second model, which the gateway's policy does not see.";

export function openImageAnswer(context: AnswerContext): AnswerReader {
  return new SniffingReader(context, (sniffed) => openReader(sniffed, new ImageAnswer(sniffed), openAiErrorBody));
}
