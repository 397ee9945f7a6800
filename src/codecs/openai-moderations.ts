import type { AnswerContext, AnswerReader, Codec, ParsedRequest, ParseError, PathFacts, RequestChange } from "../core/codec.ts";
import { type JsonDoc, type JsonEdit, type JsonNode, member } from "../core/json.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { RequestView } from "../core/view.ts";
import { openReader } from "./shared/answer-reader.ts";
import { openAiErrorBody } from "./shared/openai-error.ts";
import { openAiPath, withPathModel } from "./shared/openai-paths.ts";
import { PlainAnswer } from "./shared/plain-answer.ts";
import { topLevelEdits } from "./shared/request-edits.ts";
import { RequestFields } from "./shared/request-fields.ts";
import { parameterTexts, placed, ruleTable, SKIP, Texts, type WalkRules, walkAllTexts, walkTexts } from "./shared/text-walk.ts";

const TAIL = "/moderations";
/** The model of a call that names none (API reference, `model`). */
const DEFAULT_MODEL = "omni-moderation-latest";

/** OpenAI's moderation of texts and images. Free of charge, and its answer has no usage. */
export const openaiModerations: Codec = {
  surface: "openai.moderations",
  dialect: "openai",
  operation: "other",
  title: `POST /v1${TAIL}`,
  treatment: "inspected",
  billed: false,
  match: (target): PathFacts | undefined => openAiPath(target, "POST", TAIL),
  readRequest: (doc: JsonDoc, facts: PathFacts): Result<RequestView, ParseError> => {
    const view = withPathModel(readModeration(doc.root), facts);
    return view.ok && view.value.model === undefined ? ok({ ...view.value, model: DEFAULT_MODEL }) : view;
  },
  editRequest({ doc: { root } }: ParsedRequest, change: RequestChange): readonly JsonEdit[] {
    if (root.kind !== "object") return [];
    const { model, ...rest } = change;
    const named = model === undefined || (model === DEFAULT_MODEL && member(root, "model") === undefined) ? rest : change;
    return topLevelEdits(root, named, { model: "model", outputTokensMax: undefined });
  },
  upstreamPath: () => TAIL,
  openAnswer: (context: AnswerContext): AnswerReader =>
    openReader({ ...context, contentType: "application/json" }, new PlainAnswer(context), openAiErrorBody),
};

const RULES: WalkRules = {
  keys: ruleTable({ type: SKIP, url: placed("url"), image_url: placed("url") }),
  placeOf: (_object, inherited) => inherited,
};

function readModeration(root: JsonNode): Result<RequestView, ParseError> {
  if (root.kind !== "object") return err({ code: "invalid_request", where: "", message: "The body must be a JSON object." });
  const fields = new RequestFields(root);
  const input = fields.node("input");
  if (input === undefined || (input.kind !== "string" && input.kind !== "array"))
    fields.refuse("/input", "input must be a string or an array.");
  const view: RequestView = {
    model: fields.string("model")?.value,
    streaming: false,
    framing: "json",
    outputTokensMax: undefined,
    choices: 1,
    tools: [],
    providerState: [],
    contractFields: fields.contractFields(),
    texts() {
      const out = new Texts();
      for (const entry of root.members) {
        const { key, value } = entry;
        if (parameterTexts(entry, out)) continue;
        if (key === "input") walkTexts(value, "user", RULES, out);
        else if (key !== "model") walkAllTexts(value, "other", out);
      }
      return out;
    },
  };
  return fields.problem === undefined ? ok(view) : err(fields.problem);
}
