import type { FormBody, ParseError } from "../../core/codec.ts";
import { type JsonDoc, member } from "../../core/json.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { RequestView, TextPlace } from "../../core/view.ts";
import { FormFields, formTexts } from "./form-request.ts";
import { FILE_NAMES } from "./multipart.ts";

/**
 * Fewest bytes of a second of speech, as far as the file's name tells: 64 kbit/s without compression (8,000 samples of a byte), else 16 kbit/s,
 * as voice notes have. Most recordings have more, so the guess is rarely too low.
 */
const PLAIN_BYTES_PER_SECOND = 8000;
const BYTES_PER_SECOND = 2000;
const PLAIN_NAME = /\.(?:wave?|flac|aiff?|pcm)$/i;
/** Audio tokens of a second, as the transcription models count (10), and text tokens that a second of speech can give. */
const INPUT_TOKENS_PER_SECOND = 10;
const OUTPUT_TOKENS_PER_SECOND = 6;

const PLACES: ReadonlyMap<string, TextPlace> = new Map<string, TextPlace>([["prompt", "user"]]);
/** Names and modes of the API. */
const PLAIN_KEYS: ReadonlySet<string> = new Set([
  ...["model", "response_format", "stream", "temperature", "language", "languages[]", "include[]", "timestamp_granularities[]"],
  ...["chunking_strategy", "chunking_strategy[type]"],
]);

/** The form of a transcription or translation. Source: `TranscriptionCreateParams` of the `openai` package 7.57. */
export function readAudioForm(
  doc: JsonDoc,
  form: FormBody | undefined,
  { streams }: { readonly streams: boolean },
): Result<RequestView, ParseError> {
  const fields = new FormFields(doc, form, ["model", "prompt", "stream", "response_format"]);
  const prompt = fields.string("prompt");
  fields.string("response_format");
  const streaming = fields.boolean("stream") && streams;
  let bytes = 0;
  for (const sizes of form?.files.values() ?? []) for (const size of sizes) bytes += size;
  const seconds = Math.ceil(bytes / (hasPlainName(fields) ? PLAIN_BYTES_PER_SECOND : BYTES_PER_SECOND));
  const audioInputTokens = seconds * INPUT_TOKENS_PER_SECOND;
  const view: RequestView = {
    model: fields.string("model")?.value,
    streaming,
    framing: streaming ? "sse" : "json",
    outputTokensMax: undefined,
    choices: 1,
    tools: [],
    providerState: [],
    contractFields: fields.contractFields(),
    expected: {
      seconds,
      inputTokens: audioInputTokens + (prompt?.value.length ?? 0),
      audioInputTokens,
      outputTokens: seconds * OUTPUT_TOKENS_PER_SECOND,
    },
    texts: () => formTexts(fields.root, PLACES, PLAIN_KEYS, form),
  };
  return fields.problem === undefined ? ok(view) : err(fields.problem);
}

function hasPlainName({ root }: FormFields): boolean {
  const names = member(root, FILE_NAMES);
  return (
    names?.kind === "array" && names.items.length > 0 && names.items.every((name) => name.kind === "string" && PLAIN_NAME.test(name.value))
  );
}
