import type { AnswerContext, AnswerReader, Codec, FormBody, ParsedRequest, ParseError, PathFacts, RequestChange } from "../core/codec.ts";
import { type JsonDoc, type JsonEdit, member } from "../core/json.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { RequestView } from "../core/view.ts";
import { FormFields, formEdits, formTexts } from "./shared/form-request.ts";
import { expectedImages, fileCount, openImageAnswer } from "./shared/image-request.ts";
import { readMultipart } from "./shared/multipart.ts";
import { openAiPath, withPathModel } from "./shared/openai-paths.ts";

const TAIL = "/images/variations";
/** The only model of this call, and what a call that names none means (API reference, `model`). */
const DEFAULT_MODEL = "dall-e-2";

/** OpenAI's variations of an image, as a form. Source: `ImageCreateVariationParams` of the `openai` package 7.57. */
export const openaiImagesVariations: Codec = {
  surface: "openai.images.variations",
  dialect: "openai",
  operation: "image",
  title: `POST /v1${TAIL}`,
  treatment: "inspected",
  body: "multipart",
  match: (target): PathFacts | undefined => openAiPath(target, "POST", TAIL),
  readForm: readMultipart,
  readRequest: (doc: JsonDoc, facts: PathFacts, form?: FormBody): Result<RequestView, ParseError> => {
    const view = withPathModel(readVariation(doc, form), facts);
    return view.ok && view.value.model === undefined ? ok({ ...view.value, model: DEFAULT_MODEL }) : view;
  },
  editRequest({ doc }: ParsedRequest, change: RequestChange): readonly JsonEdit[] {
    const { model, ...rest } = change;
    return formEdits(doc, model === DEFAULT_MODEL && member(doc.root, "model") === undefined ? rest : change);
  },
  upstreamPath: () => TAIL,
  openAnswer: (context: AnswerContext): AnswerReader => openImageAnswer(context),
};

const PLAIN_KEYS: ReadonlySet<string> = new Set(["model", "n", "response_format", "size"]);

function readVariation(doc: JsonDoc, form: FormBody | undefined): Result<RequestView, ParseError> {
  const fields = new FormFields(doc, form, ["model", "n"]);
  const images = fields.count("n") ?? 1;
  if (images < 1) fields.refuse("n", "n must be at least 1.");
  const view: RequestView = {
    model: fields.string("model")?.value,
    streaming: false,
    framing: "json",
    outputTokensMax: undefined,
    choices: images,
    tools: [],
    providerState: [],
    contractFields: fields.contractFields(),
    expected: expectedImages(images, fileCount(form), 0),
    texts: () => formTexts(fields.root, new Map(), PLAIN_KEYS, form),
  };
  return fields.problem === undefined ? ok(view) : err(fields.problem);
}
