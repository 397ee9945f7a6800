import type { AnswerContext, AnswerReader, Codec, ParsedRequest, ParseError, PathFacts, RequestChange } from "../core/codec.ts";
import type { JsonDoc, JsonEdit, JsonNode } from "../core/json.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { RequestView } from "../core/view.ts";
import { expectedImages, namesSecondModel, openImageAnswer, SECOND_MODEL } from "./shared/image-request.ts";
import { openAiPath, withPathModel } from "./shared/openai-paths.ts";
import { topLevelEdits } from "./shared/request-edits.ts";
import { RequestFields } from "./shared/request-fields.ts";
import { parameterTexts, Texts, walkAllTexts, walkNames } from "./shared/text-walk.ts";

const TAIL = "/images/generations";

/** OpenAI's images from a prompt, whole or as a stream of partial images. Source: `ImageGenerateParams` of the `openai` package 7.57. */
export const openaiImagesGenerations: Codec = {
  surface: "openai.images.generations",
  dialect: "openai",
  operation: "image",
  title: `POST /v1${TAIL}`,
  treatment: "inspected",
  match: (target): PathFacts | undefined => openAiPath(target, "POST", TAIL),
  readRequest: (doc: JsonDoc, facts: PathFacts): Result<RequestView, ParseError> => withPathModel(readGeneration(doc.root), facts),
  editRequest({ doc: { root } }: ParsedRequest, change: RequestChange): readonly JsonEdit[] {
    return root.kind === "object" ? topLevelEdits(root, change, { model: "model", outputTokensMax: undefined }) : [];
  },
  upstreamPath: () => TAIL,
  openAnswer: (context: AnswerContext): AnswerReader => openImageAnswer(context),
};

/** Names, modes and sizes of the API. */
const PLAIN_KEYS: ReadonlySet<string> = new Set([
  ...["model", "background", "complexity", "moderation", "output_format", "quality", "response_format", "size", "style"],
]);

function readGeneration(root: JsonNode): Result<RequestView, ParseError> {
  if (root.kind !== "object") return err({ code: "invalid_request", where: "", message: "The body must be a JSON object." });
  const fields = new RequestFields(root);
  fields.refuseFurtherModels();
  if (namesSecondModel(root)) fields.refuse("/svg", SECOND_MODEL);
  const prompt = fields.string("prompt");
  const streaming = fields.boolean("stream") ?? false;
  const images = fields.count("n") ?? 1;
  if (images < 1) fields.refuse("/n", "n must be at least 1.");
  const view: RequestView = {
    model: fields.string("model")?.value,
    streaming,
    framing: streaming ? "sse" : "json",
    outputTokensMax: undefined,
    choices: images,
    tools: [],
    providerState: [],
    contractFields: fields.contractFields(),
    expected: expectedImages(images, 0, prompt?.value.length ?? 0),
    texts() {
      const out = new Texts();
      for (const entry of root.members) {
        const { key, value } = entry;
        if (parameterTexts(entry, out)) continue;
        if (key === "prompt") walkAllTexts(value, "user", out);
        else if (PLAIN_KEYS.has(key)) walkNames(value, out);
        else walkAllTexts(value, "other", out);
      }
      return out;
    },
  };
  return fields.problem === undefined ? ok(view) : err(fields.problem);
}
