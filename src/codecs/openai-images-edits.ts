import type { AnswerContext, AnswerReader, Codec, FormBody, ParsedRequest, ParseError, PathFacts, RequestChange } from "../core/codec.ts";
import type { JsonDoc, JsonEdit } from "../core/json.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { RequestView, TextPlace } from "../core/view.ts";
import { FormFields, formEdits, formTexts } from "./shared/form-request.ts";
import { expectedImages, fileCount, namesSecondModel, openImageAnswer, SECOND_MODEL } from "./shared/image-request.ts";
import { readMultipart } from "./shared/multipart.ts";
import { openAiPath, withPathModel } from "./shared/openai-paths.ts";

const TAIL = "/images/edits";

/** OpenAI's edits of images, as a form. Source: `ImageEditParams` of the `openai` package 7.57. */
export const openaiImagesEdits: Codec = {
  surface: "openai.images.edits",
  dialect: "openai",
  operation: "image",
  title: `POST /v1${TAIL}`,
  treatment: "inspected",
  body: "multipart",
  match: (target): PathFacts | undefined => openAiPath(target, "POST", TAIL),
  readForm: readMultipart,
  readRequest: (doc: JsonDoc, facts: PathFacts, form?: FormBody): Result<RequestView, ParseError> =>
    withPathModel(readEdit(doc, form), facts),
  editRequest: ({ doc }: ParsedRequest, change: RequestChange): readonly JsonEdit[] => formEdits(doc, change),
  upstreamPath: () => TAIL,
  openAnswer: (context: AnswerContext): AnswerReader => openImageAnswer(context),
};

const PLACES: ReadonlyMap<string, TextPlace> = new Map<string, TextPlace>([["prompt", "user"]]);
/** Names, modes and sizes of the API. */
const PLAIN_KEYS: ReadonlySet<string> = new Set([
  ...["model", "n", "stream", "partial_images", "background", "complexity", "input_fidelity", "output_compression", "output_format"],
  ...["quality", "response_format", "size", "frame_count", "frame_duration_ms"],
]);

function readEdit(doc: JsonDoc, form: FormBody | undefined): Result<RequestView, ParseError> {
  const fields = new FormFields(doc, form, ["model", "prompt", "stream", "n", "svg"]);
  if (namesSecondModel(fields.root)) fields.refuse("svg", SECOND_MODEL);
  const prompt = fields.string("prompt");
  const streaming = fields.boolean("stream");
  const images = fields.count("n") ?? 1;
  if (images < 1) fields.refuse("n", "n must be at least 1.");
  const view: RequestView = {
    model: fields.string("model")?.value,
    streaming,
    framing: streaming ? "sse" : "json",
    outputTokensMax: undefined,
    choices: images,
    tools: [],
    providerState: [],
    contractFields: fields.contractFields(),
    expected: expectedImages(images, fileCount(form), prompt?.value.length ?? 0),
    texts: () => formTexts(fields.root, PLACES, PLAIN_KEYS, form),
  };
  return fields.problem === undefined ? ok(view) : err(fields.problem);
}
