import type { Answer, Piece } from "./answer.ts";
import { modelOf, readForm } from "./openai-azure.ts";
import { openaiStyle, SERVER_ERROR } from "./openai-style.ts";
import { JSON_TYPE, NO_ASK, type Opened, SSE_TYPE, type StreamReply, type Surface } from "./surface.ts";
import { inputTokensOf } from "./text.ts";
import { isObject, objectOf, textOf, type Values, wholeOf } from "./values.ts";

/** Tokens of one low-quality image, and of each partial image before it. */
const IMAGE_TOKENS = 272;
const PARTIAL_TOKENS = 100;
const IMAGE_BYTES = 3000;

/** What an image call asks for, from JSON or from a form. */
interface ImageAsk {
  readonly model: string;
  readonly prompt: string;
  readonly images: number;
  readonly partial: number;
  readonly streaming: boolean;
  readonly sentBytes: number;
}

function read(body: unknown, raw: Buffer, path: Parameters<Surface["match"]>[0]): ImageAsk | string {
  const form = readForm(raw, path);
  const values: Values = form === undefined ? objectOf(body) : form.fields;
  if (form === undefined && !isObject(body)) return "We could not parse the JSON body of your request.";
  const number = (name: string): number => Number(values[name] ?? 0);
  return {
    model: modelOf(values, path) ?? "dall-e-2",
    prompt: textOf(values["prompt"]) ?? "",
    images: wholeOf(number("n"), { min: 1, max: 10 }) ?? 1,
    partial: wholeOf(number("partial_images"), { min: 0, max: 3 }) ?? 0,
    streaming: String(values["stream"]) === "true",
    sentBytes: form?.fileBytes ?? 0,
  };
}

/** Follows from the prompt alone. */
const picture = (answer: Answer, index: number): string => Buffer.alloc(IMAGE_BYTES, `${answer.hash}:${index};`).toString("base64");

function usageOf(ask: ImageAsk): Values {
  const text = inputTokensOf(Buffer.byteLength(ask.prompt));
  const image = Math.ceil(ask.sentBytes / 100);
  const output = ask.images * IMAGE_TOKENS + (ask.streaming ? ask.partial * PARTIAL_TOKENS : 0);
  return {
    input_tokens: text + image,
    input_tokens_details: { image_tokens: image, text_tokens: text },
    output_tokens: output,
    total_tokens: text + image + output,
  };
}

function* pieces(ask: ImageAsk, answer: Answer, word: string): Generator<Piece> {
  const shape = { background: "opaque", created_at: answer.createdUnixS, output_format: "png", quality: "low", size: "1024x1024" };
  const event = (type: string, members: Values): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...members, ...shape })}\n\n`;
  for (let index = 0; index < ask.partial; index += 1)
    yield { text: event(`${word}.partial_image`, { b64_json: picture(answer, index), partial_image_index: index }), tokens: 1 };
  yield { text: event(`${word}.completed`, { b64_json: picture(answer, 9), usage: usageOf(ask) }), tokens: 1 };
}

/** POST …/images/generations, …/edits and …/variations. GPT image models report tokens, DALL·E nothing. */
export const openaiImages: Surface = {
  name: "openai.images",
  style: openaiStyle,
  match: (arrival) => arrival.method === "POST" && /\/images\/(?:generations|edits|variations)$/.test(arrival.path),
  open(body, arrival, raw): Opened | string {
    const ask = read(body, raw, arrival);
    if (typeof ask === "string") return ask;
    const word = arrival.path.endsWith("/edits") ? "image_edit" : "image_generation";
    const counted = !ask.model.startsWith("dall-e");
    return {
      ask: { ...NO_ASK, model: ask.model, texts: [ask.prompt], lastUserText: ask.prompt, streaming: ask.streaming },
      contentType: ask.streaming ? SSE_TYPE : JSON_TYPE,
      unary(answer) {
        const data = Array.from({ length: ask.images }, (_, index) => ({
          ...(counted ? {} : { revised_prompt: "A simulated picture" }),
          b64_json: picture(answer, index),
        }));
        const rest = counted ? { background: "opaque", output_format: "png", quality: "low", size: "1024x1024", usage: usageOf(ask) } : {};
        return `${JSON.stringify({ created: answer.createdUnixS, data, ...rest }, null, 2)}\n`;
      },
      stream: (answer): StreamReply => ({
        pieces: pieces(ask, answer, word),
        fail: () => `event: error\ndata: ${JSON.stringify({ type: "error", error: SERVER_ERROR })}\n\n`,
      }),
    };
  },
};
